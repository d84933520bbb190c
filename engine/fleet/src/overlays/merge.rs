//! A definition under which the defaults of overlays are laid, field by field.

use crate::limits::FILE_BYTES_MAX;
use crate::yaml::{Node, Value as Yaml};
use model::definition::DefinitionSpec;
use model::{BlobId, ClusterDefinition, Tree};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A definition with what overlays gave it.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) definition: ClusterDefinition,
    /// By field, as `spec.controlPlane.size`: which of the overlays gave it and all below it.
    from: BTreeMap<String, usize>,
}

impl Merged {
    pub(crate) fn layer(&self, field: &str) -> Option<usize> {
        let mut field = field;
        loop {
            if let Some(index) = self.from.get(field) {
                return Some(*index);
            }
            field = &field[..field.rfind(['.', '['])?];
        }
    }
}

/// `layers` in the order in which they count. None where the result is no definition, which two documents that were
/// read cannot make.
pub(crate) fn merge(definition: &ClusterDefinition, spec: Value, layers: &[&Value]) -> Option<Merged> {
    let Value::Object(mut spec) = spec else { return None };
    let mut from = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate().rev() {
        if let Value::Object(layer) = layer {
            under(&mut spec, layer, "spec", index, &mut from);
        }
    }
    let spec: DefinitionSpec = serde_json::from_value(Value::Object(spec)).ok()?;
    Some(Merged { definition: ClusterDefinition { spec, ..definition.clone() }, from })
}

/// What is there already stays: objects field by field, everything else as a whole.
fn under(
    base: &mut Map<String, Value>,
    defaults: &Map<String, Value>,
    at: &str,
    layer: usize,
    from: &mut BTreeMap<String, usize>,
) {
    for (key, value) in defaults {
        let field = format!("{at}.{key}");
        match (base.get_mut(key), value) {
            (None, _) => {
                base.insert(key.clone(), value.clone());
                from.insert(field, layer);
            }
            (Some(Value::Object(base)), Value::Object(value)) => under(base, value, &field, layer, from),
            (Some(_), _) => {}
        }
    }
}

/// A part of a document as JSON, with the empty lists and the `false` that somebody wrote: the type leaves them out, and
/// written they go before what an overlay gives.
pub(crate) fn written(tree: &Tree, blob: &BlobId, typed: Value, path: &[&str]) -> Value {
    let mut value = typed;
    let bytes = tree.read(blob, FILE_BYTES_MAX).unwrap_or_default();
    let root = crate::read::text(&bytes).ok().and_then(|text| crate::yaml::parse(text).0);
    if let Some(node) = root.as_ref().and_then(|root| root.get(path)) {
        explicit(&mut value, node);
    }
    value
}

fn explicit(value: &mut Value, raw: &Node) {
    let (Value::Object(fields), Yaml::Map(raw)) = (value, &raw.value) else { return };
    for field in raw.iter().filter(|field| !field.node.is_null()) {
        match fields.get_mut(&field.key) {
            Some(value) => explicit(value, &field.node),
            None => fields.extend(empty(&field.node).map(|value| (field.key.clone(), value))),
        }
    }
}

fn empty(node: &Node) -> Option<Value> {
    match &node.value {
        Yaml::Seq(items) => items.is_empty().then(|| Value::Array(Vec::new())),
        Yaml::Map(fields) => fields.is_empty().then(|| Value::Object(Map::new())),
        Yaml::Scalar { text, plain: true } => text.eq_ignore_ascii_case("false").then_some(Value::Bool(false)),
        Yaml::Scalar { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn merged(base: Value, layers: &[Value]) -> (Value, BTreeMap<String, usize>) {
        let (Value::Object(mut base), mut from) = (base, BTreeMap::new()) else { panic!("an object") };
        for (index, layer) in layers.iter().enumerate().rev() {
            under(&mut base, layer.as_object().unwrap(), "spec", index, &mut from);
        }
        (Value::Object(base), from)
    }

    #[test]
    fn what_is_written_wins_and_a_later_overlay_goes_before_an_earlier_one() {
        let (spec, from) = merged(
            json!({"a": {"x": 1, "list": []}, "off": false}),
            &[
                json!({"a": {"x": 2, "y": 2, "z": {"p": 2}}, "off": true}),
                json!({"a": {"z": {"q": 3}, "list": [3], "y": 3}}),
            ],
        );
        assert_eq!(spec, json!({"a": {"x": 1, "list": [], "y": 3, "z": {"q": 3, "p": 2}}, "off": false}));
        let of = |field: &str| from.get(field).copied();
        assert_eq!(
            (of("spec.a.y"), of("spec.a.z"), of("spec.a.z.p"), of("spec.a.x")),
            (Some(1), Some(1), Some(0), None)
        );
    }

    #[test]
    fn empty_lists_and_false_that_somebody_wrote_are_written() {
        let raw = crate::yaml::parse("a: []\nb: false\nc: ~\nd: {e: [], f: 1}\ng: {}\n").0.unwrap();
        let mut value = json!({"d": {}});
        explicit(&mut value, &raw);
        assert_eq!(value, json!({"a": [], "b": false, "d": {"e": []}, "g": {}}));
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<u8>().prop_map(Value::from), Just(json!([])), Just(Value::Null)];
        leaf.prop_recursive(3, 12, 3, |inner| {
            proptest::collection::btree_map("[abc]", inner, 0..3).prop_map(|map| map.into_iter().collect())
        })
    }

    fn leaves(value: &Value, at: &str, found: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(k, v)| leaves(v, &format!("{at}/{k}"), found))
            }
            other => found.push((at.to_owned(), other.clone())),
        }
    }

    proptest! {
        /// Nothing that is written is lost, and what an overlay gave is known to be from it.
        #[test]
        fn written_fields_stay(base in tree(), one in tree(), two in tree()) {
            let object = |v: Value| if v.is_object() { v } else { json!({}) };
            let (base, layers) = (object(base), [object(one), object(two)]);
            let (spec, from) = merged(base.clone(), &layers);
            let mut written = Vec::new();
            leaves(&base, "", &mut written);
            for (at, value) in written {
                let kept = spec.pointer(&at).unwrap();
                prop_assert!(*kept == value || value == json!({}), "{at}");
            }
            for (field, index) in from {
                let at = field.trim_start_matches("spec").replace('.', "/");
                prop_assert!(base.pointer(&at).is_none() && layers[index].pointer(&at).is_some(), "{field}");
            }
        }
    }
}
