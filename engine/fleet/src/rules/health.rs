//! R22: what a health check may do to bare metal.

use super::HEALTH_CHECK;
use crate::issue::Report;
use crate::resolve::Case;
use model::want::HealthCheckSpec;
use model::{ClusterPolicy, Seconds, SizeId};

/// A node that misses a beat or two is not lost; a replaced one is.
const UNHEALTHY_MIN: Seconds = Seconds::new(30);
/// Firmware, installation and kubeadm take that long on the fastest of machines.
const STARTUP_MIN: Seconds = Seconds::minutes(10);

pub(super) fn checks(case: &mut Case<'_>) {
    let policy = case.policy().cloned();
    let Case { effective, report, .. } = case;
    if let Some(health) = &effective.control_plane_health {
        const FIELD: &str = "spec.controlPlane.healthCheck";
        times(FIELD, health, report);
        volumes(FIELD, policy.as_ref(), &effective.control_plane.size.value, report);
        if effective.control_plane.replicas.value == 1 {
            report
                .error(
                    HEALTH_CHECK,
                    FIELD,
                    "a single control-plane machine is never replaced by itself: etcd would go with it",
                )
                .mend("use 3 replicas, or remove the health check");
        }
        if health.max_unhealthy.is_some() {
            report
                .error(
                    HEALTH_CHECK,
                    &format!("{FIELD}.maxUnhealthy"),
                    "control-plane machines are replaced one at a time, whatever is written here",
                )
                .mend("remove it; it is for pools");
        }
    }
    for (index, pool) in effective.pools.iter().enumerate() {
        if let Some(health) = &pool.health {
            let field = format!("spec.pools[{index}].healthCheck");
            times(&field, health, report);
            volumes(&field, policy.as_ref(), &pool.machines.size.value, report);
        }
    }
}

fn times(field: &str, health: &HealthCheckSpec, report: &mut Report<'_>) {
    let HealthCheckSpec { node_startup_timeout, unhealthy_timeout, max_unhealthy: _ } = health;
    for (name, time, min, why) in [
        ("nodeStartupTimeout", node_startup_timeout.value, STARTUP_MIN, "a machine would be installed again and again"),
        ("unhealthyTimeout", unhealthy_timeout.value, UNHEALTHY_MIN, "machines would be replaced for a hiccup"),
    ] {
        if time < min {
            let message = format!("{time} is less than {min}: {why}");
            report.error(HEALTH_CHECK, &format!("{field}.{name}"), message).mend("leave it out for the default");
        }
    }
}

fn volumes(field: &str, policy: Option<&ClusterPolicy>, size: &SizeId, report: &mut Report<'_>) {
    if policy.and_then(|policy| policy.machine_type(size)).is_some_and(|size| size.local_volumes) {
        let message = format!("machines of size `{size}` hold local volumes, which a replacement destroys");
        report.error(HEALTH_CHECK, field, message).mend("remove the health check, or use another size");
    }
}
