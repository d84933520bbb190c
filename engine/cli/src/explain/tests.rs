use super::*;
use serde_json::json;

fn document() -> Document {
    Document {
        kind: "ClusterDefinition".to_owned(),
        schema: json!({
            "type": "object",
            "description": "A cluster.",
            "properties": {"spec": {"$ref": "#/$defs/Spec"}},
            "required": ["spec"],
            "$defs": {
                "Spec": {
                    "type": "object",
                    "properties": {
                        "pools": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Pool"}, "description": "At least one."},
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}, "default": {}},
                        "flavor": {"anyOf": [{"$ref": "#/$defs/Flavor"}, {"type": "null"}]},
                        "nodes": {"type": ["integer", "null"], "default": 3, "minimum": 0, "maximum": 9},
                    },
                    "required": ["pools"],
                },
                "Pool": {
                    "type": "object",
                    "description": "Worker machines.",
                    "properties": {"name": {"$ref": "#/$defs/Label", "description": "Its name."}, "spec": {"$ref": "#/$defs/Spec"}},
                    "required": ["name"],
                },
                "Label": {"type": "string", "description": "Small letters. No digits.", "pattern": "^[a-z]+$", "minLength": 1, "maxLength": 63, "examples": ["general"]},
                "Flavor": {"oneOf": [{"type": "string", "const": "auto", "description": "By version."}, {"type": "string", "enum": ["calico", "none"]}]},
            },
        }),
    }
}

#[track_caller]
fn field(path: &str) -> Field {
    document().explain(&path.split('.').collect::<Vec<_>>(), false).unwrap().field
}

#[test]
fn references_lists_and_options_are_seen_through() {
    let name = field("spec.pools.name");
    assert_eq!((name.type_name.as_str(), name.required), ("string", true));
    assert_eq!(name.description, ["Its name.", "Small letters. No digits."]);
    assert_eq!(name.limits, ["at most 63 characters"]);
    assert_eq!(name.pattern.as_deref(), Some("^[a-z]+$"));
    assert_eq!(name.examples, [json!("general")]);
    assert_eq!(field("spec.pools[0].name"), name);

    let pools = field("spec.pools");
    assert_eq!(pools.type_name, "[]object");
    assert_eq!(pools.description, ["At least one.", "Worker machines."]);
    assert_eq!(pools.limits, ["at least 1 items"]);
    assert_eq!(pools.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["name", "spec"]);

    let flavor = field("spec.flavor");
    let values: Vec<_> = flavor.allowed.iter().map(|a| (a.value.as_str().unwrap(), a.description.as_deref())).collect();
    assert_eq!(values, [("auto", Some("By version.")), ("calico", None), ("none", None)]);
    assert_eq!(flavor.type_name, "string");

    let nodes = field("spec.nodes");
    assert_eq!((nodes.type_name.as_str(), nodes.default), ("integer", Some(json!(3))));
    assert_eq!(field("spec.labels").type_name, "map[string]string");
    assert_eq!(field("spec.labels.anything").type_name, "string");
}

#[test]
fn what_is_not_there_says_what_is() {
    let unknown = |path: &str| document().explain(&path.split('.').collect::<Vec<_>>(), false).unwrap_err();
    let expected = Unknown {
        above: "spec.pools".to_owned(),
        part: "size".to_owned(),
        known: vec!["name".to_owned(), "spec".to_owned()],
    };
    assert_eq!(unknown("spec.pools.size"), expected);
    assert!(unknown("spec.nodes.count").known.is_empty());
}

/// A schema may name itself; the tree ends all the same.
#[test]
fn a_tree_ends() {
    let all = document().explain(&["spec"], true).unwrap();
    let depth = |mut field: &Field| {
        let mut depth = 0;
        while let Some(below) = field.fields.iter().find(|f| matches!(f.name.as_str(), "pools" | "spec")) {
            (field, depth) = (below, depth + 1);
        }
        depth
    };
    assert_eq!(depth(&all.field), DEPTH_MAX);
}

#[test]
fn kinds_have_short_names() {
    let definition = document();
    for name in ["cluster", "ClusterDefinition", "clusterdefinition", "definition", "CLUSTER"] {
        assert!(definition.is_named(name), "{name}");
    }
    assert!(!definition.is_named("fleet") && !definition.is_named(""));
}

/// Every field of every published schema can be explained by the path that the tree gives it.
#[test]
fn every_field_of_the_schemas_has_its_explanation() {
    fn walk(document: &Document, path: &[&str], field: &Field) -> usize {
        let mut seen = 0;
        for below in &field.fields {
            let path = [path, &[below.name.as_str()]].concat();
            let explained = document.explain(&path, false).unwrap();
            assert_eq!(explained.field.type_name, below.type_name, "{path:?}");
            assert_ne!(explained.field.type_name, "any or any", "{path:?}");
            seen += 1 + walk(document, &path, below);
        }
        seen
    }
    for document in Document::all() {
        let all = document.explain(&[], true).unwrap();
        assert!(walk(&document, &[], &all.field) > 10, "{}", document.kind());
    }
}
