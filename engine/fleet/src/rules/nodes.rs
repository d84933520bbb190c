//! How many machines control plane and pools have.

use super::{AUTOSCALED, DUPLICATE_NAME, EVEN_CONTROL_PLANE, NO_POOLS, OUT_OF_RANGE, ROLLOUT_STUCK};
use crate::resolve::Case;

/// More than nine members slow etcd down and protect nothing more.
const CONTROL_PLANE_MAX: u32 = 9;
const POOL_REPLICAS_MAX: u32 = 1000;
const SURGE_MAX: u32 = 100;

pub(super) fn control_plane(case: &mut Case<'_>) {
    const FIELD: &str = "spec.controlPlane.replicas";
    let replicas = case.effective.control_plane.replicas.value;
    if !(1..=CONTROL_PLANE_MAX).contains(&replicas) {
        let message = format!("{replicas} replicas of a control plane; there may be 1 to {CONTROL_PLANE_MAX}");
        case.report.error(OUT_OF_RANGE, FIELD, message).mend("use 1, or 3 for production");
    } else if replicas.is_multiple_of(2) {
        let message = format!(
            "{replicas} replicas: etcd with an even number of members survives no more failures than with one less"
        );
        let mend = format!("use {} or {}", replicas - 1, replicas + 1);
        case.report.error(EVEN_CONTROL_PLANE, FIELD, message).mend(mend);
    }
}

pub(super) fn pools(case: &mut Case<'_>) {
    let Case { definition, effective, report, .. } = case;
    let pools = &definition.spec.pools;
    if pools.is_empty() {
        report.error(NO_POOLS, "spec.pools", "no pools").mend("add one: `- name: general`");
    }
    for (index, pool) in pools.iter().enumerate() {
        if let Some(first) = pools[..index].iter().position(|p| p.name == pool.name) {
            let message = format!("pool `{}` is also spec.pools[{first}]", pool.name);
            report.error(DUPLICATE_NAME, &format!("spec.pools[{index}].name"), message).mend("rename one of the two");
        }
    }
    for (index, pool) in effective.pools.iter().enumerate() {
        let limits = [
            ("replicas", pool.machines.replicas.value, POOL_REPLICAS_MAX),
            ("max", pool.autoscale.map_or(0, |scale| scale.max), POOL_REPLICAS_MAX),
            ("maxSurge", pool.max_surge.value, SURGE_MAX),
            ("maxUnavailable", pool.max_unavailable.value, SURGE_MAX),
        ];
        for (name, value, max) in limits.into_iter().filter(|(_, value, max)| value > max) {
            let field = format!("spec.pools[{index}].{name}");
            report.error(OUT_OF_RANGE, &field, format!("{value} is more than {max}")).mend("use several pools");
        }
        if pool.max_surge.value == 0 && pool.max_unavailable.value == 0 {
            let field = format!("spec.pools[{index}].maxSurge");
            report
                .error(
                    ROLLOUT_STUCK,
                    &field,
                    "neither a surplus nor a missing machine is allowed: no rollout could begin",
                )
                .mend("set maxSurge or maxUnavailable to 1");
        }
    }
}

/// R23. Whether a pool may leave the autoscaler again, `held` says.
pub(super) fn autoscaled(case: &mut Case<'_>) {
    for (index, pool) in case.definition.spec.pools.iter().enumerate() {
        let mut say = |name: &str, message: String, mend: &str| {
            case.report.error(AUTOSCALED, &format!("spec.pools[{index}].{name}"), message).mend(mend);
        };
        match (pool.min, pool.max) {
            (Some(_), None) => say("min", "`min` without `max`".to_owned(), "add `max`: the autoscaler needs both"),
            (None, Some(_)) => say("max", "`max` without `min`".to_owned(), "add `min`: the autoscaler needs both"),
            (Some(min), Some(max)) if min > max => {
                say("min", format!("{min} is more than `max`, which is {max}"), "swap the two");
            }
            (Some(_), Some(0)) => {
                say("max", "`max` is 0: there could never be a machine".to_owned(), "set it to 1 or more")
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        if pool.replicas.is_some() && (pool.min.is_some() || pool.max.is_some()) {
            let message = "the autoscaler decides how many machines there are, and `replicas` would set them back";
            say("replicas", message.to_owned(), "remove `replicas`, or `min` and `max`");
        }
    }
}
