//! What a branch's history says: the last engine commit, and which clusters there ever were. A person's `git pull` may
//! put the engine's newer commit behind a second parent, so the whole history counts, not only first parents.

use crate::message::{Trailers, trailers};
use git::{CommitInfo, Oid, Repo};
use model::ClusterId;
use std::collections::BTreeSet;

/// Bounds a walk over a history that this process has not seen before.
const COMMITS_MAX: usize = 100_000;

/// What a branch holds for the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Definitions and locks, and the output where it has no branch of its own.
    Definitions,
    /// The output alone.
    Output,
}

impl Holds {
    /// Whether an engine made this commit here. One with another parent is somebody's copy, by cherry-pick or squash.
    fn is_engines(self, commit: &CommitInfo, trailers: &Trailers) -> bool {
        let parent = commit.parents.first().copied();
        match self {
            Self::Definitions => parent.is_some() && parent == trailers.source,
            Self::Output => trailers.parent == Some(parent),
        }
    }
}

/// Read once, then continued from the tip that was seen last.
#[derive(Clone, Debug)]
pub(crate) struct History {
    holds: Holds,
    seen: Option<Oid>,
    /// The newest commit that an engine made on this branch.
    pub(crate) last_engine_commit: Option<Oid>,
    /// The commit that it was made from.
    pub(crate) last_source: Option<Oid>,
    /// Clusters that engine commits name: their locks landed.
    pub(crate) clusters: BTreeSet<ClusterId>,
}

impl History {
    pub(crate) fn of(holds: Holds) -> Self {
        Self { holds, seen: None, last_engine_commit: None, last_source: None, clusters: BTreeSet::new() }
    }

    /// Reads what is new since the tip that was seen last.
    pub(crate) fn advance(&mut self, repo: &Repo, tip: Oid) -> Result<(), git::Error> {
        if self.seen == Some(tip) {
            return Ok(());
        }
        // A rewritten history does not hold what was seen: then only what it holds itself counts.
        let continued = self.seen.map_or(Ok(false), |seen| repo.is_ancestor(seen, tip))?;
        let mut newest = None;
        for commit in repo.since(tip, self.seen.filter(|_| continued), COMMITS_MAX)? {
            if let Some(found) = trailers(&commit.message).filter(|t| self.holds.is_engines(&commit, t)) {
                newest = newest.or(Some((commit.id, found.source)));
                self.clusters.extend(found.clusters);
            }
        }
        let before = self.last_engine_commit.filter(|_| continued).map(|id| (id, self.last_source));
        (self.last_engine_commit, self.last_source) =
            newest.or(before).map_or((None, None), |(id, from)| (Some(id), from));
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
