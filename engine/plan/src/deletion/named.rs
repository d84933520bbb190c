//! What a lock or a tombstone names, as targets of a free.

use crate::committed::{Committed, committed, successor};
use model::lock::{Firewall, Values};
use model::request::Target;
use model::{Origin, Slot};
use std::net::IpAddr;

/// All values, the firewall's successor among them.
pub(super) fn named(values: &Values) -> Vec<Committed> {
    committed(values).into_iter().chain(successor(values)).collect()
}

/// Whether the engine allocated it, and so frees it.
pub(super) fn is_ours(value: &Committed) -> bool {
    match value.origin {
        Origin::Allocated => true,
        Origin::Adopted | Origin::Delegated | Origin::Spec => false,
    }
}

/// Takes out of the values what is gone from metal-api. A successor takes the place of its firewall.
pub(super) fn strike(values: &mut Values, is_gone: impl Fn(&Slot, &Target) -> bool) {
    let gone: Vec<Committed> = named(values).into_iter().filter(|value| is_gone(&value.slot, &value.target)).collect();
    let is_struck = |target: &Target| gone.iter().any(|value| value.target == *target);
    let network = |id: &model::NetworkId| is_struck(&Target::Network(id.clone()));
    let address = |address: IpAddr, allocation: &model::Allocation| {
        is_struck(&Target::Ip { address, allocation: allocation.clone() })
    };
    let machine = |id: &model::MachineId, allocation: &model::Allocation| {
        is_struck(&Target::Machine { id: id.clone(), allocation: allocation.clone() })
    };
    values.node_network.take_if(|value| network(&value.id));
    values.vip.take_if(|value| address(IpAddr::V4(value.address), &value.allocation));
    values.egress_ips.retain(|value| !address(value.address, &value.allocation));
    let Some(mut firewall) = values.firewall.take() else { return };
    firewall.successor.take_if(|next| machine(&next.id, &next.allocation));
    values.firewall = if machine(&firewall.id, &firewall.allocation) {
        let Firewall { networks, origin, .. } = firewall;
        firewall.successor.map(|next| {
            let model::lock::Successor { id, allocation, generation, image, inputs } = next;
            Firewall { id, allocation, generation, image, networks, origin, inputs, successor: None }
        })
    } else {
        Some(firewall)
    };
}
