//! What a simulated installation consists of, as people write it: counts of machines, not lists of them.

mod build;
mod check;
mod names;

pub(crate) use build::build;

use ipnet::IpNet;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// A landscape file is read up to this size; the default landscape has 4 KB.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// An installation at its start. `Landscape::default()` is the one that demo, example fleet and `init` name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Landscape {
    #[serde(default)]
    pub auth: Auth,
    pub projects: Vec<ProjectSpec>,
    pub partitions: Vec<PartitionSpec>,
    pub sizes: Vec<SizeSpec>,
    pub images: Vec<ImageSpec>,
    /// Without any, one layout for every size and image is made.
    #[serde(default)]
    pub filesystemlayouts: Vec<LayoutSpec>,
    pub networks: Vec<NetworkSpec>,
    #[serde(default)]
    pub ips: Vec<IpSpec>,
    #[serde(default)]
    pub machines: Vec<MachineGroup>,
    #[serde(default)]
    pub reservations: Vec<ReservationSpec>,
    #[serde(default)]
    pub timing: Timing,
}

/// Keys and lifetimes of the three HMAC users; a lifetime of zero is unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Auth {
    pub view: String,
    pub edit: String,
    pub admin: String,
    pub view_lifetime: SignedDuration,
    pub edit_lifetime: SignedDuration,
    pub admin_lifetime: SignedDuration,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            view: "metal-view".into(),
            edit: "metal-edit".into(),
            admin: "metal-admin".into(),
            view_lifetime: SignedDuration::from_secs(30),
            edit_lifetime: SignedDuration::from_secs(30),
            admin_lifetime: SignedDuration::from_secs(90),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectSpec {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// Default `metal-stack`.
    #[serde(default)]
    pub tenant: Option<String>,
    #[serde(default)]
    pub machine_quota: Option<i32>,
    #[serde(default)]
    pub ip_quota: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionSpec {
    pub id: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub dns_servers: Vec<IpAddr>,
    #[serde(default)]
    pub ntp_servers: Vec<String>,
}

/// A size; its machines have exactly this hardware.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SizeSpec {
    pub id: String,
    #[serde(default)]
    pub description: String,
    pub cores: u32,
    /// Bytes.
    pub memory: u64,
    pub disks: Vec<DiskSpec>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskSpec {
    pub name: String,
    /// Bytes.
    pub size: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageSpec {
    /// `<os>-<version>`.
    pub id: String,
    pub features: Vec<Feature>,
    /// Default `supported`.
    #[serde(default)]
    pub classification: Option<String>,
    /// From the start of the simulation; default 90. May be negative: an expired image still works.
    #[serde(default)]
    pub expires_in_days: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Feature {
    Machine,
    Firewall,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LayoutSpec {
    pub id: String,
    pub sizes: Vec<String>,
    /// Operating system to version: `*`, or a comparison such as `>= 1.33`.
    pub images: BTreeMap<String, String>,
    /// Devices; machines need all of them.
    pub disks: Vec<String>,
    #[serde(default)]
    pub wipe_on_reinstall: bool,
}

/// A network of any kind. With `parent` it is allocated from there at the start and takes no `prefixes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkSpec {
    pub id: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub partition: Option<String>,
    #[serde(default)]
    pub project: Option<String>,
    #[serde(default)]
    pub private_super: bool,
    #[serde(default)]
    pub underlay: bool,
    #[serde(default)]
    pub nat: bool,
    #[serde(default)]
    pub shared: bool,
    #[serde(default)]
    pub parent: Option<String>,
    #[serde(default)]
    pub vrf: Option<u32>,
    #[serde(default)]
    pub prefixes: Vec<IpNet>,
    #[serde(default)]
    pub destination_prefixes: Vec<IpNet>,
    /// Keys `IPv4`, `IPv6`.
    #[serde(default)]
    pub default_child_prefix_length: BTreeMap<String, u8>,
    #[serde(default, rename = "additionalAnnouncableCIDRs")]
    pub additional_announcable_cidrs: Vec<IpNet>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpSpec {
    pub address: IpAddr,
    pub network: String,
    pub project: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub ephemeral: bool,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Machines that wait to be allocated, or are in the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineGroup {
    pub partition: String,
    pub size: String,
    pub count: u32,
    /// In turn; default one rack per partition.
    #[serde(default)]
    pub racks: Vec<String>,
    /// With a count of one; else ids are numbered.
    #[serde(default)]
    pub id: Option<Uuid>,
    #[serde(default)]
    pub state: StateSpec,
    #[serde(default)]
    pub crash_loop: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StateSpec {
    #[default]
    Available,
    Reserved,
    Locked,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReservationSpec {
    pub size: String,
    pub partitions: Vec<String>,
    pub project: String,
    pub amount: u32,
}

/// How long each step takes on the simulator's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Timing {
    /// From the allocation to `Installing`.
    pub installing: SignedDuration,
    pub booting_new_kernel: SignedDuration,
    pub phoned_home: SignedDuration,
    /// Each step from `Machine Reclaim` back to `Waiting`.
    pub reclaim: SignedDuration,
    /// From freeing a machine until its addresses can be allocated again; at half of it they leave the list.
    pub async_ip_release: SignedDuration,
}

impl Default for Timing {
    fn default() -> Self {
        let second = SignedDuration::from_secs(1);
        Self {
            installing: second,
            booting_new_kernel: second,
            phoned_home: second,
            reclaim: second,
            async_ip_release: SignedDuration::from_millis(200),
        }
    }
}

/// Why a landscape cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LandscapeError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: larger than {FILE_BYTES_MAX} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("{file}: {text}")]
    Syntax { file: String, text: String },
    #[error("{place}: {problem}")]
    Invalid { place: String, problem: String },
}

impl Landscape {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, LandscapeError> {
        let failed = |source| LandscapeError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
            return Err(LandscapeError::TooLarge { path: path.to_owned() });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(failed)?, &path.display().to_string())
    }

    /// Reads and checks a text; `file` names it in errors.
    pub fn parse(text: &str, file: &str) -> Result<Self, LandscapeError> {
        let landscape: Self = serde_saphyr::from_str(text)
            .map_err(|error| LandscapeError::Syntax { file: file.to_owned(), text: error.to_string() })?;
        check::check(&landscape)?;
        Ok(landscape)
    }
}

#[cfg(test)]
mod tests;
