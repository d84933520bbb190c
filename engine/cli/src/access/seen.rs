//! Objects of a management cluster as what the engine wants to know of them. Pure.

use model::live::{Seen, SeenValues};
use model::{MachineId, NetworkId};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) const INFRASTRUCTURE_CLUSTER: &str = "MetalStackCluster";
pub(super) const FIREWALL: &str = "MetalStackFirewallDeployment";
/// So many are named; who waits does not read more.
const NAMED_MAX: usize = 20;

/// Objects that belong to one cluster, by kind.
pub(super) type Objects = BTreeMap<String, Vec<Value>>;

/// `cluster`: the Cluster object, where it is there.
pub(super) fn seen(cluster: Option<&Value>, active: &Objects) -> Seen {
    let named = |kind: &str, object: &Value| Some(format!("{kind}/{}", name(object)?));
    let of_kind = |(kind, objects): (&String, &Vec<Value>)| {
        objects.iter().filter_map(|object| named(kind, object)).collect::<Vec<_>>()
    };
    let mut left: Vec<_> = active.iter().flat_map(of_kind).collect();
    left.sort();
    if let Some(more) = left.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        left.truncate(NAMED_MAX);
        left.push(format!("{more} more"));
    }
    Seen {
        has_cluster: cluster.is_some(),
        may_be_pruned: cluster.is_some_and(|cluster| !is_guarded(cluster)),
        left,
        values: values(cluster, active),
    }
}

/// Whether a GitOps tool leaves the object alone when its file goes.
fn is_guarded(object: &Value) -> bool {
    let annotations = &object["metadata"]["annotations"];
    let text = |key: &str| annotations[key].as_str().unwrap_or_default();
    let argocd = text("argocd.argoproj.io/sync-options").split(',').any(|option| option.trim() == "Prune=false");
    let flux = text("kustomize.toolkit.fluxcd.io/prune").eq_ignore_ascii_case("disabled");
    argocd || flux
}

/// What is set, whoever set it: the engine takes only what it delegated.
fn values(cluster: Option<&Value>, active: &Objects) -> SeenValues {
    let reference = cluster.and_then(|cluster| cluster["spec"]["infrastructureRef"]["name"].as_str());
    let infrastructure = one(active, INFRASTRUCTURE_CLUSTER, reference);
    let field = |pointer: &str| {
        let text = infrastructure?.pointer(pointer)?.as_str()?;
        (!text.is_empty()).then_some(text)
    };
    let deployment = one(active, FIREWALL, field("/spec/firewallDeploymentRef/name"));
    let managed = deployment.and_then(|object| object.pointer("/spec/managedResourceRef/name")?.as_str());
    SeenValues {
        node_network: field("/spec/nodeNetworkID").and_then(|id| NetworkId::parse(id).ok()),
        vip: field("/spec/controlPlaneEndpoint/host")
            .or_else(|| field("/spec/controlPlaneIP"))
            .and_then(|address| address.parse().ok()),
        firewall: managed.and_then(machine),
    }
}

/// The object of that name, else the only one.
fn one<'a>(active: &'a Objects, kind: &str, named: Option<&str>) -> Option<&'a Value> {
    let objects = active.get(kind)?;
    match (named, &objects[..]) {
        (Some(named), all) => all.iter().find(|object| name(object) == Some(named)),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// `metal://<partition>/<id>`.
fn machine(reference: &str) -> Option<MachineId> {
    let (_, id) = reference.strip_prefix("metal://")?.split_once('/')?;
    MachineId::parse(id).ok()
}

fn name(object: &Value) -> Option<&str> {
    object["metadata"]["name"].as_str()
}
