//! Allocation of machines and firewalls: metal-api's checks, in its order and with its statuses and words.

mod networks;
mod placement;
mod spec;

pub(super) use placement::reservations;
pub(super) use spec::machine_tags;

use super::{Answer, Ctx, address::sorted};
use crate::{
    refusal::Refusal,
    world::{IpRow, MACHINE_TAG, NetworkRow, World},
};
use ipnet::IpNet;
use metal_api::wire::{Allocation, Ip, MachineAllocateRequest, MachineNetwork};
use networks::{Gathered, gather};
use spec::Spec;
use std::net::IpAddr;

pub(super) fn machine(ctx: &mut Ctx<'_>) -> Answer {
    allocate(ctx, "machine")
}

pub(super) fn firewall(ctx: &mut Ctx<'_>) -> Answer {
    allocate(ctx, "firewall")
}

/// One transaction: what it took before a failure goes back the asynchronous way.
fn allocate(ctx: &mut Ctx<'_>, role: &'static str) -> Answer {
    let request: MachineAllocateRequest = ctx.body()?;
    let spec = Spec::check(ctx.world, request, role)?;
    let machine = placement::elect(ctx.world, &spec)?;
    spec.check_layout_fits(ctx.world.machine(&machine)?)?;
    let networks = gather(ctx.world, &spec).map_err(|refusal| refusal.within("unable to gather networks:"))?;
    let mut taken = Vec::new();
    let attached = match attach(ctx.world, &spec, &machine, &networks, &mut taken) {
        Ok(attached) => attached,
        Err(refusal) => {
            ctx.world.release_ips_later(&machine, taken);
            return Err(refusal.within("unable to make networks:"));
        }
    };
    let creator = ctx.user.email();
    commit(ctx.world, spec, &machine, attached, creator);
    ctx.world.note(format!("created {role} {machine}"));
    ctx.machine_reply(&machine)
}

/// Takes the addresses and one ASN for all networks.
fn attach(
    world: &mut World,
    spec: &Spec,
    machine: &str,
    networks: &[Gathered],
    taken: &mut Vec<String>,
) -> Result<Vec<MachineNetwork>, Refusal> {
    let mut addresses = Vec::new();
    for gathered in networks {
        let mut ips: Vec<String> = gathered.ips.iter().map(ToString::to_string).collect();
        if gathered.autoacquire {
            for v4 in [true, false].into_iter().filter(|v4| gathered.network.has_family(*v4)) {
                let (prefix, ip) = world.acquire_ip(&gathered.network, v4)?;
                add_ip(world, spec, machine, &gathered.network, prefix, ip);
                taken.push(ip.to_string());
                ips.push(ip.to_string());
            }
        }
        addresses.push(ips);
    }
    let tag = format!("{MACHINE_TAG}={machine}");
    for ip in networks.iter().flat_map(|gathered| &gathered.ips) {
        world.ips.update(&ip.to_string(), |row| {
            row.wire.tags = sorted(std::mem::take(&mut row.wire.tags).into_iter().chain([tag.clone()]));
        });
    }
    let asn = world.acquire_asn()?;
    Ok(networks.iter().zip(addresses).map(|(gathered, ips)| model(gathered, ips, asn)).collect())
}

fn add_ip(world: &mut World, spec: &Spec, machine: &str, network: &NetworkRow, prefix: IpNet, ip: IpAddr) {
    let wire = Ip {
        ipaddress: ip.to_string(),
        allocationuuid: world.uuid(),
        networkid: network.id().to_owned(),
        projectid: spec.project.clone(),
        r#type: "ephemeral".to_owned(),
        tags: vec![format!("{MACHINE_TAG}={machine}")],
        name: spec.name.clone(),
        description: "autoassigned".to_owned(),
        created: world.now.into(),
        changed: world.now.into(),
    };
    world.ips.insert(IpRow { wire, prefix });
}

fn model(gathered: &Gathered, ips: Vec<String>, asn: i64) -> MachineNetwork {
    let network = &gathered.network.wire;
    MachineNetwork {
        networkid: network.id.clone(),
        prefixes: network.prefixes.clone(),
        ips,
        destinationprefixes: network.destinationprefixes.clone(),
        networktype: gathered.kind.as_str().to_owned(),
        vrf: network.vrf,
        asn,
        nat: network.nat,
        private: gathered.kind.is_private(),
        underlay: network.underlay,
        projectid: network.projectid.clone(),
        networktypev2: network.networktype.clone().unwrap_or_default(),
        nattypev2: network.nattype.clone().unwrap_or_default(),
    }
}

fn commit(world: &mut World, spec: Spec, machine: &str, networks: Vec<MachineNetwork>, creator: String) {
    let now = world.now;
    let allocationuuid = world.uuid();
    world.machines.update(machine, |row| {
        row.wire.tags = machine_tags(row, &spec.tags, &networks);
        row.wire.allocation = Some(Allocation {
            creator,
            created: now.into(),
            name: spec.name,
            description: spec.description,
            project: spec.project,
            image: Some(spec.image),
            filesystemlayout: Some(spec.layout),
            networks,
            hostname: spec.hostname,
            ssh_pub_keys: spec.ssh_pub_keys,
            user_data: spec.user_data,
            role: spec.role.to_owned(),
            allocationuuid,
            firewall_rules: spec.firewall_rules,
            dns_servers: spec.dns_servers,
            ntp_servers: spec.ntp_servers,
            ..Allocation::default()
        });
        row.wire.changed = now.into();
        row.waiting = false;
        row.generation += 1;
    });
    world.go_on(machine);
}
