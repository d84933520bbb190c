//! What history tells beside the tree: answers, what was freed, when phases began, whether it was rewritten.

use crate::answer::{Answers, Heard};
use crate::engine::Engine;
use crate::history::{Freed, History};
use git::{Oid, Repo};
use metal_api::Metal;
use model::lock::DeletionPhase;
use model::{BlobId, ClusterId, ClusterLock, Entry, EntryKind, Reason, Timestamp, Tree, Want};
use plan::Said;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

/// A phase that is older is as old as this many commits.
const PHASE_COMMITS_MAX: usize = 10_000;

/// What of it counts depends on the time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    answers: Answers,
    freed: Freed,
    phase_since: BTreeMap<ClusterId, Timestamp>,
    rewritten: Option<String>,
}

impl Told {
    /// `branch` without `refs/heads/`; `tree` is the corrected one that `want` was loaded from.
    pub(crate) fn of(
        repo: &Repo,
        history: &mut History,
        branch: &str,
        tip: Oid,
        (want, tree, lies): (&Want, &Tree, Lies),
        now: Timestamp,
    ) -> Result<Self, git::Error> {
        let fleet = want.fleet.as_deref().map(|fleet| fleet.metadata.name.to_string()).unwrap_or_default();
        let valid = history.answers.valid(now);
        let accepted: Vec<_> = valid.accepting(Reason::HistoryRewritten, &fleet).collect();
        let missing = history.missing(repo, &note(branch), tip, &accepted)?;
        let has_locks = !want.orphan_locks.is_empty() || want.clusters.values().any(|wanted| wanted.lock.is_some());
        let rewritten = match missing {
            Some(commit) => Some(format!(
                "{branch} does not hold the engine's commit {commit} any more: its history was rewritten; push it back, or \
                 accept that with `ferrofleet ack HistoryRewritten {fleet}`"
            )),
            None if history.newest.is_none() && has_locks && accepted.is_empty() => Some(format!(
                "{branch} holds locks and no commit of an engine of this fleet: it is a copy, or its history was \
                 rewritten; accept that with `ferrofleet ack HistoryRewritten {fleet}`"
            )),
            None => None,
        };
        let phase_since = phases(repo, history, tip, (want, tree, lies), now)?;
        Ok(Self { answers: history.answers.clone(), freed: history.freed.clone(), phase_since, rewritten })
    }

    /// What people said that counts at this time, with the commits that say it.
    pub(crate) fn heard(&self, now: Timestamp) -> BTreeSet<Heard> {
        self.answers.valid(now).heard()
    }

    /// Without the answers that are over.
    pub(crate) fn said(&self, held: BTreeSet<ClusterId>, over: &BTreeSet<Heard>, now: Timestamp) -> Said {
        let answers = self.answers.valid(now).without(over);
        Said {
            held,
            acknowledged: answers.acknowledged(),
            recover: answers.recover(),
            phase_since: self.phase_since.clone(),
            freed_within_hour: self.freed.within_hour(now),
            rewritten: self.rewritten.clone(),
            waits: BTreeMap::new(),
        }
    }
}

/// The newest engine commit of a branch is noted in the cache under this name.
fn note(branch: &str) -> String {
    format!("newest/{branch}")
}

impl<M: Metal + 'static> Engine<M> {
    /// This commit landed: from now on a tip without it was rewritten, also when nobody reads it before.
    pub(crate) async fn remember(&self, commit: Oid) {
        let (memory, note) = (self.memory.clone(), note(&self.options.branch));
        let noted = self.remote.call(move |repo| {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.history.landed(repo, &note, Some(commit))
        });
        if let Err(error) = noted.await {
            tracing::debug!(%error, "the newest engine commit is not noted");
        }
    }
}

/// Where the output lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lies {
    Beside,
    /// On a branch of its own, whose newest engine commit was made at this time.
    Elsewhere(Option<i64>),
}

/// When the present phase of each deletion was committed, and when each tombstone. A phase is what the output is, too:
/// it begins when both are committed. No commit was made in the future, whatever its clock said.
fn phases(
    repo: &Repo,
    history: &mut History,
    tip: Oid,
    (want, tree, lies): (&Want, &Tree, Lies),
    now: Timestamp,
) -> Result<BTreeMap<ClusterId, Timestamp>, git::Error> {
    let memo = &mut history.phases;
    let mut asked: BTreeMap<&ClusterId, (&str, Option<DeletionPhase>)> = BTreeMap::new();
    for (id, (path, _)) in &want.tombstones {
        asked.insert(id, (path, None));
    }
    for (id, wanted) in &want.clusters {
        let deletion = wanted.lock.as_deref().and_then(|lock| lock.deletion.as_ref());
        let path = wanted.lock_found_at.as_deref().unwrap_or(&wanted.lock_path);
        asked.extend(deletion.map(|deletion| (id, (path, Some(deletion.phase)))));
    }
    let mut shown = BTreeMap::new();
    for (id, orphan) in &want.orphan_locks {
        let Some(deletion) = &orphan.lock.deletion else { continue };
        asked.insert(id, (orphan.path.as_str(), Some(deletion.phase)));
        match deletion.phase {
            DeletionPhase::Confirmed | DeletionPhase::Removing if orphan.removed => {
                shown.insert(id, orphan.lock.identity.output_dir());
            }
            DeletionPhase::Confirmed | DeletionPhase::Removing | DeletionPhase::Freeing => {}
        }
    }
    let (mut since, mut used) = (BTreeMap::new(), BTreeSet::new());
    for (id, (path, phase)) in asked {
        let Some(blob) = tree.entry(path).map(|entry| entry.id) else { continue };
        used.insert(blob);
        let at = match memo.get(&blob) {
            Some(at) => Some(*at),
            None => began(repo, tip, path, |id| phase.is_none() || phase_of(tree, path, id) == phase)?,
        };
        // What is not committed yet is put right by the next commit, and began no earlier than that.
        let Some(at) = at.map(|at| at.min(now.as_second())) else { continue };
        memo.insert(blob, at);
        let shown = match shown.get(id) {
            None => Some(at),
            Some(dir) => output_since(repo, &mut history.outputs, tip, tree, (id, dir), lies)?,
        };
        let at = shown.map(|shown| shown.min(now.as_second()).max(at));
        since.extend(at.and_then(|at| Timestamp::from_second(at).ok()).map(|at| (id.clone(), at)));
    }
    memo.retain(|blob, _| used.contains(blob));
    Ok(since)
}

/// The time of the oldest commit, along first parents, since which the file says this; None when the tip's does not. A
/// commit is no older than the one before it.
fn began(repo: &Repo, tip: Oid, path: &str, is_so: impl Fn(Oid) -> bool) -> Result<Option<i64>, git::Error> {
    let (mut since, mut last): (Option<i64>, Option<Oid>) = (None, None);
    for commit in repo.first_parent(tip).take(PHASE_COMMITS_MAX) {
        let commit = commit?;
        let id = repo.ids_at(commit.id, &[path])?.into_iter().next().flatten();
        let Some(id) = id.filter(|id| last == Some(*id) || is_so(*id)) else {
            return Ok(since.map(|at| at.max(commit.committer_time)));
        };
        last = Some(id);
        since = Some(commit.committer_time);
    }
    Ok(since)
}

/// Since when a lock lists a pool as empty.
pub(crate) fn listed_since(
    repo: &Repo,
    tip: Oid,
    tree: &Tree,
    path: &str,
    pool: &str,
) -> Result<Option<i64>, git::Error> {
    began(repo, tip, path, |id| {
        let lock = lock_of(tree, path, id);
        lock.is_some_and(|lock| lock.values.empty_pools.iter().any(|empty| empty.as_str() == pool))
    })
}

/// Since when a cluster's output is as it is; the beginning of time where there is none, None where nobody knows. On a
/// branch of its own it is as old as the newest commit there when it was seen first.
pub(crate) fn output_since(
    repo: &Repo,
    memo: &mut BTreeMap<ClusterId, (Vec<BlobId>, i64)>,
    tip: Oid,
    tree: &Tree,
    (id, dir): (&ClusterId, &str),
    lies: Lies,
) -> Result<Option<i64>, git::Error> {
    let files: Vec<BlobId> = tree.below(dir).map(|entry| entry.id).collect();
    if files.is_empty() {
        return Ok(Some(i64::MIN));
    }
    if let Some((_, at)) = memo.get(id).filter(|(known, _)| *known == files) {
        return Ok(Some(*at));
    }
    let at = match lies {
        Lies::Elsewhere(at) => at,
        Lies::Beside => {
            let now = repo.ids_at(tip, &[dir])?.into_iter().next().flatten();
            began(repo, tip, dir, |id| Some(id) == now)?
        }
    };
    memo.extend(at.map(|at| (id.clone(), (files, at))));
    Ok(at)
}

fn phase_of(tree: &Tree, path: &str, id: Oid) -> Option<DeletionPhase> {
    lock_of(tree, path, id)?.deletion.as_ref().map(|deletion| deletion.phase)
}

/// A lock alone, without a fleet, is read and nothing is concluded from it.
fn lock_of(tree: &Tree, path: &str, id: Oid) -> Option<Arc<ClusterLock>> {
    let entry = Entry { path: path.to_owned(), id: id.into(), kind: EntryKind::File };
    let loaded = fleet::load(&tree.with_entries(vec![entry]), &mut fleet::Memo::default(), Timestamp::UNIX_EPOCH);
    loaded.want.orphan_locks.into_values().next().map(|orphan| orphan.lock)
}

#[cfg(test)]
mod tests;
