//! What must hold between clusters. Between two in conflict the one without a lock has the finding (I6).

use super::{DEFINITION_REMOVED, IDENTITY_CHANGED, PREFIX, SAME_RESOURCE};
use crate::find::lock_path;
use crate::issue::Issue;
use crate::load::Cluster;
use model::want::OrphanLock;
use model::{ClusterId, Reason, Severity};
use std::collections::BTreeMap;

type Orphans = BTreeMap<ClusterId, OrphanLock>;

pub(crate) fn across(clusters: &[Cluster<'_>], orphans: &Orphans, issues: &mut Vec<Issue>) {
    prefixes(clusters, orphans, issues);
    resources(clusters, orphans, issues);
}

/// One side of a conflict.
#[derive(Clone, Copy)]
struct Side<'a> {
    id: &'a ClusterId,
    is_new: bool,
    /// Nothing can be said to a lock without a definition.
    cluster: Option<&'a Cluster<'a>>,
}

impl<'a> Side<'a> {
    fn of(cluster: &'a Cluster<'a>) -> Self {
        Self { id: &cluster.id, is_new: cluster.is_new(), cluster: Some(cluster) }
    }

    fn orphan(id: &'a ClusterId) -> Self {
        Self { id, is_new: false, cluster: None }
    }
}

fn sides<'a>(clusters: &'a [Cluster<'a>], orphans: &'a Orphans) -> impl Iterator<Item = Side<'a>> {
    clusters.iter().map(Side::of).chain(orphans.keys().map(Side::orphan))
}

/// R14: freeing the addresses of `a.c1` by prefix would free those of `a.c10`.
fn prefixes(clusters: &[Cluster<'_>], orphans: &Orphans, issues: &mut Vec<Issue>) {
    let mut all: Vec<(String, Side<'_>)> = sides(clusters, orphans).map(|side| (side.id.to_string(), side)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    for (index, (short, one)) in all.iter().enumerate() {
        // What begins with an id follows it.
        for (long, other) in all[index + 1..].iter().take_while(|(long, _)| long.starts_with(short)) {
            let message =
                format!("`{short}` is the beginning of `{long}`: their addresses could be mistaken for each other's");
            conflict(
                PREFIX,
                "metadata.name",
                &message,
                "choose a name that does not begin with another one",
                [*one, *other],
                issues,
            );
        }
    }
}

/// I1: what two definitions name.
fn resources(clusters: &[Cluster<'_>], orphans: &Orphans, issues: &mut Vec<Issue>) {
    let mut users: BTreeMap<(&str, String), Vec<Side<'_>>> = BTreeMap::new();
    for cluster in clusters {
        let side = Side::of(cluster);
        let (e, values) = (&cluster.effective, cluster.lock.as_deref().map(|l| &l.values));
        let locked_vip = values.and_then(|v| v.vip.as_ref()).map(|v| v.address);
        let locked_network = values.and_then(|v| v.node_network.as_ref()).map(|n| n.id.to_string());
        let locked_firewall = values.and_then(|v| v.firewall.as_ref()).map(|f| f.id.to_string());
        let named = [
            ("spec.vip.address", e.vip.address.or(locked_vip).map(|a| a.to_string())),
            ("spec.network.nodes.id", e.nodes.id.as_ref().map(ToString::to_string).or(locked_network)),
            ("spec.firewall.machineID", e.firewall.machine.as_ref().map(ToString::to_string).or(locked_firewall)),
        ];
        for (field, value) in named.into_iter().filter_map(|(field, value)| Some((field, value?))) {
            users.entry((field, value)).or_default().push(side);
        }
    }
    for (id, orphan) in orphans {
        let side = Side::orphan(id);
        let values = &orphan.lock.values;
        let named = [
            ("spec.vip.address", values.vip.as_ref().map(|v| v.address.to_string())),
            ("spec.network.nodes.id", values.node_network.as_ref().map(|n| n.id.to_string())),
            ("spec.firewall.machineID", values.firewall.as_ref().map(|f| f.id.to_string())),
        ];
        for (field, value) in named.into_iter().filter_map(|(field, value)| Some((field, value?))) {
            users.entry((field, value)).or_default().push(side);
        }
    }
    for ((field, value), sides) in users {
        for (index, one) in sides.iter().enumerate() {
            for other in &sides[index + 1..] {
                let message = format!("`{value}` is used by {} and {}", one.id, other.id);
                conflict(
                    SAME_RESOURCE,
                    field,
                    &message,
                    "a cluster has its own: name another one",
                    [*one, *other],
                    issues,
                );
            }
        }
    }
}

/// Two with locks live with it: a warning.
fn conflict(
    rule: &'static super::Rule,
    field: &str,
    message: &str,
    mend: &str,
    sides: [Side<'_>; 2],
    issues: &mut Vec<Issue>,
) {
    let none_is_new = sides.iter().all(|side| !side.is_new);
    let heard = sides.into_iter().filter(|side| side.is_new || none_is_new);
    for cluster in heard.filter_map(|side| side.cluster) {
        let mut issue = cluster.error(rule, field, message);
        issue.mend = mend.to_owned();
        if none_is_new {
            issue.severity = Severity::Warning;
        }
        issues.push(issue);
    }
}

/// Locks whose definition is gone: removed, or renamed where it stands (R9, I9).
pub(crate) fn orphans(clusters: &[Cluster<'_>], orphans: &Orphans, issues: &mut Vec<Issue>) {
    for (id, orphan) in orphans.iter().filter(|(_, orphan)| orphan.removed) {
        let is_here =
            |c: &&Cluster<'_>| c.is_new() && (c.path == orphan.lock.source.path || lock_path(c.path) == orphan.path);
        let issue = match clusters.iter().find(is_here) {
            Some(renamed) => {
                let message =
                    format!("name and namespace of a resolved cluster cannot change from {id} to {}", renamed.id);
                let mut issue = Issue::error(IDENTITY_CHANGED, renamed.path, "metadata.name", message);
                issue.mend = "set them back; define the other cluster in a folder of its own".to_owned();
                issue.cluster = Some(renamed.id.clone());
                issue
            }
            None => {
                let message = format!("the definition of {id} was removed: nothing is deleted by that");
                let mut issue = Issue::error(DEFINITION_REMOVED, &orphan.path, "source.path", message);
                issue.mend = format!("put {} back; deleting clusters is not built yet", orphan.lock.source.path);
                issue.cluster = Some(id.clone());
                issue.reason = Some(Reason::DefinitionRemoved);
                issue
            }
        };
        issues.push(issue);
    }
}
