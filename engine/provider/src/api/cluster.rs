//! `MetalStackCluster`: the infrastructure of one cluster.

use super::common::{Condition, Initialization, integer};
use kube::CustomResource;
use kube::core::{Reason, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a cluster is to have.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "MetalStackCluster",
    namespaced,
    doc = "The infrastructure of a cluster on metal-stack: its node network, its control plane's address, its firewall.",
    status = "MetalStackClusterStatus",
    derive = "PartialEq",
    validation = same_while_networked("projectID", "project"),
    validation = same_while_networked("partition", "partition"),
    validation = same_when_provisioned(
        "nodeNetworkID",
        "the nodeNetworkID of a provisioned cluster cannot be changed: its machines and its firewall are in the old \
         network; put the old value back, or make a new cluster"
    ),
    validation = same_when_provisioned(
        "controlPlaneEndpoint",
        "the controlPlaneEndpoint of a provisioned cluster cannot be changed: its certificates and kubeconfigs name \
         the old one, and Cluster API does not read it again; put the old value back, or make a new cluster"
    ),
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = r".metadata.labels.cluster\.x-k8s\.io/cluster-name",
        description = "Cluster that it belongs to"
    ),
    printcolumn(
        name = "Endpoint",
        type_ = "string",
        json_path = ".spec.controlPlaneEndpoint.host",
        description = "Address of the API server"
    ),
    printcolumn(
        name = "Partition",
        type_ = "string",
        json_path = ".spec.partition",
        description = "Partition of metal-stack",
        priority = 1
    ),
    printcolumn(
        name = "Project",
        type_ = "string",
        json_path = ".spec.projectID",
        description = "Project of metal-stack",
        priority = 1
    ),
    printcolumn(
        name = "Network",
        type_ = "string",
        json_path = ".spec.nodeNetworkID",
        description = "Network of the nodes",
        priority = 1
    ),
    printcolumn(
        name = "Provisioned",
        type_ = "string",
        json_path = ".status.initialization.provisioned",
        description = "Whether it has been provisioned once"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether everything is as it should be"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "What is waited for"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Age")
)]
#[serde(rename_all = "camelCase")]
pub struct MetalStackClusterSpec {
    /// Where the API server is reached. What is absent is filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_endpoint: Option<Endpoint>,
    /// Project of metal-stack in which everything is made.
    #[serde(rename = "projectID")]
    pub project_id: String,
    /// Network of the nodes and the firewall. What is absent is allocated.
    #[serde(rename = "nodeNetworkID", default, skip_serializing_if = "Option::is_none")]
    pub node_network_id: Option<String>,
    /// Address of metal-stack on which the API server is exposed. Without it and without an endpoint one is allocated.
    #[serde(rename = "controlPlaneIP", default, skip_serializing_if = "Option::is_none")]
    pub control_plane_ip: Option<String>,
    /// Partition of metal-stack in which everything is made.
    pub partition: String,
    /// The MetalStackFirewallDeployment of the cluster, in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall_deployment_ref: Option<FirewallDeploymentRef>,
    /// The Secret with the credentials for metal-api, in the same namespace. Its keys are those of the provider's own
    /// Secret: api-url, api-hmac, api-hmac-auth-type. Without it the provider's own are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<CredentialsRef>,
}

/// Where an API server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// Port.
    #[schemars(schema_with = "integer")]
    pub port: i64,
}

/// Names a MetalStackFirewallDeployment of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirewallDeploymentRef {
    /// Name of the MetalStackFirewallDeployment.
    pub name: String,
}

/// Names a Secret of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialsRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What a cluster has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetalStackClusterStatus {
    /// Whether it has been provisioned once; part of Cluster API's contract v1beta1.
    #[serde(default)]
    pub ready: bool,
    /// How far the first provisioning has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialization: Option<Initialization>,
    /// Where machines can be placed so that they do not fail together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(min = 1, max = 100),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub failure_domains: Vec<FailureDomain>,
    /// A word for a problem that needs a person. Of the contract v1beta1; conditions say it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_message: Option<String>,
    /// The state in its aspects.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::common::readable")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A rack or a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureDomain {
    /// Name of the rack or partition.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Whether control plane machines may be placed there.
    pub control_plane: bool,
    /// More about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// What is allocated belongs to a project and a partition from the first network on.
fn same_while_networked(field: &str, what: &str) -> Rule {
    let message = format!(
        "{field} cannot be changed while nodeNetworkID is set: the network belongs to the old {what}; put the old \
         value back, make a new cluster, or remove nodeNetworkID first"
    );
    // Without `orValue`: the API server cannot tell what comparing such a value costs, and refuses the rule.
    Rule::new(format!(
        "!has(self.spec) || !has(oldSelf.spec) || !has(oldSelf.spec.nodeNetworkID) || \
         oldSelf.spec.nodeNetworkID == '' || oldSelf.spec.{field} == '' || self.spec.{field} == oldSelf.spec.{field}"
    ))
    .message(message.as_str())
    .reason(Reason::FieldValueForbidden)
    .field_path(format!(".spec.{field}"))
}

/// Removal stays possible: CAPMS removes what it has freed, and a manifest that replaces the object may not have it.
fn same_when_provisioned(field: &str, message: &str) -> Rule {
    Rule::new(format!(
        "!oldSelf.?status.?initialization.?provisioned.orValue(false) || !oldSelf.?spec.?{field}.hasValue() || \
         !self.?spec.?{field}.hasValue() || self.spec.{field} == oldSelf.spec.{field}"
    ))
    .message(message)
    .reason(Reason::FieldValueForbidden)
    .field_path(format!(".spec.{field}"))
}
