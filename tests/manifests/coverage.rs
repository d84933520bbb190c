//! No field of a definition is without a generated cluster that writes it.

use crate::changes;
use crate::fragments::EXCEPTIONS;
use crate::generated::definitions;
use serde_json::Value;
use std::collections::BTreeSet;

/// How deep a schema may nest before it counts as endless.
const DEPTH: usize = 20;

#[test]
fn every_field_of_a_definition_is_in_a_generated_cluster() {
    let schemas = fleet::schemas();
    let (_, schema) = schemas.iter().find(|(name, _)| *name == "clusterdefinition.json").expect("a schema");
    let schema = serde_json::to_value(schema).unwrap();
    let mut wanted = BTreeSet::new();
    fields(&schema, &schema, "", 0, &mut wanted);
    let mut written = BTreeSet::new();
    let changed = changes::definitions(|before, after| vec![before, after]);
    for (_, definition) in definitions(|_| "made-by-hand".to_owned()).into_iter().chain(changed) {
        values(&definition, "", &mut written);
    }
    let excepted: BTreeSet<String> = EXCEPTIONS.iter().map(|(path, _)| (*path).to_owned()).collect();
    let missing: Vec<_> = wanted.difference(&written).filter(|path| !excepted.contains(*path)).collect();
    assert!(missing.is_empty(), "no fragment writes {missing:#?}");
    let needless: Vec<_> = excepted.iter().filter(|path| written.contains(*path) || !wanted.contains(*path)).collect();
    assert!(needless.is_empty(), "exceptions that are none: {needless:#?}");
}

/// Paths of the schema: `spec.pools[].name`, and `spec.flavor=calico` where values are listed.
fn fields(root: &Value, schema: &Value, path: &str, depth: usize, found: &mut BTreeSet<String>) {
    assert!(depth < DEPTH, "{path} is too deep");
    if let Some(name) = schema["$ref"].as_str() {
        let target = name.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).expect("a definition");
        return fields(root, target, path, depth + 1, found);
    }
    let choices = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
    let mut is_choice = false;
    for choice in choices.filter(|choice| choice["type"] != "null") {
        is_choice = true;
        fields(root, choice, path, depth + 1, found);
    }
    let listed = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
    for value in listed.filter_map(Value::as_str) {
        is_choice = true;
        found.insert(format!("{path}={value}"));
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            fields(root, property, &joined(path, name), depth + 1, found);
        }
    } else if schema["items"].is_object() {
        fields(root, &schema["items"], &format!("{path}[]"), depth + 1, found);
    } else if !is_choice {
        found.insert(path.to_owned());
    }
}

/// The same paths of a document, all that lie above its values included: a map of any keys is a leaf of the schema.
fn values(document: &Value, path: &str, found: &mut BTreeSet<String>) {
    found.insert(path.to_owned());
    match document {
        Value::Object(map) => map.iter().for_each(|(name, value)| values(value, &joined(path, name), found)),
        Value::Array(list) => list.iter().for_each(|value| values(value, &format!("{path}[]"), found)),
        Value::String(text) => drop(found.insert(format!("{path}={text}"))),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
