//! `policies/*.yaml`: what the platform offers. Written by people; there is no built-in policy.

use crate::fleet::{ApiVersion, Purpose};
use crate::ids::Label;
use crate::{Cidr, ImageId, NetworkId, PartitionId, SizeId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A document of `policies/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterPolicy {
    pub api_version: ApiVersion,
    pub kind: PolicyKind,
    pub metadata: PolicyMetadata,
    pub spec: PolicySpec,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PolicyKind {
    #[default]
    ClusterPolicy,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyMetadata {
    pub name: Label,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySpec {
    pub kubernetes: OfferedKubernetes,
    /// The first one is the default.
    pub machine_images: Vec<MachineImage>,
    /// The first usable one is the default.
    pub machine_types: Vec<MachineType>,
    pub regions: Vec<Region>,
    pub defaults: PolicyDefaults,
    /// What one cluster may have at most.
    #[serde(default, skip_serializing_if = "PolicyLimits::is_default")]
    pub limits: PolicyLimits,
    /// Where container images and charts come from.
    #[serde(default, skip_serializing_if = "ImagePolicy::is_default")]
    pub images: ImagePolicy,
    /// Purposes whose clusters may use preview versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_preview_for: Vec<Purpose>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfferedKubernetes {
    pub versions: Vec<OfferedVersion>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfferedVersion {
    pub version: KubernetesVersion,
    #[serde(default)]
    pub classification: Classification,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expiration_date: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Classification {
    Preview,
    #[default]
    Supported,
    Deprecated,
}

/// A full Kubernetes version, `1.34.2`; printed with a `v` in manifests.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KubernetesVersion(semver::Version);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no Kubernetes version, for example `1.34.2`")]
pub struct VersionError(pub String);

impl KubernetesVersion {
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        match semver::Version::parse(bare) {
            Ok(version) if version.pre.is_empty() && version.build.is_empty() => Ok(Self(version)),
            _ => Err(VersionError(text.to_owned())),
        }
    }

    pub fn minor(&self) -> (u64, u64) {
        (self.0.major, self.0.minor)
    }

    pub fn semver(&self) -> &semver::Version {
        &self.0
    }
}

impl std::fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

impl std::fmt::Debug for KubernetesVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for KubernetesVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KubernetesVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&std::borrow::Cow::<str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for KubernetesVersion {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KubernetesVersion".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A full Kubernetes version.",
            "pattern": "^v?(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)$",
            "examples": ["1.34.2"],
        })
    }
}

/// An OS image with kubeadm, offered in several versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineImage {
    /// What definitions write.
    pub name: Label,
    /// The metal-api image id; `{{version}}` stands for the version.
    pub id: String,
    pub versions: Vec<MachineImageVersion>,
}

/// One version of an image. What it holds under upstream names belongs to it (R24).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineImageVersion {
    pub version: String,
    /// The Kubernetes version it was built for.
    pub kubernetes: KubernetesVersion,
    /// The kube-vip version it holds, as `v0.8.10`.
    pub kube_vip: String,
    #[serde(default)]
    pub classification: Classification,
    /// New clusters do not get it from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expiration_date: Option<Timestamp>,
}

impl MachineImage {
    /// The metal-api id of a version, where template and version make one.
    pub fn image_id(&self, version: &MachineImageVersion) -> Option<ImageId> {
        ImageId::parse(&self.id.replace("{{version}}", &version.version)).ok()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineType {
    pub name: SizeId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// False: known, but not offered to new clusters.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub usable: bool,
    /// Its disks hold data that a replacement destroys: health checks are refused for it (R22).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local_volumes: bool,
    /// Machines of this size that are to stay free in each partition: plans and `status` say when there are fewer.
    #[serde(default, skip_serializing_if = "is_none_kept")]
    pub reserve: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none_kept(reserve: &u32) -> bool {
    *reserve == 0
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_true(value: &bool) -> bool {
    *value
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Region {
    pub name: Label,
    pub partitions: Vec<OfferedPartition>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfferedPartition {
    pub name: PartitionId,
    /// Machine types that this partition does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable_machine_types: Vec<SizeId>,
    pub firewall: OfferedFirewall,
    /// The external network of VIPs and firewalls where a definition names none.
    pub default_network: NetworkId,
    /// The external networks that clusters may use; any where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<NetworkId>,
}

/// Sizes and images of firewalls; the first ones are the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfferedFirewall {
    pub types: Vec<SizeId>,
    pub images: Vec<ImageId>,
}

/// Values of definitions that leave them out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyDefaults {
    pub pods: Vec<Cidr>,
    pub services: Vec<Cidr>,
    /// Chart version of the tigera-operator, as `v3.28.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calico: Option<String>,
    /// Image tag of metal-ccm, as `v0.9.7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ccm: Option<String>,
    /// Chart version of Cilium, as `1.18.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cilium: Option<String>,
    /// Chart version of MetalLB, as `0.15.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metallb: Option<String>,
}

/// What one cluster may have at most; absent: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyLimits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_replicas: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<u32>,
    /// Of one pool; `max` of an autoscaled one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_replicas: Option<u32>,
    /// Control plane and pools together; `max` of autoscaled pools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machines: Option<u32>,
}

impl PolicyLimits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where container images and charts come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagePolicy {
    /// Images and charts of hosts that no rule maps are refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub airgapped: bool,
    /// The longest `from` that fits counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrite: Vec<ImageRewrite>,
}

impl ImagePolicy {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One rule: references below `from` come from below `to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageRewrite {
    /// A registry or the host of a chart repository, with or without a path, as `ghcr.io` or `quay.io/calico`.
    pub from: String,
    /// As `registry.example.com/ghcr`.
    pub to: String,
}

impl ClusterPolicy {
    pub fn partition(&self, id: &PartitionId) -> Option<&OfferedPartition> {
        self.spec.regions.iter().flat_map(|r| &r.partitions).find(|p| p.name == *id)
    }

    pub fn machine_image(&self, name: &str) -> Option<&MachineImage> {
        self.spec.machine_images.iter().find(|i| i.name.as_str() == name)
    }

    pub fn machine_type(&self, size: &SizeId) -> Option<&MachineType> {
        self.spec.machine_types.iter().find(|t| t.name == *size)
    }
}
