//! JSON Schemas of the documents.

use crate::{check, root};

#[test]
fn schemas_are_what_the_types_say() {
    let schemas = fleet::schemas();
    assert!(schemas.len() >= 4, "{} kinds", schemas.len());
    for (name, schema) in schemas {
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
        check(&root().join("schemas").join(name), &text);
    }
}
