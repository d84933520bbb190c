//! Addresses: read, allocate (the next or a given one), change, free.

use super::{
    Answer, Ctx, Reply, find, keys,
    network::{family_name, parse_family},
};
use crate::{
    ipam::IpamError,
    refusal::Refusal,
    world::{IpRow, MACHINE_TAG, NetworkRow, World, is_private},
};
use ipnet::IpNet;
use metal_api::wire::{Ip, IpAllocateRequest, IpUpdateRequest};
use std::net::IpAddr;

pub(super) fn get(ctx: &mut Ctx<'_>) -> Answer {
    let id = ctx.param().to_owned();
    ctx.ip_reply(200, &id)
}

pub(super) fn list(ctx: &mut Ctx<'_>) -> Answer {
    let World { ips, rng, .. } = &mut *ctx.world;
    Ok(Reply { status: 200, body: ips.json_list(keys(ips.iter()), rng) })
}

pub(super) fn find(ctx: &mut Ctx<'_>) -> Answer {
    let found = find::ips(ctx.world, &ctx.body()?)?;
    let World { ips, rng, .. } = &mut *ctx.world;
    Ok(Reply { status: 200, body: ips.json_list(found, rng) })
}

/// The lowest free address.
pub(super) fn allocate(ctx: &mut Ctx<'_>) -> Answer {
    allocate_ip(ctx, None)
}

/// The address of the path.
pub(super) fn allocate_given(ctx: &mut Ctx<'_>) -> Answer {
    let given = ctx.param().to_owned();
    allocate_ip(ctx, Some(&given))
}

fn allocate_ip(ctx: &mut Ctx<'_>, given: Option<&str>) -> Answer {
    let request: IpAllocateRequest = ctx.body()?;
    let network = request.networkid.clone().unwrap_or_default();
    if network.is_empty() {
        return Err(Refusal::bad_request("networkid should not be empty"));
    }
    let project = request.projectid.clone().unwrap_or_default();
    if project.is_empty() {
        return Err(Refusal::bad_request("projectid should not be empty"));
    }
    let network = ctx.world.network(&network)?.clone();
    if network.prefixes.is_empty() {
        return Err(Refusal::unprocessable(format!("network {:?} has no prefixes", network.id())));
    }
    let family = family(&network, request.addressfamily.as_deref(), given)?;
    ctx.world.project(&project)?;
    check_owner(&network, &project)?;
    let (prefix, ip) = match given {
        Some(given) => acquire_given(ctx.world, &network, given)?,
        None => ctx.world.acquire_ip(&network, family)?,
    };
    let machine = request.machineid.filter(|id| !id.is_empty()).map(|id| format!("{MACHINE_TAG}={id}"));
    let wire = Ip {
        ipaddress: ip.to_string(),
        allocationuuid: ctx.world.uuid(),
        networkid: network.wire.id,
        projectid: project,
        r#type: if request.r#type.as_deref() == Some("static") { "static" } else { "ephemeral" }.into(),
        tags: sorted(request.tags.unwrap_or_default().into_iter().chain(machine)),
        name: request.name.unwrap_or_default(),
        description: request.description.unwrap_or_default(),
        created: ctx.world.now.into(),
        changed: ctx.world.now.into(),
    };
    let id = wire.ipaddress.clone();
    ctx.world.ips.insert(IpRow { wire, prefix });
    ctx.world.note(format!("created ip {id}"));
    ctx.ip_reply(201, &id)
}

/// The family to take an address of; IPv4 unless the network has only the other.
fn family(network: &NetworkRow, asked: Option<&str>, given: Option<&str>) -> Result<bool, Refusal> {
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Ok(network.has_family(true)) };
    let v4 =
        parse_family(asked).ok_or_else(|| Refusal::unprocessable(format!("given addressfamily:{asked} is invalid")))?;
    if !network.has_family(v4) {
        let text = format!("there is no prefix for the given addressfamily:{} present in network", family_name(v4));
        return Err(Refusal::bad_request(format!("{text}:{}", network.id())));
    }
    match given {
        Some(_) => Err(Refusal::bad_request("it is not possible to specify specificIP and addressfamily")),
        None => Ok(v4),
    }
}

fn check_owner(network: &NetworkRow, project: &str) -> Result<(), Refusal> {
    let owner = &network.wire.projectid;
    if !is_private(&network.wire) || network.wire.shared || owner == project {
        return Ok(());
    }
    Err(Refusal::unprocessable(format!(
        "can not allocate ip for project {project:?} because network belongs to {owner:?} and the network is not shared"
    )))
}

fn acquire_given(world: &mut World, network: &NetworkRow, given: &str) -> Result<(IpNet, IpAddr), Refusal> {
    let outside = || Refusal::unprocessable("specific ip not contained in any of the defined prefixes");
    let ip: IpAddr = given.parse().map_err(|_| outside())?;
    let prefix = *network.prefixes.iter().find(|prefix| prefix.contains(&ip)).ok_or_else(outside)?;
    match world.ipam.acquire_specific(prefix, ip) {
        Ok(()) => {
            world.refresh_usage(network.id());
            Ok((prefix, ip))
        }
        Err(IpamError::Taken(_)) => Err(Refusal::conflict("ip already allocated")),
        Err(error) => Err(Refusal::unprocessable(error.to_string())),
    }
}

pub(super) fn sorted(tags: impl Iterator<Item = String>) -> Vec<String> {
    let mut tags: Vec<String> = tags.collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// An address with a machine's tag goes with the machine.
fn has_machine_scope(tags: &[String]) -> bool {
    tags.iter().any(|tag| tag.starts_with(MACHINE_TAG))
}

/// Absent fields stay, `[]` clears the tags.
pub(super) fn update(ctx: &mut Ctx<'_>) -> Answer {
    let request: IpUpdateRequest = ctx.body()?;
    let id = request.ipaddress.unwrap_or_default();
    let row = ctx.world.ips.get(&id).ok_or_else(|| Refusal::no("ip", &id))?;
    let to_ephemeral = request.r#type.as_deref() == Some("ephemeral");
    if row.wire.r#type == "static" && to_ephemeral {
        return Err(Refusal::bad_request("cannot change type of ip address from static to ephemeral"));
    }
    let now = ctx.world.now;
    ctx.world.ips.update(&id, |IpRow { wire, .. }| {
        if let Some(name) = request.name {
            wire.name = name;
        }
        if let Some(description) = request.description {
            wire.description = description;
        }
        if let Some(tags) = request.tags {
            wire.tags = sorted(tags.into_iter());
        }
        if request.r#type.as_deref() == Some("static") {
            wire.r#type = "static".to_owned();
        }
        wire.changed = now.into();
    });
    ctx.world.note(format!("changed ip {id}"));
    ctx.ip_reply(200, &id)
}

/// Static addresses too: only a machine's tag protects one.
pub(super) fn free(ctx: &mut Ctx<'_>) -> Answer {
    let id = ctx.param().to_owned();
    let row = ctx.world.ips.get(&id).ok_or_else(|| Refusal::no("ip", &id))?;
    if has_machine_scope(&row.wire.tags) {
        return Err(Refusal::bad_request("ip with machine scope can not be deleted"));
    }
    let Some(IpRow { wire, prefix }) = ctx.world.ips.remove(&id) else { return Err(Refusal::no("ip", &id)) };
    if let Ok(ip) = wire.ipaddress.parse() {
        ctx.world.return_ip(&wire.networkid, prefix, ip);
    }
    ctx.world.note(format!("freed ip {id}"));
    Reply::ok(&wire)
}
