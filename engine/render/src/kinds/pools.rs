//! `pools.yaml`: a MachineDeployment for each pool, and its two templates.

use super::control_plane::{by_content, cluster_configuration, node_registration, template_of};
use super::{Pool, name_of};
use crate::facts::{BOOTSTRAP_GROUP, CLUSTER_NAME_LABEL, Facts, INFRASTRUCTURE_GROUP, object, reference};
use model::want::PoolSpec;
use serde_json::{Value, json};

/// Seconds that a worker may take to drain.
const DRAIN_SECONDS: u32 = 120;
/// On the machines of a pool.
const POOL_LABEL: &str = "nodepool";

pub(crate) fn pool(facts: Facts<'_>, pool: &PoolSpec) -> Pool {
    let PoolSpec { name, machines, .. } = pool;
    let template = template_of(facts, name.as_str(), machines);
    let bootstrap = bootstrap(facts, name.as_str());
    let deployment = deployment(facts, pool, name_of(&template), name_of(&bootstrap));
    Pool { name: name.to_string(), deployment, machines: template, bootstrap }
}

fn deployment(facts: Facts<'_>, pool: &PoolSpec, template: &str, bootstrap: &str) -> Value {
    let PoolSpec { name, machines, max_surge, max_unavailable, .. } = pool;
    let labels = json!({CLUSTER_NAME_LABEL: facts.name(), POOL_LABEL: name});
    let spec = json!({
        "clusterName": facts.name(),
        "replicas": machines.replicas.value,
        "rollout": {"strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": max_surge.value, "maxUnavailable": max_unavailable.value},
        }},
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "clusterName": facts.name(),
                "version": format!("v{}", facts.effective().version),
                "bootstrap": {"configRef": reference(BOOTSTRAP_GROUP, "KubeadmConfigTemplate", bootstrap)},
                "infrastructureRef": reference(INFRASTRUCTURE_GROUP, "MetalStackMachineTemplate", template),
                "deletion": {"nodeDrainTimeoutSeconds": DRAIN_SECONDS},
            },
        },
    });
    let metadata = facts.metadata(&facts.named(name), &[(POOL_LABEL, name.as_str())]);
    object("cluster.x-k8s.io/v1beta2", "MachineDeployment", metadata, spec)
}

fn bootstrap(facts: Facts<'_>, pool: &str) -> Value {
    let spec = json!({"template": {"spec": {
        "format": "ignition",
        "clusterConfiguration": cluster_configuration(facts.effective().flavor.value),
        "joinConfiguration": {"nodeRegistration": node_registration()},
    }}});
    let metadata = facts.metadata(&by_content(facts, pool, &spec), &[]);
    object("bootstrap.cluster.x-k8s.io/v1beta2", "KubeadmConfigTemplate", metadata, spec)
}
