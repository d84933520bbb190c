//! Deletion in the phases of R2: what happens next to a cluster whose deletion is confirmed and whose definition is gone.

use model::lock::{DeletionPhase, Ending};
use model::request::Done;
use model::{ClusterId, ProjectId, Reason, Want};
use std::collections::BTreeMap;

/// One deletion, now.
#[derive(Clone, Debug, PartialEq)]
pub struct Deleting {
    pub project: ProjectId,
    /// None for a tombstone.
    pub phase: Option<DeletionPhase>,
    pub next: Next,
    /// What is waited for, a sentence each; empty when nothing is.
    pub waits: Vec<String>,
    /// What stops it until a person acts.
    pub refused: Option<(Reason, String)>,
}

/// What a run does next to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Wait,
    /// A commit with this phase.
    Enter(DeletionPhase),
    /// What `Plan::frees` says of it.
    Free,
    /// Nothing is left to free, or network and VIP are to be kept: the lock goes.
    End,
}

/// Plan and Done to what the commit leaves of each cluster that is being deleted.
pub fn endings(_want: &Want, _plan: &crate::Plan, _done: &Done) -> BTreeMap<ClusterId, Ending> {
    BTreeMap::new()
}
