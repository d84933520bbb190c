//! The objects of a cache: one libgit2 handle behind a mutex, shared by a repository, its drafts and its trees.

use super::Cache;
use crate::{Error, Oid};
use git2::{ErrorCode, ObjectType, Repository};
use model::{BlobId, ReadBlob, ReadError};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Refs of what was fetched or pushed: `refs/remote/<hash of the full ref>`, so that no name clashes with another.
const REFS: &str = "refs/remote/";

/// Refs of what this side wants to remember: never pushed, never told to a server.
const NOTES: &str = "refs/ferrofleet/";

/// Objects and refs of one cache.
pub(crate) struct Store {
    cache: Arc<Cache>,
    slot: Mutex<Slot>,
}

struct Slot {
    repository: Repository,
    /// Of the cache, when it was opened.
    generation: u64,
}

impl Store {
    pub(crate) fn open(cache: Arc<Cache>) -> Result<Self, Error> {
        let generation = *cache.enter();
        let repository = cache.open_repository()?;
        Ok(Self { cache, slot: Mutex::new(Slot { repository, generation }) })
    }

    /// Uses the repository. An error other than "not found" marks the cache as damaged.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&Repository) -> Result<R, git2::Error>) -> Result<R, Error> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let current = *self.cache.enter();
        if current != slot.generation {
            slot.repository = self.cache.open_repository()?;
            slot.generation = current;
        }
        let entered = self.cache.enter();
        let result = work(&slot.repository);
        drop(entered);
        result.map_err(|e| self.failed(&e))
    }

    /// The same for objects that must be there: not finding them is damage too.
    pub(crate) fn with_known<R>(&self, work: impl FnOnce(&Repository) -> Result<R, git2::Error>) -> Result<R, Error> {
        let result = self.with(work);
        if matches!(result, Err(Error::Cache { .. })) {
            self.cache.mark_damaged();
        }
        result
    }

    fn failed(&self, error: &git2::Error) -> Error {
        if error.code() != ErrorCode::NotFound {
            self.cache.mark_damaged();
        }
        Error::Cache { dir: self.cache.repository().to_owned(), why: error.message().to_owned() }
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Whether a commit is there. With a commit comes its history: packs are closed, and our own have known parents.
    pub(crate) fn holds(&self, id: Oid) -> Result<bool, Error> {
        self.with(|repo| {
            let odb = repo.odb()?;
            let id = crate::oid::raw(&id.0)?;
            match odb.read_header(id) {
                Ok((_, kind)) => Ok(kind == ObjectType::Commit),
                Err(e) if e.code() == ErrorCode::NotFound => Ok(false),
                Err(e) => Err(e),
            }
        })
    }

    /// Remembers what a ref of the remote was; the object must be there.
    pub(crate) fn remember(&self, full_ref: &str, id: Oid) -> Result<(), Error> {
        self.set(&hashed(REFS, full_ref), id)
    }

    /// Notes a commit under a name of this side's own, or forgets it.
    pub(crate) fn note(&self, name: &str, id: Option<Oid>) -> Result<(), Error> {
        let name = hashed(NOTES, name);
        match id {
            Some(id) => self.set(&name, id),
            None => self.unset(&name),
        }
    }

    pub(crate) fn noted(&self, name: &str) -> Result<Option<Oid>, Error> {
        let name = hashed(NOTES, name);
        self.with(|repo| match repo.refname_to_id(&name) {
            Ok(id) => crate::repo::ours(id).map(Some),
            Err(e) if e.code() == ErrorCode::NotFound => Ok(None),
            Err(e) => Err(e),
        })
    }

    fn set(&self, name: &str, id: Oid) -> Result<(), Error> {
        self.with(|repo| {
            let id = crate::oid::raw(&id.0)?;
            if repo.refname_to_id(name).is_ok_and(|found| found == id) {
                return Ok(());
            }
            repo.reference(name, id, true, "")?;
            Ok(())
        })
    }

    pub(crate) fn forget(&self, full_ref: &str) -> Result<(), Error> {
        self.unset(&hashed(REFS, full_ref))
    }

    fn unset(&self, name: &str) -> Result<(), Error> {
        self.with(|repo| match repo.find_reference(name) {
            Ok(mut found) => found.delete(),
            Err(e) if e.code() == ErrorCode::NotFound => Ok(()),
            Err(e) => Err(e),
        })
    }

    /// What the remote is known to have had.
    pub(crate) fn remembered(&self) -> Result<Vec<git2::Oid>, Error> {
        self.with(|repo| {
            let mut tips = Vec::new();
            for found in repo.references_glob(&format!("{REFS}*"))? {
                tips.extend(found?.target());
            }
            tips.sort_unstable();
            tips.dedup();
            Ok(tips)
        })
    }
}

fn hashed(folder: &str, name: &str) -> String {
    format!("{folder}{}", hex::encode(&Sha256::digest(name)[..16]))
}

impl ReadBlob for Store {
    fn read(&self, id: &BlobId, max_bytes: usize) -> Result<Vec<u8>, ReadError> {
        enum Found {
            Bytes(Vec<u8>),
            TooLarge(usize),
        }
        let found = self.with(|repo| {
            let odb = repo.odb()?;
            let id = crate::oid::raw(&id.0)?;
            // The size first: nobody makes us unpack a gigabyte.
            let (bytes, kind) = odb.read_header(id)?;
            if kind != ObjectType::Blob {
                return Err(git2::Error::new(ErrorCode::NotFound, git2::ErrorClass::Object, "not a blob"));
            }
            if bytes > max_bytes {
                return Ok(Found::TooLarge(bytes));
            }
            Ok(Found::Bytes(odb.read(id)?.data().to_vec()))
        });
        match found {
            Ok(Found::Bytes(bytes)) => Ok(bytes),
            Ok(Found::TooLarge(bytes)) => Err(ReadError::TooLarge { bytes, max: max_bytes }),
            Err(error) => Err(ReadError::Unreadable { id: *id, why: error.to_string() }),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("cache", &self.cache).finish_non_exhaustive()
    }
}
