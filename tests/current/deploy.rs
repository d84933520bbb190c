//! `deploy/`: its generated files are current, and what it installs is taken by those who have to take it.

mod container;
mod envsubst;
mod kustomize;
mod server;
mod templates;

use crate::{is_update, root};
use serde::Deserialize as _;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    root().join("deploy")
}

fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

fn check(path: &Path, expected: &str) {
    if is_update() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    crate::check(path, expected);
}

/// Every file below a folder, by its path below `deploy/`.
fn files(below: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.strip_prefix(folder()).unwrap().display().to_string());
        }
    }
    found.sort();
    found
}

#[test]
fn what_is_generated_is_current_and_nothing_else_is_there() {
    let mut known = vec!["Containerfile".to_owned(), "clusterctl/example_variables.rc".to_owned()];
    for (path, text) in provider::components::files().into_iter().chain(templates::files()) {
        check(&folder().join(&path), &text);
        known.push(path);
    }
    known.extend(provider::files().into_iter().map(|(name, _)| format!("crds/{name}")));
    known.sort();
    assert_eq!(files(&folder()), known);
}
