//! Pools of workers, and the health checks of pools and control plane.

use super::Sources;
use super::machines::{Machines, Wish};
use crate::issue::Report;
use model::Seconds;
use model::definition::{HealthCheckWish, PoolWish};
use model::want::{Autoscale, HealthCheckSpec, PoolSpec, Setting};

/// How long nodes may take to drain where nobody says so.
const DRAIN: Seconds = Seconds::minutes(2);
/// Installing bare metal takes its time, and a machine that is replaced is wiped (R22).
const STARTUP: Seconds = Seconds::minutes(40);
const UNHEALTHY: Seconds = Seconds::minutes(15);

pub(super) fn pool(
    machines: &Machines<'_, '_>,
    index: usize,
    wish: &PoolWish,
    report: &mut Report<'_>,
) -> Option<PoolSpec> {
    let PoolWish {
        name,
        replicas,
        min,
        max,
        size,
        image,
        max_surge,
        max_unavailable,
        labels,
        taints,
        drain_timeout,
        health_check,
    } = wish;
    let (from, field) = (machines.from, format!("spec.pools[{index}]"));
    let wish = Wish { replicas: replicas.as_ref(), default_replicas: 1, size: size.as_ref(), image: image.as_ref() };
    let or = |name: &str, value: Option<&u32>, default| {
        from.written_or(&format!("{field}.{name}"), value, || Setting::built_in(default))
    };
    Some(PoolSpec {
        name: name.clone(),
        machines: machines.spec(&wish, &field, &format!("pool.{name}"), report)?,
        autoscale: min.zip(*max).map(|(min, max)| Autoscale { min, max }),
        max_surge: or("maxSurge", max_surge.as_ref(), 1),
        max_unavailable: or("maxUnavailable", max_unavailable.as_ref(), 0),
        labels: labels.clone(),
        taints: taints.clone(),
        drain: from.written_or(&format!("{field}.drainTimeout"), drain_timeout.as_ref(), || Setting::built_in(DRAIN)),
        health: health_check.as_ref().map(|wish| health(from, &field, wish)),
    })
}

/// Of what is at `field`.
pub(super) fn health(from: &Sources<'_>, field: &str, wish: &HealthCheckWish) -> HealthCheckSpec {
    let HealthCheckWish { node_startup_timeout, unhealthy_timeout, max_unhealthy } = wish;
    let or = |name: &str, value: Option<&Seconds>, default| {
        from.written_or(&format!("{field}.healthCheck.{name}"), value, || Setting::built_in(default))
    };
    HealthCheckSpec {
        node_startup_timeout: or("nodeStartupTimeout", node_startup_timeout.as_ref(), STARTUP),
        unhealthy_timeout: or("unhealthyTimeout", unhealthy_timeout.as_ref(), UNHEALTHY),
        max_unhealthy: *max_unhealthy,
    }
}
