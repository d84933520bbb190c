//! Networks that administrators create, change and delete.

use super::{family_name, nat_type, parse_family, parse_prefix};
use crate::{
    api::{Answer, Ctx, Reply},
    refusal::Refusal,
    world::{NetworkRow, World},
};
use ipnet::IpNet;
use metal_api::wire::{Network, NetworkCreateRequest, NetworkUpdateRequest};
use std::collections::BTreeMap;

pub(in crate::api) fn create(ctx: &mut Ctx<'_>) -> Answer {
    let id = create_root(ctx.world, ctx.body()?)?;
    ctx.world.note(format!("created network {id}"));
    ctx.network_reply(201, &id)
}

/// A network that is nobody's child.
pub(crate) fn create_root(world: &mut World, request: NetworkCreateRequest) -> Result<String, Refusal> {
    if request.id.as_ref().is_some_and(|id| world.networks.contains(id)) {
        return Err(Refusal::conflict("cannot create network in database, entity already exists"));
    }
    let prefixes = parse_all(&request.prefixes)?;
    parse_all(&request.destinationprefixes)?;
    parse_all(&request.additional_announcable_cidrs)?;
    if prefixes.is_empty() {
        return Err(Refusal::bad_request("no prefixes given"));
    }
    check_kind(world, &request, &prefixes)?;
    for (n, prefix) in prefixes.iter().enumerate() {
        check_overlap(world, *prefix, &prefixes[..n])?;
    }
    if let Some(vrf) = request.vrf.filter(|vrf| *vrf != 0) {
        let taken = u32::try_from(vrf).is_ok_and(|vrf| !world.take_vrf(vrf));
        if taken && !request.vrfshared.unwrap_or_default() {
            return Err(Refusal::unprocessable(format!("cannot acquire a unique vrf: {vrf} is taken")));
        }
    }
    prefixes.iter().for_each(|prefix| world.ipam.create(*prefix));
    let id = match &request.id {
        Some(id) if !id.is_empty() => id.clone(),
        _ => world.uuid(),
    };
    let wire = Network { created: world.now.into(), changed: world.now.into(), ..model(&id, request, &prefixes) };
    world.networks.insert(NetworkRow { wire, prefixes });
    world.refresh_usage(&id);
    Ok(id)
}

fn model(id: &str, request: NetworkCreateRequest, prefixes: &[IpNet]) -> Network {
    let (privatesuper, underlay) = (request.privatesuper == Some(true), request.underlay == Some(true));
    let nat = request.nat.unwrap_or_default();
    let kind = match (privatesuper, underlay) {
        (true, _) => "super",
        (_, true) => "underlay",
        _ => "external",
    };
    Network {
        id: id.to_owned(),
        name: request.name.unwrap_or_default(),
        description: request.description.unwrap_or_default(),
        partitionid: request.partitionid.unwrap_or_default(),
        projectid: request.projectid.unwrap_or_default(),
        labels: request.labels.unwrap_or_default(),
        shared: request.shared.unwrap_or_default(),
        prefixes: prefixes.iter().map(ToString::to_string).collect(),
        destinationprefixes: request.destinationprefixes.unwrap_or_default(),
        defaultchildprefixlength: request.defaultchildprefixlength.filter(|_| privatesuper),
        nat,
        privatesuper,
        underlay,
        vrf: request.vrf.unwrap_or_default(),
        additional_announcable_cidrs: request.additional_announcable_cidrs.unwrap_or_default(),
        networktype: Some(kind.to_owned()),
        nattype: nat_type(nat),
        ..Network::default()
    }
}

fn parse_all(texts: &Option<Vec<String>>) -> Result<Vec<IpNet>, Refusal> {
    texts.iter().flatten().map(|text| parse_prefix(text)).collect()
}

fn check_kind(world: &World, request: &NetworkCreateRequest, prefixes: &[IpNet]) -> Result<(), Refusal> {
    let (privatesuper, underlay) = (request.privatesuper == Some(true), request.underlay == Some(true));
    let partition = request.partitionid.clone().unwrap_or_default();
    if !partition.is_empty() && !world.catalog.partitions.contains_key(&partition) {
        return Err(Refusal::no("partition", &partition));
    }
    let announces = request.additional_announcable_cidrs.as_ref().is_some_and(|cidrs| !cidrs.is_empty());
    if announces && !privatesuper {
        return Err(Refusal::bad_request("additionalannouncablecidrs can only be set in a private super network"));
    }
    if !privatesuper && !underlay {
        return Ok(());
    }
    if request.nat == Some(true) {
        return Err(Refusal::bad_request("private super or underlay network is not supposed to NAT"));
    }
    let terms = [format!("partition={partition}")];
    let mut here = world.networks.with_terms(&terms);
    if privatesuper {
        if here.any(|row| row.wire.privatesuper) {
            let text = format!("partition with id {partition:?} already has a private super network");
            return Err(Refusal::bad_request(text));
        }
        return check_child_lengths(&request.defaultchildprefixlength.clone().unwrap_or_default(), prefixes);
    }
    match here.any(|row| row.wire.underlay) {
        true => Err(Refusal::bad_request(format!("partition with id {partition:?} already has an underlay network"))),
        false => Ok(()),
    }
}

fn check_child_lengths(lengths: &BTreeMap<String, u8>, prefixes: &[IpNet]) -> Result<(), Refusal> {
    if let Some(family) = lengths.keys().find(|family| parse_family(family).is_none()) {
        return Err(Refusal::bad_request(format!("given addressfamily:{family} is invalid")));
    }
    for prefix in prefixes {
        let family = family_name(prefix.addr().is_ipv4());
        let length = lengths.get(family).ok_or_else(|| {
            let text = format!("private super network must always contain a defaultchildprefixlength for {family}");
            Refusal::bad_request(text)
        })?;
        if *length <= prefix.prefix_len() || *length > prefix.max_prefix_len() {
            let text = format!("given defaultchildprefixlength {length} is not greater than prefix length of:{prefix}");
            return Err(Refusal::bad_request(text));
        }
    }
    Ok(())
}

fn check_overlap(world: &World, prefix: IpNet, before: &[IpNet]) -> Result<(), Refusal> {
    let among = before.iter().copied().find(|known| known.contains(&prefix) || prefix.contains(known));
    match among.or_else(|| world.ipam.overlapping(prefix)) {
        Some(known) => Err(Refusal::unprocessable(format!("{prefix} overlaps {known}"))),
        None => Ok(()),
    }
}

/// Labels and lists are replaced as a whole, what is absent stays; a missing announceable list removes it.
pub(in crate::api) fn update(ctx: &mut Ctx<'_>) -> Answer {
    let request: NetworkUpdateRequest = ctx.body()?;
    let id = request.id.clone().unwrap_or_default();
    let row = ctx.world.network(&id)?.clone();
    check_update(&row, &request, ctx.flag("force"))?;
    let prefixes = match &request.prefixes {
        Some(_) => change_prefixes(ctx.world, &row, parse_all(&request.prefixes)?)?,
        None => row.prefixes,
    };
    if let Some(lengths) = &request.defaultchildprefixlength {
        check_child_lengths(lengths, &prefixes)?;
    }
    let now = ctx.world.now;
    ctx.world.networks.update(&id, |row| {
        row.wire.prefixes = prefixes.iter().map(ToString::to_string).collect();
        row.prefixes = prefixes;
        apply(&mut row.wire, request);
        row.wire.changed = now.into();
    });
    ctx.world.refresh_usage(&id);
    ctx.world.note(format!("changed network {id}"));
    ctx.network_reply(200, &id)
}

fn check_update(row: &NetworkRow, request: &NetworkUpdateRequest, force: bool) -> Result<(), Refusal> {
    if row.wire.shared && request.shared == Some(false) {
        return Err(Refusal::bad_request("once a network is marked as shared it is not possible to unshare it"));
    }
    parse_all(&request.destinationprefixes)?;
    parse_all(&request.additional_announcable_cidrs)?;
    let announceable = request.additional_announcable_cidrs.as_deref().unwrap_or_default();
    let removed = row.wire.additional_announcable_cidrs.iter().any(|cidr| !announceable.contains(cidr));
    if removed && !force {
        let text = "you cannot remove additionalannouncablecidrs from a network without force";
        return Err(Refusal::bad_request(text));
    }
    if !row.wire.privatesuper && (!announceable.is_empty() || request.defaultchildprefixlength.is_some()) {
        let text = "additionalannouncablecidrs and defaultchildprefixlength are for private super networks only";
        return Err(Refusal::bad_request(text));
    }
    Ok(())
}

fn apply(wire: &mut Network, request: NetworkUpdateRequest) {
    fn set<T>(field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    set(&mut wire.name, request.name);
    set(&mut wire.description, request.description);
    set(&mut wire.labels, request.labels);
    set(&mut wire.shared, request.shared);
    set(&mut wire.destinationprefixes, request.destinationprefixes);
    if request.defaultchildprefixlength.is_some() {
        wire.defaultchildprefixlength = request.defaultchildprefixlength;
    }
    if wire.shared && wire.networktype.as_deref() == Some("child") {
        wire.networktype = Some("child-shared".to_owned());
    }
    wire.additional_announcable_cidrs = request.additional_announcable_cidrs.unwrap_or_default();
}

/// Removes and adds prefixes; one that is in use stays and refuses.
fn change_prefixes(world: &mut World, row: &NetworkRow, wanted: Vec<IpNet>) -> Result<Vec<IpNet>, Refusal> {
    let added: Vec<IpNet> = wanted.iter().copied().filter(|prefix| !row.prefixes.contains(prefix)).collect();
    for (n, prefix) in added.iter().enumerate() {
        check_overlap(world, *prefix, &added[..n])?;
    }
    for prefix in row.prefixes.iter().filter(|prefix| !wanted.contains(prefix)) {
        world.ipam.delete(*prefix).map_err(|error| Refusal::unprocessable(error.to_string()))?;
    }
    added.iter().for_each(|prefix| world.ipam.create(*prefix));
    Ok(wanted)
}

pub(in crate::api) fn delete(ctx: &mut Ctx<'_>) -> Answer {
    let row = ctx.world.network(ctx.param())?.clone();
    let world = &mut *ctx.world;
    let terms = [format!("parent={}", row.id())];
    if world.networks.with_terms(&terms).next().is_some() {
        let text = "network cannot be deleted because there are children of this network";
        return Err(Refusal::unprocessable(text));
    }
    for prefix in &row.prefixes {
        if let Some(ip) = world.ipam.ip_in_use(*prefix) {
            return Err(Refusal::unprocessable(format!(
                "unable to delete network: prefix {prefix} has ip {ip} in use"
            )));
        }
    }
    for prefix in &row.prefixes {
        world.ipam.delete(*prefix).map_err(|error| Refusal::unprocessable(error.to_string()))?;
    }
    world.release_vrf(row.wire.vrf);
    world.networks.remove(row.id());
    if let Some(parent) = &row.wire.parentnetworkid {
        world.refresh_usage(parent);
    }
    world.note(format!("freed network {}", row.id()));
    Reply::ok(&row.wire)
}
