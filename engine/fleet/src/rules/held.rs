//! What a cluster was resolved with and keeps: who it is (R9), and the values that never change silently (I5).

use super::{IDENTITY_CHANGED, VALUE_CHANGED, VERSION_STEP};
use crate::issue::{Issue, Report};
use crate::mutability::instead;
use crate::resolve::{Case, is_v4};
use model::definition::{DefinitionSpec, FirewallMode, SlotMode};
use model::lock::{Identity, Values};
use model::policy::KubernetesVersion;
use model::want::Effective;
use model::{Origin, Reason};
use std::collections::BTreeSet;
use std::fmt::Display;

/// What a refused value feeds: that this would be replaced needs no words of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fed {
    ControlPlane,
    Pools,
    Firewall,
}

/// R9. Name and namespace make the lock's identity: another one of these is another cluster (`load::locks`).
pub(super) fn identity(case: &mut Case<'_>) {
    let held = match (case.lock, case.tombstone) {
        (Some(lock), _) => &lock.identity,
        (None, Some((_, tombstone))) => &tombstone.identity,
        (None, None) => return,
    };
    let Identity { namespace: _, name: _, management_cluster, project, partition, fleet } = held;
    let now = case.identity;
    // Of a tombstone that alone is told (`across::tombstones`).
    if *fleet != now.fleet && case.lock.is_some() {
        let message = format!("the fleet is called `{}`, and what it has carries `{fleet}`", now.fleet);
        let mut issue = Issue::error(IDENTITY_CHANGED, "fleet.yaml", "metadata.name", message);
        issue.mend = format!("set it back to `{fleet}`");
        case.report.issues.push(issue);
    }
    let (fleet, stage) = (case.around.fleet, &case.effective.stage);
    let of_stage = || {
        let index = fleet.spec.stages.iter().position(|one| one.name == *stage).unwrap_or_default();
        format!("spec.stages[{index}].managementCluster of fleet.yaml (stage `{stage}`)")
    };
    let of_fleet = |name: &str| format!("spec.metal.{name} of fleet.yaml");
    let DefinitionSpec { target, metal, stage: written_stage, .. } = &case.definition.spec;
    let moves = [
        Move {
            field: "spec.target.managementCluster",
            // A stage that was written is where the reader looks.
            implied_at: if written_stage.is_some() { "spec.stage" } else { "spec.target.managementCluster" },
            what: "management cluster",
            was: management_cluster.to_string(),
            is: now.management_cluster.to_string(),
            implied_by: target.management_cluster.is_none().then(of_stage),
        },
        Move {
            field: "spec.metal.project",
            implied_at: "spec.metal.project",
            what: "project",
            was: project.to_string(),
            is: now.project.to_string(),
            implied_by: metal.project.is_none().then(|| of_fleet("project")),
        },
        Move {
            field: "spec.metal.partition",
            implied_at: "spec.metal.partition",
            what: "partition",
            was: partition.to_string(),
            is: now.partition.to_string(),
            implied_by: metal.partition.is_none().then(|| of_fleet("partition")),
        },
    ];
    for one in moves.into_iter().filter(|one| one.was != one.is) {
        one.tell(case.lock.is_some(), &mut case.report);
    }
}

/// A part of the identity that is another one now.
struct Move {
    field: &'static str,
    /// Where it is said of what another document implies.
    implied_at: &'static str,
    what: &'static str,
    was: String,
    is: String,
    implied_by: Option<String>,
}

impl Move {
    fn tell(self, is_resolved: bool, report: &mut Report<'_>) {
        let Self { field, implied_at, what, was, is, implied_by } = self;
        let mut message = if is_resolved {
            format!("the {what} of a resolved cluster cannot change from `{was}` to `{is}`")
        } else {
            format!("the values that a deleted cluster of this name keeps are of {what} `{was}`, and not of `{is}`")
        };
        if let Some(by) = &implied_by {
            message += &format!(": {by} implies it");
        }
        let mend = match (is_resolved, &implied_by) {
            (true, None) => format!("set it back; {}", instead(field)),
            (true, Some(_)) => format!("set {field} to `{was}` here; {}", instead(field)),
            (false, _) => format!("set {field} to `{was}`, or wait until its grace period is over"),
        };
        let at = if implied_by.is_some() { implied_at } else { field };
        report.error(IDENTITY_CHANGED, at, message).mend(mend).reason(Reason::Immutable);
    }
}

/// I5: what was resolved does not change silently. A tombstone's values are those of the cluster that comes back.
pub(super) fn values(case: &mut Case<'_>) -> BTreeSet<Fed> {
    let mut held = Held { report: &mut case.report, fed: BTreeSet::new() };
    let e = case.effective;
    let Some(lock) = case.lock else {
        if let Some((_, tombstone)) = case.tombstone {
            held.network(&tombstone.values, e);
            held.vip(&tombstone.values, e);
        }
        return BTreeSet::new();
    };
    let Values {
        node_network: _,
        vip,
        egress_ips,
        firewall: _,
        kubernetes,
        images: _,
        autoscaled_pools: _,
        empty_pools: _,
    } = &lock.values;
    // A deletion takes values out one by one: who filled a slot then is not to be read off their absence.
    let is_complete = !lock.rendered.is_empty() && lock.deletion.is_none();
    held.network(&lock.values, e);
    // Complete without a network: the provider allocated it.
    if is_complete && lock.values.node_network.is_none() && e.nodes.mode.value != SlotMode::Delegate {
        held.mode("spec.network.nodes.mode", SlotMode::Delegate, e.nodes.mode.value);
    }
    held.vip(&lock.values, e);
    if let Some(vip) = vip {
        let is_other = held.same("spec.network.apiServerPort", "API port", &vip.port.get(), &e.api_port.value.get());
        held.fed.extend(is_other.then_some([Fed::ControlPlane, Fed::Firewall]).into_iter().flatten());
    }
    held.firewall(&lock.values, is_complete, e);
    for gone in egress_ips.iter().filter(|ip| !e.firewall.egress.contains(&ip.network)) {
        let message = format!(
            "{} is the cluster's address in network `{}`, and cannot be given up while the cluster lives",
            gone.address, gone.network
        );
        held.refuse("spec.firewall.egress", message, format!("put network `{}` back", gone.network));
        held.fed.insert(Fed::Firewall);
    }
    if let Some(kubernetes) = kubernetes {
        held.version(&kubernetes.version, &e.version);
    }
    held.fed
}

struct Held<'a, 'b> {
    report: &'a mut Report<'b>,
    fed: BTreeSet<Fed>,
}

impl Held<'_, '_> {
    fn refuse(&mut self, field: &str, message: String, mend: String) {
        self.report.error(VALUE_CHANGED, field, message).mend(mend).reason(Reason::Immutable);
    }

    /// Whether it was refused.
    fn same(&mut self, field: &str, what: &str, was: &dyn Display, is: &dyn Display) -> bool {
        let (was, is) = (was.to_string(), is.to_string());
        if was != is {
            let message = format!("{what}: resolved as `{was}`, and cannot change to `{is}`");
            self.refuse(field, message, format!("set it back to `{was}`; {}", instead(field)));
        }
        was != is
    }

    fn network(&mut self, values: &Values, e: &Effective) {
        let Some(nodes) = &values.node_network else { return };
        self.slot("spec.network.nodes", "id", e.nodes.mode.value, nodes.origin, e.nodes.id.as_ref(), &nodes.id);
        let was = nodes.prefixes.iter().find(|p| is_v4(p)).map(|p| p.net().prefix_len());
        if let (Some(was), Some(is), Origin::Allocated) = (was, e.nodes.length, nodes.origin) {
            self.same("spec.network.nodes.length", "length of the node network", &was, &is);
        }
    }

    fn vip(&mut self, values: &Values, e: &Effective) {
        let Some(vip) = &values.vip else { return };
        self.slot("spec.vip", "address", e.vip.mode.value, vip.origin, e.vip.address.as_ref(), &vip.address);
        // Of an adopted one they are facts, not wishes.
        if vip.origin != Origin::Adopted && e.vip.mode.value != SlotMode::Adopt {
            self.same("spec.vip.network", "network of the VIP", &vip.network, &e.vip.network.value);
            let [was, is] = [vip.kind, e.vip.kind.value].map(|kind| format!("{kind:?}").to_lowercase());
            self.same("spec.vip.type", "type of the VIP", &was, &is);
        }
    }

    /// Who filled a slot, and with what a person named. Whoever names exactly what the engine allocated takes it over.
    fn slot<T: Display + PartialEq>(
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
        if was == wanted || (was, wanted) == (SlotMode::Allocate, SlotMode::Adopt) {
            if let Some(wish) = wish.filter(|wish| *wish != is) {
                self.same(&format!("{at}.{name}"), name, is, wish);
            }
        } else {
            self.mode(&format!("{at}.mode"), was, wanted);
        }
    }

    fn mode(&mut self, field: &str, was: SlotMode, wanted: SlotMode) {
        let (was, wanted) = (mode(was), mode(wanted));
        let message = format!("mode: resolved as `{was}`, and cannot change to `{wanted}`");
        self.refuse(field, message, format!("set it back to `{was}`; define a new cluster with the other mode"));
    }

    fn firewall(&mut self, values: &Values, is_complete: bool, e: &Effective) {
        let was = match values.firewall.as_ref().map(|firewall| firewall.origin) {
            Some(Origin::Allocated | Origin::Spec) => FirewallMode::Engine,
            Some(Origin::Adopted) => FirewallMode::External,
            Some(Origin::Delegated) => FirewallMode::Deployment,
            None if is_complete => FirewallMode::Deployment,
            None => return,
        };
        if self.same("spec.firewall.mode", "mode", &owner(was), &owner(e.firewall.mode.value)) {
            self.fed.insert(Fed::Firewall);
        }
    }

    /// kubeadm's rule; etcd and the API's stored objects do not go back.
    fn version(&mut self, was: &KubernetesVersion, is: &KubernetesVersion) {
        const FIELD: &str = "spec.kubernetes.version";
        let (major, minor) = was.minor();
        let (message, mend) = if is < was {
            (format!("Kubernetes cannot go down from {was} to {is}"), format!("set it back to {was}"))
        } else if is.minor() > (major, minor + 1) {
            let next = format!("{major}.{}", minor + 1);
            let message = format!("Kubernetes cannot go from {was} to {is}: one minor at a time");
            (message, format!("set \"{next}\" first, and go on when every machine has it"))
        } else {
            return;
        };
        self.report.error(VERSION_STEP, FIELD, message).mend(mend).reason(Reason::Immutable);
        self.fed.extend([Fed::ControlPlane, Fed::Pools]);
    }
}

fn mode(mode: SlotMode) -> &'static str {
    match mode {
        SlotMode::Allocate => "allocate",
        SlotMode::Adopt => "adopt",
        SlotMode::Delegate => "delegate",
    }
}

fn owner(mode: FirewallMode) -> &'static str {
    match mode {
        FirewallMode::Engine => "engine",
        FirewallMode::External => "external",
        FirewallMode::Deployment => "deployment",
    }
}
