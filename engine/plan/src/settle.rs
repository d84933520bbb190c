//! Plan and Done to locks: what is known now, and why the rest is not. Locks may be partial (R7).

use crate::generations::{external_networks, recorded};
use crate::losses::available;
use crate::{ClusterPlan, Plan, Step};
use model::definition::VipKind;
use model::fleet::ApiVersion;
use model::lock::{Deletion, EgressIp, Firewall, Kubernetes, LockKind, NodeNetwork, Source, Successor, Values, Vip};
use model::metal::{Ip, IpKind, Machine};
use model::request::{Done, Outcome, Resource};
use model::want::{Effective, Wanted, firewall_inputs, input_digests, is_firewall_of};
use model::{ClusterId, ClusterLock, Condition, ConditionStatus, Origin, Reason, Slot, Want};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The lock of every cluster that is not blocked and of which something is known. A value that a lock held before is
/// there unchanged (I5). Of one whose definition is refused only the firewall is settled (R4).
pub fn settle(want: &Want, plan: &Plan, done: &Done) -> BTreeMap<ClusterId, ClusterLock> {
    let mut locks = BTreeMap::new();
    for (id, cluster) in &plan.clusters {
        let Some(wanted) = want.clusters.get(id) else { continue };
        let outcomes = done.slots.get(id).map(Vec::as_slice).unwrap_or_default();
        let lock = match cluster.blocked {
            None => lock(wanted, cluster, outcomes, plan.confirmed.get(id).cloned()),
            Some(_) => healed(wanted, cluster, outcomes),
        };
        if let Some(lock) = lock {
            locks.insert(id.clone(), lock);
        }
    }
    locks
}

/// The lock of a blocked cluster with another firewall; None where it stays as it is.
fn healed(wanted: &Wanted, plan: &ClusterPlan, outcomes: &[(Slot, Outcome)]) -> Option<ClusterLock> {
    let before = wanted.lock.as_deref().filter(|_| !plan.steps.is_empty())?;
    let mut values = before.values.clone();
    if plan.drops_successor {
        values.firewall.iter_mut().for_each(|firewall| firewall.successor = None);
    }
    for step in plan.steps.iter().filter(|step| matches!(step.slot(), Slot::Firewall(_))) {
        take(&mut values, &wanted.effective, step, outcome_of(step, outcomes));
    }
    (values != before.values).then(|| ClusterLock { values, ..before.clone() })
}

fn outcome_of<'a>(step: &Step, outcomes: &'a [(Slot, Outcome)]) -> Option<&'a Outcome> {
    outcomes.iter().find(|(slot, _)| slot.same(step.slot())).map(|(_, outcome)| outcome)
}

/// Puts what a step came to into the values; false where that is nothing.
fn take(values: &mut Values, effective: &Effective, step: &Step, outcome: Option<&Outcome>) -> bool {
    match (step, outcome) {
        (Step::Use { slot, resource, origin }, _) => fill(values, effective, slot, resource, *origin),
        (Step::Allocate { slot, .. }, Some(Outcome::Filled { resource, .. })) => {
            fill(values, effective, slot, resource, Origin::Allocated)
        }
        (Step::Allocate { .. } | Step::Refuse { .. } | Step::Keep { .. } | Step::Delegate { .. }, _) => false,
    }
}

fn lock(
    wanted: &Wanted,
    plan: &ClusterPlan,
    outcomes: &[(Slot, Outcome)],
    deletion: Option<Deletion>,
) -> Option<ClusterLock> {
    let effective = &*wanted.effective;
    let mut values = wanted.lock.as_deref().map(|l| l.values.clone()).unwrap_or_default();
    let before = wanted.lock.as_deref();
    record_inputs(&mut values, wanted);
    if plan.drops_successor {
        values.firewall.iter_mut().for_each(|firewall| firewall.successor = None);
    }
    let (mut open, mut fresh) = (None, Vec::new());
    for step in &plan.steps {
        if matches!(step, Step::Keep { .. } | Step::Delegate { .. }) {
            continue;
        }
        let outcome = outcome_of(step, outcomes);
        if take(&mut values, effective, step, outcome) {
            fresh.push(step.slot());
        } else if open.is_none() && !plan.is_beside(step) {
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
    // What feeds a machine-affecting object is recorded with its first output.
    let rendered = if open.is_none() { input_digests(wanted.id.name(), effective, &values) } else { BTreeMap::new() };
    let mut conditions = vec![resolved(open, before)];
    let lost: Vec<_> = plan.lost.iter().filter(|(slot, _)| !fresh.contains(&slot)).cloned().collect();
    conditions.extend(available(&lost));
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
    let is_open = |c: &&Condition| c.kind == Condition::RESOLVED && c.status == ConditionStatus::False;
    let last = before.and_then(|l| l.conditions.iter().find(is_open)).map(|c| c.reason);
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
            let made = recorded(machine, *generation, &firewall_inputs(effective));
            match &mut values.firewall {
                Some(serving) if comes_later(serving, *generation, machine, origin) => serving.successor = Some(made),
                _ => values.firewall = Some(serving(made, machine, effective, origin)),
            }
        }
        (Slot::Network | Slot::Vip | Slot::Egress(_) | Slot::Firewall(_), _) => return false,
    }
    true
}

/// R5: the present one goes on until the next generation has phoned home.
fn comes_later(serving: &Firewall, generation: u32, machine: &Machine, origin: Origin) -> bool {
    let ours = serving.origin == Origin::Allocated && origin == Origin::Allocated;
    ours && generation > serving.generation && !machine.phoned_home
}

fn serving(made: Successor, machine: &Machine, effective: &Effective, origin: Origin) -> Firewall {
    let Successor { id, allocation, generation, image, inputs } = made;
    let is_made_so = inputs.as_ref().is_some_and(|inputs| is_firewall_of(effective, inputs));
    let is_as_wanted = is_made_so || machine.networks.is_empty();
    let networks = if is_as_wanted || origin == Origin::Adopted {
        effective.firewall.networks.value.clone()
    } else {
        external_networks(machine)
    };
    let is_adopted = origin == Origin::Adopted;
    let generation = if is_adopted { 0 } else { generation };
    let inputs = inputs.filter(|_| !is_adopted);
    Firewall { id, allocation, generation, image, networks, origin, inputs, successor: None }
}

/// What an older engine's firewall was made from is known by the output alone. It is kept with the firewall before the
/// output goes on.
fn record_inputs(values: &mut Values, wanted: &Wanted) {
    let Some(lock) = wanted.lock.as_deref() else { return };
    let (Some(firewall), Some(before)) = (&mut values.firewall, lock.rendered.get("firewall")) else { return };
    // A patch of the template is in the digest of the output, and never reached the firewall.
    if firewall.inputs.is_some() || firewall.origin != Origin::Allocated || is_patched(wanted, lock) {
        return;
    }
    let digests = input_digests(wanted.id.name(), &wanted.effective, &lock.values);
    if digests.get("firewall") != Some(before) {
        firewall.inputs = Some(before.clone());
    }
}

/// Whether patches feed the firewall's template: what the output was made from then says nothing of the firewall.
pub(crate) fn is_patched(wanted: &Wanted, lock: &ClusterLock) -> bool {
    let digests = input_digests(wanted.id.name(), &wanted.effective, &lock.values);
    digests.get("firewall") != Some(&firewall_inputs(&wanted.effective))
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
    // One that was made from other settings says nothing of the image that is wanted now.
    let is_wanted =
        |inputs: &Option<model::Digest>| inputs.as_ref().is_none_or(|inputs| is_firewall_of(effective, inputs));
    if let Some(firewall) = &values.firewall {
        let next = firewall.successor.as_ref().filter(|next| is_wanted(&next.inputs)).map(|next| &next.image);
        let image = next.or_else(|| is_wanted(&firewall.inputs).then_some(&firewall.image));
        images.extend(image.map(|image| (effective.firewall.image.value.to_string(), image.clone())));
    }
    images
}
