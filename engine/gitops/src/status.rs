//! What a fleet's loop shows to the outside: the last run, and counters for metrics.

use crate::Ran;
use model::Timestamp;
use std::sync::Arc;

/// Sent through a watch channel after every pass.
#[derive(Clone, Debug, Default)]
pub struct FleetStatus {
    pub fleet: Option<String>,
    pub ran: Option<Arc<Ran>>,
    pub last_success: Option<Timestamp>,
    /// When a turn of the loop ended last, well or not.
    pub last_turn: Option<Timestamp>,
    /// Since when a write to the remote or to metal-api is on its way.
    pub writing_since: Option<Timestamp>,
    /// Why the last turn did not end well.
    pub error: Option<String>,
    pub counters: Counters,
}

/// Counted since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Turns of the loop that ended, well or not.
    pub turns: u64,
    /// Of these, turns that had nothing to do.
    pub quiet: u64,
    pub pushes_landed: u64,
    pub pushes_stale: u64,
    pub pushes_refused: u64,
    pub pushes_unknown: u64,
    pub allocations: u64,
    pub frees: u64,
    /// Requests to the Git remote.
    pub git_requests: u64,
    pub git_bytes: u64,
}
