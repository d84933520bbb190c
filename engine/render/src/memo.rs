//! What was written of each cluster, so that unchanged ones are not rendered again.

use crate::patch::PatchError;
use model::want::{Effective, Wanted};
use model::{BlobId, ClusterId, ClusterLock, Entry, EntryKind, Tree};
use std::{collections::BTreeMap, sync::Arc};

/// Kept between runs over one fleet; may be dropped at any time (I10).
#[derive(Debug, Default)]
pub struct Memo(BTreeMap<ClusterId, Written>);

/// What was written for a cluster, and from what.
#[derive(Debug)]
pub(crate) struct Written {
    /// As given, before `rendered` was filled in.
    pub(crate) lock: ClusterLock,
    pub(crate) effective: Arc<Effective>,
    pub(crate) path: String,
    pub(crate) lock_id: BlobId,
    /// Names in the output folder, sorted; None while not every slot was known, or a patch could not be applied.
    pub(crate) output: Option<Vec<(&'static str, BlobId)>>,
    pub(crate) outdated: Vec<String>,
    pub(crate) unpatched: Vec<PatchError>,
}

impl Memo {
    /// What was written of a cluster, when rendering it again could change nothing: the inputs are the same, and both
    /// trees hold exactly what was written. What is there then also is what R1 would keep.
    pub(crate) fn unchanged(&self, wanted: &Wanted, lock: &ClusterLock, trees: [&Tree; 2]) -> Option<&Written> {
        let written = self.0.get(&wanted.id)?;
        let same_effective =
            Arc::ptr_eq(&written.effective, &wanted.effective) || written.effective == wanted.effective;
        let same = same_effective
            && written.path == wanted.path
            && wanted.lock_found_at.is_none()
            && written.lock == *lock
            && trees.into_iter().all(|tree| written.is_in(wanted, tree));
        same.then_some(written)
    }

    pub(crate) fn remember(&mut self, id: &ClusterId, written: Written) {
        self.0.insert(id.clone(), written);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&ClusterId) -> bool) {
        self.0.retain(|id, _| keep(id));
    }
}

impl Written {
    fn is_in(&self, wanted: &Wanted, tree: &Tree) -> bool {
        if !tree.entry(&wanted.lock_path).is_some_and(|entry| is_file(entry, &self.lock_id)) {
            return false;
        }
        let Some(output) = &self.output else { return true };
        let dir = wanted.output_dir();
        let mut entries = tree.below(&dir);
        let name = |entry: &Entry| entry.path.get(dir.len() + 1..).map(str::to_owned);
        let all = output.iter().all(|(file, id)| {
            entries.next().is_some_and(|entry| is_file(entry, id) && name(entry).as_deref() == Some(file))
        });
        all && entries.next().is_none()
    }
}

/// Whether an entry is a plain file of this content.
pub(crate) fn is_file(entry: &Entry, id: &BlobId) -> bool {
    entry.id == *id && entry.kind == EntryKind::File
}
