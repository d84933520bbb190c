//! What the tables observe, and a metal-api of a few lines for the properties.

use crate::api::{
    Condition, ConditionStatus, Endpoint, FirewallDeploymentRef, Initialization, MetalStackCluster,
    MetalStackClusterSpec, MetalStackClusterStatus, MetalStackFirewallDeployment, MetalStackFirewallDeploymentSpec,
    MetalStackFirewallDeploymentStatus,
};
use crate::capi::{Cluster, ClusterSpec};
use crate::cluster::decide::{Action, Decided, decide};
use crate::cluster::observed::{Credentials, Found, Leftovers, Observed, Presence, Rules, Seen};
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Failure, Memory, Step};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use model::metal::{Ip, IpKind, Network, NetworkKind};
use model::{Allocation, Attempt, NetworkId, PartitionId, ProjectId, Tags, Timestamp, tags};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ID: &str = "default.shop";
pub(super) const NETWORK: &str = "11111111-1111-1111-1111-111111111111";
pub(super) const VIP: &str = "198.18.0.10";
pub(super) const ATTEMPT: &str = Attempt::EXAMPLE;
pub(super) const OTHER_ATTEMPT: &str = "22222222-2222-2222-2222-222222222222";
/// Of the object before it was moved.
pub(super) const FORMER_UID: &str = "44444444-4444-4444-4444-444444444444";
pub(super) const SETTLE: Duration = Duration::from_secs(20);

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

/// A cluster of which nothing exists yet, with finalizer and owner.
pub(super) fn fresh() -> Observed {
    let mut object = MetalStackCluster::new(
        "shop",
        MetalStackClusterSpec {
            project_id: ProjectId::EXAMPLE.to_owned(),
            partition: "muc-a".to_owned(),
            ..Default::default()
        },
    );
    object.metadata.namespace = Some("default".to_owned());
    object.metadata.uid = Some("our-uid".to_owned());
    object.metadata.finalizers = Some(vec![names::CLUSTER_FINALIZER.to_owned()]);
    let mut cluster = Cluster::new("shop", ClusterSpec::default());
    cluster.metadata.namespace = Some("default".to_owned());
    Observed {
        object: Arc::new(object),
        cluster: Some(Arc::new(cluster)),
        firewall: None,
        firewalls: Vec::new(),
        machines: Vec::new(),
        metal: Ok(Seen { default_networks: vec![NetworkId::parse("internet").unwrap()], ..Seen::default() }),
        found: Found::default(),
        credentials: Credentials::Unasked,
        memory: Memory::default(),
        rules: Rules { settle: SETTLE, wait_for_firewall: true },
    }
}

/// With network and endpoint, both ours.
pub(super) fn served() -> Observed {
    let mut observed = fresh();
    observed.edit(|object| {
        object.spec.node_network_id = Some(NETWORK.to_owned());
        object.spec.control_plane_endpoint = Some(Endpoint { host: VIP.to_owned(), port: 443 });
    });
    observed.annotate(names::ATTEMPT, ATTEMPT);
    let seen = observed.metal.as_mut().unwrap();
    seen.network = Presence::Here(Arc::new(network(NETWORK, our_network_tags(ATTEMPT))));
    seen.address = Presence::Here(Arc::new(ip(VIP, IpKind::Ephemeral, our_vip_tags(ATTEMPT))));
    observed
}

/// The same, deleted; everything was searched for.
pub(super) fn deleting() -> Observed {
    let mut observed = served();
    observed.edit(|object| object.metadata.deletion_timestamp = Some(Time(now())));
    observed.found.leftovers = Some(Leftovers {
        networks: vec![Arc::new(network(NETWORK, our_network_tags(ATTEMPT)))],
        addresses: vec![Arc::new(ip(VIP, IpKind::Ephemeral, our_vip_tags(ATTEMPT)))],
        done: 0,
        kept: Vec::new(),
    });
    observed
}

impl Observed {
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut MetalStackCluster)) {
        change(Arc::make_mut(&mut self.object));
    }

    pub(super) fn annotate(&mut self, key: &str, value: &str) {
        self.edit(|object| {
            object.metadata.annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        });
    }

    pub(super) fn edit_cluster(&mut self, change: impl FnOnce(&mut Cluster)) {
        change(Arc::make_mut(self.cluster.as_mut().unwrap()));
    }

    pub(super) fn seen(&mut self) -> &mut Seen {
        self.metal.as_mut().unwrap()
    }

    pub(super) fn leftovers(&mut self) -> &mut Leftovers {
        self.found.leftovers.as_mut().unwrap()
    }

    pub(super) fn with_firewall(&mut self, deployment: MetalStackFirewallDeployment) {
        let name = deployment.metadata.name.clone().unwrap();
        self.edit(|object| object.spec.firewall_deployment_ref = Some(FirewallDeploymentRef { name }));
        self.firewalls = vec![Arc::new(deployment.clone())];
        self.firewall = Some(Arc::new(deployment));
    }

    pub(super) fn was(&mut self, of: ConditionType, status: ConditionStatus, reason: Reason) {
        self.edit(|object| {
            object.status.get_or_insert_default().conditions.push(Condition {
                type_: of.as_str().to_owned(),
                status,
                observed_generation: None,
                last_transition_time: Time(now()),
                reason: reason.as_str().to_owned(),
                message: "as it was".to_owned(),
            });
        });
    }

    pub(super) fn was_provisioned_before(&mut self) {
        self.edit(|object| {
            let status = object.status.get_or_insert_default();
            status.initialization = Some(Initialization { provisioned: Some(true) });
        });
    }

    #[track_caller]
    pub(super) fn acts(&self) -> Action {
        match decide(self, now()).step {
            Step::Act(action) => action,
            Step::Rest(_) => panic!("it rests: {:#?}", decide(self, now()).status),
        }
    }

    #[track_caller]
    pub(super) fn rests(&self) -> MetalStackClusterStatus {
        let Decided { step, status } = decide(self, now());
        assert!(matches!(step, Step::Rest(_)), "{step:?}");
        status.expect("a status")
    }

    /// What it says of one aspect while it rests.
    #[track_caller]
    pub(super) fn says(&self, of: ConditionType) -> (ConditionStatus, Reason) {
        let status = self.rests();
        let condition = status.conditions.iter().find(|c| c.type_ == of.as_str());
        let condition = condition.unwrap_or_else(|| panic!("no {of} in {:#?}", status.conditions));
        (condition.status, Reason::parse(&condition.reason).unwrap())
    }
}

pub(super) fn our_network_tags(attempt: &str) -> Tags {
    mark(attempt, "network").with(tags::CLUSTER_ID, ID)
}

pub(super) fn our_vip_tags(attempt: &str) -> Tags {
    mark(attempt, "vip").with(tags::CLUSTER_RESOURCE, ID).with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE)
}

pub(super) fn capms_vip_tags() -> Tags {
    Tags::new().with(tags::CLUSTER_ID, ID).with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE)
}

fn mark(attempt: &str, slot: &str) -> Tags {
    Tags::new().with(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER).with(tags::SLOT, slot).with(tags::ATTEMPT, attempt)
}

pub(super) fn network(id: &str, labels: Tags) -> Network {
    Network {
        id: NetworkId::parse(id).unwrap(),
        name: "shop".to_owned(),
        kind: NetworkKind::Child,
        project: Some(ProjectId::parse(ProjectId::EXAMPLE).unwrap()),
        partition: Some(PartitionId::parse("muc-a").unwrap()),
        parent: None,
        prefixes: vec!["10.0.0.0/22".parse().unwrap()],
        destination_prefixes: Vec::new(),
        announceable: Vec::new(),
        labels,
        created: None,
    }
}

pub(super) fn ip(address: &str, kind: IpKind, tags: Tags) -> Ip {
    let address: IpAddr = address.parse().unwrap();
    Ip {
        address,
        allocation: Allocation::parse("33333333-3333-3333-3333-333333333333").unwrap(),
        network: NetworkId::parse("internet").unwrap(),
        project: ProjectId::parse(ProjectId::EXAMPLE).unwrap(),
        kind,
        name: String::new(),
        tags,
        created: None,
    }
}

/// A firewall deployment that another or this cluster owns.
pub(super) fn deployment(
    owner: Option<(&str, &str)>,
    ready: Option<(ConditionStatus, Reason)>,
) -> MetalStackFirewallDeployment {
    let mut deployment = MetalStackFirewallDeployment::new("shop", MetalStackFirewallDeploymentSpec::default());
    deployment.metadata.namespace = Some("default".to_owned());
    deployment.metadata.labels = Some([(names::CLUSTER_NAME_LABEL.to_owned(), "shop".to_owned())].into());
    deployment.metadata.owner_references = owner.map(|(name, uid)| {
        vec![OwnerReference {
            api_version: "infrastructure.cluster.x-k8s.io/v1alpha1".to_owned(),
            kind: "MetalStackCluster".to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]
    });
    deployment.status = ready.map(|(status, reason)| MetalStackFirewallDeploymentStatus {
        initialization: Some(Initialization { provisioned: Some(status == ConditionStatus::True) }),
        conditions: vec![Condition {
            type_: "Ready".to_owned(),
            status,
            observed_generation: None,
            last_transition_time: Time(now()),
            reason: reason.as_str().to_owned(),
            message: "as the firewall says".to_owned(),
        }],
        ..Default::default()
    });
    deployment
}

pub(super) fn failure(reason: Reason) -> Failure {
    Failure { reason, message: format!("{reason} it is."), unknown_outcome: false, after: None }
}
