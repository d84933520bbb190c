//! R21: whether the firewall lets a cluster live.

use super::{EGRESS, REACHABILITY, RULE, SERVICE_NETWORK, VIP_NETWORK, choice};
use crate::issue::Report;
use crate::resolve::Case;
use model::definition::FirewallMode;
use model::rules::{EgressRule, Protocol};
use model::{Cidr, NetworkId};

/// The rules of a firewall that a person made are that person's.
fn is_ours(case: &Case<'_>) -> bool {
    case.effective.firewall.mode.value != FirewallMode::External
}

pub(super) fn rules(case: &mut Case<'_>) {
    let firewall = &case.effective.firewall;
    for (index, rule) in firewall.written_egress.iter().enumerate() {
        one_rule(&mut case.report, &format!("spec.firewall.rules.egress[{index}]"), rule.ports.len(), "to", &rule.to);
    }
    for (index, rule) in firewall.written_ingress.iter().enumerate() {
        one_rule(
            &mut case.report,
            &format!("spec.firewall.rules.ingress[{index}]"),
            rule.ports.len(),
            "from",
            &rule.from,
        );
    }
}

fn one_rule(report: &mut Report<'_>, field: &str, ports: usize, side: &str, cidrs: &[Cidr]) {
    if ports == 0 {
        report.error(RULE, &format!("{field}.ports"), "a rule without ports").mend("name the ports");
    }
    let Some(first) = cidrs.first() else {
        report.error(RULE, &format!("{field}.{side}"), "a rule without CIDRs").mend("0.0.0.0/0 means anywhere");
        return;
    };
    if let Some(index) = cidrs.iter().position(|c| c.family() != first.family()) {
        let message = format!("{} and {first} are of different address families", cidrs[index]);
        report.error(RULE, &format!("{field}.{side}[{index}]"), message).mend("write a rule for each family");
    }
}

pub(super) fn ingress(case: &mut Case<'_>) {
    let port = case.effective.api_port.value;
    let rules = case.effective.firewall.rules(port);
    let admits =
        rules.ingress.iter().any(|r| r.protocol == Protocol::Tcp && r.ports.contains(&port) && !r.from.is_empty());
    if is_ours(case) && !admits {
        let message = format!("no rule lets TCP port {} in, where the Kubernetes API answers", port.get());
        case.report
            .error(REACHABILITY, "spec.firewall.rules", message)
            .mend("add an ingress rule for it, or the preset `base`");
    }
}

pub(super) fn egress(case: &mut Case<'_>) {
    if !is_ours(case) {
        return;
    }
    let Case { effective, around, report, .. } = case;
    let rules = effective.firewall.rules(effective.api_port.value).egress;
    let needs = [
        (443, Protocol::Tcp, "registries answer"),
        (53, Protocol::Tcp, "DNS answers"),
        (53, Protocol::Udp, "DNS answers"),
        (123, Protocol::Udp, "NTP answers"),
    ];
    for (port, protocol, what) in needs {
        if !rules.iter().any(|r| opens(r, port, protocol)) {
            let message = format!("no rule lets {} port {port} out, where {what}", name(protocol));
            report
                .error(REACHABILITY, "spec.firewall.rules", message)
                .mend("add an egress rule for it, or the preset `base`");
        }
    }
    let Some(url) = &around.fleet.spec.metal.node_api_url else { return };
    let (port, cidrs) = (url.port(), &effective.firewall.node_api_cidrs);
    let reaches = |to: &Cidr| rules.iter().any(|r| opens(r, port, Protocol::Tcp) && r.to.iter().any(|c| c.covers(to)));
    let anywhere = || rules.iter().any(|r| opens(r, port, Protocol::Tcp));
    let missing: Vec<_> = cidrs.iter().filter(|to| !reaches(to)).map(Cidr::to_string).collect();
    if !missing.is_empty() || (cidrs.is_empty() && !anywhere()) {
        let at = if missing.is_empty() { String::new() } else { format!(" to {}", missing.join(", ")) };
        let message = format!("no rule lets TCP port {port} out{at}, where nodes reach {}", url.as_str());
        report
            .error(REACHABILITY, "spec.firewall.rules", message)
            .mend("add an egress rule for it, or the preset `base` with nodeApiCIDRs in fleet.yaml");
    }
}

fn opens(rule: &EgressRule, port: u16, protocol: Protocol) -> bool {
    rule.protocol == protocol && !rule.to.is_empty() && rule.ports.iter().any(|p| p.get() == port)
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    }
}

/// An address in a network that the firewall is not part of is announced to nobody.
pub(super) fn vip_network(case: &mut Case<'_>) {
    if !is_ours(case) {
        return;
    }
    let (networks, vip) = (&case.effective.firewall.networks.value, &case.effective.vip.network.value);
    if networks.is_empty() {
        case.report.error(VIP_NETWORK, "spec.firewall.networks", "the list is empty").mend(format!("add `{vip}`"));
    } else if !networks.contains(vip) {
        let list = networks.iter().map(NetworkId::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("the VIP's network `{vip}` is not among the firewall's: {list}");
        case.report.error(VIP_NETWORK, "spec.firewall.networks", message).mend(format!("add `{vip}`"));
    }
    if let Some(index) = (1..networks.len()).find(|i| networks[..*i].contains(&networks[*i])) {
        let message = format!("network `{}` is there twice", networks[index]);
        case.report.error(VIP_NETWORK, &format!("spec.firewall.networks[{index}]"), message).mend("remove one");
    }
}

/// A service's address in a network that the firewall is not part of is reached by nobody.
pub(super) fn service_network(case: &mut Case<'_>) {
    if !is_ours(case) {
        return;
    }
    let Case { effective, report, .. } = case;
    let networks = &effective.firewall.networks.value;
    let network = effective.ccm.as_ref().and_then(|ccm| ccm.default_external_network.as_ref());
    if let Some(network) = network.filter(|network| !networks.contains(network)) {
        let message = format!("network `{network}` is not among the firewall's networks");
        report
            .error(SERVICE_NETWORK, "spec.addons.ccm.defaultExternalNetwork", message)
            .mend(choice(network.as_str(), networks.iter().map(NetworkId::as_str)));
    }
}

pub(super) fn egress_networks(case: &mut Case<'_>) {
    let Case { effective, report, .. } = case;
    let (networks, egress) = (&effective.firewall.networks.value, &effective.firewall.egress);
    for (index, network) in egress.iter().enumerate() {
        let field = format!("spec.firewall.egress[{index}].network");
        if egress[..index].contains(network) {
            let message = format!("network `{network}` is there twice: a firewall has one address of its own in each");
            report.error(EGRESS, &field, message).mend("remove one");
        } else if !networks.contains(network) {
            let message = format!("network `{network}` is not among the firewall's networks");
            let known = networks.iter().map(NetworkId::as_str);
            report.error(EGRESS, &field, message).mend(choice(network.as_str(), known));
        }
    }
    if !egress.is_empty() && effective.firewall.mode.value != FirewallMode::Engine {
        report
            .error(EGRESS, "spec.firewall.egress", "only a firewall that the engine allocates can be given addresses")
            .mend("set spec.firewall.mode to engine, or remove spec.firewall.egress");
    }
}
