//! Locks by the identity they hold, wherever they lie: a moved definition's lock follows it.

use super::clusters::{Cluster, Defined};
use super::documents::Documents;
use crate::find::{folder, lock_path};
use crate::issue::Issue;
use crate::rules::{INVALID_VALUE, SAME_LOCK};
use model::want::OrphanLock;
use model::{ClusterId, ClusterLock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One lock per cluster.
#[derive(Debug, Default)]
pub(super) struct Locks {
    by_id: BTreeMap<ClusterId, Locked>,
    /// Clusters whose lock is there and cannot be read: nothing may be allocated for them.
    unreadable: BTreeMap<ClusterId, String>,
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
        let by_id =
            groups.into_iter().filter_map(|(id, group)| Some((id.clone(), choose(&id, group, &beside, issues)?)));
        let by_id = by_id.collect();
        let broken = documents.broken_locks.iter();
        let unreadable = broken.filter_map(|b| Some((b.cluster.clone()?, b.path.clone()))).collect();
        Self { by_id, unreadable }
    }

    pub(super) fn get(&self, id: &ClusterId) -> Option<&Locked> {
        self.by_id.get(id)
    }

    pub(super) fn is_unreadable(&self, id: &ClusterId) -> bool {
        self.unreadable.contains_key(id)
    }

    /// Locks that no readable definition holds.
    pub(super) fn orphans(
        &self,
        documents: &Documents,
        defined: &[Defined<'_>],
        clusters: &[Cluster<'_>],
    ) -> BTreeMap<ClusterId, OrphanLock> {
        let held: BTreeSet<_> = clusters.iter().map(|c| &c.id).collect();
        let named: BTreeSet<_> = defined.iter().map(|d| &d.home.id).collect();
        let orphans = self.by_id.iter().filter(|(id, _)| !held.contains(id));
        let orphan = |(id, locked): (&ClusterId, &Locked)| {
            let may_be = documents.broken_definitions.iter().any(|b| {
                b.cluster.as_ref() == Some(id) || b.path == locked.lock.source.path || lock_path(&b.path) == locked.path
            });
            let removed = !named.contains(id) && !may_be && !documents.cut_short;
            (id.clone(), OrphanLock { path: locked.path.clone(), lock: locked.lock.clone(), removed })
        };
        orphans.map(orphan).collect()
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
) -> Option<Locked> {
    let rank = |l: &Locked| (!beside(id, &l.path), lock_path(&l.lock.source.path) != l.path);
    group.sort_by_key(rank);
    let certain = group.first().is_some_and(|l| beside(id, &l.path));
    let mut group = group.into_iter();
    let first = group.next()?;
    for other in group {
        let message = format!("a second lock of {id}; the one that counts is {}", first.path);
        let mut issue = Issue::error(SAME_LOCK, &other.path, "identity.name", message);
        issue.mend = "remove this file: locks are the engine's, a copied definition gets its own".to_owned();
        issue.cluster = (!certain).then(|| id.clone());
        issues.push(issue);
    }
    Some(first)
}
