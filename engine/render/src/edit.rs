//! Want and locks to the files of one commit: locks, complete output, namespaces. Nothing else is touched.

mod ending;

use crate::deleting::{Files, NAMES, objects};
use crate::delivery;
use crate::guards::is_empty;
use crate::impact::{Impact, impacts};
use crate::memo::{Memo, Written, is_file};
use crate::patch::PatchError;
use crate::render::{Output, complete, namespace, output};
use model::digest::blob_id;
use model::ids::Label;
use model::lock::Ending;
use model::want::Wanted;
use model::{BlobId, ClusterId, ClusterLock, Fleet, Namespace, ReadError, Reason, Sink, SinkError, Tree, Want};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Output files are some kilobytes; what is larger was not written by an engine.
pub(crate) const COMMITTED_BYTES_MAX: usize = 1 << 20;

/// What an edit changed.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edited {
    /// Clusters whose lock or output is other than at the tip, sorted.
    pub changed: Vec<ClusterId>,
    /// Files put or removed.
    pub files: usize,
    /// Objects kept against what this binary would render (R1), of every cluster that was looked at.
    pub outdated: BTreeMap<ClusterId, Vec<String>>,
    /// Clusters that cannot be written because something that is no folder lies in the way, with its path.
    pub obstructed: BTreeMap<ClusterId, String>,
    /// Clusters whose patches cannot be applied: their output stays as it is, their lock is written.
    pub unpatched: BTreeMap<ClusterId, Vec<PatchError>>,
    /// What changed output does to machines; only of clusters whose output changes.
    pub impacts: BTreeMap<ClusterId, Vec<Impact>>,
}

#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("{path} of the last engine commit cannot be read")]
    Unreadable { path: String, source: ReadError },
}

/// What is known after a run.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    pub locks: &'a BTreeMap<ClusterId, ClusterLock>,
    /// What is left of clusters that are being deleted.
    pub endings: &'a BTreeMap<ClusterId, Ending>,
}

impl<'a> Settled<'a> {
    /// Where no cluster is being deleted.
    pub fn live(locks: &'a BTreeMap<ClusterId, ClusterLock>) -> Self {
        static NONE: BTreeMap<ClusterId, Ending> = BTreeMap::new();
        Self { locks, endings: &NONE }
    }
}

/// Writes what differs from `tip`: each lock of `locks`, and the output of each cluster whose slots are all known (R7).
/// `previous` is the tip with engine-owned files as the last engine commit has them: what R1 keeps is taken from there.
/// A cluster without an entry in `locks`, or blocked, is not touched, save that a blocked one's lock may get another firewall
/// (R4); one that is paused gets its output with `spec.paused`. What is left of deleted clusters is made from their committed files (R2); an ending of a cluster that
/// has a definition again concerns its tombstone only. One file at a time goes through `sink`.
pub fn edit(
    want: &Want,
    settled: Settled<'_>,
    previous: &Tree,
    tip: &Tree,
    memo: &mut Memo,
    sink: &mut dyn Sink,
) -> Result<Edited, EditError> {
    let Settled { locks, endings } = settled;
    let Some(fleet) = want.fleet.as_deref().filter(|fleet| !fleet.spec.paused) else { return Ok(Edited::default()) };
    let mut output = delivery::Output::default();
    previous.below("rendered").for_each(|entry| output.add(&entry.path));
    let mut edit = Edit { previous, tip, sink, edited: Edited::default(), namespaces: BTreeMap::new(), output };
    memo.retain(|id| want.clusters.contains_key(id));
    for (id, wanted) in &want.clusters {
        if let Some(lock) = lock_of(wanted, locks.get(id)) {
            edit.cluster(wanted, &lock, memo)?;
        } else if let Some(lock) = locks.get(id).filter(|lock| is_healed(wanted, lock)) {
            edit.healed(wanted, lock)?;
        }
    }
    for (id, ending) in endings {
        edit.ending(want, id, ending)?;
    }
    edit.namespaces()?;
    // What a refused fleet.yaml says is not delivered.
    if !want.fleet_is_refused && delivery::is_sound(fleet) {
        edit.delivery(fleet, want.clusters.keys().chain(endings.keys()).next())?;
    }
    Ok(edit.edited)
}

/// The lock to write. A paused cluster keeps the one it has, and nothing is left in it of a confirmation that was taken
/// back: its guards come back (I9).
fn lock_of<'a>(wanted: &'a Wanted, settled: Option<&'a ClusterLock>) -> Option<Cow<'a, ClusterLock>> {
    match &wanted.blocked {
        None => settled.map(Cow::Borrowed),
        Some(blocked) if blocked.reason == Reason::Paused && wanted.effective.paused => {
            let lock = wanted.lock.as_deref().filter(|lock| complete(wanted, lock))?;
            let is_taken_back = lock.deletion.is_some() && !wanted.effective.deletion.is_confirmed;
            let mut lock = Cow::Borrowed(lock);
            if is_taken_back {
                lock.to_mut().deletion = None;
            }
            Some(lock)
        }
        Some(_) => None,
    }
}

/// Whether a lock differs by its firewall from the present one, and by nothing else.
fn is_healed(wanted: &Wanted, lock: &ClusterLock) -> bool {
    let Some(before) = wanted.lock.as_deref().filter(|before| before.values.firewall != lock.values.firewall) else {
        return false;
    };
    let mut same = before.clone();
    same.values.firewall.clone_from(&lock.values.firewall);
    same == *lock
}

/// How every file of the engine begins.
const HEADER: &[u8] = b"# Written by Ferrofleet";

/// Whether an engine wrote this file.
pub fn is_ours(tree: &Tree, path: &str) -> bool {
    let bytes = tree.entry(path).and_then(|entry| tree.read(&entry.id, COMMITTED_BYTES_MAX).ok());
    bytes.is_some_and(|bytes| bytes.starts_with(HEADER))
}

/// Something that is no folder where one must be, or a folder where the file must be; the last engine commit's tree,
/// and the tip's.
pub fn in_the_way((previous, tip): (&Tree, &Tree), dir: &str, file: &str) -> Option<String> {
    let parents = dir.match_indices('/').map(|(i, _)| &dir[..i]).chain([dir]);
    // What only the tip has is put right by removing it.
    let both = |path: &str| tip.entry(path).is_some() && previous.entry(path).is_some();
    let found = parents.into_iter().find(|path| both(path)).map(str::to_owned);
    found.or_else(|| tip.below(file).next().map(|entry| entry.path.clone()))
}

struct Edit<'a> {
    previous: &'a Tree,
    tip: &'a Tree,
    sink: &'a mut dyn Sink,
    edited: Edited,
    /// Of written clusters, with the first of them.
    namespaces: BTreeMap<(Label, Namespace), ClusterId>,
    /// What lies below `rendered/` in the end.
    output: delivery::Output,
}

impl Edit<'_> {
    fn cluster(&mut self, wanted: &Wanted, lock: &ClusterLock, memo: &mut Memo) -> Result<(), EditError> {
        if let Some(written) = memo.unchanged(wanted, lock, [self.previous, self.tip]) {
            self.note(wanted, written);
            return Ok(());
        }
        if let Some(path) = in_the_way((self.previous, self.tip), &wanted.output_dir(), &wanted.lock_path) {
            self.edited.obstructed.insert(wanted.id.clone(), path);
            return Ok(());
        }
        let (rendered, unpatched) = match complete(wanted, lock).then(|| self.render(wanted, lock)).transpose()? {
            None => (None, Vec::new()),
            Some(Ok(output)) => (Some(output), Vec::new()),
            // What was allocated is committed all the same.
            Some(Err(unpatched)) => (None, unpatched),
        };
        let before = self.edited.files;
        let lock_id = self.lock(wanted, lock, rendered.as_ref())?;
        let (mut written, mut outdated) = (None, Vec::new());
        if let Some(Output { files, digests: _, outdated: kept, objects: new }) = rendered {
            let dir = wanted.output_dir();
            if self.differs(&dir, &files) {
                let old = objects(&self.committed_files(&dir)?);
                self.edited.impacts.insert(wanted.id.clone(), impacts(&old, new.all()));
            }
            written = Some(self.output(&dir, &files)?);
            outdated = kept;
        }
        if self.edited.files != before {
            self.edited.changed.push(wanted.id.clone());
        }
        let written = Written {
            lock: lock.clone(),
            effective: wanted.effective.clone(),
            path: wanted.path.clone(),
            lock_id,
            output: written,
            outdated,
            unpatched,
        };
        self.note(wanted, &written);
        memo.remember(&wanted.id, written);
        Ok(())
    }

    /// The lock of a cluster whose definition is refused: its output stays as it is until that is mended.
    fn healed(&mut self, wanted: &Wanted, lock: &ClusterLock) -> Result<(), EditError> {
        if let Some(path) = in_the_way((self.previous, self.tip), &wanted.output_dir(), &wanted.lock_path) {
            self.edited.obstructed.insert(wanted.id.clone(), path);
            return Ok(());
        }
        let before = self.edited.files;
        self.lock(wanted, lock, None)?;
        if self.edited.files != before {
            self.edited.changed.push(wanted.id.clone());
        }
        Ok(())
    }

    fn note(&mut self, wanted: &Wanted, written: &Written) {
        if !written.outdated.is_empty() {
            self.edited.outdated.insert(wanted.id.clone(), written.outdated.clone());
        }
        if !written.unpatched.is_empty() {
            self.edited.unpatched.insert(wanted.id.clone(), written.unpatched.clone());
        }
        if written.output.is_some() {
            let key = (wanted.identity.management_cluster.clone(), wanted.id.namespace().clone());
            self.namespaces.entry(key).or_insert_with(|| wanted.id.clone());
        }
    }

    fn render(&self, wanted: &Wanted, lock: &ClusterLock) -> Result<Result<Output, Vec<PatchError>>, EditError> {
        let failed = RefCell::new(None);
        let is_committed =
            |path: &str, bytes: &[u8]| self.previous.entry(path).is_none_or(|entry| entry.id == blob_id(bytes));
        let committed = |path: &str| {
            self.committed(path).unwrap_or_else(|error| {
                failed.replace(Some(error));
                None
            })
        };
        let output = output(wanted, lock, &is_committed, &committed);
        failed.into_inner().map_or(Ok(output), Err)
    }

    fn lock(&mut self, wanted: &Wanted, lock: &ClusterLock, output: Option<&Output>) -> Result<BlobId, EditError> {
        let mut lock = lock.clone();
        // What belongs to the output stays while the output does.
        let before = wanted.lock.as_deref();
        (lock.rendered, lock.values.empty_pools) = match output {
            Some(output) => {
                let empty = wanted.effective.pools.iter().filter(|pool| is_empty(pool)).map(|pool| pool.name.clone());
                (output.digests.clone(), empty.collect())
            }
            None => before.map(|lock| (lock.rendered.clone(), lock.values.empty_pools.clone())).unwrap_or_default(),
        };
        let id = self.put(&wanted.lock_path, &crate::lock(&lock))?;
        if let Some(old) = wanted.lock_found_at.as_deref().filter(|old| *old != wanted.lock_path) {
            self.remove(old)?;
        }
        Ok(id)
    }

    /// Whether the last engine commit has other bytes of the output, or further files.
    fn differs(&self, dir: &str, files: &[(&'static str, Vec<u8>)]) -> bool {
        let is_same = |(name, bytes): &(&str, Vec<u8>)| {
            self.previous.entry(&format!("{dir}/{name}")).is_some_and(|entry| entry.id == blob_id(bytes))
        };
        self.previous.below(dir).count() != files.len() || !files.iter().all(is_same)
    }

    /// The output of a cluster as the last engine commit has it.
    fn committed_files(&self, dir: &str) -> Result<Files, EditError> {
        let mut files = Files::new();
        for name in NAMES {
            if let Some(bytes) = self.committed(&format!("{dir}/{name}"))? {
                files.insert(name, bytes);
            }
        }
        Ok(files)
    }

    /// None where there is no such file, and where it is too large to be an engine's.
    fn committed(&self, path: &str) -> Result<Option<Vec<u8>>, EditError> {
        let Some(entry) = self.previous.entry(path) else { return Ok(None) };
        match self.previous.read(&entry.id, COMMITTED_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ReadError::TooLarge { .. }) => Ok(None),
            Err(source) => Err(EditError::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// These files and no others in a folder.
    fn output(
        &mut self,
        dir: &str,
        files: &[(&'static str, Vec<u8>)],
    ) -> Result<Vec<(&'static str, BlobId)>, EditError> {
        let rendered: Vec<_> = files.iter().map(|(name, _)| format!("{dir}/{name}")).collect();
        let there = self.tip.below(dir).chain(self.previous.below(dir));
        let mut stray: Vec<_> = there.map(|e| e.path.clone()).filter(|path| !rendered.contains(path)).collect();
        stray.sort();
        stray.dedup();
        for path in stray {
            self.remove(&path)?;
        }
        let mut written = Vec::with_capacity(files.len());
        for ((name, bytes), path) in files.iter().zip(&rendered) {
            written.push((*name, self.put(path, bytes)?));
        }
        Ok(written)
    }

    fn namespaces(&mut self) -> Result<(), EditError> {
        for ((management_cluster, name), cluster) in std::mem::take(&mut self.namespaces) {
            let (path, bytes) = namespace(&management_cluster, &name);
            let before = self.edited.files;
            self.put(&path, &bytes)?;
            if self.edited.files != before {
                // A commit names clusters: the first one of the namespace stands for it.
                self.edited.changed.push(cluster);
            }
        }
        self.edited.changed.sort();
        self.edited.changed.dedup();
        Ok(())
    }

    /// What Argo CD and Flux sync, from what lies below `rendered/` now. `any` stands for the fleet in the message.
    fn delivery(&mut self, fleet: &Fleet, any: Option<&ClusterId>) -> Result<(), EditError> {
        let before = self.edited.files;
        let files = delivery::files(fleet, &self.output);
        let there = self.tip.below(delivery::FOLDER).chain(self.previous.below(delivery::FOLDER));
        let is_stray = |path: &String| {
            let is_wanted = files.binary_search_by(|(name, _)| name.cmp(path)).is_ok();
            // Of a management cluster that has output and is not in the fleet any more: its clusters go on (I9).
            let is_unknown = self.output.is_of_unknown(fleet, path);
            !is_wanted && !is_unknown && (is_ours(self.previous, path) || is_ours(self.tip, path))
        };
        let mut stray: Vec<_> = there.map(|entry| entry.path.clone()).filter(is_stray).collect();
        stray.sort();
        stray.dedup();
        for path in stray {
            self.remove(&path)?;
        }
        for (path, bytes) in &files {
            // A file of that name that people wrote stays theirs (I3).
            let is_other = |entry: &model::Entry| entry.id != blob_id(bytes);
            if self.previous.entry(path).is_some_and(is_other) && !is_ours(self.previous, path) {
                self.edited.obstructed.extend(any.map(|id| (id.clone(), path.clone())));
                continue;
            }
            self.put(path, bytes)?;
        }
        if self.edited.files != before && self.edited.changed.is_empty() {
            self.edited.changed.extend(any.cloned());
        }
        Ok(())
    }

    /// Also where only the tip has it already: the caller puts back what the last engine commit had.
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<BlobId, EditError> {
        let id = blob_id(bytes);
        self.output.add(path);
        let in_tip = self.tip.entry(path).is_some_and(|entry| is_file(entry, &id));
        let in_previous = self.previous.entry(path).is_some_and(|entry| is_file(entry, &id));
        if !(in_tip && in_previous) {
            self.sink.put(path, bytes)?;
        }
        self.edited.files += usize::from(!in_tip);
        Ok(id)
    }

    fn remove(&mut self, path: &str) -> Result<(), EditError> {
        self.sink.remove(path)?;
        self.output.remove(path);
        self.edited.files += usize::from(self.tip.entry(path).is_some());
        Ok(())
    }
}
