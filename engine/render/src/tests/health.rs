//! R22: health checks only where they are asked for.

use super::fixtures::*;
use model::Seconds;
use model::definition::CountOrPercent;
use model::want::{Autoscale, Effective, Flavor, HealthCheckSpec, Setting};
use serde_json::{Value, json};

fn defaults() -> HealthCheckSpec {
    HealthCheckSpec {
        node_startup_timeout: Setting::built_in(Seconds::minutes(40)),
        unhealthy_timeout: Setting::built_in(Seconds::minutes(15)),
        max_unhealthy: None,
    }
}

fn objects_with(change: impl FnOnce(&mut Effective)) -> Vec<Value> {
    objects(&rendered(&with(wanted("billing", Flavor::Calico), change)))
}

/// What Cluster API makes of the field: a share is rounded down (`getMaxUnhealthy`).
fn most(field: &Value, machines: u64) -> u64 {
    match field.as_str().and_then(|text| text.strip_suffix('%')) {
        Some(percent) => machines * percent.parse::<u64>().unwrap() / 100,
        None => field.as_u64().unwrap(),
    }
}

#[test]
fn r22_there_is_none_that_nobody_asked_for() {
    for flavor in [Flavor::Calico, Flavor::Default, Flavor::PreV133] {
        let objects = objects(&rendered(&wanted("billing", flavor)));
        assert!(!objects.iter().any(|object| object["kind"] == "MachineHealthCheck"));
        assert_eq!(find(&objects, "KubeadmControlPlane", "billing")["spec"].get("remediation"), None);
    }
}

#[test]
fn r22_workers_at_most_one_or_a_fifth() {
    for (replicas, expected) in [(0, 1), (1, 1), (2, 1), (4, 1), (5, 1), (9, 1), (10, 2), (100, 20)] {
        let objects = objects_with(|e| {
            e.pools[0].machines.replicas.value = replicas;
            e.pools[0].health = Some(defaults());
        });
        let check = find(&objects, "MachineHealthCheck", "billing");
        let field = &check["spec"]["remediation"]["triggerIf"]["unhealthyLessThanOrEqualTo"];
        assert_eq!(most(field, replicas.into()), expected, "{replicas} machines");
    }
    for (written, expected) in [(CountOrPercent::Count(3), json!(3)), (CountOrPercent::Percent(40), json!("40%"))] {
        let objects = objects_with(|e| {
            e.pools[0].health = Some(HealthCheckSpec { max_unhealthy: Some(written), ..defaults() });
        });
        let check = find(&objects, "MachineHealthCheck", "billing");
        assert_eq!(check["spec"]["remediation"]["triggerIf"]["unhealthyLessThanOrEqualTo"], expected);
    }
}

#[test]
fn r22_r23_an_autoscaled_pool_has_at_least_its_least_machines() {
    for (min, max) in [(0, 50), (4, 50), (5, 50), (10, 20)] {
        let objects = objects_with(|e| {
            e.pools[0].autoscale = Some(Autoscale { min, max });
            e.pools[0].health = Some(defaults());
        });
        let field = &find(&objects, "MachineHealthCheck", "billing")["spec"]["remediation"]["triggerIf"]["unhealthyLessThanOrEqualTo"];
        for machines in min..=max {
            let most = most(field, machines.into());
            assert!((1..=(u64::from(machines) / 5).max(1)).contains(&most), "{min}..{max} at {machines}: {most}");
        }
    }
}

#[test]
fn r22_a_pools_check_selects_its_own_machines() {
    let objects = objects_with(|e| e.pools.iter_mut().for_each(|pool| pool.health = Some(defaults())));
    let checks: Vec<_> = objects.iter().filter(|object| object["kind"] == "MachineHealthCheck").collect();
    let deployments: Vec<_> = objects.iter().filter(|object| object["kind"] == "MachineDeployment").collect();
    assert_eq!((checks.len(), deployments.len()), (2, 2));
    for (check, deployment) in checks.into_iter().zip(deployments) {
        assert_eq!(check["spec"]["selector"], deployment["spec"]["selector"]);
        assert_eq!(check["spec"]["clusterName"], "billing");
        let unhealthy = |status: &str| json!({"type": "Ready", "status": status, "timeoutSeconds": 900});
        let checks = json!({
            "nodeStartupTimeoutSeconds": 2400,
            "unhealthyNodeConditions": [unhealthy("False"), unhealthy("Unknown")],
        });
        assert_eq!(check["spec"]["checks"], checks);
        assert_eq!(check["spec"]["remediation"].get("templateRef"), None);
    }
}

#[test]
fn r22_a_control_plane_is_remediated_with_several_replicas_only() {
    for (replicas, expected) in [(1, None), (3, Some(1)), (5, Some(2)), (7, Some(3))] {
        let objects = objects_with(|e| {
            e.control_plane.replicas.value = replicas;
            e.control_plane_health = Some(defaults());
        });
        let check = objects.iter().find(|object| object["kind"] == "MachineHealthCheck");
        let most = check.map(|c| c["spec"]["remediation"]["triggerIf"]["unhealthyLessThanOrEqualTo"].as_u64().unwrap());
        assert_eq!(most, expected, "{replicas} replicas: fewer than half");
        let selector = json!({"matchLabels": {
            "cluster.x-k8s.io/cluster-name": "billing",
            "cluster.x-k8s.io/control-plane": "",
        }});
        assert!(check.is_none_or(|check| check["spec"]["selector"] == selector));
        let remediation = find(&objects, "KubeadmControlPlane", "billing")["spec"].get("remediation").cloned();
        let retries = json!({"maxRetry": 2, "minHealthyPeriodSeconds": 3600});
        assert_eq!(remediation, expected.map(|_| retries));
    }
}

#[test]
fn a_pool_named_control_plane_has_a_check_of_its_own() {
    let objects = objects_with(|e| {
        e.control_plane_health = Some(defaults());
        e.pools[0].name = label("control-plane");
        e.pools[0].health = Some(defaults());
    });
    let mut names: Vec<_> =
        objects.iter().filter(|object| object["kind"] == "MachineHealthCheck").map(crate::kinds::name_of).collect();
    names.dedup();
    assert_eq!(names.len(), 2);
}

/// Taken out of the definition, it must stop replacing machines.
#[test]
fn a_health_check_is_pruned_as_soon_as_it_is_gone() {
    let objects = objects_with(|e| {
        e.control_plane_health = Some(defaults());
        e.pools[0].health = Some(defaults());
    });
    for check in objects.iter().filter(|object| object["kind"] == "MachineHealthCheck") {
        assert_eq!(check["metadata"].get("annotations"), None);
    }
}
