//! Kustomizations are resolved by hand, and by kustomize where it is built: both give the same.

use super::{documents, folder};
use ferrofleet_tests::peers::{Peer, binary, need};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const CLUSTER_WIDE: [&str; 3] = ["Namespace", "ClusterRole", "ClusterRoleBinding"];

/// The objects of a kustomization: of resources and components, in its namespace where they have none.
pub(super) fn build(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("kustomization.yaml")).unwrap();
    let kustomization = documents(&text).remove(0);
    let mut objects = Vec::new();
    for (key, value) in kustomization.as_object().unwrap() {
        match key.as_str() {
            "resources" | "components" => {
                for entry in value.as_array().unwrap() {
                    let path = dir.join(entry.as_str().unwrap());
                    if path.is_dir() {
                        objects.extend(build(&path));
                    } else {
                        assert!(path.starts_with(dir) && !entry.as_str().unwrap().contains(".."), "{entry}");
                        objects.extend(documents(&std::fs::read_to_string(path).unwrap()));
                    }
                }
            }
            "apiVersion" | "kind" | "namespace" => {}
            other => panic!("{other} is not resolved here"),
        }
    }
    if let Some(namespace) = kustomization.get("namespace") {
        for object in &mut objects {
            if !CLUSTER_WIDE.contains(&object["kind"].as_str().unwrap()) {
                let metadata = object["metadata"].as_object_mut().unwrap();
                metadata.entry("namespace").or_insert_with(|| namespace.clone());
            }
        }
    }
    objects
}

/// `deploy/provider` and `deploy/engine` with all components, and the folder that has them.
pub(super) fn with_components() -> (tempfile::TempDir, Vec<PathBuf>) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().canonicalize().unwrap();
    let up = "../".repeat(dir.components().count());
    let deploy = folder().canonicalize().unwrap();
    let deploy = format!("{up}{}", deploy.strip_prefix("/").unwrap().display());
    let overlay = |(part, namespace): (&str, &str)| {
        let overlay = dir.join(part);
        std::fs::create_dir(&overlay).unwrap();
        let kustomization = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": namespace,
            "resources": [format!("{deploy}/{part}")],
            "components": [format!("{deploy}/components/monitoring"), format!("{deploy}/components/network-policy")],
        });
        std::fs::write(overlay.join("kustomization.yaml"), kustomization.to_string()).unwrap();
        overlay
    };
    let overlays = [("provider", "capms-system"), ("engine", "ferrofleet-system")].map(overlay).to_vec();
    (temporary, overlays)
}

fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let name = |object: &Value| {
        let metadata = &object["metadata"];
        format!("{} {} {}", object["kind"], metadata["namespace"], metadata["name"])
    };
    let count = objects.len();
    let named: BTreeMap<_, _> = objects.into_iter().map(|object| (name(&object), object)).collect();
    assert_eq!(named.len(), count, "no object twice");
    named
}

#[test]
fn each_part_alone_and_both_together_are_the_same_objects() {
    let [base, provider, engine] = ["base", "provider", "engine"].map(|dir| by_name(build(&folder().join(dir))));
    assert_eq!((provider.len(), engine.len()), (7, 3));
    let together: BTreeMap<_, _> = provider.into_iter().chain(engine).collect();
    assert_eq!(base, together);
    // No kinds: to remove an installation never removes them, and with them every cluster.
    assert!(base.values().all(|object| object["kind"] != "CustomResourceDefinition"));
}

#[test]
fn components_can_be_added_to_either_part() {
    let (_temporary, overlays) = with_components();
    let objects: Vec<_> = overlays.iter().flat_map(|overlay| build(overlay)).collect();
    let named = by_name(objects);
    assert_eq!(named.len(), 10 + 2 * 3);
    for namespace in ["capms-system", "ferrofleet-system"] {
        assert!(named.contains_key(&format!("\"PodMonitor\" \"{namespace}\" \"ferrofleet\"")), "{namespace}");
    }
}

#[test]
fn kustomize_builds_the_same() {
    let Some(kustomize) = need(binary(Peer::Kustomize)) else { return };
    let (_temporary, overlays) = with_components();
    let dirs = ["base", "provider", "engine"].map(|dir| folder().join(dir)).into_iter().chain(overlays);
    for dir in dirs {
        let built = Command::new(&kustomize).arg("build").arg(&dir).output().unwrap();
        assert!(built.status.success(), "{}: {}", dir.display(), String::from_utf8_lossy(&built.stderr));
        let built = documents(&String::from_utf8(built.stdout).unwrap());
        assert_eq!(by_name(built), by_name(build(&dir)), "{}", dir.display());
    }
}
