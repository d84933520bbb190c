//! Networks: read, allocate from a super network, free, and what only administrators may.

mod admin;
mod child;

pub(crate) use admin::create_root;
pub(super) use admin::{create, delete, update};
pub(crate) use child::{ChildSpec, create_child};
pub(super) use child::{allocate, free};

use super::{Answer, Ctx, Reply, find, keys};
use crate::{refusal::Refusal, world::World};
use ipnet::IpNet;

pub(super) fn get(ctx: &mut Ctx<'_>) -> Answer {
    let id = ctx.param().to_owned();
    ctx.network_reply(200, &id)
}

pub(super) fn list(ctx: &mut Ctx<'_>) -> Answer {
    let World { networks, rng, .. } = &mut *ctx.world;
    let all = keys(networks.iter());
    match all.is_empty() {
        // Go's nil slice.
        true => Reply::ok(&()),
        false => Ok(Reply { status: 200, body: networks.json_list(all, rng) }),
    }
}

pub(super) fn find(ctx: &mut Ctx<'_>) -> Answer {
    let found = find::networks(ctx.world, &ctx.body()?)?;
    let World { networks, rng, .. } = &mut *ctx.world;
    Ok(Reply { status: 200, body: networks.json_list(found, rng) })
}

fn parse_prefix(text: &str) -> Result<IpNet, Refusal> {
    text.parse().map_err(|_| Refusal::bad_request(format!("netip.ParsePrefix({text:?}): no such prefix")))
}

/// Whether an address family is IPv4.
pub(super) fn parse_family(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "ipv4" => Some(true),
        "ipv6" => Some(false),
        _ => None,
    }
}

pub(super) fn family_name(v4: bool) -> &'static str {
    if v4 { "IPv4" } else { "IPv6" }
}

fn nat_type(nat: bool) -> Option<String> {
    Some(if nat { "ipv4-masq" } else { "none" }.to_owned())
}
