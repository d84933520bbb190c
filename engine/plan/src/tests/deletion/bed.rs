//! A cluster in deletion, with what stands in metal-api.

use super::super::samples::*;
use crate::{Deleting, Plan, Said, Setting, Watch, endings, plan};
use model::live::Seen;
use model::lock::{Deletion, DeletionPhase, EgressIp, Ending, Values};
use model::metal::{IpKind, MachineNetwork, MachineNetworkKind, MachineRole};
use model::request::{Done, FreeOutcome};
use model::tags::allocation_tags;
use model::want::OrphanLock;
use model::{Attempt, ClusterId, CommitId, Have, Origin, Seconds, Slot, Tags, Want, tags};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) const NOW: i64 = 10_000;

pub(super) struct Bed {
    pub(super) want: Want,
    pub(super) have: Have,
    pub(super) said: Said,
    pub(super) seen: BTreeMap<ClusterId, Seen>,
    pub(super) unseen: BTreeMap<ClusterId, String>,
    pub(super) now: i64,
}

pub(super) fn shop() -> ClusterId {
    "default.shop".parse().unwrap()
}

pub(super) fn commit(digit: char) -> CommitId {
    CommitId::parse(&digit.to_string().repeat(40)).unwrap()
}

pub(super) fn deletion(phase: DeletionPhase, grace: Option<Seconds>, digit: char) -> Deletion {
    Deletion { confirmed_in: commit(digit), phase, grace_period: grace }
}

pub(super) fn seen(has_cluster: bool, may_be_pruned: bool, left: &[&str]) -> Seen {
    let left = left.iter().map(|name| (*name).to_owned()).collect();
    Seen { has_cluster, may_be_pruned, left, ..Seen::default() }
}

pub(super) fn marked(cluster: &str, slot: &Slot) -> Tags {
    let other = Attempt::parse("00000000-0000-4000-8000-000000000000").unwrap();
    allocation_tags(&cluster.parse().unwrap(), &fleet_name(), slot, &other)
}

impl Bed {
    /// `default.shop` with network n1, VIP 198.18.0.1 and firewall 1, all allocated, and all there.
    pub(super) fn new(phase: DeletionPhase) -> Self {
        let mut want = want(&["default.shop"]);
        let values = values("n1", "198.18.0.1", 1);
        lock(&mut want, "default.shop", values.clone());
        let wanted = want.clusters.remove(&shop()).unwrap();
        let mut lock = wanted.lock.unwrap();
        Arc::make_mut(&mut lock).deletion = Some(deletion(phase, None, 'a'));
        want.orphan_locks.insert(shop(), OrphanLock { path: wanted.lock_path, lock, removed: true });
        let mut have = have();
        stock(&mut have, "default.shop", &values);
        let firewall = &mut project(&mut have).firewalls[0];
        firewall.networks = vec![in_network("n1")];
        let said = Said { phase_since: BTreeMap::from([(shop(), time(0))]), ..Said::default() };
        Self { want, have, said, seen: BTreeMap::new(), unseen: BTreeMap::new(), now: NOW }
    }

    pub(super) fn orphan(&mut self) -> &mut OrphanLock {
        self.want.orphan_locks.get_mut(&shop()).unwrap()
    }

    pub(super) fn values(&mut self) -> &mut Values {
        &mut Arc::make_mut(&mut self.orphan().lock).values
    }

    pub(super) fn grace(mut self, minutes: u32) -> Self {
        let deletion = &mut Arc::make_mut(&mut self.orphan().lock).deletion;
        deletion.as_mut().unwrap().grace_period = Some(Seconds::minutes(minutes));
        self
    }

    pub(super) fn looks(mut self, look: Option<Result<Seen, &str>>) -> Self {
        self.seen.clear();
        match look {
            Some(Ok(seen)) => drop(self.seen.insert(shop(), seen)),
            Some(Err(words)) => drop(self.unseen.insert(shop(), words.to_owned())),
            None => {}
        }
        self
    }

    pub(super) fn since(mut self, second: Option<i64>) -> Self {
        self.said.phase_since = second.map(|second| (shop(), time(second))).into_iter().collect();
        self
    }

    pub(super) fn network_of(mut self, origin: Origin) -> Self {
        self.values().node_network.as_mut().unwrap().origin = origin;
        self
    }

    pub(super) fn vip_of(mut self, origin: Origin) -> Self {
        self.values().vip.as_mut().unwrap().origin = origin;
        self
    }

    pub(super) fn firewall_of(mut self, origin: Origin) -> Self {
        self.values().firewall.as_mut().unwrap().origin = origin;
        self
    }

    /// A machine in a network, tagged for a cluster, or for none (`""`).
    pub(super) fn machine(mut self, cluster: &str, network: &str) -> Self {
        let mut machine = machine_in(network);
        machine.tags = if cluster.is_empty() { Tags::new() } else { Tags::new().with(tags::CLUSTER_RESOURCE, cluster) };
        project(&mut self.have).machines.push(machine);
        self
    }

    pub(super) fn foreign_firewall(mut self, network: &str) -> Self {
        let mut machine = machine_in(network);
        (machine.role, machine.tags) = (MachineRole::Firewall, Tags::new());
        project(&mut self.have).firewalls.push(machine);
        self
    }

    /// An unmarked address, of a machine or of none.
    pub(super) fn address(mut self, address: &str, network: &str, machine: Option<u32>) -> Self {
        let mut ip = vip(address, "default.shop", 1);
        ip.network = id(network);
        ip.tags = machine.map(|n| Tags::new().with(tags::MACHINE_ID, machine_id(n))).unwrap_or_default();
        project(&mut self.have).ips.push(ip);
        self
    }

    /// The egress address of network `internet`, in the lock and in metal-api.
    pub(super) fn egress(mut self, address: &str) -> Self {
        let slot = Slot::Egress(id("internet"));
        let mut ip = vip(address, "default.shop", 1);
        ip.tags = marked("default.shop", &slot);
        self.values().egress_ips.push(EgressIp {
            network: id("internet"),
            address: ip.address,
            allocation: ip.allocation.clone(),
            origin: Origin::Allocated,
        });
        project(&mut self.have).ips.push(ip);
        self
    }

    /// An address that services of a cluster use.
    pub(super) fn service(mut self, address: &str, kind: IpKind, cluster: &str) -> Self {
        let mut ip = vip(address, "default.shop", 1);
        (ip.kind, ip.tags) = (kind, Tags::new().with(tags::SERVICE, format!("{cluster}/web/front")));
        project(&mut self.have).ips.push(ip);
        self
    }

    pub(super) fn plan(&self) -> Plan {
        let (attempt, watch, known) = (attempt(), Watch::default(), BTreeSet::from([shop()]));
        let setting = Setting {
            attempt: &attempt,
            known_to_history: &known,
            landed: &known,
            now: time(self.now),
            watch: &watch,
            said: &self.said,
            seen: &self.seen,
            unseen: &self.unseen,
            tip: None,
        };
        plan(&self.want, &self.have, &setting)
    }

    pub(super) fn one(&self) -> Deleting {
        self.plan().deletions.remove(&shop()).unwrap()
    }

    /// What is freed, as slot and id.
    pub(super) fn frees(&self) -> Vec<String> {
        self.plan().frees.iter().map(|free| format!("{} {}", free.slot, free.target)).collect()
    }

    /// What is left of it when the frees of this plan end so, one after the other; those without an outcome were not
    /// tried.
    pub(super) fn ending(&self, outcomes: Vec<FreeOutcome>) -> Ending {
        let plan = self.plan();
        let done = Done { frees: plan.frees.iter().cloned().zip(outcomes).collect(), ..Done::default() };
        endings(&self.want, &plan, &done).remove(&shop()).unwrap()
    }
}

pub(super) fn in_network(network: &str) -> MachineNetwork {
    MachineNetwork { network: id(network), kind: MachineNetworkKind::PrivatePrimaryUnshared, ips: vec![] }
}
