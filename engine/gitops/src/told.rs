//! What history tells beside the tree: answers, what was freed, when phases began, whether it was rewritten.

use crate::answer::Answers;
use crate::engine::Engine;
use crate::history::{Freed, History};
use git::{Oid, Repo};
use metal_api::Metal;
use model::lock::DeletionPhase;
use model::{BlobId, ClusterId, Entry, EntryKind, Reason, Timestamp, Tree, Want};
use plan::Said;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

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
        (want, tree): (&Want, &Tree),
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
        let phase_since = phases(repo, &mut history.phases, tip, want, tree)?;
        Ok(Self { answers: history.answers.clone(), freed: history.freed.clone(), phase_since, rewritten })
    }

    pub(crate) fn said(&self, held: BTreeSet<ClusterId>, now: Timestamp) -> Said {
        let answers = self.answers.valid(now);
        Said {
            held,
            acknowledged: answers.acknowledged(),
            recover: answers.recover(),
            phase_since: self.phase_since.clone(),
            freed_within_hour: self.freed.within_hour(now),
            rewritten: self.rewritten.clone(),
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

/// When the present phase of each deletion was committed, and when each tombstone.
fn phases(
    repo: &Repo,
    memo: &mut BTreeMap<BlobId, i64>,
    tip: Oid,
    want: &Want,
    tree: &Tree,
) -> Result<BTreeMap<ClusterId, Timestamp>, git::Error> {
    let mut asked: BTreeMap<&ClusterId, (&str, Option<DeletionPhase>)> = BTreeMap::new();
    for (id, (path, _)) in &want.tombstones {
        asked.insert(id, (path, None));
    }
    for (id, wanted) in &want.clusters {
        let deletion = wanted.lock.as_deref().and_then(|lock| lock.deletion.as_ref());
        let path = wanted.lock_found_at.as_deref().unwrap_or(&wanted.lock_path);
        asked.extend(deletion.map(|deletion| (id, (path, Some(deletion.phase)))));
    }
    for (id, orphan) in &want.orphan_locks {
        let deletion = orphan.lock.deletion.as_ref();
        asked.extend(deletion.map(|deletion| (id, (orphan.path.as_str(), Some(deletion.phase)))));
    }
    let (mut since, mut used) = (BTreeMap::new(), BTreeSet::new());
    for (id, (path, phase)) in asked {
        let Some(blob) = tree.entry(path).map(|entry| entry.id) else { continue };
        used.insert(blob);
        let at = match memo.get(&blob) {
            Some(at) => Some(*at),
            None => began(repo, tip, tree, path, phase)?,
        };
        // What is not committed yet is put right by the next commit, and began no earlier than that.
        let Some(at) = at else { continue };
        memo.insert(blob, at);
        since.extend(Timestamp::from_second(at).ok().map(|at| (id.clone(), at)));
    }
    memo.retain(|blob, _| used.contains(blob));
    Ok(since)
}

/// The time of the oldest commit, along first parents, since which the file says this; None when the tip's does not.
fn began(
    repo: &Repo,
    tip: Oid,
    tree: &Tree,
    path: &str,
    phase: Option<DeletionPhase>,
) -> Result<Option<i64>, git::Error> {
    let (mut since, mut last) = (None, None);
    for commit in repo.first_parent(tip).take(PHASE_COMMITS_MAX) {
        let commit = commit?;
        let Some(id) = repo.ids_at(commit.id, &[path])?.into_iter().next().flatten() else { break };
        if last != Some(id) && phase.is_some() && phase_of(tree, path, id) != phase {
            break;
        }
        last = Some(id);
        since = Some(commit.committer_time);
    }
    Ok(since)
}

/// A lock alone, without a fleet, is read and nothing is concluded from it.
fn phase_of(tree: &Tree, path: &str, id: Oid) -> Option<DeletionPhase> {
    let entry = Entry { path: path.to_owned(), id: id.into(), kind: EntryKind::File };
    let loaded = fleet::load(&tree.with_entries(vec![entry]), &mut fleet::Memo::default(), Timestamp::UNIX_EPOCH);
    let (_, orphan) = loaded.want.orphan_locks.into_iter().next()?;
    orphan.lock.deletion.as_ref().map(|deletion| deletion.phase)
}

#[cfg(test)]
mod tests;
