//! What stops a cluster: its own errors, those of its policy, its overlays and of the fleet, a pause, a flavor that is not built.

use super::clusters::Cluster;
use crate::issue::Issue;
use crate::rules::IN_USE;
use model::want::Blocked;
use model::{ClusterId, Reason, Severity};
use std::collections::BTreeMap;

pub(super) struct Blocks {
    clusters: BTreeMap<ClusterId, Blocked>,
    /// Errors of a file that other files depend on.
    files: BTreeMap<String, Blocked>,
}

impl Blocks {
    pub(super) fn of(issues: &[Issue]) -> Self {
        let mut blocks = Self { clusters: BTreeMap::new(), files: BTreeMap::new() };
        for issue in issues.iter().filter(|i| i.severity == Severity::Error && i.rule != IN_USE) {
            let reason = issue.reason.unwrap_or(Reason::InvalidDefinition);
            let blocked = || Blocked { reason, message: issue.message.clone() };
            match &issue.cluster {
                Some(id) => {
                    blocks.clusters.entry(id.clone()).or_insert_with(blocked);
                }
                None => {
                    let message = format!("{}: {}", issue.file, issue.message);
                    blocks.files.entry(issue.file.clone()).or_insert(Blocked { message, ..blocked() });
                }
            }
        }
        blocks
    }

    pub(super) fn of_cluster(&self, cluster: &Cluster<'_>, fleet_paused: bool) -> Option<Blocked> {
        let of = |reason, message: &str| Some(Blocked { reason, message: message.to_owned() });
        if cluster.is_not_yet {
            return of(Reason::FlavorNotYet, "this flavor is not built yet");
        }
        if cluster.lock_is_unreadable {
            return of(Reason::InvalidDefinition, "the lock or the tombstone of this cluster cannot be read");
        }
        if let Some(path) = cluster.broken_overlay {
            let message = format!("{path}, which is or may be for this cluster, cannot be read");
            return of(Reason::InvalidDefinition, &message);
        }
        let own = self.clusters.get(&cluster.id);
        let blocked = own.or_else(|| self.files.get("fleet.yaml")).or_else(|| self.files.get(cluster.policy_path));
        let blocked = blocked.or_else(|| cluster.overlays.iter().find_map(|path| self.files.get(*path)));
        if let Some(blocked) = blocked {
            return Some(blocked.clone());
        }
        if fleet_paused {
            return of(Reason::Paused, "the fleet is paused");
        }
        cluster.effective.paused.then(|| of(Reason::Paused, "spec.paused is true")).flatten()
    }
}
