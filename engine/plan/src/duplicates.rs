//! What stands beside the resource that a lock names: what may go, and what is only reported (design, "Why one of each
//! holds" 4). Age never decides between two; it only protects what may have been in use for long.

use crate::Duplicate;
use crate::committed::{committed, successor};
use crate::index::{Hit, Index, ResourceRef};
use model::request::{Free, FreeReason, Target};
use model::{ClusterId, ClusterLock, FleetName, Have, Slot, Timestamp, tags};
use std::collections::BTreeSet;

/// Older duplicates are never freed by the engine.
const AGE_MAX_SECONDS: i64 = 3600;

#[derive(Default)]
pub(crate) struct Found {
    pub(crate) frees: Vec<Free>,
    pub(crate) kept: Vec<Duplicate>,
}

/// What is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) have: &'a Have,
    pub(crate) index: &'a Index<'a>,
    pub(crate) fleet: &'a FleetName,
    pub(crate) now: Timestamp,
}

/// Beside what this lock names; `spared` are ids that a plan uses, or frees for another reason.
pub(crate) fn find(id: &ClusterId, lock: &ClusterLock, search: &Search<'_>, spared: &BTreeSet<String>) -> Found {
    let Search { have, index, fleet, now } = *search;
    let mut found = Found::default();
    let cluster = id.to_string();
    let project = &lock.identity.project;
    // Only metal-api's own clock can say how old something is by metal-api's clock.
    let now = have.server_time.unwrap_or(now);
    let next = successor(&lock.values);
    for value in &committed(&lock.values) {
        let hits = index.hits(&cluster, &value.slot);
        for hit in hits.iter().filter(|h| h.is_ours(fleet, &value.slot) && h.project == project) {
            let slot = hit.mark().map_or_else(|| value.slot.clone(), |mark| mark.slot);
            let named = next.as_ref().filter(|next| next.slot == slot).unwrap_or(value);
            let this = hit.resource.id();
            // A later generation that the lock does not name yet is no duplicate.
            if this == named.id() || spared.contains(&this) || slot > named.slot {
                continue;
            }
            match why_kept(hit, &named.slot, have, now).or_else(|| is_missing(index, hit, &named.target)) {
                None => found.frees.push(Free {
                    cluster: id.clone(),
                    slot,
                    project: hit.project.clone(),
                    target: hit.resource.owned().target(),
                    why: FreeReason::Duplicate { of: named.id() },
                }),
                Some((why_kept, waits)) => {
                    found.kept.push(Duplicate { cluster: id.clone(), slot, id: this, why_kept, waits });
                }
            }
        }
    }
    found
}

/// A duplicate may be all that is left.
fn is_missing(index: &Index<'_>, hit: &Hit<'_>, named: &Target) -> Option<(&'static str, bool)> {
    let is_there = index.get(hit.project, named).is_some_and(|resource| resource.is_allocation(named));
    (!is_there).then_some(("the one that the lock names is missing", true))
}

/// Why a duplicate stays, and whether time may change that; None when it may go.
pub(crate) fn why_kept(hit: &Hit<'_>, slot: &Slot, have: &Have, now: Timestamp) -> Option<(&'static str, bool)> {
    let Some(created) = hit.resource.created() else { return Some(("its age is unknown", false)) };
    if now.as_second() - created.as_second() >= AGE_MAX_SECONDS {
        return Some(("it is older than one hour", false));
    }
    match hit.resource {
        ResourceRef::Network(network) => {
            let Some(had) = have.projects.get(hit.project) else { return Some(("its project was not read", true)) };
            if had.machines.iter().any(|m| m.networks.iter().any(|n| n.network == network.id)) {
                return Some(("a machine lives in it", false));
            }
            let lives = |ip: &&model::metal::Ip| ip.network == network.id && ip.tags.get(tags::MACHINE_ID).is_none();
            had.ips.iter().find(lives).map(|_| ("an address that no machine uses is in it", false))
        }
        ResourceRef::Ip(ip) if ip.tags.get(tags::SERVICE).is_some() => Some(("a service uses it", false)),
        // A firewall that is a duplicate itself may still hold it; it goes first.
        ResourceRef::Ip(ip) => ip.tags.get(tags::MACHINE_ID).map(|machine| {
            let of_firewall =
                have.projects.get(hit.project).is_some_and(|p| p.firewalls.iter().any(|f| f.id.as_str() == machine));
            ("a machine uses it", of_firewall)
        }),
        ResourceRef::Firewall(_) => {
            let same_generation = hit.mark().is_some_and(|m| m.slot == *slot);
            (!same_generation).then_some(("no later generation has phoned home yet", true))
        }
    }
}
