//! `cluster.lock.yaml`: the values the engine committed for one definition. Written by the engine only.

use crate::definition::VipKind;
use crate::fleet::ApiVersion;
use crate::ids::Label;
use crate::policy::KubernetesVersion;
use crate::rules::Port;
use crate::{
    Allocation, Cidr, ClusterId, ClusterName, CommitId, Condition, Digest, FleetName, ImageId, MachineId, Namespace,
    NetworkId, Origin, PartitionId, ProjectId, Seconds,
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
    /// Its deletion was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
}

/// How far a confirmed deletion is (R2). When a phase began is when the commit that wrote it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletion {
    /// The commit in which the definition's `deletion.confirm` was seen.
    pub confirmed_in: CommitId,
    pub phase: DeletionPhase,
    /// As the definition had it; network and VIP are kept for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<Seconds>,
}

/// The phases of R2, each a commit that waits for the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeletionPhase {
    /// The guards of the Cluster and of passive objects are lifted. The definition may still be there.
    Confirmed,
    /// The files of the Cluster and of what Cluster API deletes itself have left Git.
    Removing,
    /// The rest has left Git: firewall, addresses and network are freed, in that order.
    Freeing,
}

/// `tombstones/<namespace>.<name>.yaml`: what a deleted cluster keeps for its grace period. Written by the engine only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterTombstone {
    pub api_version: ApiVersion,
    pub kind: TombstoneKind,
    pub identity: Identity,
    /// Node network and VIP, both allocated; nothing else.
    pub values: Values,
    pub deletion: Deletion,
}

/// What the commit leaves of a deleted cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Its lock at this path, with what is not freed yet.
    Lock { path: String, lock: Box<ClusterLock> },
    /// No lock; a tombstone.
    Tombstone(Box<ClusterTombstone>),
    /// Nothing at all. Where the definition is back, only the tombstone goes: its lock has the values.
    Nothing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TombstoneKind {
    #[default]
    ClusterTombstone,
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

    /// `rendered/<management cluster>/<namespace>/<name>`.
    pub fn output_dir(&self) -> String {
        format!("rendered/{}/{}/{}", self.management_cluster, self.namespace, self.name)
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
    /// Pools that were rendered without machines: their objects carry no guard, and only they can be removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub empty_pools: Vec<Label>,
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
    /// Of the settings that it was made from (`want::firewall_inputs`); where absent, those of `rendered.firewall`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Digest>,
    /// The next generation, on its way: it takes over when it has phoned home (R5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<Successor>,
}

/// A firewall that replaces another one and has not phoned home yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Successor {
    pub id: MachineId,
    pub allocation: Allocation,
    pub generation: u32,
    /// The full id.
    pub image: ImageId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Digest>,
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
