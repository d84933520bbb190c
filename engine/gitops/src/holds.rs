//! What people took back (`HeldAfterRevert`): a cluster whose engine-owned files a person reverted keeps them, until its
//! inputs change or the revert is reverted. Any other change of engine-owned files is put right.
//!
//! Every commit since the engine's last is judged by itself, along first parents: merges and squashes by what they
//! contain. What was judged before stands in the trailers of the engine's last commit (I10).

#[cfg(test)]
mod tests;

use crate::history::{EngineCommit, History};
use git::{Oid, Repo};
use model::{ClusterId, Digest};
use std::collections::{BTreeMap, BTreeSet};

/// More commits than people make while no engine runs; beyond, everything is put right.
const RANGE_MAX: usize = 1_000;
/// The same with what they merged.
const NEW_MAX: usize = 100_000;
/// How far back the state is looked for that a commit without words may have gone back to.
const BACK_MAX: usize = 1_000;
/// And how many paths are looked up for that, at most.
const LOOKUPS_MAX: usize = 200_000;

/// One cluster that stays as it was reverted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Of its inputs at the revert: it goes on when they are others.
    pub(crate) digest: Digest,
    /// The commit that reverted it.
    pub(crate) by: Option<Oid>,
}

/// A cluster's engine-owned files on one branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Lock and output folder.
    pub(crate) paths: Vec<String>,
    /// Where it must be for a change to be a revert; None where definitions are elsewhere.
    pub(crate) definition: Option<String>,
    /// Whether files that are all gone may be a revert without words: not where the other half of them is elsewhere.
    pub(crate) may_vanish: bool,
}

/// A cluster that was reverted; the inputs that it had then are looked up by whoever can read definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reverted {
    pub(crate) by: Option<Oid>,
    pub(crate) digest: Option<Digest>,
}

/// What became of the engine-owned files since an engine's last commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) reverted: BTreeMap<ClusterId, Reverted>,
    /// The commits that hold the files of clusters which are not as the engine's last commit has them.
    pub(crate) bases: BTreeMap<ClusterId, Oid>,
    /// The newest commit that reverted something: it counts for what clusters share.
    pub(crate) shared: Option<Oid>,
}

/// The ids of a group's paths at one commit.
type Files = Vec<Option<Oid>>;

/// Where one cluster stands while commits are judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    base: Option<Oid>,
    held: Option<Held>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    reverted: Reverted,
    /// What the person took back.
    before: Option<Files>,
}

/// What one commit did to one cluster's files.
#[derive(Debug)]
struct Act<'a> {
    commit: Oid,
    before: &'a Files,
    after: &'a Files,
    is_defined: bool,
    may_vanish: bool,
    /// What it says that it reverts; nothing for a merge, which counts by content.
    says: &'a [Oid],
}

/// What is asked of the history while one commit is judged.
trait Past {
    /// Whether this is an engine's commit for the cluster.
    fn is_engines(&mut self, commit: Oid) -> Result<bool, git::Error>;
    /// Whether the cluster's files were so at a first parent before this commit.
    fn was_so(&mut self, before: Oid, files: &Files) -> Result<bool, git::Error>;
}

/// One commit, judged for one cluster. `engine` is what the engine's last commit has, `start` what that says.
fn judge(
    state: &mut State,
    start: &State,
    engine: &Files,
    act: &Act<'_>,
    past: &mut impl Past,
) -> Result<(), git::Error> {
    if act.after == act.before {
        return Ok(());
    }
    if act.after == engine {
        *state = start.clone();
        return Ok(());
    }
    if !act.is_defined {
        return Ok(());
    }
    if let Some(held) = &state.held {
        let says_so = held.reverted.by.is_some_and(|by| act.says.contains(&by));
        if says_so || held.before.as_ref() == Some(act.after) {
            *state = State { base: Some(act.commit), held: None };
            return Ok(());
        }
    }
    let mut is_revert = false;
    for commit in act.says {
        is_revert = is_revert || past.is_engines(*commit)?;
    }
    let has_files = act.may_vanish || act.after.iter().any(Option::is_some);
    if is_revert || (has_files && past.was_so(act.commit, act.after)?) {
        let reverted = Reverted { by: Some(act.commit), digest: None };
        // A revert after a revert goes on from what the first one took back.
        let before = state.held.take().map_or_else(|| Some(act.before.clone()), |held| held.before);
        *state = State { base: Some(act.commit), held: Some(Held { reverted, before }) };
    }
    Ok(())
}

/// Judges what people did to these clusters' files between an engine's last commit and the tip.
pub(crate) fn judged(
    repo: &Repo,
    history: &History,
    last: &EngineCommit,
    tip: Oid,
    groups: &BTreeMap<ClusterId, Group>,
) -> Result<Judged, git::Error> {
    let mut judged = Judged::default();
    for held in &last.says.held {
        let reverted = Reverted { by: held.by, digest: Some(held.digest.clone()) };
        judged.reverted.insert(held.cluster.clone(), reverted);
    }
    // Steady state costs no walk (I4).
    let range = if groups.is_empty() { Vec::new() } else { range(repo, last.id, tip)? };
    let Some(oldest) = range.first() else { return Ok(judged) };
    let paths: Vec<&String> = groups.values().flat_map(|group| &group.paths).collect();
    let files_at = |commit: Option<Oid>| -> Result<BTreeMap<&ClusterId, Files>, git::Error> {
        let ids = commit.map_or_else(|| Ok(vec![None; paths.len()]), |id| repo.ids_at(id, &paths))?;
        let mut ids = ids.into_iter();
        Ok(groups.iter().map(|(id, group)| (id, ids.by_ref().take(group.paths.len()).collect())).collect())
    };
    let engine = files_at(Some(last.id))?;
    let mut states: BTreeMap<&ClusterId, State> = BTreeMap::new();
    for (id, group) in groups {
        let held = match judged.reverted.get(id) {
            None => None,
            Some(reverted) => {
                Some(Held { reverted: reverted.clone(), before: taken_back(repo, reverted, tip, group)? })
            }
        };
        states.insert(id, State { base: None, held });
    }
    let start = states.clone();
    let mut lookups = 0;
    let mut before = files_at(repo.commit_info(oldest.id)?.parents.first().copied())?;
    for commit in &range {
        let after = files_at(Some(commit.id))?;
        let is_merge = commit.parents.len() > 1;
        let says = if is_merge { Vec::new() } else { says(&commit.message) };
        for (id, group) in groups {
            let (Some(state), Some(start)) = (states.get_mut(id), start.get(id)) else { continue };
            let defined = group.definition.as_ref().map(|path| repo.ids_at(commit.id, &[path])).transpose()?;
            let act = Act {
                commit: commit.id,
                before: &before[id],
                after: &after[id],
                is_defined: defined.is_none_or(|found| found.iter().all(Option::is_some)),
                may_vanish: group.may_vanish,
                says: &says,
            };
            let mut past = InGit { repo, history, tip, id, group, lookups: &mut lookups };
            judge(state, start, &engine[id], &act, &mut past)?;
            if state.base == Some(commit.id) {
                judged.shared = Some(commit.id);
            }
        }
        before = after;
    }
    for (id, state) in states {
        let State { base, held } = state;
        judged.bases.extend(base.map(|base| (id.clone(), base)));
        match held {
            Some(held) => judged.reverted.insert(id.clone(), held.reverted),
            None => judged.reverted.remove(id),
        };
    }
    Ok(judged)
}

/// The commits along first parents that the engine's last commit does not have, oldest first.
fn range(repo: &Repo, last: Oid, tip: Oid) -> Result<Vec<git::CommitInfo>, git::Error> {
    let new: BTreeSet<_> = repo.ids_since(tip, Some(last), NEW_MAX)?.into_iter().collect();
    let mut range = Vec::new();
    for commit in repo.first_parent(tip) {
        let commit = commit?;
        if !new.contains(&commit.id) {
            break;
        }
        range.push(commit);
        if range.len() > RANGE_MAX {
            return Ok(Vec::new());
        }
    }
    range.reverse();
    Ok(range)
}

/// What a revert of an earlier run took back, where its commit is still known.
fn taken_back(repo: &Repo, reverted: &Reverted, tip: Oid, group: &Group) -> Result<Option<Files>, git::Error> {
    let Some(by) = reverted.by else { return Ok(None) };
    if !repo.is_ancestor(by, tip)? {
        return Ok(None);
    }
    let Some(parent) = repo.commit_info(by)?.parents.first().copied() else { return Ok(None) };
    Ok(Some(repo.ids_at(parent, &group.paths)?))
}

/// The commits that a message says it reverts, as `git revert` writes it.
fn says(message: &str) -> Vec<Oid> {
    let mut found = Vec::new();
    for (at, words) in message.match_indices(REVERTS) {
        let id = message.get(at + words.len()..).and_then(|rest| rest.get(..40));
        found.extend(id.and_then(|id| id.parse::<Oid>().ok()));
    }
    found
}

const REVERTS: &str = "This reverts commit ";

/// The history as it is in the cache.
struct InGit<'a> {
    repo: &'a Repo,
    history: &'a History,
    tip: Oid,
    id: &'a ClusterId,
    group: &'a Group,
    lookups: &'a mut usize,
}

impl Past for InGit<'_> {
    fn is_engines(&mut self, commit: Oid) -> Result<bool, git::Error> {
        if !self.repo.is_ancestor(commit, self.tip)? {
            return Ok(false);
        }
        let says = self.history.engines(&self.repo.commit_info(commit)?);
        Ok(says.is_some_and(|says| says.clusters.contains(self.id)))
    }

    fn was_so(&mut self, before: Oid, files: &Files) -> Result<bool, git::Error> {
        for commit in self.repo.first_parent(before).skip(1).take(BACK_MAX) {
            *self.lookups += files.len();
            if *self.lookups > LOOKUPS_MAX {
                return Ok(false);
            }
            if self.repo.ids_at(commit?.id, &self.group.paths)? == *files {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
