//! `cluster.lock.yaml` as bytes.

use model::ClusterLock;

/// The lock as YAML, keys in the order of the type.
pub fn lock(lock: &ClusterLock) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "keys are strings, and no value's serializer refuses")]
    let value = serde_json::to_value(lock).expect("a lock is JSON");
    crate::emit::file("Written by Ferrofleet; changes are put right.", [&value])
}
