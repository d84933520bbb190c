//! Clusters: networks, addresses, what they wait for and what they free. Cases of CAPMS's own suite, and its defects.

use ferrofleet_tests::provider::objects::Role;
use ferrofleet_tests::provider::{FOREIGN, PARTITION, PROJECT, Site, condition};
use serde_json::{Value, json};

const KIND: &str = "MetalStackCluster";

fn endpoint(host: &str) -> Value {
    json!({"controlPlaneEndpoint": {"host": host, "port": 443}})
}

#[test]
fn without_an_owner_nothing_is_touched() {
    let Some(site) = Site::new() else { return };
    site.infrastructure("shop", &json!({}));
    let _provider = site.provider();
    // What has an owner is done meanwhile: the provider has looked at both.
    site.cluster("other", &json!({}));
    site.until_ready(KIND, "other");
    let shop = site.read(KIND, "shop");
    assert_eq!(shop["metadata"]["generation"], 1, "{shop}");
    assert_eq!(shop["metadata"].get("finalizers"), None, "{shop}");
    assert_eq!(shop.get("status"), None, "{shop}");
}

#[test]
fn paused_clusters_say_so_and_are_left_alone() {
    let Some(site) = Site::new() else { return };
    for name in ["by-cluster", "by-annotation"] {
        site.core_cluster(name, &json!({"paused": name == "by-cluster"}));
        site.infrastructure(name, &json!({}));
        site.adopt(KIND, name, name, "Cluster", name, false);
    }
    site.annotate(KIND, "by-annotation", "cluster.x-k8s.io/paused", Some(""));
    let _provider = site.provider();
    for name in ["by-cluster", "by-annotation"] {
        let paused = site.until_condition(KIND, name, "Paused", "True", "Paused");
        assert_eq!(paused["metadata"]["generation"], 1, "{paused}");
        assert_eq!(paused["metadata"].get("finalizers"), None, "{paused}");
        assert_eq!(paused["status"]["conditions"].as_array().map(Vec::len), Some(1), "{paused}");
    }
    assert_eq!(site.writes(), []);
    site.patch("Cluster", "by-cluster", &json!({"spec": {"paused": false}}));
    site.annotate(KIND, "by-annotation", "cluster.x-k8s.io/paused", None);
    for name in ["by-cluster", "by-annotation"] {
        site.until_ready(KIND, name);
        assert_eq!(site.said(KIND, name, "Paused"), ("False".to_owned(), "NotPaused".to_owned()));
    }
}

/// CAPMS dropped the namespace from its watch of Clusters: D27. A watch is all that can wake it here.
#[test]
fn a_change_of_the_cluster_wakes_its_infrastructure_at_once() {
    let Some(site) = Site::new() else { return };
    site.core_cluster("shop", &json!({"paused": true}));
    site.infrastructure("shop", &json!({}));
    site.adopt(KIND, "shop", "shop", "Cluster", "shop", false);
    let _provider = site.provider_with(&["--metal-interval", "1h", "--metal-haste", "1h", "--resync", "1h"]);
    site.until_condition(KIND, "shop", "Paused", "True", "Paused");
    site.patch("Cluster", "shop", &json!({"spec": {"paused": false}}));
    site.until_ready(KIND, "shop");
    site.patch("Cluster", "shop", &json!({"spec": {"paused": true}}));
    site.until_condition(KIND, "shop", "Paused", "True", "Paused");
}

#[test]
fn what_is_not_given_is_allocated_once() {
    let Some(site) = Site::new() else { return };
    site.cluster("shop", &json!({}));
    let _provider = site.provider();
    let shop = site.until_ready(KIND, "shop");
    let id = format!("{}.shop", site.namespace);

    let [network] = &site.networks()[..] else { panic!("{:?}", site.networks()) };
    assert_eq!(network["id"], shop["spec"]["nodeNetworkID"]);
    assert_eq!(network["projectid"], PROJECT);
    assert_eq!(network["partitionid"], PARTITION);
    assert_eq!(network["name"], "shop");
    assert_eq!(network["description"], format!("{}/shop", site.namespace));
    assert_eq!(network["labels"]["cluster.metal-stack.io/id"], id.as_str());
    assert_eq!(network["labels"]["fleet.metal-stack.io/managed-by"], "provider");

    let [address] = &site.addresses()[..] else { panic!("{:?}", site.addresses()) };
    assert_eq!(shop["spec"]["controlPlaneEndpoint"], json!({"host": address["ipaddress"], "port": 443}));
    assert_eq!((&address["networkid"], &address["type"]), (&json!("internet"), &json!("ephemeral")));
    assert_eq!(address["name"], "shop-control-plane");
    let tags: Vec<&str> = address["tags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let group = "metal-stack.infrastructure.cluster.x-k8s.io";
    assert!(tags.contains(&format!("{group}/cluster-resource={id}").as_str()), "{tags:?}");
    assert!(tags.contains(&format!("{group}/purpose=control-plane").as_str()), "{tags:?}");
    assert!(!tags.iter().any(|tag| tag.starts_with("cluster.metal-stack.io/id")), "{tags:?}");

    let [domain] = &shop["status"]["failureDomains"].as_array().unwrap()[..] else { panic!("{shop}") };
    assert_eq!(domain, &json!({"name": PARTITION, "controlPlane": true}));
    assert_eq!(shop["status"]["ready"], true);
    for of in ["NodeNetworkReady", "ControlPlaneEndpointReady"] {
        assert_eq!(site.said(KIND, "shop", of).0, "True", "{shop}");
    }
    assert_eq!(site.said(KIND, "shop", "Paused"), ("False".to_owned(), "NotPaused".to_owned()));
    assert_eq!(condition(&shop, "FirewallReady"), None, "without a reference");
    assert_eq!(shop["metadata"]["annotations"].get("clusterctl.cluster.x-k8s.io/block-move"), None);
}

#[test]
fn what_is_given_is_verified_and_used_and_survives_the_cluster() {
    let Some(site) = Site::new() else { return };
    let network = site.given_network(PROJECT, &json!({}));
    // D12: ephemeral, and still a person's.
    let address = site.given_address(PROJECT, "ephemeral", &[]);
    let before = site.left();
    let mut spec = endpoint(&address);
    spec["nodeNetworkID"] = json!(network);
    spec["controlPlaneIP"] = json!(address);
    site.cluster("shop", &spec);
    let _provider = site.provider();
    site.sim.forget_calls();
    let shop = site.until_ready(KIND, "shop");
    assert_eq!(shop["spec"]["nodeNetworkID"], network);
    assert_eq!(site.said(KIND, "shop", "NodeNetworkReady"), ("True".to_owned(), "Verified".to_owned()));
    assert_eq!(site.said(KIND, "shop", "ControlPlaneEndpointReady"), ("True".to_owned(), "Verified".to_owned()));
    // D11: nothing of it was allocated here.
    site.delete_whole_cluster("shop");
    assert_eq!(site.writes(), []);
    assert_eq!(site.left(), before);
}

#[test]
fn an_address_alone_becomes_the_endpoint() {
    let Some(site) = Site::new() else { return };
    let address = site.given_address(PROJECT, "static", &[]);
    site.cluster("shop", &json!({"controlPlaneIP": address}));
    let _provider = site.provider();
    let shop = site.until_ready(KIND, "shop");
    assert_eq!(shop["spec"]["controlPlaneEndpoint"], json!({"host": address, "port": 443}));
    site.delete_whole_cluster("shop");
    assert_eq!(site.left(), [format!("ip {address}")]);
}

/// CAPMS took it unseen.
#[test]
fn a_given_network_that_is_not_there_is_not_taken_for_granted() {
    let Some(site) = Site::new() else { return };
    let mut spec = endpoint("198.18.0.77");
    spec["nodeNetworkID"] = json!("00000000-0000-4000-8000-00000000dead");
    site.cluster("shop", &spec);
    let _provider = site.provider();
    site.until("it says that the network is not there", || {
        let said = site.said(KIND, "shop", "NodeNetworkReady");
        if said.0 == "False" { Ok(()) } else { Err(format!("{said:?}")) }
    });
    assert_ne!(site.read(KIND, "shop")["status"]["initialization"]["provisioned"], true);
    assert_eq!(site.writes(), [], "I5: nothing is allocated in its place");
}

/// D1.
#[test]
fn all_that_was_allocated_is_freed() {
    let Some(site) = Site::new() else { return };
    site.cluster("shop", &json!({}));
    let _provider = site.provider();
    site.until_ready(KIND, "shop");
    assert_eq!(site.left().len(), 2);
    // D16: there is no firewall to refer to.
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// D14.
#[test]
fn ids_that_somebody_removed_from_the_spec_are_found_again() {
    let Some(site) = Site::new() else { return };
    site.cluster("shop", &json!({}));
    let _provider = site.provider();
    let before = site.until_ready(KIND, "shop")["spec"].clone();
    site.patch(KIND, "shop", &json!({"spec": {"nodeNetworkID": null, "controlPlaneEndpoint": null}}));
    site.until("both are back", || {
        let spec = site.read(KIND, "shop")["spec"].clone();
        if spec == before { Ok(()) } else { Err(spec.to_string()) }
    });
    assert_eq!((site.count("created network"), site.count("created ip")), (1, 1));
}

/// D21.
#[test]
fn what_somebody_freed_by_hand_does_not_hold_the_deletion() {
    let Some(site) = Site::new() else { return };
    site.cluster("shop", &json!({}));
    let provider = site.provider();
    let shop = site.until_ready(KIND, "shop");
    provider.kill();
    let (network, address) = (&shop["spec"]["nodeNetworkID"], &shop["spec"]["controlPlaneEndpoint"]["host"]);
    site.metal("DELETE", &format!("/v1/ip/free/{}", address.as_str().unwrap()), &Value::Null);
    site.metal("DELETE", &format!("/v1/network/free/{}", network.as_str().unwrap()), &Value::Null);
    let _provider = site.provider();
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// D34.
#[test]
fn externally_managed_clusters_are_not_touched() {
    let Some(site) = Site::new() else { return };
    site.firewall("shop", &json!({}));
    site.cluster("shop", &json!({"firewallDeploymentRef": {"name": "shop"}}));
    site.annotate(KIND, "shop", "cluster.x-k8s.io/managed-by", Some(""));
    let _provider = site.provider();
    site.cluster("other", &json!({}));
    site.until_ready(KIND, "other");
    // An event of what it refers to leads to it, too.
    site.annotate("MetalStackFirewallDeployment", "shop", "example.com/touched", Some("yes"));
    is_left_alone_but_for("other", &site);
    let shop = site.read(KIND, "shop");
    assert_eq!(shop["metadata"].get("finalizers"), None, "{shop}");
    assert_eq!(shop.get("status"), None, "{shop}");
    assert_eq!(shop["spec"].get("nodeNetworkID"), None, "{shop}");
}

fn is_left_alone_but_for(other: &str, site: &Site) {
    site.until_read_again(2);
    let created = site.effects().iter().filter(|effect| effect.starts_with("created")).count();
    assert_eq!(created, 2, "network and address of {other}: {:?}", site.effects());
}

/// D18: CAPMS swallowed what went wrong with the firewall, and never came again.
#[test]
fn an_error_while_the_firewall_goes_does_not_end_the_deletion() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster("shop", &[]);
    site.sim.set_faults(json!([
        {"path": "*/machine/*/free", "times": 3, "effect": {"status": 500, "message": "a bad day"}},
    ]));
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// Pause holds for deletion, too.
#[test]
fn a_paused_cluster_is_not_freed() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    site.until_ready(KIND, "shop");
    let before = site.left();
    site.patch("Cluster", "shop", &json!({"spec": {"paused": true}}));
    site.until_condition(KIND, "shop", "Paused", "True", "Paused");
    site.delete(KIND, "shop");
    // The provider is busy elsewhere meanwhile: for a paused object it asks nobody.
    site.cluster("other", &json!({}));
    site.until_ready(KIND, "other");
    site.until_read_again(2);
    assert!(before.iter().all(|id| site.left().contains(id)), "{:?}", site.left());
    assert!(site.get(KIND, "shop").is_some());
    site.delete_whole_cluster("other");
    site.patch("Cluster", "shop", &json!({"spec": {"paused": false}}));
    site.until_gone(KIND, "shop");
    site.until_nothing_is_left();
}

/// D20: the Cluster was forced out; CAPMS never deleted what it had owned.
#[test]
fn what_lost_its_cluster_can_be_deleted() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster("shop", &[("shop-0", Role::Worker)]);
    site.force_delete("Cluster", "shop");
    site.force_delete("Machine", "shop-0");
    site.delete_whole("MetalStackMachine", "shop-0");
    site.delete_whole(KIND, "shop");
    site.until_nothing_is_left();
}

/// D9, R14: with the slash, and only what nobody else needs.
#[test]
fn addresses_of_the_cloud_controller_manager_go_with_the_cluster() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    site.until_ready(KIND, "shop");
    let service =
        |cluster: &str| format!("cluster.metal-stack.io/id/namespace/service={}.{cluster}/default/web", site.namespace);
    site.given_address(PROJECT, "ephemeral", &[&service("shop")]);
    let kept = site.given_address(PROJECT, "static", &[&service("shop"), "team=payments"]);
    let shared = site.given_address(PROJECT, "ephemeral", &[&service("shop"), &service("shop10")]);
    let other = site.given_address(PROJECT, "ephemeral", &[&service("shop10")]);
    let foreign = site.given_address(FOREIGN, "ephemeral", &[&service("shop")]);
    site.delete_whole_cluster("shop");
    let mut left = site.left();
    left.sort();
    let mut wanted: Vec<String> = [&kept, &shared, &other, &foreign].iter().map(|ip| format!("ip {ip}")).collect();
    wanted.sort();
    assert_eq!(left, wanted);
    let kept = site.addresses().into_iter().find(|ip| ip["ipaddress"] == kept.as_str()).unwrap();
    assert_eq!(kept["tags"], json!(["team=payments"]));
}

/// D1: the cloud controller manager takes addresses without tags of its own, and with the cluster's id, for services.
#[test]
fn the_control_planes_address_goes_also_when_a_service_uses_it() {
    let Some(site) = Site::new() else { return };
    let id = format!("{}.shop", site.namespace);
    let tags = [
        format!("cluster.metal-stack.io/id={id}"),
        "metal-stack.infrastructure.cluster.x-k8s.io/purpose=control-plane".to_owned(),
        format!("cluster.metal-stack.io/id/namespace/service={id}/default/web"),
    ];
    let capms = site.given_address(PROJECT, "ephemeral", &tags.each_ref().map(String::as_str));
    site.cluster("shop", &endpoint(&capms));
    // D12: this one is a person's.
    let persons = site.given_address(PROJECT, "ephemeral", &[&tags[2].replace(".shop", ".other")]);
    site.cluster("other", &endpoint(&persons));
    let _provider = site.provider();
    site.until_ready(KIND, "shop");
    site.until_ready(KIND, "other");
    site.delete_whole_cluster("shop");
    site.delete_whole_cluster("other");
    assert_eq!(site.left(), [format!("ip {persons}")]);
    assert_eq!(site.addresses()[0]["tags"].as_array().map_or(0, Vec::len), 0);
}

/// With a ClusterClass the infrastructure has a name of its own, and the cloud controller manager knows the Cluster's.
#[test]
fn addresses_of_services_are_found_by_the_name_of_the_cluster() {
    let Some(site) = Site::new() else { return };
    site.core_cluster("shop", &json!({"infrastructureRef": {"name": "shop-x7k2p"}}));
    site.infrastructure("shop-x7k2p", &json!({}));
    site.adopt(KIND, "shop-x7k2p", "shop", "Cluster", "shop", false);
    let _provider = site.provider();
    site.until_ready(KIND, "shop-x7k2p");
    let service =
        |cluster: &str| format!("cluster.metal-stack.io/id/namespace/service={}.{cluster}/default/web", site.namespace);
    site.given_address(PROJECT, "ephemeral", &[&service("shop")]);
    let other = site.given_address(PROJECT, "ephemeral", &[&service("shop-x7k2p")]);
    site.delete("Cluster", "shop");
    site.delete_whole(KIND, "shop-x7k2p");
    assert_eq!(site.left(), [format!("ip {other}")]);
}

/// Templates give the address of the control plane, also to a cluster whose project is a typing error.
#[test]
fn a_cluster_with_a_mistyped_project_can_be_deleted() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    let mut spec = endpoint("198.18.0.77");
    spec["projectID"] = json!("no project");
    spec["controlPlaneIP"] = json!("198.18.0.77");
    site.cluster("shop", &spec);
    site.until_condition(KIND, "shop", "NodeNetworkReady", "False", "InvalidSpec");
    site.delete_whole_cluster("shop");
    assert_eq!(site.writes(), []);
}

/// In another management cluster, or in this one before its object was made anew: what has its name is not its own.
#[test]
fn what_a_cluster_of_the_same_name_has_is_neither_taken_nor_freed() {
    let Some(site) = Site::new() else { return };
    let provider = site.provider();
    site.cluster("shop", &json!({}));
    let spec = site.until_ready(KIND, "shop")["spec"].clone();
    let mut before = site.left();
    before.sort();
    provider.kill();
    site.force_delete(KIND, "shop");
    site.force_delete("Cluster", "shop");
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    let shop = site.until_condition(KIND, "shop", "NodeNetworkReady", "False", "Claimed");
    let message = condition(&shop, "NodeNetworkReady").unwrap()["message"].to_string();
    assert!(message.contains(spec["nodeNetworkID"].as_str().unwrap()), "{message}");
    site.delete_whole_cluster("shop");
    let after = || {
        let mut left = site.left();
        left.sort();
        left
    };
    assert_eq!(after(), before);
    let said = |event: &Value| event["reason"] == "LeftBehind" && event["type"] == "Warning";
    site.until("a person hears of what stays", || {
        if site.list("Event").iter().any(said) { Ok(()) } else { Err("no Event") }
    });
    // Named, it is taken, and goes with the cluster.
    site.cluster("shop", &spec);
    site.until_ready(KIND, "shop");
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// A take-over from CAPMS 0.3.1 to 0.5, which wrote the id with a slash.
#[test]
fn what_an_old_capms_allocated_goes_with_the_cluster() {
    let Some(site) = Site::new() else { return };
    let id = format!("{}/shop", site.namespace);
    let network = site.given_network(PROJECT, &json!({"cluster.metal-stack.io/id": id}));
    let tags = [
        format!("cluster.metal-stack.io/id={id}"),
        "metal-stack.infrastructure.cluster.x-k8s.io/purpose=control-plane".to_owned(),
    ];
    let address = site.given_address(PROJECT, "ephemeral", &tags.each_ref().map(String::as_str));
    let mut spec = endpoint(&address);
    spec["nodeNetworkID"] = json!(network);
    site.cluster("shop", &spec);
    let _provider = site.provider();
    site.until_ready(KIND, "shop");
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// A policy, or a Secret that is immutable: the cluster serves all the same (R12).
#[test]
fn credentials_of_the_cloud_controller_manager_that_cannot_be_written_hold_nothing_up() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.core_cluster("shop", &json!({}));
    site.infrastructure("shop", &json!({}));
    let uid = site.read("Cluster", "shop")["metadata"]["uid"].clone();
    site.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "immutable": true, "type": "addons.cluster.x-k8s.io/resource-set",
        "metadata": {"name": "shop-metal-ccm", "ownerReferences": [
            {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "name": "shop", "uid": uid},
        ]},
        "stringData": {"old": "value"},
    }));
    site.annotate(KIND, "shop", "fleet.metal-stack.io/ccm-credentials", Some("inherit"));
    site.adopt(KIND, "shop", "shop", "Cluster", "shop", false);
    let of = "CloudControllerCredentialsReady";
    let shop = site.until_condition(KIND, "shop", of, "False", "CredentialsMissing");
    assert!(condition(&shop, of).unwrap()["message"].to_string().contains("422"), "{shop}");
    site.until_ready(KIND, "shop");
    site.delete("Secret", "shop-metal-ccm");
    site.until_condition(KIND, "shop", of, "True", "Written");
}

/// R16: whoever may annotate a cluster of his namespace must not read the platform's key in it.
#[test]
fn the_providers_own_credentials_are_not_handed_out_under_a_project_map() {
    let Some(site) = Site::new() else { return };
    let map = site.path().join("projects.yaml");
    std::fs::write(&map, format!("namespaces:\n  {}: [{PROJECT}]\n", site.namespace)).unwrap();
    let _provider = site.provider_with(&["--project-map", map.to_str().unwrap()]);
    site.cluster("shop", &json!({}));
    site.annotate(KIND, "shop", "fleet.metal-stack.io/ccm-credentials", Some("inherit"));
    site.until_condition(KIND, "shop", "CloudControllerCredentialsReady", "False", "CredentialsMissing");
    site.until_ready(KIND, "shop");
    assert!(site.get("Secret", "shop-metal-ccm").is_none());
}

/// R7: slots of the engine are never filled here.
#[test]
fn slots_of_the_engine_are_waited_for() {
    let Some(site) = Site::new() else { return };
    site.cluster_with_firewall("shop", &json!({}));
    site.annotate(KIND, "shop", "fleet.metal-stack.io/engine-slots", Some("network,vip,firewall"));
    let _provider = site.provider();
    site.until_condition(KIND, "shop", "NodeNetworkReady", "False", "WaitingForEngine");
    site.until_condition(KIND, "shop", "ControlPlaneEndpointReady", "False", "WaitingForEngine");
    site.until_read_again(2);
    assert_eq!(site.writes(), []);
}
