//! `MetalStackClusterTemplate`: what a ClusterClass makes infrastructure from.

use super::cluster::MetalStackClusterSpec;
use super::common::TemplateMetadata;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What clusters of a class have in common.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "MetalStackClusterTemplate",
    namespaced,
    category = "cluster-api",
    doc = "The infrastructure that the clusters of a ClusterClass have in common.",
    derive = "PartialEq",
    printcolumn(
        name = "Partition",
        type_ = "string",
        json_path = ".spec.template.spec.partition",
        description = "Partition of metal-stack"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Age")
)]
#[serde(rename_all = "camelCase")]
pub struct MetalStackClusterTemplateSpec {
    /// The MetalStackCluster to be.
    pub template: ClusterTemplate,
}

/// A MetalStackCluster to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterTemplate {
    /// Labels and annotations of the MetalStackCluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// Its spec. The endpoint of a cluster does not belong into a class.
    pub spec: MetalStackClusterSpec,
}
