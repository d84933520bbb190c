//! Whether a firewall is what is wanted now.

use super::{Serving, Slots};
use crate::generations::One;
use crate::settle::is_patched;
use crate::watch::is_dead;
use model::lock::Values;
use model::metal::Machine;
use model::request::{Free, FreeReason, Target};
use model::want::is_firewall_of;
use model::{Digest, tags};

impl Slots<'_> {
    /// Whether the present one was made from what is wanted now; what nobody recorded was.
    pub(super) fn inputs_are_wanted(&self) -> bool {
        let wanted = self.context.wanted;
        if let Some(inputs) = &self.present.inputs {
            return is_firewall_of(&wanted.effective, inputs);
        }
        let Some(lock) = wanted.lock.as_deref() else { return true };
        let Some(before) = lock.rendered.get("firewall") else { return true };
        is_firewall_of(&wanted.effective, before) || is_patched(wanted, lock)
    }

    pub(super) fn is_as_wanted(&self, machine: &Machine) -> bool {
        self.is_made_so(machine) && self.stands_right(machine)
    }

    pub(super) fn is_made_so(&self, machine: &Machine) -> bool {
        let inputs = machine.tags.get(tags::INPUTS).and_then(Digest::parse);
        inputs.is_none_or(|inputs| is_firewall_of(&self.context.wanted.effective, &inputs))
    }

    /// One on its way from settings that a person took back: it would end connections for nothing, and keep another one
    /// from coming. While nothing serves, one that may still come is let.
    pub(super) fn is_unwanted(&self, one: &One<'_>, serving: &Serving<'_>) -> bool {
        let Some(present) = serving.machine else { return false };
        let serves = present.phoned_home && !is_dead(present);
        self.refused.is_none()
            && !one.machine.phoned_home
            && !self.is_made_so(one.machine)
            && (serves || !self.is_in_time(one))
    }

    pub(super) fn free(&self, one: &One<'_>) -> Free {
        Free {
            cluster: self.context.wanted.id.clone(),
            slot: one.slot(),
            project: self.context.wanted.identity.project.clone(),
            target: Target::Machine { id: one.machine.id.clone(), allocation: one.machine.allocation.clone() },
            why: FreeReason::Unwanted,
        }
    }

    /// Whether it is in the committed node network and has the committed egress addresses, as far as it says. A person's
    /// answer to a lost value may have changed them.
    pub(super) fn stands_right(&self, machine: &Machine) -> bool {
        let none = Values::default();
        let values = self.context.wanted.lock.as_deref().map_or(&none, |lock| &lock.values);
        let mut primary = machine.networks.iter().filter(|n| n.kind.is_primary()).peekable();
        let node = values.node_network.as_ref();
        let in_network = primary.peek().is_none() || primary.any(|n| node.is_none_or(|node| n.network == node.id));
        let has_address = |egress: &model::lock::EgressIp| {
            let mut there = machine.networks.iter().filter(|n| n.network == egress.network && !n.ips.is_empty());
            let first = there.next();
            first.is_none_or(|n| n.ips.contains(&egress.address)) || there.any(|n| n.ips.contains(&egress.address))
        };
        in_network && values.egress_ips.iter().all(has_address)
    }
}
