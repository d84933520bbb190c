//! What the tree says: every cluster with its effective settings, its lock, and what stops it.

use crate::definition::{FirewallMode, SlotMode, VersionWish, VipKind};
use crate::fleet::{ProviderKind, Purpose};
use crate::ids::Label;
use crate::lock::Identity;
use crate::policy::KubernetesVersion;
use crate::rules::{EgressRule, IngressRule, Port, RuleComment};
use crate::{Cidr, ClusterId, ClusterLock, Digest, Fleet, ImageId, MachineId, NetworkId, ProjectId, Reason, SizeId};
use serde::{Serialize, Serializer};
use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

/// Everything one tree says.
#[derive(Clone, Debug, Default)]
pub struct Want {
    /// None when `fleet.yaml` is missing or broken: then nothing is done.
    pub fleet: Option<Arc<Fleet>>,
    /// Readable definitions, by id.
    pub clusters: BTreeMap<ClusterId, Wanted>,
    /// Locks whose definition is gone or cannot be read; their values stay reserved, nothing is freed (I9).
    pub orphan_locks: BTreeMap<ClusterId, OrphanLock>,
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
    /// What stops it: nothing is allocated or written for it.
    pub blocked: Option<Blocked>,
}

impl Wanted {
    /// `rendered/<management cluster>/<namespace>/<name>`.
    pub fn output_dir(&self) -> String {
        format!("rendered/{}/{}/{}", self.identity.management_cluster, self.id.namespace(), self.id.name())
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
    /// Chart version of the tigera-operator, where Calico is ours to install.
    pub calico: Option<Setting<String>>,
    pub vip: VipSpec,
    pub firewall: FirewallSpec,
    pub control_plane: MachineSpec,
    pub pools: Vec<PoolSpec>,
    /// None where the cloud controller manager is not ours to install.
    pub ccm: Option<CcmSpec>,
    pub node_api_url: Option<String>,
    pub paused: bool,
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
    pub max_surge: Setting<u32>,
    pub max_unavailable: Setting<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CcmSpec {
    /// Image tag of metal-ccm.
    pub version: Setting<String>,
    pub credentials_ref: Label,
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

/// The digests of the input fields of each machine-affecting object (R1): what people wrote and the lock's values that
/// feed it, never a constant of this binary. Keys: `clusterNetwork`, `controlPlane`, `firewall`, `pool.<name>`.
pub fn input_digests(effective: &Effective, values: &crate::lock::Values) -> BTreeMap<String, Digest> {
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
        calico: _,
        vip: _,
        firewall,
        control_plane,
        pools,
        ccm: _,
        node_api_url: _,
        paused: _,
    } = effective;
    let version = version.to_string();
    let vip = values.vip.as_ref().map(|v| v.address);
    let MachineSpec { replicas: _, size, image } = control_plane;
    let mut digests = BTreeMap::new();
    let control_plane = Digest::of(&(&version, api_port, vip, size, &image.id, &image.kube_vip));
    digests.insert("clusterNetwork".to_owned(), Digest::of(&(pods, services)));
    digests.insert("controlPlane".to_owned(), control_plane);
    digests.insert("firewall".to_owned(), Digest::of(&(firewall, api_port)));
    for PoolSpec { name, machines, max_surge: _, max_unavailable: _ } in pools {
        let MachineSpec { replicas: _, size, image } = machines;
        digests.insert(format!("pool.{name}"), Digest::of(&(&version, size, &image.id)));
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
