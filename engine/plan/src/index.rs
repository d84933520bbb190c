//! Marked and tagged resources by cluster: one pass over what metal-api has, instead of one per cluster.

use model::metal::{Ip, Machine, Network};
use model::request::Resource;
use model::tags::{self, Mark};
use model::{FleetName, Have, ProjectId, Slot, Tags, Timestamp};
use std::collections::HashMap;

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

/// Every resource that names a cluster, by the name in its tags.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    by_cluster: HashMap<&'a str, Vec<Hit<'a>>>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(have: &'a Have) -> Self {
        let mut by_cluster: HashMap<&str, Vec<Hit<'_>>> = HashMap::new();
        for (project, had) in &have.projects {
            let networks = had.networks.iter().map(ResourceRef::Network);
            let ips = had.ips.iter().map(ResourceRef::Ip);
            let firewalls = had.firewalls.iter().map(ResourceRef::Firewall);
            for resource in networks.chain(ips).chain(firewalls) {
                if let Some(cluster) = resource.tags().cluster() {
                    by_cluster.entry(cluster).or_default().push(Hit { project, resource });
                }
            }
        }
        Self { by_cluster }
    }

    /// What names this cluster and would fill the slot, in the order of proposal.
    pub(crate) fn hits(&self, cluster: &str, slot: &Slot) -> Vec<Hit<'a>> {
        let all = self.by_cluster.get(cluster).map(Vec::as_slice).unwrap_or_default();
        let mut hits: Vec<_> = all.iter().filter(|h| h.fits(slot)).copied().collect();
        hits.sort_by_cached_key(Hit::rank);
        hits
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&'a str, &Hit<'a>)> {
        self.by_cluster.iter().flat_map(|(cluster, hits)| hits.iter().map(move |hit| (*cluster, hit)))
    }
}
