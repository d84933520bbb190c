//! Which cluster needs which: a metal-api that runs on a cluster it manages cannot help that cluster any more.

use crate::issue::Issue;
use crate::load::Cluster;
use crate::rules::MANAGEMENT_CYCLE;
use model::Fleet;
use std::collections::{BTreeMap, BTreeSet};

/// A cluster needs the hosts of its management cluster's metal-api, and what these need.
pub(crate) fn cycles(fleet: &Fleet, clusters: &[Cluster<'_>], issues: &mut Vec<Issue>) {
    if fleet.spec.management_clusters.iter().all(|m| m.hosts.is_empty()) {
        return;
    }
    let mut managed_by: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for cluster in clusters {
        managed_by.entry(cluster.id.name().as_str()).or_default().insert(cluster.identity.management_cluster.as_str());
    }
    for cluster in clusters {
        let Some(chain) = chain(fleet, &managed_by, cluster) else { continue };
        let message = format!("{} would be managed through itself: {}", cluster.id, chain.join(" → "));
        let mut issue = Issue::error(MANAGEMENT_CYCLE, cluster.path, "spec.target.managementCluster", message);
        issue.mend = "manage it by a cluster that does not need it, for example one of role bootstrap".to_owned();
        issue.cluster = Some(cluster.id.clone());
        issues.push(issue);
    }
}

/// The way from a cluster back to itself, where there is one.
fn chain(fleet: &Fleet, managed_by: &BTreeMap<&str, BTreeSet<&str>>, cluster: &Cluster<'_>) -> Option<Vec<String>> {
    let start = cluster.id.name().as_str();
    let mut seen = BTreeSet::new();
    let mut open: Vec<(&str, Vec<String>)> =
        vec![(cluster.identity.management_cluster.as_str(), vec![start.to_owned()])];
    while let Some((management, way)) = open.pop() {
        if !seen.insert(management) {
            continue;
        }
        for host in fleet.management_cluster(management).into_iter().flat_map(|m| &m.hosts) {
            let mut way = way.clone();
            way.extend([format!("management cluster {management}"), host.to_string()]);
            if host.as_str() == start {
                return Some(way);
            }
            let next = managed_by.get(host.as_str()).into_iter().flatten();
            open.extend(next.map(|management| (*management, way.clone())));
        }
    }
    None
}
