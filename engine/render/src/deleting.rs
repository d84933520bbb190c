//! R2: what stays of a cluster's output when its definition is gone. Made from the committed files, for there is
//! nothing else it could be rendered from; the same from whatever an earlier commit left of them.

use crate::edit::COMMITTED_BYTES_MAX;
use crate::guards::lift;
use crate::kinds::{ADDONS, CONTROL_PLANE, INFRASTRUCTURE, KUSTOMIZATION, POOLS, TEMPLATES, kustomization};
use model::Tree;
use model::lock::{ClusterLock, DeletionPhase};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What an output folder may hold.
pub(crate) const NAMES: [&str; 6] = [ADDONS, CONTROL_PLANE, INFRASTRUCTURE, KUSTOMIZATION, POOLS, TEMPLATES];

/// Passive, and in a file that leaves with the Cluster: the provider reads it until the firewall is gone.
const PASSIVE: &str = "MetalStackFirewallTemplate";

/// Files by name.
pub(crate) type Files = BTreeMap<&'static str, Vec<u8>>;

/// The files of the folder in a phase, from those that are there; none where there was no output.
pub(crate) fn left(comment: &str, phase: DeletionPhase, there: &Files) -> Files {
    if there.is_empty() {
        return Files::new();
    }
    let mut files = Files::new();
    match phase {
        DeletionPhase::Confirmed => {
            for (name, bytes) in there.iter().filter(|(name, _)| **name != KUSTOMIZATION) {
                files.insert(name, lifted(comment, bytes, &[]));
            }
        }
        DeletionPhase::Removing => {
            files.extend(there.get(ADDONS).map(|bytes| (ADDONS, lifted(comment, bytes, &[]))));
            let leaving = there.get(INFRASTRUCTURE).and_then(|bytes| documents(bytes)).unwrap_or_default();
            let moved: Vec<_> = leaving.into_iter().filter(|object| object["kind"] == PASSIVE).collect();
            files.extend(there.get(TEMPLATES).map(|bytes| (TEMPLATES, lifted(comment, bytes, &moved))));
        }
        // Nothing is left of it; the kustomization of nothing has the rest pruned, and goes with the lock.
        DeletionPhase::Freeing => {}
    }
    let kustomization = kustomization(files.keys().copied());
    files.insert(KUSTOMIZATION, crate::emit::file(comment, [&kustomization]));
    files
}

/// Whether the output of a cluster that is being deleted is as its lock's phase has it; also where there is none.
pub fn is_left(lock: &ClusterLock, tree: &Tree) -> bool {
    let Some(deletion) = &lock.deletion else { return false };
    let dir = lock.identity.output_dir();
    let mut there = Files::new();
    for name in NAMES {
        let Some(entry) = tree.entry(&format!("{dir}/{name}")) else { continue };
        let Ok(bytes) = tree.read(&entry.id, COMMITTED_BYTES_MAX) else { return false };
        there.insert(name, bytes);
    }
    there.len() == tree.below(&dir).count()
        && left(&crate::render::comment(&lock.source.path), deletion.phase, &there) == there
}

/// A file with these objects behind its own and without guards. As it is where that changes nothing, and where it is no
/// YAML: then nothing can be said of it.
fn lifted(comment: &str, bytes: &[u8], further: &[Value]) -> Vec<u8> {
    let Some(before) = documents(bytes) else { return bytes.to_vec() };
    let mut objects = before.clone();
    if !further.is_empty() {
        objects.retain(|object| object["kind"] != PASSIVE);
        objects.extend_from_slice(further);
    }
    objects.iter_mut().for_each(lift);
    if objects == before { bytes.to_vec() } else { crate::emit::file(comment, &objects) }
}

/// None where it is not all YAML.
fn documents(bytes: &[u8]) -> Option<Vec<Value>> {
    serde_yaml::Deserializer::from_slice(bytes).map(|document| Value::deserialize(document).ok()).collect()
}

/// Every object of some files that Cluster API or an add-on provider reads.
pub(crate) fn objects(files: &Files) -> Vec<Value> {
    let of_cluster = files.iter().filter(|(name, _)| **name != KUSTOMIZATION);
    of_cluster.filter_map(|(_, bytes)| documents(bytes)).flatten().collect()
}
