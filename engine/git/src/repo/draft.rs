//! A commit in the making: each file goes to the object database at once, only names are kept.

use super::history::{find, is_missing, ours};
use crate::cache::Store;
use crate::{Author, Error, Oid};
use git2::build::TreeUpdateBuilder;
use git2::{Commit, FileMode, ObjectType, Repository, Signature, Time, Tree};
use model::{Sink, SinkError};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const MODE_FILE: i32 = 0o100_644;

/// Changes on top of a parent, or the first commit of a new branch. A `put` of what the parent holds is no change.
#[derive(Debug)]
pub struct Draft {
    store: Arc<Store>,
    parent: Option<Oid>,
    /// Path to the new blob, None for removed.
    changes: BTreeMap<String, Option<git2::Oid>>,
}

impl Draft {
    pub(super) fn new(store: Arc<Store>, parent: Option<Oid>) -> Self {
        Self { store, parent, changes: BTreeMap::new() }
    }

    /// Whether a commit of it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changed paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.changes.keys().map(String::as_str)
    }

    pub(super) fn commit(self, message: &str, author: &Author, now: i64) -> Result<Oid, Error> {
        if self.changes.is_empty() {
            return Err(Error::EmptyDraft);
        }
        self.store.with_known(|repo| {
            let parent = self.parent.map(|id| find(repo, id)).transpose()?;
            let before = match &parent {
                Some(parent) => parent.tree()?,
                None => repo.find_tree(repo.treebuilder(None)?.write()?)?,
            };
            let mut update = TreeUpdateBuilder::new();
            for (path, blob) in &self.changes {
                match blob {
                    Some(id) => update.upsert(path.as_str(), *id, FileMode::Blob),
                    None => update.remove(path.as_str()),
                };
            }
            let tree = repo.find_tree(update.create_updated(repo, &before)?)?;
            write(repo, parent.as_ref(), &tree, message, author, now)
        })
    }
}

pub(super) fn commit_tree_of(
    store: &Store,
    parent: Oid,
    message: &str,
    author: &Author,
    now: i64,
) -> Result<Oid, Error> {
    store.with_known(|repo| {
        let parent = find(repo, parent)?;
        write(repo, Some(&parent), &parent.tree()?, message, author, now)
    })
}

fn write(
    repo: &Repository,
    parent: Option<&Commit<'_>>,
    tree: &Tree<'_>,
    message: &str,
    author: &Author,
    now: i64,
) -> Result<Oid, git2::Error> {
    let signature = Signature::new(&author.name, &author.email, &Time::new(now, 0))?;
    ours(repo.commit(None, &signature, &signature, message, tree, parent.as_slice())?)
}

/// What the parent holds at a path: mode and blob.
fn held(repo: &Repository, parent: Option<Oid>, path: &str) -> Result<Option<(i32, git2::Oid)>, git2::Error> {
    let Some(parent) = parent else { return Ok(None) };
    match find(repo, parent)?.tree()?.get_path(Path::new(path)) {
        Ok(entry) => Ok(Some((entry.filemode(), entry.id()))),
        Err(e) if is_missing(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

fn checked(path: &str) -> Result<(), SinkError> {
    let fail = |why: &str| Err(SinkError { path: path.to_owned(), why: why.to_owned() });
    if path.bytes().any(|b| b == 0 || b == b'\n') {
        return fail("it holds a character that no path may");
    }
    for part in path.split('/') {
        if matches!(part, "" | "." | "..") {
            return fail("not a path below the root");
        }
        if part.eq_ignore_ascii_case(".git") {
            return fail(".git is Git's own");
        }
    }
    Ok(())
}

impl Sink for Draft {
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), SinkError> {
        checked(path)?;
        let parent = self.parent;
        let blob = self.store.with(|repo| {
            let id = git2::Oid::hash_object(ObjectType::Blob, bytes)?;
            if held(repo, parent, path)? == Some((MODE_FILE, id)) {
                return Ok(None);
            }
            repo.blob(bytes).map(Some)
        });
        match blob.map_err(|e| SinkError { path: path.to_owned(), why: e.to_string() })? {
            Some(id) => self.changes.insert(path.to_owned(), Some(id)),
            None => self.changes.remove(path),
        };
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), SinkError> {
        checked(path)?;
        let parent = self.parent;
        let held = self.store.with(|repo| held(repo, parent, path));
        match held.map_err(|e| SinkError { path: path.to_owned(), why: e.to_string() })? {
            Some(_) => self.changes.insert(path.to_owned(), None),
            None => self.changes.remove(path),
        };
        Ok(())
    }
}
