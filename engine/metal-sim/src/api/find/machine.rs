//! The find filter of machines and firewalls.

use super::{is, term};
use crate::{
    api::keys,
    world::{MachineRow, World},
};
use metal_api::wire::{Allocation, Hardware, MachineFindRequest, MachineNetwork, Nic};

/// `role` overrides what was asked: the firewall routes force it.
pub(in crate::api) fn machines(world: &World, request: &MachineFindRequest, role: Option<&str>) -> Vec<String> {
    let mut terms = Vec::new();
    let role = role.map(str::to_owned).or_else(|| request.allocation_role.clone());
    term(&mut terms, "role", &role);
    term(&mut terms, "project", &request.allocation_project);
    term(&mut terms, "name", &request.allocation_name);
    term(&mut terms, "hostname", &request.allocation_hostname);
    term(&mut terms, "partition", &request.partition_id);
    terms.extend(request.tags.iter().flatten().map(|tag| format!("tag={tag}")));
    terms.extend(request.network_ids.iter().flatten().map(|id| format!("network={id}")));
    if let Some(id) = &request.id {
        let found = world.machines.get(id).filter(|row| terms.iter().all(|term| has(row, term)));
        return keys(found.into_iter().filter(|row| wanted(row, request)));
    }
    keys(world.machines.with_terms(&terms).filter(|row| wanted(row, request)))
}

fn has(row: &MachineRow, term: &str) -> bool {
    use crate::table::Row;
    row.terms().contains(term)
}

fn wanted(row: &MachineRow, request: &MachineFindRequest) -> bool {
    let wire = &row.wire;
    is(&wire.id, &request.id)
        && is(&wire.name, &request.name)
        && is(row.size(), &request.sizeid)
        && is(&wire.rackid, &request.rackid)
        && is(stored_state(&wire.state.value), &request.state_value)
        && is_hardware(&wire.hardware, request)
        && has_no_ipmi(request)
        && is_allocation(wire.allocation.as_ref(), request)
}

/// The store says TAINTED where answers say RESERVED.
fn stored_state(shown: &str) -> &str {
    if shown == "RESERVED" { "TAINTED" } else { shown }
}

/// The simulation has no IPMI data, so nothing is found by it.
fn has_no_ipmi(request: &MachineFindRequest) -> bool {
    let asked = [
        &request.ipmi_address,
        &request.ipmi_mac_address,
        &request.ipmi_user,
        &request.ipmi_interface,
        &request.fru_board_mfg,
        &request.fru_board_mfg_serial,
        &request.fru_board_part_number,
        &request.fru_chassis_part_number,
        &request.fru_chassis_part_serial,
        &request.fru_product_manufacturer,
        &request.fru_product_part_number,
        &request.fru_product_serial,
    ];
    asked.into_iter().all(Option::is_none)
}

fn is_hardware(hardware: &Hardware, request: &MachineFindRequest) -> bool {
    let nics = || hardware.nics.iter();
    let neighbors = || nics().flat_map(|nic| nic.neighbors.iter());
    let mac = |nic: &Nic, asked: &String| nic.mac == *asked;
    let name = |nic: &Nic, asked: &String| nic.name == *asked;
    request.hardware_memory.is_none_or(|memory| u64::try_from(memory) == Ok(hardware.memory))
        && all(&request.nics_mac_addresses, |asked| nics().any(|nic| mac(nic, asked)))
        && all(&request.nics_names, |asked| nics().any(|nic| name(nic, asked)))
        && all(&request.nics_neighbor_mac_addresses, |asked| neighbors().any(|nic| mac(nic, asked)))
        && all(&request.nics_neighbor_names, |asked| neighbors().any(|nic| name(nic, asked)))
        && all(&request.nics_vrfs, |_| false)
        && all(&request.nics_neighbor_vrfs, |_| false)
        && all(&request.disk_names, |asked| hardware.disks.iter().any(|disk| disk.name == *asked))
        && all(&request.disk_sizes, |asked| hardware.disks.iter().any(|disk| u64::try_from(*asked) == Ok(disk.size)))
}

fn is_allocation(allocation: Option<&Allocation>, request: &MachineFindRequest) -> bool {
    let image = |allocation: &Allocation| allocation.image.as_ref().map(|image| image.id.clone());
    let networks = || allocation.into_iter().flat_map(|allocation| allocation.networks.iter());
    let any = |test: &dyn Fn(&MachineNetwork) -> bool| networks().any(test);
    request.allocation_image_id.as_ref().is_none_or(|id| allocation.and_then(image).as_ref() == Some(id))
        && request.allocation_succeeded.is_none_or(|asked| allocation.is_some_and(|found| found.succeeded == asked))
        && all(&request.network_prefixes, |asked| any(&|network| network.prefixes.contains(asked)))
        && all(&request.network_ips, |asked| any(&|network| network.ips.contains(asked)))
        && all(&request.network_destination_prefixes, |asked| {
            any(&|network| network.destinationprefixes.contains(asked))
        })
        && all(&request.network_vrfs, |asked| any(&|network| u64::try_from(*asked) == Ok(network.vrf)))
        && all(&request.network_asns, |asked| any(&|network| network.asn == *asked))
}

fn all<T>(asked: &Option<Vec<T>>, holds: impl Fn(&T) -> bool) -> bool {
    asked.iter().flatten().all(holds)
}
