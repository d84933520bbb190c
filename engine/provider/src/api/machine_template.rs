//! `MetalStackMachineTemplate`: what machines are made from.

use super::common::TemplateMetadata;
use super::machine::{MetalStackMachineSpec, MetalStackMachineStatus};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the machines of a pool have in common.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "MetalStackMachineTemplate",
    namespaced,
    doc = "What the machines of a pool or of a control plane have in common. Its spec cannot be changed.",
    status = "MachineTemplateStatus",
    derive = "PartialEq",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Age"),
    printcolumn(
        name = "Size",
        type_ = "string",
        json_path = ".spec.template.spec.size",
        description = "Size of the servers"
    ),
    printcolumn(
        name = "Image",
        type_ = "string",
        json_path = ".spec.template.spec.image",
        description = "Operating system"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct MetalStackMachineTemplateSpec {
    /// The MetalStackMachine to be.
    pub template: MachineTemplate,
}

/// A MetalStackMachine to be: with CAPMS a whole one, of which metadata and spec matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineTemplate {
    /// Without meaning; CAPMS admits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Without meaning; CAPMS admits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Labels and annotations of the MetalStackMachine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// Its spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<MetalStackMachineSpec>,
    /// Without meaning; CAPMS admits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<MetalStackMachineStatus>,
}

/// What a machine made from the template offers. The autoscaler of Cluster API reads it for pools without machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineTemplateStatus {
    /// Its resources by name, as cpu, memory and pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(transform = quantities)]
    pub capacity: BTreeMap<String, String>,
    /// Its architecture and operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_info: Option<NodeInfo>,
}

/// What a pod can ask of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct NodeInfo {
    /// Architecture of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["amd64", "arm64", "s390x", "ppc64le"]))]
    pub architecture: Option<String>,
    /// Operating system, as linux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub operating_system: Option<String>,
}

/// Strings only: the autoscaler reads no numbers.
fn quantities(schema: &mut schemars::Schema) {
    let quantity = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$";
    schema.insert("additionalProperties".to_owned(), serde_json::json!({"type": "string", "pattern": quantity}));
}
