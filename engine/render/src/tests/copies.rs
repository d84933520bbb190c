//! Every copy of a value comes from one field, nested YAML included; no secret is among the values.

use super::fixtures::*;
use model::rules::Port;
use model::want::{Flavor, Wanted};
use serde::Deserialize;
use serde_json::Value;

/// Every scalar of an object as text, with its place; strings that are YAML documents are walked too.
pub(super) fn walk(value: &Value, place: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| walk(value, &format!("{place}.{key}"), out)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| walk(v, &format!("{place}.{i}"), out)),
        Value::String(text) if text.contains('\n') => {
            for document in serde_yaml::Deserializer::from_str(text) {
                walk(&Value::deserialize(document).unwrap(), &format!("{place}>"), out);
            }
        }
        Value::String(text) => out.push((place.to_owned(), text.clone())),
        other => out.push((place.to_owned(), other.to_string())),
    }
}

fn scalars(wanted: &Wanted) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for object in objects(&rendered(wanted)) {
        walk(&object, object["kind"].as_str().unwrap(), &mut out);
    }
    out
}

fn places(scalars: &[(String, String)], needle: &str) -> Vec<String> {
    let mut places: Vec<_> = scalars.iter().filter(|(_, v)| v.contains(needle)).map(|(p, _)| p.clone()).collect();
    places.sort();
    places
}

#[test]
fn the_copies_of_each_value() {
    let scalars = scalars(&wanted("billing", Flavor::Calico));
    insta::assert_debug_snapshot!(places(&scalars, "198.18.0.5"), @r#"
    [
        "KubeadmControlPlane.spec.kubeadmConfigSpec.files.0.content>.spec.containers.0.env.11.value",
        "MetalStackCluster.spec.controlPlaneEndpoint.host",
        "MetalStackCluster.spec.controlPlaneIP",
    ]
    "#);
    insta::assert_debug_snapshot!(places(&scalars, "10.240.0.0/13"), @r#"
    [
        "Cluster.spec.clusterNetwork.pods.cidrBlocks.0",
        "ConfigMap.data.deploy.yaml>.spec.template.spec.containers.0.command.1",
        "HelmChartProxy.spec.valuesTemplate>.installation.calicoNetwork.ipPools.0.cidr",
    ]
    "#);
    insta::assert_debug_snapshot!(places(&scalars, NODE_NETWORK), @r#"
    [
        "ConfigMap.data.deploy.yaml>.spec.template.spec.containers.0.env.7.value",
        "MetalStackCluster.spec.nodeNetworkID",
    ]
    "#);
    insta::assert_debug_snapshot!(places(&scalars, "10.248.0.0/16"), @r#"
    [
        "Cluster.spec.clusterNetwork.services.cidrBlocks.0",
    ]
    "#);
}

#[test]
fn a_change_of_one_field_reaches_every_copy() {
    let before = scalars(&wanted("billing", Flavor::Calico));
    let changed = with(wanted("billing", Flavor::Calico), |e| {
        e.pods.value = cidr("10.240.0.0/14");
        e.services.value = cidr("10.249.0.0/16");
        e.vip.network.value = network("mpls-muc-a");
        e.firewall.networks.value = vec![network("mpls-muc-a")];
    });
    let after = scalars(&changed);
    for (old, new) in
        [("10.240.0.0/13", "10.240.0.0/14"), ("10.248.0.0/16", "10.249.0.0/16"), ("internet", "mpls-muc-a")]
    {
        assert!(!places(&before, old).is_empty(), "{old}");
        assert_eq!(places(&after, old), [""; 0], "{old} is left");
        assert_eq!(places(&before, old), places(&after, new));
    }
}

#[test]
fn r21_one_port_feeds_endpoint_bind_port_kube_vip_and_firewall() {
    let changed = with(wanted("shop", Flavor::Default), |e| e.api_port.value = Port::new(16443).unwrap());
    let scalars = scalars(&changed);
    insta::assert_debug_snapshot!(places(&scalars, "16443"), @r#"
    [
        "Cluster.spec.clusterNetwork.apiServerPort",
        "KubeadmControlPlane.spec.kubeadmConfigSpec.files.0.content>.spec.containers.0.env.1.value",
        "KubeadmControlPlane.spec.kubeadmConfigSpec.initConfiguration.localAPIEndpoint.bindPort",
        "KubeadmControlPlane.spec.kubeadmConfigSpec.joinConfiguration.controlPlane.localAPIEndpoint.bindPort",
        "MetalStackCluster.spec.controlPlaneEndpoint.port",
        "MetalStackFirewallTemplate.spec.initialRuleSet.ingress.0.ports.2",
    ]
    "#);
    let objects = objects(&rendered(&changed));
    let config = &find(&objects, "KubeadmControlPlane", "shop")["spec"]["kubeadmConfigSpec"];
    assert_eq!(config["initConfiguration"]["localAPIEndpoint"]["bindPort"], 16443);
    let standard = super::fixtures::objects(&rendered(&wanted("shop", Flavor::Default)));
    assert_eq!(find(&standard, "Cluster", "shop")["spec"]["clusterNetwork"].get("apiServerPort"), None);
}

#[test]
fn t1_t6_what_is_not_known_leaves_no_trace() {
    let wanted = with(wanted("shop", Flavor::Default), |e| {
        e.nodes.mode.value = model::definition::SlotMode::Delegate;
        e.firewall.mode.value = model::definition::FirewallMode::Deployment;
        e.ccm = Some(model::want::CcmSpec {
            version: model::want::Setting::built_in("v0.9.7".to_owned()),
            credentials_ref: label("metal-ccm"),
            default_external_network: None,
        });
    });
    let mut lock = lock_of(&wanted);
    lock.values.node_network = None;
    lock.values.firewall = None;
    assert!(crate::complete(&wanted, &lock));
    let objects = objects(&crate::cluster(&wanted, &lock, &|_| None).files);
    let mut scalars = Vec::new();
    objects.iter().for_each(|object| walk(object, "", &mut scalars));
    assert_eq!(places(&scalars, "null"), [""; 0]);
    assert!(scalars.iter().any(|(_, v)| v == "internet"), "additional networks without an empty element");
    assert!(!scalars.iter().any(|(_, v)| v.ends_with(',') || v.contains(",,")));
    let cluster = find(&objects, "MetalStackCluster", "shop");
    assert_eq!(cluster["metadata"]["annotations"]["fleet.metal-stack.io/engine-slots"], "vip");
    assert_eq!(cluster["spec"].get("nodeNetworkID"), None);
    let deployment = find(&objects, "MetalStackFirewallDeployment", "shop");
    assert_eq!(deployment["spec"].get("managedResourceRef"), None);
    let template = find(&objects, "MetalStackFirewallTemplate", "shop");
    assert_eq!(template["spec"]["image"], "firewall-ubuntu-3.0");
}

#[test]
fn r8_paused_is_rendered_only_when_true() {
    let objects_of = |paused| objects(&rendered(&with(wanted("shop", Flavor::Default), |e| e.paused = paused)));
    assert_eq!(find(&objects_of(true), "Cluster", "shop")["spec"]["paused"], true);
    assert_eq!(find(&objects_of(false), "Cluster", "shop")["spec"].get("paused"), None);
}

#[test]
fn t4_every_object_has_its_namespace_and_its_guards() {
    for flavor in [Flavor::Calico, Flavor::Default, Flavor::PreV133] {
        for object in objects(&rendered(&wanted("billing", flavor))) {
            if object["kind"] == "Kustomization" {
                continue;
            }
            let metadata = &object["metadata"];
            assert_eq!(metadata["namespace"], "payments", "{object}");
            assert_eq!(metadata["labels"]["cluster.x-k8s.io/cluster-name"], "billing");
            assert_eq!(metadata["annotations"]["argocd.argoproj.io/sync-options"], "Prune=false,Delete=false");
            assert_eq!(metadata["annotations"]["kustomize.toolkit.fluxcd.io/prune"], "disabled");
        }
    }
}

#[test]
fn our_labels_win_over_written_ones() {
    let wanted = with(wanted("billing", Flavor::Calico), |e| {
        e.labels.insert("cluster.metal-stack.io/cni".to_owned(), "none".to_owned());
    });
    let objects = objects(&rendered(&wanted));
    let labels = &find(&objects, "Cluster", "billing")["metadata"]["labels"];
    assert_eq!((&labels["cluster.metal-stack.io/cni"], &labels["backup"]), (&"calico".into(), &"yes".into()));
    for kind in ["HelmChartProxy", "ClusterResourceSet"] {
        let selector = find(&objects, kind, "billing")["spec"]["clusterSelector"]["matchLabels"].as_object().unwrap();
        assert!(selector.iter().all(|(key, value)| labels[key] == *value), "{kind} {selector:?}");
    }
}

#[test]
fn i7_r12_the_secret_is_named_and_never_written() {
    let objects = objects(&rendered(&wanted("billing", Flavor::Calico)));
    assert!(objects.iter().all(|o| o["kind"] != "Secret" && o.get("stringData").is_none()));
    let set = find(&objects, "ClusterResourceSet", "billing");
    assert!(set["spec"]["resources"].as_array().unwrap().contains(&serde_json::json!({
        "kind": "Secret",
        "name": "billing-metal-ccm",
    })));
    let mut scalars = Vec::new();
    objects.iter().for_each(|object| walk(object, "", &mut scalars));
    for (place, value) in scalars {
        assert!(!value.contains("metal-admin") && !value.contains("hmac-sha"), "{place}: {value}");
        let is_secret_env = place.to_lowercase().ends_with("hmac.value");
        assert!(!is_secret_env, "{place}");
    }
}
