//! What is known of one MetalStackCluster when it is decided upon: plain data, as far as it was read.

use crate::api::{Condition, MetalStackCluster, MetalStackFirewallDeployment};
use crate::capi::Cluster;
use crate::names;
use crate::step::{Failure, Memory};
use kube::ResourceExt as _;
use model::metal::{Ip, Network};
use model::{Attempt, NetworkId, Slot, Tags, Timestamp, tags};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub object: Arc<MetalStackCluster>,
    /// The owner. None: Cluster API has not adopted the object yet, or the Cluster is gone.
    pub cluster: Option<Arc<Cluster>>,
    /// What `firewallDeploymentRef` names, where it is there.
    pub firewall: Option<Arc<MetalStackFirewallDeployment>>,
    /// Every firewall deployment that says it is of this cluster, and the one that no other names.
    pub firewalls: Vec<Arc<MetalStackFirewallDeployment>>,
    /// Names of the MetalStackMachines that are left of the cluster, sorted.
    pub machines: Vec<String>,
    /// The project in metal-api as it was last read. A failure says what is in the way of reading it.
    pub metal: Result<Seen, Failure>,
    /// What was searched for in this pass, and found: never older than the pass.
    pub found: Found,
    pub credentials: Credentials,
    pub memory: Memory,
    pub rules: Rules,
}

/// What the flags say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// How long an allocation without an answer can still complete.
    pub settle: Duration,
    /// Whether `provisioned` waits for the firewall's phone-home.
    pub wait_for_firewall: bool,
}

/// What the bulk reading says of what the object names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// Why nothing may be concluded from it (R15). None also when a person acknowledged it.
    pub suspect: Option<Failure>,
    /// Of `nodeNetworkID`.
    pub network: Presence<Arc<Network>>,
    /// Of the endpoint's host where that is an address, else of `controlPlaneIP`.
    pub address: Presence<Arc<Ip>>,
    /// External networks with the label by which CAPMS finds the one for VIPs.
    pub default_networks: Vec<NetworkId>,
}

/// Whether the project has what the object names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Presence<T> {
    Here(T),
    /// Not in the last reading: nothing is concluded yet.
    #[default]
    Missing,
    /// Concluded as R15 says.
    Gone,
}

/// Direct searches. None: not searched for in this pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Networks of the project.
    pub networks: Option<Vec<Arc<Network>>>,
    /// Addresses of the project that are control planes', of whatever cluster.
    pub vips: Option<Vec<Arc<Ip>>>,
    /// For the deletion.
    pub leftovers: Option<Leftovers>,
}

/// All that may have to be freed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Leftovers {
    /// All networks of the project.
    pub networks: Vec<Arc<Network>>,
    /// All addresses of the project.
    pub addresses: Vec<Arc<Ip>>,
    /// How many of them this pass has freed, or found to be somebody else's.
    pub done: usize,
    /// What was somebody else's when it was to be freed, and why.
    pub kept: Vec<String>,
}

/// The cloud controller manager's Secret (R12).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// The object asks for none.
    #[default]
    Unasked,
    /// What they are to be made of cannot be had.
    Missing(String),
    /// A Secret of that name is there, and it is not ours.
    Foreign(String),
    /// To be written, or written anew.
    Due {
        secret: String,
        inherited: bool,
    },
    Written {
        secret: String,
        inherited: bool,
    },
}

impl Observed {
    /// `<namespace>.<name>` of the MetalStackCluster, as CAPMS makes it: the value of the tags.
    pub(crate) fn id(&self) -> String {
        id(&self.object)
    }

    /// `<namespace>.<name>` of the Cluster, as the cloud controller manager has it in the tags of services. Where the
    /// Cluster has a class, the MetalStackCluster has another name.
    pub(crate) fn service_id(&self) -> String {
        format!("{}.{}", self.object.namespace().unwrap_or_default(), cluster_name(&self.object))
    }

    pub(crate) fn attempt(&self) -> Option<Attempt> {
        Attempt::parse(self.object.annotations().get(names::ATTEMPT)?).ok()
    }

    pub(crate) fn is_deleting(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some()
    }

    pub(crate) fn has_finalizer(&self) -> bool {
        self.object.finalizers().iter().any(|f| f == names::CLUSTER_FINALIZER)
    }

    /// Whether nothing may be done, for deletion too. An object that `clusterctl move` takes away lives on elsewhere.
    pub(crate) fn is_paused(&self) -> bool {
        let annotations = self.object.annotations();
        self.cluster.as_ref().is_some_and(|cluster| cluster.is_paused())
            || annotations.contains_key(names::PAUSED)
            || annotations.contains_key(names::DELETE_FOR_MOVE)
    }

    pub(crate) fn engine_owns(&self, slot: &str) -> bool {
        let slots = self.object.annotations().get(names::ENGINE_SLOTS);
        slots.is_some_and(|slots| slots.split(',').any(|of| of.trim() == slot))
    }

    pub(crate) fn is_adopted(&self) -> bool {
        self.object.annotations().get(names::ORIGIN).is_some_and(|origin| origin == names::ADOPTED)
    }

    pub(crate) fn node_network(&self) -> Option<&str> {
        self.object.spec.node_network_id.as_deref().filter(|id| !id.is_empty())
    }

    pub(crate) fn control_plane_ip(&self) -> Option<&str> {
        self.object.spec.control_plane_ip.as_deref().filter(|ip| !ip.is_empty())
    }

    /// Name or address, and port.
    pub(crate) fn endpoint(&self) -> Option<(&str, i64)> {
        let endpoint = self.object.spec.control_plane_endpoint.as_ref().filter(|e| !e.host.is_empty())?;
        Some((&endpoint.host, endpoint.port))
    }

    /// The address that the API server is reached at, where the object says one: a name needs `controlPlaneIP` for it.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        address(&self.object)
    }

    pub(crate) fn conditions(&self) -> &[Condition] {
        self.object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }

    /// Once true it stays true, also when the status got lost in a move.
    pub(crate) fn was_provisioned(&self) -> bool {
        let status = self.object.status.as_ref();
        let says = status.is_some_and(|s| s.ready || s.initialization.is_some_and(|i| i.provisioned == Some(true)));
        says || self.cluster.as_ref().is_some_and(|cluster| cluster.is_infrastructure_provisioned())
    }

    /// How long an allocation that left no trace so far can still complete.
    pub(crate) fn unsettled(&self, now: Timestamp) -> Option<Duration> {
        self.memory.is_unsettled(now, self.rules.settle).then(|| {
            let since = self.memory.unsettled_since.unwrap_or(now);
            let passed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
            self.rules.settle.saturating_sub(passed)
        })
    }

    /// Of what is allocated for a slot: the ecosystem's tags and our mark. A VIP never carries the cluster's id, since
    /// the cloud controller manager would take it for services.
    pub(crate) fn allocation_tags(&self, slot: &Slot, attempt: &Attempt) -> Tags {
        let mark = Tags::new()
            .with(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER)
            .with(tags::SLOT, slot)
            .with(tags::ATTEMPT, attempt);
        with_names(mark, slot, &self.id())
    }
}

/// What a resource of this slot carries that is this cluster's, whoever of ours allocated it.
pub(super) fn with_names(tags: Tags, slot: &Slot, id: &str) -> Tags {
    match slot {
        Slot::Network => tags.with(tags::CLUSTER_ID, id),
        _ => tags.with(tags::CLUSTER_RESOURCE, id).with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE),
    }
}

pub(super) fn id(object: &MetalStackCluster) -> String {
    format!("{}.{}", object.namespace().unwrap_or_default(), object.name_any())
}

/// The name of the owner.
pub(super) fn owner(object: &MetalStackCluster) -> Option<&str> {
    let mut owners = object.owner_references().iter();
    let is = |api_version: &str| api_version.split_once('/').is_some_and(|(group, _)| group == "cluster.x-k8s.io");
    owners.find(|owner| owner.kind == "Cluster" && is(&owner.api_version)).map(|owner| owner.name.as_str())
}

/// What Cluster API calls the cluster, also when its Cluster is gone.
pub(super) fn cluster_name(object: &MetalStackCluster) -> String {
    let label = object.labels().get(names::CLUSTER_NAME_LABEL).cloned();
    owner(object).map(str::to_owned).or(label).unwrap_or_else(|| object.name_any())
}

pub(super) fn address(object: &MetalStackCluster) -> Option<IpAddr> {
    let host = object.spec.control_plane_endpoint.as_ref().and_then(|endpoint| endpoint.host.parse().ok());
    host.or_else(|| object.spec.control_plane_ip.as_ref()?.parse().ok())
}
