//! Plan and Done to locks: what is known now, and why the rest is not. Locks may be partial (R7).

use crate::{ClusterPlan, Plan, Step};
use model::definition::VipKind;
use model::fleet::ApiVersion;
use model::lock::{Deletion, EgressIp, Firewall, Kubernetes, LockKind, NodeNetwork, Source, Values, Vip};
use model::metal::{Ip, IpKind};
use model::request::{Done, Outcome, Resource};
use model::want::{Effective, Wanted, firewall_inputs, input_digests};
use model::{ClusterId, ClusterLock, Condition, ConditionStatus, Origin, Reason, Slot, Want};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The lock of every cluster that is not blocked and of which something is known. A value that a lock held before is
/// there unchanged (I5).
pub fn settle(want: &Want, plan: &Plan, done: &Done) -> BTreeMap<ClusterId, ClusterLock> {
    let mut locks = BTreeMap::new();
    for (id, cluster) in &plan.clusters {
        let Some(wanted) = want.clusters.get(id).filter(|_| cluster.blocked.is_none()) else { continue };
        let outcomes = done.slots.get(id).map(Vec::as_slice).unwrap_or_default();
        if let Some(lock) = lock(wanted, cluster, outcomes, plan.confirmed.get(id).cloned()) {
            locks.insert(id.clone(), lock);
        }
    }
    locks
}

fn lock(
    wanted: &Wanted,
    plan: &ClusterPlan,
    outcomes: &[(Slot, Outcome)],
    deletion: Option<Deletion>,
) -> Option<ClusterLock> {
    let effective = &*wanted.effective;
    let mut values = wanted.lock.as_deref().map(|l| l.values.clone()).unwrap_or_default();
    let mut open = None;
    for step in &plan.steps {
        let outcome = outcomes.iter().find(|(slot, _)| slot.same(step.slot())).map(|(_, outcome)| outcome);
        let filled = match (step, outcome) {
            (Step::Keep { .. } | Step::Delegate { .. }, _) => continue,
            (Step::Use { slot, resource, origin }, _) => fill(&mut values, effective, slot, resource, *origin),
            (Step::Allocate { slot, .. }, Some(Outcome::Filled { resource, .. })) => {
                fill(&mut values, effective, slot, resource, Origin::Allocated)
            }
            (Step::Allocate { .. }, _) | (Step::Refuse { .. }, _) => false,
        };
        if !filled && open.is_none() {
            open = Some(refusal(step, outcome));
        }
    }
    // Nothing is known and nothing was before: there is nothing to lock yet.
    if values == Values::default() && wanted.lock.is_none() {
        return None;
    }
    values.kubernetes = Some(Kubernetes { version: effective.version.clone() });
    values.images = images(effective, &values);
    let autoscaled = effective.pools.iter().filter(|pool| pool.autoscale.is_some());
    values.autoscaled_pools = autoscaled.map(|pool| pool.name.clone()).collect();
    let before = wanted.lock.as_deref();
    // What feeds a machine-affecting object is recorded with its first output.
    let rendered = if open.is_none() { input_digests(wanted.id.name(), effective, &values) } else { BTreeMap::new() };
    let conditions = vec![resolved(open, before)];
    Some(ClusterLock {
        api_version: ApiVersion::V1Alpha1,
        kind: LockKind::ClusterLock,
        identity: wanted.identity.clone(),
        source: Source { path: wanted.path.clone(), digest: wanted.digest.clone() },
        values,
        rendered,
        conditions,
        deletion,
    })
}

/// Why a slot is not filled; None when only time will tell, which is not worth a commit.
fn refusal(step: &Step, outcome: Option<&Outcome>) -> Option<Reason> {
    match (step, outcome) {
        (Step::Refuse { reason: Reason::OutcomeUnknown, .. }, _) => None,
        (Step::Refuse { reason, .. }, _) | (_, Some(Outcome::Refused { reason, .. })) => Some(*reason),
        (_, Some(Outcome::Unknown { .. } | Outcome::Waiting { .. } | Outcome::Filled { .. }) | None) => None,
    }
}

/// `Resolved`: conditions in Git change with content only, so an outcome that is merely unknown keeps the last one.
fn resolved(open: Option<Option<Reason>>, before: Option<&ClusterLock>) -> Condition {
    let Some(reason) = open else { return Condition::resolved(ConditionStatus::True, Reason::AllValuesKnown, "") };
    let last = before.and_then(|l| l.conditions.iter().find(|c| c.status == ConditionStatus::False)).map(|c| c.reason);
    Condition::resolved(ConditionStatus::False, reason.or(last).unwrap_or(Reason::OutcomeUnknown), "")
}

/// Puts what fills a slot into the values; false when it is of the wrong kind.
pub fn fill(values: &mut Values, effective: &Effective, slot: &Slot, resource: &Resource, origin: Origin) -> bool {
    match (slot, resource) {
        (Slot::Network, Resource::Network(network)) => {
            let mut prefixes = network.prefixes.clone();
            prefixes.sort();
            values.node_network = Some(NodeNetwork { id: network.id.clone(), prefixes, origin });
        }
        (Slot::Vip, Resource::Ip(ip)) => {
            let IpAddr::V4(address) = ip.address else { return false };
            values.vip = Some(Vip {
                address,
                port: effective.api_port.value,
                network: ip.network.clone(),
                kind: kind(ip),
                allocation: ip.allocation.clone(),
                origin,
            });
        }
        (Slot::Egress(network), Resource::Ip(ip)) => {
            values.egress_ips.retain(|e| e.network != *network);
            values.egress_ips.push(EgressIp {
                network: network.clone(),
                address: ip.address,
                allocation: ip.allocation.clone(),
                origin,
            });
            values.egress_ips.sort_by(|a, b| a.network.cmp(&b.network));
        }
        (Slot::Firewall(generation), Resource::Machine(machine)) => {
            values.firewall = Some(Firewall {
                id: machine.id.clone(),
                allocation: machine.allocation.clone(),
                generation: if origin == Origin::Adopted { 0 } else { *generation },
                image: machine.image.clone(),
                networks: effective.firewall.networks.value.clone(),
                origin,
                inputs: (origin != Origin::Adopted).then(|| firewall_inputs(effective)),
                successor: None,
            });
        }
        (Slot::Network | Slot::Vip | Slot::Egress(_) | Slot::Firewall(_), _) => return false,
    }
    true
}

fn kind(ip: &Ip) -> VipKind {
    match ip.kind {
        IpKind::Static => VipKind::Static,
        IpKind::Ephemeral => VipKind::Ephemeral,
    }
}

/// What each image of the definition resolved to.
fn images(effective: &Effective, values: &Values) -> BTreeMap<String, model::ImageId> {
    let machines = std::iter::once(&effective.control_plane).chain(effective.pools.iter().map(|p| &p.machines));
    let mut images: BTreeMap<_, _> = machines.map(|m| (m.image.wish.value.to_string(), m.image.id.clone())).collect();
    if let Some(firewall) = &values.firewall {
        images.insert(effective.firewall.image.value.to_string(), firewall.image.clone());
    }
    images
}
