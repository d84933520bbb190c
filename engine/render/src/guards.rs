//! Guards against pruning: annotations without which Argo CD and Flux delete an object whose file is gone (R2, I9).

use crate::delivery;
use crate::facts::CLUSTER_NAME_LABEL;
use crate::kinds::{Objects, Pool};
use model::want::PoolSpec;
use serde_json::{Value, json};

/// Keep Argo CD and Flux from pruning an object.
pub(crate) fn guards() -> Value {
    json!({
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    })
}

/// Without the guards: what may be pruned as soon as it leaves Git, because nothing is deleted with it that somebody
/// lives on.
pub(crate) fn prunable(mut metadata: Value) -> Value {
    unguard(&mut metadata);
    metadata
}

/// Takes the guards away, and what is said of guarded objects only; other options of the same annotations stay.
fn unguard(metadata: &mut Value) {
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else { return };
    let (compare, ignored) = delivery::COMPARE;
    let mut all = guards();
    all[compare] = ignored.into();
    for (key, guard) in all.as_object().into_iter().flatten() {
        let Some(said) = annotations.get(key).and_then(Value::as_str) else { continue };
        let is_guard = |option: &&str| guard.as_str().is_some_and(|guard| guard.split(',').any(|g| g == option.trim()));
        let rest: Vec<_> = said.split(',').filter(|option| !is_guard(option)).collect();
        let rest = rest.join(",");
        if rest.is_empty() {
            annotations.shift_remove(key);
        } else {
            annotations.insert(key.clone(), rest.into());
        }
    }
    if annotations.is_empty()
        && let Some(metadata) = metadata.as_object_mut()
    {
        metadata.shift_remove("annotations");
    }
}

/// A pool without machines: nobody lives on what is deleted with its objects, so that they go when the pool leaves the
/// definition. One that is autoscaled may have machines whenever the autoscaler wants.
pub(crate) fn is_empty(pool: &PoolSpec) -> bool {
    pool.autoscale.is_none() && pool.machines.replicas.value == 0
}

/// Takes the guards off everything of pools without machines.
pub(crate) fn lift_of_empty_pools(objects: &mut Objects, pools: &[PoolSpec]) {
    for (pool, _) in objects.pools.iter_mut().zip(pools).filter(|(_, spec)| is_empty(spec)) {
        let Pool { name: _, deployment, machines, bootstrap, health } = pool;
        for object in [deployment, machines, bootstrap].into_iter().chain(health) {
            unguard(&mut object["metadata"]);
        }
    }
}

/// R2: takes the guards off an object of a cluster whose deletion is confirmed, unless Cluster API deletes it itself:
/// if the GitOps tool did, it would go before what depends on it.
pub(crate) fn lift(object: &mut Value) {
    if is_lifted(object) && object["metadata"].is_object() {
        unguard(&mut object["metadata"]);
    }
}

fn is_lifted(object: &Value) -> bool {
    match object["kind"].as_str().unwrap_or_default() {
        "MetalStackCluster"
        | "KubeadmControlPlane"
        | "MachineDeployment"
        | "MachineHealthCheck"
        | "MetalStackFirewallDeployment" => false,
        "ClusterResourceSet" => !has_foreign_secrets(object),
        _ => true,
    }
}

/// Cluster API makes a set the owner of the Secrets that it names and never takes that back: people's Secrets, which
/// other clusters may use too, would be deleted with it. The cloud controller manager's is the cluster's own (R12).
fn has_foreign_secrets(set: &Value) -> bool {
    let cluster = set["metadata"]["labels"][CLUSTER_NAME_LABEL].as_str().unwrap_or_default();
    let own = |secret: &Value| {
        let name = secret["name"].as_str();
        name.is_some_and(|name| name.strip_prefix(cluster) == Some("-metal-ccm"))
    };
    let resources = set["spec"]["resources"].as_array().into_iter().flatten();
    resources.filter(|resource| resource["kind"] == "Secret").any(|secret| !own(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifted(mut object: Value) -> Value {
        lift(&mut object);
        object
    }

    #[test]
    fn r2_guards_go_and_what_else_is_said_stays() {
        for (options, left) in [
            (json!({}), json!({"name": "a"})),
            (
                json!({"argocd.argoproj.io/sync-wave": "1"}),
                json!({"name": "a", "annotations": {"argocd.argoproj.io/sync-wave": "1"}}),
            ),
        ] {
            let mut annotations = guards();
            annotations.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
            let object = json!({"kind": "Cluster", "metadata": {"name": "a", "annotations": annotations}});
            assert_eq!(lifted(object)["metadata"], left);
        }
        let patched = json!({"argocd.argoproj.io/sync-options": "Prune=false, Delete=false,Replace=true"});
        let object = json!({"kind": "Cluster", "metadata": {"annotations": patched}});
        let left = json!({"annotations": {"argocd.argoproj.io/sync-options": "Replace=true"}});
        assert_eq!(lifted(object)["metadata"], left);
        assert_eq!(lifted(json!({"kind": "Cluster"})), json!({"kind": "Cluster"}));
    }

    #[test]
    fn r2_peoples_secrets_are_not_deleted_with_a_set() {
        let set = |secrets: &[&str]| {
            let resources: Vec<_> = secrets.iter().map(|name| json!({"kind": "Secret", "name": name})).collect();
            let metadata = json!({"labels": {CLUSTER_NAME_LABEL: "shop"}, "annotations": guards()});
            json!({"kind": "ClusterResourceSet", "metadata": metadata, "spec": {"resources": resources}})
        };
        let is_guarded = |secrets: &[&str]| lifted(set(secrets))["metadata"].get("annotations").is_some();
        assert!(!is_guarded(&[]) && !is_guarded(&["shop-metal-ccm"]));
        assert!(is_guarded(&["registry-login"]) && is_guarded(&["shop-metal-ccm", "shop2-metal-ccm"]));
    }
}
