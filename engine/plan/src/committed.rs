//! The values of a lock, one by one, as they are looked for in metal-api.

use model::lock::{ClusterLock, Firewall, Values};
use model::request::Target;
use model::{Origin, Slot};

/// One value of a lock.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub(crate) slot: Slot,
    pub(crate) target: Target,
    pub(crate) origin: Origin,
}

impl Committed {
    pub(crate) fn id(&self) -> String {
        self.target.to_string()
    }

    /// What a lock names for a slot.
    pub(crate) fn of(lock: &ClusterLock, slot: &Slot) -> Option<Self> {
        committed(&lock.values).into_iter().find(|value| value.slot.same(slot))
    }
}

/// The slots that a lock names, with what fills them. A firewall's successor is none: it fills nothing yet.
pub(crate) fn committed(values: &Values) -> Vec<Committed> {
    let Values {
        node_network,
        vip,
        egress_ips,
        firewall,
        kubernetes: _,
        images: _,
        autoscaled_pools: _,
        empty_pools: _,
    } = values;
    let mut all = Vec::new();
    all.extend(node_network.as_ref().map(|n| Committed {
        slot: Slot::Network,
        target: Target::Network(n.id.clone()),
        origin: n.origin,
    }));
    all.extend(vip.as_ref().map(|v| Committed {
        slot: Slot::Vip,
        target: Target::Ip { address: v.address.into(), allocation: v.allocation.clone() },
        origin: v.origin,
    }));
    all.extend(egress_ips.iter().map(|e| Committed {
        slot: Slot::Egress(e.network.clone()),
        target: Target::Ip { address: e.address, allocation: e.allocation.clone() },
        origin: e.origin,
    }));
    all.extend(firewall.as_ref().map(|f| Committed {
        slot: firewall_slot(f),
        target: Target::Machine { id: f.id.clone(), allocation: f.allocation.clone() },
        origin: f.origin,
    }));
    all
}

/// The firewall that is on its way, where the lock names one.
pub(crate) fn successor(values: &Values) -> Option<Committed> {
    let firewall = values.firewall.as_ref()?;
    let next = firewall.successor.as_ref()?;
    Some(Committed {
        slot: Slot::Firewall(next.generation.max(1)),
        target: Target::Machine { id: next.id.clone(), allocation: next.allocation.clone() },
        origin: firewall.origin,
    })
}

/// An adopted one has no generation and stands in the slot of the first.
pub(crate) fn firewall_slot(firewall: &Firewall) -> Slot {
    Slot::Firewall(firewall.generation.max(1))
}
