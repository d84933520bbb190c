//! `cluster.lock.yaml` and `tombstones/<namespace>.<name>.yaml` as bytes.

use model::lock::ClusterTombstone;
use model::{ClusterId, ClusterLock};
use serde::Serialize;

/// Where what deleted clusters keep for a while is recorded.
pub(crate) const TOMBSTONES: &str = "tombstones";

/// The lock as YAML, keys in the order of the type.
pub fn lock(lock: &ClusterLock) -> Vec<u8> {
    document(lock)
}

/// The tombstone as YAML, keys in the order of the type.
pub fn tombstone(tombstone: &ClusterTombstone) -> Vec<u8> {
    document(tombstone)
}

/// Where the tombstone of a cluster lies.
pub fn tombstone_path(id: &ClusterId) -> String {
    format!("{TOMBSTONES}/{id}.yaml")
}

fn document(document: &impl Serialize) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "keys are strings, and no value's serializer refuses")]
    let value = serde_json::to_value(document).expect("locks and tombstones are JSON");
    crate::emit::file("Written by Ferrofleet; changes are put right.", [&value])
}
