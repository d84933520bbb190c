//! Firewalls: allocated once, seen to live, replaced when they must be, freed without their template.

use ferrofleet_tests::provider::{PARTITION, Site, condition};
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
