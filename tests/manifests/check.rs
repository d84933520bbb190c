//! Applies objects and says everything that is not as it was written.

use crate::documents::Document;
use ferrofleet_tests::peers::control_plane::{Apply, Client, ObjectRef};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const MANAGER: &str = "gitops";

/// Longest that controllers may take to leave an object alone after it was applied.
const LIMIT: Duration = Duration::from_secs(60);

/// Applies everything, reads it back, and applies it again.
pub(super) fn findings(client: &Client, documents: &[Document]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut stored = Vec::new();
    for document in documents {
        match client.apply_yaml(&document.reference(), &document.text, Apply::by(MANAGER)) {
            Ok(object) => stored.push((document, object)),
            Err(error) => findings.push(format!("{}: {} is refused: {error}", document.place, document.reference())),
        }
    }
    for (document, first) in stored {
        findings.extend(unsettled(client, document, &first));
        let now = client.get(&document.reference()).unwrap().unwrap_or_default();
        findings.extend(differences(document, &now));
    }
    findings.extend(nested_findings(client, documents));
    findings
}

/// Applies until an apply changes nothing, while controllers may still be writing to the object.
fn unsettled(client: &Client, document: &Document, first: &Value) -> Option<String> {
    let reference = document.reference();
    let end = Instant::now() + LIMIT;
    loop {
        let before = client.get(&reference).unwrap().unwrap_or_default();
        let again = match client.apply_yaml(&reference, &document.text, Apply::by(MANAGER)) {
            Ok(again) => again,
            Err(error) => return Some(format!("{}: {reference} is refused the second time: {error}", document.place)),
        };
        if again["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"] {
            let (then, now) = (managed(first), managed(&again));
            let same = then == now;
            return (!same).then(|| format!("{}: {reference}: fields owned are {then}, then {now}", document.place));
        }
        if Instant::now() > end {
            let (before, again) = (&before["spec"], &again["spec"]);
            return Some(format!(
                "{}: each apply of {reference} changes it: before {before}, after {again}",
                document.place
            ));
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Our entry of the field managers, its time included.
fn managed(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array();
    let ours = entries.into_iter().flatten().find(|e| e["manager"] == MANAGER && e["operation"] == "Apply");
    ours.cloned().unwrap_or_default()
}

/// Objects for other clusters, as far as this API server knows their kinds: nothing of them is stored.
fn nested_findings(client: &Client, documents: &[Document]) -> Vec<String> {
    let nested: Vec<Document> = documents.iter().flat_map(Document::nested).collect();
    let namespaces: BTreeSet<_> = nested.iter().filter_map(|document| document.reference().namespace).collect();
    for name in namespaces {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        if client.get(&ObjectRef::of(&namespace)).unwrap().is_none() {
            client.apply(&namespace, Apply::by("tests")).unwrap();
        }
    }
    let check = |document: &Document| {
        // Of other clusters: an object of the same name here is another one.
        let how = Apply::by(MANAGER).forced().dry_run();
        match client.apply_yaml(&document.reference(), &document.text, how) {
            Ok(stored) => differences(document, &stored),
            Err(error) => vec![format!("{}: {} is refused: {error}", document.place, document.reference())],
        }
    };
    nested.iter().flat_map(check).collect()
}

/// Differences that nobody can see, with the reason: kind, name, what is found.
const HARMLESS: [(&str, &str, &str); 2] = [
    // As in CAPMS's template. An environment variable without a value has an empty one, and the provider of
    // ClusterResourceSets compares the texts of ConfigMaps, not these objects.
    ("Deployment", "cloud-controller-manager", "/spec/template/spec/containers/0/env/8/value is \"\" and is dropped"),
    // Said for readers: false is what an absent one means, and nobody else writes the object.
    ("DaemonSet", "speaker", "/spec/template/spec/hostNetwork is false and is dropped"),
];

/// Every field that was written and is not there, or not so.
fn differences(document: &Document, stored: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(&document.value, stored, "", &mut found);
    let object = document.reference();
    found.retain(|what| !HARMLESS.contains(&(object.kind.as_str(), object.name.as_str(), what.as_str())));
    found.iter().map(|what| format!("{}: {}: {what}", document.place, document.reference())).collect()
}

fn compare(written: &Value, stored: &Value, path: &str, found: &mut Vec<String>) {
    match (written, stored) {
        (Value::Object(written), Value::Object(stored)) => {
            for (key, value) in written {
                let path = format!("{path}/{key}");
                match stored.get(key) {
                    Some(stored) => compare(value, stored, &path, found),
                    None => found.push(format!("{path} is {value} and is dropped")),
                }
            }
        }
        (Value::Array(written), Value::Array(stored)) if written.len() == stored.len() => {
            for (at, (written, stored)) in written.iter().zip(stored).enumerate() {
                compare(written, stored, &format!("{path}/{at}"), found);
            }
        }
        _ if written == stored => {}
        _ => found.push(format!("{path} is {written} and becomes {stored}")),
    }
}

#[test]
fn a_difference_is_a_field_that_is_dropped_or_changed() {
    let written = json!({"a": {"b": 1, "c": [1, {"d": "250m"}]}, "e": null, "f": {}});
    let found = |stored: &Value| {
        let mut found = Vec::new();
        compare(&written, stored, "", &mut found);
        found
    };
    let with_defaults = json!({"a": {"b": 1, "c": [1, {"d": "250m", "x": 1}], "y": 2}, "e": null, "f": {"z": 3}});
    assert_eq!(found(&with_defaults), Vec::<String>::new());
    let changed = json!({"a": {"b": "1", "c": [1, {"d": "0.25"}, 2]}, "e": null});
    assert_eq!(
        found(&changed),
        [
            "/a/b is 1 and becomes \"1\"",
            "/a/c is [1,{\"d\":\"250m\"}] and becomes [1,{\"d\":\"0.25\"},2]",
            "/f is {} and is dropped",
        ]
    );
}
