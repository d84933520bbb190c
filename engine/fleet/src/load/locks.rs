//! Locks by the identity they hold, wherever they lie: a moved definition's lock follows it.

use super::clusters::{Cluster, Defined};
use super::documents::Documents;
use super::presence::{Fate, Presence};
use crate::find::{folder, lock_path};
use crate::issue::Issue;
use crate::rules::{BEING_DELETED, IDENTITY_CHANGED, INVALID_VALUE, SAME_LOCK};
use model::want::{OrphanLock, Unresolved};
use model::{ClusterId, ClusterLock, Reason, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One lock per cluster.
#[derive(Debug, Default)]
pub(super) struct Locks {
    by_id: BTreeMap<ClusterId, Locked>,
    /// Clusters whose lock is there and cannot be read: nothing may be allocated for them.
    unreadable: BTreeSet<ClusterId>,
    /// Clusters with several locks, none of which lies beside a definition.
    doubtful: BTreeSet<ClusterId>,
}

#[derive(Clone, Debug)]
pub(super) struct Locked {
    pub(super) path: String,
    pub(super) lock: Arc<ClusterLock>,
}

impl Locks {
    pub(super) fn of(documents: &Documents, defined: &[Defined<'_>], issues: &mut Vec<Issue>) -> Self {
        let mut groups: BTreeMap<ClusterId, Vec<Locked>> = BTreeMap::new();
        for (path, lock) in &documents.locks {
            match lock.cluster() {
                Some(id) => groups.entry(id).or_default().push(Locked { path: path.clone(), lock: lock.clone() }),
                None => {
                    let message = "namespace and name are too long together";
                    issues.push(Issue::error(INVALID_VALUE, path, "identity.name", message));
                }
            }
        }
        let places: BTreeSet<_> = defined.iter().map(|d| (&d.home.id, folder(d.path))).collect();
        let beside = |id: &ClusterId, path: &str| places.contains(&(id, folder(path)));
        let mut locks = Self::default();
        for (id, group) in groups {
            let Chosen { lock, is_certain } = choose(&id, group, &beside, issues);
            if !is_certain {
                locks.doubtful.insert(id.clone());
            }
            locks.by_id.extend(lock.map(|lock| (id, lock)));
        }
        locks.unreadable = documents.broken_locks.iter().chain(&documents.broken_tombstones).cloned().collect();
        locks
    }

    pub(super) fn get(&self, id: &ClusterId) -> Option<&Locked> {
        self.by_id.get(id)
    }

    pub(super) fn is_unreadable(&self, id: &ClusterId) -> bool {
        self.unreadable.contains(id)
    }

    /// Locks that no resolved cluster holds. Of a definition that has, or may have, another id now, both are told.
    pub(super) fn orphans(
        &self,
        documents: &Documents,
        defined: &[Defined<'_>],
        clusters: &[Cluster<'_>],
        issues: &mut Vec<Issue>,
    ) -> BTreeMap<ClusterId, OrphanLock> {
        let held: BTreeSet<_> = clusters.iter().map(|c| &c.id).collect();
        let left: Vec<_> = self.by_id.iter().filter(|(id, _)| !held.contains(id)).collect();
        if left.is_empty() {
            return BTreeMap::new();
        }
        let presence = Presence::of(documents, defined, &self.by_id);
        let mut orphans = BTreeMap::new();
        for (id, locked) in left {
            let is_certain = !self.doubtful.contains(id) && !self.unreadable.contains(id);
            let fate = presence.fate(id, locked, is_certain);
            match &fate {
                Fate::Renamed(defined) => issues.push(renamed(id, locked, defined)),
                Fate::InDoubt(why) if locked.lock.deletion.is_some() => issues.push(waits(id, locked, why)),
                Fate::InDoubt(_) | Fate::Unresolved | Fate::Removed => {}
            }
            let removed = matches!(fate, Fate::Removed);
            let orphan = OrphanLock { path: locked.path.clone(), lock: locked.lock.clone(), removed };
            orphans.insert(id.clone(), orphan);
        }
        orphans
    }

    /// What may define a cluster beside the resolved ones.
    pub(super) fn unresolved(
        &self,
        documents: &Documents,
        defined: &[Defined<'_>],
        clusters: &[Cluster<'_>],
    ) -> Unresolved {
        let resolved = clusters.iter().map(|c| &c.id).collect();
        Presence::of(documents, defined, &self.by_id).unresolved(defined, &resolved)
    }

    /// Without a fleet nothing is concluded: no definition counts as removed.
    pub(super) fn all_orphans(self) -> BTreeMap<ClusterId, OrphanLock> {
        let orphan = |locked: Locked| OrphanLock { path: locked.path, lock: locked.lock, removed: false };
        self.by_id.into_iter().map(|(id, locked)| (id, orphan(locked))).collect()
    }
}

/// The lock beside its definition, else the one where its definition was, else the first; the others are findings. A
/// copy of a lock elsewhere (somebody copied a folder) does not stop a cluster whose own lock lies where it belongs.
fn choose(
    id: &ClusterId,
    mut group: Vec<Locked>,
    beside: &dyn Fn(&ClusterId, &str) -> bool,
    issues: &mut Vec<Issue>,
) -> Chosen {
    let rank = |l: &Locked| (!beside(id, &l.path), lock_path(&l.lock.source.path) != l.path);
    group.sort_by_key(rank);
    let is_beside = group.first().is_some_and(|l| beside(id, &l.path));
    let mut group = group.into_iter();
    let Some(first) = group.next() else { return Chosen { lock: None, is_certain: true } };
    let is_certain = is_beside || group.len() == 0;
    for other in group {
        let message = format!("a second lock of {id}; the one that counts is {}", first.path);
        let mut issue = Issue::error(SAME_LOCK, &other.path, "identity.name", message);
        issue.mend = "remove this file: locks are the engine's, a copied definition gets its own".to_owned();
        issue.cluster = (!is_beside).then(|| id.clone());
        issues.push(issue);
    }
    Chosen { lock: Some(first), is_certain }
}

/// One lock of several.
struct Chosen {
    lock: Option<Locked>,
    /// It is the only one, or lies beside the definition.
    is_certain: bool,
}

fn waits(id: &ClusterId, locked: &Locked, why: &str) -> Issue {
    let message = format!("the deletion of {id} waits, because it is not certain that its definition is gone: {why}");
    let mut issue = Issue::error(BEING_DELETED, &locked.path, "deletion.phase", message);
    issue.severity = Severity::Warning;
    issue.mend = "mend or remove that; or put the definition back".to_owned();
    issue.cluster = Some(id.clone());
    issue.reason = Some(Reason::Deleting);
    issue
}

/// R9: another name or namespace is another cluster, and a file that was moved may get one by its new stage.
fn renamed(id: &ClusterId, locked: &Locked, defined: &Defined<'_>) -> Issue {
    let Defined { path, definition, home, loses: _ } = defined;
    let is_namespace = home.id.name() == id.name();
    let field = match (is_namespace, &definition.spec.target.namespace) {
        (true, Some(_)) => "spec.target.namespace",
        (true, None) if definition.spec.stage.is_some() => "spec.stage",
        (true | false, _) => "metadata.name",
    };
    let mut message = format!("name and namespace of a resolved cluster cannot change from {id} to {}", home.id);
    if is_namespace && definition.spec.target.namespace.is_none() {
        message += &match &home.stage.namespace {
            Some(namespace) => format!(": stage `{}` implies namespace `{namespace}`", home.stage.name),
            None => format!(": stage `{}` has no namespace of its own", home.stage.name),
        };
    }
    let mut issue = Issue::error(IDENTITY_CHANGED, path, field, message);
    issue.mend = if is_namespace && folder(path) != folder(&locked.path) {
        let (was, namespace) = (&locked.lock.source.path, id.namespace());
        format!("set spec.target.namespace to `{namespace}`; or, where this is another cluster, put {was} back")
    } else {
        "set them back; define the other cluster in a folder of its own".to_owned()
    };
    issue.cluster = Some(home.id.clone());
    issue.reason = Some(Reason::Immutable);
    issue
}
