//! Clusters that change: what is rendered then is taken over what is stored.

use crate::check::findings;
use crate::documents::Document;
use crate::fragments::CHANGES;
use crate::installation::{Definition, Installation, definition};
use crate::server::server;

#[test]
fn every_change_is_taken_by_the_webhooks_and_stored_as_it_is_written() {
    let Some(client) = server() else { return };
    let installation = Installation::new();
    let (before, mut found) = installation.resolve(&definitions(|before, _| vec![before]));
    found.extend(findings(client, &before));
    let (after, missing) = installation.resolve(&definitions(|before, after| vec![before, after]));
    found.extend(missing);
    found.extend(findings(client, &changed(&before, &after)));
    assert!(found.is_empty(), "{found:#?}");
    for (name, ..) in CHANGES {
        let name = named(name);
        let of_it = |documents: &[Document]| -> Vec<String> {
            let of_it = documents.iter().filter(|document| document.place.contains(&name));
            of_it.map(|document| document.text.clone()).collect()
        };
        assert_ne!(of_it(&before), of_it(&after), "{name} changes nothing that is rendered");
    }
}

/// Both definitions of every cluster.
pub(super) fn definitions(choose: impl Fn(&'static str, &'static str) -> Vec<&'static str>) -> Vec<Definition> {
    CHANGES.iter().map(|(name, before, after)| definition(&named(name), &choose(before, after))).collect()
}

fn named(name: &str) -> String {
    format!("change-{name}")
}

/// What is not as it was, so that the rest need not be applied anew.
fn changed(before: &[Document], after: &[Document]) -> Vec<Document> {
    let is_new = |document: &&Document| before.iter().all(|b| b.text != document.text);
    after.iter().filter(is_new).cloned().collect()
}
