//! Between the wire and our words: v1 field names end here.

mod machine;
mod request;

pub(crate) use machine::LeanMachine;
pub(crate) use request::{find_ips, find_machines, find_networks, firewall, ip, ip_update, machine, network};

use crate::metal::{Capacity, Health, Project, ServerVersion};
use crate::wire;
use ipnet::IpNet;
use model::ids::NameError;
use model::metal::{Image, Ip, IpKind, Network, NetworkKind, SizeDetail};
use model::{Allocation, Cidr, ImageId, NetworkId, PartitionId, ProjectId, SizeId, Tags};
use std::net::{AddrParseError, IpAddr};

/// A resource that our words cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Odd {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("`{value}` is no address: {source}")]
    Address { value: String, source: AddrParseError },
    #[error("`{0}` is no CIDR")]
    Cidr(String),
    #[error("`{0}` is no role of a machine")]
    Role(String),
    #[error("the machine is not allocated")]
    Free,
    #[error("the project has no id")]
    NoId,
}

/// Every resource that can be said in our words. What a person made by hand and we cannot name is left out: one odd
/// row does not stop a project (I6), and no lock can name it.
pub(crate) fn all<W, T>(wire: Vec<W>) -> Vec<T>
where
    Ours<T>: TryFrom<W, Error = Odd>,
{
    let one = |row: W| match Ours::try_from(row) {
        Ok(Ours(resource)) => Some(resource),
        Err(odd) => {
            tracing::debug!(%odd, "left out");
            None
        }
    };
    wire.into_iter().filter_map(one).collect()
}

/// `""` is metal-api's "unset".
fn unset<T>(text: &str, parse: impl Fn(&str) -> Result<T, NameError>) -> Result<Option<T>, NameError> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn address(text: &str) -> Result<IpAddr, Odd> {
    text.parse().map_err(|source| Odd::Address { value: text.to_owned(), source })
}

/// metal-api echoes CIDRs as they were given: host bits may be set.
fn cidrs(texts: &[String]) -> Result<Vec<Cidr>, Odd> {
    let one = |text: &String| text.parse::<IpNet>().map(Cidr::from).map_err(|_| Odd::Cidr(text.clone()));
    texts.iter().map(one).collect()
}

/// Rows of before the field existed have none; ours always have one.
fn allocation(text: &str) -> Result<Allocation, NameError> {
    Allocation::parse(if text.is_empty() { "none" } else { text })
}

fn network_kind(network: &wire::Network) -> NetworkKind {
    match network.networktype.as_deref() {
        Some("external") => NetworkKind::External,
        Some("underlay") => NetworkKind::Underlay,
        Some("super" | "super-namespaced") => NetworkKind::Super,
        Some("child") => NetworkKind::Child,
        Some("child-shared") => NetworkKind::ChildShared,
        // Old rows have no type, and a newer server may know more of them: the flags decide.
        _ if network.privatesuper => NetworkKind::Super,
        _ if network.underlay => NetworkKind::Underlay,
        _ if network.parentnetworkid.as_deref().is_none_or(str::is_empty) => NetworkKind::External,
        _ if network.shared => NetworkKind::ChildShared,
        _ => NetworkKind::Child,
    }
}

impl TryFrom<wire::Network> for Ours<Network> {
    type Error = Odd;

    fn try_from(network: wire::Network) -> Result<Self, Odd> {
        Ok(Self(Network {
            id: NetworkId::parse(&network.id)?,
            kind: network_kind(&network),
            project: unset(&network.projectid, ProjectId::parse)?,
            partition: unset(&network.partitionid, PartitionId::parse)?,
            parent: unset(network.parentnetworkid.as_deref().unwrap_or_default(), NetworkId::parse)?,
            prefixes: cidrs(&network.prefixes)?,
            destination_prefixes: cidrs(&network.destinationprefixes)?,
            announceable: cidrs(&network.additional_announcable_cidrs)?,
            labels: Tags::from_labels(network.labels),
            created: network.created.0,
            name: network.name,
        }))
    }
}

impl TryFrom<wire::Ip> for Ours<Ip> {
    type Error = Odd;

    fn try_from(ip: wire::Ip) -> Result<Self, Odd> {
        Ok(Self(Ip {
            address: address(&ip.ipaddress)?,
            allocation: allocation(&ip.allocationuuid)?,
            network: NetworkId::parse(&ip.networkid)?,
            project: ProjectId::parse(&ip.projectid)?,
            kind: if ip.r#type == "static" { IpKind::Static } else { IpKind::Ephemeral },
            tags: Tags::from_address_strings(&ip.tags),
            created: ip.created.0,
            name: ip.name,
        }))
    }
}

impl TryFrom<wire::Image> for Ours<Image> {
    type Error = Odd;

    fn try_from(image: wire::Image) -> Result<Self, Odd> {
        let has = |feature: &str| image.features.iter().any(|f| f == feature);
        Ok(Self(Image {
            id: ImageId::parse(&image.id)?,
            expires: image.expiration_date.0,
            for_machines: has("machine"),
            for_firewalls: has("firewall"),
        }))
    }
}

impl TryFrom<wire::Size> for Ours<SizeId> {
    type Error = Odd;

    fn try_from(size: wire::Size) -> Result<Self, Odd> {
        Ok(Self(SizeId::parse(&size.id)?))
    }
}

impl TryFrom<wire::Size> for Ours<SizeDetail> {
    type Error = Odd;

    fn try_from(size: wire::Size) -> Result<Self, Odd> {
        // A machine fits one of a type's constraints at least: the smallest promises least.
        let least = |kind: &str| size.constraints.iter().filter(|c| c.r#type == kind).map(|c| c.min).min();
        let of = |kind| least(kind).filter(|min| *min > 0);
        Ok(Self(SizeDetail { cpu_cores: of("cores"), memory_bytes: of("memory"), id: SizeId::parse(&size.id)? }))
    }
}

impl TryFrom<wire::Partition> for Ours<PartitionId> {
    type Error = Odd;

    fn try_from(partition: wire::Partition) -> Result<Self, Odd> {
        Ok(Self(PartitionId::parse(&partition.id)?))
    }
}

impl TryFrom<wire::Project> for Ours<Project> {
    type Error = Odd;

    fn try_from(project: wire::Project) -> Result<Self, Odd> {
        let meta = project.meta.ok_or(Odd::NoId)?;
        Ok(Self(Project { id: ProjectId::parse(&meta.id)?, name: project.name }))
    }
}

impl TryFrom<wire::Health> for Ours<Health> {
    type Error = Odd;

    fn try_from(health: wire::Health) -> Result<Self, Odd> {
        Ok(Self(Health { healthy: health.status == "healthy", message: health.message }))
    }
}

impl TryFrom<wire::Version> for Ours<ServerVersion> {
    type Error = Odd;

    fn try_from(version: wire::Version) -> Result<Self, Odd> {
        Ok(Self(ServerVersion { version: version.version, min_client_version: version.min_client_version }))
    }
}

impl TryFrom<wire::PartitionCapacity> for Ours<Vec<Capacity>> {
    type Error = Odd;

    fn try_from(capacity: wire::PartitionCapacity) -> Result<Self, Odd> {
        let partition = PartitionId::parse(&capacity.id)?;
        let one = |server: &wire::ServerCapacity| {
            Ok(Capacity {
                partition: partition.clone(),
                size: SizeId::parse(&server.size)?,
                total: server.total,
                allocated: server.allocated,
                free: server.free,
            })
        };
        Ok(Self(capacity.servers.iter().map(one).collect::<Result<_, Odd>>()?))
    }
}

/// A value of another room, so that it can be converted here.
pub(crate) struct Ours<T>(pub(crate) T);

#[cfg(test)]
mod tests;
