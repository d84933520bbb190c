//! Arithmetic on address blocks: what is free between children, and which piece of it fits best.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

pub(super) fn first(net: IpNet) -> IpAddr {
    net.network()
}

pub(super) fn last(net: IpNet) -> IpAddr {
    net.broadcast()
}

/// How many addresses; saturates for the whole of IPv6.
pub(super) fn size(net: IpNet) -> u128 {
    1u128.checked_shl(u32::from(net.max_prefix_len() - net.prefix_len())).unwrap_or(u128::MAX)
}

/// The smallest free block that is large enough, the lowest among equals; of it the lowest piece of `length`.
pub(super) fn best_fit(parent: IpNet, children: &BTreeSet<IpNet>, length: u8) -> Option<IpNet> {
    let wanted = u32::from(parent.max_prefix_len().checked_sub(length)?);
    let mut best: Option<(u32, u128)> = None;
    let mut low = Some(number(first(parent)));
    for child in children {
        let (child_low, child_high) = (number(first(*child)), number(last(*child)));
        if let Some(low) = low.filter(|low| *low < child_low) {
            take_best(&mut best, low, child_low - 1, wanted);
        }
        low = child_high.checked_add(1);
    }
    let high = number(last(parent));
    if let Some(low) = low.filter(|low| *low <= high) {
        take_best(&mut best, low, high, wanted);
    }
    let (_, low) = best?;
    net(parent, low, length)
}

/// The lowest address that is not in `taken`.
pub(super) fn next_free(net: IpNet, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    let mut candidate = number(first(net));
    for ip in taken {
        let ip = number(*ip);
        if ip > candidate {
            break;
        }
        candidate = ip.checked_add(1)?;
    }
    (candidate <= number(last(net))).then(|| address(net, candidate))
}

/// Cuts `low..=high` into aligned blocks and keeps the best one for a block of 2^`wanted` addresses.
fn take_best(best: &mut Option<(u32, u128)>, mut low: u128, high: u128, wanted: u32) {
    loop {
        let span = high - low;
        // The largest power of two within span + 1, without overflowing for the whole of IPv6.
        let fits = span.checked_add(1).map_or(128, u128::ilog2);
        let bits = low.trailing_zeros().min(fits);
        if bits >= wanted && best.is_none_or(|(known, _)| bits < known) {
            *best = Some((bits, low));
        }
        let Some(next) = 1u128.checked_shl(bits).and_then(|size| low.checked_add(size)) else { return };
        if next > high {
            return;
        }
        low = next;
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

fn address(family: IpNet, number: u128) -> IpAddr {
    match family {
        IpNet::V4(_) => Ipv4Addr::from(number as u32).into(),
        IpNet::V6(_) => Ipv6Addr::from(number).into(),
    }
}

fn net(family: IpNet, low: u128, length: u8) -> Option<IpNet> {
    match address(family, low) {
        IpAddr::V4(ip) => Ipv4Net::new(ip, length).ok().map(IpNet::V4),
        IpAddr::V6(ip) => Ipv6Net::new(ip, length).ok().map(IpNet::V6),
    }
}
