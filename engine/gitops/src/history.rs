//! What the branch's history says: the last engine commit, and which clusters there ever were. A person's `git pull` may
//! put the engine's newer commit behind a second parent, so the whole history counts, not only first parents.

use crate::message::trailers;
use git::{Oid, Repo};
use model::ClusterId;
use std::collections::BTreeSet;

/// Bounds a walk over a history that this process has not seen before.
const COMMITS_MAX: usize = 100_000;

/// Read once, then continued from the tip that was seen last.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    seen: Option<Oid>,
    /// The newest commit that an engine made on this branch.
    pub(crate) last_engine_commit: Option<Oid>,
    /// Clusters that engine commits name: their locks landed.
    pub(crate) clusters: BTreeSet<ClusterId>,
}

impl History {
    /// Reads what is new since the tip that was seen last.
    pub(crate) fn advance(&mut self, repo: &Repo, tip: Oid) -> Result<(), git::Error> {
        if self.seen == Some(tip) {
            return Ok(());
        }
        // A rewritten history does not hold what was seen: then only what it holds itself counts.
        let continued = self.seen.map_or(Ok(false), |seen| repo.is_ancestor(seen, tip))?;
        let mut newest = None;
        for commit in repo.since(tip, self.seen.filter(|_| continued), COMMITS_MAX)? {
            if let Some(found) = trailers(&commit.message).filter(|t| commit.parents.first() == t.source.as_ref()) {
                newest = newest.or(Some(commit.id));
                self.clusters.extend(found.clusters);
            }
        }
        self.last_engine_commit = newest.or(self.last_engine_commit.filter(|_| continued));
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
