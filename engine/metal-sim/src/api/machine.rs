//! Machines and firewalls after their allocation: read, update, power, state, reinstall, free.

use super::{Answer, Ctx, Reply, allocate::machine_tags, find, keys};
use crate::{
    events::EventKind,
    refusal::Refusal,
    sim::MACHINE_STATES,
    world::{MACHINE_TAG, World},
};
use metal_api::wire::{
    FirewallFindRequest, MachineFindRequest, MachineReinstallRequest, MachineState, MachineUpdateRequest,
};

pub(super) fn get(ctx: &mut Ctx<'_>) -> Answer {
    let id = ctx.param().to_owned();
    ctx.machine_reply(&id)
}

pub(super) fn list(ctx: &mut Ctx<'_>) -> Answer {
    let all = keys(ctx.world.machines.iter());
    machines_reply(ctx, all)
}

pub(super) fn find(ctx: &mut Ctx<'_>) -> Answer {
    let request: MachineFindRequest = ctx.body()?;
    let found = find::machines(ctx.world, &request, None);
    machines_reply(ctx, found)
}

pub(super) fn get_firewall(ctx: &mut Ctx<'_>) -> Answer {
    if ctx.world.machine(ctx.param())?.role() != Some("firewall") {
        return Err(Refusal::new(404, "machine is not a firewall"));
    }
    get(ctx)
}

pub(super) fn list_firewalls(ctx: &mut Ctx<'_>) -> Answer {
    let all = find::machines(ctx.world, &FirewallFindRequest::default(), Some("firewall"));
    machines_reply(ctx, all)
}

pub(super) fn find_firewalls(ctx: &mut Ctx<'_>) -> Answer {
    let request: FirewallFindRequest = ctx.body()?;
    let found = find::machines(ctx.world, &request, Some("firewall"));
    machines_reply(ctx, found)
}

fn machines_reply(ctx: &mut Ctx<'_>, ids: Vec<String>) -> Answer {
    let World { machines, rng, .. } = &mut *ctx.world;
    Ok(Reply { status: 200, body: machines.json_list(ids, rng) })
}

/// An empty tag list is ignored; another one replaces the user's part.
pub(super) fn update(ctx: &mut Ctx<'_>) -> Answer {
    let request: MachineUpdateRequest = ctx.body()?;
    let id = request.id.unwrap_or_default();
    if ctx.world.machine(&id)?.wire.allocation.is_none() {
        return Err(Refusal::bad_request("only allocated machines can be updated"));
    }
    let now = ctx.world.now;
    ctx.world.machines.update(&id, |row| {
        if let Some(description) = request.description {
            row.wire.description = description;
        }
        let networks = row.wire.allocation.as_ref().map(|allocation| allocation.networks.clone()).unwrap_or_default();
        if let Some(tags) = request.tags.filter(|tags| !tags.is_empty()) {
            row.wire.tags = machine_tags(row, &tags, &networks);
        }
        if let (Some(keys), Some(allocation)) = (request.ssh_pub_keys, row.wire.allocation.as_mut()) {
            allocation.ssh_pub_keys = Some(keys);
        }
        row.wire.changed = now.into();
    });
    ctx.world.note(format!("changed machine {id}"));
    ctx.machine_reply(&id)
}

/// Works on a machine that nobody has, too; has no precondition.
pub(super) fn free(ctx: &mut Ctx<'_>) -> Answer {
    let id = ctx.param().to_owned();
    let row = ctx.world.machine(&id)?;
    if row.wire.state.value == "LOCKED" {
        return Err(Refusal::unprocessable("machine is locked"));
    }
    let kind = row.role().unwrap_or("machine").to_owned();
    let networks = row.wire.allocation.iter().flat_map(|allocation| &allocation.networks);
    let asn = networks.clone().next().map(|network| network.asn);
    let mut ips: Vec<String> = networks.flat_map(|network| network.ips.iter().cloned()).collect();
    let tagged = [format!("tag={MACHINE_TAG}={id}")];
    ips.extend(keys(ctx.world.ips.with_terms(&tagged)));
    ips.sort_unstable();
    ips.dedup();
    ctx.world.machines.update(&id, |row| {
        row.wire.allocation = None;
        row.wire.tags.clear();
        row.waiting = false;
    });
    if let Some(asn) = asn {
        ctx.world.release_asn(asn);
    }
    ctx.world.release_ips_later(&id, ips);
    ctx.world.reclaim(&id);
    ctx.world.note(format!("freed {kind} {id}"));
    ctx.machine_reply(&id)
}

/// The image id is looked up as it is: a shorthand is not resolved.
pub(super) fn reinstall(ctx: &mut Ctx<'_>) -> Answer {
    let id = ctx.param().to_owned();
    let request: MachineReinstallRequest = ctx.body()?;
    let row = ctx.world.machine(&id)?;
    let imageid = request.imageid.unwrap_or_default();
    let Some(allocation) =
        row.wire.allocation.as_ref().filter(|_| row.wire.state.value != "LOCKED" && !imageid.is_empty())
    else {
        let text = "machine either locked, not allocated yet or invalid image ID specified";
        return Err(Refusal::bad_request(text));
    };
    let image = ctx.world.catalog.images.get(&imageid).cloned().ok_or_else(|| Refusal::no("image", &imageid))?;
    let layout = allocation.filesystemlayout.clone().unwrap_or_default();
    if !layout.disks.iter().any(|disk| disk.wipeonreinstall) {
        let text = format!("filesystemlayout:{} is not reinstallable, abort reinstallation", layout.id);
        return Err(Refusal::unprocessable(text));
    }
    ctx.world.machines.update(&id, |row| {
        if let Some(allocation) = &mut row.wire.allocation {
            allocation.image = Some(image);
            allocation.reinstall = true;
        }
    });
    ctx.world.receive(&id, EventKind::PlannedReboot, "reinstall");
    ctx.world.go_on(&id);
    ctx.world.note(format!("changed machine {id}"));
    ctx.machine_reply(&id)
}

pub(super) fn set_state(ctx: &mut Ctx<'_>) -> Answer {
    let id = ctx.param().to_owned();
    let state: MachineState = ctx.body()?;
    if !MACHINE_STATES.contains(&state.value.as_str()) {
        return Err(Refusal::bad_request(format!("unknown state: {}", state.value)));
    }
    if !state.value.is_empty() && state.description.is_empty() {
        return Err(Refusal::bad_request("you must supply a description"));
    }
    ctx.world.machine(&id)?;
    let (now, issuer) = (ctx.world.now, ctx.user.email());
    ctx.world.machines.update(&id, |row| {
        let hammer = std::mem::take(&mut row.wire.state.metal_hammer_version);
        let issuer = Some(issuer).filter(|_| !state.value.is_empty());
        row.wire.state = MachineState { issuer, metal_hammer_version: hammer, ..state };
        row.wire.changed = now.into();
    });
    ctx.world.note(format!("changed machine {id}"));
    ctx.machine_reply(&id)
}

pub(super) fn power_on(ctx: &mut Ctx<'_>) -> Answer {
    let id = known(ctx)?;
    if ctx.world.machine(&id)?.silent {
        ctx.world.set_liveliness(&id, "Alive");
    }
    power(ctx, &id)
}

pub(super) fn power_off(ctx: &mut Ctx<'_>) -> Answer {
    let id = known(ctx)?;
    ctx.world.receive(&id, EventKind::PlannedReboot, "off");
    ctx.world.silence(&id);
    power(ctx, &id)
}

pub(super) fn power_reset(ctx: &mut Ctx<'_>) -> Answer {
    reboot(ctx, "reset")
}

pub(super) fn power_cycle(ctx: &mut Ctx<'_>) -> Answer {
    reboot(ctx, "cycle")
}

fn reboot(ctx: &mut Ctx<'_>, how: &str) -> Answer {
    let id = known(ctx)?;
    ctx.world.receive(&id, EventKind::PlannedReboot, how);
    ctx.world.go_on(&id);
    power(ctx, &id)
}

/// bios, disk, pxe: the next boot's device, of which nothing shows.
pub(super) fn power_boot_device(ctx: &mut Ctx<'_>) -> Answer {
    let id = known(ctx)?;
    power(ctx, &id)
}

pub(super) fn led_on(ctx: &mut Ctx<'_>) -> Answer {
    led(ctx, "LED-ON")
}

pub(super) fn led_off(ctx: &mut Ctx<'_>) -> Answer {
    led(ctx, "LED-OFF")
}

fn led(ctx: &mut Ctx<'_>, value: &str) -> Answer {
    let id = known(ctx)?;
    ctx.world.machines.update(&id, |row| value.clone_into(&mut row.wire.ledstate.value));
    power(ctx, &id)
}

fn known(ctx: &Ctx<'_>) -> Result<String, Refusal> {
    ctx.world.machine(ctx.param()).map(|row| row.wire.id.clone())
}

fn power(ctx: &mut Ctx<'_>, id: &str) -> Answer {
    ctx.world.note(format!("changed machine {id}"));
    ctx.machine_reply(id)
}
