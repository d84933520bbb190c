#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "test code")]

mod capms;
mod contract;
mod current;
mod narrowed;
mod round_trip;
mod sample;

use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder of the data that is shared by all who work here, or `None` where the test is skipped.
fn shared(folder: &str) -> Option<PathBuf> {
    let data = std::env::var_os("FERROFLEET_SHARED_DATA").map_or_else(|| "/work/shared/data".into(), PathBuf::from);
    let folder = data.join(folder);
    if !folder.is_dir() {
        eprintln!("skipped: no {} (FERROFLEET_SHARED_DATA)", folder.display());
        return None;
    }
    Some(folder)
}

/// Every YAML file below a folder.
fn yaml_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn documents(text: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|document| !document.is_null())
        .collect()
}

/// CAPMS's kinds, or `None` where the test is skipped.
fn capms() -> Option<Vec<Value>> {
    let files = yaml_files(&shared("crds/capms")?);
    let crds: Vec<Value> = files.iter().flat_map(|f| documents(&std::fs::read_to_string(f).unwrap())).collect();
    assert_eq!(crds.len(), 5, "CAPMS has five kinds");
    Some(crds)
}

fn ours() -> Vec<Value> {
    crate::crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect()
}

fn our(kind: &str) -> Value {
    ours().into_iter().find(|crd| crd["spec"]["names"]["kind"] == kind).unwrap_or_else(|| panic!("no kind {kind}"))
}

fn schema_of(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}
