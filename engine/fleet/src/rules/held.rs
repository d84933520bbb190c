//! What a lock holds: until the life of a cluster is built, a change of it is a finding, and nothing is done.

use super::{AUTOSCALED_BACK, IDENTITY_CHANGED, MACHINES_CHANGED, POOL_REMOVED, VALUE_CHANGED};
use crate::issue::{Issue, Report};
use crate::resolve::{Case, is_v4};
use model::definition::{FirewallMode, SlotMode};
use model::lock::{Identity, Values};
use model::want::{Effective, input_digests};
use model::{Origin, Reason};
use std::collections::BTreeSet;
use std::fmt::Display;

/// R9. Name and namespace make the lock's identity: another one of these is another cluster (`across::orphans`).
pub(super) fn identity(case: &mut Case<'_>) {
    let Some(lock) = case.lock else { return };
    let Identity { namespace: _, name: _, management_cluster, project, partition, fleet } = &lock.identity;
    let now = case.identity;
    let fields: [(&str, &str, &dyn Display, &dyn Display, &str); 3] = [
        (
            "spec.target.managementCluster",
            "management cluster",
            management_cluster,
            &now.management_cluster,
            "set it back; moving output would delete the machines here and make new ones there",
        ),
        (
            "spec.metal.project",
            "project",
            project,
            &now.project,
            "set it back; define a new cluster in the other project",
        ),
        (
            "spec.metal.partition",
            "partition",
            partition,
            &now.partition,
            "set it back; define a new cluster in the other partition",
        ),
    ];
    if *fleet != now.fleet {
        let message = format!("the fleet is called `{}`, and what it has carries `{fleet}`", now.fleet);
        let mut issue = Issue::error(IDENTITY_CHANGED, "fleet.yaml", "metadata.name", message);
        issue.mend = format!("set it back to `{fleet}`");
        case.report.issues.push(issue);
    }
    for (field, what, was, is, mend) in fields {
        let (was, is) = (was.to_string(), is.to_string());
        if was != is {
            let message = format!("the {what} of a resolved cluster cannot change from `{was}` to `{is}`");
            case.report.error(IDENTITY_CHANGED, field, message).mend(mend);
        }
    }
}

/// I5: what was resolved does not change silently.
pub(super) fn values(case: &mut Case<'_>) {
    let Some(lock) = case.lock else { return };
    let Values { node_network, vip, egress_ips, firewall, kubernetes, images: _, autoscaled_pools: _, empty_pools: _ } =
        &lock.values;
    let mut held = Held { report: &mut case.report };
    let e = case.effective;
    if let Some(nodes) = node_network {
        held.adopted("spec.network.nodes", "id", e.nodes.mode.value, nodes.origin, e.nodes.id.as_ref(), &nodes.id);
        let was = nodes.prefixes.iter().find(|p| is_v4(p)).map(|p| p.net().prefix_len());
        if let (Some(was), Some(is), Origin::Allocated) = (was, e.nodes.length, nodes.origin) {
            held.same("spec.network.nodes.length", "length of the node network", &was, &is);
        }
    } else if !lock.rendered.is_empty() && e.nodes.mode.value != SlotMode::Delegate {
        // Complete without a network: the provider allocated one.
        held.same("spec.network.nodes.mode", "mode of the node network", &"delegate", &mode(e.nodes.mode.value));
    }
    if let Some(vip) = vip {
        held.adopted("spec.vip", "address", e.vip.mode.value, vip.origin, e.vip.address.as_ref(), &vip.address);
        // Of an adopted one they are facts, not wishes.
        if vip.origin != Origin::Adopted {
            held.same("spec.vip.network", "network of the VIP", &vip.network, &e.vip.network.value);
            let (was, is) =
                (format!("{:?}", vip.kind).to_lowercase(), format!("{:?}", e.vip.kind.value).to_lowercase());
            held.same("spec.vip.type", "type of the VIP", &was, &is);
        }
        held.same("spec.network.apiServerPort", "API port", &vip.port.get(), &e.api_port.value.get());
    }
    if let Some(firewall) = firewall {
        held.firewall(firewall, e);
        let was: BTreeSet<_> = egress_ips.iter().map(|ip| ip.network.to_string()).collect();
        let is: BTreeSet<_> = e.firewall.egress.iter().map(ToString::to_string).collect();
        held.same("spec.firewall.egress", "egress networks", &list(&was), &list(&is));
    } else {
        for gone in egress_ips.iter().filter(|ip| !e.firewall.egress.contains(&ip.network)) {
            held.same("spec.firewall.egress", "egress network", &gone.network, &"");
        }
    }
    if let Some(was) = kubernetes.as_ref().filter(|k| !e.kubernetes.admits(&k.version)) {
        held.same("spec.kubernetes.version", "Kubernetes version", &was.version, &e.kubernetes);
    }
}

/// R23: the definition's number would be a guess, and machines would be freed or bought for it.
pub(super) fn autoscaled_back(case: &mut Case<'_>) {
    let Some(lock) = case.lock else { return };
    for (index, pool) in case.effective.pools.iter().enumerate() {
        if pool.autoscale.is_none() && lock.values.autoscaled_pools.contains(&pool.name) {
            let message = format!(
                "the autoscaler decided how many machines pool `{}` has, and how many these are is not known here",
                pool.name
            );
            let count = pool.machines.replicas.value;
            case.report
                .error(AUTOSCALED_BACK, &format!("spec.pools[{index}].replicas"), message)
                .mend(format!("set min and max to {count} instead: then there are that many"))
                .reason(Reason::Immutable);
        }
    }
}

struct Held<'a, 'b> {
    report: &'a mut Report<'b>,
}

impl Held<'_, '_> {
    fn same(&mut self, field: &str, what: &str, was: &dyn Display, is: &dyn Display) {
        let (was, is) = (was.to_string(), is.to_string());
        if was != is {
            self.report
                .error(VALUE_CHANGED, field, format!("{what}: resolved as {was}, and cannot change to {is} yet"))
                .mend(format!("set it back to {was}"))
                .reason(Reason::Immutable);
        }
    }

    /// Who filled a slot, and with what a person named.
    fn adopted<T: Display + PartialEq>(
        &mut self,
        at: &str,
        name: &str,
        wanted: SlotMode,
        origin: Origin,
        wish: Option<&T>,
        is: &T,
    ) {
        let was = match origin {
            Origin::Allocated | Origin::Spec => SlotMode::Allocate,
            Origin::Adopted => SlotMode::Adopt,
            Origin::Delegated => SlotMode::Delegate,
        };
        if was != wanted {
            self.same(&format!("{at}.mode"), "mode", &mode(was), &mode(wanted));
        } else if let Some(wish) = wish.filter(|wish| *wish != is) {
            self.same(&format!("{at}.{name}"), name, is, wish);
        }
    }

    fn firewall(&mut self, firewall: &model::lock::Firewall, e: &Effective) {
        let was = match firewall.origin {
            Origin::Allocated | Origin::Spec => "engine",
            Origin::Adopted => "external",
            Origin::Delegated => "deployment",
        };
        let is = match e.firewall.mode.value {
            FirewallMode::Engine => "engine",
            FirewallMode::External => "external",
            FirewallMode::Deployment => "deployment",
        };
        self.same("spec.firewall.mode", "mode", &was, &is);
        if let Some(machine) = e.firewall.machine.as_ref().filter(|_| was == is) {
            self.same("spec.firewall.machineID", "firewall", &firewall.id, machine);
        }
        let was: BTreeSet<_> = firewall.networks.iter().map(ToString::to_string).collect();
        let is: BTreeSet<_> = e.firewall.networks.value.iter().map(ToString::to_string).collect();
        if firewall.origin != Origin::Adopted {
            self.same("spec.firewall.networks", "firewall's networks", &list(&was), &list(&is));
        }
    }
}

fn mode(mode: SlotMode) -> &'static str {
    match mode {
        SlotMode::Allocate => "allocate",
        SlotMode::Adopt => "adopt",
        SlotMode::Delegate => "delegate",
    }
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}

/// R1, I11: what feeds an object that replaces machines. Said only where no value explains it already.
pub(super) fn machines(case: &mut Case<'_>) {
    let Some(lock) = case.lock else { return };
    let explained = |issue: &&Issue| {
        issue.cluster.as_ref() == case.report.cluster && [VALUE_CHANGED, IDENTITY_CHANGED].contains(&issue.rule)
    };
    if case.report.issues.iter().any(|issue| explained(&issue)) {
        return;
    }
    let now = input_digests(&case.identity.name, case.effective, &lock.values);
    for (object, was) in &lock.rendered {
        match now.get(object) {
            Some(is) if is == was => {}
            Some(_) => {
                let (field, what, fed_by) = feeds(object, case.effective);
                let message =
                    format!("this would replace {what}: one of its fields changed since it was rendered ({fed_by})");
                case.report
                    .error(MACHINES_CHANGED, &field, message)
                    .mend("set it back; changes of running machines are not built yet")
                    .reason(Reason::Immutable);
            }
            None => {
                let name = object.strip_prefix("pool.").unwrap_or(object);
                case.report
                    .error(POOL_REMOVED, "spec.pools", format!("pool `{name}` was removed, and its machines are there"))
                    .mend(format!("put pool `{name}` back, with replicas: 0 to free its machines"))
                    .reason(Reason::Immutable);
            }
        }
    }
}

/// The field to look at, what hangs on it, and all that feeds it.
fn feeds(object: &str, effective: &Effective) -> (String, String, &'static str) {
    match object {
        "clusterNetwork" => (
            "spec.network".to_owned(),
            "every machine".to_owned(),
            "spec.network.pods, spec.network.services, a patch of the Cluster, or the policy's",
        ),
        "controlPlane" => (
            "spec.controlPlane".to_owned(),
            "the control plane's machines".to_owned(),
            "spec.kubernetes.version, spec.network.apiServerPort, the VIP, spec.controlPlane.size and .image, a patch of its objects, or the policy's image, kube-vip and images.rewrite",
        ),
        "firewall" => (
            "spec.firewall".to_owned(),
            "the firewall".to_owned(),
            "anything in spec.firewall, spec.network.apiServerPort, a patch of its template, the policy's firewall, or nodeApiUrl and nodeApiCIDRs of the fleet",
        ),
        pool => {
            let name = pool.strip_prefix("pool.").unwrap_or(pool);
            let index = effective.pools.iter().position(|p| p.name.as_str() == name).unwrap_or_default();
            let fed_by = "spec.kubernetes.version, the pool's size, image, labels and taints, a patch of its objects, or the policy's";
            (format!("spec.pools[{index}]"), format!("the machines of pool `{name}`"), fed_by)
        }
    }
}
