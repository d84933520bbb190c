//! What the tree says: every cluster with its effective settings, its lock, and what stops it.

use crate::definition::{
    AllowReplacement, ChartWish, CountOrPercent, FirewallMode, ManifestsWish, SlotMode, Taint, VersionWish, VipKind,
};
use crate::fleet::{GitOpsTool, ProviderKind, Purpose};
use crate::ids::Label;
use crate::lock::{ClusterTombstone, Identity};
use crate::patch::PatchTarget;
use crate::policy::{ImagePolicy, KubernetesVersion};
use crate::rules::{EgressRule, IngressRule, Port, RuleComment};
use crate::{
    Cidr, ClusterId, ClusterLock, ClusterName, Digest, Fleet, ImageId, MachineId, NetworkId, Patch, ProjectId, Reason,
    Seconds, SizeId,
};
use serde::{Serialize, Serializer};
use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

/// Everything one tree says.
#[derive(Clone, Debug, Default)]
pub struct Want {
    /// None when `fleet.yaml` is missing or broken: then nothing is done.
    pub fleet: Option<Arc<Fleet>>,
    /// `fleet.yaml` has an error: what it alone decides stays as it is.
    pub fleet_is_refused: bool,
    /// Readable definitions, by id.
    pub clusters: BTreeMap<ClusterId, Wanted>,
    /// Locks whose definition is gone or cannot be read; their values stay reserved, nothing is freed (I9).
    pub orphan_locks: BTreeMap<ClusterId, OrphanLock>,
    /// What deleted clusters keep for a while, with the path of the document.
    pub tombstones: BTreeMap<ClusterId, (String, Arc<ClusterTombstone>)>,
    /// What may be a definition and is none of `clusters`.
    pub unresolved: Unresolved,
}

/// Definitions that are there, or may be, and cannot be read or resolved. What lock, tombstone or tags know of such a
/// cluster is not taken for a removed one's (I9).
#[derive(Clone, Debug, Default)]
pub struct Unresolved {
    /// Of clusters whose id is certain, with their paths.
    pub ids: BTreeMap<ClusterId, String>,
    /// Of clusters of which only the name is, with their paths.
    pub names: BTreeMap<String, String>,
    /// Why there may be one for any cluster.
    pub any: Option<String>,
}

impl Unresolved {
    /// The definition that names this cluster.
    pub fn naming(&self, id: &ClusterId) -> Option<&str> {
        self.ids.get(id).or_else(|| self.names.get(id.name().as_str())).map(String::as_str)
    }

    /// Why it is not certain that this cluster has no definition.
    pub fn of(&self, id: &ClusterId) -> Option<String> {
        let named = self.naming(id).map(|path| format!("{path} is or may be its definition, and cannot be resolved"));
        named.or_else(|| self.any.clone())
    }
}

impl Want {
    /// The projects of the fleet (R16), which are the ones that are read.
    pub fn projects(&self) -> Vec<ProjectId> {
        self.fleet.iter().flat_map(|f| f.spec.metal.projects.iter().map(|p| p.id.clone())).collect()
    }
}

/// A lock without a readable definition.
#[derive(Clone, Debug)]
pub struct OrphanLock {
    pub path: String,
    pub lock: Arc<ClusterLock>,
    /// True when no definition names the cluster any more; false when one is there and broken.
    pub removed: bool,
}

/// One cluster as people want it.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub id: ClusterId,
    /// The definition's path.
    pub path: String,
    /// Where the lock belongs: beside the definition.
    pub lock_path: String,
    pub identity: Identity,
    pub effective: Arc<Effective>,
    /// Of the effective fields that people wrote; what the lock's `source.digest` records.
    pub digest: Digest,
    /// The lock of this identity, wherever it lay.
    pub lock: Option<Arc<ClusterLock>>,
    /// Where that lock lay, when not at `lock_path`: the definition was moved, the lock follows.
    pub lock_found_at: Option<String>,
    /// The digests of the inputs that the committed output was made from, where they are not the lock's: the output lies
    /// elsewhere, and what the lock says of it did not arrive there yet.
    pub committed_inputs: Option<BTreeMap<String, Digest>>,
    /// What stops it: nothing is allocated or written for it.
    pub blocked: Option<Blocked>,
}

impl Wanted {
    /// `rendered/<management cluster>/<namespace>/<name>`.
    pub fn output_dir(&self) -> String {
        self.identity.output_dir()
    }
}

/// Why a cluster is not acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    pub reason: Reason,
    pub message: String,
}

/// Which document an effective value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    Definition,
    Overlay,
    Stage,
    Policy,
    Fleet,
    /// The folder `stages/<stage>/`.
    Folder,
    /// A constant of this binary; never part of a digest (R1).
    BuiltIn,
}

/// A value and where it comes from. Serializes as its value, or as null when built in: that is what digests see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    pub value: T,
    pub from: Origin,
}

impl<T> Setting<T> {
    pub fn new(value: T, from: Origin) -> Self {
        Self { value, from }
    }

    pub fn built_in(value: T) -> Self {
        Self { value, from: Origin::BuiltIn }
    }

    pub fn is_built_in(&self) -> bool {
        self.from == Origin::BuiltIn
    }
}

impl<T: Serialize> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.from {
            Origin::BuiltIn => serializer.serialize_none(),
            _ => self.value.serialize(serializer),
        }
    }
}

/// The flavors that are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Flavor {
    Default,
    Calico,
    PreV133,
}

/// A definition with every default filled in. Its digest covers what people wrote, and only that.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effective {
    pub flavor: Setting<Flavor>,
    pub purpose: Setting<Purpose>,
    /// Not digested: moving a definition between stages matters only by the values the stage sets.
    #[serde(skip)]
    pub stage: Label,
    #[serde(skip)]
    pub policy: Label,
    pub provider: Setting<ProviderKind>,
    pub labels: BTreeMap<String, String>,
    pub kubernetes: VersionWish,
    /// Sticky: the lock's while the wish admits it, else the highest supported patch of the policy.
    #[serde(skip)]
    pub version: KubernetesVersion,
    pub nodes: NodesSpec,
    pub pods: Setting<Cidr>,
    pub services: Setting<Cidr>,
    /// One value feeds bind port, kube-vip, endpoint and ingress (R21).
    pub api_port: Setting<Port>,
    /// Where the CNI is ours to install.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cni: Option<CniSpec>,
    pub vip: VipSpec,
    pub firewall: FirewallSpec,
    pub control_plane: MachineSpec,
    #[serde(skip_serializing_if = "Setting::is_built_in")]
    pub control_plane_drain: Setting<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane_health: Option<HealthCheckSpec>,
    pub pools: Vec<PoolSpec>,
    /// None where the cloud controller manager is not ours to install.
    pub ccm: Option<CcmSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metallb: Option<MetallbSpec>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<ChartWish>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<ManifestsWish>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_reinstall: bool,
    /// The policy's.
    #[serde(skip_serializing_if = "ImagePolicy::is_default")]
    pub images: ImagePolicy,
    /// Of overlays in their order, then the definition's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<SourcedPatch>,
    /// What applies the output; it decides nothing but annotations.
    #[serde(skip)]
    pub gitops: GitOpsTool,
    pub node_api_url: Option<String>,
    pub paused: bool,
    #[serde(skip_serializing_if = "Setting::is_built_in")]
    pub allow_replacement: Setting<AllowReplacement>,
    /// Only what the lock does not record with the deletion itself.
    #[serde(skip)]
    pub deletion: DeletionSpec,
}

/// What people said of its deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionSpec {
    /// `deletion.confirm` names this cluster, and nothing protects it.
    pub is_confirmed: bool,
    pub grace_period: Setting<Seconds>,
}

/// A patch and where it is written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourcedPatch {
    /// The path of the definition or overlay. Not digested: a moved file changes nothing.
    #[serde(skip)]
    pub file: String,
    /// As `spec.patches[0]`.
    #[serde(skip)]
    pub field: String,
    #[serde(flatten)]
    pub patch: Patch,
}

/// The CNI that is installed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CniSpec {
    pub kind: InstalledCni,
    /// Chart version.
    pub version: Setting<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum InstalledCni {
    Calico,
    Cilium,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetallbSpec {
    /// Chart version.
    pub version: Setting<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<serde_json::Map<String, serde_json::Value>>,
}

/// R22's numbers where a definition leaves them out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthCheckSpec {
    pub node_startup_timeout: Setting<Seconds>,
    pub unhealthy_timeout: Setting<Seconds>,
    /// None: one, or 20 percent.
    pub max_unhealthy: Option<CountOrPercent>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodesSpec {
    pub mode: Setting<SlotMode>,
    /// With mode adopt.
    pub id: Option<NetworkId>,
    pub length: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VipSpec {
    pub mode: Setting<SlotMode>,
    pub network: Setting<NetworkId>,
    pub kind: Setting<VipKind>,
    /// Exactly this one (allocate), or the one to use (adopt).
    pub address: Option<Ipv4Addr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirewallSpec {
    pub mode: Setting<FirewallMode>,
    /// With mode external.
    pub machine: Option<MachineId>,
    pub size: Setting<SizeId>,
    /// As written: a short form resolves to its newest patch when the firewall is allocated.
    pub image: Setting<ImageId>,
    /// External networks, without the node network.
    pub networks: Setting<Vec<NetworkId>>,
    /// Whether the generated base rules are among the rules.
    pub base_rules: Setting<bool>,
    pub written_egress: Vec<EgressRule>,
    pub written_ingress: Vec<IngressRule>,
    /// Of the metal-api as nodes see it.
    pub node_api_cidrs: Vec<Cidr>,
    pub node_api_port: Option<u16>,
    /// Networks in which it has a static address of its own (R17).
    pub egress: Vec<NetworkId>,
    /// Not digested: it changes nothing in the firewall.
    #[serde(skip)]
    pub health_timeout: Setting<Seconds>,
}

/// Rules as they are sent and rendered: generated ones first, then what people wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    pub egress: Vec<EgressRule>,
    pub ingress: Vec<IngressRule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MachineSpec {
    pub replicas: Setting<u32>,
    pub size: Setting<SizeId>,
    pub image: ImageSpec,
    /// Machines of this size that the policy wants to stay free in the partition; what a plan reports and no more.
    #[serde(skip)]
    pub reserve: u32,
}

/// A machine image as chosen from the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageSpec {
    /// What the definition names, or the policy's first image.
    pub wish: Setting<ImageId>,
    /// The metal-api id for the cluster's Kubernetes version.
    #[serde(skip)]
    pub id: ImageId,
    /// The kube-vip version that the image holds (R24).
    pub kube_vip: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolSpec {
    pub name: Label,
    #[serde(flatten)]
    pub machines: MachineSpec,
    /// Machines between these two, as the cluster autoscaler decides; `machines.replicas` is not rendered then (R23).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscale: Option<Autoscale>,
    pub max_surge: Setting<u32>,
    pub max_unavailable: Setting<u32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    #[serde(skip_serializing_if = "Setting::is_built_in")]
    pub drain: Setting<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheckSpec>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Autoscale {
    pub min: u32,
    pub max: u32,
}

impl PoolSpec {
    /// The most machines it has, rollouts aside.
    pub fn most(&self) -> u32 {
        self.autoscale.map_or(self.machines.replicas.value, |scale| scale.max)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CcmSpec {
    /// Image tag of metal-ccm.
    pub version: Setting<String>,
    pub credentials_ref: Label,
    /// The external network of services that name none; the first of the firewall's where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_external_network: Option<NetworkId>,
}

impl FirewallSpec {
    /// The effective rules (R21).
    pub fn rules(&self, api_port: Port) -> RuleSet {
        let mut rules = if self.base_rules.value { self.base(api_port) } else { RuleSet::default() };
        rules.egress.extend(self.written_egress.iter().cloned());
        rules.ingress.extend(self.written_ingress.iter().cloned());
        rules
    }

    fn base(&self, api_port: Port) -> RuleSet {
        use crate::rules::Protocol::{Tcp, Udp};
        let anywhere = || vec![Cidr::from(ipnet::IpNet::V4(ipnet::Ipv4Net::default()))];
        let egress = |comment, ports: &[u16], protocol| EgressRule {
            comment: comment_of(comment),
            ports: ports.iter().filter_map(|p| Port::new(*p)).collect(),
            protocol,
            to: anywhere(),
        };
        let mut out = vec![
            egress("allow outgoing HTTP and HTTPS traffic", &[80, 443], Tcp),
            egress("allow outgoing DNS traffic via TCP", &[53], Tcp),
            egress("allow outgoing DNS and NTP traffic via UDP", &[53, 123], Udp),
        ];
        if let (Some(port), false) = (self.node_api_port.and_then(Port::new), self.node_api_cidrs.is_empty()) {
            out.push(EgressRule {
                comment: comment_of("allow outgoing traffic to the metal-api"),
                ports: vec![port],
                protocol: Tcp,
                to: self.node_api_cidrs.clone(),
            });
        }
        let mut inward = vec![80, 443];
        if !inward.contains(&api_port.get()) {
            inward.push(api_port.get());
        }
        let ingress = IngressRule {
            comment: comment_of("allow incoming HTTP and HTTPS traffic"),
            ports: inward.into_iter().filter_map(Port::new).collect(),
            protocol: Tcp,
            from: anywhere(),
            to: Vec::new(),
        };
        RuleSet { egress: out, ingress: vec![ingress] }
    }
}

fn comment_of(text: &str) -> Option<RuleComment> {
    RuleComment::parse(text).ok()
}

/// What an image id says of its version, where it says one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageVersion {
    pub os: String,
    /// Major, minor, patch.
    pub version: (u64, u64, u64),
}

impl ImageVersion {
    /// Whether metal-api, asked for this one, may answer with `other`: exactly, or the patches of its minor for a patch
    /// of 0 (R24).
    pub fn admits(&self, other: &Self) -> bool {
        let (major, minor, patch) = self.version;
        let minor_fits = self.os == other.os && (major, minor) == (other.version.0, other.version.1);
        minor_fits && (patch == 0 || patch == other.version.2)
    }
}

/// `<os>-<major>[.<minor>[.<patch>]]`; leading zeros are tolerated, as metal-api does.
pub fn image_version(id: &ImageId) -> Option<ImageVersion> {
    let (os, version) = id.as_str().rsplit_once('-')?;
    let mut parts = version.split('.').map(|p| p.parse::<u64>().ok());
    let version = (parts.next()??, parts.next().unwrap_or(Some(0))?, parts.next().unwrap_or(Some(0))?);
    parts.next().is_none().then(|| ImageVersion { os: os.to_owned(), version })
}

/// The places of an object that replace machines, or a firewall, when they change (R1).
pub fn machine_affecting(kind: &str) -> &'static [&'static str] {
    match kind {
        "Cluster" => &["/spec/clusterNetwork/pods", "/spec/clusterNetwork/services"],
        "MetalStackFirewallTemplate" => &["/spec/size", "/spec/networks", "/spec/initialRuleSet"],
        "KubeadmControlPlane" => &[
            "/spec/kubeadmConfigSpec",
            "/spec/version",
            "/spec/machineTemplate/spec/infrastructureRef",
            "/spec/rollout/after",
            "/spec/rollout/before",
        ],
        // All of the template but what Cluster API changes in place (deletion, taints, readiness).
        "MachineDeployment" => &[
            "/spec/template/spec/version",
            "/spec/template/spec/infrastructureRef",
            "/spec/template/spec/bootstrap",
            "/spec/template/spec/failureDomain",
            "/spec/template/spec/providerID",
            "/spec/rollout/after",
        ],
        "MetalStackMachineTemplate" | "KubeadmConfigTemplate" => &["/spec"],
        _ => &[],
    }
}

/// Whether Cluster API keeps a label of a machine on its node. Such a label may change on running machines; any other one
/// stands in the bootstrap configuration, and a change replaces machines.
pub fn is_synced_label(key: &str) -> bool {
    let domain = key.split('/').next().unwrap_or_default();
    let is_of = |name: &str| domain == name || domain.strip_suffix(name).is_some_and(|above| above.ends_with('.'));
    domain == "node-role.kubernetes.io" || is_of("node-restriction.kubernetes.io") || is_of("node.cluster.x-k8s.io")
}

/// The container image of the VIP's static pod, before any rewriting.
pub fn kube_vip_image(version: &str) -> String {
    format!("ghcr.io/kube-vip/kube-vip:{version}")
}

/// The digest of what a firewall of the engine is made from: another one means another firewall.
pub fn firewall_inputs(effective: &Effective) -> Digest {
    Digest::of(&(&effective.firewall, &effective.api_port))
}

/// Lists up to this length are compared in every order; what is longer, as it is written.
const ORDERED_MAX: usize = 3;

/// Whether these inputs are the ones that are wanted, be it in other words: a default that is written out or left out, or
/// networks in another order. That is no reason for another firewall.
pub fn is_firewall_of(effective: &Effective, inputs: &Digest) -> bool {
    let same = |(firewall, port): Worded| Digest::of(&(&firewall, &port)) == *inputs;
    firewall_inputs(effective) == *inputs || firewall_words(effective).any(same)
}

/// Whether a lock's `rendered` says of an object (a key of `input_digests`) what is wanted now, be it in other words.
pub fn is_rendered_from(
    cluster: &ClusterName,
    effective: &Effective,
    values: &crate::lock::Values,
    object: &str,
    rendered: &Digest,
) -> bool {
    let is = |effective: &Effective| input_digests(cluster, effective, values).get(object) == Some(rendered);
    let mut other_words =
        firewall_words(effective).map(|(firewall, api_port)| Effective { firewall, api_port, ..effective.clone() });
    is(effective) || other_words.any(|effective| is(&effective))
}

/// What a firewall's digest is of.
type Worded = (FirewallSpec, Setting<Port>);

/// The same firewall in all the words for it that a digest tells apart.
fn firewall_words(effective: &Effective) -> impl Iterator<Item = Worded> {
    let Effective { firewall, api_port, .. } = effective;
    let mut all = vec![(firewall.clone(), api_port.clone())];
    let mut vary = |by: &dyn Fn(&Worded) -> Vec<Worded>| {
        all = all.iter().flat_map(by).collect();
    };
    vary(&|(spec, port)| {
        let modes = words(&spec.mode, &FirewallMode::default());
        modes.map(|mode| (FirewallSpec { mode, ..spec.clone() }, port.clone())).collect()
    });
    vary(&|(spec, port)| {
        let presets = words(&spec.base_rules, &true);
        presets.map(|base_rules| (FirewallSpec { base_rules, ..spec.clone() }, port.clone())).collect()
    });
    vary(&|(spec, port)| words(port, &Port::API).map(|port| (spec.clone(), port)).collect());
    vary(&|(spec, port)| {
        let networks = orders(&spec.networks.value).into_iter().map(|value| Setting::new(value, spec.networks.from));
        networks.map(|networks| (FirewallSpec { networks, ..spec.clone() }, port.clone())).collect()
    });
    vary(&|(spec, port)| {
        let egress = orders(&spec.egress).into_iter();
        egress.map(|egress| (FirewallSpec { egress, ..spec.clone() }, port.clone())).collect()
    });
    all.into_iter()
}

/// As it is, and where it is the default also written out and left out.
fn words<T: Clone + PartialEq>(setting: &Setting<T>, default: &T) -> impl Iterator<Item = Setting<T>> + use<T> {
    let froms = if setting.value == *default { vec![Origin::BuiltIn, Origin::Definition] } else { vec![setting.from] };
    let value = setting.value.clone();
    froms.into_iter().map(move |from| Setting::new(value.clone(), from))
}

fn orders<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    if list.len() <= 1 || list.len() > ORDERED_MAX {
        return vec![list.to_vec()];
    }
    let first = |n: usize| {
        let mut rest = list.to_vec();
        let one = rest.remove(n);
        orders(&rest).into_iter().map(move |rest| std::iter::once(one.clone()).chain(rest).collect())
    };
    (0..list.len()).flat_map(first).collect()
}

/// The digests of the input fields of each machine-affecting object (R1): what people wrote and the lock's values that
/// feed it, never a constant of this binary. Keys: `clusterNetwork`, `controlPlane`, `firewall`, `pool.<name>`.
pub fn input_digests(
    cluster: &ClusterName,
    effective: &Effective,
    values: &crate::lock::Values,
) -> BTreeMap<String, Digest> {
    let Effective {
        flavor: _,
        purpose: _,
        stage: _,
        policy: _,
        provider: _,
        labels: _,
        kubernetes: _,
        version,
        nodes: _,
        pods,
        services,
        api_port,
        cni: _,
        vip: _,
        firewall: _,
        control_plane,
        control_plane_drain: _,
        control_plane_health: _,
        pools,
        ccm: _,
        metallb: _,
        charts: _,
        manifests: _,
        allow_reinstall: _,
        images,
        patches,
        gitops: _,
        node_api_url: _,
        paused: _,
        allow_replacement: _,
        deletion: _,
    } = effective;
    let version = version.to_string();
    let vip = values.vip.as_ref().map(|v| v.address);
    let changes = |kinds: &[&str], name: &str| -> Vec<serde_json::Value> {
        let of_kind = |p: &SourcedPatch| kinds.contains(&p.patch.target.kind.as_str());
        let touching = |p: &SourcedPatch| {
            let PatchTarget { api_version: _, kind, name: _ } = &p.patch.target;
            let named = PatchTarget { api_version: None, ..p.patch.target.clone() }.matches("", kind, name);
            if named { p.patch.touching(machine_affecting(kind)) } else { Vec::new() }
        };
        patches.iter().filter(|p| of_kind(p)).flat_map(touching).collect()
    };
    let mut digests = BTreeMap::new();
    let mut put = |key: String, digest: Digest, further: Vec<serde_json::Value>| {
        // What nobody uses leaves the digests of older locks as they are.
        let digest = if further.is_empty() { digest } else { Digest::of(&(digest, further)) };
        digests.insert(key, digest);
    };

    put("clusterNetwork".to_owned(), Digest::of(&(pods, services)), changes(&["Cluster"], cluster.as_str()));

    let MachineSpec { replicas: _, size, image, reserve: _ } = control_plane;
    let digest = Digest::of(&(&version, api_port, vip, size, &image.id, &image.kube_vip));
    let kinds = ["KubeadmControlPlane", "MetalStackMachineTemplate"];
    let mut further = changes(&kinds, &format!("{cluster}-control-plane"));
    further.extend(images.rewritten(&kube_vip_image(&image.kube_vip)).map(serde_json::Value::from));
    put("controlPlane".to_owned(), digest, further);

    let further = changes(&["MetalStackFirewallTemplate"], cluster.as_str());
    put("firewall".to_owned(), firewall_inputs(effective), further);

    for pool in pools {
        let PoolSpec {
            name,
            machines,
            autoscale: _,
            max_surge: _,
            max_unavailable: _,
            labels,
            taints,
            drain: _,
            health: _,
        } = pool;
        let MachineSpec { replicas: _, size, image, reserve: _ } = machines;
        let kinds = ["MachineDeployment", "MetalStackMachineTemplate", "KubeadmConfigTemplate"];
        let mut further = changes(&kinds, &format!("{cluster}-{name}"));
        let bootstrapped: BTreeMap<_, _> = labels.iter().filter(|(key, _)| !is_synced_label(key)).collect();
        if !bootstrapped.is_empty() || !taints.is_empty() {
            further.push(serde_json::json!([bootstrapped, taints]));
        }
        put(format!("pool.{name}"), Digest::of(&(&version, size, &image.id)), further);
    }
    digests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str) -> Option<(u64, u64, u64)> {
        image_version(&ImageId::parse(id).unwrap()).map(|v| v.version)
    }

    #[test]
    fn labels_that_cluster_api_keeps_on_nodes() {
        for synced in [
            "node-role.kubernetes.io/worker",
            "node-restriction.kubernetes.io/zone",
            "example.com.node-restriction.kubernetes.io/x",
            "node.cluster.x-k8s.io/pool",
            "a.node.cluster.x-k8s.io/x",
        ] {
            assert!(is_synced_label(synced), "{synced}");
        }
        for other in ["team", "example.com/team", "xnode.cluster.x-k8s.io/a", "sub.node-role.kubernetes.io/x"] {
            assert!(!is_synced_label(other), "{other}");
        }
    }

    #[test]
    fn r24_an_image_with_patch_zero_names_its_newest_patch() {
        assert_eq!(version("firewall-ubuntu-3.0.20251101"), Some((3, 0, 20_251_101)));
        assert_eq!(version("firewall-ubuntu-3.0"), Some((3, 0, 0)));
        assert_eq!(version("ubuntu-24.04"), Some((24, 4, 0)));
        assert_eq!(version("plain"), None);
        assert_eq!(version("capms-ubuntu"), None);
        let of = |id| image_version(&ImageId::parse(id).unwrap()).unwrap();
        assert!(of("firewall-ubuntu-3.0").admits(&of("firewall-ubuntu-3.0.20251101")));
        assert!(!of("firewall-ubuntu-3.0.20251001").admits(&of("firewall-ubuntu-3.0.20251101")));
        assert!(!of("ubuntu-3.0").admits(&of("firewall-ubuntu-3.0.20251101")));
    }
}
