//! The tree of one commit: paths, blob ids and a reader; never the bytes of everything.
//! Writing goes through a `Sink`, one file at a time, for the same reason.

use std::{fmt, sync::Arc};

/// The id of a Git blob (SHA-1 of `blob <len>\0<bytes>`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 20]);

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a tree holds at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Executable,
    /// Never followed.
    Symlink,
    /// Never entered.
    Submodule,
}

/// One path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root, `/` between the parts, UTF-8 (lossy where it was not).
    pub path: String,
    pub id: BlobId,
    pub kind: EntryKind,
}

/// All entries of one commit, sorted by path, with a reader for their bytes.
#[derive(Clone)]
pub struct Tree {
    entries: Arc<[Entry]>,
    reader: Arc<dyn ReadBlob + Send + Sync>,
}

impl Tree {
    /// Takes the entries in any order.
    pub fn new(mut entries: Vec<Entry>, reader: Arc<dyn ReadBlob + Send + Sync>) -> Self {
        if !entries.is_sorted_by(|a, b| a.path <= b.path) {
            entries.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Self { entries: entries.into(), reader }
    }

    /// Other entries over the same reader.
    pub fn with_entries(&self, entries: Vec<Entry>) -> Self {
        Self::new(entries, self.reader.clone())
    }

    /// Entries whose blobs are in this tree's repository or the other's.
    pub fn joined(&self, other: &Self, entries: Vec<Entry>) -> Self {
        Self::new(entries, Arc::new(Joined(self.reader.clone(), other.reader.clone())))
    }

    /// Sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries.binary_search_by(|e| e.path.as_str().cmp(path)).ok().map(|i| &self.entries[i])
    }

    /// The entries below `folder` (without a slash at its end).
    pub fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let prefix = format!("{folder}/");
        let start = self.entries.partition_point(|e| e.path.as_str() < prefix.as_str());
        self.entries[start..].iter().take_while(move |e| e.path.starts_with(&prefix))
    }

    /// The bytes of a blob, refused when there are more than `max_bytes`.
    pub fn read(&self, id: &BlobId, max_bytes: usize) -> Result<Vec<u8>, ReadError> {
        self.reader.read(id, max_bytes)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

/// Reads blobs by id.
pub trait ReadBlob {
    fn read(&self, id: &BlobId, max_bytes: usize) -> Result<Vec<u8>, ReadError>;
}

struct Joined(Arc<dyn ReadBlob + Send + Sync>, Arc<dyn ReadBlob + Send + Sync>);

impl ReadBlob for Joined {
    fn read(&self, id: &BlobId, max_bytes: usize) -> Result<Vec<u8>, ReadError> {
        match self.0.read(id, max_bytes) {
            Err(ReadError::Unreadable { .. }) => self.1.read(id, max_bytes),
            read => read,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("{bytes} bytes, but at most {max} are read")]
    TooLarge { bytes: usize, max: usize },
    #[error("blob {id} cannot be read: {why}")]
    Unreadable { id: BlobId, why: String },
}

/// Takes changed files one by one. A `put` of what is there already, and a `remove` of what is not, is no change.
pub trait Sink {
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), SinkError>;
    fn remove(&mut self, path: &str) -> Result<(), SinkError>;
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} cannot be written: {why}")]
pub struct SinkError {
    pub path: String,
    pub why: String,
}

/// A tree and a sink in memory: work trees read from disk, tests, and offline rendering.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryTree {
    pub files: std::collections::BTreeMap<String, Vec<u8>>,
}

impl MemoryTree {
    /// A `Tree` over a copy of the files, with the ids Git would give them.
    pub fn tree(&self) -> Tree {
        let mut ids = std::collections::BTreeMap::new();
        let mut entries = Vec::with_capacity(self.files.len());
        for (path, bytes) in &self.files {
            let id = crate::digest::blob_id(bytes);
            ids.insert(id, bytes.clone());
            entries.push(Entry { path: path.clone(), id, kind: EntryKind::File });
        }
        Tree::new(entries, Arc::new(MemoryBlobs(ids)))
    }
}

struct MemoryBlobs(std::collections::BTreeMap<BlobId, Vec<u8>>);

impl ReadBlob for MemoryBlobs {
    fn read(&self, id: &BlobId, max_bytes: usize) -> Result<Vec<u8>, ReadError> {
        let bytes =
            self.0.get(id).ok_or_else(|| ReadError::Unreadable { id: *id, why: "not in this tree".to_owned() })?;
        if bytes.len() > max_bytes {
            return Err(ReadError::TooLarge { bytes: bytes.len(), max: max_bytes });
        }
        Ok(bytes.clone())
    }
}

impl Sink for MemoryTree {
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), SinkError> {
        self.files.insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), SinkError> {
        self.files.remove(path);
        Ok(())
    }
}
