//! metal-api v1 as it is on the wire: requests, answers, the error body. Client and simulator share these types.
//!
//! Fields carry the wire's own names. Answers have plain fields where metal-api always sends a value and `Option`
//! where it sends `null` or nothing; reading takes `null` or absence for the default everywhere. In requests
//! everything may be absent and `null` means absent.

mod catalog;
mod error;
mod ip;
mod list;
mod machine;
mod network;
mod project;
mod time;

pub use catalog::{
    BootConfig, CapacityQuery, Disk, DiskPartition, DnsServer, Filesystem, FilesystemLayout, FsConstraints, Health,
    Image, ImageFindRequest, LogicalVolume, NtpServer, Partition, PartitionCapacity, Raid, ServerCapacity, Size,
    SizeConstraint, SizeSuggestRequest, User, Version, VolumeGroup,
};
pub use error::{ErrorText, HttpError};
pub use ip::{Ip, IpAllocateRequest, IpFindRequest, IpUpdateRequest};
pub use list::{ELEMENT_BYTES_MAX, ListDecoder, ListError};
pub use machine::{
    Allocation, AllocationNetwork, Bios, BlockDevice, BootInfo, Cpu, EgressRule, Event, Events,
    FirewallAllocateRequest, FirewallFindRequest, FirewallRules, Gpu, Hardware, IngressRule, LedState, Machine,
    MachineAllocateRequest, MachineFindRequest, MachineIssue, MachineIssues, MachineIssuesRequest, MachineNetwork,
    MachineReinstallRequest, MachineState, MachineUpdateRequest, Nic, Vpn,
};
pub use network::{
    Consumption, Network, NetworkAllocateRequest, NetworkCreateRequest, NetworkFindRequest, NetworkUpdateRequest, Usage,
};
pub use project::{Meta, Project, ProjectFindRequest, Quota, QuotaSet};
pub use time::Time;

use serde::{Deserialize, Deserializer};

/// `null` reads as the default: metal-api sends it where its document says array, object or string.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// An answer: every field reads from absence and from `null`.
macro_rules! answer {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty,)* })*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        $(#[$doc])*
        #[serde(default)]
        pub struct $name {
            $(
                $(#[$attr])*
                #[serde(deserialize_with = "crate::wire::lenient")]
                pub $field: $type,
            )*
        }
    )*};
}

/// A request: every field may be absent, and absent ones are not sent.
macro_rules! request {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty,)* })*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        $(#[$doc])*
        #[serde(default)]
        pub struct $name {
            $(
                $(#[$attr])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
        }
    )*};
}

pub(crate) use {answer, request};

#[cfg(test)]
mod tests;
