//! Whether a death is to be believed: it was seen for long enough, and not of too many at once.

use super::observed::Terms;
use crate::metal::Absence;
use crate::step::{Memory, passed};
use model::metal::{Machine, MachineRole};
use model::{PartitionId, Timestamp};
use std::time::Duration;

/// So many firewalls of a partition may always be dead at once.
const DEAD_MIN: usize = 2;
/// One in so many may be.
const SHARE: usize = 5;
/// Of so many servers one at least is alive while metal-stack hears of the partition.
const SILENT_MIN: usize = 2;

/// Under these names the memory keeps the first and the last reading in a row that had it dead.
const FIRST: &str = "first dead";
const LAST: &str = "last dead";

/// Since when every reading of this process had it dead. A gap (a pause, a downtime, a clock that was set) begins anew.
pub(super) fn seen(
    memory: &mut Memory,
    is_dead: bool,
    read_at: Timestamp,
    interval: Duration,
    terms: &Terms,
) -> Option<Timestamp> {
    let at = |memory: &Memory, of| match memory.absences.get(of) {
        Some(Absence::Missed { read_at, .. }) => Some(*read_at),
        _ => None,
    };
    let gap = (3 * interval).max(terms.health_timeout / 4);
    let is_whole = at(memory, LAST).is_some_and(|last| last <= read_at && !passed(last, read_at, gap));
    let first = at(memory, FIRST).filter(|_| is_whole).unwrap_or(read_at);
    memory.absences.clear();
    if !is_dead {
        return None;
    }
    let missed = |read_at| Absence::Missed { round: 0, read_at };
    memory.absences.extend([(FIRST.to_owned(), missed(first)), (LAST.to_owned(), missed(read_at))]);
    Some(first)
}

/// R15 for life: when more than two and more than a fifth of a partition's firewalls went silent at once, or all that is
/// there, it is metal-stack that does not hear them. Those that are being installed do not count.
pub(super) fn is_outage<'a>(servers: impl Iterator<Item = &'a Machine>, partition: &PartitionId) -> bool {
    let servers: Vec<&Machine> = servers.filter(|s| s.partition == *partition && s.phoned_home).collect();
    let firewalls = servers.iter().filter(|s| s.role == MachineRole::Firewall);
    let (of, dead) = (firewalls.clone().count(), firewalls.filter(|f| !f.alive).count());
    let all_are = servers.len() >= SILENT_MIN && servers.iter().all(|s| !s.alive);
    dead > DEAD_MIN && dead * SHARE > of || all_are
}
