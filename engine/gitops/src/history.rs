//! What a branch's history says: the last engine commit, and which clusters there ever were. A person's `git pull` may
//! put the engine's newer commit behind a second parent, so the whole history counts, not only first parents.

use crate::message::{Trailers, acknowledged, trailers};
use git::{CommitInfo, Oid, Repo};
use model::ClusterId;
use std::collections::BTreeSet;

/// Bounds a walk over a history that this process has not seen before.
const COMMITS_MAX: usize = 100_000;

/// What a branch holds for the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Definitions and locks, and the output where it has no branch of its own.
    Definitions,
    /// The output alone, of the fleet with this name.
    Output(String),
}

impl Holds {
    /// Whether an engine made this commit here. One with another parent is somebody's copy, by cherry-pick or squash.
    fn is_engines(&self, commit: &CommitInfo, trailers: &Trailers) -> bool {
        let parent = commit.parents.first().copied();
        match self {
            Self::Definitions => parent.is_some() && parent == trailers.source,
            Self::Output(_) => trailers.parent == Some(parent),
        }
    }

    fn is_own(&self, trailers: &Trailers) -> bool {
        match self {
            Self::Definitions => true,
            Self::Output(fleet) => trailers.fleet.as_ref() == Some(fleet),
        }
    }
}

/// Read once, then continued from the tip that was seen last.
#[derive(Clone, Debug)]
pub(crate) struct History {
    holds: Holds,
    seen: Option<Oid>,
    /// The newest commit that an engine made on this branch for this fleet.
    pub(crate) newest: Option<EngineCommit>,
    /// What people accepted since, as `<condition> <subject>`.
    pub(crate) acknowledged: BTreeSet<String>,
    /// The newest engine commit is another fleet's.
    pub(crate) taken_by: Option<String>,
    /// Clusters that engine commits name: their locks landed.
    pub(crate) clusters: BTreeSet<ClusterId>,
}

/// A commit by an engine.
#[derive(Clone, Debug)]
pub(crate) struct EngineCommit {
    pub(crate) id: Oid,
    pub(crate) says: Trailers,
}

impl History {
    pub(crate) fn of(holds: Holds) -> Self {
        Self {
            holds,
            seen: None,
            newest: None,
            acknowledged: BTreeSet::new(),
            taken_by: None,
            clusters: BTreeSet::new(),
        }
    }

    /// Reads what is new since the tip that was seen last.
    pub(crate) fn advance(&mut self, repo: &Repo, tip: Oid) -> Result<(), git::Error> {
        if self.seen == Some(tip) {
            return Ok(());
        }
        // A rewritten history does not hold what was seen: then only what it holds itself counts.
        let continued = self.seen.map_or(Ok(false), |seen| repo.is_ancestor(seen, tip))?;
        if !continued {
            *self = Self { clusters: std::mem::take(&mut self.clusters), ..Self::of(self.holds.clone()) };
        }
        let (mut newest, mut taken_by, mut acks) = (None, None, BTreeSet::new());
        for commit in repo.since(tip, self.seen, COMMITS_MAX)? {
            match trailers(&commit.message).filter(|t| self.holds.is_engines(&commit, t)) {
                Some(says) if self.holds.is_own(&says) => {
                    self.clusters.extend(says.clusters.iter().cloned());
                    newest.get_or_insert(EngineCommit { id: commit.id, says });
                }
                Some(others) if newest.is_none() && taken_by.is_none() => {
                    taken_by = Some(others.fleet.unwrap_or_default());
                }
                None if newest.is_none() => acks.extend(acknowledged(&commit.message).map(str::to_owned)),
                Some(_) | None => {}
            }
        }
        if newest.is_some() {
            (self.acknowledged, self.taken_by) = (BTreeSet::new(), None);
            self.newest = newest;
        }
        self.acknowledged.extend(acks);
        self.taken_by = taken_by.or(self.taken_by.take());
        self.seen = Some(tip);
        Ok(())
    }
}

/// How far back definitions are looked for.
const DEFINITION_COMMITS_MAX: usize = 1_000;

/// Every cluster that a definition ever named, newest commits first.
pub(crate) fn defined_clusters(
    repo: &Repo,
    memo: &mut fleet::Memo,
    tip: Oid,
    now: model::Timestamp,
) -> Result<BTreeSet<ClusterId>, git::Error> {
    let mut known = BTreeSet::new();
    for commit in repo.first_parent(tip).take(DEFINITION_COMMITS_MAX) {
        let commit = commit?;
        let touches = |path: &String| path.ends_with("cluster.yaml");
        if repo.changed_paths(commit.id)?.iter().any(touches) {
            let loaded = fleet::load(&repo.tree(commit.id)?, memo, now);
            known.extend(loaded.want.clusters.into_keys());
        }
    }
    Ok(known)
}
