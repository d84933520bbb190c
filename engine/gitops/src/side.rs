//! One branch at one commit, with the engine's files as its last engine commit has them, and with what people reverted
//! as they left it.

use crate::history::{EngineCommit, History};
use crate::holds::{Group, Judged, Reverted, judged};
use crate::output::is_output;
use git::{Oid, Repo};
use model::{ClusterId, Entry, Timestamp, Tree};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) tree: Tree,
    pub(crate) corrected: Tree,
    /// Engine-owned paths that are not as they were left.
    pub(crate) put_right: Vec<String>,
    /// The newest engine commit here.
    pub(crate) newest: Option<EngineCommit>,
    /// When that was made, in seconds.
    pub(crate) newest_at: Option<i64>,
    /// Clusters that people took back.
    pub(crate) reverted: BTreeMap<ClusterId, Reverted>,
}

/// How the clusters of engine-owned files are known.
pub(crate) enum Groups<'a> {
    /// By their definitions; `is_beside` where the output lies beside them.
    Definitions { memo: &'a mut fleet::Memo, is_beside: bool, now: Timestamp },
    /// By the folders of the output.
    Output,
}

impl Groups<'_> {
    /// Of the paths that changed.
    fn of(self, tree: &Tree, changed: &[String]) -> BTreeMap<ClusterId, Group> {
        let group = |paths, definition, may_vanish| Group { paths, definition, may_vanish };
        match self {
            Self::Output => {
                let folders = changed.iter().filter_map(|path| folder(path));
                folders.map(|(id, dir)| (id, group(vec![dir.to_owned()], None, true))).collect()
            }
            Self::Definitions { memo, is_beside, now } => {
                let mut groups = BTreeMap::new();
                for (id, wanted) in fleet::load(tree, memo, now).want.clusters {
                    let mut paths = vec![wanted.lock_path.clone()];
                    paths.extend(wanted.lock_found_at.clone().filter(|path| *path != wanted.lock_path));
                    paths.extend(is_beside.then(|| wanted.output_dir()));
                    if changed.iter().any(|path| paths.iter().any(|root| is_in(path, root))) {
                        groups.insert(id, group(paths, Some(wanted.path.clone()), is_beside));
                    }
                }
                groups
            }
        }
    }
}

fn is_in(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The cluster that a file of the output belongs to, with its folder: `rendered/<management cluster>/<namespace>/<name>`.
fn folder(path: &str) -> Option<(ClusterId, &str)> {
    let mut ends = path.match_indices('/').map(|(at, _)| at);
    let dir = path.get(..ends.nth(3)?)?;
    let mut parts = dir.split('/');
    let (root, _, namespace, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let id = format!("{namespace}.{name}").parse().ok()?;
    (root == "rendered").then_some((id, dir))
}

impl Side {
    pub(crate) fn load(
        repo: &mut Repo,
        full_ref: &str,
        history: &mut History,
        tip: Oid,
        owned: fn(&str) -> bool,
        groups: Groups<'_>,
    ) -> Result<Self, git::Error> {
        repo.fetch_ref(full_ref, tip)?;
        history.advance(repo, tip)?;
        let tree = repo.tree_in(full_ref, tip)?;
        let newest = history.newest.clone();
        let (mut corrected, mut put_right, mut reverted) = (tree.clone(), Vec::new(), BTreeMap::new());
        let mut newest_at = None;
        if let Some(last) = &newest {
            newest_at = Some(repo.commit_info(last.id)?.committer_time);
            let mut changed = Vec::new();
            let last_tree = if last.id == tip { tree.clone() } else { repo.tree_in(full_ref, last.id)? };
            if last.id != tip {
                changed = repo.diff_paths(last.id, tip)?;
                changed.retain(|path| owned(path) && is_written_by_an_engine(path, &last_tree));
            }
            let groups = if changed.is_empty() { BTreeMap::new() } else { groups.of(&tree, &changed) };
            let found = judged(repo, history, last, tip, &groups)?;
            let kept = Kept::of(repo, full_ref, &found, &groups)?;
            corrected = correct(&tree, &last_tree, &changed, &kept);
            put_right = changed;
            put_right.retain(|path| corrected.entry(path) != tree.entry(path));
            reverted = found.reverted;
        }
        Ok(Self { tree, corrected, put_right, newest, newest_at, reverted })
    }
}

/// Below `gitops/` people have files of their own; what an engine wrote there says so.
fn is_written_by_an_engine(path: &str, last: &Tree) -> bool {
    !path.starts_with("gitops/") || render::is_ours(last, path)
}

/// Where the files are that people's reverts left.
struct Kept {
    roots: BTreeMap<String, Oid>,
    shared: Option<Oid>,
    trees: BTreeMap<Oid, Tree>,
}

impl Kept {
    fn of(
        repo: &Repo,
        full_ref: &str,
        judged: &Judged,
        groups: &BTreeMap<ClusterId, Group>,
    ) -> Result<Self, git::Error> {
        let Judged { reverted: _, bases, shared } = judged;
        let mut trees = BTreeMap::new();
        for base in bases.values().chain(shared) {
            if !trees.contains_key(base) {
                trees.insert(*base, repo.tree_in(full_ref, *base)?);
            }
        }
        let paths = |(id, base): (&ClusterId, &Oid)| {
            let paths = groups.get(id).into_iter().flat_map(|group| group.paths.clone());
            paths.map(|path| (path, *base)).collect::<Vec<_>>()
        };
        Ok(Self { roots: bases.iter().flat_map(paths).collect(), shared: *shared, trees })
    }

    /// The tree that has the last word on a path; None for the engine's last commit.
    fn tree(&self, path: &str) -> Option<&Tree> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let base = ends.filter_map(|end| self.roots.get(path.get(..end)?)).next();
        let base = base.or_else(|| self.shared.as_ref().filter(|_| is_shared(path)))?;
        self.trees.get(base)
    }
}

/// Of no single cluster: it follows from what is there of all of them.
fn is_shared(path: &str) -> bool {
    let is_namespace = path.strip_prefix("rendered/").and_then(|rest| rest.split('/').nth(1)) == Some("namespaces");
    is_namespace || path.starts_with("gitops/")
}

/// The tip with these paths as they were left. `changed` is sorted.
fn correct(tip: &Tree, last: &Tree, changed: &[String], kept: &Kept) -> Tree {
    if changed.is_empty() {
        return tip.clone();
    }
    let is_changed = |entry: &&Entry| changed.binary_search(&entry.path).is_ok();
    let people = tip.entries().iter().filter(|entry| !is_changed(entry));
    let left = changed.iter().filter_map(|path| kept.tree(path).unwrap_or(last).entry(path));
    tip.with_entries(people.chain(left).cloned().collect())
}

/// For the output's own branch.
pub(crate) fn output_side(
    repo: &mut Repo,
    full_ref: &str,
    history: &mut History,
    tip: Oid,
) -> Result<Side, git::Error> {
    Side::load(repo, full_ref, history, tip, is_output, Groups::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_belong_to_the_cluster_whose_folder_they_are_in() {
        let of = |path| folder(path).map(|(id, dir)| (id.to_string(), dir.to_owned()));
        let found = Some(("default.shop".to_owned(), "rendered/mgmt/default/shop".to_owned()));
        assert_eq!(of("rendered/mgmt/default/shop/pools.yaml"), found);
        assert_eq!(of("rendered/mgmt/namespaces/default.yaml"), None);
        assert_eq!(of("gitops/argocd/a/b/c.yaml"), None);
        assert!(is_shared("rendered/mgmt/namespaces/default.yaml") && is_shared("gitops/flux/x.yaml"));
        assert!(!is_shared("rendered/mgmt/default/shop/pools.yaml") && !is_shared("tombstones/default.shop.yaml"));
    }
}
