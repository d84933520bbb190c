//! The find filters: equality on stored fields, all of them; a list means all of its elements.

mod machine;

pub(super) use machine::machines;

use super::{keys, network::parse_family};
use crate::{
    refusal::Refusal,
    world::{IpRow, MACHINE_TAG, NetworkRow, World},
};
use ipnet::IpNet;
use metal_api::wire::{IpFindRequest, NetworkFindRequest};

/// A field that was not asked for, or is what was asked.
fn is<T: PartialEq<U> + ?Sized, U>(value: &T, asked: &Option<U>) -> bool {
    asked.as_ref().is_none_or(|asked| value == asked)
}

/// Terms for the index, from what was asked.
fn term(terms: &mut Vec<String>, name: &str, asked: &Option<String>) {
    terms.extend(asked.iter().map(|value| format!("{name}={value}")));
}

pub(super) fn networks(world: &World, request: &NetworkFindRequest) -> Result<Vec<String>, Refusal> {
    let mut terms = Vec::new();
    term(&mut terms, "project", &request.projectid);
    term(&mut terms, "partition", &request.partitionid);
    term(&mut terms, "parent", &request.parentnetworkid);
    term(&mut terms, "name", &request.name);
    terms.extend(request.labels.iter().flatten().map(|(key, value)| format!("label={key}={value}")));
    let prefixes = cidrs(&request.prefixes)?;
    let destinations = cidrs(&request.destinationprefixes)?;
    let family = request.addressfamily.as_deref().filter(|family| !family.is_empty());
    let family = match family {
        Some(text) => Some(
            parse_family(text).ok_or_else(|| Refusal::bad_request(format!("given addressfamily:{text} is invalid")))?,
        ),
        None => None,
    };
    let wanted = |row: &&NetworkRow| {
        let wire = &row.wire;
        is(&wire.id, &request.id)
            && is(&wire.nat, &request.nat)
            && is(&wire.privatesuper, &request.privatesuper)
            && is(&wire.underlay, &request.underlay)
            && is(&wire.vrf, &request.vrf)
            && family.is_none_or(|v4| row.has_family(v4))
            && match_prefixes(&wire.prefixes, &prefixes)
            && match_prefixes(&wire.destinationprefixes, &destinations)
    };
    Ok(keys(world.networks.with_terms(&terms).filter(wanted)))
}

fn cidrs(texts: &Option<Vec<String>>) -> Result<Vec<IpNet>, Refusal> {
    let parse = |text: &String| text.parse().map_err(|_| Refusal::bad_request(format!("invalid CIDR address: {text}")));
    texts.iter().flatten().map(parse).collect()
}

/// Address and length are looked up independently of each other, as the server does.
fn match_prefixes(have: &[String], asked: &[IpNet]) -> bool {
    let parts = |text: &String| text.parse::<IpNet>().ok().map(|net| (net.addr(), net.prefix_len()));
    let have: Vec<_> = if asked.is_empty() { Vec::new() } else { have.iter().filter_map(parts).collect() };
    asked.iter().all(|asked| {
        have.iter().any(|(addr, _)| *addr == asked.addr())
            && have.iter().any(|(_, length)| *length == asked.prefix_len())
    })
}

pub(super) fn ips(world: &World, request: &IpFindRequest) -> Result<Vec<String>, Refusal> {
    let mut terms = Vec::new();
    term(&mut terms, "project", &request.projectid);
    term(&mut terms, "network", &request.networkid);
    term(&mut terms, "prefix", &request.networkprefix);
    terms.extend(request.tags.iter().flatten().map(|tag| format!("tag={tag}")));
    terms.extend(request.machineid.iter().map(|id| format!("tag={MACHINE_TAG}={id}")));
    let family = request.addressfamily.as_deref().filter(|family| !family.is_empty());
    let v4 = match family {
        Some(text) => Some(
            parse_family(text).ok_or_else(|| Refusal::bad_request(format!("given addressfamily:{text} is invalid")))?,
        ),
        None => None,
    };
    let wanted = |row: &&IpRow| {
        let wire = &row.wire;
        is(&wire.ipaddress, &request.ipaddress)
            && is(&wire.allocationuuid, &request.allocationuuid)
            && is(&wire.name, &request.name)
            && is(&wire.r#type, &request.r#type)
            && v4.is_none_or(|v4| v4 != wire.ipaddress.contains(':'))
    };
    Ok(keys(world.ips.with_terms(&terms).filter(wanted)))
}
