//! What several readings showed: what is missing (R15), what is dead (R4). Lost with the process, and safe to lose (I10).

use model::{ClusterId, Slot};

/// Kept by the engine from reading to reading.
#[derive(Clone, Debug, Default)]
pub struct Watch {}

/// A committed value that is to be asked for by its id, the last proof of its absence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    pub cluster: ClusterId,
    pub slot: Slot,
}
