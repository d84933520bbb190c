//! One cluster: slot by slot, in the order of allocation.

use crate::committed::Committed;
use crate::index::{Hit, Index, ResourceRef};
use crate::requests::{self, Budget};
use crate::{ClusterPlan, Loss, LossKind, Note, Setting, Step, firewall, losses, recover};
use model::definition::{FirewallMode, SlotMode};
use model::metal::{GapReason, IpKind};
use model::request::Resource;
use model::want::{Blocked, Effective, Wanted};
use model::{FleetName, Have, Origin, Reason, Slot, Tags, Timestamp, tags};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(crate) struct Context<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) have: &'a Have,
    pub(crate) fleet: &'a FleetName,
    /// `fleet.yaml` has an error.
    pub(crate) fleet_is_refused: bool,
    pub(crate) index: &'a Index<'a>,
    pub(crate) setting: &'a Setting<'a>,
    /// Of this cluster's committed values.
    pub(crate) losses: &'a [Loss],
}

impl Context<'_> {
    /// Whether everything of its project was read.
    pub(crate) fn is_read(&self) -> bool {
        self.index.is_complete(&self.wanted.identity.project)
    }

    /// By metal-api's own clock, where it said.
    pub(crate) fn now(&self) -> Timestamp {
        self.have.server_time.unwrap_or(self.setting.now)
    }
}

pub(crate) fn decide(context: &Context<'_>, suspect: Option<&String>, budget: &mut Budget) -> ClusterPlan {
    let project = context.wanted.identity.project.clone();
    let mut plan = ClusterPlan::new(project);
    plan.blocked = blocked(context, suspect);
    if let Some(blocked) = plan.blocked.clone() {
        if is_refused(context, suspect) {
            firewall::heal(context, &blocked, budget, &mut plan);
        }
        return plan;
    }
    if let Some(lock) = context.wanted.lock.as_deref() {
        plan.lost = losses::lost(lock, context.is_read(), context.losses);
    }
    let untouched = budget.clone();
    for slot in slots(&context.wanted.effective) {
        fill(context, slot, budget, &mut plan);
    }
    if plan.steps.iter().any(|step| matches!(step, Step::Refuse { .. })) {
        // What it would have taken is left for the others (I6).
        *budget = untouched;
    }
    plan.hold_back();
    plan.notes.extend(handed_over(context, &plan.steps));
    plan
}

/// What a person took over keeps our mark, which only a person can take off: a later cluster of the same name would find
/// it by that.
fn handed_over(context: &Context<'_>, steps: &[Step]) -> Vec<Note> {
    let adopted: BTreeSet<String> = slots(&context.wanted.effective)
        .iter()
        .filter_map(|slot| match steps.iter().find(|step| step.slot().same(slot)) {
            Some(Step::Use { resource, origin: Origin::Adopted, .. }) => Some(resource.id()),
            Some(Step::Keep { .. }) => {
                locked(context.wanted, slot).filter(|value| value.origin == Origin::Adopted).map(|value| value.id())
            }
            Some(Step::Use { .. } | Step::Delegate { .. } | Step::Allocate { .. } | Step::Refuse { .. }) | None => None,
        })
        .collect();
    let cluster = context.wanted.id.to_string();
    let marked = context.index.of(&cluster).iter().filter_map(|hit| {
        let (mark, id) = (hit.mark().filter(|mark| mark.is_of(context.fleet))?, hit.resource.id());
        (adopted.contains(&id) && hit.project == &context.wanted.identity.project).then(|| {
            let slot = mark.slot;
            let message = format!(
                "{slot} `{id}` is a person's and still carries this fleet's mark: once this cluster is deleted, another \
                 one of the same name would take it for its own and free it at its end; take the tags off it before, or \
                 do not use the name again"
            );
            Note::new(Reason::Claimed, message)
        })
    });
    let mut notes: Vec<Note> = marked.collect();
    notes.sort();
    notes
}

/// Whether it is only its definition that stops a cluster, and all else is known: its firewall is healed all the same (R4).
fn is_refused(context: &Context<'_>, suspect: Option<&String>) -> bool {
    let (wanted, said) = (context.wanted, context.setting.said);
    let is_of_definition = |blocked: &Blocked| {
        matches!(blocked.reason, Reason::InvalidDefinition | Reason::Immutable | Reason::ReplacementNotAllowed)
    };
    let is_suspect = suspect.is_some() && !said.is_acknowledged(Reason::Suspect, &wanted.id);
    wanted.blocked.as_ref().is_some_and(is_of_definition)
        && wanted.lock.as_deref().is_some_and(|lock| lock.identity == wanted.identity)
        && !(is_suspect || context.fleet_is_refused || said.held.contains(&wanted.id))
        && context.is_read()
}

/// What stops the whole cluster before any slot is looked at.
fn blocked(context: &Context<'_>, suspect: Option<&String>) -> Option<Blocked> {
    let wanted = context.wanted;
    if let Some(blocked) = &wanted.blocked {
        return Some(blocked.clone());
    }
    if context.setting.said.held.contains(&wanted.id) {
        let message = "a person reverted what the engine wrote for it; change its definition, or revert the revert";
        return Some(Blocked { reason: Reason::HeldAfterRevert, message: message.to_owned() });
    }
    let accepted = context.setting.said.is_acknowledged(Reason::Suspect, &wanted.id);
    if let Some(message) = suspect.filter(|_| !accepted) {
        return Some(Blocked { reason: Reason::Suspect, message: message.clone() });
    }
    if context.is_read() {
        return None;
    }
    // A cluster that has all its values needs nothing of metal-api to be rendered.
    let is_missing =
        |slot: &Slot| mode(&wanted.effective, slot) != SlotMode::Delegate && locked(wanted, slot).is_none();
    if !slots(&wanted.effective).iter().any(is_missing) {
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

/// What the lock names for a slot.
fn locked(wanted: &Wanted, slot: &Slot) -> Option<Committed> {
    Committed::of(wanted.lock.as_deref()?, slot)
}

/// The steps of one slot.
fn fill(context: &Context<'_>, slot: Slot, budget: &mut Budget, plan: &mut ClusterPlan) {
    let values = context.wanted.lock.as_deref().map(|lock| &lock.values);
    if let (Slot::Firewall(_), Some(present)) = (&slot, values.and_then(|values| values.firewall.as_ref())) {
        return firewall::decide(context, present, budget, plan);
    }
    let step = match (locked(context.wanted, &slot), mode(&context.wanted.effective, &slot)) {
        (Some(value), mode) => kept(context, &value, mode, plan),
        (None, SlotMode::Delegate) => Step::Delegate { slot },
        (None, SlotMode::Adopt) => adopt(context, slot),
        (None, SlotMode::Allocate) => find_or_allocate(context, slot, budget),
    };
    plan.steps.push(step);
}

/// I5: a committed value is kept, whatever else is there, until a person says otherwise.
fn kept(context: &Context<'_>, value: &Committed, mode: SlotMode, plan: &mut ClusterPlan) -> Step {
    let slot = value.slot.clone();
    let loss = context.losses.iter().find(|loss| loss.slot == slot);
    // The definition now names what the lock holds: the person's from now on, never freed.
    let is_handed_over = value.origin != Origin::Adopted || loss.is_some_and(|l| l.kind == LossKind::Reallocated);
    if mode == SlotMode::Adopt && named(context, &slot).is_some_and(|id| id == value.id()) && is_handed_over {
        let is_there = context.is_read() && loss.is_none_or(|loss| loss.kind == LossKind::Reallocated);
        match adopt(context, slot.clone()) {
            step @ Step::Use { .. } if is_there => return step,
            Step::Refuse { reason, message, .. } if is_there => plan.notes.push(Note::new(reason, message)),
            _ => {}
        }
    }
    match loss.filter(|loss| loss.is_concluded()) {
        Some(loss) => recover::step(context, value, loss, plan),
        None => Step::Keep { slot },
    }
}

/// The id that a definition gives for adoption.
fn named(context: &Context<'_>, slot: &Slot) -> Option<String> {
    let effective = &context.wanted.effective;
    match slot {
        Slot::Network => effective.nodes.id.as_ref().map(ToString::to_string),
        Slot::Vip => effective.vip.address.map(|address| address.to_string()),
        Slot::Egress(_) => None,
        Slot::Firewall(_) => effective.firewall.machine.as_ref().map(ToString::to_string),
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
    let project = &context.wanted.identity.project;
    let hits = used_first(context, context.index.hits(&cluster, &slot), &slot);
    if let Some(hit) = proposed(&hits, context.fleet, &slot, |h| h.project == project) {
        let slot = hit.mark().map_or(slot, |m| m.slot);
        return Step::Use { slot, resource: Box::new(hit.resource.owned()), origin: Origin::Allocated };
    }
    if let Some(message) = claimed(&hits, &slot) {
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

/// Of two networks or egress addresses (a request that was delivered twice makes both) the one that the cluster's firewall
/// has goes first: the other one can be freed.
fn used_first<'a>(context: &Context<'a>, mut hits: Vec<Hit<'a>>, slot: &Slot) -> Vec<Hit<'a>> {
    if hits.len() < 2 || !matches!(slot, Slot::Network | Slot::Egress(_)) {
        return hits;
    }
    let (firewall, project) = (Slot::Firewall(1), &context.wanted.identity.project);
    let firewalls = context.index.hits(&context.wanted.id.to_string(), &firewall);
    let Some(Hit { resource: ResourceRef::Firewall(machine), .. }) =
        proposed(&firewalls, context.fleet, &firewall, |hit| hit.project == project)
    else {
        return hits;
    };
    let is_used = |hit: &Hit<'_>| match hit.resource {
        ResourceRef::Network(network) => machine.networks.iter().any(|own| own.network == network.id),
        ResourceRef::Ip(ip) => machine.networks.iter().any(|own| own.ips.contains(&ip.address)),
        ResourceRef::Firewall(_) => false,
    };
    hits.sort_by_key(|hit| !is_used(hit));
    hits
}

/// R6: a hit without our mark is somebody's, and a second one beside it would be a second control plane.
pub(crate) fn claimed(hits: &[Hit<'_>], slot: &Slot) -> Option<String> {
    let hit = hits.first()?;
    let owner = hit
        .mark()
        .map_or_else(|| "no mark of a fleet".to_owned(), |m| format!("the mark of {} `{}`", m.managed_by, m.fleet));
    let id = hit.resource.id();
    Some(format!(
        "{slot} `{id}` in project {} is tagged for this cluster with {owner}; adopt it by its id, or free it",
        hit.project
    ))
}

/// Which of our hits fills the slot: for a firewall the highest generation that has phoned home, else the first ranked.
fn proposed<'h, 'a>(
    hits: &'h [Hit<'a>],
    fleet: &FleetName,
    slot: &Slot,
    here: impl Fn(&Hit<'a>) -> bool,
) -> Option<&'h Hit<'a>> {
    let ours = || hits.iter().filter(|h| h.is_ours(fleet, slot) && here(h));
    let phoned_home = |hit: &&Hit<'_>| match hit.resource {
        ResourceRef::Firewall(machine) => machine.phoned_home,
        ResourceRef::Network(_) | ResourceRef::Ip(_) => false,
    };
    // `max_by_key` takes the last of equals, `min` the first ranked: hits are in rank order, so go backwards.
    let in_service = ours().rev().filter(phoned_home).max_by_key(|h| h.generation());
    in_service.or_else(|| ours().next())
}

pub(crate) fn adopt(context: &Context<'_>, slot: Slot) -> Step {
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
