//! CIDRs, and who fills which slot.

use super::{DELEGATE, OVERLAP, PREFIX_LENGTH, SLOT_MODE};
use crate::issue::Report;
use crate::resolve::Case;
use model::Cidr;
use model::definition::{FirewallMode, SlotMode};
use std::net::IpAddr;

/// Shorter ones no partition has, longer ones hold no machine.
const LENGTHS: std::ops::RangeInclusive<u8> = 8..=30;

/// Pods, services, node prefixes and VIP of one cluster; the last two where the lock or the definition knows them.
pub(super) fn overlaps(case: &mut Case<'_>) {
    let Case { effective, lock, report, .. } = case;
    let (pods, services) = (effective.pods.value, effective.services.value);
    if pods.overlaps(&services) {
        let message = format!("services {services} overlap pods {pods}");
        report.error(OVERLAP, "spec.network.services", message).mend("choose ranges apart from each other");
    }
    let values = lock.map(|l| &l.values);
    let prefixes: Vec<Cidr> =
        values.and_then(|v| v.node_network.as_ref()).map(|n| n.prefixes.clone()).unwrap_or_default();
    let locked = values.and_then(|v| v.vip.as_ref()).map(|v| v.address);
    let vip = effective.vip.address.or(locked).map(IpAddr::V4);
    for (field, what, cidr) in [("pods", "pods", pods), ("services", "services", services)] {
        let field = format!("spec.network.{field}");
        for prefix in prefixes.iter().filter(|p| p.overlaps(&cidr)) {
            let message = format!("{what} {cidr} overlap the node prefix {prefix}");
            report.error(OVERLAP, &field, message).mend("choose a range apart from the node network");
        }
        if let Some(vip) = vip.filter(|vip| cidr.contains(*vip)) {
            let message = format!("{what} {cidr} contain the VIP {vip}");
            report.error(OVERLAP, &field, message).mend("choose a range apart from the VIP");
        }
    }
    if let Some((vip, prefix)) = vip.and_then(|vip| prefixes.iter().find(|p| p.contains(vip)).map(|p| (vip, p))) {
        let message = format!("the VIP {vip} lies in the node prefix {prefix}");
        report.error(OVERLAP, "spec.vip.address", message).mend("take an address of an external network");
    }
}

pub(super) fn node_network(case: &mut Case<'_>) {
    if let Some(length) = case.effective.nodes.length.filter(|l| !LENGTHS.contains(l)) {
        let message = format!("/{length} is no length of a node network");
        case.report.error(PREFIX_LENGTH, "spec.network.nodes.length", message).mend("use 22, or leave it out");
    }
}

/// What is adopted is named; a name without adoption would silently mean nothing.
pub(super) fn modes(case: &mut Case<'_>) {
    let Case { effective, report, .. } = case;
    let (nodes, vip, firewall) = (&effective.nodes, &effective.vip, &effective.firewall);
    named(report, nodes.mode.value == SlotMode::Adopt, nodes.id.is_some(), "spec.network.nodes", "id", "adopt");
    named(
        report,
        firewall.mode.value == FirewallMode::External,
        firewall.machine.is_some(),
        "spec.firewall",
        "machineID",
        "external",
    );
    if vip.mode.value == SlotMode::Adopt && vip.address.is_none() {
        report.error(SLOT_MODE, "spec.vip.mode", "mode `adopt` without an address").mend("set spec.vip.address");
    }
    if nodes.mode.value != SlotMode::Allocate && nodes.length.is_some() {
        report
            .error(
                SLOT_MODE,
                "spec.network.nodes.length",
                "a length is asked for only where the engine allocates the network",
            )
            .mend("remove it, or set spec.network.nodes.mode to allocate");
    }
}

fn named(report: &mut Report<'_>, is_mode: bool, has_name: bool, at: &str, name: &str, mode: &str) {
    if is_mode && !has_name {
        let message = format!("mode `{mode}` without `{name}`");
        report.error(SLOT_MODE, &format!("{at}.mode"), message).mend(format!("set {at}.{name}"));
    } else if has_name && !is_mode {
        let message = format!("`{name}` is used with mode `{mode}` only");
        report
            .error(SLOT_MODE, &format!("{at}.{name}"), message)
            .mend(format!("set {at}.mode to {mode}, or remove it"));
    }
}

/// R7: what is rendered, or allocated by the engine, must not need what only the provider will know.
pub(super) fn delegates(case: &mut Case<'_>) {
    let Case { effective, report, .. } = case;
    if effective.vip.mode.value == SlotMode::Delegate {
        report
            .error(
                DELEGATE,
                "spec.vip.mode",
                "the VIP cannot be delegated: kube-vip's manifest needs the address before the first machine is there",
            )
            .mend("use allocate or adopt");
    }
    if effective.nodes.mode.value != SlotMode::Delegate {
        return;
    }
    if effective.ccm.is_some() {
        report
            .error(
                DELEGATE,
                "spec.network.nodes.mode",
                "the node network cannot be delegated: the cloud controller manager's manifest needs its id",
            )
            .mend("use allocate or adopt, or set spec.addons.ccm.enabled to false");
    }
    if effective.firewall.mode.value == FirewallMode::Engine {
        report
            .error(
                DELEGATE,
                "spec.network.nodes.mode",
                "the node network cannot be delegated where the engine allocates the firewall, which is part of it",
            )
            .mend("use allocate or adopt, or set spec.firewall.mode to deployment");
    }
}
