//! Who is left: machines of the cluster, and what stands in its node network (R25). Foreign ones are named.

use model::metal::{HaveProject, Ip, Machine};
use model::{NetworkId, tags};

/// Names in one sentence; the rest is counted.
const NAMES_MAX: usize = 5;

/// `a, b and 3 more`; None of nothing.
pub(super) fn list(names: &[String]) -> Option<String> {
    let shown = names.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_MAX) {
        _ if names.is_empty() => None,
        None | Some(0) => Some(shown),
        Some(more) => Some(format!("{shown} and {more} more")),
    }
}

/// The machines that carry the cluster's marks, a sentence.
pub(super) fn machines_of(had: &HaveProject, cluster: &str) -> Option<String> {
    let own = had.machines.iter().filter(|machine| machine.tags.cluster() == Some(cluster));
    let names = list(&own.map(|machine| machine.id.to_string()).collect::<Vec<_>>())?;
    Some(format!("machines of the cluster are not freed yet: {names}"))
}

/// What stands in a network beside `spared`, a sentence each. Addresses matter only where the network is ours to free:
/// what lives in an adopted one is its owner's.
pub(super) fn standing(
    had: &HaveProject,
    network: &NetworkId,
    with_addresses: bool,
    spared: impl Fn(&Machine) -> bool,
) -> Vec<String> {
    let lives = |machine: &&Machine| machine.networks.iter().any(|of| of.network == *network);
    let all = || had.machines.iter().chain(&had.firewalls);
    let strangers: Vec<&Machine> = all().filter(|machine| !spared(machine)).filter(lives).collect();
    let named = |machine: &&Machine| match machine.tags.cluster() {
        Some(name) => format!("{} (tagged for `{name}`)", machine.id),
        None => format!("{} (tagged for no cluster)", machine.id),
    };
    let mut sentences = Vec::new();
    if let Some(names) = list(&strangers.iter().map(named).collect::<Vec<_>>()) {
        sentences.push(format!("machines stand in node network {network}: {names}; free them, or move them away"));
    }
    if with_addresses {
        // The address of a machine that is named, or that may be there, goes with it.
        let known: Vec<&str> =
            strangers.into_iter().chain(all().filter(|m| spared(m))).map(|m| m.id.as_str()).collect();
        let is_left = |ip: &&Ip| {
            let of_known = ip.tags.get(tags::MACHINE_ID).is_some_and(|machine| known.contains(&machine));
            ip.network == *network && !of_known
        };
        let names: Vec<String> = had.ips.iter().filter(is_left).map(address).collect();
        sentences.extend(list(&names).map(|names| format!("addresses are left in node network {network}: {names}")));
    }
    sentences
}

fn address(ip: &Ip) -> String {
    match ip.tags.get(tags::MACHINE_ID) {
        Some(machine) => format!("{} (of machine {machine}, being released)", ip.address),
        None if ip.name.is_empty() => format!("{} (of no machine)", ip.address),
        None => format!("{} (`{}`, of no machine)", ip.address, ip.name),
    }
}
