//! What stands beside the resource that a lock names: what may go, and what is only reported (design, "Why one of each
//! holds" 4). Age never decides between two; it only protects what may have been in use for long.

use crate::Duplicate;
use crate::index::{Hit, Index, ResourceRef};
use model::lock::Values;
use model::request::{Free, FreeReason};
use model::{ClusterId, ClusterLock, FleetName, Have, Slot, Timestamp, tags};

/// Older duplicates are never freed by the engine.
const AGE_MAX_SECONDS: i64 = 3600;

#[derive(Default)]
pub(crate) struct Found {
    pub(crate) frees: Vec<Free>,
    pub(crate) kept: Vec<Duplicate>,
}

pub(crate) fn find(
    id: &ClusterId,
    lock: &ClusterLock,
    have: &Have,
    index: &Index<'_>,
    fleet: &FleetName,
    now: Timestamp,
) -> Found {
    let mut found = Found::default();
    let cluster = id.to_string();
    // Only metal-api's own clock can say how old something is by metal-api's clock.
    let now = have.server_time.unwrap_or(now);
    for (slot, named) in named_slots(&lock.values) {
        for hit in index.hits(&cluster, &slot).iter().filter(|h| h.is_ours(fleet, &slot)) {
            if hit.resource.id() == named || *hit.project != lock.identity.project {
                continue;
            }
            match why_kept(hit, &slot, have, now) {
                None => found.frees.push(Free {
                    cluster: id.clone(),
                    slot: hit.mark().map_or_else(|| slot.clone(), |m| m.slot),
                    project: hit.project.clone(),
                    target: hit.resource.owned().target(),
                    why: FreeReason::Duplicate { of: named.clone() },
                }),
                Some((why_kept, waits)) => found.kept.push(Duplicate {
                    cluster: id.clone(),
                    slot: slot.clone(),
                    id: hit.resource.id(),
                    why_kept,
                    waits,
                }),
            }
        }
    }
    found
}

/// The slots that a lock names, with the id of what fills them.
fn named_slots(values: &Values) -> Vec<(Slot, String)> {
    let Values {
        node_network,
        vip,
        egress_ips,
        firewall,
        kubernetes: _,
        images: _,
        autoscaled_pools: _,
        empty_pools: _,
    } = values;
    let mut slots = Vec::new();
    slots.extend(node_network.as_ref().map(|n| (Slot::Network, n.id.to_string())));
    slots.extend(vip.as_ref().map(|v| (Slot::Vip, v.address.to_string())));
    slots.extend(egress_ips.iter().map(|e| (Slot::Egress(e.network.clone()), e.address.to_string())));
    slots.extend(firewall.as_ref().map(|f| (Slot::Firewall(f.generation.max(1)), f.id.to_string())));
    slots
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
            (!same_generation).then_some(("it is another generation", false))
        }
    }
}
