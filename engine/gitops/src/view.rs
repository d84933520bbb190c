//! What one tip says, with a person's edits of engine-owned files undone: the want is loaded from people's files at the
//! tip and the engine's files as the last engine commit left them. Output that has a branch of its own is read from
//! there, and stands in the tree as if it lay beside the definitions.

use crate::answer::Heard;
use crate::history::History;
use crate::holds::{Hold, Reverted};
use crate::output::{Found, Place, Said, is_output};
use crate::side::Groups;
pub(crate) use crate::side::{Side, output_side};
use crate::told::{Lies, Told};
use fleet::{Loaded, Memo};
use git::{Oid, Repo};
use model::want::Blocked;
use model::{ClusterId, Digest, Finding, Place as At, Reason, Timestamp, Tree, Want};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Whether the engine owns this path: people's edits there are put right.
pub fn is_engine_owned(path: &str) -> bool {
    is_kept_beside(path) || is_output(path)
}

/// What stays beside the definitions wherever the output goes: locks and tombstones.
fn is_kept_beside(path: &str) -> bool {
    let is_tombstone = path.strip_prefix("tombstones/").is_some_and(|name| name.ends_with(".yaml"));
    is_tombstone || path.rsplit('/').next() == Some("cluster.lock.yaml")
}

/// What loading and judging remember.
#[derive(Debug)]
pub(crate) struct Memos<'a> {
    pub(crate) load: &'a mut Memo,
    pub(crate) judged: &'a mut render::Judged,
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
    /// Output that is carried along as it was, because it moves: also what is not rendered now (R1).
    pub(crate) carried: Vec<String>,
    /// Output of clusters that was there and is not, though nothing of their locks changed since.
    pub(crate) missing: bool,
    /// What the next commit of locks says of the output, and whether it must be made to say so.
    pub(crate) says: Option<Said>,
    pub(crate) record: bool,
    /// Clusters whose engine-owned files a person reverted, and which stay so; beside the definitions, and on the
    /// output's own branch.
    pub(crate) held: BTreeMap<ClusterId, Hold>,
    pub(crate) held_output: BTreeMap<ClusterId, Hold>,
    /// What deletions wait for that a plan does not see.
    pub(crate) waits: BTreeMap<ClusterId, String>,
    pub(crate) told: Told,
}

/// The output's own branch, as it was read.
#[derive(Clone, Debug)]
pub(crate) struct OutputAt {
    pub(crate) place: Place,
    /// None while there is no such branch.
    pub(crate) tip: Option<Oid>,
}

/// A tip, and the same with engine-owned files put right.
struct Trees {
    tree: Tree,
    corrected: Tree,
    put_right: Vec<String>,
}

type Reverteds = BTreeMap<ClusterId, Reverted>;

/// Where the output is that R1 keeps from.
#[derive(Clone, Debug)]
pub(crate) enum Before {
    /// Where it goes now.
    Here,
    /// Beside the definitions: it moves away from there now.
    Beside,
    /// On another branch: it moves away from there now.
    At(Box<Side>),
    /// Nowhere, and a person said that it may be rendered anew.
    Nowhere,
}

impl View {
    /// `output` is the output's own branch, read before; its inner `Side` is absent while there is no such branch.
    pub(crate) fn load(
        repo: &mut Repo,
        history: &mut History,
        memos: &mut Memos<'_>,
        tip: Oid,
        output: Option<(OutputAt, Option<Side>)>,
        found: &Found,
        now: Timestamp,
    ) -> Result<Self, git::Error> {
        let Found { before, lost: _, accepted: _, says, record } = found;
        // What lies beside the definitions while the output is elsewhere is no engine's.
        let is_beside = output.is_none() && matches!(before, Before::Here);
        let owned = if is_beside { is_engine_owned } else { is_kept_beside };
        let branch = repo.branch_ref();
        let own = branch.strip_prefix("refs/heads/").unwrap_or(&branch);
        let groups = Groups::Definitions { memo: memos.load, is_beside, now };
        let definitions = Side::load(repo, &branch, history, tip, owned, groups)?;
        let (at, there) = output.map_or((None, None), |(at, side)| (Some(at), side));
        let lies = match (&at, &there) {
            (None, _) => Lies::Beside,
            (Some(_), side) => Lies::Elsewhere(side.as_ref().and_then(|side| side.newest_at)),
        };
        let shown = if at.is_some() { there.as_ref() } else { Some(&definitions) };
        let kept = match before {
            Before::Here => shown.map(|side| (&side.corrected, &side.newest)),
            Before::Beside => Some((&definitions.corrected, &None)),
            Before::At(side) => Some((&side.corrected, &side.newest)),
            Before::Nowhere => None,
        };
        let tree = joined(&definitions.tree, shown.map(|side| &side.tree));
        let corrected = joined(&definitions.corrected, kept.map(|(tree, _)| tree));
        let mut put_right = definitions.put_right.clone();
        put_right.extend(there.iter().flat_map(|side| side.put_right.iter().cloned()));
        let source = kept.and_then(|(_, newest)| newest.as_ref()?.says.source).filter(|_| !is_beside);
        let made_from = there.as_ref().and_then(|side| side.newest.as_ref()?.says.source);
        let reverted = (definitions.reverted, there.map(|side| side.reverted).unwrap_or_default());
        let mut view = Self::judged(own, tip, at, Trees { tree, corrected, put_right }, memos, now);
        (view.says, view.record) = (says.clone(), *record);
        view.hold(repo, reverted, made_from, memos, now)?;
        view.hear_last_words(repo, history, memos, now)?;
        view.see_deletions();
        view.keep_pools(repo, history, lies, now)?;
        view.told = Told::of(repo, history, own, tip, (&view.want, &view.corrected, lies), now)?;
        if matches!(before, Before::Beside | Before::At(_)) {
            view.carried = view.output_that_differs();
        }
        if let Some(source) = source
            && repo.is_ancestor(source, tip)?
        {
            view.inputs_of_output(&repo.tree(source)?, memos, now);
        }
        Ok(view)
    }

    fn output_that_differs(&self) -> Vec<String> {
        let sides = [&self.tree, &self.corrected].map(|tree| tree.entries().iter().map(|entry| &entry.path));
        let mut paths: Vec<_> = sides.into_iter().flatten().filter(|path| is_output(path)).cloned().collect();
        paths.sort();
        paths.dedup();
        paths.retain(|path| self.tree.entry(path) != self.corrected.entry(path));
        paths
    }

    /// Whether anything was ever rendered: then R1 needs it.
    pub(crate) fn was_rendered(&self) -> bool {
        let has = |wanted: &model::Wanted| wanted.lock.as_deref().is_some_and(|lock| !lock.rendered.is_empty());
        self.want.clusters.values().any(has)
    }

    fn judged(
        branch: &str,
        tip: Oid,
        output: Option<OutputAt>,
        trees: Trees,
        memos: &mut Memos<'_>,
        now: Timestamp,
    ) -> Self {
        let Trees { tree, corrected, put_right } = trees;
        let Loaded { mut want, mut findings } = fleet::load(&corrected, memos.load, now);
        if let Some(fleet) = &mut want.fleet
            && fleet.spec.output.branch.is_none()
            && fleet.spec.output.source_branch.is_none()
        {
            // Argo CD and Flux read what this engine writes.
            Arc::make_mut(fleet).spec.output.source_branch = Some(branch.to_owned());
        }
        findings.extend(fleet::placed(render::judge(&mut want, memos.judged), &corrected));
        findings.extend(put_right.iter().map(|path| {
            Finding::warning("engine-owned-file", At::file(path), "a person changed a file that the engine owns")
                .mend("change the definition instead; the engine puts this file right")
        }));
        Self {
            tip,
            output,
            tree,
            corrected,
            want,
            findings,
            put_right,
            carried: Vec::new(),
            missing: false,
            says: None,
            record: false,
            held: BTreeMap::new(),
            held_output: BTreeMap::new(),
            waits: BTreeMap::new(),
            told: Told::default(),
        }
    }

    /// What the branch's history says beside the tree, at this time.
    pub(crate) fn said(&self, over: &BTreeSet<Heard>, now: Timestamp) -> plan::Said {
        let held = self.held.keys().chain(self.held_output.keys()).cloned().collect();
        plan::Said { waits: self.waits.clone(), ..self.told.said(held, over, now) }
    }

    /// Stops the clusters that people reverted beside the definitions or on the output's branch, as long as their inputs
    /// are what they were. `made_from` is what the output was made from that was reverted.
    fn hold(
        &mut self,
        repo: &Repo,
        (beside, there): (Reverteds, Reverteds),
        made_from: Option<Oid>,
        memos: &mut Memos<'_>,
        now: Timestamp,
    ) -> Result<(), git::Error> {
        let mut then: BTreeMap<Oid, Want> = BTreeMap::new();
        let mut holds = |want: &Want, reverted: Reverteds, at: Option<Oid>| -> Result<_, git::Error> {
            let mut holds = BTreeMap::new();
            for (id, Reverted { by, digest }) in reverted {
                let Some(wanted) = want.clusters.get(&id) else { continue };
                let digest = match (digest, at.or(by)) {
                    (Some(digest), _) => digest,
                    (None, Some(at)) if repo.is_ancestor(at, self.tip)? => {
                        if let Entry::Vacant(vacant) = then.entry(at) {
                            vacant.insert(fleet::load(&repo.tree(at)?, memos.load, now).want);
                        }
                        match then.get(&at).and_then(|want| want.clusters.get(&id)) {
                            Some(then) => inputs(then),
                            None => continue,
                        }
                    }
                    (None, _) => inputs(wanted),
                };
                if digest == inputs(wanted) {
                    holds.insert(id, Hold { digest, by });
                }
            }
            Ok(holds)
        };
        let beside = holds(&self.want, beside, None)?;
        let there = holds(&self.want, there, made_from)?;
        for (id, hold) in beside.iter().chain(&there) {
            let Some(wanted) = self.want.clusters.get_mut(id).filter(|wanted| wanted.blocked.is_none()) else {
                continue;
            };
            let by = hold.by.map(|by| format!(" by {by}")).unwrap_or_default();
            let message = format!(
                "a person reverted its engine-owned files{by}: they stay so, and nothing is done for it, until its \
                 definition (or stage, policy or fleet) changes; revert the revert to go on as before"
            );
            wanted.blocked = Some(Blocked { reason: Reason::HeldAfterRevert, message });
        }
        (self.held, self.held_output) = (beside, there);
        Ok(())
    }

    /// R1: what is kept depends on the inputs that the output was made from. Those are in the locks of the commit that
    /// the output names; the locks of the tip may be ahead of it, when the process died between the two commits.
    fn inputs_of_output(&mut self, source: &Tree, memos: &mut Memos<'_>, now: Timestamp) {
        let differs = |path: &str| source.entry(path).map(|e| e.id) != self.corrected.entry(path).map(|e| e.id);
        let path = |wanted: &model::Wanted| wanted.lock_found_at.clone().unwrap_or_else(|| wanted.lock_path.clone());
        // What a person took away is not lost.
        let is_held = |w: &model::Wanted| self.held_output.contains_key(&w.id);
        let locked =
            |w: &&model::Wanted| !is_held(w) && w.lock.as_deref().is_some_and(|lock| !lock.rendered.is_empty());
        let gone = |w: &model::Wanted| !differs(&path(w)) && self.corrected.below(&w.output_dir()).next().is_none();
        self.missing = self.want.clusters.values().filter(locked).any(gone);
        let ahead: Vec<_> = self.want.clusters.values().filter(|w| w.lock.is_some() && differs(&path(w))).collect();
        if ahead.is_empty() {
            return;
        }
        let ahead: Vec<_> = ahead.into_iter().map(|wanted| wanted.id.clone()).collect();
        let then = fleet::load(source, memos.load, now).want;
        for id in ahead {
            let lock = then.clusters.get(&id).and_then(|wanted| wanted.lock.as_deref());
            let lock = lock.or_else(|| then.orphan_locks.get(&id).map(|orphan| &*orphan.lock));
            if let Some(wanted) = self.want.clusters.get_mut(&id) {
                wanted.committed_inputs = Some(lock.map(|lock| lock.rendered.clone()).unwrap_or_default());
            }
        }
    }
}

/// What a held cluster is held until it changes: also whether its deletion is confirmed, which feeds no output.
fn inputs(wanted: &model::Wanted) -> Digest {
    let digest = &wanted.digest;
    if wanted.effective.deletion.is_confirmed { Digest::of(&(digest, "confirmed")) } else { digest.clone() }
}

/// The definitions of one tree with the output of another.
fn joined(definitions: &Tree, output: Option<&Tree>) -> Tree {
    let people = definitions.entries().iter().filter(|entry| !is_output(&entry.path));
    match output {
        None => definitions.with_entries(people.cloned().collect()),
        Some(output) => {
            let rendered = output.entries().iter().filter(|entry| is_output(&entry.path));
            definitions.joined(output, people.chain(rendered).cloned().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_owned_paths() {
        for owned in [
            "cluster.lock.yaml",
            "a/b/cluster.lock.yaml",
            "rendered/x",
            "gitops/argocd/a.yaml",
            "gitops/flux/b",
            "tombstones/a.b.yaml",
        ] {
            assert!(is_engine_owned(owned), "{owned}");
        }
        for people in ["cluster.yaml", "fleet.yaml", "a/rendered/x.yaml", "policies/default.yaml", "gitops/README.md"] {
            assert!(!is_engine_owned(people), "{people}");
        }
    }
}
