//! The names that objects and tags carry. Those of CAPMS and Cluster API are theirs to the byte.

/// What our annotations begin with.
macro_rules! ours {
    ($name:literal) => {
        concat!("fleet.metal-stack.io/", $name)
    };
}

/// Which slots the engine owns: `network,vip,firewall`. They are never filled here (R7).
pub const ENGINE_SLOTS: &str = ours!("engine-slots");
/// `adopted`: what the object names was there before it, and is never freed.
pub const ORIGIN: &str = ours!("origin");
pub const ADOPTED: &str = "adopted";
/// A UUID drawn once per object, before its first allocation, with which what is allocated is found again.
pub const ATTEMPT: &str = ours!("attempt");
/// Where a machine or a firewall was allocated, so that it can be freed when no other object is left.
pub const PROJECT: &str = ours!("project");
/// The Secret whose credentials it was allocated with; absent: the provider's own.
pub const CREDENTIALS: &str = ours!("credentials");
/// metal-api's allocation UUID of what providerID names.
pub const ALLOCATION: &str = ours!("allocation");
/// What the firewall's template said when the provider first saw it (R3).
pub const FIREWALL_BASELINE: &str = ours!("firewall-baseline");
/// The Secret with the cloud controller manager's credentials, or `inherit` (R12).
pub const CCM_CREDENTIALS: &str = ours!("ccm-credentials");
pub const INHERIT: &str = "inherit";
/// A person's word that a finding is known: `suspect-until:<RFC 3339 time>`. It ends by itself, so that the next restored
/// database is not believed because of the last one.
pub const ACK: &str = ours!("ack");
/// As messages show it.
pub const ACK_SUSPECT: &str = "suspect-until:<time, as 2026-01-31T12:00:00Z>";

pub const CLUSTER_FINALIZER: &str = "metal-stack.infrastructure.cluster.x-k8s.io/cluster";
pub const MACHINE_FINALIZER: &str = "metal-stack.infrastructure.cluster.x-k8s.io/machine";
pub const FIREWALL_FINALIZER: &str = "metal-stack.infrastructure.cluster.x-k8s.io/firewall-deployment";

/// On the Secrets of `credentialsRef`, while something may have to be freed with them.
pub const CREDENTIALS_FINALIZER: &str = "metal-stack.infrastructure.cluster.x-k8s.io/credentials";

/// Holds up `clusterctl move` while an allocation is under way.
pub const BLOCK_MOVE: &str = "clusterctl.cluster.x-k8s.io/block-move";
/// `clusterctl move` puts it on the objects of the source just before it deletes them: they live on elsewhere.
pub const DELETE_FOR_MOVE: &str = "clusterctl.cluster.x-k8s.io/delete-for-move";
pub const CLUSTER_NAME_LABEL: &str = "cluster.x-k8s.io/cluster-name";
pub const CONTROL_PLANE_LABEL: &str = "cluster.x-k8s.io/control-plane";
pub const PAUSED: &str = "cluster.x-k8s.io/paused";
pub const MANAGED_BY: &str = "cluster.x-k8s.io/managed-by";
pub const WATCH_FILTER_LABEL: &str = "cluster.x-k8s.io/watch-filter";

/// What our patches are written as.
pub const FIELD_MANAGER: &str = "ferrofleet-provider";
/// CAPMS's, so that never both act.
pub const LEASE: &str = "6fca141d.cluster.x-k8s.io";

/// Whether the value of [`ACK`] says that a suspicion is known, at this time.
pub(crate) fn acknowledges(value: &str, now: model::Timestamp) -> bool {
    let until = value.strip_prefix("suspect-until:").and_then(|time| time.trim().parse::<model::Timestamp>().ok());
    until.is_some_and(|until| now < until)
}

#[cfg(test)]
mod tests {
    use super::acknowledges;

    #[test]
    fn an_acknowledgement_ends_by_itself() {
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        assert!(acknowledges("suspect-until:2026-01-31T12:00:01Z", now));
        for not in ["suspect-until:2026-01-31T12:00:00Z", "suspect-until:", "suspect", "suspect-until:tomorrow", ""] {
            assert!(!acknowledges(not, now), "{not}");
        }
    }
}
