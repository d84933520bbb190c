//! Address management in go-ipam's order: child prefixes by best fit, addresses from the lowest free one.
//!
//! A prefix holds either children or addresses. The network address, and with IPv4 the broadcast address, is taken
//! from the start.

mod blocks;

use blocks::{best_fit, first, last, next_free};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Counters saturate here.
const COUNT_MAX: u64 = (1 << 31) - 1;

/// Every prefix of every network.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ipam {
    prefixes: BTreeMap<IpNet, Prefix>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Prefix {
    parent: Option<IpNet>,
    children: BTreeSet<IpNet>,
    /// The reserved ones among them.
    ips: BTreeSet<IpAddr>,
}

/// Why an address or prefix was not given or taken back; in the words of go-ipam behind its connect code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IpamError {
    #[error("not_found: prefix {0} not found")]
    UnknownPrefix(IpNet),
    #[error("invalid_argument: no prefix found in {parent} with length:{length}")]
    NoPrefix { parent: IpNet, length: u8 },
    #[error("invalid_argument: given length:{length} must be greater than prefix length:{}", parent.prefix_len())]
    TooShort { parent: IpNet, length: u8 },
    #[error("already_exists: prefix already created: {0}")]
    AlreadyCreated(IpNet),
    #[error("invalid_argument: prefix {0} has ips, acquire child prefix not possible")]
    HasIpsNoChild(IpNet),
    #[error("invalid_argument: prefix {0} has childprefixes, acquire ip not possible")]
    HasChildrenNoIp(IpNet),
    #[error("invalid_argument: no more ips in prefix: {0} left, length of prefix.ips")]
    NoIp(IpNet),
    #[error("invalid_argument: given ip:{ip} is not in {prefix}")]
    Outside { prefix: IpNet, ip: IpAddr },
    #[error("already_exists: ip already allocated")]
    Taken(IpAddr),
    #[error("not_found: unable to release ip:{0} because it is not allocated")]
    NotTaken(IpAddr),
    #[error("invalid_argument: prefix {0} is no child prefix")]
    NoChild(IpNet),
    #[error("invalid_argument: prefix {0} has ips, deletion not possible")]
    HasIps(IpNet),
    #[error("invalid_argument: prefix {0} has child prefixes, deletion not possible")]
    HasChildren(IpNet),
}

/// Counters of one prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PrefixUsage {
    /// The prefix's size, not what is left.
    pub(crate) available_ips: u64,
    /// Free space in /30 or /126.
    pub(crate) available_prefixes: u64,
    /// With the reserved ones.
    pub(crate) used_ips: u64,
    pub(crate) used_prefixes: u64,
}

impl Prefix {
    fn new(net: IpNet, parent: Option<IpNet>) -> Self {
        let reserved = match net {
            IpNet::V4(_) => BTreeSet::from([first(net), last(net)]),
            IpNet::V6(_) => BTreeSet::from([first(net)]),
        };
        Self { parent, children: BTreeSet::new(), ips: reserved }
    }

    fn has_ips(&self, net: IpNet) -> bool {
        self.ips.iter().any(|ip| !is_reserved(net, *ip))
    }
}

impl Ipam {
    /// A top-level prefix. That it overlaps no other is the caller's to ask, with `overlapping`.
    pub(crate) fn create(&mut self, net: IpNet) {
        self.prefixes.insert(net, Prefix::new(net, None));
    }

    /// A prefix of any network that shares addresses with `net`.
    pub(crate) fn overlapping(&self, net: IpNet) -> Option<IpNet> {
        self.prefixes.keys().copied().find(|known| known.contains(&net) || net.contains(known))
    }

    pub(crate) fn acquire_child(&mut self, parent: IpNet, length: u8) -> Result<IpNet, IpamError> {
        let prefix = self.prefix_mut(parent)?;
        if prefix.has_ips(parent) {
            return Err(IpamError::HasIpsNoChild(parent));
        }
        if length <= parent.prefix_len() {
            return Err(IpamError::TooShort { parent, length });
        }
        let child = best_fit(parent, &prefix.children, length).ok_or(IpamError::NoPrefix { parent, length })?;
        prefix.children.insert(child);
        if self.prefixes.contains_key(&child) {
            return Err(IpamError::AlreadyCreated(child));
        }
        self.prefixes.insert(child, Prefix::new(child, Some(parent)));
        Ok(child)
    }

    /// Refused while an address is left. An IPv6 child with exactly one address becomes free in its parent although
    /// the release fails: go-ipam's guard counts two reserved addresses, and IPv6 has one.
    pub(crate) fn release_child(&mut self, child: IpNet) -> Result<(), IpamError> {
        let prefix = self.prefix(child)?;
        let parent = prefix.parent.ok_or(IpamError::NoChild(child))?;
        let (has_ips, slips_through) = (prefix.has_ips(child), prefix.ips.len() <= 2);
        if !has_ips || slips_through {
            self.prefix_mut(parent)?.children.remove(&child);
        }
        if has_ips {
            return Err(IpamError::HasIps(child));
        }
        self.prefixes.remove(&child);
        Ok(())
    }

    /// Takes away a prefix of any kind; its children and addresses must be gone.
    pub(crate) fn delete(&mut self, net: IpNet) -> Result<(), IpamError> {
        let prefix = self.prefix(net)?;
        if !prefix.children.is_empty() {
            return Err(IpamError::HasChildren(net));
        }
        if prefix.has_ips(net) {
            return Err(IpamError::HasIps(net));
        }
        let parent = prefix.parent;
        self.prefixes.remove(&net);
        if let Some(parent) = parent.and_then(|parent| self.prefixes.get_mut(&parent)) {
            parent.children.remove(&net);
        }
        Ok(())
    }

    /// The lowest free address.
    pub(crate) fn acquire_ip(&mut self, net: IpNet) -> Result<IpAddr, IpamError> {
        let prefix = self.for_ips(net)?;
        let ip = next_free(net, &prefix.ips).ok_or(IpamError::NoIp(net))?;
        prefix.ips.insert(ip);
        Ok(ip)
    }

    pub(crate) fn acquire_specific(&mut self, net: IpNet, ip: IpAddr) -> Result<(), IpamError> {
        if !net.contains(&ip) {
            return Err(IpamError::Outside { prefix: net, ip });
        }
        match self.for_ips(net)?.ips.insert(ip) {
            true => Ok(()),
            false => Err(IpamError::Taken(ip)),
        }
    }

    pub(crate) fn release_ip(&mut self, net: IpNet, ip: IpAddr) -> Result<(), IpamError> {
        let prefix = self.prefix_mut(net)?;
        match !is_reserved(net, ip) && prefix.ips.remove(&ip) {
            true => Ok(()),
            false => Err(IpamError::NotTaken(ip)),
        }
    }

    /// The lowest address in use that is not a reserved one.
    pub(crate) fn ip_in_use(&self, net: IpNet) -> Option<IpAddr> {
        self.prefixes.get(&net)?.ips.iter().copied().find(|ip| !is_reserved(net, *ip))
    }

    pub(crate) fn usage(&self, net: IpNet) -> PrefixUsage {
        let Some(prefix) = self.prefixes.get(&net) else { return PrefixUsage::default() };
        let units = |net: &IpNet| blocks::size(*net) / 4;
        let taken = prefix.children.iter().map(|child| units(child).max(1)).fold(0, u128::saturating_add);
        let capped = |count: u128| u64::try_from(count).unwrap_or(COUNT_MAX).min(COUNT_MAX);
        PrefixUsage {
            available_ips: capped(blocks::size(net)),
            available_prefixes: capped(units(&net).saturating_sub(taken)),
            used_ips: prefix.ips.len() as u64,
            used_prefixes: prefix.children.len() as u64,
        }
    }

    fn for_ips(&mut self, net: IpNet) -> Result<&mut Prefix, IpamError> {
        let prefix = self.prefix_mut(net)?;
        if prefix.children.is_empty() { Ok(prefix) } else { Err(IpamError::HasChildrenNoIp(net)) }
    }

    fn prefix(&self, net: IpNet) -> Result<&Prefix, IpamError> {
        self.prefixes.get(&net).ok_or(IpamError::UnknownPrefix(net))
    }

    fn prefix_mut(&mut self, net: IpNet) -> Result<&mut Prefix, IpamError> {
        self.prefixes.get_mut(&net).ok_or(IpamError::UnknownPrefix(net))
    }
}

/// The network address, and with IPv4 the broadcast address.
fn is_reserved(net: IpNet, ip: IpAddr) -> bool {
    ip == first(net) || (ip.is_ipv4() && ip == last(net))
}

#[cfg(test)]
mod tests;
