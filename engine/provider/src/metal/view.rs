//! One project of metal-api, as it was last read, with what was asked and done since.

use super::Suspect;
use model::metal::{Ip, Machine, Network};
use model::{MachineId, NetworkId, PartitionId, ProjectId, Timestamp};
#[cfg(test)]
use model::{Tags, metal::MachineRole};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

/// What a project has. Whole lists make a new one; own writes and direct reads are put into it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub project: ProjectId,
    /// Number of the whole reading it is of; grows from reading to reading, and never comes twice in a process.
    pub round: u64,
    /// When that reading began, by our clock.
    pub read_at: Timestamp,
    /// Firewalls among them.
    pub machines: BTreeMap<MachineId, Arc<Machine>>,
    pub ips: BTreeMap<IpAddr, Arc<Ip>>,
    /// The project's own.
    pub networks: BTreeMap<NetworkId, Arc<Network>>,
    /// Those of no project: external, super, underlay.
    pub shared_networks: Arc<BTreeMap<NetworkId, Arc<Network>>>,
    pub partitions: Arc<BTreeSet<PartitionId>>,
    /// Nothing is concluded, allocated or freed until it clears or a person acknowledges it (R15).
    pub suspect: Option<Suspect>,
}

impl View {
    /// Own or shared.
    pub(crate) fn network(&self, id: &NetworkId) -> Option<&Arc<Network>> {
        self.networks.get(id).or_else(|| self.shared_networks.get(id))
    }
}

/// What tests ask of a reading; controllers look at what concerns them.
#[cfg(test)]
impl View {
    /// Machines and firewalls with all of these tags; of one role when it is named.
    pub(crate) fn machines_with<'a>(
        &'a self,
        role: Option<MachineRole>,
        tags: &'a Tags,
    ) -> impl Iterator<Item = &'a Arc<Machine>> {
        let of_role = move |machine: &&Arc<Machine>| role.is_none_or(|role| machine.role == role);
        self.machines.values().filter(of_role).filter(|machine| has_all(&machine.tags, tags))
    }

    pub(crate) fn ips_with<'a>(&'a self, tags: &'a Tags) -> impl Iterator<Item = &'a Arc<Ip>> {
        self.ips.values().filter(|ip| has_all(&ip.tags, tags))
    }

    /// The project's own networks with all of these labels.
    pub(crate) fn networks_with<'a>(&'a self, labels: &'a Tags) -> impl Iterator<Item = &'a Arc<Network>> {
        self.networks.values().filter(|network| has_all(&network.labels, labels))
    }

    /// The private super network of a partition.
    pub(crate) fn super_network(&self, partition: &PartitionId) -> Option<&Arc<Network>> {
        let is =
            |n: &&Arc<Network>| n.kind == model::metal::NetworkKind::Super && n.partition.as_ref() == Some(partition);
        self.shared_networks.values().find(is)
    }
}

/// As metal-api compares: every wanted tag is there with its value.
#[cfg(test)]
pub(super) fn has_all(tags: &Tags, wanted: &Tags) -> bool {
    wanted.iter().all(|(key, value)| tags.has(key, value))
}
