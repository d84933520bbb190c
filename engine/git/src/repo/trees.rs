//! The paths of a commit. Folders are remembered by their tree's id, so that a tip that differs from the last one in one
//! file costs the folders above that file.

use super::history::find;
use crate::cache::Store;
use crate::{Error, Oid};
use model::{BlobId, Entry, EntryKind};
use std::collections::HashMap;
use std::sync::Arc;

/// A fleet of ten thousand clusters has a hundred thousand files.
const ENTRIES_MAX: usize = 1_000_000;
/// Deeper paths are longer than file systems take.
const DEPTH_MAX: usize = 128;
/// A path of a thousand folders with long names repeats them in every entry.
const PATH_BYTES_MAX: usize = 256 << 20;

const MODE_TREE: i32 = 0o040_000;
const MODE_EXECUTABLE: i32 = 0o100_755;
const MODE_SYMLINK: i32 = 0o120_000;
const MODE_SUBMODULE: i32 = 0o160_000;

/// What a folder holds.
#[derive(Clone, Debug)]
struct Child {
    name: String,
    id: [u8; 20],
    /// None for a folder.
    kind: Option<EntryKind>,
}

/// The folders of the tree that was read last.
#[derive(Debug, Default)]
pub(super) struct Memo {
    folders: HashMap<[u8; 20], Arc<[Child]>>,
}

/// One reading of a tree.
struct Walk<'a> {
    store: &'a Store,
    commit: Oid,
    last: &'a mut HashMap<[u8; 20], Arc<[Child]>>,
    folders: HashMap<[u8; 20], Arc<[Child]>>,
    entries: Vec<Entry>,
    path_bytes: usize,
}

impl Memo {
    /// All entries of a commit, in Git's order, which is the order of their paths.
    pub(super) fn entries(&mut self, store: &Store, commit: Oid) -> Result<Vec<Entry>, Error> {
        let root = store.with_known(|repo| super::history::ours(find(repo, commit)?.tree_id()))?;
        let mut walk = Walk {
            store,
            commit,
            last: &mut self.folders,
            folders: HashMap::new(),
            entries: Vec::new(),
            path_bytes: 0,
        };
        let mut path = String::new();
        walk.folder(root.0, &mut path, 0)?;
        let Walk { folders, entries, .. } = walk;
        self.folders = folders;
        Ok(entries)
    }
}

impl Walk<'_> {
    fn folder(&mut self, id: [u8; 20], path: &mut String, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(self.limit(format!("folders nested deeper than {DEPTH_MAX}")));
        }
        let children = self.children(id)?;
        for child in children.iter() {
            let length = path.len();
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(&child.name);
            match child.kind {
                None => self.folder(child.id, path, depth + 1)?,
                Some(kind) => self.entry(Entry { path: path.clone(), id: BlobId(child.id), kind })?,
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn entry(&mut self, entry: Entry) -> Result<(), Error> {
        self.path_bytes += entry.path.len();
        if self.entries.len() >= ENTRIES_MAX || self.path_bytes > PATH_BYTES_MAX {
            return Err(self.limit(format!("more than {ENTRIES_MAX} files")));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn limit(&self, what: String) -> Error {
        Error::TreeLimit { commit: self.commit, what }
    }

    fn children(&mut self, id: [u8; 20]) -> Result<Arc<[Child]>, Error> {
        let known = self.folders.get(&id).or_else(|| self.last.get(&id)).cloned();
        let children = match known {
            Some(children) => children,
            None => read(self.store, &id)?,
        };
        self.folders.insert(id, children.clone());
        Ok(children)
    }
}

fn read(store: &Store, id: &[u8; 20]) -> Result<Arc<[Child]>, Error> {
    store.with_known(|repo| {
        let tree = repo.find_tree(crate::oid::raw(id)?)?;
        tree.iter()
            .map(|entry| {
                let kind = match entry.filemode() {
                    MODE_TREE => None,
                    MODE_EXECUTABLE => Some(EntryKind::Executable),
                    MODE_SYMLINK => Some(EntryKind::Symlink),
                    MODE_SUBMODULE => Some(EntryKind::Submodule),
                    _ => Some(EntryKind::File),
                };
                let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
                Ok(Child { name, id: super::history::ours(entry.id())?.0, kind })
            })
            .collect()
    })
}
