//! An object that has everything that a schema knows.

use serde_json::{Map, Value, json};

/// Every property of the schema, every list with one entry.
pub(super) fn sample(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    match schema["type"].as_str().unwrap() {
        "object" => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let mut object: Map<_, _> = properties.map(|(name, property)| (name.clone(), sample(property))).collect();
            if schema["additionalProperties"].is_object() {
                object.insert("key".to_owned(), sample(&schema["additionalProperties"]));
            }
            Value::Object(object)
        }
        "array" => json!([sample(&schema["items"])]),
        "integer" => json!(7),
        "boolean" => json!(true),
        "string" if schema["format"] == "date-time" => json!("2026-11-21T10:00:00Z"),
        "string" => json!("x"),
        other => panic!("no value of type {other}"),
    }
}
