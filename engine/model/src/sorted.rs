//! Maps whose keys are not ours, as people write them. Their order means nothing and is not kept: else another
//! arrangement of the same values would be another output, and another digest (R1).

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

pub(crate) fn map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Map<String, Value>>, D::Error> {
    let map = Option::<Map<_, _>>::deserialize(deserializer)?;
    Ok(map.map(sorted))
}

pub(crate) fn maps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Map<String, Value>>, D::Error> {
    Ok(Vec::<Map<_, _>>::deserialize(deserializer)?.into_iter().map(sorted).collect())
}

/// A null that was written is a value.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let mut value = Value::deserialize(deserializer)?;
    value.sort_all_objects();
    Ok(Some(value))
}

fn sorted(mut map: Map<String, Value>) -> Map<String, Value> {
    map.sort_keys();
    map.values_mut().for_each(Value::sort_all_objects);
    map
}

#[cfg(test)]
mod tests {
    use crate::Patch;
    use crate::definition::{ChartWish, ManifestsWish};
    use serde::{Serialize, de::DeserializeOwned};

    fn same<T: Serialize + DeserializeOwned>(one: &str, other: &str) {
        let text = |written: &str| serde_json::to_string(&serde_json::from_str::<T>(written).unwrap()).unwrap();
        assert_eq!(text(one), text(other));
    }

    #[test]
    fn another_arrangement_of_keys_is_the_same_wish() {
        same::<Patch>(
            r#"{"target": {"kind": "A"}, "merge": {"b": 1, "a": [{"d": 1, "c": 2}]}, "json": [{"op": "add", "path": "/x", "value": {"z": 1, "y": 2}}]}"#,
            r#"{"json": [{"value": {"y": 2, "z": 1}, "path": "/x", "op": "add"}], "merge": {"a": [{"c": 2, "d": 1}], "b": 1}, "target": {"kind": "A"}}"#,
        );
        let chart = r#""name": "a", "repoURL": "https://x", "chart": "a", "version": "1", "namespace": "a""#;
        let written = |values: &str| format!("{{{chart}, \"values\": {values}}}");
        same::<ChartWish>(
            &written(r#"{"b": {"d": 1, "c": 2}, "a": 1}"#),
            &written(r#"{"a": 1, "b": {"c": 2, "d": 1}}"#),
        );
        same::<ManifestsWish>(
            r#"{"name": "a", "objects": [{"kind": "A", "data": {"b": "1", "a": "2"}}]}"#,
            r#"{"objects": [{"data": {"a": "2", "b": "1"}, "kind": "A"}], "name": "a"}"#,
        );
    }
}
