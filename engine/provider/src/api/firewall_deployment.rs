//! `MetalStackFirewallDeployment`: the firewall of one cluster.

use super::common::{Condition, Initialization};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which firewall a cluster is to have.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "MetalStackFirewallDeployment",
    namespaced,
    shortname = "msfwdeploy",
    category = "cluster-api",
    doc = "The firewall of a cluster.",
    status = "MetalStackFirewallDeploymentStatus",
    derive = "PartialEq",
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = r".metadata.labels.cluster\.x-k8s\.io/cluster-name",
        description = "Cluster that it belongs to"
    ),
    printcolumn(
        name = "Template",
        type_ = "string",
        json_path = ".spec.firewallTemplateRef.name",
        description = "Its MetalStackFirewallTemplate"
    ),
    printcolumn(
        name = "Deployment",
        type_ = "string",
        json_path = ".spec.managedResourceRef.name",
        description = "The firewall in metal-stack"
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
pub struct MetalStackFirewallDeploymentSpec {
    /// The MetalStackFirewallTemplate that says what the firewall is to be, in the same namespace.
    pub firewall_template_ref: FirewallTemplateRef,
    /// The firewall itself: metal://<partition>/<id>. Written when one is allocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_resource_ref: Option<ManagedResourceRef>,
    /// What is renewed without being asked for. CAPMS admits it and does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_update: Option<AutoUpdate>,
}

/// Names a MetalStackFirewallTemplate of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirewallTemplateRef {
    /// Name of the MetalStackFirewallTemplate.
    pub name: String,
}

/// Names the firewall in metal-stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManagedResourceRef {
    /// The firewall: metal://<partition>/<id>.
    pub name: String,
}

/// What is renewed without being asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoUpdate {
    /// Whether the firewall may be replaced for a newer image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_image: Option<bool>,
}

/// What the firewall of a cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetalStackFirewallDeploymentStatus {
    /// Whether a firewall is there.
    #[serde(default)]
    pub ready: bool,
    /// How far the first provisioning has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialization: Option<Initialization>,
    /// The state in its aspects.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::common::readable")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
