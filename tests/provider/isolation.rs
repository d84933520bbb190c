//! I6, D13: whatever a spec names, nothing of another project or cluster is ever freed.

use ferrofleet_tests::provider::objects::Role;
use ferrofleet_tests::provider::{FOREIGN, PARTITION, PROJECT, Site};
use serde_json::{Value, json};

const MS: &str = "metal-stack.infrastructure.cluster.x-k8s.io";

/// Tags that say it is `shop`'s: whoever can write them in another project may do so.
fn lies(site: &Site) -> Vec<String> {
    let ns = &site.namespace;
    vec![
        format!("{MS}/cluster-resource={ns}.shop"),
        format!("{MS}/machine-resource={ns}.shop-0"),
        format!("{MS}/purpose=control-plane"),
        format!("cluster.metal-stack.io/id={ns}.shop"),
        "fleet.metal-stack.io/managed-by=provider".to_owned(),
        "fleet.metal-stack.io/slot=machine".to_owned(),
    ]
}

/// Makes `shop` name all of these, and deletes it.
#[track_caller]
fn names_and_deletes(site: &Site, network: &str, address: &str, machine: &str, firewall: &str) {
    let reference = |id: &str| format!("metal://{PARTITION}/{id}");
    site.firewall("shop", &json!({"managedResourceRef": {"name": reference(firewall)}}));
    site.cluster(
        "shop",
        &json!({
            "nodeNetworkID": network, "controlPlaneIP": address, "firewallDeploymentRef": {"name": "shop"},
            "controlPlaneEndpoint": {"host": address, "port": 443},
        }),
    );
    site.patch_status("Cluster", "shop", &json!({"initialization": {"infrastructureProvisioned": true}}));
    site.machine_with("shop", "shop-0", Role::Worker, &json!({}), &json!({"providerID": reference(machine)}));
    let mut before = site.left();
    before.sort();
    let _provider = site.provider();
    // Each says something, or it has not looked.
    for (kind, name) in [("MetalStackCluster", "shop"), ("MetalStackMachine", "shop-0")] {
        site.until(&format!("{kind} is judged"), || {
            let said = site.said(kind, name, "Ready");
            if said.0.is_empty() { Err("not yet") } else { Ok(()) }
        });
    }
    site.delete_whole_cluster("shop");
    let mut left = site.left();
    left.sort();
    assert_eq!(left, before, "{:#?}", site.effects());
}

#[test]
fn i6_what_another_project_has_is_never_freed() {
    let Some(site) = Site::new() else { return };
    let tags = lies(&site);
    let labels: serde_json::Map<String, Value> =
        tags.iter().filter_map(|tag| tag.split_once('=')).map(|(k, v)| (k.to_owned(), json!(v))).collect();
    let network = site.given_network(FOREIGN, &Value::Object(labels));
    let tags_of_address: Vec<&str> = tags.iter().map(String::as_str).collect();
    let address = site.given_address(FOREIGN, "ephemeral", &tags_of_address);
    let machine = site.given_machine(FOREIGN, &network, &tags);
    let other = site.given_machine(FOREIGN, &network, &tags);
    names_and_deletes(&site, &network, &address, &machine, &other);
}

#[test]
fn i6_what_another_cluster_has_is_never_freed() {
    let Some(site) = Site::new() else { return };
    let victim = site.provider();
    site.whole_cluster("victim", &[("victim-0", Role::Worker)]);
    victim.kill();
    let spec = site.read("MetalStackCluster", "victim")["spec"].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (machine, firewall) = (text(&site.only("machine")["id"]), text(&site.only("firewall")["id"]));
    let (network, address) = (text(&spec["nodeNetworkID"]), text(&spec["controlPlaneEndpoint"]["host"]));
    names_and_deletes(&site, &network, &address, &machine, &firewall);
    let _provider = site.provider();
    site.until_ready("MetalStackCluster", "victim");
    site.until_ready("MetalStackMachine", "victim-0");
}

/// What the engine allocated is the engine's to free.
#[test]
fn i12_what_the_engine_allocated_is_never_freed() {
    let Some(site) = Site::new() else { return };
    let ns = &site.namespace;
    let mark = |slot: &str| {
        vec![
            "fleet.metal-stack.io/managed-by=engine".to_owned(),
            "fleet.metal-stack.io/fleet=example".to_owned(),
            format!("fleet.metal-stack.io/slot={slot}"),
            "fleet.metal-stack.io/attempt=10000000-0000-4000-8000-000000000001".to_owned(),
        ]
    };
    let mut labels: serde_json::Map<String, Value> =
        mark("network").iter().filter_map(|tag| tag.split_once('=')).map(|(k, v)| (k.to_owned(), json!(v))).collect();
    labels.insert("cluster.metal-stack.io/id".to_owned(), json!(format!("{ns}.shop")));
    let network = site.given_network(PROJECT, &Value::Object(labels));
    let mut tags = mark("vip");
    tags.extend([format!("{MS}/cluster-resource={ns}.shop"), format!("{MS}/purpose=control-plane")]);
    let address = site.given_address(PROJECT, "static", &tags.iter().map(String::as_str).collect::<Vec<_>>());
    let mut tags = mark("firewall.1");
    tags.extend([
        format!("cluster.metal-stack.io/id={network}"),
        format!("{MS}/cluster-resource={ns}.shop"),
        "firewall.metal-stack.io/managed-by=cluster-api-provider-metal-stack".to_owned(),
        format!("{MS}/firewall-deployment-resource={ns}.shop"),
    ]);
    let firewall = site.given_firewall(&network, &tags);
    site.firewall("shop", &json!({"managedResourceRef": {"name": format!("metal://{PARTITION}/{firewall}")}}));
    site.cluster(
        "shop",
        &json!({
            "nodeNetworkID": network, "controlPlaneIP": address, "firewallDeploymentRef": {"name": "shop"},
            "controlPlaneEndpoint": {"host": address, "port": 443},
        }),
    );
    site.annotate("MetalStackCluster", "shop", "fleet.metal-stack.io/engine-slots", Some("network,vip,firewall"));
    let mut before = site.left();
    before.sort();
    let _provider = site.provider();
    site.complete("shop", &[("shop-cp-0", Role::ControlPlane), ("shop-0", Role::Worker)]);
    assert_eq!(site.servers().len(), 3);
    site.delete_whole_cluster("shop");
    let mut left = site.left();
    left.sort();
    assert_eq!(left, before);
}

/// R16.
#[test]
fn a_project_that_the_map_does_not_give_is_refused() {
    let Some(site) = Site::new() else { return };
    let map = site.path().join("projects.yaml");
    std::fs::write(&map, format!("namespaces:\n  {}: [{FOREIGN}]\n", site.namespace)).unwrap();
    let _provider = site.provider_with(&["--project-map", map.to_str().unwrap()]);
    site.cluster("shop", &json!({}));
    site.cluster("allowed", &json!({"projectID": FOREIGN}));
    site.until_ready("MetalStackCluster", "allowed");
    site.until_condition("MetalStackCluster", "shop", "NodeNetworkReady", "False", "ProjectNotAllowed");
    let networks = site.networks();
    assert!(networks.iter().all(|network| network["projectid"] == FOREIGN), "{networks:?}");
}
