//! Committed values against what metal-api has: reported, never silently re-allocated (I5).

use model::{ClusterId, ProjectId, Slot};

/// A committed value that is not as it was committed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    pub cluster: ClusterId,
    pub project: ProjectId,
    pub slot: Slot,
    /// As the lock names it.
    pub id: String,
    pub kind: LossKind,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossKind {
    /// Not in the last reading; not concluded yet (R15).
    Missing,
    /// Concluded: it is gone.
    Gone,
    /// It was freed and allocated again, by whom is not known.
    Reallocated,
    /// Its tags name somebody else.
    ClaimedBy(String),
}
