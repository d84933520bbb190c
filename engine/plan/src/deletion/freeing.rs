//! The last phase: firewalls, addresses of services, egress addresses, VIP, network, each when the one before is gone
//! from metal-api (R25). What carries our mark for the cluster goes, and what the lock names as allocated; what is
//! adopted, delegated, or used by a living cluster never does.

use super::named::{is_ours, named};
use super::phases::{after, in_use};
use super::{Context, Deleting, Next, kept, occupants};
use crate::budget::FreeBudget;
use crate::committed::Committed;
use crate::index::{Hit, ResourceRef};
use model::lock::{ClusterLock, Deletion};
use model::metal::{HaveProject, Ip, IpKind, Machine, MachineRole, MachineState};
use model::request::{Free, FreeReason, Target};
use model::tags::{self, is_service_of};
use model::{ClusterId, MachineId, Origin, ProjectId, Reason, Slot, Tags, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// So many values of a lock may be missing at once without a doubt about metal-api.
const MISSING_MAX: usize = 2;

/// The order in which things go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Firewall,
    Service,
    Egress,
    Vip,
    Network,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Firewall, Self::Service, Self::Egress, Self::Vip, Self::Network];

    fn of(slot: &Slot) -> Self {
        match slot {
            Slot::Firewall(_) => Self::Firewall,
            Slot::Egress(_) => Self::Egress,
            Slot::Vip => Self::Vip,
            Slot::Network => Self::Network,
        }
    }
}

/// Something of the cluster's in metal-api, or in its lock.
pub(super) struct Item {
    stage: Stage,
    slot: Slot,
    project: ProjectId,
    target: Target,
    state: State,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// It may go.
    Free,
    /// It is not in the last reading; the find before the free is the proof of it.
    Absent,
    /// It was freed and allocated again.
    Reallocated,
    /// It goes when something else is over.
    Waits(String),
    /// It goes at this time.
    Until(Timestamp, String),
    /// It is somebody's: a person must look.
    Foreign(String),
}

/// The cluster whose things are freed.
pub(super) struct Cluster<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) id: &'a ClusterId,
    /// What living clusters use.
    pub(super) taken: &'a BTreeMap<String, ClusterId>,
}

impl Cluster<'_> {
    pub(super) fn lock(
        &self,
        lock: &ClusterLock,
        deletion: &Deletion,
        budget: &mut FreeBudget<'_>,
        one: &mut Deleting,
        frees: &mut Vec<Free>,
    ) {
        // A machine may have come since the last phase began.
        one.waits.extend(in_use(self.context, self.id, lock));
        let elsewhere = self.unread_projects();
        one.waits.extend(elsewhere.map(|project| format!("metal-api did not answer for project {project} either")));
        one.waits.extend(self.in_use_elsewhere(&lock.identity.project));
        if !one.may_go_on() {
            return;
        }
        let keeps = deletion.grace_period.is_some_and(|grace| grace.get() > 0);
        let mut items = self.named_items(lock, keeps);
        self.doubt(&items, one);
        if !one.may_go_on() {
            return;
        }
        items.extend(self.marked_items(lock));
        self.hold_vip(&mut items);
        items.extend(self.service_items(lock));
        self.go(&items, budget, one, frees);
    }

    /// Carries the stages out, up to the first one of which something is still there.
    pub(super) fn go(&self, items: &[Item], budget: &mut FreeBudget<'_>, one: &mut Deleting, frees: &mut Vec<Free>) {
        let before = frees.len();
        for stage in Stage::ALL {
            let mut is_there = false;
            for item in items.iter().filter(|item| item.stage == stage) {
                is_there |= !matches!(item.state, State::Absent | State::Reallocated);
                match &item.state {
                    State::Free => match budget.spend(self.id, &item.project) {
                        Ok(()) => frees.push(self.free(item)),
                        Err((reason, message)) => one.refuse(reason, message),
                    },
                    State::Absent => frees.push(self.free(item)),
                    State::Reallocated => one.gone.push(item.slot.clone()),
                    State::Waits(sentence) => one.waits.push(sentence.clone()),
                    State::Until(time, sentence) => one.waits_until(*time, sentence.clone()),
                    State::Foreign(message) => one.refuse(Reason::Claimed, message.clone()),
                }
            }
            if is_there && items.iter().any(|item| item.stage > stage) {
                one.next = if frees.len() > before { Next::Free } else { Next::Wait };
                return;
            }
        }
        one.ends = one.may_go_on();
        one.next = match (frees.len() > before, one.ends) {
            (true, _) => Next::Free,
            (false, true) => Next::End,
            (false, false) => Next::Wait,
        };
    }

    fn free(&self, item: &Item) -> Free {
        Free {
            cluster: self.id.clone(),
            slot: item.slot.clone(),
            project: item.project.clone(),
            target: item.target.clone(),
            why: FreeReason::Deletion,
        }
    }

    /// What the lock names as allocated by the engine. With a grace period network and VIP stay.
    fn named_items(&self, lock: &ClusterLock, keeps: bool) -> Vec<Item> {
        let goes = |value: &Committed| {
            let stays = keeps && matches!(value.slot, Slot::Network | Slot::Vip);
            is_ours(value) && !stays
        };
        let project = &lock.identity.project;
        named(&lock.values).iter().filter(|value| goes(value)).filter_map(|value| self.item(project, value)).collect()
    }

    /// One value of a lock or tombstone; None where its project was not read.
    pub(super) fn item(&self, project: &ProjectId, value: &Committed) -> Option<Item> {
        let had = self.context.have.projects.get(project)?;
        let (slot, target) = (value.slot.clone(), value.target.clone());
        let item =
            |slot, target, state| Item { stage: Stage::of(&value.slot), slot, project: project.clone(), target, state };
        let cluster = self.id.to_string();
        let hit = self.context.index.of(&cluster).iter().find(|hit| {
            hit.project == project
                && hit.is_ours(&self.context.fleet.metadata.name, &value.slot)
                && hit.resource.id() == value.target.to_string()
        });
        if let Some(hit) = hit {
            let marked = hit.mark().map_or(slot, |mark| mark.slot);
            return Some(item(marked, hit.resource.owned().target(), self.state(had, hit.resource)));
        }
        let state = match self.context.index.get(project, &value.target) {
            None => State::Absent,
            Some(other) if !other.is_allocation(&value.target) => State::Reallocated,
            Some(same) => State::Foreign(self.not_marked(value, same.tags())),
        };
        Some(item(slot, target, state))
    }

    /// Everything else with our mark for the cluster: every generation, every duplicate, in every project.
    fn marked_items(&self, lock: &ClusterLock) -> Vec<Item> {
        let (kept, fleet) = (kept(&lock.values), &self.context.fleet.metadata.name);
        let known: BTreeSet<String> = named(&lock.values).iter().map(|value| value.target.to_string()).collect();
        let cluster = self.id.to_string();
        let mut items = Vec::new();
        for hit in self.context.index.of(&cluster) {
            let Some(mark) = hit.mark().filter(|mark| mark.is_of(fleet)) else { continue };
            let id = hit.resource.id();
            let is_named = known.contains(&id) && *hit.project == lock.identity.project;
            let Some(had) = self.context.have.projects.get(hit.project) else { continue };
            if is_named || kept.contains(&id) {
                continue;
            }
            let stage = match hit.resource {
                ResourceRef::Network(_) => Stage::Network,
                ResourceRef::Firewall(_) => Stage::Firewall,
                ResourceRef::Ip(_) if matches!(mark.slot, Slot::Egress(_)) => Stage::Egress,
                ResourceRef::Ip(_) => Stage::Vip,
            };
            items.push(Item {
                stage,
                slot: mark.slot,
                project: hit.project.clone(),
                target: hit.resource.owned().target(),
                state: self.state(had, hit.resource),
            });
        }
        items
    }

    /// R14: addresses that the cloud controller manager took for the cluster's services. Without nodes there was none.
    fn service_items(&self, lock: &ClusterLock) -> Vec<Item> {
        let project = &lock.identity.project;
        let Some(had) = self.context.have.projects.get(project).filter(|_| lock.values.node_network.is_some()) else {
            return Vec::new();
        };
        let (cluster, kept) = (self.id.to_string(), kept(&lock.values));
        // A static one only loses its tag. One that a person supplied and that is ephemeral would be freed: it stays.
        let may_go = |ip: &&Ip| ip.kind == IpKind::Static || !kept.contains(&ip.address.to_string());
        let used = |ip: &&Ip| ip.tags.iter().any(|(key, value)| is_service_of(&cluster, key, value));
        let item = |ip: &Ip| Item {
            stage: Stage::Service,
            slot: Slot::Vip,
            project: project.clone(),
            target: Target::Service { address: ip.address, allocation: ip.allocation.clone() },
            state: State::Free,
        };
        had.ips.iter().filter(used).filter(may_go).map(item).collect()
    }

    /// Whether something with our mark may go now.
    fn state(&self, had: &HaveProject, resource: ResourceRef<'_>) -> State {
        let id = resource.id();
        if let Some(other) = self.taken.get(&id) {
            return State::Foreign(format!(
                "`{id}` carries this cluster's mark and is named by cluster {other}: it is freed when {other} does not \
                 name it any more"
            ));
        }
        match resource {
            ResourceRef::Firewall(machine) if machine.state == MachineState::Locked => {
                let why = match machine.state_description.as_str() {
                    "" => String::new(),
                    why => format!(" ({why})"),
                };
                State::Waits(format!("firewall {id} is locked{why} and cannot be freed: metalctl machine unlock {id}"))
            }
            ResourceRef::Firewall(_) => State::Free,
            ResourceRef::Ip(ip) => {
                if let Some(machine) = ip.tags.get(tags::MACHINE_ID) {
                    return State::Waits(format!("address {id} is still in use by machine {machine}"));
                }
                let cluster = self.id.to_string();
                let service =
                    ip.tags.iter().find(|(key, value)| *key == tags::SERVICE && !is_service_of(&cluster, key, value));
                match service {
                    Some((_, service)) => {
                        State::Foreign(format!("address {id} is in use by service `{service}` of another cluster"))
                    }
                    None => State::Free,
                }
            }
            ResourceRef::Network(network) => {
                let left = occupants::standing(had, &network.id, true, |_| false);
                if left.is_empty() { State::Free } else { State::Waits(left.join("; ")) }
            }
        }
    }

    /// R15: where nothing of the fleet is in the project at all, it may be another metal-api. A run that freed something
    /// and could not commit it mostly leaves others' behind.
    fn doubt(&self, items: &[Item], one: &mut Deleting) {
        let (said, fleet) = (self.context.setting.said, &self.context.fleet.metadata.name);
        let is_missing = items.len() > MISSING_MAX && items.iter().all(|item| item.state == State::Absent);
        let is_ours = |hit: &Hit<'_>| *hit.project == one.project && hit.mark().is_some_and(|mark| mark.is_of(fleet));
        if !is_missing || self.context.index.all().any(|(_, hit)| is_ours(hit)) {
            return;
        }
        let reason = Reason::Suspect;
        if !said.is_acknowledged(reason, self.id) && !said.is_acknowledged(reason, &one.project) {
            let message = format!(
                "metal-api has nothing of what the lock names, nor of any other cluster of the project; this may be another \
                 metal-api or a restored database: the lock stays until it is there again, or `ferrofleet ack {reason} {}`",
                self.id
            );
            one.refuse(reason, message);
        }
    }

    /// metal-api hands a free address out at once: the one that was in service is kept for a while.
    fn hold_vip(&self, items: &mut [Item]) {
        let hold = self.context.fleet.spec.deletion.vip_hold;
        let since = self.context.since(self.id);
        for item in items.iter_mut().filter(|item| item.slot == Slot::Vip) {
            let held = match since.map(|since| after(since, hold)) {
                None => State::Waits("when this phase was committed is not known here".to_owned()),
                Some(time) if self.context.setting.now < time => {
                    let address = &item.target;
                    let why =
                        "nobody else should get an address that clients still know (fleet.yaml, deletion.vipHold)";
                    State::Until(time, format!("address {address} is kept until {time}: {why}"))
                }
                Some(_) => continue,
            };
            if matches!(item.state, State::Free | State::Absent) {
                item.state = held;
            }
        }
    }

    /// Who lives in another project where something with our mark for the cluster stands, perhaps an older life of it: what
    /// stands in its networks, and its machines, keep all of it.
    fn in_use_elsewhere(&self, project: &ProjectId) -> Vec<String> {
        let (fleet, cluster) = (&self.context.fleet.metadata.name, self.id.to_string());
        let marked = || {
            let hits = self.context.index.of(&cluster).iter();
            hits.filter(|hit| hit.project != project && hit.mark().is_some_and(|mark| mark.is_of(fleet)))
        };
        let others: BTreeSet<&ProjectId> = marked().map(|hit| hit.project).collect();
        let had = |project: &ProjectId| self.context.have.projects.get(project);
        let mut sentences: Vec<String> = Vec::new();
        for other in others {
            let machines = had(other).and_then(|had| occupants::machines_of(had, &cluster));
            sentences.extend(machines.map(|words| format!("in project {other} {words}")));
        }
        let is_firewall = |hit: &Hit<'_>, id: &MachineId| match hit.resource {
            ResourceRef::Firewall(machine) => machine.id == *id,
            ResourceRef::Network(_) | ResourceRef::Ip(_) => false,
        };
        for hit in marked() {
            let (ResourceRef::Network(network), Some(had)) = (hit.resource, had(hit.project)) else { continue };
            let spared = |machine: &Machine| {
                let is_told = machine.role == MachineRole::Machine && machine.tags.cluster() == Some(&cluster);
                is_told || marked().any(|hit| is_firewall(hit, &machine.id))
            };
            sentences.extend(occupants::standing(had, &network.id, true, spared));
        }
        sentences
    }

    /// Projects in which something with our mark stands and of which not everything was read.
    fn unread_projects(&self) -> impl Iterator<Item = ProjectId> {
        let (fleet, cluster) = (&self.context.fleet.metadata.name, self.id.to_string());
        let ours = self.context.index.of(&cluster).iter().filter(|hit| hit.mark().is_some_and(|m| m.is_of(fleet)));
        let is_accepted = self.context.setting.said.is_acknowledged(Reason::Suspect, self.id);
        let unread = |project: &&ProjectId| {
            let is_suspect = self.context.suspect.contains_key(*project) && !is_accepted;
            !self.context.have.complete_for(project) || is_suspect
        };
        let unread: BTreeSet<ProjectId> = ours.map(|hit| hit.project).filter(unread).cloned().collect();
        unread.into_iter()
    }

    fn not_marked(&self, value: &Committed, tags: &Tags) -> String {
        let (cluster, slot, target) = (self.id, &value.slot, &value.target);
        let says = match (tags.cluster(), tags.mark()) {
            (Some(other), _) if other != cluster.to_string() => format!("is tagged for `{other}`"),
            (_, Some(mark)) => format!("carries the mark of {} `{}` for {}", mark.managed_by, mark.fleet, mark.slot),
            (_, None) => "does not carry the fleet's mark any more".to_owned(),
        };
        format!(
            "{slot} `{target}` {says}, so it is not freed; give it its tags back, or free it by hand if nobody uses it"
        )
    }
}

/// The firewalls that may stand in the node network to the end: those with our mark, and an adopted one. The provider's
/// goes before the Cluster.
pub(super) fn firewalls_of(context: &Context<'_>, id: &ClusterId, lock: &ClusterLock) -> BTreeSet<MachineId> {
    let (cluster, fleet) = (id.to_string(), &context.fleet.metadata.name);
    let marked = context.index.of(&cluster).iter().filter_map(|hit| match hit.resource {
        ResourceRef::Firewall(machine) if hit.is_ours(fleet, &Slot::Firewall(1)) => Some(machine.id.clone()),
        ResourceRef::Firewall(_) | ResourceRef::Network(_) | ResourceRef::Ip(_) => None,
    });
    let mut own: BTreeSet<MachineId> = marked.collect();
    if let Some(firewall) = &lock.values.firewall {
        match firewall.origin {
            Origin::Allocated | Origin::Adopted | Origin::Spec => own.insert(firewall.id.clone()),
            Origin::Delegated => own.remove(&firewall.id),
        };
    }
    own
}
