//! Commits of the cache: what they say, what they descend from, what they changed.

use super::Repo;
use crate::cache::Store;
use crate::{Error, Oid};
use git2::{Commit, DiffOptions, ErrorCode, Repository, Sort};
use std::path::Path;

/// How many commits a server is told that we have. The newest of each ref suffice unless history was rewritten.
const HAVE_MAX: usize = 256;

/// What a commit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    pub id: Oid,
    pub parents: Vec<Oid>,
    pub tree: Oid,
    /// Lossy where it is no UTF-8.
    pub message: String,
    pub author_name: String,
    pub author_email: String,
    /// Seconds since the epoch.
    pub committer_time: i64,
}

impl CommitInfo {
    fn of(commit: &Commit<'_>) -> Result<Self, git2::Error> {
        let author = commit.author();
        Ok(Self {
            id: ours(commit.id())?,
            parents: commit.parent_ids().map(ours).collect::<Result<_, _>>()?,
            tree: ours(commit.tree_id())?,
            message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
            author_name: String::from_utf8_lossy(author.name_bytes()).into_owned(),
            author_email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
            committer_time: commit.time().seconds(),
        })
    }
}

pub(crate) fn ours(id: git2::Oid) -> Result<Oid, git2::Error> {
    id.try_into().map_err(|e: crate::OidError| git2::Error::from_str(&e.to_string()))
}

pub(super) fn find(repo: &Repository, id: Oid) -> Result<Commit<'_>, git2::Error> {
    repo.find_commit(crate::oid::raw(&id.0)?)
}

impl Repo {
    /// A commit that is in the cache.
    pub fn commit_info(&self, id: Oid) -> Result<CommitInfo, Error> {
        info(&self.store, id)
    }

    /// The commit itself, its first parent, and so on to the root.
    pub fn first_parent(&self, from: Oid) -> FirstParents<'_> {
        FirstParents { store: &self.store, next: Some(from) }
    }

    /// Every commit in the history of `tip` that is not in that of `known`, children before their parents, at most `max`.
    pub fn since(&self, tip: Oid, known: Option<Oid>, max: usize) -> Result<Vec<CommitInfo>, Error> {
        self.ids_since(tip, known, max)?.into_iter().map(|id| self.commit_info(id)).collect()
    }

    /// The same, ids only: what a commit says is read when somebody asks.
    pub fn ids_since(&self, tip: Oid, known: Option<Oid>, max: usize) -> Result<Vec<Oid>, Error> {
        let known = match known {
            Some(known) if self.store.holds(known)? => Some(known),
            Some(_) | None => None,
        };
        self.store.with_known(|repo| {
            let mut walk = repo.revwalk()?;
            walk.set_sorting(git2::Sort::TOPOLOGICAL)?;
            walk.push(crate::oid::raw(&tip.0)?)?;
            if let Some(known) = known {
                walk.hide(crate::oid::raw(&known.0)?)?;
            }
            walk.take(max).map(|id| ours(id?)).collect()
        })
    }

    /// What a commit has at each of these paths: the id of a file or of a folder, None where there is nothing.
    pub fn ids_at<P: AsRef<Path>>(&self, commit: Oid, paths: &[P]) -> Result<Vec<Option<Oid>>, Error> {
        self.store.with_known(|repo| {
            let tree = find(repo, commit)?.tree()?;
            let at = |path: &P| match tree.get_path(path.as_ref()) {
                Ok(entry) => ours(entry.id()).map(Some),
                Err(e) if is_missing(&e) => Ok(None),
                Err(e) => Err(e),
            };
            paths.iter().map(at).collect()
        })
    }

    /// Notes a commit under a name in the cache, or forgets it; no remote ever sees it, and it goes with the cache.
    pub fn note(&self, name: &str, commit: Option<Oid>) -> Result<(), Error> {
        self.store.note(name, commit)
    }

    /// What was noted under a name. The commit itself may be gone from the cache.
    pub fn noted(&self, name: &str) -> Result<Option<Oid>, Error> {
        self.store.noted(name)
    }

    /// Whether `descendant` is `ancestor` or has it in its history. What is not in the cache has no history and is in none.
    pub fn is_ancestor(&self, ancestor: Oid, descendant: Oid) -> Result<bool, Error> {
        if ancestor == descendant {
            return Ok(true);
        }
        if !self.store.holds(ancestor)? || !self.store.holds(descendant)? {
            return Ok(false);
        }
        self.store.with_known(|repo| {
            let (descendant, ancestor) = (crate::oid::raw(&descendant.0)?, crate::oid::raw(&ancestor.0)?);
            repo.graph_descendant_of(descendant, ancestor)
        })
    }

    /// The paths that a commit changed against its first parent; all of them for a root commit. Sorted.
    pub fn changed_paths(&self, commit: Oid) -> Result<Vec<String>, Error> {
        let parent = self.commit_info(commit)?.parents.first().copied();
        diff(&self.store, parent, commit)
    }

    /// The paths in which two commits differ, wherever they stand. Sorted.
    pub fn diff_paths(&self, a: Oid, b: Oid) -> Result<Vec<String>, Error> {
        diff(&self.store, Some(a), b)
    }
}

pub(super) fn info(store: &Store, id: Oid) -> Result<CommitInfo, Error> {
    store.with_known(|repo| CommitInfo::of(&find(repo, id)?))
}

fn diff(store: &Store, old: Option<Oid>, new: Oid) -> Result<Vec<String>, Error> {
    store.with_known(|repo| {
        let old = old.map(|id| find(repo, id)?.tree()).transpose()?;
        let new = find(repo, new)?.tree()?;
        let mut options = DiffOptions::new();
        options.include_typechange(true).skip_binary_check(true).ignore_submodules(false);
        let diff = repo.diff_tree_to_tree(old.as_ref(), Some(&new), Some(&mut options))?;
        let files = diff.deltas().flat_map(|d| [d.old_file().path_bytes(), d.new_file().path_bytes()]);
        let mut paths: Vec<String> = files.flatten().map(|p| String::from_utf8_lossy(p).into_owned()).collect();
        paths.sort_unstable();
        paths.dedup();
        Ok(paths)
    })
}

/// The commits that a server may take as known, newest first.
pub(super) fn newest(store: &Store) -> Result<Vec<Oid>, Error> {
    let tips = store.remembered()?;
    store.with_known(|repo| {
        let mut walk = repo.revwalk()?;
        walk.set_sorting(Sort::TIME)?;
        tips.into_iter().try_for_each(|id| walk.push(id))?;
        walk.take(HAVE_MAX).map(|id| ours(id?)).collect()
    })
}

/// Commits along first parents, newest first.
#[derive(Debug)]
pub struct FirstParents<'a> {
    store: &'a Store,
    next: Option<Oid>,
}

impl Iterator for FirstParents<'_> {
    type Item = Result<CommitInfo, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = info(self.store, self.next.take()?);
        if let Ok(commit) = &found {
            self.next = commit.parents.first().copied();
        }
        Some(found)
    }
}

/// "Not there" as libgit2 says it.
pub(super) fn is_missing(error: &git2::Error) -> bool {
    error.code() == ErrorCode::NotFound
}
