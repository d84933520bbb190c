//! `cluster.yaml`: what people want of one cluster. A field enters here with the code that honours it.

use crate::fleet::{ApiVersion, Purpose};
use crate::ids::{Label, SecretName};
use crate::patch::Patch;
use crate::rules::{EgressRule, IngressRule, Port};
use crate::{Cidr, ClusterName, ImageId, MachineId, Namespace, NetworkId, PartitionId, ProjectId, Seconds, SizeId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::Ipv4Addr};

/// A file named `cluster.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterDefinition {
    pub api_version: ApiVersion,
    pub kind: DefinitionKind,
    pub metadata: DefinitionMetadata,
    pub spec: DefinitionSpec,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DefinitionKind {
    #[default]
    ClusterDefinition,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefinitionMetadata {
    pub name: ClusterName,
    /// Labels of the Cluster object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefinitionSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<FlavorWish>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// From the folder `stages/<stage>/` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Label>,
    /// From the stage where absent, else `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Label>,
    #[serde(default)]
    pub target: TargetWish,
    #[serde(default)]
    pub metal: MetalWish,
    pub kubernetes: KubernetesWish,
    #[serde(default)]
    pub network: NetworkWish,
    #[serde(default)]
    pub vip: VipWish,
    #[serde(default)]
    pub firewall: FirewallWish,
    #[serde(default)]
    pub control_plane: ControlPlaneWish,
    /// At least one.
    pub pools: Vec<PoolWish>,
    #[serde(default)]
    pub addons: AddonsWish,
    #[serde(default, skip_serializing_if = "RolloutWish::is_default")]
    pub rollout: RolloutWish,
    #[serde(default, skip_serializing_if = "DeletionWish::is_default")]
    pub deletion: DeletionWish,
    /// Changes of rendered objects, applied in this order, after those of overlays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
    /// Rendered as `Cluster.spec.paused`, and the engine leaves the cluster alone.
    #[serde(default)]
    pub paused: bool,
}

/// How far a change may go by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RolloutWish {
    /// Whether a change of a definition, policy or overlay may replace machines or the firewall; `never` for production
    /// and `always` else where absent (R1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_replacement: Option<AllowReplacement>,
}

impl RolloutWish {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AllowReplacement {
    Never,
    Always,
}

/// Removing a definition deletes nothing by itself (I9): first a commit confirms, then a later one removes the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeletionWish {
    /// `true` refuses `confirm`, for clusters that nobody should delete by a slip. Without it `confirm` is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protect: Option<bool>,
    /// The cluster's name: from then on the definition's removal deletes the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// How long network and VIP are kept for a definition that comes back; 48 hours for production and none else where
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<Seconds>,
}

impl DeletionWish {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FlavorWish {
    /// calico from Kubernetes 1.33 on, else pre-v1.33.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// Kubernetes 1.33 and newer; CNI and cloud controller manager are yours.
    #[serde(rename = "default")]
    Default,
    /// Kubernetes 1.33 and newer, with Calico and the cloud controller manager.
    #[serde(rename = "calico")]
    Calico,
    /// Kubernetes before 1.33.
    #[serde(rename = "pre-v1.33")]
    PreV133,
    /// Not built yet.
    #[serde(rename = "kamaji")]
    Kamaji,
    /// Not built yet.
    #[serde(rename = "metal3-kamaji")]
    Metal3Kamaji,
    /// Not built yet.
    #[serde(rename = "gardener-shoot")]
    GardenerShoot,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetWish {
    /// From the stage where absent. Immutable once resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_cluster: Option<Label>,
    /// From the stage where absent. Immutable once resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetalWish {
    /// From the fleet where absent. Immutable once resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// From the fleet where absent. Immutable once resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesWish {
    pub version: VersionWish,
}

/// `1.34.2`, or `1.34` for the highest supported patch that the policy offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionWish {
    Minor(u64, u64),
    Exact(crate::policy::KubernetesVersion),
}

impl VersionWish {
    pub fn parse(text: &str) -> Result<Self, crate::policy::VersionError> {
        let refused = || crate::policy::VersionError(text.to_owned());
        let bare = text.strip_prefix('v').unwrap_or(text);
        let number = |s: &str| s.parse::<u64>().ok().filter(|n| n.to_string() == s);
        match bare.split('.').collect::<Vec<_>>()[..] {
            [major, minor] => Ok(Self::Minor(number(major).ok_or_else(refused)?, number(minor).ok_or_else(refused)?)),
            _ => crate::policy::KubernetesVersion::parse(text).map(Self::Exact),
        }
    }

    pub fn admits(&self, version: &crate::policy::KubernetesVersion) -> bool {
        match self {
            Self::Minor(major, minor) => version.minor() == (*major, *minor),
            Self::Exact(exact) => exact == version,
        }
    }
}

impl std::fmt::Display for VersionWish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Minor(major, minor) => write!(f, "{major}.{minor}"),
            Self::Exact(version) => write!(f, "{version}"),
        }
    }
}

impl Serialize for VersionWish {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VersionWish {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&std::borrow::Cow::<str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for VersionWish {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VersionWish".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A full Kubernetes version, or major.minor in quotes for the highest supported patch that the policy offers.",
            "pattern": "^v?(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)(\\.(0|[1-9][0-9]*))?$",
            "examples": ["1.34", "1.34.2"],
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkWish {
    #[serde(default)]
    pub nodes: NodesWish,
    /// From the policy where absent. At most one, IPv4 (R11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<Vec<Cidr>>,
    /// From the policy where absent. At most one, IPv4 (R11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<Cidr>>,
    /// 443 where absent; feeds bind port, kube-vip, endpoint and firewall (R21).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_server_port: Option<Port>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cni: Option<CniWish>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodesWish {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SlotMode>,
    /// With mode `adopt`: the id of an existing node network of the same project and partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<NetworkId>,
    /// Prefix length; the partition's default where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u8>,
}

/// Who fills a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SlotMode {
    /// The engine allocates it, and frees it on a confirmed deletion.
    #[default]
    Allocate,
    /// A person made it; it is used and never freed.
    Adopt,
    /// The Cluster API provider allocates it.
    Delegate,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CniWish {
    /// Calico for the calico flavor where absent.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<CniKind>,
    /// Chart version; from the policy where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Merged into the chart's values (RFC 7386).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::sorted::map")]
    pub values: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CniKind {
    #[default]
    Calico,
    /// Experimental (R26).
    Cilium,
    /// Nodes stay NotReady until you install one.
    None,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VipWish {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SlotMode>,
    /// The partition's default network in the policy where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkId>,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    pub kind: Option<VipKind>,
    /// With mode `allocate`: exactly this address, or none. With mode `adopt`: the address to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "ipv4"))]
    pub address: Option<Ipv4Addr>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum VipKind {
    #[default]
    Static,
    Ephemeral,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FirewallWish {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FirewallMode>,
    /// With mode `external`: the firewall to use.
    #[serde(default, rename = "machineID", skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<MachineId>,
    /// The first one of the policy's partition where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<SizeId>,
    /// A full id, or the short form that names its newest patch. The first one of the policy's partition where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageId>,
    /// External networks; the partition's default network where absent. The node network is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<NetworkId>>,
    #[serde(default)]
    pub rules: RulesWish,
    /// Networks in which the firewall gets a static address of its own (R17).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<EgressWish>,
    /// How long it may be dead, or take to phone home, before it is replaced; 20 minutes where absent (R4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_timeout: Option<Seconds>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FirewallMode {
    /// The engine allocates it.
    #[default]
    Engine,
    /// The Cluster API provider allocates it from the MetalStackFirewallDeployment.
    Deployment,
    /// A person made it.
    External,
}

/// Rules beside the generated ones (API port in; registry, DNS, NTP and metal-api out).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RulesWish {
    /// Sets of generated rules; `base` where absent. Without `base` your own rules must let the cluster live (R21).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presets: Option<Vec<RulePreset>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<EgressRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<IngressRule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RulePreset {
    /// HTTP, HTTPS, DNS, NTP and the metal-api out; HTTP, HTTPS and the API port in.
    Base,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressWish {
    /// One of the firewall's networks.
    pub network: NetworkId,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlPlaneWish {
    /// Odd; 3 for production and 1 else where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9))]
    pub replicas: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<SizeId>,
    /// A machine image of the policy by name, or the full id of one of its versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageId>,
    /// How long a node may take to drain; 10 minutes where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_timeout: Option<Seconds>,
    /// Replaces control-plane machines that are not healthy; never where absent, and never with one replica (R22).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckWish>,
}

/// When a machine counts as unhealthy and is replaced (R22). `healthCheck: {}` takes the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheckWish {
    /// How long a machine may take to become a node; 40 minutes where absent. Installing bare metal takes its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_startup_timeout: Option<Seconds>,
    /// How long a node may be NotReady or Unknown; 15 minutes where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy_timeout: Option<Seconds>,
    /// Nothing is replaced while more machines than this are unhealthy; one or 20 percent where absent. Workers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unhealthy: Option<CountOrPercent>,
}

/// `1` or `20%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountOrPercent {
    Count(u32),
    Percent(u32),
}

impl Serialize for CountOrPercent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Percent(percent) => serializer.collect_str(&format_args!("{percent}%")),
        }
    }
}

impl<'de> Deserialize<'de> for CountOrPercent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refused = || serde::de::Error::custom("a number of machines, as `1`, or a share of them, as `20%`");
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Number(count) => {
                count.as_u64().and_then(|n| u32::try_from(n).ok()).map(Self::Count).ok_or_else(refused)
            }
            serde_json::Value::String(text) => {
                let percent = text.strip_suffix('%').and_then(|n| n.parse().ok()).filter(|n| *n <= 100);
                percent.map(Self::Percent).ok_or_else(refused)
            }
            _ => Err(refused()),
        }
    }
}

impl JsonSchema for CountOrPercent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CountOrPercent".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["integer", "string"],
            "description": "A number of machines, as `1`, or a share of them, as `20%`.",
            "minimum": 0,
            "pattern": "^(100|[1-9]?[0-9])%$",
            "examples": ["20%"],
        })
    }
}

/// A set of worker machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolWish {
    pub name: Label,
    /// 1 where absent, and not beside `min` and `max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1000))]
    pub replicas: Option<u32>,
    /// With `max`: the cluster autoscaler decides between the two (R23).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1000))]
    pub min: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<SizeId>,
    /// A machine image of the policy by name, or the full id of one of its versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageId>,
    /// Machines above `replicas` during a rollout; 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub max_surge: Option<u32>,
    /// Machines that may be missing during a rollout; 0 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub max_unavailable: Option<u32>,
    /// Labels of the nodes. A change replaces machines, but for labels that Cluster API keeps on nodes: those of
    /// `node-role.kubernetes.io`, `node-restriction.kubernetes.io` and `node.cluster.x-k8s.io`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Taints of the nodes. A change replaces machines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// How long a node may take to drain; 2 minutes where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_timeout: Option<Seconds>,
    /// Replaces machines that are not healthy; never where absent (R22).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckWish>,
}

/// Keeps pods that do not tolerate it off the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Taint {
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub effect: TaintEffect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddonsWish {
    #[serde(default)]
    pub ccm: CcmWish,
    /// Announces the addresses of services of type LoadBalancer; not installed where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metallb: Option<MetallbWish>,
    /// Helm charts beside these, each installed by a HelmChartProxy of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<ChartWish>,
    /// Manifests that are applied once the cluster is there, each set by a ClusterResourceSet of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<ManifestsWish>,
    /// Lets a change of a chart's name, release, namespace or repository uninstall it and install it anew, also for CNI
    /// and cloud controller manager (R13).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_reinstall: bool,
}

/// `metallb: {}` installs the policy's version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetallbWish {
    /// Chart version; from the policy where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Merged into the chart's values (RFC 7386).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::sorted::map")]
    pub values: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A Helm chart in the workload cluster. All but version and values stay for life (R13).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChartWish {
    /// Of the release, and after the cluster's name of the HelmChartProxy.
    pub name: Label,
    /// As `https://charts.example.com` or `oci://registry.example.com/charts`.
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    pub chart: String,
    pub version: String,
    pub namespace: Namespace,
    /// No secrets: they are rendered into Git. Reference a Secret by `addons.manifests[].secretRefs`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::sorted::map")]
    pub values: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Objects for the workload cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManifestsWish {
    pub name: Label,
    /// Whole Kubernetes objects; no Secrets, which are referenced.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "crate::sorted::maps")]
    pub objects: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Secrets of the cluster's namespace in the management cluster, of type `addons.cluster.x-k8s.io/resource-set`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret_refs: Vec<SecretName>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CcmWish {
    /// True for the calico flavor where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Image tag; from the policy where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The external network of services that name none; the first of the firewall's networks where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_external_network: Option<NetworkId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_wish_is_a_minor_or_a_patch() {
        assert_eq!(VersionWish::parse("1.34").unwrap(), VersionWish::Minor(1, 34));
        assert_eq!(VersionWish::parse("v1.34.2").unwrap().to_string(), "1.34.2");
        for bad in ["", "1", "1.034", "1.34.2-rc.1", "1.34.2.3", "latest"] {
            assert!(VersionWish::parse(bad).is_err(), "{bad}");
        }
    }
}
