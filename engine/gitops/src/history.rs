//! What the branch's history says: the last engine commit, and which clusters there ever were.

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
    /// The newest first-parent commit with a `Fleet-Run` trailer.
    pub(crate) last_engine_commit: Option<Oid>,
    /// Clusters that engine commits name.
    pub(crate) clusters: BTreeSet<ClusterId>,
}

impl History {
    /// Walks the first parents of the tip down to what was seen.
    pub(crate) fn advance(&mut self, repo: &Repo, tip: Oid) -> Result<(), git::Error> {
        if self.seen == Some(tip) {
            return Ok(());
        }
        let mut newest = None;
        let mut continued = false;
        for commit in repo.first_parent(tip).take(COMMITS_MAX) {
            let commit = commit?;
            if Some(commit.id) == self.seen {
                continued = true;
                break;
            }
            if let Some(found) = trailers(&commit.message) {
                newest = newest.or(Some(commit.id));
                self.clusters.extend(found.clusters);
            }
        }
        // A rewritten history does not reach what was seen: then only what it holds itself counts.
        self.last_engine_commit = if continued { newest.or(self.last_engine_commit) } else { newest };
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
