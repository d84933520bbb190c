//! Facts of which everything is well, and ways to change them.

use super::super::CLUSTER_API_KINDS;
use crate::commands::doctor::facts::{
    Answers, Cluster, Facts, Firewall, Metal, MetalState, Plane, Project, Release, Spec,
};
use crate::commands::doctor::managers::{Manager, Role};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use model::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const SHOP: &str = "default/shop";
pub(super) const CLUSTER_CRD: &str = "metalstackclusters.infrastructure.cluster.x-k8s.io";
pub(super) const FIREWALL_ID: &str = "10000000-0000-4000-8000-000000000004";

pub(super) fn release(text: &str) -> Release {
    Release::parse(text).unwrap()
}

pub(super) fn manager(role: Role, name: &str, gate: &str) -> Manager {
    Manager {
        role,
        namespace: format!("{name}-system"),
        name: name.to_owned(),
        replicas: 1,
        image: format!("registry/{name}:v1.11.2"),
        version: Some(release("v1.11.2")),
        gates: BTreeMap::from([(gate.to_owned(), Some(true))]),
    }
}

pub(super) fn theirs(name: &str, version: &str) -> CustomResourceDefinition {
    let (plural, group) = name.split_once('.').unwrap();
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"plural": plural, "kind": plural},
            "versions": [{"name": version, "served": true, "storage": true}],
        },
    }))
    .unwrap()
}

/// Everything is well.
pub(super) fn facts() -> Facts {
    let ours = provider::crds().into_iter().map(|crd| (crd.metadata.name.clone().unwrap(), Ok(Some(crd))));
    let capi = CLUSTER_API_KINDS.iter().flat_map(|(_, kinds)| *kinds);
    let capi = capi.map(|name| ((*name).to_owned(), Ok(Some(theirs(name, "v1beta2")))));
    let admission = provider::admission();
    let gate = "KubeadmBootstrapFormatIgnition";
    let plane = Plane {
        crds: ours.chain(capi).collect(),
        policy: Ok(Some(serde_json::from_value(admission[0].clone()).unwrap())),
        binding: Ok(Some(serde_json::from_value(admission[1].clone()).unwrap())),
        managers: Ok(vec![
            manager(Role::Core, "capi", "ClusterTopology"),
            manager(Role::KubeadmBootstrap, "bootstrap", gate),
            manager(Role::KubeadmControlPlane, "kcp", gate),
            manager(Role::Helm, "caaph", ""),
        ]),
        inventory: BTreeMap::new(),
        leases: Ok(Vec::new()),
        denied: Ok(Vec::new()),
        has_charts: Ok(true),
        clusters: Ok(vec![Cluster { id: SHOP.to_owned(), spec: Ok(spec()) }]),
    };
    let metal = Metal { from: "METAL_API_*".to_owned(), state: MetalState::Asked(Box::new(answers())) };
    Facts {
        now: Timestamp::from_second(1_790_000_000).unwrap(),
        url: "https://mgmt:6443/".to_owned(),
        version: Ok(release("v1.34.1")),
        plane: Some(plane),
        metals: BTreeMap::from([(None, metal)]),
    }
}

pub(super) fn spec() -> Spec {
    Spec {
        tag: "default.shop".to_owned(),
        project: "p".to_owned(),
        partition: "muc-a".to_owned(),
        network: Some("n".to_owned()),
        credentials: None,
        firewall: Firewall::Named(format!("metal://muc-a/{FIREWALL_ID}")),
        endpoint: Some(("198.18.0.1".to_owned(), 443)),
        reach: Some(Ok(())),
        initialized: Some(true),
        wants_charts: true,
    }
}

pub(super) fn answers() -> Answers {
    let project = Project {
        known: Ok("the project".to_owned()),
        networks: Ok(BTreeSet::from(["n".to_owned()])),
        firewalls: Ok(BTreeMap::from([(FIREWALL_ID.to_owned(), Some("default.shop".to_owned()))])),
    };
    Answers {
        url: "https://metal.example.com/metal".to_owned(),
        version: Ok("v0.44.1".to_owned()),
        health: Ok((true, String::new())),
        skew: Some(1),
        partitions: Ok(BTreeSet::from(["muc-a".to_owned()])),
        projects: BTreeMap::from([("p".to_owned(), project)]),
    }
}

impl Facts {
    pub(super) fn plane(&mut self) -> &mut Plane {
        self.plane.as_mut().unwrap()
    }

    pub(super) fn spec(&mut self) -> &mut Spec {
        self.plane().clusters.as_mut().unwrap()[0].spec.as_mut().unwrap()
    }

    pub(super) fn manager(&mut self, role: Role) -> &mut Manager {
        self.plane().managers.as_mut().unwrap().iter_mut().find(|m| m.role == role).unwrap()
    }

    pub(super) fn crd(&mut self, name: &str) -> &mut CustomResourceDefinition {
        self.plane().crds.get_mut(name).unwrap().as_mut().unwrap().as_mut().unwrap()
    }

    pub(super) fn metal(&mut self) -> &mut MetalState {
        &mut self.metals.get_mut(&None).unwrap().state
    }

    pub(super) fn answers(&mut self) -> &mut Answers {
        match self.metal() {
            MetalState::Asked(answers) => answers,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn project(&mut self) -> &mut Project {
        self.answers().projects.get_mut("p").unwrap()
    }
}
