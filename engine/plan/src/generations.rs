//! The firewalls of one cluster, by generation: which are ours, which may go (R5).

use crate::Step;
use crate::index::{Hit, Index, ResourceRef};
use crate::watch::passed;
use model::lock::Successor;
use model::metal::{Machine, MachineNetworkKind, MachineRole};
use model::request::{Free, FreeReason, Resource, Target};
use model::want::is_firewall_of;
use model::{
    Allocation, ClusterId, Digest, FleetName, Have, MachineId, NetworkId, Origin, PartitionId, ProjectId, Seconds,
    Slot, Timestamp, Want, tags,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many firewalls of a partition may always be dead at once.
const DEAD_MIN: usize = 2;
/// One in so many may be.
const SHARE: usize = 5;
/// Of so many servers one at least is alive while metal-stack hears of the partition.
const SILENT_MIN: usize = 2;

/// A firewall that was allocated so long ago and has not phoned home is late, at the earliest.
const INSTALLATION: Duration = Duration::from_secs(30 * 60);

/// A firewall of ours, for this cluster and in its project.
#[derive(Clone, Copy)]
pub(crate) struct One<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) generation: u32,
}

impl One<'_> {
    pub(crate) fn slot(&self) -> Slot {
        Slot::Firewall(self.generation)
    }

    pub(crate) fn is(&self, id: &MachineId, allocation: &Allocation) -> bool {
        self.machine.id == *id && self.machine.allocation == *allocation
    }

    pub(crate) fn step(&self) -> Step {
        let resource = Box::new(Resource::Machine(self.machine.clone()));
        Step::Use { slot: self.slot(), resource, origin: Origin::Allocated }
    }
}

/// All of them, in the order in which one of several is chosen.
pub(crate) fn ours<'a>(
    index: &Index<'a>,
    fleet: &'a FleetName,
    cluster: &ClusterId,
    project: &'a ProjectId,
) -> impl Iterator<Item = One<'a>> {
    let slot = Slot::Firewall(1);
    let hits: Vec<Hit<'a>> = index.hits(&cluster.to_string(), &slot);
    hits.into_iter().filter(move |hit| hit.is_ours(fleet, &slot) && hit.project == project).filter_map(|hit| match hit
        .resource
    {
        ResourceRef::Firewall(machine) => Some(One { machine, generation: hit.generation() }),
        ResourceRef::Network(_) | ResourceRef::Ip(_) => None,
    })
}

/// Lower generations than one that has phoned home: they may go at once, whichever one the lock names (R5). `kept` are
/// ids that are a person's or the provider's by now, whatever their tags say.
pub(crate) fn replaced(
    index: &Index<'_>,
    fleet: &FleetName,
    id: &ClusterId,
    project: &ProjectId,
    kept: &BTreeSet<String>,
) -> Vec<Free> {
    let all: Vec<One<'_>> = ours(index, fleet, id, project).collect();
    let in_service = all.iter().filter(|one| one.machine.phoned_home);
    let Some(by) = in_service.min_by_key(|one| Reverse(one.generation)) else { return Vec::new() };
    let is_kept = |one: &One<'_>| kept.contains(one.machine.id.as_str());
    let lower = all.iter().filter(|one| one.generation < by.generation && !is_kept(one));
    let free = |one: &One<'_>| Free {
        cluster: id.clone(),
        slot: one.slot(),
        project: project.clone(),
        target: Target::Machine { id: one.machine.id.clone(), allocation: one.machine.allocation.clone() },
        why: FreeReason::Replaced { by: by.machine.id.to_string() },
    };
    lower.map(free).collect()
}

/// R15 for life: when more than two and more than a fifth of a partition's firewalls went silent at once, or all that is
/// there, it is metal-stack that does not hear them. Those that are being installed do not count.
pub(crate) fn is_outage(have: &Have, partition: &PartitionId) -> bool {
    let all = have.projects.values().flat_map(|had| had.firewalls.iter().chain(&had.machines));
    let servers: Vec<&Machine> = all.filter(|s| s.partition == *partition && s.phoned_home).collect();
    let firewalls = servers.iter().filter(|s| s.role == MachineRole::Firewall);
    let (of, dead) = (firewalls.clone().count(), firewalls.filter(|f| !f.alive).count());
    let all_are = servers.len() >= SILENT_MIN && servers.iter().all(|s| !s.alive);
    dead > DEAD_MIN && dead * SHARE > of || all_are
}

/// Whether it is still young enough to phone home: `healthTimeout` says how long a firewall may be dead, which is too
/// short for an installation where people set it low.
pub(crate) fn is_in_time(machine: &Machine, health_timeout: Seconds, now: Timestamp) -> bool {
    let long = Duration::from_secs(health_timeout.get().into()).max(INSTALLATION);
    machine.created.is_none_or(|created| !passed(created, now, long))
}

/// The firewalls, by project, that a younger one is to take over from and has not yet.
pub(crate) fn replacing(
    want: &Want,
    index: &Index<'_>,
    fleet: &FleetName,
    now: Timestamp,
) -> BTreeMap<ProjectId, usize> {
    let mut all: BTreeMap<ProjectId, usize> = BTreeMap::new();
    for (id, wanted) in &want.clusters {
        let Some(present) = wanted.lock.as_deref().and_then(|lock| lock.values.firewall.as_ref()) else { continue };
        let project = &wanted.identity.project;
        let comes = |one: One<'_>| {
            let effective = &wanted.effective;
            let is_on_its_way = one.generation > present.generation && !one.machine.phoned_home;
            let inputs = one.machine.tags.get(tags::INPUTS).and_then(Digest::parse);
            is_on_its_way
                && inputs.is_none_or(|inputs| is_firewall_of(effective, &inputs))
                && is_in_time(one.machine, effective.firewall.health_timeout.value, now)
        };
        let is_unseen = |next: &Successor| {
            let target = Target::Machine { id: next.id.clone(), allocation: next.allocation.clone() };
            index.get(project, &target).is_none()
        };
        if present.successor.as_ref().is_some_and(is_unseen) || ours(index, fleet, id, project).any(comes) {
            *all.entry(project.clone()).or_default() += 1;
        }
    }
    all
}

/// What the lock says of a firewall.
pub(crate) fn recorded(machine: &Machine, generation: u32, wanted: &Digest) -> Successor {
    Successor {
        id: machine.id.clone(),
        allocation: machine.allocation.clone(),
        generation,
        image: machine.image.clone(),
        inputs: Some(machine.tags.get(tags::INPUTS).and_then(Digest::parse).unwrap_or_else(|| wanted.clone())),
    }
}

/// The networks beside the node network, of one that was made from other settings than the present ones.
pub(crate) fn external_networks(machine: &Machine) -> Vec<NetworkId> {
    let is_external = |kind: MachineNetworkKind| match kind {
        MachineNetworkKind::External | MachineNetworkKind::PrivateSecondaryShared => true,
        MachineNetworkKind::PrivatePrimaryUnshared
        | MachineNetworkKind::PrivatePrimaryShared
        | MachineNetworkKind::Underlay
        | MachineNetworkKind::Other => false,
    };
    let mut networks: Vec<_> =
        machine.networks.iter().filter(|n| is_external(n.kind)).map(|n| n.network.clone()).collect();
    networks.sort();
    networks
}
