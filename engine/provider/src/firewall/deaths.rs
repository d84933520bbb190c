//! Whether a death is to be believed: it was seen for long enough, and not of too many at once.

use super::observed::Terms;
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

/// Since when every reading of this process had it dead. A gap (a pause, a downtime, a clock that was set) begins anew.
pub(super) fn seen(
    memory: &mut Memory,
    is_dead: bool,
    read_at: Timestamp,
    interval: Duration,
    terms: &Terms,
) -> Option<Timestamp> {
    let gap = (3 * interval).max(terms.health_timeout / 4);
    let unbroken = memory.dead.filter(|(_, last)| *last <= read_at && !passed(*last, read_at, gap));
    let first = unbroken.map_or(read_at, |(first, _)| first);
    memory.dead = is_dead.then_some((first, read_at));
    is_dead.then_some(first)
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
