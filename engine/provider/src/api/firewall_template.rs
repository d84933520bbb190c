//! `MetalStackFirewallTemplate`: what a firewall is to be, in the words of metal-stack's firewall-controller-manager.
//!
//! Most fields are for a firewall-controller, which clusters of Cluster API do not have: they are admitted because CAPMS
//! admits them, and have no effect.

use super::common::integer;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a firewall is to be.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "MetalStackFirewallTemplate",
    namespaced,
    shortname = "msfwtemplate",
    category = "cluster-api",
    doc = "What the firewall of a cluster is to be.",
    derive = "PartialEq",
    printcolumn(
        name = "Partition",
        type_ = "string",
        json_path = ".spec.partition",
        description = "Partition of metal-stack"
    ),
    printcolumn(
        name = "Project",
        type_ = "string",
        json_path = ".spec.project",
        description = "Project of metal-stack"
    ),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", description = "Image of the firewall"),
    printcolumn(name = "Size", type_ = "string", json_path = ".spec.size", description = "Size of the server"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Age")
)]
#[serde(rename_all = "camelCase")]
pub struct MetalStackFirewallTemplateSpec {
    /// Size of the server. Another one needs another firewall.
    pub size: String,
    /// Image of the firewall. Another one needs another firewall.
    pub image: String,
    /// Without effect: the cluster's partition is used.
    pub partition: String,
    /// Without effect: the cluster's project is used.
    pub project: String,
    /// Networks of the firewall beside the nodes' network. Others need another firewall.
    pub networks: Vec<String>,
    /// The rules that the firewall starts with. Others need another firewall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_rule_set: Option<FirewallRules>,
    /// Public keys that may log in by SSH.
    #[serde(rename = "sshPublicKeys", default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_public_keys: Vec<String>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userdata: Option<String>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub userdata_contents: Vec<UserdataContent>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimit>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub internal_prefixes: Vec<String>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress_rules: Vec<SourceNat>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Without effect: for a firewall-controller.
    #[serde(rename = "ipv4RuleFile", default, skip_serializing_if = "Option::is_none")]
    pub ipv4_rule_file: Option<String>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_accepted_connections: Option<bool>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_version: Option<String>,
    /// Without effect: for a firewall-controller.
    #[serde(rename = "controllerURL", default, skip_serializing_if = "Option::is_none")]
    pub controller_url: Option<String>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nftables_exporter_version: Option<String>,
    /// Without effect: for a firewall-controller.
    #[serde(rename = "nftablesExporterURL", default, skip_serializing_if = "Option::is_none")]
    pub nftables_exporter_url: Option<String>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_server_address: Option<String>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "integer")]
    pub dns_port: Option<i64>,
    /// Without effect: for a firewall-controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_networks: Option<AllowedNetworks>,
}

/// What passes a firewall. Without rules nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirewallRules {
    /// What may leave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<EgressRule>,
    /// What may enter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<IngressRule>,
}

/// What may leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EgressRule {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Ports it is for.
    pub ports: Vec<i32>,
    /// TCP or UDP.
    pub protocol: String,
    /// Destinations, as 0.0.0.0/0.
    pub to: Vec<String>,
}

/// What may enter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressRule {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Ports it is for.
    pub ports: Vec<i32>,
    /// TCP or UDP.
    pub protocol: String,
    /// Sources, as 0.0.0.0/0.
    pub from: Vec<String>,
    /// Destinations; all where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
}

/// How much may pass into a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Id of the network.
    #[serde(rename = "networkID")]
    pub network_id: String,
    /// MiB per second.
    pub rate: i32,
}

/// The source addresses of packets that leave into a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceNat {
    /// Id of the network.
    #[serde(rename = "networkID")]
    pub network_id: String,
    /// The addresses.
    pub ips: Vec<String>,
}

/// The only networks that traffic may go to and come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedNetworks {
    /// Where traffic may go to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<String>,
    /// Where traffic may come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<String>,
}

/// A file of a firewall. CAPMS demands `contentFrom` with both references, which makes `content` useless; here they are
/// optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserdataContent {
    /// Its path.
    pub path: String,
    /// What is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Where that is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_from: Option<UserdataSource>,
}

/// Where the content of a file is found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserdataSource {
    /// A key of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyRef>,
    /// A key of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyRef>,
    /// A key of the Secret with the kubeconfig of a firewall-controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall_controller_kubeconfig_secret: Option<KeyRef>,
}

/// A key of an object of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyRef {
    /// Name of the object.
    pub name: String,
    /// The key in it.
    pub key: String,
}
