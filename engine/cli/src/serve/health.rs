//! Readiness: whether every loop turns and every write that was begun is settled in time. A repository that is down is
//! not our unreadiness: its turns end, with an error.

use crate::fleets::Handle;
use model::Timestamp;
use std::time::Duration;

/// Why the process is not ready, a line per fleet.
pub(crate) fn stuck(fleets: &[Handle], now: Timestamp) -> Vec<String> {
    let check = |fleet: &Handle| Some(format!("{}: {}", fleet.name, why(fleet, now)?));
    fleets.iter().filter_map(check).collect()
}

fn why(fleet: &Handle, now: Timestamp) -> Option<String> {
    let Some(last_turn) = fleet.last_turn() else { return Some("the first turn has not ended yet".to_owned()) };
    let age = since(last_turn, now);
    if age > fleet.turn_bound {
        return Some(format!("no turn ended for {} s", age.as_secs()));
    }
    let writing = since(fleet.status().writing_since?, now);
    (writing > fleet.write_bound).then(|| format!("a write is not confirmed after {} s", writing.as_secs()))
}

/// Zero when the clock was set back.
fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}
