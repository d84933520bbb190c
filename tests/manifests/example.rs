//! The committed output of the example fleet.

use crate::check::findings;
use crate::documents::below;
use crate::server::server;
use std::path::Path;

#[test]
fn the_example_is_stored_as_it_is_written() {
    let Some(client) = server() else { return };
    let rendered = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("fleet-example/rendered");
    let documents = below(&rendered);
    assert!(documents.len() > 20, "{documents:#?}");
    let findings = findings(client, &documents);
    assert!(findings.is_empty(), "{findings:#?}");
}
