//! The state file: written whole beside its place and then moved there.

use crate::{landscape::LandscapeError, world::World};
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Why a state file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{}: not a state file of this version: {source}", path.display())]
    Content { path: PathBuf, source: serde_json::Error },
    #[error("the state could not be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    #[error(transparent)]
    Landscape(#[from] LandscapeError),
}

#[derive(Debug)]
pub(crate) struct Saver {
    path: PathBuf,
    /// The revision that the file holds.
    saved: Mutex<Option<u64>>,
}

impl Saver {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), saved: Mutex::new(None) }
    }

    /// None without a file.
    pub(crate) fn load(&self) -> Result<Option<World>, SaveError> {
        match std::fs::read(&self.path) {
            Ok(bytes) => {
                let content = |source| SaveError::Content { path: self.path.clone(), source };
                serde_json::from_slice(&bytes).map(Some).map_err(content)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Writes what `snapshot` gives, unless somebody wrote this revision or a later one meanwhile.
    pub(crate) fn save(
        &self,
        revision: u64,
        snapshot: impl FnOnce() -> Result<(u64, Vec<u8>), serde_json::Error>,
    ) -> Result<(), SaveError> {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        if saved.is_some_and(|saved| saved >= revision) {
            return Ok(());
        }
        let (revision, bytes) = snapshot()?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|source| self.failed(source))?;
        file.write_all(&bytes).map_err(|source| self.failed(source))?;
        file.persist(&self.path).map_err(|error| self.failed(error.error))?;
        *saved = Some(revision);
        Ok(())
    }

    fn failed(&self, source: std::io::Error) -> SaveError {
        SaveError::File { path: self.path.clone(), source }
    }
}
