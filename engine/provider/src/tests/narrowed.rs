//! What one schema refuses, drops or reads in another way than another.

use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Each way in which `ours` is narrower than `theirs`: `<path>: <keyword>`.
pub(super) fn narrowed(theirs: &Value, ours: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk("", theirs, ours, &mut found);
    found
}

fn walk(path: &str, theirs: &Value, ours: &Value, found: &mut BTreeSet<String>) {
    let keys: BTreeSet<&String> = [theirs, ours].iter().flat_map(|s| s.as_object().unwrap().keys()).collect();
    for key in keys {
        let (their, our) = (&theirs[key], &ours[key]);
        let is_as_wide = match key.as_str() {
            "description" => true,
            "properties" => {
                for (name, property) in their.as_object().into_iter().flatten() {
                    match our.get(name) {
                        Some(known) => walk(&format!("{path}.{name}"), property, known, found),
                        // The API server knows these of every object by itself.
                        None if path.is_empty() && ["apiVersion", "kind", "metadata"].contains(&name.as_str()) => {}
                        None => {
                            found.insert(format!("{path}.{name}: missing"));
                        }
                    }
                }
                true
            }
            "items" | "additionalProperties" if their.is_object() && our.is_object() => {
                walk(&format!("{path}[]"), their, our, found);
                true
            }
            "required" => set(our).is_subset(&set(their)),
            "enum" => our.is_null() || (!their.is_null() && set(their).is_subset(&set(our))),
            "minimum" | "minLength" | "minItems" | "minProperties" => {
                our.is_null() || their.as_f64().is_some_and(|their| our.as_f64().unwrap() <= their)
            }
            "maximum" | "maxLength" | "maxItems" | "maxProperties" => {
                our.is_null() || their.as_f64().is_some_and(|their| our.as_f64().unwrap() >= their)
            }
            "pattern" => our.is_null() || our == their,
            // Type, format, default, nullable, list types, rules, and whatever else there will be.
            _ => our == their,
        };
        if !is_as_wide {
            found.insert(format!("{path}: {key}"));
        }
    }
}

fn set(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().map(|entry| entry.as_str().unwrap()).collect()
}

#[test]
fn every_way_to_be_narrower_is_found() {
    let property = |schema: Value| json!({"type": "object", "properties": {"a": schema}});
    let list = |schema: Value| json!({"type": "object", "properties": {"a": {"type": "array", "items": schema}}});
    let text = json!({"type": "string"});
    let cases = [
        (property(text.clone()), property(text.clone()), None),
        (property(text.clone()), json!({"type": "object"}), Some(".a: missing")),
        (json!({"type": "object"}), property(text.clone()), None),
        (property(text.clone()), property(json!({"type": "integer"})), Some(".a: type")),
        (property(text.clone()), property(json!({"type": "string", "format": "date"})), Some(".a: format")),
        (property(text.clone()), property(json!({"type": "string", "default": "x"})), Some(".a: default")),
        (property(text.clone()), property(json!({"type": "string", "nullable": true})), Some(".a: nullable")),
        (property(text.clone()), property(json!({"type": "string", "minLength": 1})), Some(".a: minLength")),
        (property(text.clone()), property(json!({"type": "string", "pattern": "a"})), Some(".a: pattern")),
        (property(json!({"maxLength": 5})), property(json!({"maxLength": 4})), Some(".a: maxLength")),
        (property(json!({"maxLength": 5})), property(json!({"maxLength": 6})), None),
        (property(json!({"enum": ["b", "c"]})), property(json!({"enum": ["b"]})), Some(".a: enum")),
        (property(json!({"enum": ["b"]})), property(json!({"enum": ["b", "c"]})), None),
        (property(text.clone()), property(json!({"type": "string", "enum": ["b"]})), Some(".a: enum")),
        (list(json!({"required": ["b"]})), list(json!({"required": ["b", "c"]})), Some(".a[]: required")),
        (list(json!({"required": ["b", "c"]})), list(json!({"required": ["b"]})), None),
        (
            property(text),
            property(json!({"type": "string", "x-kubernetes-validations": [{"rule": "self != ''"}]})),
            Some(".a: x-kubernetes-validations"),
        ),
        (
            property(json!({"x-kubernetes-preserve-unknown-fields": true})),
            property(json!({})),
            Some(".a: x-kubernetes-preserve-unknown-fields"),
        ),
    ];
    for (theirs, ours, expected) in cases {
        let expected: BTreeSet<String> = expected.map(str::to_owned).into_iter().collect();
        assert_eq!(narrowed(&theirs, &ours), expected, "{theirs} and {ours}");
    }
}
