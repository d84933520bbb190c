//! What a policy allows a cluster to have: how much of everything, and which external networks.

use super::{NETWORK, OVER_LIMIT, choice};
use crate::resolve::Case;
use model::NetworkId;
use model::definition::FirewallMode;
use model::policy::PolicyLimits;

pub(super) fn limits(case: &mut Case<'_>) {
    let Some(PolicyLimits { control_plane_replicas, pools, pool_replicas, machines }) =
        case.policy().map(|policy| policy.spec.limits)
    else {
        return;
    };
    let Case { effective, report, .. } = case;
    let policy = &effective.policy;
    let mut over = |field: &str, what: &str, is: usize, limit: Option<u32>| {
        if let Some(limit) = limit.filter(|limit| is > *limit as usize) {
            let message = format!("{what}: {is}; policy `{policy}` allows 1 to {limit}");
            report.error(OVER_LIMIT, field, message).mend(format!("use at most {limit}, or another policy"));
        }
    };
    let control_plane = effective.control_plane.replicas.value as usize;
    over("spec.controlPlane.replicas", "replicas of the control plane", control_plane, control_plane_replicas);
    over("spec.pools", "pools", effective.pools.len(), pools);
    for (index, pool) in effective.pools.iter().enumerate() {
        let field = if pool.autoscale.is_some() { "max" } else { "replicas" };
        let what = format!("machines in pool `{}`", pool.name);
        over(&format!("spec.pools[{index}].{field}"), &what, pool.most() as usize, pool_replicas);
    }
    let all = control_plane + effective.pools.iter().map(|pool| pool.most() as usize).sum::<usize>();
    over("spec.pools", "machines of control plane and pools together", all, machines);
}

/// What the lock names already stays.
pub(super) fn networks(case: &mut Case<'_>) {
    let partition = case.policy().and_then(|policy| policy.partition(&case.identity.partition));
    let Some(allowed) = partition.map(|p| p.networks.clone()).filter(|networks| !networks.is_empty()) else { return };
    let Case { effective, identity, lock, report, .. } = case;
    let values = lock.map(|lock| &lock.values);
    let is_held = |network: &NetworkId| {
        let of_firewall = || values.and_then(|v| v.firewall.as_ref()).is_some_and(|f| f.networks.contains(network));
        values.and_then(|v| v.vip.as_ref()).is_some_and(|vip| vip.network == *network) || of_firewall()
    };
    let mut named = vec![("spec.vip.network".to_owned(), &effective.vip.network.value)];
    // The firewall that a person made is in the networks that this person chose.
    if effective.firewall.mode.value != FirewallMode::External {
        let of_firewall = effective.firewall.networks.value.iter().enumerate();
        named.extend(of_firewall.map(|(i, network)| (format!("spec.firewall.networks[{i}]"), network)));
    }
    let of_ccm = effective.ccm.as_ref().and_then(|ccm| ccm.default_external_network.as_ref());
    named.extend(of_ccm.map(|network| ("spec.addons.ccm.defaultExternalNetwork".to_owned(), network)));
    for (field, network) in named.into_iter().filter(|(_, network)| !allowed.contains(network) && !is_held(network)) {
        let message = format!(
            "network `{network}` is not one that policy `{}` offers in partition `{}`",
            effective.policy, identity.partition
        );
        report.error(NETWORK, &field, message).mend(choice(network.as_str(), allowed.iter().map(NetworkId::as_str)));
    }
}
