//! Firewalls that are on their way, and those that were refused beside one that serves: when to look again (R5, I4).

use crate::due::RETRY;
use model::metal::Machine;
use model::request::FreeReason;
use model::{ClusterId, Have, Reason, Slot, Timestamp, Want, Wanted};
use plan::{ClusterPlan, Plan, Step};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// A server takes so long to install itself at most, whatever is said of its health.
const INSTALLING_SECONDS: i64 = 30 * 60;

/// What is awaited of firewalls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coming {
    /// One has not phoned home yet and still may.
    pub(crate) any: bool,
    /// One is being replaced: what follows waits for no interval and for no commit (R5).
    pub(crate) replaces: bool,
}

impl Coming {
    /// Of the firewalls that carry this fleet's mark.
    pub(crate) fn of(want: &Want, have: &Have, plan: &Plan, now: Timestamp) -> Self {
        let mut coming = Self::default();
        let Some(fleet) = want.fleet.as_deref().map(|fleet| &fleet.metadata.name) else { return coming };
        let now = have.server_time.unwrap_or(now);
        for project in have.projects.values() {
            let mut generations: BTreeMap<ClusterId, Vec<(u32, &Machine)>> = BTreeMap::new();
            for machine in &project.firewalls {
                let Some(mark) = machine.tags.mark().filter(|mark| mark.is_of(fleet)) else { continue };
                let id = machine.tags.cluster().and_then(|cluster| cluster.parse::<ClusterId>().ok());
                if let (Slot::Firewall(generation), Some(id)) = (mark.slot, id) {
                    generations.entry(id).or_default().push((generation, machine));
                }
            }
            for (id, all) in generations {
                if let Some(wanted) = want.clusters.get(&id) {
                    coming.add(wanted, &all, now);
                }
            }
        }
        // One took over, and the one before goes now.
        coming.replaces |= plan.frees.iter().any(|free| matches!(free.why, FreeReason::Replaced { .. }));
        coming
    }

    fn add(&mut self, wanted: &Wanted, all: &[(u32, &Machine)], now: Timestamp) {
        let serving = wanted.lock.as_deref().and_then(|lock| lock.values.firewall.as_ref());
        let serving = serving.map_or(0, |firewall| firewall.generation);
        let patience = INSTALLING_SECONDS.max(wanted.effective.firewall.health_timeout.value.get().into());
        let is_young = |machine: &Machine| {
            machine.created.is_some_and(|created| now.as_second().saturating_sub(created.as_second()) <= patience)
        };
        for (generation, _) in all.iter().filter(|(_, machine)| !machine.phoned_home && is_young(machine)) {
            self.any |= *generation >= serving;
            self.replaces |= serving > 0 && *generation > serving;
        }
    }
}

/// Refused allocations beside what serves: nothing waits for them, so they are tried at a pace of their own.
#[derive(Debug, Default)]
pub(crate) struct Refusals(BTreeMap<ClusterId, Refusal>);

#[derive(Debug)]
struct Refusal {
    tries: u32,
    until: Instant,
    reason: Reason,
    message: String,
}

impl Refusals {
    /// One was refused again: after 1 s doubling to `longest` it is tried again.
    pub(crate) fn refused(&mut self, id: &ClusterId, reason: Reason, message: &str, longest: Duration) {
        let tries = self.0.get(id).map_or(0, |refusal| refusal.tries);
        let wait = RETRY.saturating_mul(1 << tries.min(20)).min(longest);
        let (tries, until, message) = (tries.saturating_add(1), Instant::now() + wait, message.to_owned());
        self.0.insert(id.clone(), Refusal { tries, until, reason, message });
    }

    pub(crate) fn filled(&mut self, id: &ClusterId) {
        self.0.remove(id);
    }

    /// Takes out of a plan what is not tried again yet. What a plan does not want any more is forgotten.
    pub(crate) fn postpone(&mut self, plan: &mut Plan) {
        self.0.retain(|id, refusal| {
            let Some(cluster) = plan.clusters.get(id).filter(|cluster| allocates_beside(cluster)) else { return false };
            let is_only = cluster.steps.iter().all(|step| !is_allocation(step) || cluster.is_beside(step));
            if is_only && Instant::now() < refusal.until {
                plan.postpone(id, refusal.reason, &refusal.message);
            }
            true
        });
    }

    pub(crate) fn due(&self) -> Option<Duration> {
        self.0.values().map(|refusal| refusal.until.saturating_duration_since(Instant::now())).min()
    }
}

fn is_allocation(step: &Step) -> bool {
    matches!(step, Step::Allocate { .. })
}

pub(crate) fn allocates_beside(cluster: &ClusterPlan) -> bool {
    cluster.steps.iter().any(|step| cluster.is_beside(step))
}

#[cfg(test)]
mod tests;
