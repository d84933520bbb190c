//! Patches of rendered objects, as people write them in definitions and overlays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A change of rendered objects: RFC 6902 operations, or an RFC 7386 document. Exactly one of `json` and `merge`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Patch {
    pub target: PatchTarget,
    /// RFC 6902: operations, one after the other, all or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Vec<PatchOperation>>,
    /// RFC 7386: merged into the object; null removes a field, lists are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::sorted::map")]
    pub merge: Option<serde_json::Map<String, Value>>,
    /// Also where the engine's own values stand. Never name, namespace and kind.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

impl Patch {
    /// The single changes that touch one of these places (JSON pointers), above or below it: what a digest of what
    /// stands there must cover.
    pub fn touching(&self, places: &[&str]) -> Vec<Value> {
        let touches = |path: &str| places.iter().any(|place| is_below(path, place) || is_below(place, path));
        let mut changes = Vec::new();
        for operation in self.json.iter().flatten() {
            if operation.op != PatchOp::Test
                && (touches(&operation.path) || operation.from.as_deref().is_some_and(touches))
            {
                changes.push(serde_json::json!(operation));
            }
        }
        for (path, value) in self.merge.iter().flat_map(leaves).filter(|(path, _)| touches(path)) {
            changes.push(serde_json::json!({"path": path, "value": value}));
        }
        changes
    }
}

/// Whether a pointer is the other one, or points below it.
pub fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The values that a merge patch sets, with their pointers.
pub fn leaves(merge: &serde_json::Map<String, Value>) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (key, value) in merge {
        let at = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                found.extend(leaves(inner).into_iter().map(|(path, value)| (format!("{at}{path}"), value)));
            }
            _ => found.push((at, value)),
        }
    }
    found
}

/// Which rendered objects a patch changes; at least one, else it is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchTarget {
    /// As `cluster.x-k8s.io/v1beta2`; any where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    pub kind: String,
    /// `*` stands for any characters; every object of the kind where absent. Objects that are named by their content
    /// are matched without the hash at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl PatchTarget {
    /// `name` is without the hash of objects that are named by their content.
    pub fn matches(&self, api_version: &str, kind: &str, name: &str) -> bool {
        let Self { api_version: wanted_version, kind: wanted_kind, name: wanted_name } = self;
        wanted_version.as_deref().is_none_or(|wanted| wanted == api_version)
            && wanted_kind == kind
            && wanted_name.as_deref().is_none_or(|pattern| glob(pattern, name))
    }
}

impl std::fmt::Display for PatchTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name.as_deref().unwrap_or("*"))
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters, none included.
fn glob(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

/// One operation of RFC 6902.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchOperation {
    pub op: PatchOp,
    /// A JSON pointer (RFC 6901), as `/metadata/annotations/cost-center`.
    pub path: String,
    /// Of `move` and `copy`: where the value comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Of `add`, `replace` and `test`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::sorted::present")]
    #[schemars(with = "Value")]
    pub value: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PatchOp {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name) in [("billing-*", "billing-batch"), ("*", ""), ("a*b*c", "abbc"), ("billing", "billing")] {
            assert!(glob(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("billing", "billing-x"), ("a*b*c", "acb"), ("*x", "y"), ("ab*ba", "aba")] {
            assert!(!glob(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_written_null_is_a_value() {
        let op: PatchOperation = serde_json::from_str(r#"{"op": "add", "path": "/a", "value": null}"#).unwrap();
        assert_eq!(op.value, Some(Value::Null));
        let op: PatchOperation = serde_json::from_str(r#"{"op": "remove", "path": "/a"}"#).unwrap();
        assert_eq!(op.value, None);
    }
}
