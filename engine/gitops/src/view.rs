//! What one tip says, with a person's edits of engine-owned files undone: the want is loaded from people's files at the
//! tip and the engine's files as the last engine commit left them.

use crate::history::History;
use fleet::{Loaded, Memo};
use git::{Oid, Repo};
use model::{Finding, Place, Timestamp, Tree, Want};

/// Whether the engine owns this path: people's edits there are put right.
pub fn is_engine_owned(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == "cluster.lock.yaml" || path.starts_with("rendered/") || path.starts_with("gitops/")
}

/// One tip, read.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) tip: Oid,
    pub(crate) tree: Tree,
    /// People's files of the tip, engine-owned ones of the last engine commit.
    pub(crate) corrected: Tree,
    pub(crate) want: Want,
    pub(crate) findings: Vec<Finding>,
    /// Engine-owned paths that a person changed since.
    pub(crate) put_right: Vec<String>,
}

impl View {
    pub(crate) fn load(
        repo: &mut Repo,
        history: &mut History,
        memo: &mut Memo,
        tip: Oid,
        now: Timestamp,
    ) -> Result<Self, git::Error> {
        repo.fetch(tip)?;
        history.advance(repo, tip)?;
        let tree = repo.tree(tip)?;
        let mut put_right = Vec::new();
        let corrected = match history.last_engine_commit.filter(|last| *last != tip) {
            None => tree.clone(),
            Some(last) => {
                put_right = repo.diff_paths(last, tip)?;
                put_right.retain(|path| is_engine_owned(path));
                if put_right.is_empty() { tree.clone() } else { correct(&tree, &repo.tree(last)?) }
            }
        };
        let Loaded { want, mut findings } = fleet::load(&corrected, memo, now);
        findings.extend(put_right.iter().map(|path| {
            Finding::warning("engine-owned-file", Place::file(path), "a person changed a file that the engine owns")
                .mend("change the definition instead; the engine puts this file right")
        }));
        Ok(Self { tip, tree, corrected, want, findings, put_right })
    }
}

fn correct(tip: &Tree, last: &Tree) -> Tree {
    let people = tip.entries().iter().filter(|e| !is_engine_owned(&e.path));
    let engine = last.entries().iter().filter(|e| is_engine_owned(&e.path));
    tip.with_entries(people.chain(engine).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_owned_paths() {
        for owned in ["cluster.lock.yaml", "a/b/cluster.lock.yaml", "rendered/x", "gitops/argocd/a.yaml"] {
            assert!(is_engine_owned(owned), "{owned}");
        }
        for people in ["cluster.yaml", "fleet.yaml", "a/rendered/x.yaml", "policies/default.yaml"] {
            assert!(!is_engine_owned(people), "{people}");
        }
    }
}
