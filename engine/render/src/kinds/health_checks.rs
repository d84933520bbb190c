//! MachineHealthChecks, where they are asked for (R22). A machine that is replaced is installed anew: bare metal takes its
//! time, and its disks are wiped.

use crate::facts::{CLUSTER_NAME_LABEL, Facts, object};
use crate::guards::prunable;
use model::definition::CountOrPercent;
use model::want::{HealthCheckSpec, PoolSpec};
use serde_json::{Map, Value, json};

/// Of the machines of a control plane; its value is empty.
const CONTROL_PLANE_LABEL: &str = "cluster.x-k8s.io/control-plane";

/// Cluster API rounds a share of machines down: from so many on, 20 percent is one at least.
const SHARE_FROM: u32 = 5;
const SHARE: CountOrPercent = CountOrPercent::Percent(20);

/// How often one control-plane machine is replaced before a person must look, and how long it must have lived for the
/// count to begin anew.
const RETRIES_MAX: u32 = 2;
const HEALTHY_SECONDS_MIN: u32 = 3600;

/// None with one replica: its replacement would be another cluster.
pub(crate) fn control_plane(facts: Facts<'_>) -> Option<Value> {
    let spec = checked_control_plane(facts)?;
    let name = super::control_plane::name(facts);
    // More than a minority cannot be replaced without losing etcd.
    let most = (facts.effective().control_plane.replicas.value - 1) / 2;
    Some(check(facts, &name, &[(CONTROL_PLANE_LABEL, "")], spec, CountOrPercent::Count(most)))
}

/// Of the KubeadmControlPlane, beside the check.
pub(crate) fn control_plane_remediation(facts: Facts<'_>) -> Option<Value> {
    checked_control_plane(facts)?;
    Some(json!({"maxRetry": RETRIES_MAX, "minHealthyPeriodSeconds": HEALTHY_SECONDS_MIN}))
}

pub(crate) fn pool(facts: Facts<'_>, pool: &PoolSpec) -> Option<Value> {
    let spec = pool.health.as_ref()?;
    let least = pool.autoscale.map_or(pool.machines.replicas.value, |scale| scale.min);
    let one_or_share = if least < SHARE_FROM { CountOrPercent::Count(1) } else { SHARE };
    let labels = [(super::pools::POOL_LABEL, pool.name.as_str())];
    // A pool may be named `control-plane`.
    let name = facts.named(format_args!("pool-{}", pool.name));
    Some(check(facts, &name, &labels, spec, spec.max_unhealthy.unwrap_or(one_or_share)))
}

fn checked_control_plane(facts: Facts<'_>) -> Option<&HealthCheckSpec> {
    let effective = facts.effective();
    effective.control_plane_health.as_ref().filter(|_| effective.control_plane.replicas.value > 1)
}

/// Not guarded against pruning: a check that a person takes out of the definition must stop replacing machines, and none
/// is deleted with it.
fn check(facts: Facts<'_>, name: &str, labels: &[(&str, &str)], spec: &HealthCheckSpec, most: CountOrPercent) -> Value {
    let HealthCheckSpec { node_startup_timeout, unhealthy_timeout, max_unhealthy: _ } = spec;
    let mut selector = Map::new();
    selector.insert(CLUSTER_NAME_LABEL.to_owned(), facts.name().into());
    selector.extend(labels.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
    let timeout = unhealthy_timeout.value.get();
    let unhealthy = |status: &str| json!({"type": "Ready", "status": status, "timeoutSeconds": timeout});
    let spec = json!({
        "clusterName": facts.name(),
        "selector": {"matchLabels": selector},
        "checks": {
            "nodeStartupTimeoutSeconds": node_startup_timeout.value.get(),
            "unhealthyNodeConditions": [unhealthy("False"), unhealthy("Unknown")],
        },
        "remediation": {"triggerIf": {"unhealthyLessThanOrEqualTo": most}},
    });
    object("cluster.x-k8s.io/v1beta2", "MachineHealthCheck", prunable(facts.metadata(name, &[])), spec)
}
