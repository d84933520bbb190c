//! What is read of Cluster API's objects, and nothing more: they are its own.

use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// A reference inside of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContractRef {
    pub api_group: String,
    pub kind: String,
    pub name: String,
}

#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "cluster.x-k8s.io",
    version = "v1beta2",
    kind = "Cluster",
    namespaced,
    schema = "disabled",
    status = "ClusterStatus"
)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSpec {
    pub paused: Option<bool>,
    pub cluster_network: Option<ClusterNetwork>,
    pub control_plane_endpoint: Option<ApiEndpoint>,
    pub control_plane_ref: Option<ContractRef>,
    pub infrastructure_ref: Option<ContractRef>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterNetwork {
    pub api_server_port: Option<i64>,
}

/// Either may be missing while the other is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiEndpoint {
    pub host: Option<String>,
    pub port: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterStatus {
    pub initialization: Option<ClusterInitialization>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterInitialization {
    pub infrastructure_provisioned: Option<bool>,
    pub control_plane_initialized: Option<bool>,
}

impl Cluster {
    pub fn is_paused(&self) -> bool {
        self.spec.paused == Some(true)
    }

    pub fn is_infrastructure_provisioned(&self) -> bool {
        let initialization = self.status.as_ref().and_then(|s| s.initialization.as_ref());
        initialization.and_then(|i| i.infrastructure_provisioned) == Some(true)
    }
}

#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(group = "cluster.x-k8s.io", version = "v1beta2", kind = "Machine", namespaced, schema = "disabled")]
#[serde(rename_all = "camelCase", default)]
pub struct MachineSpec {
    pub cluster_name: String,
    pub bootstrap: Bootstrap,
    pub infrastructure_ref: Option<ContractRef>,
    pub failure_domain: Option<String>,
    pub version: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Bootstrap {
    pub data_secret_name: Option<String>,
}
