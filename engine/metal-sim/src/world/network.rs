//! What networks are to the rest: private or not, and how full.

use super::{NetworkRow, World};
use crate::{ipam::IpamError, refusal::Refusal};
use ipnet::IpNet;
use metal_api::wire::{Consumption, Network, Usage};
use std::net::IpAddr;

/// A network is private when its parent is a super network.
pub(crate) fn is_private(network: &Network) -> bool {
    network.parentnetworkid.is_some()
}

impl World {
    /// Writes the counters into the model, after an address or a child came or went.
    pub(crate) fn refresh_usage(&mut self, id: &str) {
        let Self { networks, ipam, .. } = self;
        networks.update(id, |row| {
            let sum = |v4| {
                row.has_family(v4)
                    .then(|| row.of_family(v4).fold(Usage::default(), |sum, net| add(sum, ipam.usage(net))))
            };
            row.wire.consumption = Consumption { ipv4: sum(true), ipv6: sum(false) };
            row.wire.usage = row.wire.consumption.ipv4.clone().unwrap_or_default();
        });
    }

    /// The lowest free address of a family, prefixes in their order.
    pub(crate) fn acquire_ip(&mut self, network: &NetworkRow, v4: bool) -> Result<(IpNet, IpAddr), Refusal> {
        for prefix in network.of_family(v4) {
            match self.ipam.acquire_ip(prefix) {
                Ok(ip) => {
                    self.refresh_usage(network.id());
                    return Ok((prefix, ip));
                }
                Err(IpamError::NoIp(_)) => {}
                Err(error) => return Err(Refusal::unprocessable(error.to_string())),
            }
        }
        Err(Refusal::internal("cannot allocate free ip in ipam, no ips left"))
    }

    /// Gives an address back; a network that is gone needs nothing.
    pub(crate) fn return_ip(&mut self, network: &str, prefix: IpNet, ip: IpAddr) {
        if let Err(error) = self.ipam.release_ip(prefix, ip) {
            tracing::debug!(%error, "address was not in use");
        }
        self.refresh_usage(network);
    }
}

fn add(mut sum: Usage, of: crate::ipam::PrefixUsage) -> Usage {
    sum.available_ips += of.available_ips;
    sum.available_prefixes += of.available_prefixes;
    sum.used_ips += of.used_ips;
    sum.used_prefixes += of.used_prefixes;
    sum
}
