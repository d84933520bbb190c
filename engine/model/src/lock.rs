//! `cluster.lock.yaml`: the values the engine committed for one definition. Written by the engine only.

use crate::definition::VipKind;
use crate::fleet::ApiVersion;
use crate::ids::Label;
use crate::policy::KubernetesVersion;
use crate::rules::Port;
use crate::{
    Allocation, Cidr, ClusterId, ClusterName, Condition, Digest, FleetName, ImageId, MachineId, Namespace, NetworkId,
    Origin, PartitionId, ProjectId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

/// The lock beside a definition. May be partial (R7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterLock {
    pub api_version: ApiVersion,
    pub kind: LockKind,
    pub identity: Identity,
    pub source: Source,
    #[serde(default)]
    pub values: Values,
    /// Digests of the input fields of each machine-affecting object (R1): `clusterNetwork`, `controlPlane`,
    /// `firewall`, `pool.<name>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rendered: BTreeMap<String, Digest>,
    /// Only ones that change with content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LockKind {
    #[default]
    ClusterLock,
}

/// Immutable once resolved (R9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    pub namespace: Namespace,
    pub name: ClusterName,
    pub management_cluster: Label,
    pub project: ProjectId,
    pub partition: PartitionId,
    pub fleet: FleetName,
}

impl Identity {
    /// None when namespace and name are too long together.
    pub fn cluster(&self) -> Option<ClusterId> {
        ClusterId::new(self.namespace.clone(), self.name.clone()).ok()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// The definition's path.
    pub path: String,
    /// Of the effective fields that people wrote, in definition, stage, policy and fleet.
    pub digest: Digest,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Values {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_network: Option<NodeNetwork>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vip: Option<Vip>,
    #[serde(default, rename = "egressIPs", skip_serializing_if = "Vec::is_empty")]
    pub egress_ips: Vec<EgressIp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<Firewall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
    /// What an image of the definition resolved to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, ImageId>,
    /// Pools whose number of machines only the management cluster knows (R23).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub autoscaled_pools: Vec<Label>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeNetwork {
    pub id: NetworkId,
    pub prefixes: Vec<Cidr>,
    pub origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vip {
    #[schemars(with = "String")]
    pub address: Ipv4Addr,
    pub port: Port,
    pub network: NetworkId,
    #[serde(rename = "type")]
    pub kind: VipKind,
    pub allocation: Allocation,
    pub origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressIp {
    pub network: NetworkId,
    #[schemars(with = "String")]
    pub address: IpAddr,
    pub allocation: Allocation,
    pub origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Firewall {
    pub id: MachineId,
    pub allocation: Allocation,
    /// From 1; 0 for an adopted one.
    pub generation: u32,
    /// The full id.
    pub image: ImageId,
    /// External networks, as the definition has them.
    pub networks: Vec<NetworkId>,
    pub origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kubernetes {
    pub version: KubernetesVersion,
}

impl ClusterLock {
    pub fn cluster(&self) -> Option<ClusterId> {
        self.identity.cluster()
    }
}
