//! The rows of the three tables: the API's model, what it does not show, and the words each is found by.

use crate::table::Row;
use fastrand::Rng;
use ipnet::IpNet;
use metal_api::wire::{Ip, Machine, Network};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NetworkRow {
    pub(crate) wire: Network,
    /// In the order of their allocation; the model's are in none.
    pub(crate) prefixes: Vec<IpNet>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IpRow {
    pub(crate) wire: Ip,
    /// The prefix it was taken from; found by, never shown.
    pub(crate) prefix: IpNet,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MachineRow {
    pub(crate) wire: Machine,
    /// In the hammer's loop, ready to be installed.
    pub(crate) waiting: bool,
    /// Reports nothing by itself any more.
    pub(crate) silent: bool,
    /// Steps that were planned for an older generation do not happen.
    pub(crate) generation: u64,
    pub(crate) chassis: String,
}

impl NetworkRow {
    pub(crate) fn id(&self) -> &str {
        &self.wire.id
    }

    pub(crate) fn of_family(&self, v4: bool) -> impl Iterator<Item = IpNet> + '_ {
        self.prefixes.iter().copied().filter(move |prefix| prefix.addr().is_ipv4() == v4)
    }

    pub(crate) fn has_family(&self, v4: bool) -> bool {
        self.of_family(v4).next().is_some()
    }
}

impl MachineRow {
    /// Whether placement may pick it.
    pub(crate) fn is_candidate(&self) -> bool {
        let machine = &self.wire;
        self.waiting && machine.allocation.is_none() && machine.state.value.is_empty() && machine.liveliness == "Alive"
    }

    pub(crate) fn partition(&self) -> &str {
        self.wire.partition.as_ref().map_or("", |partition| &partition.id)
    }

    pub(crate) fn size(&self) -> &str {
        self.wire.size.as_ref().map_or("", |size| &size.id)
    }

    pub(crate) fn role(&self) -> Option<&str> {
        self.wire.allocation.as_ref().map(|allocation| allocation.role.as_str())
    }
}

impl Row for NetworkRow {
    type Wire = Network;

    fn key(&self) -> &str {
        &self.wire.id
    }

    fn wire(&self) -> &Network {
        &self.wire
    }

    fn terms(&self) -> BTreeSet<String> {
        let Network { projectid, partitionid, parentnetworkid, labels, name, .. } = &self.wire;
        let mut terms = BTreeSet::from([format!("project={projectid}"), format!("partition={partitionid}")]);
        terms.insert(format!("name={name}"));
        terms.extend(parentnetworkid.iter().map(|parent| format!("parent={parent}")));
        terms.extend(labels.iter().map(|(key, value)| format!("label={key}={value}")));
        terms
    }

    fn shuffle(&mut self, rng: &mut Rng) {
        let wire = &mut self.wire;
        // Only the families change places: within one, the order tells which prefix is used first.
        wire.prefixes.sort_by_key(|prefix| prefix.contains(':'));
        if rng.bool() {
            wire.prefixes.sort_by_key(|prefix| !prefix.contains(':'));
        }
        rng.shuffle(&mut wire.destinationprefixes);
    }
}

impl Row for IpRow {
    type Wire = Ip;

    fn key(&self) -> &str {
        &self.wire.ipaddress
    }

    fn wire(&self) -> &Ip {
        &self.wire
    }

    fn terms(&self) -> BTreeSet<String> {
        let Ip { projectid, networkid, tags, .. } = &self.wire;
        let mut terms = BTreeSet::from([format!("project={projectid}"), format!("network={networkid}")]);
        terms.insert(format!("prefix={}", self.prefix));
        terms.extend(tags.iter().map(|tag| format!("tag={tag}")));
        terms
    }

    /// Tags are sorted, nothing else is a list.
    fn shuffle(&mut self, _: &mut Rng) {}
}

impl Row for MachineRow {
    type Wire = Machine;

    fn key(&self) -> &str {
        &self.wire.id
    }

    fn wire(&self) -> &Machine {
        &self.wire
    }

    fn terms(&self) -> BTreeSet<String> {
        let (partition, size) = (self.partition(), self.size());
        let mut terms = BTreeSet::from([format!("partition={partition}"), format!("kind={partition}/{size}")]);
        if self.is_candidate() {
            terms.insert(format!("candidate={partition}/{size}"));
        }
        terms.extend(self.wire.tags.iter().map(|tag| format!("tag={tag}")));
        if let Some(allocation) = &self.wire.allocation {
            terms.insert(format!("project={}", allocation.project));
            terms.insert(format!("role={}", allocation.role));
            terms.insert(format!("name={}", allocation.name));
            terms.insert(format!("hostname={}", allocation.hostname));
            terms.extend(allocation.networks.iter().map(|network| format!("network={}", network.networkid)));
        }
        terms
    }

    fn shuffle(&mut self, rng: &mut Rng) {
        rng.shuffle(&mut self.wire.tags);
        let Some(allocation) = &mut self.wire.allocation else { return };
        rng.shuffle(&mut allocation.networks);
        for network in &mut allocation.networks {
            rng.shuffle(&mut network.prefixes);
            rng.shuffle(&mut network.ips);
            rng.shuffle(&mut network.destinationprefixes);
        }
    }
}
