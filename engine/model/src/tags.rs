//! Tags on metal-api resources: the ecosystem's keys and our mark. `key=value` strings on the wire, a map here.

use crate::{Attempt, ClusterId, FleetName, Slot};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Node networks (label), machines and firewalls: the cluster's id. Never on a VIP: the cloud controller manager
/// would take the address into the tenant's load-balancer pools.
pub const CLUSTER_ID: &str = "cluster.metal-stack.io/id";
/// On egress addresses, as Gardener marks them.
pub const EGRESS: &str = "cluster.metal-stack.io/id/egress";
/// On addresses of the cloud controller manager: `<cluster id>/<namespace>/<service>`.
pub const SERVICE: &str = "cluster.metal-stack.io/id/namespace/service";
pub const CLUSTER_RESOURCE: &str = "metal-stack.infrastructure.cluster.x-k8s.io/cluster-resource";
pub const MACHINE_RESOURCE: &str = "metal-stack.infrastructure.cluster.x-k8s.io/machine-resource";
pub const FIREWALL_DEPLOYMENT_RESOURCE: &str =
    "metal-stack.infrastructure.cluster.x-k8s.io/firewall-deployment-resource";
pub const PURPOSE: &str = "metal-stack.infrastructure.cluster.x-k8s.io/purpose";
pub const PURPOSE_CONTROL_PLANE: &str = "control-plane";
pub const FIREWALL_MANAGED_BY: &str = "firewall.metal-stack.io/managed-by";
pub const FIREWALL_MANAGED_BY_CAPMS: &str = "cluster-api-provider-metal-stack";
/// metal-api's own, on addresses that a machine uses.
pub const MACHINE_ID: &str = "machine.metal-stack.io/id";

/// Our mark, on all that the engine or the provider allocated.
pub const MANAGED_BY: &str = "fleet.metal-stack.io/managed-by";
pub const MANAGED_BY_ENGINE: &str = "engine";
pub const MANAGED_BY_PROVIDER: &str = "provider";
pub const FLEET: &str = "fleet.metal-stack.io/fleet";
pub const SLOT: &str = "fleet.metal-stack.io/slot";
pub const ATTEMPT: &str = "fleet.metal-stack.io/attempt";
/// On firewalls: the digest of the settings that it was made from.
pub const INPUTS: &str = "fleet.metal-stack.io/inputs";

/// Tags or labels of one resource. A tag without `=` has an empty value and prints without `=`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tags(
    BTreeMap<String, Option<String>>,
    /// Of a key that an address carries more than once: all values but the last.
    BTreeSet<(String, Option<String>)>,
);

impl Tags {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.1.retain(|(other, _)| other != key);
        self.0.insert(key.to_owned(), Some(value.to_string()));
        self
    }

    /// Without those that `drop` is true of.
    pub fn without(&self, drop: impl Fn(&str, &str) -> bool) -> Self {
        let stays = self.pairs().filter(|(key, value)| !drop(key, value.as_deref().unwrap_or_default()));
        Self::all_of(stays.map(|(key, value)| (key.clone(), value.clone())))
    }

    /// The value of a key; `""` for a tag without value.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|v| v.as_deref().unwrap_or_default())
    }

    pub fn has(&self, key: &str, value: &str) -> bool {
        self.get(key) == Some(value) || self.iter().any(|pair| pair == (key, value))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them: a key that an address carries more than once comes with each value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs().map(|(k, v)| (k.as_str(), v.as_deref().unwrap_or_default()))
    }

    /// From `key=value` strings; the last of a key wins, as metal-api has it for machines.
    pub fn from_strings<I: IntoIterator<Item = S>, S: AsRef<str>>(tags: I) -> Self {
        Self(tags.into_iter().map(pair).collect(), BTreeSet::new())
    }

    /// From the strings of an address, which may carry a key more than once: one for each service that shares it.
    pub fn from_address_strings<I: IntoIterator<Item = S>, S: AsRef<str>>(tags: I) -> Self {
        Self::all_of(tags.into_iter().map(pair))
    }

    fn all_of(pairs: impl Iterator<Item = (String, Option<String>)>) -> Self {
        let mut tags = Self::new();
        for (key, value) in pairs {
            if let Some(former) = tags.0.insert(key.clone(), value.clone()).filter(|former| *former != value) {
                tags.1.insert((key, former));
            }
        }
        tags
    }

    fn pairs(&self) -> impl Iterator<Item = (&String, &Option<String>)> {
        self.0.iter().chain(self.1.iter().map(|(key, value)| (key, value)))
    }

    /// From a label map.
    pub fn from_labels<I: IntoIterator<Item = (String, String)>>(labels: I) -> Self {
        Self(labels.into_iter().map(|(k, v)| (k, Some(v))).collect(), BTreeSet::new())
    }

    /// As `key=value` strings, sorted.
    pub fn to_strings(&self) -> Vec<String> {
        let one = |(key, value): (&String, &Option<String>)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.clone(),
        };
        let mut strings: Vec<String> = self.pairs().map(one).collect();
        strings.sort_unstable();
        strings
    }

    /// As a label map.
    pub fn to_labels(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(k, v)| (k.clone(), v.clone().unwrap_or_default())).collect()
    }

    /// Our mark, if these tags carry a whole one.
    pub fn mark(&self) -> Option<Mark> {
        Some(Mark {
            managed_by: self.get(MANAGED_BY)?.to_owned(),
            fleet: self.get(FLEET)?.to_owned(),
            slot: self.get(SLOT)?.parse().ok()?,
            attempt: self.get(ATTEMPT)?.to_owned(),
        })
    }

    /// The cluster these tags name: `cluster-resource` first, then the egress tag, then `cluster.metal-stack.io/id`.
    pub fn cluster(&self) -> Option<&str> {
        self.get(CLUSTER_RESOURCE).or_else(|| self.get(EGRESS)).or_else(|| self.get(CLUSTER_ID))
    }
}

fn pair(tag: impl AsRef<str>) -> (String, Option<String>) {
    match tag.as_ref().split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (tag.as_ref().to_owned(), None),
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.to_strings()).finish()
    }
}

/// Whether a tag says that a service of this cluster uses the address (R14). The slash keeps `a.c10` out of `a.c1`.
pub fn is_service_of(cluster: &str, key: &str, value: &str) -> bool {
    key == SERVICE && value.strip_prefix(cluster).is_some_and(|rest| rest.starts_with('/'))
}

/// Who allocated a resource, for which fleet and slot, in which process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub managed_by: String,
    pub fleet: String,
    pub slot: Slot,
    pub attempt: String,
}

impl Mark {
    /// Allocated by the engine for this fleet.
    pub fn is_of(&self, fleet: &FleetName) -> bool {
        self.managed_by == MANAGED_BY_ENGINE && self.fleet == fleet.as_str()
    }
}

/// All tags of an allocation for a slot: the ecosystem's and our mark. Firewalls also need `firewall_tags`.
pub fn allocation_tags(cluster: &ClusterId, fleet: &FleetName, slot: &Slot, attempt: &Attempt) -> Tags {
    let tags =
        Tags::new().with(MANAGED_BY, MANAGED_BY_ENGINE).with(FLEET, fleet).with(SLOT, slot).with(ATTEMPT, attempt);
    match slot {
        Slot::Network => tags.with(CLUSTER_ID, cluster),
        Slot::Vip => tags.with(CLUSTER_RESOURCE, cluster).with(PURPOSE, PURPOSE_CONTROL_PLANE),
        Slot::Egress(_) => tags.with(CLUSTER_RESOURCE, cluster).with(EGRESS, cluster),
        // R18: what CAPMS writes, so that going back to it leaks nothing. The network id is added when it is known.
        Slot::Firewall(_) => tags
            .with(CLUSTER_RESOURCE, cluster)
            .with(FIREWALL_MANAGED_BY, FIREWALL_MANAGED_BY_CAPMS)
            .with(FIREWALL_DEPLOYMENT_RESOURCE, cluster),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_key_wins_and_bare_tags_stay_bare() {
        let tags = Tags::from_strings(["a=1", "a=2", "plain", "x=y=z"]);
        assert_eq!(tags.to_strings(), ["a=2", "plain", "x=y=z"]);
        assert_eq!(tags.get("plain"), Some(""));
    }

    #[test]
    fn an_address_of_several_services_keeps_the_tag_of_each() {
        let tags = Tags::from_address_strings(["s=a.c1/x", "s=b.c2/y", "plain", "s=b.c2/y"]);
        assert_eq!(tags.to_strings(), ["plain", "s=a.c1/x", "s=b.c2/y"]);
        assert!(tags.has("s", "a.c1/x") && tags.has("s", "b.c2/y"));
        assert_eq!(
            tags.without(|key, value| key == "s" && value.starts_with("b.c2/")).to_strings(),
            ["plain", "s=a.c1/x"]
        );
        assert_eq!(tags.with("s", "z").to_strings(), ["plain", "s=z"]);
    }

    #[test]
    fn i12_a_vip_never_carries_the_cluster_id() {
        let (cluster, fleet) = ("default.shop".parse().unwrap(), FleetName::parse("example").unwrap());
        let attempt = Attempt::parse(Attempt::EXAMPLE).unwrap();
        let tags = allocation_tags(&cluster, &fleet, &Slot::Vip, &attempt);
        assert_eq!(tags.get(CLUSTER_ID), None);
        assert_eq!(tags.cluster(), Some("default.shop"));
        assert!(tags.mark().unwrap().is_of(&fleet));
    }
}
