//! What one tip says, with a person's edits of engine-owned files undone: the want is loaded from people's files at the
//! tip and the engine's files as the last engine commit left them. Output that has a branch of its own is read from
//! there, and stands in the tree as if it lay beside the definitions.

use crate::history::{History, Holds};
use crate::output::{Place, is_output};
use fleet::{Loaded, Memo};
use git::{Oid, Repo};
use model::{Entry, Finding, Place as At, Timestamp, Tree, Want};

/// Whether the engine owns this path: people's edits there are put right.
pub fn is_engine_owned(path: &str) -> bool {
    is_lock(path) || is_output(path)
}

fn is_lock(path: &str) -> bool {
    path.rsplit('/').next() == Some("cluster.lock.yaml")
}

/// One tip, read.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) tip: Oid,
    /// Where the output is, when it is not beside the definitions.
    pub(crate) output: Option<OutputAt>,
    pub(crate) tree: Tree,
    /// People's files of the tip, engine-owned ones of the last engine commit.
    pub(crate) corrected: Tree,
    pub(crate) want: Want,
    pub(crate) findings: Vec<Finding>,
    /// Engine-owned paths that a person changed since.
    pub(crate) put_right: Vec<String>,
}

/// The output's own branch, as it was read.
#[derive(Clone, Debug)]
pub(crate) struct OutputAt {
    pub(crate) place: Place,
    /// None while there is no such branch.
    pub(crate) tip: Option<Oid>,
}

/// One branch at one commit, with the engine's files as its last engine commit has them.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    tree: Tree,
    corrected: Tree,
    put_right: Vec<String>,
    has_engine_commit: bool,
    /// Of the last engine commit.
    source: Option<Oid>,
}

impl Side {
    pub(crate) fn load(
        repo: &mut Repo,
        full_ref: &str,
        history: &mut History,
        tip: Oid,
        owned: fn(&str) -> bool,
    ) -> Result<Self, git::Error> {
        repo.fetch_ref(full_ref, tip)?;
        history.advance(repo, tip)?;
        let tree = repo.tree_in(full_ref, tip)?;
        let mut put_right = Vec::new();
        let corrected = match history.last_engine_commit.filter(|last| *last != tip) {
            None => tree.clone(),
            Some(last) => {
                put_right = repo.diff_paths(last, tip)?;
                put_right.retain(|path| owned(path));
                if put_right.is_empty() { tree.clone() } else { correct(&tree, &repo.tree_in(full_ref, last)?, owned) }
            }
        };
        let has_engine_commit = history.last_engine_commit.is_some();
        Ok(Self { tree, corrected, put_right, has_engine_commit, source: history.last_source })
    }
}

fn correct(tip: &Tree, last: &Tree, owned: fn(&str) -> bool) -> Tree {
    let people = tip.entries().iter().filter(|e| !owned(&e.path));
    let engine = last.entries().iter().filter(|e| owned(&e.path));
    tip.with_entries(people.chain(engine).cloned().collect())
}

impl View {
    /// `output` is the output's own branch, read before; its inner `Side` is absent while there is no such branch.
    pub(crate) fn load(
        repo: &mut Repo,
        history: &mut History,
        memo: &mut Memo,
        tip: Oid,
        output: Option<(OutputAt, Option<Side>)>,
        now: Timestamp,
    ) -> Result<Self, git::Error> {
        let owned = if output.is_some() { is_lock } else { is_engine_owned };
        let branch = repo.branch_ref();
        let definitions = Side::load(repo, &branch, history, tip, owned)?;
        let Some((output, there)) = output else {
            let Side { tree, corrected, put_right, .. } = definitions;
            return Ok(Self::judged(tip, None, tree, corrected, put_right, memo, now));
        };
        let (tree, corrected) = joined(&definitions, there.as_ref());
        let mut put_right = definitions.put_right;
        put_right.extend(there.iter().flat_map(|side| side.put_right.iter().cloned()));
        let mut view = Self::judged(tip, Some(output), tree, corrected, put_right, memo, now);
        if let Some(source) = there.and_then(|side| side.source)
            && repo.is_ancestor(source, tip)?
        {
            view.inputs_of_output(&repo.tree(source)?, memo, now);
        }
        Ok(view)
    }

    fn judged(
        tip: Oid,
        output: Option<OutputAt>,
        tree: Tree,
        corrected: Tree,
        put_right: Vec<String>,
        memo: &mut Memo,
        now: Timestamp,
    ) -> Self {
        let Loaded { mut want, mut findings } = fleet::load(&corrected, memo, now);
        findings.extend(fleet::placed(render::judge(&mut want), &corrected));
        findings.extend(put_right.iter().map(|path| {
            Finding::warning("engine-owned-file", At::file(path), "a person changed a file that the engine owns")
                .mend("change the definition instead; the engine puts this file right")
        }));
        Self { tip, output, tree, corrected, want, findings, put_right }
    }

    /// R1: what is kept depends on the inputs that the output was made from. Those are in the locks of the commit that
    /// the output names; the locks of the tip may be ahead of it, when the process died between the two commits.
    fn inputs_of_output(&mut self, source: &Tree, memo: &mut Memo, now: Timestamp) {
        let differs = |path: &str| source.entry(path).map(|e| e.id) != self.corrected.entry(path).map(|e| e.id);
        let path = |wanted: &model::Wanted| wanted.lock_found_at.clone().unwrap_or_else(|| wanted.lock_path.clone());
        let ahead: Vec<_> = self.want.clusters.values().filter(|w| w.lock.is_some() && differs(&path(w))).collect();
        if ahead.is_empty() {
            return;
        }
        let ahead: Vec<_> = ahead.into_iter().map(|wanted| wanted.id.clone()).collect();
        let then = fleet::load(source, memo, now).want;
        for id in ahead {
            let lock = then.clusters.get(&id).and_then(|wanted| wanted.lock.as_deref());
            let lock = lock.or_else(|| then.orphan_locks.get(&id).map(|orphan| &*orphan.lock));
            if let Some(wanted) = self.want.clusters.get_mut(&id) {
                wanted.committed_inputs = Some(lock.map(|lock| lock.rendered.clone()).unwrap_or_default());
            }
        }
    }
}

/// The definitions with the output of its own branch. Before its first commit there, the output that still lies beside
/// the definitions is what R1 keeps from.
fn joined(definitions: &Side, output: Option<&Side>) -> (Tree, Tree) {
    let people =
        |tree: &Tree| -> Vec<Entry> { tree.entries().iter().filter(|e| !is_output(&e.path)).cloned().collect() };
    let rendered =
        |tree: &Tree| -> Vec<Entry> { tree.entries().iter().filter(|e| is_output(&e.path)).cloned().collect() };
    let mut tip = people(&definitions.tree);
    let Some(output) = output else {
        return (definitions.tree.with_entries(tip), definitions.corrected.clone());
    };
    tip.extend(rendered(&output.tree));
    let tip = definitions.tree.joined(&output.tree, tip);
    if !output.has_engine_commit {
        return (tip, definitions.corrected.clone());
    }
    let mut corrected = people(&definitions.corrected);
    corrected.extend(rendered(&output.corrected));
    (tip, definitions.corrected.joined(&output.corrected, corrected))
}

/// For the output's own branch.
pub(crate) fn output_side(
    repo: &mut Repo,
    full_ref: &str,
    history: &mut History,
    tip: Oid,
) -> Result<Side, git::Error> {
    Side::load(repo, full_ref, history, tip, is_output)
}

pub(crate) fn output_history() -> History {
    History::of(Holds::Output)
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
