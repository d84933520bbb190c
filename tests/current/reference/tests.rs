//! Shapes of schemas that are easy to misread.

use super::markdown::{anchor, cell, page as text};
use super::schema::{Field, Kind, page};
use serde_json::{Value, json};

/// The one field of a document with these definitions.
#[track_caller]
fn field(schema: &Value, definitions: &Value) -> Field {
    let page = page(&json!({"title": "T", "properties": {"f": schema}, "$defs": definitions}));
    page.sections[0].fields[0].clone()
}

#[test]
fn an_option_is_what_it_is_an_option_of() {
    let name = json!({"Name": {"type": "string", "pattern": "^a|b$", "description": "A name."}});
    let optional = json!({"anyOf": [{"$ref": "#/$defs/Name"}, {"type": "null"}]});
    let of_type = field(&optional, &name);
    assert_eq!((of_type.kind, of_type.text.as_str()), (Kind::Named("Name".to_owned(), vec![]), "A name."));
    let mut described = optional;
    described["description"] = "Own\nwords.".into();
    assert_eq!(field(&described, &name).text, "Own words.", "what a field says goes before what its type says");
    assert_eq!(field(&json!({"type": ["boolean", "null"]}), &json!({})).kind, Kind::Plain("true or false".to_owned()));
}

#[test]
fn choices_are_read_in_each_of_their_three_shapes() {
    let one_of = json!({"oneOf": [
        {"type": "string", "enum": ["a", "b"]},
        {"type": "string", "const": "c", "description": "The third."},
    ]});
    let page = page(&json!({"properties": {"f": {"$ref": "#/$defs/C"}}, "$defs": {"C": one_of}}));
    let values = ["a", "b", "c"].map(str::to_owned).to_vec();
    assert_eq!(page.sections[0].fields[0].kind, Kind::Named("C".to_owned(), values.clone()));
    let texts: Vec<_> = page.types["C"].choices.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["", "", "The third."]);
    let silent = json!({"C": {"type": "string", "enum": ["a", "b", "c"]}});
    assert_eq!(
        field(&json!({"$ref": "#/$defs/C"}), &silent).kind,
        Kind::Choice(values),
        "without words no name is needed"
    );
}

#[test]
fn lists_and_maps_of_objects_have_sections_of_their_own() {
    let page = page(&json!({
        "properties": {
            "list": {"type": "array", "items": {"properties": {"a": {"type": "integer", "minimum": 1}}}},
            "map": {"type": "object", "additionalProperties": {"properties": {"b": {"type": "string"}}}},
        },
    }));
    let paths: Vec<_> = page.sections.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(paths, ["", "list[]", "map.*"]);
    assert_eq!(page.sections[0].fields[1].kind, Kind::Map(Box::new(Kind::Object("map.*".to_owned()))));
    assert_eq!(page.sections[1].fields[0].kind, Kind::Plain("integer, 1 or more".to_owned()));
}

#[test]
fn objects_of_any_form_and_values_of_any_type_differ() {
    for schema in [json!({"type": ["object", "null"], "additionalProperties": true}), json!({"type": "object"})] {
        assert_eq!(field(&schema, &json!({})).kind, Kind::FreeForm);
    }
    for schema in [json!(true), json!({"description": "Whatever."})] {
        assert_eq!(field(&schema, &json!({})).kind, Kind::Any);
    }
}

#[test]
fn a_type_within_itself_ends() {
    let node = json!({"properties": {"left": {"$ref": "#/$defs/Node"}}});
    let page = page(&json!({"properties": {"tree": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}));
    let paths: Vec<_> = page.sections.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(paths, ["", "tree"]);
    assert_eq!(page.sections[1].fields[0].kind, Kind::Object("tree".to_owned()));
}

#[test]
fn cells_and_anchors_are_safe() {
    let schema = json!({"title": "T", "properties": {"f": {"type": "string", "enum": ["a|b"], "default": "a|b"}}});
    assert!(text(&page(&schema)).contains("| `f` | `a\\|b` | `a\\|b` |  |\n"), "{}", text(&page(&schema)));
    assert_eq!(anchor("spec.pools[].healthCheck"), "specpoolshealthcheck");
}

#[test]
fn numbers_of_rules_that_no_page_explains_are_left_out() {
    assert_eq!(cell("Taken as it is (R6, R7); at most one (I9)."), "Taken as it is; at most one (I9).");
    assert_eq!(cell("What (RFC 7386) says."), "What (RFC 7386) says.");
}
