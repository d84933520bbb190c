//! The committed schemas are the ones of the types, and describe what is accepted.

use super::kit::{example, whole_example};
use crate::{init, schemas};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas")
}

/// `FERROFLEET_WRITE_SCHEMAS=1 cargo test -p ferrofleet-fleet schemas` writes them anew.
#[test]
fn the_committed_schemas_are_current() {
    for (file, schema) in schemas() {
        let path = folder().join(&file);
        if std::env::var_os("FERROFLEET_WRITE_SCHEMAS").is_some() {
            std::fs::write(&path, init::text(&schema)).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == init::text(&schema), "schemas/{file} is not current: `ferrofleet schema` prints it");
    }
}

#[test]
fn every_object_refuses_unknown_fields() {
    fn objects<'a>(schema: &'a Value, found: &mut Vec<&'a Value>) {
        match schema {
            Value::Object(map) => {
                if map.contains_key("properties") {
                    found.push(schema);
                }
                map.values().for_each(|v| objects(v, found));
            }
            Value::Array(items) => items.iter().for_each(|v| objects(v, found)),
            _ => {}
        }
    }
    for (file, schema) in schemas() {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(schema["title"].is_string() && schema["description"].is_string(), "{file}");
        let mut found = Vec::new();
        objects(&schema, &mut found);
        for object in found {
            assert_eq!(object["additionalProperties"], false, "{file}: {object}");
        }
    }
}

/// Editors see no error in the example: the published schemas, not the ones that explain.
#[test]
fn the_example_is_valid_by_the_published_schemas() {
    let schemas = schemas();
    let trees = [example().files, whole_example().files];
    for (path, bytes) in trees.iter().flatten() {
        let kind = match path.as_str() {
            "fleet.yaml" => "fleet.json",
            path if path.starts_with("policies/") => "clusterpolicy.json",
            path if path.starts_with("overlays/") => "overlay.json",
            path if path.ends_with("cluster.yaml") => "clusterdefinition.json",
            _ => continue,
        };
        let (_, schema) = schemas.iter().find(|(file, _)| file == kind).unwrap();
        let document: Value = serde_saphyr::from_slice(bytes).unwrap();
        let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
        let errors: Vec<_> = validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{path}: {errors:?}");
    }
}
