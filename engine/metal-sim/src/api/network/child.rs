//! Project networks: children of a partition's super network.

use super::{family_name, nat_type, parse_family, parse_prefix};
use crate::{
    api::{Answer, Ctx, Reply},
    ipam::IpamError,
    refusal::Refusal,
    world::{NetworkRow, World},
};
use metal_api::wire::{Consumption, Network, NetworkAllocateRequest, Usage};
use std::collections::BTreeMap;

/// What a child is made of.
#[derive(Debug)]
pub(crate) struct ChildSpec {
    /// None: a random UUID.
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) project: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) destination_prefixes: Vec<String>,
    pub(crate) nat: bool,
    pub(crate) shared: bool,
    /// By family, `IPv4` and `IPv6`: one prefix each.
    pub(crate) lengths: BTreeMap<String, u8>,
}

pub(in crate::api) fn allocate(ctx: &mut Ctx<'_>) -> Answer {
    let request: NetworkAllocateRequest = ctx.body()?;
    let project = request.projectid.unwrap_or_default();
    if project.is_empty() {
        return Err(Refusal::bad_request("projectid should not be empty"));
    }
    let partition = request.partitionid.unwrap_or_default();
    if partition.is_empty() {
        return Err(Refusal::bad_request("partitionid should not be empty"));
    }
    ctx.world.project(&project)?;
    if !ctx.world.catalog.partitions.contains_key(&partition) {
        return Err(Refusal::no("partition", &partition));
    }
    let destination_prefixes = request.destinationprefixes.unwrap_or_default();
    for prefix in &destination_prefixes {
        parse_prefix(prefix)?;
    }
    let parent = super_network(ctx.world, &partition)?;
    let lengths = lengths(&parent, &request.length.unwrap_or_default(), request.addressfamily.as_deref())?;
    let spec = ChildSpec {
        id: None,
        name: request.name.unwrap_or_default(),
        description: request.description.unwrap_or_default(),
        project,
        labels: request.labels.unwrap_or_default(),
        destination_prefixes,
        nat: request.nat.unwrap_or_default(),
        shared: request.shared.unwrap_or_default(),
        lengths,
    };
    let id = create_child(ctx.world, &parent, spec)?;
    ctx.world.note(format!("created network {id}"));
    ctx.network_reply(201, &id)
}

fn super_network(world: &World, partition: &str) -> Result<NetworkRow, Refusal> {
    let terms = [format!("partition={partition}")];
    let mut supers = world.networks.with_terms(&terms).filter(|row| row.wire.privatesuper);
    let found = supers.next().ok_or_else(|| Refusal::not_found("no network found"))?;
    match supers.next() {
        Some(_) => Err(Refusal::unprocessable("more than one network exists")),
        None => Ok(found.clone()),
    }
}

/// The super network's default lengths, overlaid with the asked ones, cut down to the asked family.
fn lengths(
    parent: &NetworkRow,
    asked: &BTreeMap<String, u8>,
    family: Option<&str>,
) -> Result<BTreeMap<String, u8>, Refusal> {
    let defaults = parent.wire.defaultchildprefixlength.clone().unwrap_or_default();
    if defaults.is_empty() {
        return Err(Refusal::internal(format_args!("network {} has no defaultchildprefixlength", parent.id())));
    }
    let unknown = |family: &str| Refusal::bad_request(format!("given addressfamily:{family} is invalid"));
    let mut lengths = defaults;
    for (family, length) in asked {
        let v4 = parse_family(family).ok_or_else(|| unknown(family))?;
        lengths.insert(family_name(v4).to_owned(), *length);
    }
    let Some(family) = family.filter(|family| !family.is_empty()) else { return Ok(lengths) };
    let v4 = parse_family(family).ok_or_else(|| unknown(family))?;
    lengths.retain(|known, _| known == family_name(v4));
    match lengths.is_empty() {
        true => Err(Refusal::bad_request(format!("addressfamily {family} specified, but no childprefixlength for it"))),
        false => Ok(lengths),
    }
}

/// A failure leaves the VRF and the first family's prefix taken, as in metal-api.
pub(crate) fn create_child(world: &mut World, parent: &NetworkRow, spec: ChildSpec) -> Result<String, Refusal> {
    let vrf = world.acquire_vrf()?;
    let mut prefixes = Vec::new();
    for (family, length) in &spec.lengths {
        prefixes.push(acquire(world, parent, parse_family(family).unwrap_or(true), *length)?);
    }
    world.refresh_usage(parent.id());
    let id = match spec.id {
        Some(id) => id,
        None => world.uuid(),
    };
    let wire = Network {
        id: id.clone(),
        name: spec.name,
        description: spec.description,
        partitionid: parent.wire.partitionid.clone(),
        projectid: spec.project,
        labels: spec.labels,
        shared: spec.shared,
        prefixes: prefixes.iter().map(ToString::to_string).collect(),
        destinationprefixes: spec.destination_prefixes,
        nat: spec.nat,
        vrf: u64::from(vrf),
        parentnetworkid: Some(parent.id().to_owned()),
        networktype: Some(if spec.shared { "child-shared" } else { "child" }.to_owned()),
        nattype: nat_type(spec.nat),
        created: world.now.into(),
        changed: world.now.into(),
        ..Network::default()
    };
    world.networks.insert(NetworkRow { wire, prefixes });
    world.refresh_usage(&id);
    Ok(id)
}

fn acquire(world: &mut World, parent: &NetworkRow, v4: bool, length: u8) -> Result<ipnet::IpNet, Refusal> {
    let mut last = None;
    for prefix in parent.of_family(v4) {
        match world.ipam.acquire_child(prefix, length) {
            Ok(child) => return Ok(child),
            Err(error) => last = Some(error),
        }
    }
    let reason = last.map_or_else(|| format!("no prefix found of {}", family_name(v4)), |error| error.to_string());
    Err(Refusal::unprocessable(format!("cannot allocate free child prefix in ipam: {reason}")))
}

/// Only the address management protects a network. Of two prefixes the first may be gone when the second fails.
pub(in crate::api) fn free(ctx: &mut Ctx<'_>) -> Answer {
    let row = ctx.world.network(ctx.param())?.clone();
    let failed = |error: IpamError| Refusal::unprocessable(format!("unable to release child prefix: {error}"));
    for prefix in &row.prefixes {
        match ctx.world.ipam.release_child(*prefix) {
            // What an earlier try already gave back.
            Ok(()) | Err(IpamError::UnknownPrefix(_)) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    ctx.world.release_vrf(row.wire.vrf);
    ctx.world.networks.remove(row.id());
    if let Some(parent) = &row.wire.parentnetworkid {
        ctx.world.refresh_usage(parent);
    }
    ctx.world.note(format!("freed network {}", row.id()));
    let zero = |usage: &Option<Usage>| usage.as_ref().map(|_| Usage::default());
    let consumption = Consumption { ipv4: zero(&row.wire.consumption.ipv4), ipv6: zero(&row.wire.consumption.ipv6) };
    Reply::ok(&Network { usage: Usage::default(), consumption, ..row.wire })
}
