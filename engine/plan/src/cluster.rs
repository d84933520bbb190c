//! One cluster: slot by slot, in the order of allocation.

use crate::index::{Hit, Index, ResourceRef};
use crate::requests::{self, Budget};
use crate::{ClusterPlan, Step};
use model::definition::{FirewallMode, SlotMode};
use model::lock::Values;
use model::metal::{GapReason, IpKind};
use model::request::Resource;
use model::want::{Blocked, Effective, Wanted};
use model::{Attempt, FleetName, Have, Origin, Reason, Slot, Tags, tags};
use std::net::IpAddr;

pub(crate) struct Context<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) have: &'a Have,
    pub(crate) fleet: &'a FleetName,
    pub(crate) index: &'a Index<'a>,
    pub(crate) attempt: &'a Attempt,
}

pub(crate) fn decide(context: &Context<'_>, suspect: Option<&String>, budget: &mut Budget) -> ClusterPlan {
    let project = context.wanted.identity.project.clone();
    let mut plan = ClusterPlan::new(project);
    plan.blocked = blocked(context, suspect);
    if plan.blocked.is_some() {
        return plan;
    }
    let untouched = budget.clone();
    for slot in slots(&context.wanted.effective) {
        let step = step(context, slot, budget);
        plan.steps.push(step);
    }
    if plan.steps.iter().any(|step| matches!(step, Step::Refuse { .. })) {
        // What it would have taken is left for the others (I6).
        *budget = untouched;
    }
    plan.hold_back();
    plan
}

/// What stops the whole cluster before any slot is looked at.
fn blocked(context: &Context<'_>, suspect: Option<&String>) -> Option<Blocked> {
    let wanted = context.wanted;
    if let Some(blocked) = &wanted.blocked {
        return Some(blocked.clone());
    }
    if let Some(message) = suspect {
        return Some(Blocked { reason: Reason::Suspect, message: message.clone() });
    }
    if context.have.complete_for(&wanted.identity.project) {
        return None;
    }
    // A cluster that has all its values needs nothing of metal-api to be rendered.
    let missing = slots(&wanted.effective).into_iter().any(|slot| locked(values(wanted), &slot).is_none());
    if !missing {
        return None;
    }
    let gap = context.have.gaps_of(&wanted.identity.project).next();
    let reason = match gap.map(|g| g.why) {
        Some(GapReason::Denied) => Reason::Unauthorized,
        Some(GapReason::Unknown) => Reason::Suspect,
        Some(GapReason::Unreachable | GapReason::Failed) | None => Reason::MetalUnreachable,
    };
    let message = gap.map_or_else(|| "the project was not read".to_owned(), |g| format!("{}: {}", g.kind, g.message));
    Some(Blocked { reason, message })
}

/// The slots of a cluster that the engine fills or adopts.
pub(crate) fn slots(effective: &Effective) -> Vec<Slot> {
    let mut slots = vec![Slot::Network, Slot::Vip];
    slots.extend(effective.firewall.egress.iter().cloned().map(Slot::Egress));
    slots.push(Slot::Firewall(1));
    slots
}

fn values(wanted: &Wanted) -> Option<&Values> {
    wanted.lock.as_deref().map(|lock| &lock.values)
}

/// The id that the lock names for a slot.
fn locked(values: Option<&Values>, slot: &Slot) -> Option<String> {
    let values = values?;
    match slot {
        Slot::Network => values.node_network.as_ref().map(|n| n.id.to_string()),
        Slot::Vip => values.vip.as_ref().map(|v| v.address.to_string()),
        Slot::Egress(network) => {
            values.egress_ips.iter().find(|e| e.network == *network).map(|e| e.address.to_string())
        }
        Slot::Firewall(_) => values.firewall.as_ref().map(|f| f.id.to_string()),
    }
}

fn step(context: &Context<'_>, slot: Slot, budget: &mut Budget) -> Step {
    if locked(values(context.wanted), &slot).is_some() {
        // I5: a committed value is kept, whatever else is there.
        return Step::Keep { slot };
    }
    match mode(&context.wanted.effective, &slot) {
        SlotMode::Delegate => Step::Delegate { slot },
        SlotMode::Adopt => adopt(context, slot),
        SlotMode::Allocate => find_or_allocate(context, slot, budget),
    }
}

fn mode(effective: &Effective, slot: &Slot) -> SlotMode {
    match slot {
        Slot::Network => effective.nodes.mode.value,
        Slot::Vip => effective.vip.mode.value,
        Slot::Egress(_) => SlotMode::Allocate,
        Slot::Firewall(_) => match effective.firewall.mode.value {
            FirewallMode::Engine => SlotMode::Allocate,
            FirewallMode::Deployment => SlotMode::Delegate,
            FirewallMode::External => SlotMode::Adopt,
        },
    }
}

fn find_or_allocate(context: &Context<'_>, slot: Slot, budget: &mut Budget) -> Step {
    let cluster = context.wanted.id.to_string();
    let hits = context.index.hits(&cluster, &slot);
    let project = &context.wanted.identity.project;
    if let Some(hit) = proposed(&hits, context.fleet, &slot, |h| h.project == project) {
        let slot = hit.mark().map_or(slot, |m| m.slot);
        return Step::Use { slot, resource: Box::new(hit.resource.owned()), origin: Origin::Allocated };
    }
    // R6: a hit without our mark is somebody's, and a second one beside it would be a second control plane.
    if let Some(hit) = hits.first() {
        let owner = hit
            .mark()
            .map_or_else(|| "no mark of a fleet".to_owned(), |m| format!("the mark of {} `{}`", m.managed_by, m.fleet));
        let message = format!(
            "{} `{}` in project {} is tagged for this cluster with {owner}; adopt it by its id, or free it",
            slot,
            hit.resource.id(),
            hit.project,
        );
        return Step::Refuse { slot, reason: Reason::Claimed, message };
    }
    if let Some(message) = budget.spend(project, &slot) {
        return Step::Refuse { slot, reason: Reason::LimitReached, message };
    }
    match requests::request(context, &slot) {
        Ok(request) => Step::Allocate { slot, request: Box::new(request) },
        Err((reason, message)) => Step::Refuse { slot, reason, message },
    }
}

/// Which of our hits fills the slot: for a firewall the highest generation that has phoned home, else the first ranked.
fn proposed<'h, 'a>(
    hits: &'h [Hit<'a>],
    fleet: &FleetName,
    slot: &Slot,
    here: impl Fn(&Hit<'a>) -> bool,
) -> Option<&'h Hit<'a>> {
    let ours = || hits.iter().filter(|h| h.is_ours(fleet, slot) && here(h));
    let generation = |hit: &Hit<'_>| match hit.mark().map(|m| m.slot) {
        Some(Slot::Firewall(generation)) => generation,
        Some(Slot::Network | Slot::Vip | Slot::Egress(_)) | None => 0,
    };
    let phoned_home = |hit: &&Hit<'_>| match hit.resource {
        ResourceRef::Firewall(machine) => machine.phoned_home,
        ResourceRef::Network(_) | ResourceRef::Ip(_) => false,
    };
    // `max_by_key` takes the last of equals, `min` the first ranked: hits are in rank order, so go backwards.
    let in_service = ours().rev().filter(phoned_home).max_by_key(|h| generation(h));
    in_service.or_else(|| ours().next())
}

fn adopt(context: &Context<'_>, slot: Slot) -> Step {
    let found = match &slot {
        Slot::Network => adopt_network(context),
        Slot::Vip => adopt_vip(context),
        Slot::Firewall(_) => adopt_firewall(context),
        Slot::Egress(_) => Err("egress addresses are allocated, not adopted".to_owned()),
    };
    match found {
        Ok(resource) => Step::Use { slot, resource: Box::new(resource), origin: Origin::Adopted },
        Err(message) => Step::Refuse { slot, reason: Reason::AdoptionRefused, message },
    }
}

fn adopt_network(context: &Context<'_>) -> Result<Resource, String> {
    let (identity, spec) = (&context.wanted.identity, &context.wanted.effective.nodes);
    let id = spec.id.as_ref().ok_or("mode adopt needs `id`")?;
    let had = context.have.projects.get(&identity.project);
    let network = had
        .and_then(|p| p.networks.iter().find(|n| n.id == *id))
        .ok_or_else(|| format!("network `{id}` is not in project {}", identity.project))?;
    if network.partition.as_ref() != Some(&identity.partition) {
        return Err(format!("network `{id}` is not in partition `{}`", identity.partition));
    }
    belongs_to_nobody_else(context, &network.labels)?;
    Ok(Resource::Network(network.clone()))
}

fn adopt_vip(context: &Context<'_>) -> Result<Resource, String> {
    let (identity, spec) = (&context.wanted.identity, &context.wanted.effective.vip);
    let address = IpAddr::V4(spec.address.ok_or("mode adopt needs `address`")?);
    let had = context.have.projects.get(&identity.project);
    let ip = had
        .and_then(|p| p.ips.iter().find(|ip| ip.address == address))
        .ok_or_else(|| format!("address {address} is not allocated in project {}", identity.project))?;
    if ip.kind != IpKind::Static {
        return Err(format!("address {address} is ephemeral: metal-api may free it; make it static first"));
    }
    belongs_to_nobody_else(context, &ip.tags)?;
    Ok(Resource::Ip(ip.clone()))
}

fn adopt_firewall(context: &Context<'_>) -> Result<Resource, String> {
    let (identity, spec) = (&context.wanted.identity, &context.wanted.effective.firewall);
    let id = spec.machine.as_ref().ok_or("mode external needs `machineID`")?;
    let had = context.have.projects.get(&identity.project);
    let machine = had
        .and_then(|p| p.firewalls.iter().find(|m| m.id == *id))
        .ok_or_else(|| format!("firewall {id} is not in project {}", identity.project))?;
    if machine.partition != identity.partition {
        return Err(format!("firewall {id} is in partition `{}`, not `{}`", machine.partition, identity.partition));
    }
    belongs_to_nobody_else(context, &machine.tags)?;
    Ok(Resource::Machine(machine.clone()))
}

/// Refuses what is tagged for another cluster, or allocated by another fleet.
fn belongs_to_nobody_else(context: &Context<'_>, had: &Tags) -> Result<(), String> {
    if let Some(mark) = had.mark().filter(|m| !m.is_of(context.fleet)) {
        return Err(format!("it was allocated by {} `{}`", mark.managed_by, mark.fleet));
    }
    let this = context.wanted.id.to_string();
    for key in [tags::CLUSTER_RESOURCE, tags::CLUSTER_ID, tags::EGRESS] {
        // CAPMS tags machines and firewalls with the id of their node network under the cluster's key.
        let of_network = |value: &str| value.parse::<model::ClusterId>().is_err();
        if let Some(other) = had.get(key).filter(|v| *v != this && !of_network(v)) {
            return Err(format!("it is tagged for cluster `{other}`"));
        }
    }
    Ok(())
}
