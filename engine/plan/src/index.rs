//! Marked and tagged resources by cluster: one pass over what metal-api has, instead of one per cluster.

use model::metal::{Ip, Machine, Network};
use model::request::{Resource, Target};
use model::tags::{self, Mark};
use model::{Allocation, FleetName, Have, MachineId, NetworkId, ProjectId, Slot, Tags, Timestamp};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// One resource that names a cluster in its tags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit<'a> {
    pub(crate) project: &'a ProjectId,
    pub(crate) resource: ResourceRef<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ResourceRef<'a> {
    Network(&'a Network),
    Ip(&'a Ip),
    Firewall(&'a Machine),
}

impl<'a> ResourceRef<'a> {
    pub(crate) fn tags(self) -> &'a Tags {
        match self {
            Self::Network(network) => &network.labels,
            Self::Ip(ip) => &ip.tags,
            Self::Firewall(machine) => &machine.tags,
        }
    }

    pub(crate) fn created(self) -> Option<Timestamp> {
        match self {
            Self::Network(network) => network.created,
            Self::Ip(ip) => ip.created,
            Self::Firewall(machine) => machine.created,
        }
    }

    pub(crate) fn id(self) -> String {
        match self {
            Self::Network(network) => network.id.to_string(),
            Self::Ip(ip) => ip.address.to_string(),
            Self::Firewall(machine) => machine.id.to_string(),
        }
    }

    /// Whether it is the very allocation that is meant, and not one that was freed and allocated again.
    pub(crate) fn is_allocation(self, target: &Target) -> bool {
        let is = |meant: &Allocation, had: &Allocation| {
            // What an old metal-api says of every allocation.
            let unknown = |allocation: &Allocation| allocation.as_str() == "none";
            meant == had || unknown(meant) || unknown(had)
        };
        match (target, self) {
            (Target::Network(_), Self::Network(_)) => true,
            (Target::Ip { allocation, .. } | Target::Service { allocation, .. }, Self::Ip(ip)) => {
                is(allocation, &ip.allocation)
            }
            (Target::Machine { allocation, .. }, Self::Firewall(machine)) => is(allocation, &machine.allocation),
            (Target::Network(_) | Target::Ip { .. } | Target::Service { .. } | Target::Machine { .. }, _) => false,
        }
    }

    pub(crate) fn owned(self) -> Resource {
        match self {
            Self::Network(network) => Resource::Network(network.clone()),
            Self::Ip(ip) => Resource::Ip(ip.clone()),
            Self::Firewall(machine) => Resource::Machine(machine.clone()),
        }
    }
}

impl Hit<'_> {
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.resource.tags().mark()
    }

    /// Ours, and for this slot.
    pub(crate) fn is_ours(&self, fleet: &FleetName, slot: &Slot) -> bool {
        self.mark().is_some_and(|mark| mark.is_of(fleet) && mark.slot.same(slot))
    }

    /// Of a firewall of ours; 0 for what has none.
    pub(crate) fn generation(&self) -> u32 {
        match self.mark().map(|mark| mark.slot) {
            Some(Slot::Firewall(generation)) => generation,
            Some(Slot::Network | Slot::Vip | Slot::Egress(_)) | None => 0,
        }
    }

    /// Whether the tags would make it fill this slot, whoever allocated it.
    pub(crate) fn fits(&self, slot: &Slot) -> bool {
        let tags = self.resource.tags();
        match (slot, self.resource) {
            (Slot::Network, ResourceRef::Network(_)) => true,
            (Slot::Vip, ResourceRef::Ip(_)) => tags.has(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE),
            (Slot::Egress(network), ResourceRef::Ip(ip)) => ip.network == *network && tags.get(tags::EGRESS).is_some(),
            (Slot::Firewall(_), ResourceRef::Firewall(_)) => true,
            (Slot::Network | Slot::Vip | Slot::Egress(_) | Slot::Firewall(_), _) => false,
        }
    }

    /// The order in which one of several is proposed; age never decides a free.
    pub(crate) fn rank(&self) -> (Option<Timestamp>, String) {
        (self.resource.created(), self.resource.id())
    }
}

/// By what a resource is found when only its id is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key<'a> {
    Network(&'a NetworkId),
    Ip(IpAddr),
    Firewall(&'a MachineId),
}

/// Every resource that names a cluster, by the name in its tags; every resource by its id.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    by_cluster: HashMap<&'a str, Vec<Hit<'a>>>,
    by_id: HashMap<&'a ProjectId, HashMap<Key<'a>, ResourceRef<'a>>>,
    complete: HashSet<&'a ProjectId>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(have: &'a Have) -> Self {
        let mut by_cluster: HashMap<&str, Vec<Hit<'_>>> = HashMap::new();
        let mut by_id: HashMap<&ProjectId, HashMap<Key<'_>, ResourceRef<'_>>> = HashMap::new();
        for (project, had) in &have.projects {
            let ids = by_id.entry(project).or_default();
            let networks = had.networks.iter().map(ResourceRef::Network);
            let ips = had.ips.iter().map(ResourceRef::Ip);
            let firewalls = had.firewalls.iter().map(ResourceRef::Firewall);
            for resource in networks.chain(ips).chain(firewalls) {
                let key = match resource {
                    ResourceRef::Network(network) => Key::Network(&network.id),
                    ResourceRef::Ip(ip) => Key::Ip(ip.address),
                    ResourceRef::Firewall(machine) => Key::Firewall(&machine.id),
                };
                ids.insert(key, resource);
                if let Some(cluster) = resource.tags().cluster() {
                    by_cluster.entry(cluster).or_default().push(Hit { project, resource });
                }
            }
        }
        let complete = have.projects.keys().filter(|project| have.complete_for(project)).collect();
        Self { by_cluster, by_id, complete }
    }

    /// Whether everything of a project was read.
    pub(crate) fn is_complete(&self, project: &ProjectId) -> bool {
        self.complete.contains(project)
    }

    /// What a project has under this id, whichever allocation it is.
    pub(crate) fn get(&self, project: &ProjectId, target: &Target) -> Option<ResourceRef<'a>> {
        let key = match target {
            Target::Network(id) => Key::Network(id),
            Target::Ip { address, .. } | Target::Service { address, .. } => Key::Ip(*address),
            Target::Machine { id, .. } => Key::Firewall(id),
        };
        self.by_id.get(project)?.get(&key).copied()
    }

    /// What names this cluster, in no order.
    pub(crate) fn of(&self, cluster: &str) -> &[Hit<'a>] {
        self.by_cluster.get(cluster).map(Vec::as_slice).unwrap_or_default()
    }

    /// What names this cluster and would fill the slot, in the order of proposal.
    pub(crate) fn hits(&self, cluster: &str, slot: &Slot) -> Vec<Hit<'a>> {
        let mut hits: Vec<_> = self.of(cluster).iter().filter(|h| h.fits(slot)).copied().collect();
        hits.sort_by_cached_key(Hit::rank);
        hits
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&'a str, &Hit<'a>)> {
        self.by_cluster.iter().flat_map(|(cluster, hits)| hits.iter().map(move |hit| (*cluster, hit)))
    }
}
