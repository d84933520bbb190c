//! A cluster `shop/pay` with a deployment `pay-fw`, and how its pieces are varied.

use crate::api::*;
use crate::capi::Cluster;
use crate::conditions::Conditions;
use crate::firewall::decide::decide;
use crate::firewall::observed::*;
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Failure, Memory, Rest, Step};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource as _;
use model::metal::*;
use model::{Allocation, MachineId, ProjectId, Tags, Timestamp, tags};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const PROJECT: &str = "00000000-0000-0000-0000-000000000001";
pub(super) const ATTEMPT: &str = "11111111-0000-4000-8000-000000000001";
pub(super) const NODES: &str = "nodes-1";

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn id(n: u32) -> MachineId {
    MachineId::parse(&format!("00000000-0000-4000-8000-{n:012x}")).unwrap()
}

pub(super) fn template() -> MetalStackFirewallTemplate {
    let rule = EgressRule {
        comment: Some("allow HTTP".to_owned()),
        ports: vec![80, 443],
        protocol: "tcp".to_owned(),
        to: vec!["0.0.0.0/0".to_owned()],
    };
    let ingress = IngressRule {
        ports: vec![443],
        protocol: "TCP".to_owned(),
        from: vec!["0.0.0.0/0".to_owned()],
        to: vec!["198.18.0.7/32".to_owned()],
        ..Default::default()
    };
    let spec = MetalStackFirewallTemplateSpec {
        size: "n1-medium-x86".to_owned(),
        image: "firewall-ubuntu-3.0".to_owned(),
        partition: "muc-a".to_owned(),
        project: PROJECT.to_owned(),
        networks: vec!["internet".to_owned()],
        initial_rule_set: Some(FirewallRules { egress: vec![rule], ingress: vec![ingress] }),
        ssh_public_keys: vec!["ssh-ed25519 AAAA ops".to_owned()],
        ..Default::default()
    };
    MetalStackFirewallTemplate::new("pay-fw", spec)
}

pub(super) fn digest() -> String {
    crate::firewall::template::baseline(&template().spec)
}

/// A deployment with its finalizer, its owners and its template, and nothing allocated.
pub(super) fn observed() -> Observed {
    let mut deployment = MetalStackFirewallDeployment::new(
        "pay-fw",
        MetalStackFirewallDeploymentSpec {
            firewall_template_ref: FirewallTemplateRef { name: "pay-fw".to_owned() },
            ..Default::default()
        },
    );
    deployment.metadata.namespace = Some("shop".to_owned());
    deployment.metadata.generation = Some(1);
    deployment.metadata.finalizers = Some(vec![names::FIREWALL_FINALIZER.to_owned()]);
    let mut infrastructure = MetalStackCluster::new(
        "pay",
        MetalStackClusterSpec {
            project_id: PROJECT.to_owned(),
            partition: "muc-a".to_owned(),
            node_network_id: Some(NODES.to_owned()),
            ..Default::default()
        },
    );
    infrastructure.metadata.namespace = Some("shop".to_owned());
    infrastructure.metadata.uid = Some("00000000-0000-4000-8000-0000000000c1".to_owned());
    infrastructure.metadata.generation = Some(3);
    let mut conditions = Conditions::default();
    conditions.is(ConditionType::NodeNetworkReady, Reason::Allocated, "");
    let conditions = conditions.over(&[], Some(3), at(-1000));
    infrastructure.status = Some(MetalStackClusterStatus { conditions, ..Default::default() });
    deployment.metadata.owner_references = infrastructure.controller_owner_ref(&()).map(|owner| vec![owner]);
    Observed {
        deployment: Arc::new(deployment),
        infrastructure: Some(Arc::new(infrastructure)),
        cluster: Some(Arc::new(Cluster::new("pay", Default::default()))),
        template: Some(Arc::new(template())),
        machines: 0,
        metal: Metal::Read(Project {
            id: ProjectId::parse(PROJECT).unwrap(),
            firewalls: Vec::new(),
            named_is_gone: false,
            dead_since: None,
            is_outage: false,
            newest_image: None,
            searched: None,
            freed: Vec::new(),
        }),
        memory: Memory::default(),
        terms: Terms {
            settle: Duration::from_secs(20),
            health_timeout: Duration::from_secs(1200),
            replacement_pause: Duration::from_secs(3600),
            image_updates: false,
        },
    }
}

/// The provider's own, of this generation, made from the template.
pub(super) fn firewall(n: u32, generation: u32) -> Machine {
    let network = |network: &str, kind| MachineNetwork { network: network.parse().unwrap(), kind, ips: Vec::new() };
    let tags = capms_tags()
        .with(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER)
        .with(tags::SLOT, format!("firewall.{generation}"))
        .with(tags::ATTEMPT, format!("11111111-0000-4000-8000-{generation:012x}"))
        .with(names::FIREWALL_BASELINE, digest());
    Machine {
        id: id(n),
        allocation: Allocation::parse(&format!("allocation-{n}")).unwrap(),
        project: ProjectId::parse(PROJECT).unwrap(),
        partition: "muc-a".parse().unwrap(),
        size: "n1-medium-x86".parse().unwrap(),
        image: "firewall-ubuntu-3.0.20251001".parse().unwrap(),
        role: MachineRole::Firewall,
        hostname: "pay-firewall".to_owned(),
        rack: String::new(),
        state: MachineState::Available,
        state_description: String::new(),
        tags,
        created: Some(at(-100_000)),
        networks: vec![
            network("internet", MachineNetworkKind::External),
            network(NODES, MachineNetworkKind::PrivatePrimaryUnshared),
            network("underlay-muc-a", MachineNetworkKind::Underlay),
        ],
        alive: true,
        crash_loop: false,
        failed_reclaim: false,
        phoned_home: true,
        asn: None,
        last_event: None,
    }
}

pub(super) fn capms_tags() -> Tags {
    Tags::new()
        .with(tags::CLUSTER_ID, NODES)
        .with(tags::CLUSTER_RESOURCE, "shop.pay")
        .with(tags::FIREWALL_MANAGED_BY, tags::FIREWALL_MANAGED_BY_CAPMS)
        .with(tags::FIREWALL_DEPLOYMENT_RESOURCE, "shop.pay-fw")
}

/// CAPMS's, with nothing of ours.
pub(super) fn of_capms(n: u32) -> Machine {
    Machine { tags: capms_tags(), ..firewall(n, 1) }
}

/// As our own, allocated for a deployment of the same name in another management cluster.
pub(super) fn namesake(n: u32) -> Machine {
    let tags = firewall(n, 1).tags.with(tags::ATTEMPT, "99999999-0000-4000-8000-000000000009");
    Machine { tags, ..firewall(n, 1) }
}

pub(super) fn in_another_network() -> Machine {
    let mut one = firewall(1, 1);
    one.networks[1].network = "nodes-9".parse().unwrap();
    one
}

pub(super) fn of_engine(n: u32, generation: u32) -> Machine {
    let tags = capms_tags()
        .with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE)
        .with(tags::SLOT, format!("firewall.{generation}"))
        .with(tags::FIREWALL_DEPLOYMENT_RESOURCE, "shop.pay");
    Machine { tags, ..firewall(n, generation) }
}

impl Observed {
    pub(super) fn object(&mut self) -> &mut MetalStackFirewallDeployment {
        Arc::make_mut(&mut self.deployment)
    }

    pub(super) fn project(&mut self) -> &mut Project {
        match &mut self.metal {
            Metal::Read(project) => project,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn of_cluster(&mut self) -> &mut MetalStackCluster {
        Arc::make_mut(self.infrastructure.as_mut().unwrap())
    }

    pub(super) fn wanted(&mut self) -> &mut MetalStackFirewallTemplateSpec {
        &mut Arc::make_mut(self.template.as_mut().unwrap()).spec
    }

    pub(super) fn has(mut self, firewalls: impl IntoIterator<Item = Machine>) -> Self {
        self.project().firewalls.extend(firewalls.into_iter().map(Arc::new));
        self
    }

    pub(super) fn searched(mut self, at: Timestamp) -> Self {
        self.project().searched = Some(at);
        self
    }

    pub(super) fn annotated(mut self, key: &str, value: &str) -> Self {
        let annotations = self.object().metadata.annotations.get_or_insert_default();
        annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(super) fn names(mut self, n: u32) -> Self {
        let name = format!("metal://muc-a/{}", id(n));
        self.object().spec.managed_resource_ref = Some(ManagedResourceRef { name });
        self
    }

    /// Its firewall is number 1 of the first generation, noted and baselined.
    pub(super) fn running(self) -> Self {
        self.names(1)
            .annotated(names::PROJECT, PROJECT)
            .annotated(names::ALLOCATION, "allocation-1")
            .annotated(names::ATTEMPT, ATTEMPT)
            .annotated(names::FIREWALL_BASELINE, &digest())
    }

    pub(super) fn deleted(mut self) -> Self {
        self.object().metadata.deletion_timestamp = Some(Time(at(0)));
        self
    }

    pub(super) fn engines(mut self) -> Self {
        self.of_cluster().metadata.annotations =
            Some(BTreeMap::from([(names::ENGINE_SLOTS.to_owned(), "network,vip,firewall".to_owned())]));
        self
    }

    /// Says so since then, and was ready.
    pub(super) fn says(mut self, of: ConditionType, status: ConditionStatus, reason: Reason, since: i64) -> Self {
        let mut conditions = Conditions::default();
        conditions.set(of, status, reason, "as before");
        let object = self.object();
        let mut stored = object.status.take().unwrap_or_default();
        stored.ready = true;
        stored.initialization = Some(Initialization { provisioned: Some(true) });
        stored.conditions.extend(conditions.over(&[], Some(1), at(since)));
        object.status = Some(stored);
        self
    }

    pub(super) fn decide(&self, second: i64) -> Said {
        Said(decide(self, at(second)))
    }
}

/// What was decided, and how to ask for it.
#[derive(Debug)]
pub(super) struct Said(pub Decision<Action, MetalStackFirewallDeploymentStatus>);

impl Said {
    pub(super) fn action(self) -> Action {
        match self.0.step {
            Step::Act(action) => action,
            Step::Rest(_) => panic!("{self:#?}"),
        }
    }

    pub(super) fn rest(&self) -> Rest {
        match &self.0.step {
            Step::Rest(rest) => *rest,
            Step::Act(_) => panic!("{self:#?}"),
        }
    }

    pub(super) fn leaves(&self) -> bool {
        self.0 == Decision::leave()
    }

    pub(super) fn status(&self) -> &MetalStackFirewallDeploymentStatus {
        self.0.status.as_ref().unwrap_or_else(|| panic!("{self:#?}"))
    }

    fn condition(&self, of: ConditionType) -> &Condition {
        let found = self.status().conditions.iter().find(|c| c.type_ == of.as_str());
        found.unwrap_or_else(|| panic!("no {of} in {self:#?}"))
    }

    pub(super) fn says(&self, of: ConditionType) -> (ConditionStatus, Reason) {
        let condition = self.condition(of);
        (condition.status, Reason::parse(&condition.reason).unwrap())
    }

    pub(super) fn message(&self, of: ConditionType) -> &str {
        &self.condition(of).message
    }
}

pub(super) fn failure(reason: Reason, unknown_outcome: bool) -> Failure {
    Failure { reason, message: "as metal-api says.".to_owned(), unknown_outcome, after: None }
}
