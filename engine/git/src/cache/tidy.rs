//! Fewer packs: every fetch adds one, and a process that runs for months would search thousands of them. Now and then the
//! packs since the last time are made one; what was one already is left alone, so the cost is that of what was fetched.

use super::Store;
use crate::Error;
use git2::Repository;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// As many packs as many short runs leave: then one fetch of everything is cheaper than searching them.
const PACKS_MAX: usize = 256;

/// What the last tidying left.
#[derive(Debug, Default)]
pub(crate) struct Tidied {
    packs: BTreeSet<PathBuf>,
    /// Complete within `packs` and loose objects.
    tips: Vec<git2::Oid>,
}

impl Store {
    /// Makes the packs since the last time one, when they are more than `max`. Waits for nobody: what is in use is
    /// tidied another time.
    pub(crate) fn tidy(&self, max: usize) -> Result<(), Error> {
        let cache = self.cache();
        let fail = |why: String| Error::Cache { dir: cache.repository().to_owned(), why };
        let folder = cache.repository().join("objects/pack");
        let packs = packs(&folder).map_err(|e| fail(e.to_string()))?;
        let tips = self.remembered()?;
        let mut tidied = cache.tidied();
        let Some(before) = tidied.as_ref() else {
            if packs.len() > PACKS_MAX {
                cache.mark_damaged();
            }
            *tidied = Some(Tidied { packs, tips });
            return Ok(());
        };
        let new: Vec<&PathBuf> = packs.difference(&before.packs).collect();
        if new.len() <= max {
            return Ok(());
        }
        let Some(mut generation) = cache.enter_alone() else { return Ok(()) };
        tracing::debug!(packs = new.len(), cache = %cache.repository().display(), "making packs one");
        let repo = Repository::open_bare(cache.repository()).map_err(|e| fail(e.message().to_owned()))?;
        let merged = merge(&repo, &tips, &before.tips, &folder).map_err(|e| fail(e.message().to_owned()))?;
        // Handles that are open know the old ones: they are opened anew.
        *generation += 1;
        for pack in new.into_iter().filter(|pack| Some(*pack) != merged.as_ref()) {
            // The index first: a pack without one is not looked at.
            for file in [pack.with_extension("idx"), pack.clone()] {
                if let Err(e) = std::fs::remove_file(&file) {
                    tracing::debug!(error = %e, file = %file.display(), "an old pack stays");
                }
            }
        }
        let packs = self::packs(&folder).map_err(|e| fail(e.to_string()))?;
        *tidied = Some(Tidied { packs, tips });
        Ok(())
    }
}

/// Packs everything that `tips` reach and `known` do not; None when that is nothing.
fn merge(
    repo: &Repository,
    tips: &[git2::Oid],
    known: &[git2::Oid],
    folder: &Path,
) -> Result<Option<PathBuf>, git2::Error> {
    let mut walk = repo.revwalk()?;
    tips.iter().try_for_each(|id| walk.push(*id))?;
    known.iter().filter(|id| repo.find_commit(**id).is_ok()).try_for_each(|id| walk.hide(*id))?;
    let mut builder = repo.packbuilder()?;
    builder.set_threads(1);
    builder.insert_walk(&mut walk)?;
    if builder.object_count() == 0 {
        return Ok(None);
    }
    builder.write(folder, 0o444)?;
    Ok(builder.name()?.map(|name| folder.join(format!("pack-{name}.pack"))))
}

fn packs(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "pack") && path.with_extension("idx").exists() {
            found.insert(path);
        }
    }
    Ok(found)
}
