//! metal-api, the management cluster and the branch as a deletion meets them, with what can go wrong.

use super::super::samples::*;
use super::bed::*;
use crate::Plan;
use model::lock::{DeletionPhase, Ending};
use model::metal::{HaveProject, IpKind};
use model::request::{Done, Free, FreeOutcome, FreeReason, Target};
use model::tags::{self, is_service_of};
use model::{Origin, Slot, Tags};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Numbers that a seed decides.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

pub(super) struct World {
    pub(super) bed: Bed,
    pub(super) dice: Dice,
    pub(super) is_faulty: bool,
    has_access: bool,
    is_lifted: bool,
    /// What must be there to the end.
    protected: BTreeSet<String>,
    /// When something was freed, as commits say.
    freed_at: Vec<i64>,
}

impl World {
    /// A cluster as any life may have left it, at the commit that confirms its deletion.
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let origins = [Origin::Allocated, Origin::Allocated, Origin::Adopted, Origin::Delegated];
        let mut origin = || origins[usize::try_from(dice.below(4)).unwrap()];
        let (network_of, vip_of, firewall_of) = (origin(), origin(), origin());
        let mut bed = Bed::new(DeletionPhase::Confirmed);
        if dice.one_in(2) {
            bed = bed.egress("198.18.0.2");
        }
        if dice.one_in(2) {
            bed = bed.grace(30);
        }
        bed = bed.network_of(network_of).vip_of(vip_of).firewall_of(firewall_of);
        for _ in 0..dice.below(3) {
            bed = bed.machine("default.shop", "n1");
            let n = u32::try_from(50 + dice.below(40)).unwrap();
            project(&mut bed.have).machines.last_mut().unwrap().id = machine_id(n);
            bed = bed.address(&format!("10.0.0.{n}"), "n1", Some(n));
        }
        if dice.one_in(2) {
            bed = bed.service("198.18.0.9", IpKind::Ephemeral, "default.shop");
        }
        if dice.one_in(2) {
            bed = bed.service("198.18.0.10", IpKind::Static, "default.shop");
        }
        bed = bed.service("198.18.0.11", IpKind::Ephemeral, "default.shop2").address("10.0.0.1", "n1", Some(1));
        let had = project(&mut bed.have);
        let service = |cluster: &str| format!("{}={cluster}/web/front", tags::SERVICE);
        had.ips.iter_mut().filter(|ip| ip.address.to_string() == "198.18.0.11").for_each(|ip| {
            ip.tags = Tags::from_address_strings([service("default.shop2"), service("default.shop")]);
        });
        for generation in 2..2 + u32::try_from(dice.below(3)).unwrap() {
            had.firewalls.push(firewall(generation, "default.shop", generation, 100));
        }
        if dice.one_in(3) {
            had.networks.push(network("n2", "default.shop", 100));
            had.ips.push(vip("198.18.0.3", "default.shop", 100));
        }
        let mut protected =
            BTreeSet::from(["n9", "198.18.0.99", "n50", "n51", "198.18.0.10", "198.18.0.11"].map(String::from));
        protected.insert(machine_id(9).to_string());
        had.networks.push(model::metal::Network { labels: Tags::new(), ..network("n50", "default.shop", 1) });
        let foreign = marked("default.shop", &Slot::Network).with(tags::FLEET, "other");
        had.networks.push(model::metal::Network { labels: foreign, ..network("n51", "default.shop", 1) });
        let named = [("n1", network_of), ("198.18.0.1", vip_of), (machine_id(1).as_str(), firewall_of)]
            .map(|(id, origin)| (id.to_owned(), origin));
        for (id, origin) in named {
            match origin {
                Origin::Adopted => drop(protected.insert(id)),
                Origin::Delegated => delegate(had, &id),
                Origin::Allocated | Origin::Spec => {}
            }
        }
        let mut other = want(&["default.other"]);
        lock(&mut other, "default.other", values("n9", "198.18.0.99", 9));
        stock(&mut bed.have, "default.other", &values("n9", "198.18.0.99", 9));
        bed.want.clusters = other.clusters;
        let has_access = dice.one_in(2);
        Self { bed, dice, is_faulty: true, has_access, is_lifted: false, protected, freed_at: Vec::new() }
    }

    fn had(&mut self) -> &mut HaveProject {
        project(&mut self.bed.have)
    }

    pub(super) fn is_over(&self) -> bool {
        self.bed.want.orphan_locks.is_empty() && self.bed.want.tombstones.is_empty()
    }

    fn phase(&self) -> Option<DeletionPhase> {
        self.bed.want.orphan_locks.get(&shop()).and_then(|o| Some(o.lock.deletion.as_ref()?.phase))
    }

    /// Time passes: addresses are released, the GitOps tool syncs, Cluster API deletes, the provider frees its own.
    pub(super) fn tick(&mut self) {
        let length = self.dice.below(600) + 1;
        self.bed.now += i64::try_from(length).unwrap();
        let had = self.had();
        let live: BTreeSet<String> = had.machines.iter().chain(&had.firewalls).map(|m| m.id.to_string()).collect();
        let released = |tags: &Tags| tags.get(tags::MACHINE_ID).is_some_and(|machine| !live.contains(machine));
        had.ips.retain(|ip| !(ip.network == id("n1") && released(&ip.tags)));
        had.ips.iter_mut().filter(|ip| released(&ip.tags)).for_each(|ip| {
            ip.tags = ip.tags.without(|key, _| key == tags::MACHINE_ID);
        });
        let phase = self.phase();
        self.is_lifted |= self.dice.one_in(2);
        let is_deleting = phase.is_none_or(|phase| phase >= DeletionPhase::Removing);
        if is_deleting && self.dice.one_in(2) && self.had().machines.pop().is_none() {
            let own = |tags: &Tags| tags.has(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER);
            let had = self.had();
            had.networks.retain(|network| !own(&network.labels));
            had.ips.retain(|ip| !own(&ip.tags));
            had.firewalls.retain(|machine| !own(&machine.tags));
        }
        if !self.is_faulty {
            // A person takes the adopted firewall out of the network.
            self.had().firewalls.iter_mut().filter(|m| m.id == machine_id(1)).for_each(|m| m.networks.clear());
            self.had().ips.retain(|ip| ip.address.to_string() != "10.0.0.1");
        }
        let is_gone = is_deleting && self.had().machines.is_empty();
        let look = seen(!is_gone, self.is_lifted, &[]);
        self.bed.seen = self.has_access.then(|| (shop(), look)).into_iter().collect();
        let (now, hour) = (self.bed.now, 3_600);
        self.freed_at.retain(|at| now - at < hour);
        self.bed.said.freed_within_hour = u32::try_from(self.freed_at.len()).unwrap();
    }

    /// One free as the executor does it: read, compared, freed.
    pub(super) fn free(&mut self, free: &Free) -> FreeOutcome {
        let failed = || FreeOutcome::Failed { message: "cut".to_owned() };
        let not_yet = || FreeOutcome::NotYet { message: "in use".to_owned() };
        if self.is_faulty && self.dice.one_in(6) {
            return failed();
        }
        let Some((found, allocation)) = self.read(&free.target) else { return FreeOutcome::Gone };
        let is_ours = match &free.target {
            Target::Service { .. } => found.iter().any(|(key, value)| is_service_of("default.shop", key, value)),
            Target::Network(_) | Target::Ip { .. } | Target::Machine { .. } => {
                let mark = found.mark();
                found.cluster() == Some("default.shop")
                    && mark.is_some_and(|m| m.is_of(&fleet_name()) && m.slot == free.slot)
            }
        };
        let same = match &free.target {
            Target::Network(_) => true,
            Target::Ip { allocation: meant, .. }
            | Target::Service { allocation: meant, .. }
            | Target::Machine { allocation: meant, .. } => allocation.as_ref() == Some(meant),
        };
        if !is_ours || !same {
            return FreeOutcome::Changed { message: "it is another one".to_owned() };
        }
        self.check(free);
        let had = self.had();
        match &free.target {
            Target::Network(network) => {
                let lives = |m: &model::metal::Machine| m.networks.iter().any(|of| of.network == *network);
                if had.ips.iter().any(|ip| ip.network == *network) || had.firewalls.iter().any(lives) {
                    return not_yet();
                }
                had.networks.retain(|n| n.id != *network);
            }
            Target::Ip { .. } if found.get(tags::MACHINE_ID).is_some() => return not_yet(),
            Target::Ip { address, .. } => had.ips.retain(|ip| ip.address != *address),
            Target::Machine { id, .. } => had.firewalls.retain(|machine| machine.id != *id),
            Target::Service { address, .. } => {
                let rest = found.without(|key, value| is_service_of("default.shop", key, value));
                let ip = had.ips.iter_mut().find(|ip| ip.address == *address).unwrap();
                if ip.kind == IpKind::Static || !rest.is_empty() {
                    ip.tags = rest;
                } else {
                    let address = *address;
                    had.ips.retain(|ip| ip.address != address);
                }
            }
        }
        if self.is_faulty && self.dice.one_in(6) { failed() } else { FreeOutcome::Freed }
    }

    fn read(&mut self, target: &Target) -> Option<(Tags, Option<model::Allocation>)> {
        let had = self.had();
        match target {
            Target::Network(id) => had.networks.iter().find(|n| n.id == *id).map(|n| (n.labels.clone(), None)),
            Target::Ip { address, .. } | Target::Service { address, .. } => had
                .ips
                .iter()
                .find(|ip| ip.address == *address)
                .map(|ip| (ip.tags.clone(), Some(ip.allocation.clone()))),
            Target::Machine { id, .. } => {
                had.firewalls.iter().find(|m| m.id == *id).map(|m| (m.tags.clone(), Some(m.allocation.clone())))
            }
        }
    }

    /// I2, R25: nothing protected, and nothing before what stands in front of it.
    fn check(&mut self, free: &Free) {
        let target = free.target.to_string();
        let is_service = matches!(free.target, Target::Service { .. });
        assert!(is_service || !self.protected.contains(&target), "{target} is not ours to free");
        let protected = self.protected.clone();
        let had = self.had();
        let stands = |slot: &dyn Fn(&Slot) -> bool| {
            let tags = had.firewalls.iter().map(|m| (&m.tags, m.id.to_string()));
            let mut tags = tags.chain(had.ips.iter().map(|ip| (&ip.tags, ip.address.to_string())));
            tags.any(|(tags, id)| {
                let is_ours = tags.cluster() == Some("default.shop") && !protected.contains(&id);
                is_ours && tags.mark().is_some_and(|m| m.is_of(&fleet_name()) && slot(&m.slot))
            })
        };
        let is_firewall = |slot: &Slot| matches!(slot, Slot::Firewall(_));
        let is_egress = |slot: &Slot| matches!(slot, Slot::Egress(_));
        assert!(is_firewall(&free.slot) || !stands(&is_firewall), "{target} goes before a firewall");
        assert!(free.slot < Slot::Egress(id("a")) || !(free.slot == Slot::Network && stands(&is_egress)), "{target}");
        let is_last = target == "n1";
        assert!(!(is_last && stands(&|slot| *slot == Slot::Vip)), "the network goes before the VIP");
        assert!(had.machines.is_empty(), "{target} goes before machines");
    }

    /// What a landed commit leaves.
    pub(super) fn land(&mut self, ending: Ending, done: &Done) {
        let freed = done.frees.iter().filter(|(_, outcome)| *outcome == FreeOutcome::Freed).count();
        self.freed_at.extend(std::iter::repeat_n(self.bed.now, freed));
        let (now, before) = (time(self.bed.now), self.phase());
        match ending {
            Ending::Lock { lock, .. } => {
                self.bed.orphan().lock = Arc::new(*lock);
                if self.phase() != before {
                    self.bed.said.phase_since.insert(shop(), now);
                }
            }
            Ending::Tombstone(kept) => {
                self.bed.want.orphan_locks.remove(&shop());
                let path = "tombstones/default.shop.yaml".to_owned();
                let was = self.bed.want.tombstones.insert(shop(), (path, Arc::new((*kept).clone())));
                if was.is_none_or(|(_, was)| *was != *kept) {
                    self.bed.said.phase_since.insert(shop(), now);
                }
            }
            Ending::Nothing => {
                self.bed.want.orphan_locks.remove(&shop());
                self.bed.want.tombstones.remove(&shop());
            }
        }
    }

    /// I2: nothing that was allocated for it is left, and all that was not is.
    pub(super) fn check_end(&mut self) {
        let protected = self.protected.clone();
        let had = self.had();
        let networks = had.networks.iter().map(|n| (n.id.to_string(), &n.labels));
        let ips = had.ips.iter().map(|ip| (ip.address.to_string(), &ip.tags));
        let firewalls = had.firewalls.iter().map(|m| (m.id.to_string(), &m.tags));
        let all: Vec<_> = networks.chain(ips).chain(firewalls).collect();
        for (id, tags) in &all {
            let is_ours = tags.cluster() == Some("default.shop") && tags.mark().is_some_and(|m| m.is_of(&fleet_name()));
            assert!(!is_ours || protected.contains(id), "{id} leaked");
            let is_used = tags.iter().any(|(key, value)| is_service_of("default.shop", key, value));
            assert!(!is_used, "{id} still says that a service of the cluster uses it");
        }
        let left: BTreeSet<_> = all.into_iter().map(|(id, _)| id).collect();
        let existed = |id: &&String| id.as_str() != "198.18.0.10";
        for id in protected.iter().filter(existed) {
            assert!(left.contains(id), "{id} was not ours and is gone");
        }
    }
}

/// What the provider allocated.
fn delegate(had: &mut HaveProject, id: &str) {
    let provider = |tags: &Tags| tags.clone().with(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER);
    had.networks.iter_mut().filter(|n| n.id.as_str() == id).for_each(|n| n.labels = provider(&n.labels));
    had.ips.iter_mut().filter(|ip| ip.address.to_string() == id).for_each(|ip| ip.tags = provider(&ip.tags));
    had.firewalls.iter_mut().filter(|m| m.id.as_str() == id).for_each(|m| m.tags = provider(&m.tags));
}

/// The frees of a plan that the executor tries: nothing twice, nothing behind what did not go.
pub(super) fn may_try(plan: &Plan, done: &Done, free: &Free) -> bool {
    assert!(plan.frees.iter().all(|free| free.why == FreeReason::Deletion), "{:?}", plan.frees);
    let stands = |(tried, outcome): &(Free, FreeOutcome)| {
        let is_gone = matches!(outcome, FreeOutcome::Freed | FreeOutcome::Gone);
        tried.target == free.target || (!is_gone && !tried.slot.same(&free.slot))
    };
    !done.frees.iter().any(stands)
}
