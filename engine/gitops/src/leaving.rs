//! What leaves Git: whether a definition's last words confirm that its cluster is deleted (I9), whether the output is as
//! a deletion's phase has it (R2), whether a pool that was removed had no machines for long enough.

use crate::history::{History, LastWords};
use crate::told::{Lies, listed_since, output_since};
use crate::view::{Memos, View};
use git::Repo;
use model::ids::Label;
use model::lock::{Deletion, DeletionPhase};
use model::want::{Blocked, OrphanLock, Wanted};
use model::{ClusterId, Finding, Place as At, Reason, Timestamp};
use std::sync::Arc;

impl View {
    /// I9: a confirmation that was taken back before the definition was removed counts as taken back, also where no
    /// engine looked in between.
    pub(crate) fn hear_last_words(
        &mut self,
        repo: &Repo,
        history: &mut History,
        memos: &mut Memos<'_>,
        now: Timestamp,
    ) -> Result<(), git::Error> {
        for (id, orphan) in self.want.orphan_locks.iter_mut().filter(|(_, orphan)| orphan.removed) {
            let Some(phase) = orphan.lock.deletion.as_ref().map(|deletion| deletion.phase) else { continue };
            let Some(why) = refused(history.last_words(repo, memos.load, self.tip, id, now)?, phase) else { continue };
            Arc::make_mut(&mut orphan.lock).deletion = None;
            // It is not being deleted, as the load said of the lock.
            self.findings.retain(|finding| finding.cluster.as_ref() != Some(id) || finding.rule != "being-deleted");
            let message = format!("the definition of {id} was removed, and {why}: nothing is deleted");
            self.findings.push(
                Finding::error("definition-removed", At::file(&orphan.path), message)
                    .mend("put the definition back; to delete the cluster, set deletion.confirm before it is removed")
                    .cluster(id),
            );
        }
        Ok(())
    }

    /// What deletions wait for that a plan does not see.
    pub(crate) fn see_deletions(&mut self) {
        let mut obstructed = Vec::new();
        for (id, orphan) in self.want.orphan_locks.iter().filter(|(_, orphan)| orphan.removed) {
            let Some(deletion) = &orphan.lock.deletion else { continue };
            if let Some(path) = self.in_the_way(id, orphan, deletion) {
                let message = format!("`{path}` lies where the engine must write what is left of {id}");
                self.waits.insert(id.clone(), format!("{message}; move it away"));
                obstructed.push(
                    Finding::error("being-deleted", At::file(&path), message)
                        .mend("move it away: the deletion waits")
                        .cluster(id),
                );
            } else if let Some(words) = self.not_yet(orphan, deletion.phase) {
                self.waits.insert(id.clone(), words);
            }
        }
        self.findings.extend(obstructed);
    }

    fn in_the_way(&self, id: &ClusterId, orphan: &OrphanLock, deletion: &Deletion) -> Option<String> {
        let trees = (&self.corrected, &self.tree);
        let output = render::in_the_way(trees, &orphan.lock.identity.output_dir(), &orphan.path);
        let has_grace = deletion.grace_period.is_some_and(|grace| grace.get() > 0);
        let tombstone = || render::in_the_way(trees, "tombstones", &render::tombstone_path(id));
        output.or_else(|| tombstone().filter(|_| has_grace))
    }

    fn not_yet(&self, orphan: &OrphanLock, phase: DeletionPhase) -> Option<String> {
        match phase {
            DeletionPhase::Confirmed | DeletionPhase::Removing => {}
            // Nothing of it is in Git any more, and no management cluster is asked.
            DeletionPhase::Freeing => return None,
        }
        let management = &orphan.lock.identity.management_cluster;
        if !self.names_management_cluster(management) {
            return Some(format!(
                "fleet.yaml does not name management cluster `{management}` any more (managementClusters), so nobody \
                 sees what is synced there; name it again"
            ));
        }
        let is_left = |tree| render::is_left(&orphan.lock, tree);
        (!is_left(&self.corrected) || !is_left(&self.tree)).then(|| match phase {
            DeletionPhase::Confirmed => {
                "the prune guards are not lifted in the output yet: a commit that lifts them comes first".to_owned()
            }
            DeletionPhase::Removing | DeletionPhase::Freeing => {
                "the Cluster's files have not left the output yet: a commit without them comes first".to_owned()
            }
        })
    }

    fn names_management_cluster(&self, name: &Label) -> bool {
        let fleet = self.want.fleet.as_deref();
        fleet.is_none_or(|fleet| fleet.spec.management_clusters.iter().any(|named| named.name == *name))
    }

    /// A pool may leave once its objects were without guards for as long as a sync may take: what syncs only the newest
    /// commit would otherwise see guard and objects vanish together, prune nothing, and leave its machines to nobody.
    pub(crate) fn keep_pools(
        &mut self,
        repo: &Repo,
        history: &mut History,
        lies: Lies,
        now: Timestamp,
    ) -> Result<(), git::Error> {
        let Some(fleet) = self.want.fleet.clone() else { return Ok(()) };
        let delay = i64::from(fleet.spec.deletion.sync_delay.get());
        for (id, wanted) in self.want.clusters.iter_mut().filter(|(_, wanted)| wanted.blocked.is_none()) {
            for pool in removed_pools(wanted) {
                let path = wanted.lock_found_at.as_deref().unwrap_or(&wanted.lock_path);
                let listed = listed_since(repo, self.tip, &self.corrected, path, &pool)?;
                let since = match lies {
                    Lies::Beside => listed,
                    Lies::Elsewhere(_) => {
                        let dir = wanted.output_dir();
                        let shown =
                            output_since(repo, &mut history.outputs, self.tip, &self.corrected, (id, &dir), lies)?;
                        listed.zip(shown).map(|(listed, shown)| listed.max(shown))
                    }
                };
                let until = since.map_or(i64::MAX, |since| since.min(now.as_second()).saturating_add(delay));
                if now.as_second() >= until {
                    continue;
                }
                let time = Timestamp::from_second(until).map_or_else(|_| "later".to_owned(), |time| time.to_string());
                let message = format!(
                    "pool `{pool}` was removed before it was without machines for {delay} s (fleet.yaml, \
                     deletion.syncDelay): nobody knows whether that was synced, and its machines would be left behind"
                );
                self.findings.push(
                    Finding::error("pool-removed", At::file(&wanted.path), message.clone())
                        .field("spec.pools")
                        .mend(format!("nothing need be done: the engine goes on after {time}; or put the pool back"))
                        .cluster(id)
                        .reason(Reason::Immutable),
                );
                wanted.blocked = Some(Blocked { reason: Reason::Immutable, message });
                break;
            }
        }
        Ok(())
    }
}

/// Why a deletion does not go on after these words. One that has begun needs a word against it: what an older engine
/// understood, this one need not.
fn refused(words: LastWords, phase: DeletionPhase) -> Option<&'static str> {
    let is_new = match phase {
        DeletionPhase::Confirmed => true,
        DeletionPhase::Removing | DeletionPhase::Freeing => false,
    };
    match words {
        LastWords::Confirmed => None,
        LastWords::Unconfirmed => Some("the last one did not confirm that"),
        LastWords::Unreadable => is_new.then_some("the last one cannot be read or resolved"),
        LastWords::Unknown => is_new.then_some("history does not hold it any more"),
    }
}

/// Those that the lock lists as empty and the definition has no more.
fn removed_pools(wanted: &Wanted) -> Vec<String> {
    let Some(lock) = wanted.lock.as_deref() else { return Vec::new() };
    let is_there = |name: &&Label| wanted.effective.pools.iter().any(|pool| pool.name == **name);
    lock.values.empty_pools.iter().filter(|name| !is_there(name)).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests;
