//! Custom resource definitions: from a folder to kinds that can be used.

use super::processes::until;
use super::{ApiError, Apply, Client, ObjectRef};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Longest that the API server may take until it serves a new kind.
const LIMIT: Duration = Duration::from_secs(60);

impl Client {
    /// Applies every CRD of a folder and waits until their kinds are served.
    #[track_caller]
    pub fn install_crds(&self, dir: &Path) {
        let crds: Vec<Value> = manifests(dir).into_iter().filter(|m| m["kind"] == "CustomResourceDefinition").collect();
        assert!(!crds.is_empty(), "no CRDs in {}", dir.display());
        self.apply_crds(&crds);
    }

    /// Applies CRDs and waits until their kinds are served.
    #[track_caller]
    pub fn apply_crds(&self, crds: &[Value]) {
        for crd in crds {
            let applied = self.apply(crd, Apply::by("crds").forced());
            applied.unwrap_or_else(|e| panic!("{}: {e}", ObjectRef::of(crd)));
        }
        for crd in crds {
            self.wait_until_served(crd).unwrap_or_else(|e| panic!("{}: {e}", ObjectRef::of(crd)));
        }
    }

    fn wait_until_served(&self, crd: &Value) -> Result<(), ApiError> {
        let name = ObjectRef::of(crd);
        let mut last = Ok(());
        let served = until(LIMIT, || {
            let is_established = match self.get(&name) {
                Ok(found) => found.is_some_and(|crd| is_established(&crd)),
                Err(error) => {
                    last = Err(error);
                    false
                }
            };
            let versions = crd["spec"]["versions"].as_array().into_iter().flatten().filter(|v| v["served"] == true);
            let all_are_served = || {
                versions.filter_map(|version| version["name"].as_str()).all(|version| {
                    let group = crd["spec"]["group"].as_str().unwrap_or_default();
                    let kind = crd["spec"]["names"]["kind"].as_str().unwrap_or_default();
                    self.resource(&format!("{group}/{version}"), kind).is_ok()
                })
            };
            (is_established && all_are_served()).then_some(())
        });
        match served {
            Some(()) => Ok(()),
            None => {
                last?;
                let message = format!("not served after {LIMIT:?}");
                Err(ApiError { status: 0, reason: "NotEstablished".to_owned(), message })
            }
        }
    }
}

fn is_established(crd: &Value) -> bool {
    let conditions = crd["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|c| c["type"] == "Established" && c["status"] == "True")
}

/// Every document of every YAML file of a folder, by the files' names.
#[track_caller]
pub fn manifests(dir: &Path) -> Vec<Value> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    paths.sort();
    paths.iter().flat_map(|path| documents(path)).collect()
}

/// Every document of a YAML file.
#[track_caller]
pub(super) fn documents(path: &Path) -> Vec<Value> {
    use serde::Deserialize as _;
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let documents = serde_yaml::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
    documents.filter(|document| !document.is_null()).collect()
}
