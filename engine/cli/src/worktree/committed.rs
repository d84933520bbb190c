//! What Git has of a work tree, as a tree: HEAD or another revision, for comparing.
//!
//! Asked of the program `git`, not of libgit2: it is the user's own repository, with their configuration, their
//! ownership rules and whatever repository format their Git knows. What did not change is read from the work tree.

use crate::exit::Usage;
use anyhow::{Context as _, bail};
use model::{BlobId, Entry, EntryKind, ReadBlob, ReadError, Tree};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The files of the folder at a revision. None where the folder is in no repository, or nothing was committed yet.
pub(crate) fn tree(root: &Path, revision: Option<&str>, now: &Tree) -> anyhow::Result<Option<Tree>> {
    let Ok(prefix) = asked(root, &["rev-parse", "--show-prefix"]) else {
        return match revision {
            Some(_) => Err(no_revision(format!("{} is in no Git work tree", root.display()))),
            None => Ok(None),
        };
    };
    let prefix = String::from_utf8(prefix).context("the folder's path is no UTF-8")?;
    let named = format!("{}^{{commit}}", revision.unwrap_or("HEAD"));
    let commit = match (asked(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &named]), revision) {
        (Ok(commit), _) => String::from_utf8(commit)?,
        (Err(_), None) => return Ok(None),
        (Err(_), Some(revision)) => {
            return Err(no_revision(format!("the repository of {} knows no revision {revision}", root.display())));
        }
    };
    let of_folder = format!("{}:{}", commit.trim(), prefix.trim_end_matches('\n'));
    let Ok(listing) = asked(root, &["ls-tree", "-r", "-z", "--full-tree", &of_folder]) else {
        // The folder itself is not committed yet.
        return Ok(Some(now.with_entries(Vec::new())));
    };
    let lines = listing.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    let entries = lines.map(entry).collect::<Option<Vec<_>>>();
    let entries =
        entries.with_context(|| format!("what `git ls-tree` says of {} is not understood", root.display()))?;
    let entries = entries.into_iter().filter_map(|entry| comparable(entry, now)).collect();
    let reader = Objects { root: root.to_owned(), now: now.clone() };
    Ok(Some(Tree::new(entries, Arc::new(reader))))
}

fn no_revision(what: String) -> anyhow::Error {
    Usage::new(what, "name a commit, a branch or a tag of the repository that the folder is in").into()
}

/// `<mode> <type> <id>\t<path>`.
fn entry(line: &[u8]) -> Option<Entry> {
    let line = String::from_utf8_lossy(line);
    let (about, path) = line.split_once('\t')?;
    let mut about = about.split(' ');
    let kind = match about.next()? {
        "100755" => EntryKind::Executable,
        "120000" => EntryKind::Symlink,
        "160000" => EntryKind::Submodule,
        _ => EntryKind::File,
    };
    // Repositories with SHA-256 have longer ids; theirs say nothing about the work tree.
    let id: git::Oid = about.nth(1)?.parse().ok()?;
    Some(Entry { path: path.to_owned(), id: BlobId(id.0), kind })
}

/// The entry as a walk over a folder would have it: what is not hashed there counts as unchanged.
fn comparable(entry: Entry, now: &Tree) -> Option<Entry> {
    match entry.kind {
        EntryKind::File | EntryKind::Executable if super::is_yaml(&entry.path) => {
            Some(Entry { kind: EntryKind::File, ..entry })
        }
        _ => now.entry(&entry.path).cloned(),
    }
}

/// Blobs of the work tree where they are the same, else of the repository.
struct Objects {
    root: PathBuf,
    now: Tree,
}

impl ReadBlob for Objects {
    fn read(&self, id: &BlobId, max_bytes: usize) -> Result<Vec<u8>, ReadError> {
        if let Ok(bytes) = self.now.read(id, max_bytes) {
            return Ok(bytes);
        }
        let unreadable = |why: String| ReadError::Unreadable { id: *id, why };
        let name = id.to_string();
        let size = asked(&self.root, &["cat-file", "-s", &name]).map_err(|e| unreadable(e.to_string()))?;
        let bytes = String::from_utf8_lossy(&size).trim().parse().map_err(|_| unreadable("no size".to_owned()))?;
        if bytes > max_bytes {
            return Err(ReadError::TooLarge { bytes, max: max_bytes });
        }
        asked(&self.root, &["cat-file", "blob", &name]).map_err(|e| unreadable(e.to_string()))
    }
}

/// What `git` says on stdout.
fn asked(root: &Path, args: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = Command::new("git").arg("-C").arg(root).args(args).output().context("`git` cannot be run")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(dir: &Path, args: &[&str]) {
        let isolated = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"];
        asked(dir, &[&isolated[..], args].concat()).unwrap();
    }

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_last_commit_of_a_folder_inside_of_a_repository() {
        let home = tempfile::tempdir().unwrap();
        let fleet = home.path().join("fleet");
        write(&fleet.join("policies/default.yaml"), "old");
        write(&fleet.join("fleet.yaml"), "same");
        write(&fleet.join("policies/README.md"), "not read");
        let now = || super::super::tree(&fleet).unwrap();
        assert!(tree(&fleet, None, &now()).unwrap().is_none(), "no repository");
        assert!(tree(&fleet, Some("HEAD"), &now()).is_err());
        run(home.path(), &["init", "-q"]);
        assert!(tree(&fleet, None, &now()).unwrap().is_none(), "no commit");
        run(home.path(), &["add", "fleet"]);
        run(home.path(), &["commit", "-q", "-m", "first"]);
        write(&fleet.join("policies/default.yaml"), "new");
        write(&fleet.join("policies/more.yaml"), "more");
        write(&fleet.join("policies/README.md"), "not hashed");
        let now = now();
        let before = tree(&fleet, None, &now).unwrap().unwrap();
        let paths: Vec<_> = before.entries().iter().map(|e| e.path.as_str()).collect();
        assert_eq!(paths, ["fleet.yaml", "policies/README.md", "policies/default.yaml"]);
        // Only what a document is read from can differ.
        assert_eq!(before.entry("policies/README.md"), now.entry("policies/README.md"));
        let read = |path: &str| before.read(&before.entry(path).unwrap().id, 100).unwrap();
        assert_eq!((read("policies/default.yaml"), read("fleet.yaml")), (b"old".to_vec(), b"same".to_vec()));
        let changed = before.entry("policies/default.yaml").unwrap().id;
        assert_eq!(before.read(&changed, 2), Err(ReadError::TooLarge { bytes: 3, max: 2 }));
        assert_eq!(before.entry("fleet.yaml").unwrap().id, now.entry("fleet.yaml").unwrap().id);
        let unknown = tree(&fleet, Some("--bogus"), &now).unwrap_err();
        assert!(unknown.to_string().contains("knows no revision --bogus"), "{unknown}");
    }
}
