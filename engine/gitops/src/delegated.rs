//! Read-back of delegated slots: what the provider filled in, verified against metal-api, becomes part of the lock and
//! stays (I5). The firewall is not among them: its owner may replace it at any time (R3, R4).

use model::live::Seen;
use model::lock::Values;
use model::request::Resource;
use model::want::Wanted;
use model::{ClusterId, Have, Origin, Reason, Slot, Tags, Want};
use plan::{Note, Plan, Step};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Turns delegated slots of which the value was seen into slots that use it. What was seen and is not used comes back
/// with the reason; the slot stays delegated then.
pub(crate) fn read_back(
    plan: &mut Plan,
    want: &Want,
    have: &Have,
    seen: &BTreeMap<ClusterId, Seen>,
) -> BTreeMap<ClusterId, Note> {
    let mut refused = BTreeMap::new();
    for (id, seen) in seen {
        let (Some(wanted), Some(cluster)) = (want.clusters.get(id), plan.clusters.get_mut(id)) else { continue };
        let project = &wanted.identity.project;
        let is_stopped = cluster.blocked.is_some() || plan.suspect.contains_key(project);
        if is_stopped || !have.complete_for(project) {
            continue;
        }
        for step in &mut cluster.steps {
            let Step::Delegate { slot } = step else { continue };
            match used(want, wanted, have, slot, seen) {
                None => {}
                Some(Ok(resource)) => {
                    let (slot, resource) = (slot.clone(), Box::new(resource));
                    *step = Step::Use { slot, resource, origin: Origin::Delegated };
                }
                Some(Err(message)) => {
                    refused.insert(id.clone(), Note::new(Reason::Claimed, message));
                }
            }
        }
    }
    refused
}

/// None while the provider has not filled the slot, or where it is not read back.
fn used(want: &Want, wanted: &Wanted, have: &Have, slot: &Slot, seen: &Seen) -> Option<Result<Resource, String>> {
    let identity = &wanted.identity;
    let had = have.projects.get(&identity.project)?;
    let (shown, resource) = match slot {
        Slot::Network => {
            let id = seen.values.node_network.as_ref()?;
            let found = had.networks.iter().find(|n| n.id == *id && n.partition.as_ref() == Some(&identity.partition));
            (format!("network `{id}`"), found.cloned().map(Resource::Network))
        }
        Slot::Vip => {
            let address = IpAddr::V4(seen.values.vip?);
            let found = had.ips.iter().find(|ip| ip.address == address);
            (format!("address {address}"), found.cloned().map(Resource::Ip))
        }
        Slot::Egress(_) | Slot::Firewall(_) => return None,
    };
    let shown = format!("the management cluster shows {shown} for {slot}");
    let Some(resource) = resource else {
        let (project, partition) = (&identity.project, &identity.partition);
        return Some(Err(format!("{shown}, which project {project} does not have in partition {partition}")));
    };
    if let Some(other) = other_cluster(&wanted.id, resource.tags()) {
        return Some(Err(format!("{shown}, which is tagged for `{other}`; it is not taken into the lock")));
    }
    if let Some(other) = locked_by(want, &wanted.id, &resource) {
        return Some(Err(format!("{shown}, which the lock of `{other}` names; it is not taken into this one")));
    }
    Some(Ok(resource))
}

fn other_cluster<'a>(id: &ClusterId, tags: &'a Tags) -> Option<&'a str> {
    tags.cluster().filter(|cluster| *cluster != id.to_string())
}

fn locked_by<'a>(want: &'a Want, id: &ClusterId, resource: &Resource) -> Option<&'a ClusterId> {
    let names = |values: &Values| match resource {
        Resource::Network(network) => values.node_network.as_ref().is_some_and(|n| n.id == network.id),
        Resource::Ip(ip) => values.vip.as_ref().is_some_and(|vip| IpAddr::V4(vip.address) == ip.address),
        Resource::Machine(_) => false,
    };
    let live = want.clusters.iter().filter_map(|(id, wanted)| Some((id, wanted.lock.as_deref()?)));
    let orphans = want.orphan_locks.iter().map(|(id, orphan)| (id, &*orphan.lock));
    live.chain(orphans).find(|(other, lock)| *other != id && names(&lock.values)).map(|(other, _)| other)
}

#[cfg(test)]
mod tests;
