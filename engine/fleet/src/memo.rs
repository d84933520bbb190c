//! Parsed documents by blob id: a load after a change of one file parses one file.

use crate::overlays::Merged;
use crate::read::{Parsed, Readable, read};
use model::lock::ClusterTombstone;
use model::{BlobId, ClusterDefinition, ClusterLock, ClusterPolicy, Fleet, Overlay, Tree};
use std::collections::HashMap;
use std::sync::Arc;

/// What `load` remembers between two calls. Losing it costs time only.
#[derive(Debug, Default)]
pub struct Memo {
    pub(crate) fleets: Shelf<Fleet>,
    pub(crate) policies: Shelf<ClusterPolicy>,
    pub(crate) overlays: Shelf<Overlay>,
    pub(crate) definitions: Shelf<ClusterDefinition>,
    pub(crate) locks: Shelf<ClusterLock>,
    pub(crate) tombstones: Shelf<ClusterTombstone>,
    pub(crate) merged: MergedShelf,
    turn: u64,
    parsed: usize,
}

impl Memo {
    /// How many documents the last load parsed.
    pub fn parsed(&self) -> usize {
        self.parsed
    }

    pub(crate) fn begin(&mut self) {
        self.turn += 1;
        self.parsed = 0;
    }

    /// Forgets what the last load did not use, where that is more than what it used: a walk through old commits must
    /// not make the next load of the tip parse everything, and must not fill the memory either.
    pub(crate) fn end(&mut self) {
        let turn = self.turn;
        self.fleets.forget(turn);
        self.policies.forget(turn);
        self.overlays.forget(turn);
        self.merged.forget(turn);
        self.definitions.forget(turn);
        self.locks.forget(turn);
        self.tombstones.forget(turn);
    }

    pub(crate) fn fleet(&mut self, tree: &Tree, id: &BlobId) -> Parsed<Fleet> {
        self.fleets.get(tree, id, self.turn, &mut self.parsed)
    }

    pub(crate) fn policy(&mut self, tree: &Tree, id: &BlobId) -> Parsed<ClusterPolicy> {
        self.policies.get(tree, id, self.turn, &mut self.parsed)
    }

    pub(crate) fn overlay(&mut self, tree: &Tree, id: &BlobId) -> Parsed<Overlay> {
        self.overlays.get(tree, id, self.turn, &mut self.parsed)
    }

    /// A definition with what these overlays give it, as `make` makes it the first time.
    pub(crate) fn merged(
        &mut self,
        definition: BlobId,
        overlays: Vec<BlobId>,
        make: impl FnOnce() -> Option<Arc<Merged>>,
    ) -> Option<Arc<Merged>> {
        self.merged.get((definition, overlays), self.turn, make)
    }

    pub(crate) fn definition(&mut self, tree: &Tree, id: &BlobId) -> Parsed<ClusterDefinition> {
        self.definitions.get(tree, id, self.turn, &mut self.parsed)
    }

    pub(crate) fn lock(&mut self, tree: &Tree, id: &BlobId) -> Parsed<ClusterLock> {
        self.locks.get(tree, id, self.turn, &mut self.parsed)
    }

    pub(crate) fn tombstone(&mut self, tree: &Tree, id: &BlobId) -> Parsed<ClusterTombstone> {
        self.tombstones.get(tree, id, self.turn, &mut self.parsed)
    }
}

/// The documents of one kind.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    /// With the turn that used it last.
    kept: HashMap<BlobId, (u64, Parsed<T>)>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { kept: HashMap::new() }
    }
}

impl<T: Readable> Shelf<T> {
    fn get(&mut self, tree: &Tree, id: &BlobId, turn: u64, parsed: &mut usize) -> Parsed<T> {
        if let Some((used, document)) = self.kept.get_mut(id) {
            *used = turn;
            return document.clone();
        }
        *parsed += 1;
        let document = read(tree, id);
        if !document.is_unreadable() {
            self.kept.insert(*id, (turn, document.clone()));
        }
        document
    }

    fn forget(&mut self, turn: u64) {
        let used = self.kept.values().filter(|(t, _)| *t == turn).count();
        if self.kept.len() > 2 * used + 16 {
            self.kept.retain(|_, (t, _)| *t == turn);
        }
    }
}

/// Definitions with what overlays give them, by the blobs they are made from.
#[derive(Debug, Default)]
pub(crate) struct MergedShelf {
    kept: HashMap<(BlobId, Vec<BlobId>), (u64, Arc<Merged>)>,
}

impl MergedShelf {
    fn get(
        &mut self,
        key: (BlobId, Vec<BlobId>),
        turn: u64,
        make: impl FnOnce() -> Option<Arc<Merged>>,
    ) -> Option<Arc<Merged>> {
        if let Some((used, merged)) = self.kept.get_mut(&key) {
            *used = turn;
            return Some(merged.clone());
        }
        let merged = make()?;
        self.kept.insert(key, (turn, merged.clone()));
        Some(merged)
    }

    fn forget(&mut self, turn: u64) {
        let used = self.kept.values().filter(|(t, _)| *t == turn).count();
        if self.kept.len() > 2 * used + 16 {
            self.kept.retain(|_, (t, _)| *t == turn);
        }
    }
}
