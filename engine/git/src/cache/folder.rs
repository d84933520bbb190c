//! The folder of a cache: its name, its lock, and starting over.

use super::tidy::Tidied;
use crate::{Error, RemoteUrl};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use tempfile::TempDir;

/// Part of a folder's name: another layout would be another folder.
const LAYOUT: &str = "v1";
const REPOSITORY: &str = "repo.git";
const LOCK: &str = "lock";
const TEMPORARY: &str = "tmp-";

/// The caches that this process has open, by folder.
static OPEN: LazyLock<Mutex<HashMap<PathBuf, Weak<Cache>>>> = LazyLock::new(Mutex::default);

/// An owned cache folder.
#[derive(Debug)]
pub(crate) struct Cache {
    /// The bare repository.
    repository: PathBuf,
    /// Something in it could not be read; the next fetch starts over.
    damaged: AtomicBool,
    /// Counts how often it was started over. Whoever uses the repository holds it for reading.
    generation: RwLock<u64>,
    /// What was tidied already; held by whoever tidies.
    tidied: Mutex<Option<Tidied>>,
    /// Locked as long as we live.
    _lock: File,
    /// Removed when we end.
    _temporary: Option<TempDir>,
}

impl Cache {
    /// The remote's folder below `cache_dir`, shared within the process; a temporary one when another process has it.
    pub(crate) fn open(cache_dir: &Path, url: &RemoteUrl) -> Result<Arc<Self>, Error> {
        let folder = cache_dir.join(folder_name(&url.canonical()));
        let fail = |e: io::Error| Error::Cache { dir: folder.clone(), why: e.to_string() };
        // A program that runs as somebody may be the only one that may read a fleet.
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(fail)?;
        let folder = std::fs::canonicalize(&folder).map_err(fail)?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, cache| cache.strong_count() > 0);
        if let Some(cache) = open.get(&folder).and_then(Weak::upgrade) {
            return Ok(cache);
        }
        let fail = |e: io::Error| Error::Cache { dir: folder.clone(), why: e.to_string() };
        let cache = Arc::new(Self::acquire(&folder).map_err(fail)?);
        if cache._temporary.is_none() {
            open.insert(folder, Arc::downgrade(&cache));
        }
        Ok(cache)
    }

    fn acquire(folder: &Path) -> io::Result<Self> {
        let gate = lock_file(&folder.join("gate"))?;
        // Held while folders are made and swept, which is short.
        gate.lock()?;
        sweep(folder);
        let lock = lock_file(&folder.join(LOCK))?;
        let (home, lock, temporary) = match lock.try_lock() {
            Ok(()) => (folder.to_owned(), lock, None),
            Err(TryLockError::WouldBlock) => {
                let temporary = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(folder)?;
                let lock = lock_file(&temporary.path().join(LOCK))?;
                lock.lock()?;
                tracing::debug!(folder = %folder.display(), "another process has this cache; using a temporary one");
                (temporary.path().to_owned(), lock, Some(temporary))
            }
            Err(TryLockError::Error(e)) => return Err(e),
        };
        Ok(Self {
            repository: home.join(REPOSITORY),
            damaged: AtomicBool::new(false),
            generation: RwLock::new(0),
            tidied: Mutex::default(),
            _lock: lock,
            _temporary: temporary,
        })
    }

    pub(crate) fn repository(&self) -> &Path {
        &self.repository
    }

    /// Held while the repository is used; its value changes when the repository was started over.
    pub(crate) fn enter(&self) -> RwLockReadGuard<'_, u64> {
        self.generation.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For changing files that open handles may know: only when nobody is inside. Raising the value has all handles
    /// opened anew.
    pub(super) fn enter_alone(&self) -> Option<RwLockWriteGuard<'_, u64>> {
        self.generation.try_write().ok()
    }

    pub(super) fn tidied(&self) -> MutexGuard<'_, Option<Tidied>> {
        self.tidied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mark_damaged(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Throws the repository away and makes an empty one.
    pub(crate) fn start_over(&self) -> Result<(), Error> {
        let mut generation = self.generation.write().unwrap_or_else(PoisonError::into_inner);
        tracing::warn!(cache = %self.repository.display(), "the cache is damaged; starting over");
        self.start_over_within(&mut generation)
    }

    fn start_over_within(&self, generation: &mut RwLockWriteGuard<'_, u64>) -> Result<(), Error> {
        let fail = |why: String| Error::Cache { dir: self.repository.clone(), why };
        match std::fs::remove_dir_all(&self.repository) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail(e.to_string())),
            _ => {}
        }
        self.init().map_err(|e| fail(e.message().to_owned()))?;
        **generation += 1;
        *self.tidied() = None;
        self.damaged.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn init(&self) -> Result<git2::Repository, git2::Error> {
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false).no_reinit(true).mkpath(true).initial_head("main");
        git2::Repository::init_opts(&self.repository, &options)
    }

    /// Opens the repository; what cannot be opened is started over.
    pub(crate) fn open_repository(&self) -> Result<git2::Repository, Error> {
        if let Ok(found) = git2::Repository::open_bare(&self.repository) {
            return Ok(found);
        }
        let mut generation = self.generation.write().unwrap_or_else(PoisonError::into_inner);
        self.start_over_within(&mut generation)?;
        drop(generation);
        let fail = |e: git2::Error| Error::Cache { dir: self.repository.clone(), why: e.message().to_owned() };
        git2::Repository::open_bare(&self.repository).map_err(fail)
    }
}

/// Readable, and one per canonical address.
fn folder_name(canonical: &str) -> String {
    let hash = hex::encode(&Sha256::digest(canonical.as_bytes())[..8]);
    let tail = canonical.rsplit("://").next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '-' };
    let tail: String = tail.chars().map(plain).collect();
    let from = tail.len().saturating_sub(60);
    format!("{}-{hash}-{LAYOUT}", tail[from..].trim_matches(['-', '.']))
}

fn lock_file(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// Removes temporary folders whose owner was killed.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(TEMPORARY)) {
        let lock = File::options().write(true).open(entry.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            // Left for the next sweep when it cannot be removed.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_within_a_process_and_swept_after_a_crash() {
        crate::setup::once();
        let dir = tempfile::tempdir().unwrap();
        let url = RemoteUrl::parse("https://host/x").unwrap();
        let one = Cache::open(dir.path(), &url).unwrap();
        let two = Cache::open(dir.path(), &url).unwrap();
        assert!(Arc::ptr_eq(&one, &two));
        let folder = one.repository().parent().unwrap().to_owned();
        drop((one, two));
        // Another process has it: another description of the same file is locked.
        let other = lock_file(&folder.join(LOCK)).unwrap();
        other.lock().unwrap();
        let left = folder.join("tmp-left-by-a-crash");
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join(LOCK), "").unwrap();
        let three = Cache::open(dir.path(), &url).unwrap();
        assert!(three.repository().starts_with(&folder) && three.repository() != folder.join(REPOSITORY));
        assert!(!left.exists());
        let temporary = three.repository().parent().unwrap().to_owned();
        assert!(temporary.exists());
        drop(three);
        assert!(!temporary.exists());
    }

    #[test]
    fn names_are_readable_and_safe() {
        let name = folder_name("https://git.example.com:8080/a/b");
        assert!(name.starts_with("git.example.com-8080-a-b-") && name.ends_with("-v1"), "{name}");
        assert_ne!(folder_name("https://a/b-c"), folder_name("https://a/b/c"));
        assert!(!folder_name("file:///../..").contains('/'));
        assert!(folder_name(&"ü".repeat(200)).len() < 100);
    }
}
