//! What a commit leaves of a deleted cluster (R2).

use super::{Edit, EditError, in_the_way};
use crate::deleting::{left, objects};
use crate::impact::impacts;
use crate::{tombstone, tombstone_path};
use model::lock::{Ending, Identity};
use model::want::OrphanLock;
use model::{ClusterId, ClusterLock, Want};

impl Edit<'_> {
    /// A definition that is there, broken or not, keeps its lock and its output (I9).
    pub(super) fn ending(&mut self, want: &Want, id: &ClusterId, ending: &Ending) -> Result<(), EditError> {
        let before = self.edited.files;
        let is_gone = !want.clusters.contains_key(id);
        let orphan = want.orphan_locks.get(id);
        let is_ours = is_gone && orphan.is_none_or(|orphan| orphan.removed);
        match ending {
            Ending::Lock { path, lock } if is_ours => self.lock_that_is_left(id, path, lock, orphan)?,
            Ending::Tombstone(document) if is_ours => {
                let path = tombstone_path(id);
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                if let Some(path) = in_the_way((self.previous, self.tip), parent, &path) {
                    self.edited.obstructed.insert(id.clone(), path);
                    return Ok(());
                }
                self.put(&path, &tombstone(document))?;
                self.misplaced_tombstone(want, id, Some(&path))?;
                self.nothing_else(id, orphan, Some(&document.identity))?;
            }
            Ending::Nothing => {
                self.misplaced_tombstone(want, id, None)?;
                if is_ours {
                    self.nothing_else(id, orphan, None)?;
                }
            }
            Ending::Lock { .. } | Ending::Tombstone(_) => {}
        }
        if self.edited.files != before {
            self.edited.changed.push(id.clone());
        }
        Ok(())
    }

    /// The lock with what is not freed yet, and the output of its phase.
    fn lock_that_is_left(
        &mut self,
        id: &ClusterId,
        path: &str,
        lock: &ClusterLock,
        orphan: Option<&OrphanLock>,
    ) -> Result<(), EditError> {
        let dir = lock.identity.output_dir();
        if let Some(path) = in_the_way((self.previous, self.tip), &dir, path) {
            self.edited.obstructed.insert(id.clone(), path);
            return Ok(());
        }
        self.put(path, &crate::lock(lock))?;
        if let Some(old) = orphan.map(|orphan| orphan.path.as_str()).filter(|old| *old != path) {
            self.remove(old)?;
        }
        let Some(deletion) = &lock.deletion else { return Ok(()) };
        let there = self.committed_files(&dir)?;
        let comment = crate::render::comment(&lock.source.path);
        let files = left(&comment, deletion.phase, &there);
        let (old, new) = (objects(&there), objects(&files));
        let files: Vec<_> = files.into_iter().collect();
        if self.differs(&dir, &files) {
            self.edited.impacts.insert(id.clone(), impacts(&old, &new));
        }
        self.output(&dir, &files)?;
        Ok(())
    }

    /// Neither lock nor output.
    fn nothing_else(
        &mut self,
        id: &ClusterId,
        orphan: Option<&OrphanLock>,
        of: Option<&Identity>,
    ) -> Result<(), EditError> {
        if let Some(orphan) = orphan {
            self.remove(&orphan.path)?;
        }
        let Some(identity) = orphan.map(|orphan| &orphan.lock.identity).or(of) else { return Ok(()) };
        let dir = identity.output_dir();
        if self.differs(&dir, &[]) {
            let old = objects(&self.committed_files(&dir)?);
            self.edited.impacts.insert(id.clone(), impacts(&old, []));
        }
        self.output(&dir, &[])?;
        Ok(())
    }

    /// Tombstones that lie elsewhere than they belong.
    fn misplaced_tombstone(&mut self, want: &Want, id: &ClusterId, belongs: Option<&str>) -> Result<(), EditError> {
        match want.tombstones.get(id) {
            Some((path, _)) if belongs != Some(path.as_str()) => self.remove(path),
            Some(_) | None => Ok(()),
        }
    }
}
