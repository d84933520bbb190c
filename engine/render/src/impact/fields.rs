//! Where two objects differ.

use serde_json::{Map, Value};

/// JSON pointers to the smallest differing parts, sorted. A list of another length is one part.
pub(super) fn differing(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(old, new, &mut String::new(), &mut found);
    found.sort();
    found
}

fn walk(old: &Value, new: &Value, at: &mut String, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for key in keys(old, new) {
                step(at, &key.replace('~', "~0").replace('/', "~1"), |at| match (old.get(key), new.get(key)) {
                    (Some(old), Some(new)) => walk(old, new, at, found),
                    (None, Some(_)) | (Some(_), None) => found.push(at.clone()),
                    (None, None) => {}
                });
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (i, (old, new)) in old.iter().zip(new).enumerate() {
                step(at, &i.to_string(), |at| walk(old, new, at, found));
            }
        }
        _ if old != new => found.push(at.clone()),
        _ => {}
    }
}

fn keys<'a>(old: &'a Map<String, Value>, new: &'a Map<String, Value>) -> impl Iterator<Item = &'a String> {
    old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)))
}

fn step(at: &mut String, key: &str, inside: impl FnOnce(&mut String)) {
    let length = at.len();
    at.push('/');
    at.push_str(key);
    inside(at);
    at.truncate(length);
}
