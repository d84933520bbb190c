//! `pools.yaml`: a MachineDeployment for each pool, its health check, and its two templates.

use super::control_plane::{by_content, cluster_configuration, node_registration, template_of};
use super::{Pool, health_checks, name_of};
use crate::facts::{BOOTSTRAP_GROUP, CLUSTER_NAME_LABEL, Facts, INFRASTRUCTURE_GROUP, object, reference};
use model::definition::Taint;
use model::want::{Autoscale, PoolSpec, is_synced_label};
use serde_json::{Map, Value, json};

/// On the machines of a pool.
pub(crate) const POOL_LABEL: &str = "nodepool";
/// Between which the cluster autoscaler decides (R23); also what makes Cluster API leave the number of machines alone.
const MIN_SIZE: &str = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size";
pub(crate) const MAX_SIZE: &str = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size";

pub(crate) fn pool(facts: Facts<'_>, pool: &PoolSpec) -> Pool {
    let PoolSpec { name, machines, .. } = pool;
    let template = template_of(facts, name.as_str(), machines);
    let bootstrap = bootstrap(facts, pool);
    let deployment = deployment(facts, pool, name_of(&template), name_of(&bootstrap));
    let health = health_checks::pool(facts, pool);
    Pool { name: name.to_string(), deployment, machines: template, bootstrap, health }
}

fn deployment(facts: Facts<'_>, pool: &PoolSpec, template: &str, bootstrap: &str) -> Value {
    let PoolSpec { name, machines, autoscale, max_surge, max_unavailable, labels, drain, .. } = pool;
    let mut metadata = facts.metadata(&facts.named(name), &[(POOL_LABEL, name.as_str())]);
    let selector = json!({CLUSTER_NAME_LABEL: facts.name(), POOL_LABEL: name});
    let mut of_machines = selector.clone();
    for (key, value) in labels.iter().filter(|(key, _)| is_synced_label(key)) {
        of_machines[key] = value.as_str().into();
    }
    let mut spec = Map::new();
    spec.insert("clusterName".to_owned(), facts.name().into());
    match autoscale {
        None => {
            spec.insert("replicas".to_owned(), machines.replicas.value.into());
        }
        Some(Autoscale { min, max }) => {
            metadata["annotations"][MIN_SIZE] = min.to_string().into();
            metadata["annotations"][MAX_SIZE] = max.to_string().into();
        }
    }
    let rest = json!({
        "rollout": {"strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": max_surge.value, "maxUnavailable": max_unavailable.value},
        }},
        "selector": {"matchLabels": selector},
        "template": {
            "metadata": {"labels": of_machines},
            "spec": {
                "clusterName": facts.name(),
                "version": format!("v{}", facts.effective().version),
                "bootstrap": {"configRef": reference(BOOTSTRAP_GROUP, "KubeadmConfigTemplate", bootstrap)},
                "infrastructureRef": reference(INFRASTRUCTURE_GROUP, "MetalStackMachineTemplate", template),
                "deletion": {"nodeDrainTimeoutSeconds": drain.value.get()},
            },
        },
    });
    if let Value::Object(rest) = rest {
        spec.extend(rest);
    }
    object("cluster.x-k8s.io/v1beta2", "MachineDeployment", metadata, Value::Object(spec))
}

fn bootstrap(facts: Facts<'_>, pool: &PoolSpec) -> Value {
    let PoolSpec { name, labels, taints, .. } = pool;
    let mut registration = node_registration();
    let bootstrapped: Vec<_> = labels.iter().filter(|(key, _)| !is_synced_label(key)).collect();
    if let (false, Some(arguments)) = (bootstrapped.is_empty(), registration["kubeletExtraArgs"].as_array_mut()) {
        let pairs: Vec<_> = bootstrapped.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        arguments.push(json!({"name": "node-labels", "value": pairs.join(",")}));
    }
    // An empty list is not an absent one to kubeadm.
    if !taints.is_empty() {
        registration["taints"] = taints.iter().map(taint).collect();
    }
    let spec = json!({"template": {"spec": {
        "format": "ignition",
        "clusterConfiguration": cluster_configuration(facts.effective().flavor.value),
        "joinConfiguration": {"nodeRegistration": registration},
    }}});
    let metadata = facts.metadata(&by_content(facts, name.as_str(), &spec), &[]);
    object("bootstrap.cluster.x-k8s.io/v1beta2", "KubeadmConfigTemplate", metadata, spec)
}

fn taint(taint: &Taint) -> Value {
    let Taint { key, value, effect } = taint;
    let mut fields = json!({"key": key});
    if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
        fields["value"] = value.into();
    }
    fields["effect"] = json!(effect);
    fields
}
