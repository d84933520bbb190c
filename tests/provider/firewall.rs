//! Firewalls: allocated once, seen to live, replaced when they must be, freed without their template.

use ferrofleet_tests::provider::objects::{Role, merged};
use ferrofleet_tests::provider::{PARTITION, PROJECT, Site, condition};
use metal_sim::MachineIncident;
use serde_json::{Value, json};

const KIND: &str = "MetalStackFirewallDeployment";

fn id_of(object: &Value) -> String {
    let name = object["spec"]["managedResourceRef"]["name"].as_str().unwrap_or_default();
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

#[test]
fn without_owners_nothing_is_touched() {
    let Some(site) = Site::new() else { return };
    // No owner at all; the MetalStackCluster is owned and does not name it; it is named, but its cluster has no owner.
    site.firewall("alone", &json!({}));
    site.firewall("beside", &json!({}));
    site.cluster("beside", &json!({}));
    site.firewall("named", &json!({}));
    site.infrastructure("named", &json!({"firewallDeploymentRef": {"name": "named"}}));
    let _provider = site.provider();
    site.cluster_with_firewall("other", &json!({}));
    site.until_ready("MetalStackCluster", "other");
    site.until_read_again(2);
    for name in ["alone", "beside", "named"] {
        let object = site.read(KIND, name);
        assert_eq!(object["metadata"]["generation"], 1, "{object}");
        assert_eq!(object["metadata"].get("finalizers"), None, "{object}");
    }
    assert_eq!(site.servers().len(), 1);
}

#[test]
fn paused_firewalls_say_so_and_are_left_alone() {
    let Some(site) = Site::new() else { return };
    let names = ["by-cluster", "by-infrastructure", "by-annotation"];
    for name in names {
        site.firewall(name, &json!({}));
        site.core_cluster(name, &json!({"paused": name == "by-cluster"}));
        site.infrastructure(name, &json!({"firewallDeploymentRef": {"name": name}}));
        if name == "by-infrastructure" {
            site.annotate("MetalStackCluster", name, "cluster.x-k8s.io/paused", Some(""));
        }
        if name == "by-annotation" {
            site.annotate(KIND, name, "cluster.x-k8s.io/paused", Some(""));
        }
        site.adopt("MetalStackCluster", name, name, "Cluster", name, false);
        // As it stands after the day on which it was paused.
        site.adopt(KIND, name, name, "MetalStackCluster", name, true);
    }
    let _provider = site.provider();
    for name in names {
        site.until_condition(KIND, name, "Paused", "True", "Paused");
        let object = site.read(KIND, name);
        assert_eq!(object["metadata"]["generation"], 1, "{object}");
    }
    assert_eq!(site.calls_of("POST", "/firewall/allocate"), 0);
    site.patch("Cluster", "by-cluster", &json!({"spec": {"paused": false}}));
    site.annotate("MetalStackCluster", "by-infrastructure", "cluster.x-k8s.io/paused", None);
    site.annotate(KIND, "by-annotation", "cluster.x-k8s.io/paused", None);
    for name in names {
        // D28, D29.
        site.until_ready(KIND, name);
        assert_eq!(site.said(KIND, name, "Paused"), ("False".to_owned(), "NotPaused".to_owned()), "D43");
    }
}

#[test]
fn one_firewall_is_allocated_and_named() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster_with_firewall("shop", &json!({}));
    let shop = site.until_ready("MetalStackCluster", "shop");
    let deployment = site.until_ready(KIND, "shop");
    let firewall = site.only("firewall");
    let reference = format!("metal://{PARTITION}/{}", firewall["id"].as_str().unwrap());
    assert_eq!(deployment["spec"]["managedResourceRef"]["name"], reference);
    let (ns, group) = (&site.namespace, "metal-stack.infrastructure.cluster.x-k8s.io");
    let network = shop["spec"]["nodeNetworkID"].as_str().unwrap();
    let tags: Vec<&str> = firewall["tags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for tag in [
        format!("cluster.metal-stack.io/id={network}"),
        format!("{group}/cluster-resource={ns}.shop"),
        format!("{group}/firewall-deployment-resource={ns}.shop"),
        "firewall.metal-stack.io/managed-by=cluster-api-provider-metal-stack".to_owned(),
        "fleet.metal-stack.io/managed-by=provider".to_owned(),
        "fleet.metal-stack.io/slot=firewall.1".to_owned(),
    ] {
        assert!(tags.contains(&tag.as_str()), "R18: {tag} is not in {tags:?}");
    }
    assert_eq!(firewall["allocation"]["hostname"], "shop-firewall");
    let networks = firewall["allocation"]["networks"].as_array().unwrap();
    for id in [network, "internet"] {
        assert_eq!(networks.iter().filter(|n| n["networkid"] == id).count(), 1, "{networks:?}");
    }
    // D15: the template is a person's.
    let template = site.read("MetalStackFirewallTemplate", "shop");
    assert_eq!(template["metadata"].get("ownerReferences"), None, "{template}");
    let owner = &deployment["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["controller"]), (&json!("MetalStackCluster"), &json!(true)));
    assert_eq!(deployment["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"], "shop");
    let generation = site.read(KIND, "shop")["metadata"]["generation"].clone();
    site.until_read_again(2);
    assert_eq!(site.read(KIND, "shop")["metadata"]["generation"], generation);
}

/// D40, D41: CAPMS called a cluster provisioned whose firewall had just been asked for.
#[test]
fn a_firewall_that_has_not_phoned_home_holds_the_cluster() {
    let Some(site) = Site::new() else { return };
    // Longer than anything else takes.
    let _provider = site.provider_with(&["--firewall-health-timeout", "1h"]);
    site.sim.freeze();
    site.cluster_with_firewall("shop", &json!({}));
    site.until("the firewall is allocated", || if site.servers().len() == 1 { Ok(()) } else { Err("not yet") });
    site.until_condition("MetalStackCluster", "shop", "FirewallReady", "False", "WaitingForPhoneHome");
    site.until_read_again(2);
    let (shop, deployment) = (site.read("MetalStackCluster", "shop"), site.read(KIND, "shop"));
    for object in [&shop, &deployment] {
        assert_ne!(object["status"]["initialization"]["provisioned"], true, "{object}");
        assert_ne!(object["status"]["ready"], true, "{object}");
    }
    site.sim.unfreeze();
    site.until_ready(KIND, "shop");
    site.until_ready("MetalStackCluster", "shop");
}

#[test]
fn without_the_gate_the_cluster_waits_for_no_phone_home() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider_with(&["--wait-for-firewall", "false", "--firewall-health-timeout", "1h"]);
    site.sim.freeze();
    site.cluster_with_firewall("shop", &json!({}));
    site.until("it is provisioned", || {
        let shop = site.read("MetalStackCluster", "shop");
        if shop["status"]["initialization"]["provisioned"] == true { Ok(()) } else { Err(shop["status"].to_string()) }
    });
    site.sim.unfreeze();
    site.until_ready("MetalStackCluster", "shop");
}

/// D17: whoever deletes a folder of manifests deletes the template first.
#[test]
fn a_firewall_is_freed_without_template_and_without_owners() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster("shop", &[]);
    site.delete("MetalStackFirewallTemplate", "shop");
    site.delete_whole("MetalStackCluster", "shop");
    site.until_gone(KIND, "shop");
    site.until_nothing_is_left();

    site.whole_cluster("web", &[]);
    site.delete("MetalStackFirewallTemplate", "web");
    site.force_delete("Cluster", "web");
    site.force_delete("MetalStackCluster", "web");
    site.delete_whole(KIND, "web");
    assert_eq!(site.servers(), Vec::<Value>::new());
}

/// A cluster that is deleted before it owned its deployment, and D24: one that came back from a backup, with another uid.
#[test]
fn a_firewall_goes_with_the_cluster_that_names_it_whoever_owns_it() {
    let Some(site) = Site::new() else { return };
    let owner = |uid: &str| {
        json!([{
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1", "kind": "MetalStackCluster", "name": "shop",
            "uid": uid, "controller": true, "blockOwnerDeletion": true,
        }])
    };
    for owners in [json!(null), owner("10000000-0000-4000-8000-00000000dead")] {
        let provider = site.provider();
        site.whole_cluster("shop", &[]);
        provider.kill();
        site.patch(KIND, "shop", &json!({"metadata": {"ownerReferences": owners}}));
        site.delete("MetalStackCluster", "shop");
        let _provider = site.provider();
        site.until_gone("MetalStackCluster", "shop");
        site.until_gone(KIND, "shop");
        site.until_nothing_is_left();
        site.delete("Cluster", "shop");
    }
}

/// D8: CAPMS searched by tags of what the cluster named now, found nothing, and called that done.
#[test]
fn a_firewall_is_freed_when_the_cluster_names_another_network() {
    let Some(site) = Site::new() else { return };
    let provider = site.provider();
    site.whole_cluster("shop", &[]);
    provider.kill();
    site.force_delete("MetalStackCluster", "shop");
    site.infrastructure("shop", &json!({"nodeNetworkID": "00000000-0000-4000-8000-00000000dead"}));
    site.adopt("MetalStackCluster", "shop", "shop", "Cluster", "shop", false);
    site.adopt(KIND, "shop", "shop", "MetalStackCluster", "shop", true);
    let _provider = site.provider();
    site.delete_whole(KIND, "shop");
    assert_eq!(site.servers(), Vec::<Value>::new());
}

/// D5 and I1: the reference was lost, the firewall was not.
#[test]
fn a_lost_reference_finds_the_same_firewall() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster("shop", &[]);
    let before = id_of(&site.read(KIND, "shop"));
    site.patch(KIND, "shop", &json!({"spec": {"managedResourceRef": null}}));
    site.until("the reference is back", || {
        let found = id_of(&site.read(KIND, "shop"));
        if found == before { Ok(()) } else { Err(found) }
    });
    assert_eq!(site.count("created firewall"), 1);
}

/// D65, R3, R5: the old one serves until the new one has phoned home.
#[test]
fn a_changed_template_replaces_the_firewall() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider_with(&["--firewall-health-timeout", "1h"]);
    site.whole_cluster("shop", &[]);
    let old = id_of(&site.read(KIND, "shop"));
    site.sim.freeze();
    site.firewall_template("shop", &json!({"image": "firewall-ubuntu-3.0.20251101"}));
    site.until("the next one is allocated", || if site.servers().len() == 2 { Ok(()) } else { Err("not yet") });
    site.until_condition(KIND, "shop", "FirewallUpToDate", "False", "Replacing");
    site.until_read_again(2);
    assert_eq!(site.servers().len(), 2, "the old one serves");
    assert_eq!(site.said("MetalStackCluster", "shop", "Ready").0, "True");
    site.sim.unfreeze();
    site.until("only the new one is left", || {
        let servers = site.servers();
        let is = servers.len() == 1
            && servers[0]["id"] != old.as_str()
            && id_of(&site.read(KIND, "shop")) == servers[0]["id"].as_str().unwrap();
        if is { Ok(()) } else { Err(format!("{:?}", site.left())) }
    });
    site.until_condition(KIND, "shop", "FirewallUpToDate", "True", "UpToDate");
    assert_eq!(site.count("created firewall"), 2);
    let servers = site.servers();
    let tags = servers[0]["tags"].to_string();
    assert!(tags.contains("fleet.metal-stack.io/slot=firewall.2"), "{tags}");
}

/// R4.
#[test]
fn a_dead_firewall_is_replaced() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider_with(&["--firewall-replacement-pause", "3s"]);
    site.whole_cluster("shop", &[]);
    let old = id_of(&site.read(KIND, "shop"));
    site.incident(&old, &MachineIncident { liveliness: Some("Dead".into()), ..MachineIncident::default() });
    site.until_condition("MetalStackCluster", "shop", "FirewallReady", "False", "NotAlive");
    assert_eq!(site.read("MetalStackCluster", "shop")["status"]["initialization"]["provisioned"], true);
    site.until("another one serves", || {
        let servers = site.servers();
        let is = servers.len() == 1 && servers[0]["id"] != old.as_str();
        if is { Ok(()) } else { Err(format!("{:?}", site.left())) }
    });
    site.until_ready(KIND, "shop");
    site.until_ready("MetalStackCluster", "shop");
    assert_eq!(site.count("created firewall"), 2);
}

/// D23: two clusters name one deployment.
#[test]
fn a_firewall_that_another_cluster_has_is_not_shared() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster("shop", &[]);
    site.cluster("late", &json!({"firewallDeploymentRef": {"name": "shop"}}));
    let late = site.until_condition("MetalStackCluster", "late", "FirewallReady", "False", "FirewallDeploymentTaken");
    let message = condition(&late, "FirewallReady").unwrap()["message"].to_string();
    assert!(message.contains("shop"), "{message}");
    // Nor does its end take the firewall with it.
    site.delete_whole("MetalStackCluster", "late");
    assert_eq!(site.servers().len(), 1);
    site.until_ready(KIND, "shop");
}

#[test]
fn a_template_that_is_not_there_yet_is_waited_for() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster_with_firewall("shop", &json!({}));
    site.delete("MetalStackFirewallTemplate", "shop");
    site.cluster("late", &json!({"firewallDeploymentRef": {"name": "late"}}));
    site.until_condition("MetalStackCluster", "late", "FirewallReady", "False", "FirewallDeploymentMissing");
    let deployment = json!({"firewallTemplateRef": {"name": "late"}});
    site.apply(&ferrofleet_tests::provider::objects::object(KIND, "late", &deployment));
    site.until_condition(KIND, "late", "FirewallAllocated", "False", "FirewallTemplateMissing");
    site.firewall_template("late", &json!({}));
    site.until_ready("MetalStackCluster", "late");
}

/// A firewall of another deployment's making in a network of its own, with these names and this mark; its id.
fn namesake(site: &Site, attempt: &str) -> String {
    let group = "metal-stack.infrastructure.cluster.x-k8s.io";
    let ns = &site.namespace;
    let tags = [
        "firewall.metal-stack.io/managed-by=cluster-api-provider-metal-stack".to_owned(),
        format!("{group}/cluster-resource={ns}.shop"),
        format!("{group}/firewall-deployment-resource={ns}.shop"),
        "fleet.metal-stack.io/managed-by=provider".to_owned(),
        "fleet.metal-stack.io/slot=firewall.1".to_owned(),
        format!("fleet.metal-stack.io/attempt={attempt}"),
    ];
    site.given_firewall(&site.given_network(PROJECT, &json!({})), &tags)
}

/// F2: another management cluster has a cluster of the same name in the same project.
#[test]
fn i12_a_firewall_of_the_same_name_elsewhere_is_neither_taken_nor_freed() {
    let Some(site) = Site::new() else { return };
    let other = namesake(&site, "99999999-0000-4000-8000-000000000009");
    let _provider = site.provider();
    site.cluster_with_firewall("shop", &json!({}));
    let claimed = site.until_condition(KIND, "shop", "FirewallAllocated", "False", "Claimed");
    let message = condition(&claimed, "FirewallAllocated").unwrap()["message"].to_string();
    assert!(message.contains(&other), "{message}");
    site.delete_whole("MetalStackCluster", "shop");
    site.until_gone(KIND, "shop");
    assert_eq!(site.only("firewall")["id"], other.as_str());
}

/// F6: a project that the provider may not use; nothing was ever allocated.
#[test]
fn a_firewall_of_a_mistyped_project_goes_at_once() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.firewall("shop", &json!({}));
    let spec = json!({"firewallDeploymentRef": {"name": "shop"}, "credentialsRef": {"name": "nowhere"}});
    site.cluster("shop", &spec);
    site.until_condition(KIND, "shop", "Ready", "False", "CredentialsMissing");
    site.delete(KIND, "shop");
    site.until_gone(KIND, "shop");
}

/// F11: a copied manifest names the network of another cluster, whose nodes would lose their way out.
#[test]
fn i6_no_firewall_is_put_into_the_network_of_another_cluster() {
    let Some(site) = Site::new() else { return };
    let network = site.given_network(PROJECT, &json!({"cluster.metal-stack.io/id": "elsewhere.web"}));
    let _provider = site.provider();
    site.firewall("shop", &json!({}));
    site.cluster("shop", &json!({"firewallDeploymentRef": {"name": "shop"}, "nodeNetworkID": network}));
    site.until_condition("MetalStackCluster", "shop", "NodeNetworkReady", "False", "BelongsToOther");
    site.until_condition(KIND, "shop", "FirewallAllocated", "False", "WaitingForNodeNetwork");
    site.until_read_again(2);
    assert_eq!(site.servers(), Vec::<Value>::new());
}

/// F13: `kubectl replace` of a manifest without managedResourceRef and without our annotations.
#[test]
fn r5_nothing_is_allocated_beside_a_firewall_that_a_person_supplied() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    site.until_condition("MetalStackCluster", "shop", "NodeNetworkReady", "True", "Allocated");
    let network = site.read("MetalStackCluster", "shop")["spec"]["nodeNetworkID"].as_str().unwrap().to_owned();
    let supplied = site.given_firewall(&network, &[]);
    let reference = json!({"managedResourceRef": {"name": format!("metal://{PARTITION}/{supplied}")}});
    site.firewall("shop", &reference);
    site.patch("MetalStackCluster", "shop", &json!({"spec": {"firewallDeploymentRef": {"name": "shop"}}}));
    site.until_ready(KIND, "shop");
    // By what was noted it is found again.
    site.patch(KIND, "shop", &json!({"spec": {"managedResourceRef": null}}));
    site.until("the reference is back", || {
        let found = id_of(&site.read(KIND, "shop"));
        if found == supplied { Ok(()) } else { Err(found) }
    });
    let noted = ["allocation", "firewall-baseline"].map(|key| (format!("fleet.metal-stack.io/{key}"), Value::Null));
    let bare = json!({"metadata": {"annotations": serde_json::Map::from_iter(noted)}});
    site.patch(KIND, "shop", &merged(bare, &json!({"spec": {"managedResourceRef": null}})));
    site.until_condition(KIND, "shop", "FirewallAllocated", "False", "Claimed");
    assert_eq!(site.only("firewall")["id"], supplied.as_str());
    // What nothing says to be ours stays, and that is said.
    site.patch(KIND, "shop", &json!({"spec": reference}));
    site.until_ready(KIND, "shop");
    site.delete_whole(KIND, "shop");
    let told = |event: &Value| event["reason"] == "LeftBehind" && event["type"] == "Warning";
    assert!(site.list("Event").iter().any(told), "{:?}", site.list("Event"));
    assert_eq!(site.only("firewall")["id"], supplied.as_str());
}

/// F8: metal-stack hears of nothing in the partition.
#[test]
fn r4_an_outage_of_metal_stack_replaces_no_firewall() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider_with(&["--firewall-replacement-pause", "1s"]);
    site.whole_cluster("shop", &[("shop-0", Role::Worker)]);
    let all: Vec<String> = site.servers().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect();
    let says = |liveliness: &str| MachineIncident { liveliness: Some(liveliness.into()), ..MachineIncident::default() };
    all.iter().for_each(|id| site.incident(id, &says("Unknown")));
    site.until_condition(KIND, "shop", "FirewallUpToDate", "False", "Suspect");
    all.iter().for_each(|id| site.incident(id, &says("Alive")));
    site.until_ready(KIND, "shop");
    assert_eq!(site.count("created firewall"), 1);
}
