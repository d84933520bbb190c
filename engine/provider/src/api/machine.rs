//! `MetalStackMachine`: one server.

use super::common::{Condition, Initialization};
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What a machine is to be. Its failure domain stands in the Machine of Cluster API: a `failureDomain` here would
/// overwrite that one.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "MetalStackMachine",
    namespaced,
    doc = "A server of metal-stack as a machine of a cluster.",
    status = "MetalStackMachineStatus",
    derive = "PartialEq",
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = r".metadata.labels.cluster\.x-k8s\.io/cluster-name",
        description = "Cluster that it belongs to"
    ),
    printcolumn(
        name = "ProviderID",
        type_ = "string",
        json_path = ".spec.providerID",
        description = "The server, as Kubernetes names it"
    ),
    printcolumn(
        name = "Size",
        type_ = "string",
        json_path = ".spec.size",
        description = "Size of the server",
        priority = 1
    ),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", description = "Operating system"),
    printcolumn(
        name = "Provisioned",
        type_ = "string",
        json_path = ".status.initialization.provisioned",
        description = "Whether it has been provisioned once"
    ),
    printcolumn(
        name = "Healthy",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="MachineHealthy")].status"#,
        description = "Health of the server"
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
// The rule of a field is not asked when the field goes.
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(oldSelf.providerID) || oldSelf.providerID == '' || has(self.providerID)",
    "message": "providerID cannot be taken out: it names the server that was allocated for this object; put the \
                old value back, or delete the Machine and let another be made",
    "reason": "FieldValueForbidden",
}]))]
pub struct MetalStackMachineSpec {
    /// The server: metal://<partition>/<id>. Written when one is allocated.
    #[serde(rename = "providerID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "oldSelf == '' || self == oldSelf",
        "message": "providerID cannot be changed: it names the server that was allocated for this object; put the \
                    old value back, or delete the Machine and let another be made",
        "reason": "FieldValueForbidden",
    }]))]
    pub provider_id: Option<String>,
    /// Operating system: an image of metal-stack.
    pub image: String,
    /// Size of the server: a size of metal-stack.
    pub size: String,
    /// Networks beside the cluster's. An address is acquired in each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["networkID"])
    )]
    pub additional_networks: Vec<AdditionalNetwork>,
    /// Public keys that may log in by SSH.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 8192)), extend("x-kubernetes-list-type" = "set"))]
    pub ssh_public_keys: Vec<String>,
    /// Tags of the server beside those of the provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "tags")]
    pub tags: Vec<String>,
    /// This very server: its id in metal-stack. It overrules size and partition.
    #[serde(rename = "machineUUID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), regex(pattern = UUID))]
    pub machine_uuid: Option<String>,
    /// The filesystem layout; without it metal-stack chooses one for size and image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub filesystem_layout: Option<String>,
    /// Addresses of DNS servers; without them those of the partition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), inner(length(max = 45)), extend("x-kubernetes-validations" = [{
        "rule": "self.all(server, isIP(server))",
        "message": "dnsServers are IP addresses, as 192.0.2.53",
    }]))]
    pub dns_servers: Vec<String>,
    /// Names or addresses of NTP servers; without them those of the partition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(min = 1, max = 253)))]
    pub ntp_servers: Vec<String>,
}

const UUID: &str = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/// A network that a machine is in beside the cluster's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalNetwork {
    /// Id of the network in metal-stack.
    #[serde(rename = "networkID")]
    #[schemars(length(min = 1, max = 253))]
    pub network_id: String,
}

/// What a machine is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetalStackMachineStatus {
    /// Whether it has been provisioned once; part of Cluster API's contract v1beta1.
    #[serde(default)]
    pub ready: bool,
    /// How far the first provisioning has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialization: Option<Initialization>,
    /// The rack or partition that it is placed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub failure_domain: Option<String>,
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
    /// Names and addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "atomic"))]
    pub addresses: Vec<MachineAddress>,
}

/// A name or an address of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineAddress {
    /// What it is.
    #[serde(rename = "type")]
    pub type_: AddressType,
    /// The name or address.
    #[schemars(length(min = 1, max = 256))]
    pub address: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(clippy::enum_variant_names, reason = "the words of Cluster API")]
pub enum AddressType {
    Hostname,
    #[serde(rename = "ExternalIP")]
    ExternalIp,
    #[serde(rename = "InternalIP")]
    InternalIp,
    #[serde(rename = "ExternalDNS")]
    ExternalDns,
    #[serde(rename = "InternalDNS")]
    InternalDns,
}

/// Keys that say whose a server is. metal-api keeps the last of two tags with one key, so that one given by hand could
/// hand a server to another cluster.
const RESERVED: [&str; 5] = [
    "cluster.metal-stack.io/",
    "metal-stack.infrastructure.cluster.x-k8s.io/",
    "firewall.metal-stack.io/",
    "fleet.metal-stack.io/",
    "machine.metal-stack.io/",
];

impl MetalStackMachineSpec {
    /// A tag that only the provider sets. The API server refuses such tags; what it took before it knew is still there.
    pub(crate) fn reserved_tag(&self) -> Option<&str> {
        let is_reserved = |tag: &&String| RESERVED.iter().any(|prefix| tag.starts_with(prefix));
        self.tags.iter().find(is_reserved).map(String::as_str)
    }
}

fn tags(_: &mut SchemaGenerator) -> Schema {
    let taken: Vec<String> = RESERVED.iter().map(|prefix| format!("tag.startsWith('{prefix}')")).collect();
    json_schema!({
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 256},
        "maxItems": 64,
        "x-kubernetes-list-type": "set",
        "x-kubernetes-validations": [{
            "rule": format!("!self.exists(tag, {})", taken.join(" || ")),
            "message": format!("tags whose keys begin with {} are the provider's: take other keys", RESERVED.join(", ")),
        }],
    })
}
