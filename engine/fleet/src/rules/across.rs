//! What must hold between clusters. Between two in conflict the one without a lock has the finding (I6).

use super::{BEING_DELETED, DEFINITION_REMOVED, PREFIX, SAME_RESOURCE, TOMBSTONE};
use crate::issue::Issue;
use crate::load::{Cluster, Tombstones};
use model::lock::{DeletionPhase, Values};
use model::want::OrphanLock;
use model::{ClusterId, FleetName, Reason, Severity};
use std::collections::{BTreeMap, BTreeSet};

type Orphans = BTreeMap<ClusterId, OrphanLock>;

pub(crate) fn across(clusters: &[Cluster<'_>], orphans: &Orphans, tombstones: &Tombstones, issues: &mut Vec<Issue>) {
    prefixes(clusters, orphans, issues);
    resources(clusters, orphans, tombstones, issues);
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
fn resources(clusters: &[Cluster<'_>], orphans: &Orphans, tombstones: &Tombstones, issues: &mut Vec<Issue>) {
    let mut users: BTreeMap<(&str, String), Vec<Side<'_>>> = BTreeMap::new();
    for cluster in clusters {
        // A cluster that comes back has what its own tombstone keeps.
        let kept = tombstones.get(&cluster.id).map(|(_, tombstone)| &tombstone.values);
        let side = Side { is_new: cluster.is_new() && kept.is_none(), ..Side::of(cluster) };
        let (e, values) = (&cluster.effective, cluster.lock.as_deref().map(|l| &l.values).or(kept));
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
    let defined: BTreeSet<_> = clusters.iter().map(|cluster| &cluster.id).collect();
    let buried = tombstones.iter().filter(|(id, _)| !defined.contains(id) && !orphans.contains_key(*id));
    let kept = orphans.iter().map(|(id, orphan)| (id, &orphan.lock.values));
    for (id, values) in kept.chain(buried.map(|(id, (_, tombstone))| (id, &tombstone.values))) {
        for (field, value) in named(values) {
            users.entry((field, value)).or_default().push(Side::orphan(id));
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

/// What a lock or a tombstone holds.
fn named(values: &Values) -> impl Iterator<Item = (&'static str, String)> {
    let named = [
        ("spec.vip.address", values.vip.as_ref().map(|v| v.address.to_string())),
        ("spec.network.nodes.id", values.node_network.as_ref().map(|n| n.id.to_string())),
        ("spec.firewall.machineID", values.firewall.as_ref().map(|f| f.id.to_string())),
    ];
    named.into_iter().filter_map(|(field, value)| Some((field, value?)))
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

/// Locks whose definition is gone (I9).
pub(crate) fn orphans(orphans: &Orphans, issues: &mut Vec<Issue>) {
    for (id, orphan) in orphans.iter().filter(|(_, orphan)| orphan.removed) {
        let path = &orphan.lock.source.path;
        let mut issue = match &orphan.lock.deletion {
            None => {
                let message = format!("the definition of {id} was removed: nothing is deleted by that");
                let mut issue = Issue::error(DEFINITION_REMOVED, &orphan.path, "source.path", message);
                issue.mend = format!(
                    "put {path} back; to delete the cluster, push it with spec.deletion.confirm: {}, wait until this \
                     lock has deletion.confirmedIn, and then remove it",
                    id.name()
                );
                issue.reason = Some(Reason::DefinitionRemoved);
                issue
            }
            Some(deletion) => {
                let (phase, back) = match deletion.phase {
                    DeletionPhase::Confirmed => ("its guards are lifted", "keeps everything"),
                    DeletionPhase::Removing => ("its machines are being deleted", "makes it anew with what is left"),
                    DeletionPhase::Freeing => {
                        ("its network and addresses are being freed", "makes it anew with what is left")
                    }
                };
                let message = format!("{id} is being deleted: {phase}");
                let mut issue = Issue::error(BEING_DELETED, &orphan.path, "deletion.phase", message);
                issue.severity = Severity::Warning;
                issue.mend = format!("nothing; putting {path} back {back}");
                issue.reason = Some(Reason::Deleting);
                issue
            }
        };
        issue.cluster = Some(id.clone());
        issues.push(issue);
    }
}

/// A copy of another fleet's repository frees nothing of that fleet.
pub(crate) fn tombstones(tombstones: &Tombstones, fleet: &FleetName, issues: &mut Vec<Issue>) {
    for (id, (path, tombstone)) in tombstones.iter().filter(|(_, (_, t))| t.identity.fleet != *fleet) {
        let whose = &tombstone.identity.fleet;
        let message =
            format!("the tombstone of {id} is of fleet `{whose}`, this one is `{fleet}`: nothing of it is freed");
        let mut issue = Issue::error(TOMBSTONE, path, "identity.fleet", message);
        issue.mend = "remove it, if this is a copy of the other fleet's repository".to_owned();
        issue.cluster = Some(id.clone());
        issues.push(issue);
    }
}
