//! What metal-api has, in our words: v1 field names stay in the client. `Have` is one reading of it.

use crate::{
    AddressFamily, Allocation, Cidr, ImageId, MachineId, NetworkId, PartitionId, ProjectId, SizeId, Tags, Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    sync::Arc,
};

/// A network of any kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    pub id: NetworkId,
    pub name: String,
    pub kind: NetworkKind,
    /// None for shared external networks.
    pub project: Option<ProjectId>,
    pub partition: Option<PartitionId>,
    pub parent: Option<NetworkId>,
    pub prefixes: Vec<Cidr>,
    pub destination_prefixes: Vec<Cidr>,
    /// Of a super network: what its partition announces beyond node prefixes (R10).
    pub announceable: Vec<Cidr>,
    pub labels: Tags,
    pub created: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    External,
    Underlay,
    /// One per partition; node networks are its children.
    Super,
    /// A node network.
    Child,
    ChildShared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpKind {
    Static,
    Ephemeral,
}

/// An address.
#[derive(Clone, Debug, PartialEq)]
pub struct Ip {
    pub address: IpAddr,
    /// Changes when the address is freed and allocated again.
    pub allocation: Allocation,
    pub network: NetworkId,
    pub project: ProjectId,
    pub kind: IpKind,
    pub name: String,
    pub tags: Tags,
    pub created: Option<Timestamp>,
}

/// An allocated machine or firewall (free machines are never read).
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    pub id: MachineId,
    pub allocation: Allocation,
    pub project: ProjectId,
    pub partition: PartitionId,
    pub size: SizeId,
    /// The full id, resolved by metal-api.
    pub image: ImageId,
    pub role: MachineRole,
    pub hostname: String,
    /// `""` where metal-api knows none.
    pub rack: String,
    pub state: MachineState,
    /// What a person wrote with the state.
    pub state_description: String,
    pub tags: Tags,
    /// When it was allocated, by metal-api's clock.
    pub created: Option<Timestamp>,
    pub networks: Vec<MachineNetwork>,
    pub alive: bool,
    pub crash_loop: bool,
    /// The system of its former allocation went on after it was freed.
    pub failed_reclaim: bool,
    /// Phoned home since it was last installed.
    pub phoned_home: bool,
    /// Of the primary private network.
    pub asn: Option<i64>,
    /// The newest of the log.
    pub last_event: Option<MachineEvent>,
}

/// What a person or an operator said of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineState {
    Available,
    /// Set aside; also any state that a newer metal-api may have.
    Reserved,
    /// It cannot be freed.
    Locked,
}

/// What a machine last reported, in metal-api's words: `Phoned Home`, `Installing`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineEvent {
    pub event: String,
    pub time: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineRole {
    Machine,
    Firewall,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MachineNetwork {
    pub network: NetworkId,
    pub kind: MachineNetworkKind,
    pub ips: Vec<IpAddr>,
}

/// What a network is to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineNetworkKind {
    PrivatePrimaryUnshared,
    PrivatePrimaryShared,
    PrivateSecondaryShared,
    External,
    Underlay,
    /// One of a newer metal-api.
    Other,
}

impl MachineNetworkKind {
    /// Whether the machine's own addresses and ASN are of this network.
    pub fn is_primary(self) -> bool {
        matches!(self, Self::PrivatePrimaryUnshared | Self::PrivatePrimaryShared)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pub id: ImageId,
    pub expires: Option<Timestamp>,
    pub for_machines: bool,
    pub for_firewalls: bool,
}

/// What a machine of a size has at least, where the size says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeDetail {
    pub id: SizeId,
    pub cpu_cores: Option<u64>,
    pub memory_bytes: Option<u64>,
}

/// Machines of one size in one partition, as one project may use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    pub partition: PartitionId,
    pub size: SizeId,
    pub total: u32,
    pub allocated: u32,
    /// What the asking project can allocate now: reservations of others are taken off.
    pub free: u32,
}

/// What is asked of `network/allocate`.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkRequest {
    pub project: ProjectId,
    pub partition: PartitionId,
    pub name: String,
    pub description: String,
    /// Always sent (R11).
    pub family: AddressFamily,
    /// None: the super network's default.
    pub length: Option<u8>,
    pub labels: Tags,
}

/// What is asked of `ip/allocate`.
#[derive(Clone, Debug, PartialEq)]
pub struct IpRequest {
    pub project: ProjectId,
    pub network: NetworkId,
    /// A given address is the API's own compare-and-swap: 409 when it is taken.
    pub address: Option<IpAddr>,
    /// Always sent (R11), save with a given address.
    pub family: AddressFamily,
    pub kind: IpKind,
    pub name: String,
    pub description: String,
    pub tags: Tags,
}

/// What is asked of `POST /v1/ip`.
#[derive(Clone, Debug, PartialEq)]
pub struct IpUpdate {
    pub address: IpAddr,
    /// None: as it is. Static never becomes ephemeral again.
    pub kind: Option<IpKind>,
    /// None: as they are. Otherwise they are all of its tags: what is not among them is gone.
    pub tags: Option<Tags>,
}

/// What is asked of `machine/allocate`.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineRequest {
    pub project: ProjectId,
    pub partition: PartitionId,
    pub name: String,
    pub hostname: String,
    pub description: String,
    pub size: SizeId,
    pub image: ImageId,
    pub networks: Vec<RequestNetwork>,
    /// Addresses that it gets instead of free ones.
    pub ips: Vec<IpAddr>,
    pub ssh_public_keys: Vec<String>,
    pub user_data: Option<UserData>,
    pub tags: Tags,
    /// Machines with one of them are kept apart by rack.
    pub placement_tags: Vec<String>,
    /// A given machine.
    pub uuid: Option<MachineId>,
    /// None: the one that fits size and image.
    pub filesystem_layout: Option<String>,
    /// Empty: the partition's.
    pub dns_servers: Vec<IpAddr>,
    /// Empty: the partition's. Names or addresses.
    pub ntp_servers: Vec<String>,
}

/// What a machine runs at its first boot. It holds bootstrap tokens and keys: never shown (I7).
#[derive(Clone, PartialEq, Eq)]
pub struct UserData(Arc<[u8]>);

impl UserData {
    pub fn new(data: impl Into<Arc<[u8]>>) -> Self {
        Self(data.into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserData({} bytes)", self.0.len())
    }
}

/// What is asked of `firewall/allocate`.
#[derive(Clone, Debug, PartialEq)]
pub struct FirewallRequest {
    pub project: ProjectId,
    pub partition: PartitionId,
    pub name: String,
    pub hostname: String,
    pub description: String,
    pub size: SizeId,
    pub image: ImageId,
    /// The node network is among them.
    pub networks: Vec<RequestNetwork>,
    /// Addresses of its own, given (R17).
    pub ips: Vec<IpAddr>,
    pub egress: Vec<crate::rules::EgressRule>,
    pub ingress: Vec<crate::rules::IngressRule>,
    pub ssh_public_keys: Vec<String>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RequestNetwork {
    pub network: NetworkId,
    /// False where `ips` holds the address for this network.
    pub autoacquire: bool,
}

/// One reading of metal-api: projects by list, once per kind.
#[derive(Clone, Debug, Default)]
pub struct Have {
    /// When it was read; by our clock.
    pub read_at: Option<Timestamp>,
    /// What metal-api's own clock said (the `Date` of an answer), where it said so.
    pub server_time: Option<Timestamp>,
    pub projects: BTreeMap<ProjectId, HaveProject>,
    /// Networks without a project: external, super, underlay.
    pub shared_networks: BTreeMap<NetworkId, Network>,
    pub partitions: BTreeSet<PartitionId>,
    pub sizes: BTreeSet<SizeId>,
    pub images: Vec<Image>,
    /// What could not be read; nothing is concluded from its absence (R15).
    pub gaps: Vec<Gap>,
}

/// What one project has.
#[derive(Clone, Debug, Default)]
pub struct HaveProject {
    pub networks: Vec<Network>,
    pub ips: Vec<Ip>,
    pub firewalls: Vec<Machine>,
    /// Machines that are no firewalls.
    pub machines: Vec<Machine>,
    /// Of every partition and size that has machines; None where it was not read.
    pub capacity: Option<Vec<Capacity>>,
}

/// A part of metal-api that did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// None: what is shared by all projects.
    pub project: Option<ProjectId>,
    /// The list that failed: `networks`, `ips`, `firewalls`, `machines`, `images`, `partitions`, `sizes`, `project`, or
    /// [`Gap::CAPACITY`].
    pub kind: &'static str,
    pub why: GapReason,
    /// The server's or the transport's words.
    pub message: String,
}

impl Gap {
    /// How many machines are free is told and decides nothing: without it everything else goes on.
    pub const CAPACITY: &'static str = "capacity";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// No answer in time, or no connection.
    Unreachable,
    /// 403: credentials, clock, or role.
    Denied,
    /// The project or partition is not known to metal-api (R15).
    Unknown,
    /// Any other answer.
    Failed,
}

impl Have {
    /// Whether everything a cluster of this project is planned from was read.
    pub fn complete_for(&self, project: &ProjectId) -> bool {
        self.projects.contains_key(project) && self.gaps_of(project).next().is_none()
    }

    /// What is missing of a project, unread capacity aside.
    pub fn gaps_of<'a>(&'a self, project: &'a ProjectId) -> impl Iterator<Item = &'a Gap> {
        let matters = |gap: &&Gap| gap.kind != Gap::CAPACITY;
        self.gaps.iter().filter(matters).filter(move |g| g.project.as_ref().is_none_or(|p| p == project))
    }

    /// The private super network of a partition.
    pub fn super_network(&self, partition: &PartitionId) -> Option<&Network> {
        self.shared_networks.values().find(|n| n.kind == NetworkKind::Super && n.partition.as_ref() == Some(partition))
    }

    /// Resolves an image id as metal-api does: a patch above 0 is exact, otherwise the highest of `~major.minor`.
    pub fn resolve_image(&self, id: &ImageId) -> Option<&Image> {
        crate::want::image_version(id).map_or_else(
            || self.images.iter().find(|i| i.id == *id),
            |wanted| {
                let candidates = self.images.iter().filter_map(|i| Some((crate::want::image_version(&i.id)?, i)));
                let matching = candidates.filter(|(v, _)| wanted.admits(v));
                matching.max_by(|(a, _), (b, _)| a.version.cmp(&b.version)).map(|(_, i)| i)
            },
        )
    }
}
