//! A folder on disk as a tree: what `validate`, `plan DIR` and `render` read. Symlinks are not followed, repositories
//! inside of it are not entered, and only YAML is hashed.

pub(crate) mod committed;

use anyhow::{Context as _, bail};
use model::{BlobId, Entry, EntryKind, ReadBlob, ReadError, Tree};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Of the largest fleet that is benchmarked, output included, a tenfold.
const ENTRIES_MAX: usize = 500_000;
/// Deeper folders are a loop of mounts or a mistake.
const DEPTH_MAX: usize = 64;
/// Larger files get no Git id: nothing that Ferrofleet reads or writes is as large.
const HASHED_BYTES_MAX: u64 = 16 << 20;

/// Reads the folder's paths; bytes are read again when they are asked for.
pub(crate) fn tree(root: &Path) -> anyhow::Result<Tree> {
    let kind = std::fs::metadata(root).with_context(|| format!("{} cannot be read", root.display()))?;
    if !kind.is_dir() {
        bail!("{} is no folder", root.display());
    }
    let mut walk = Walk { root, entries: Vec::new(), files: HashMap::new() };
    walk.folder(root, "", 0)?;
    let Walk { root: _, entries, files } = walk;
    Ok(Tree::new(entries, Arc::new(Files(files))))
}

/// Whether a file is one that documents are read from; others get no Git id.
fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

/// The files of a tree by id, with their sizes when they were walked.
struct Files(HashMap<BlobId, PathBuf>);

impl ReadBlob for Files {
    fn read(&self, id: &BlobId, max_bytes: usize) -> Result<Vec<u8>, ReadError> {
        let unreadable = |why: String| ReadError::Unreadable { id: *id, why };
        let path = self.0.get(id).ok_or_else(|| unreadable("not in this folder".to_owned()))?;
        let size = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?.len();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > max_bytes {
            return Err(ReadError::TooLarge { bytes: size, max: max_bytes });
        }
        std::fs::read(path).map_err(|e| unreadable(e.to_string()))
    }
}

struct Walk<'a> {
    root: &'a Path,
    entries: Vec<Entry>,
    files: HashMap<BlobId, PathBuf>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> anyhow::Result<()> {
        if depth > DEPTH_MAX {
            bail!("{} lies deeper than {DEPTH_MAX} folders", folder.display());
        }
        let cannot = || format!("{} cannot be read", folder.display());
        for entry in std::fs::read_dir(folder).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == ".git" {
                continue;
            }
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            self.entry(&entry, path, depth).with_context(|| format!("{} cannot be read", entry.path().display()))?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &std::fs::DirEntry, path: String, depth: usize) -> anyhow::Result<()> {
        let kind = entry.file_type()?;
        let on_disk = entry.path();
        if kind.is_symlink() {
            return self.push(path, EntryKind::Symlink);
        }
        if kind.is_dir() {
            if on_disk.join(".git").exists() {
                return self.push(path, EntryKind::Submodule);
            }
            return self.folder(&on_disk, &path, depth + 1);
        }
        if !kind.is_file() {
            return Ok(());
        }
        let id = if is_yaml(&path) && entry.metadata()?.len() <= HASHED_BYTES_MAX {
            model::digest::blob_id(&std::fs::read(&on_disk)?)
        } else {
            // Only has to differ from every other id.
            model::digest::blob_id(format!("not hashed: {path}").as_bytes())
        };
        self.files.insert(id, on_disk);
        self.limit()?;
        self.entries.push(Entry { path, id, kind: EntryKind::File });
        Ok(())
    }

    fn push(&mut self, path: String, kind: EntryKind) -> anyhow::Result<()> {
        self.limit()?;
        let id = model::digest::blob_id(format!("not read: {path}").as_bytes());
        self.entries.push(Entry { path, id, kind });
        Ok(())
    }

    fn limit(&self) -> anyhow::Result<()> {
        if self.entries.len() >= ENTRIES_MAX {
            bail!("{} holds more than {ENTRIES_MAX} files", self.root.display());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symlinks_are_named_and_repositories_are_not_entered() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("fleet.yaml", "kind: Fleet\n");
        write(".git/config", "");
        write("a/cluster.yaml", "x");
        write("vendored/.git", "gitdir: elsewhere");
        write("vendored/cluster.yaml", "x");
        std::os::unix::fs::symlink("/etc", dir.path().join("etc")).unwrap();
        let tree = tree(dir.path()).unwrap();
        let found: Vec<_> = tree.entries().iter().map(|e| (e.path.as_str(), e.kind)).collect();
        let expected = [
            ("a/cluster.yaml", EntryKind::File),
            ("etc", EntryKind::Symlink),
            ("fleet.yaml", EntryKind::File),
            ("vendored", EntryKind::Submodule),
        ];
        assert_eq!(found, expected);
        let fleet = tree.entry("fleet.yaml").unwrap();
        assert_eq!(fleet.id, model::digest::blob_id(b"kind: Fleet\n"));
        assert_eq!(tree.read(&fleet.id, 100).unwrap(), b"kind: Fleet\n");
        assert_eq!(tree.read(&fleet.id, 3), Err(ReadError::TooLarge { bytes: 12, max: 3 }));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = tree(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(error.to_string(), "/nowhere/at/all cannot be read");
    }
}
