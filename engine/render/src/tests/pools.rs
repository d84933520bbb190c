//! Pools: autoscaling (R23), labels and taints of nodes, drain and rollout.

use super::fixtures::*;
use model::Seconds;
use model::definition::Taint;
use model::want::{Autoscale, Effective, Flavor, input_digests};
use serde_json::{Value, json};

fn objects_with(change: impl FnOnce(&mut Effective)) -> Vec<Value> {
    objects(&rendered(&with(wanted("shop", Flavor::Default), change)))
}

fn labels(labels: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn r23_an_autoscaled_pool_has_both_bounds_and_no_replicas() {
    let objects = objects_with(|e| e.pools[0].autoscale = Some(Autoscale { min: 0, max: 7 }));
    let deployment = find(&objects, "MachineDeployment", "shop-general");
    assert_eq!(deployment["spec"].get("replicas"), None);
    let annotations = &deployment["metadata"]["annotations"];
    assert_eq!(annotations["cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"], "0");
    assert_eq!(annotations["cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"], "7");
    assert_eq!(annotations["kustomize.toolkit.fluxcd.io/prune"], "disabled");

    let objects = objects_with(|_| {});
    let deployment = find(&objects, "MachineDeployment", "shop-general");
    assert_eq!(deployment["spec"]["replicas"], 2);
    assert!(deployment["metadata"]["annotations"].as_object().unwrap().keys().all(|key| !key.contains("autoscaler")));
}

#[test]
fn bounds_replace_nothing() {
    let identity = |scale: Option<Autoscale>| {
        let objects = objects_with(|e| e.pools[0].autoscale = scale);
        find(&objects, "MachineDeployment", "shop-general")["spec"]["template"].clone()
    };
    assert_eq!(identity(None), identity(Some(Autoscale { min: 1, max: 3 })));
}

#[test]
fn labels_go_where_they_can_change_and_the_others_to_the_kubelet() {
    let objects = objects_with(|e| {
        e.pools[0].labels = labels(&[
            ("team", "payments"),
            ("example.com/tier", "gold"),
            ("node-role.kubernetes.io/worker", ""),
            ("node.cluster.x-k8s.io/zone", "a"),
        ]);
    });
    let deployment = &find(&objects, "MachineDeployment", "shop-general")["spec"];
    let of_machines = json!({
        "cluster.x-k8s.io/cluster-name": "shop",
        "nodepool": "general",
        "node-role.kubernetes.io/worker": "",
        "node.cluster.x-k8s.io/zone": "a",
    });
    assert_eq!(deployment["template"]["metadata"]["labels"], of_machines);
    assert_eq!(deployment["selector"]["matchLabels"].as_object().unwrap().len(), 2, "a selector is immutable");
    let template = &find(&objects, "KubeadmConfigTemplate", "shop-general")["spec"]["template"]["spec"];
    let arguments = json!([
        {"name": "cloud-provider", "value": "external"},
        {"name": "node-labels", "value": "example.com/tier=gold,team=payments"},
    ]);
    assert_eq!(template["joinConfiguration"]["nodeRegistration"], json!({"kubeletExtraArgs": arguments}));
}

#[test]
fn taints_are_absent_or_there_and_never_empty() {
    let taint = |value: Value| serde_json::from_value::<Taint>(value).unwrap();
    let objects = objects_with(|e| {
        e.pools[0].taints = vec![
            taint(json!({"key": "batch", "value": "only", "effect": "NoSchedule"})),
            taint(json!({"key": "gpu", "effect": "NoExecute"})),
        ];
    });
    let registration = |objects: &[Value]| {
        let spec = &find(objects, "KubeadmConfigTemplate", "shop-general")["spec"]["template"]["spec"];
        spec["joinConfiguration"]["nodeRegistration"].clone()
    };
    let taints = json!([
        {"key": "batch", "value": "only", "effect": "NoSchedule"},
        {"key": "gpu", "effect": "NoExecute"},
    ]);
    assert_eq!(registration(&objects)["taints"], taints);
    assert_eq!(registration(&objects_with(|_| {})).get("taints"), None);
}

/// R1: the digest of a pool changes exactly where its machines are replaced.
#[test]
fn r1_digests_follow_what_goes_into_the_bootstrap_configuration() {
    let of = |written: &[(&str, &str)]| {
        let wanted = with(wanted("shop", Flavor::Default), |e| e.pools[0].labels = labels(written));
        let digest =
            input_digests(wanted.id.name(), &wanted.effective, &lock_of(&wanted).values)["pool.general"].clone();
        let objects = objects(&rendered(&wanted));
        let spec = &find(&objects, "MachineDeployment", "shop-general")["spec"]["template"]["spec"];
        (digest, spec["bootstrap"].clone())
    };
    let none = of(&[]);
    assert_eq!(none, of(&[("node-role.kubernetes.io/worker", "")]));
    assert_eq!(none, of(&[("node.cluster.x-k8s.io/zone", "a"), ("x.node-restriction.kubernetes.io/y", "b")]));
    let team = of(&[("team", "a")]);
    assert_ne!(none.0, team.0);
    assert_ne!(none.1, team.1);
    assert_eq!(team, of(&[("team", "a"), ("node.cluster.x-k8s.io/zone", "a")]));
}

#[test]
fn drain_and_rollout_are_as_written_and_replace_nothing() {
    let before = objects_with(|_| {});
    let after = objects_with(|e| {
        e.pools[0].drain.value = Seconds::minutes(30);
        e.pools[0].max_surge.value = 0;
        e.pools[0].max_unavailable.value = 1;
        e.control_plane_drain.value = Seconds::minutes(45);
    });
    let deployment = &find(&after, "MachineDeployment", "shop-general")["spec"];
    assert_eq!(deployment["template"]["spec"]["deletion"]["nodeDrainTimeoutSeconds"], 1800);
    assert_eq!(deployment["rollout"]["strategy"]["rollingUpdate"], json!({"maxSurge": 0, "maxUnavailable": 1}));
    let control_plane = |objects: &[Value]| find(objects, "KubeadmControlPlane", "shop")["spec"].clone();
    let spec = control_plane(&after);
    assert_eq!(spec["machineTemplate"]["spec"]["deletion"]["nodeDrainTimeoutSeconds"], 2700);
    assert_eq!(spec["kubeadmConfigSpec"], control_plane(&before)["kubeadmConfigSpec"]);
    let template = |objects: &[Value]| {
        let spec = find(objects, "MachineDeployment", "shop-general")["spec"]["template"]["spec"].clone();
        (spec["bootstrap"].clone(), spec["infrastructureRef"].clone(), spec["version"].clone())
    };
    assert_eq!(template(&before), template(&after));
}
