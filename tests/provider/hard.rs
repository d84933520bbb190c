//! Odd objects and odd days that no other list has.

use ferrofleet_tests::provider::objects::{Role, api_version};
use ferrofleet_tests::provider::{PROJECT, Site, condition};
use serde_json::{Value, json};
use std::time::Duration;

/// `kubectl get -o yaml`, another name, `kubectl apply`: the annotations come along.
#[test]
fn i1_a_copy_of_an_object_gets_its_own() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster("shop", &[("shop-0", Role::Worker)]);
    let of = |kind: &str, name: &str| site.read(kind, name)["metadata"]["annotations"].clone();
    let cluster = of("MetalStackCluster", "shop");
    // With the allocation's UUID too it would be a machine that lost its providerID, and gets no other.
    let attempt = "fleet.metal-stack.io/attempt";
    let machine = json!({attempt: of("MetalStackMachine", "shop-0")[attempt]});
    site.core_cluster("copy", &json!({}));
    let mut copy = json!({
        "apiVersion": api_version("MetalStackCluster"), "kind": "MetalStackCluster",
        "metadata": {"name": "copy", "annotations": cluster},
        "spec": {"projectID": PROJECT, "partition": "muc-a"},
    });
    site.apply(&copy);
    site.adopt("MetalStackCluster", "copy", "copy", "Cluster", "copy", false);
    site.until_core_knows("copy");
    site.machine_without_bootstrap("copy", "copy-0", Role::Worker, &json!({}), &json!({}));
    site.patch("MetalStackMachine", "copy-0", &json!({"metadata": {"annotations": machine}}));
    site.bootstrap("copy", "copy-0", "ignition", Some("{}"));
    site.patch("Machine", "copy-0", &json!({"spec": {"bootstrap": {"dataSecretName": "copy-0"}}}));
    site.until_ready("MetalStackMachine", "copy-0");
    copy = site.read("MetalStackCluster", "copy");
    let shop = site.read("MetalStackCluster", "shop");
    assert_ne!(copy["spec"]["nodeNetworkID"], shop["spec"]["nodeNetworkID"]);
    assert_ne!(copy["spec"]["controlPlaneEndpoint"], shop["spec"]["controlPlaneEndpoint"]);
    site.delete_whole_cluster("copy");
    site.until_ready("MetalStackMachine", "shop-0");
    assert_eq!(site.left().len(), 4, "{:?}", site.left());
}

/// Two objects of one cluster name one server: the one that it was allocated for has it.
#[test]
fn i6_a_machine_that_names_the_server_of_another_frees_nothing() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster("shop", &[("shop-0", Role::Worker)]);
    let id = site.read("MetalStackMachine", "shop-0")["spec"]["providerID"].clone();
    site.machine_with("shop", "thief", Role::Worker, &json!({}), &json!({"providerID": id}));
    let thief = site.until("it is judged", || {
        let thief = site.read("MetalStackMachine", "thief");
        if condition(&thief, "Ready").is_some() { Ok(thief) } else { Err("not yet") }
    });
    assert_ne!(condition(&thief, "Ready").unwrap()["status"], "True", "{thief}");
    site.delete_whole("MetalStackMachine", "thief");
    assert_eq!(site.servers_of("machine").len(), 1);
    site.until_ready("MetalStackMachine", "shop-0");
}

/// R25: somebody else's address is still in the node network.
#[test]
fn a_network_in_use_is_waited_for() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    let network = site.until_ready("MetalStackCluster", "shop")["spec"]["nodeNetworkID"].clone();
    let body = json!({"projectid": PROJECT, "networkid": network, "name": "theirs", "type": "static"});
    let address = site.metal("POST", "/v1/ip/allocate", &body)["ipaddress"].as_str().unwrap().to_owned();
    site.delete("MetalStackCluster", "shop");
    let shop = site.until("it waits for the network", || {
        let object = site.read("MetalStackCluster", "shop");
        let said = condition(&object, "Deleting").is_some_and(|c| c["reason"] == "WaitingForRelease");
        if said { Ok(object) } else { Err(object["status"].to_string()) }
    });
    assert!(shop["metadata"]["finalizers"].is_array());
    site.metal("DELETE", &format!("/v1/ip/free/{address}"), &Value::Null);
    site.until_gone("MetalStackCluster", "shop");
    site.until_nothing_is_left();
}

/// D68 and 6.5: names and racks that are no label values.
#[test]
fn long_names_and_odd_racks_make_valid_servers_and_labels() {
    let mut landscape = ferrofleet_tests::provider::landscape();
    for group in &mut landscape.machines {
        group.racks = vec![format!("Halle 3 / Reihe ä {}", "x".repeat(70))];
    }
    let Some(site) = Site::with(landscape) else { return };
    let _provider = site.provider();
    let cluster = format!("a-cluster-with-a-name-that-is-long-{}", "x".repeat(10));
    site.whole_cluster(&cluster, &[]);
    let machine = format!("{cluster}-workers-of-the-general-pool-{}", "7".repeat(15));
    assert!(machine.len() > 63);
    site.machine(&cluster, &machine, Role::Worker);
    let object = site.until_ready("MetalStackMachine", &machine);
    let server = site.only("machine");
    let hostname = server["allocation"]["hostname"].as_str().unwrap();
    assert!(hostname.len() <= 63 && hostname.starts_with("a-cluster-with"), "{hostname}");
    for tag in server["tags"].as_array().unwrap() {
        let value = tag.as_str().unwrap().split_once('=').map_or("", |(_, value)| value);
        assert!(
            value.len() <= 63 || value.contains('/') || value.contains(' '),
            "metal-ccm copies it to a label: {tag}"
        );
    }
    assert_eq!(object["status"]["failureDomain"], "muc-a");
    site.delete_whole("MetalStackMachine", &machine);
    site.delete("Machine", &machine);
    site.delete_whole_cluster(&cluster);
    site.until_nothing_is_left();
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB25gQrPTkrgComPwwR6L+poHch3eyQfjEenMXf7ZQeT ada";

#[test]
fn what_is_asked_of_a_machine_reaches_its_server() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    site.until_core_knows("shop");
    let storage = site.given_network(PROJECT, &json!({}));
    site.machine_with(
        "shop",
        "shop-0",
        Role::Worker,
        &json!({}),
        &json!({
            "additionalNetworks": [{"networkID": "internet"}], "sshPublicKeys": [KEY],
            "tags": ["team=payments"], "dnsServers": ["192.0.2.53"], "ntpServers": ["time.example.com"],
            "filesystemLayout": "default",
        }),
    );
    site.until_ready("MetalStackMachine", "shop-0");
    let server = site.only("machine");
    let allocation = &server["allocation"];
    assert!(server["tags"].to_string().contains("team=payments"), "{server}");
    assert!(allocation["ssh_pub_keys"].to_string().contains(KEY), "{allocation}");
    assert!(allocation["dns_servers"].to_string().contains("192.0.2.53"), "{allocation}");
    assert!(allocation["ntp_servers"].to_string().contains("time.example.com"), "{allocation}");
    let networks = allocation["networks"].to_string();
    assert!(networks.contains("\"internet\"") && !networks.contains(&storage), "{networks}");
    let addresses = site.read("MetalStackMachine", "shop-0")["status"]["addresses"].to_string();
    assert!(addresses.contains("ExternalIP"), "{addresses}");
    // This very server.
    let state = site.sim.state();
    let free =
        |m: &&Value| m["allocation"].is_null() && m["size"]["id"] == "n1-medium-x86" && m["partition"]["id"] == "muc-a";
    let wanted = state["machines"].as_array().unwrap().iter().rfind(free).unwrap()["id"].as_str().unwrap().to_owned();
    site.machine_with("shop", "shop-1", Role::Worker, &json!({}), &json!({"machineUUID": wanted}));
    let machine = site.until_ready("MetalStackMachine", "shop-1");
    assert_eq!(machine["spec"]["providerID"], format!("metal://muc-a/{wanted}"));
}

/// R21, and hosted control planes.
#[test]
fn the_port_of_the_endpoint_follows_the_control_plane() {
    let Some(site) = Site::new() else { return };
    let hosted = json!({
        "controlPlaneRef": {"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KamajiControlPlane", "name": "x"},
    });
    let kubeadm = json!({
        "controlPlaneRef": {"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KubeadmControlPlane", "name": "x"},
        "clusterNetwork": {"apiServerPort": 8443},
    });
    let mut with_port = hosted.clone();
    with_port["clusterNetwork"] = json!({"apiServerPort": 7443});
    let given = json!({"controlPlaneEndpoint": {"host": "api.example.com", "port": 6443}});
    let cases =
        [("hosted", hosted, 6443), ("ported", with_port, 7443), ("kubeadm", kubeadm, 443), ("given", given, 6443)];
    for (name, spec, _) in &cases {
        site.core_cluster(name, spec);
        site.infrastructure(name, &json!({}));
        site.adopt("MetalStackCluster", name, name, "Cluster", name, false);
    }
    let _provider = site.provider();
    for (name, _, port) in &cases {
        let object = site.until_ready("MetalStackCluster", name);
        assert_eq!(object["spec"]["controlPlaneEndpoint"]["port"], *port, "{name}");
    }
    let host = site.read("MetalStackCluster", "given")["spec"]["controlPlaneEndpoint"]["host"].clone();
    assert_eq!(host, "api.example.com");
    assert_eq!(site.addresses().len(), 3, "none for the given one");
}

/// Scale from zero.
#[test]
fn a_machine_template_says_what_its_machines_have() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    let template = json!({"template": {"spec": {"size": "n1-medium-x86", "image": "capms-ubuntu-1.34.2"}}});
    site.apply(&ferrofleet_tests::provider::objects::object("MetalStackMachineTemplate", "shop", &template));
    site.adopt("MetalStackMachineTemplate", "shop", "shop", "Cluster", "shop", false);
    site.until("its capacity is said", || {
        let object = site.read("MetalStackMachineTemplate", "shop");
        let capacity = &object["status"]["capacity"];
        if capacity["cpu"] == "8" && !capacity["memory"].is_null() { Ok(()) } else { Err(object.to_string()) }
    });
}

/// A cluster of somebody else's making has machines of ours all the same.
#[test]
fn machines_of_an_externally_managed_cluster_are_allocated() {
    let Some(site) = Site::new() else { return };
    let network = site.given_network(PROJECT, &json!({}));
    let endpoint = json!({"host": "api.example.com", "port": 443});
    site.cluster("shop", &json!({"nodeNetworkID": network, "controlPlaneEndpoint": endpoint}));
    site.annotate("MetalStackCluster", "shop", "cluster.x-k8s.io/managed-by", Some("terraform"));
    site.patch_status("MetalStackCluster", "shop", &json!({"ready": true, "initialization": {"provisioned": true}}));
    let before = site.read("MetalStackCluster", "shop");
    let _provider = site.provider();
    site.until_core_knows("shop");
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready("MetalStackMachine", "shop-0");
    assert_eq!(site.read("MetalStackCluster", "shop"), before);
}

/// Sharding by label.
#[test]
fn only_what_the_watch_filter_names_is_touched() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider_with(&["--watch-filter", "blue"]);
    for name in ["red", "blue"] {
        site.core_cluster(name, &json!({}));
        site.infrastructure(name, &json!({}));
        let labels = json!({"metadata": {"labels": {"cluster.x-k8s.io/watch-filter": name}}});
        site.patch("Cluster", name, &labels);
        site.adopt("MetalStackCluster", name, name, "Cluster", name, false);
        site.patch("MetalStackCluster", name, &labels);
    }
    site.until_ready("MetalStackCluster", "blue");
    site.until_read_again(2);
    assert_eq!(site.read("MetalStackCluster", "red").get("status"), None);
    assert_eq!(site.networks().len(), 1);
}

/// Nothing can be freed without credentials, so nothing is let go.
#[test]
fn a_cluster_whose_credentials_are_gone_waits_with_its_deletion() {
    use base64::Engine as _;
    let Some(site) = Site::new() else { return };
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let keys = ferrofleet_tests::provider::landscape().auth;
    let data = json!({
        "api-url": encoded(&site.sim.url()), "api-hmac": encoded(&keys.edit), "api-hmac-auth-type": encoded("Metal-Edit"),
    });
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "metal"}, "data": data});
    site.apply(&secret);
    let _provider = site.provider_without_credentials();
    site.cluster("shop", &json!({"credentialsRef": {"name": "metal"}}));
    site.until_core_knows("shop");
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready("MetalStackMachine", "shop-0");
    site.machine("shop", "shop-1", Role::Worker);
    site.until_ready("MetalStackMachine", "shop-1");
    // Deleted by mistake it outlives what has to be freed with it.
    site.delete("Secret", "metal");
    site.delete_whole("MetalStackMachine", "shop-1");
    assert_eq!(site.servers().len(), 1);
    // Forced out it is waited for.
    site.force_delete("Secret", "metal");
    site.delete("MetalStackMachine", "shop-0");
    site.until("it says what is missing", || {
        let said = site.said("MetalStackMachine", "shop-0", "Deleting");
        if said.1 == "CredentialsMissing" { Ok(()) } else { Err(format!("{said:?}")) }
    });
    assert_eq!(site.servers().len(), 1);
    site.apply(&secret);
    site.until_gone("MetalStackMachine", "shop-0");
    site.delete("Secret", "metal");
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
    site.until_gone("Secret", "metal");
}

/// CAPMS's kinds admit objects without spec; one of them must not blind the provider for the others.
#[test]
fn objects_without_spec_stop_nobody_else() {
    let Some(site) = Site::new() else { return };
    for kind in ["MetalStackCluster", "MetalStackMachine", "MetalStackMachineTemplate"] {
        let odd = json!({"apiVersion": api_version(kind), "kind": kind, "metadata": {"name": "odd"}});
        site.apply(&odd);
    }
    site.core_cluster("odd", &json!({}));
    site.adopt("MetalStackCluster", "odd", "odd", "Cluster", "odd", false);
    let _provider = site.provider();
    site.whole_cluster("shop", &[("shop-0", Role::Worker)]);
    // One that comes while it runs.
    site.apply(&json!({
        "apiVersion": api_version("MetalStackMachine"), "kind": "MetalStackMachine", "metadata": {"name": "later"},
    }));
    site.machine("shop", "shop-1", Role::Worker);
    site.until_ready("MetalStackMachine", "shop-1");
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
    for kind in ["MetalStackCluster", "MetalStackMachine"] {
        site.delete_whole(kind, "odd");
    }
}

/// `clusterctl move` waits while an allocation is under way.
#[test]
fn an_allocation_under_way_blocks_a_move() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    let block = "clusterctl.cluster.x-k8s.io/block-move";
    let blocks = |kind: &str, name: &str| !site.read(kind, name)["metadata"]["annotations"][block].is_null();
    let cases = [
        ("*/network/allocate", "MetalStackCluster", "shop"),
        ("*/firewall/allocate", "MetalStackFirewallDeployment", "shop"),
        ("*/machine/allocate", "MetalStackMachine", "shop-0"),
    ];
    let fault = |path: &str| json!({"path": path, "times": 1, "effect": {"delayMs": 1500}});
    site.sim.set_faults(cases.iter().map(|(path, ..)| fault(path)).collect::<Value>());
    site.cluster_with_firewall("shop", &json!({}));
    for (n, (path, kind, name)) in cases.into_iter().enumerate() {
        if n == 2 {
            site.until_core_knows("shop");
            site.machine("shop", "shop-0", Role::Worker);
        }
        let struck = || if site.sim.faults()[n].times == Some(0) { Ok(()) } else { Err("not yet") };
        site.until(&format!("{path} is under way"), struck);
        assert!(blocks(kind, name), "{kind}");
    }
    for (kind, name) in [cases[0], cases[1], cases[2]].map(|(_, kind, name)| (kind, name)) {
        site.until_ready(kind, name);
        site.until("nothing blocks", || if blocks(kind, name) { Err(kind) } else { Ok(()) });
    }
}

/// D27 for the other kinds: the Cluster's pause reaches all of it, by watches alone.
#[test]
fn pause_and_its_end_reach_machines_and_firewalls_at_once() {
    let Some(site) = Site::new() else { return };
    let provider = site.provider();
    site.whole_cluster("shop", &[("shop-0", Role::Worker)]);
    provider.kill();
    let _provider = site.provider_with(&["--metal-interval", "1h", "--metal-haste", "1h", "--resync", "1h"]);
    let objects =
        [("MetalStackCluster", "shop"), ("MetalStackMachine", "shop-0"), ("MetalStackFirewallDeployment", "shop")];
    for (paused, status, reason) in [(true, "True", "Paused"), (false, "False", "NotPaused"), (true, "True", "Paused")]
    {
        site.patch("Cluster", "shop", &json!({"spec": {"paused": paused}}));
        for (kind, name) in objects {
            site.until_condition(kind, name, "Paused", status, reason);
        }
    }
}

/// A process that never saw metal-api says nothing new of what was ready.
#[test]
fn a_start_without_metal_api_changes_nothing() {
    let Some(site) = Site::new() else { return };
    let provider = site.provider();
    site.whole_cluster("shop", &[("shop-cp-0", Role::ControlPlane), ("shop-0", Role::Worker)]);
    site.until_read_again(2);
    provider.kill();
    let effects =
        [json!({"status": 500, "message": "a bad day"}), json!("dropBefore"), json!({"status": 403, "message": "no"})];
    for (n, effect) in effects.iter().enumerate() {
        let of_old = || -> Vec<String> { site.versions().into_iter().filter(|v| !v.contains("late-")).collect() };
        let before = of_old();
        site.sim.set_faults(json!([{"effect": effect}]));
        let provider = site.provider();
        // What is new says why it waits: by then the old ones were looked at, too.
        let name = format!("late-{n}");
        site.cluster(&name, &json!({}));
        let reason = if n == 2 { "Unauthorized" } else { "MetalApiUnreachable" };
        site.until_condition("MetalStackCluster", &name, "Ready", "False", reason);
        assert_eq!(of_old(), before);
        provider.kill();
    }
    site.sim.set_faults(json!([]));
}

/// R22: routes converge before the next control plane goes, also over a restart.
#[test]
fn a_control_planes_object_outlives_its_server_for_a_while() {
    let Some(site) = Site::new() else { return };
    let grace = ["--control-plane-grace", "4s"];
    let provider = site.provider_with(&grace);
    site.whole_cluster("shop", &[("shop-cp-0", Role::ControlPlane), ("shop-0", Role::Worker)]);
    site.delete_whole("MetalStackMachine", "shop-0");
    site.delete("MetalStackMachine", "shop-cp-0");
    site.until("its server is free", || if site.servers_of("machine").is_empty() { Ok(()) } else { Err("not yet") });
    let begun = std::time::Instant::now();
    site.until("it waits for routes", || {
        let said = site.said("MetalStackMachine", "shop-cp-0", "Deleting");
        if said.1 == "WaitingForRouteConvergence" { Ok(()) } else { Err(format!("{said:?}")) }
    });
    provider.kill();
    let _provider = site.provider_with(&grace);
    site.until_gone("MetalStackMachine", "shop-cp-0");
    // Conditions have whole seconds.
    assert!(begun.elapsed() > Duration::from_millis(2900), "{:?}", begun.elapsed());
    assert_eq!(site.count("freed machine"), 2);
}

/// I5: an address that is gone is said to be gone; by now it may be somebody else's.
#[test]
fn i5_an_address_that_vanished_is_lost_and_never_replaced() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster("shop", &[("shop-0", Role::Worker)]);
    let shop = site.read("MetalStackCluster", "shop");
    let address = shop["spec"]["controlPlaneEndpoint"]["host"].as_str().unwrap().to_owned();
    site.metal("DELETE", &format!("/v1/ip/free/{address}"), &Value::Null);
    let lost = site.until("it is said to be gone", || {
        let object = site.read("MetalStackCluster", "shop");
        let said = condition(&object, "ControlPlaneEndpointReady").is_some_and(|c| c["status"] == "False");
        if said { Ok(object) } else { Err(object["status"].to_string()) }
    });
    assert_eq!(condition(&lost, "ControlPlaneEndpointReady").unwrap()["reason"], "DeletedExternally");
    assert_eq!(lost["status"]["initialization"]["provisioned"], true);
    // metal-api hands out the lowest free address.
    let theirs = site.given_address(ferrofleet_tests::provider::FOREIGN, "static", &[]);
    assert_eq!(theirs, address);
    site.until_read_again(3);
    assert_eq!(site.read("MetalStackCluster", "shop")["spec"], shop["spec"]);
    assert_eq!(site.count("created ip"), 2, "ours and theirs");
    site.delete_whole_cluster("shop");
    assert_eq!(site.left(), [format!("ip {theirs}")]);
}

/// R4, R15: a firewall that is gone is replaced, once it is certain.
#[test]
fn a_firewall_that_vanished_is_replaced_once() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider_with(&["--firewall-replacement-pause", "2s"]);
    site.whole_cluster("shop", &[("shop-0", Role::Worker)]);
    let old = site.only("firewall")["id"].as_str().unwrap().to_owned();
    site.metal("DELETE", &format!("/v1/machine/{old}/free"), &Value::Null);
    site.until("another one is named", || {
        let object = site.read("MetalStackFirewallDeployment", "shop");
        let firewalls = site.servers_of("firewall");
        let named = object["spec"]["managedResourceRef"]["name"].as_str().unwrap_or_default().to_owned();
        let is = firewalls.len() == 1 && named.ends_with(firewalls[0]["id"].as_str().unwrap());
        if is { Ok(()) } else { Err(format!("{named} {firewalls:?}")) }
    });
    site.until_ready("MetalStackFirewallDeployment", "shop");
    site.until_ready("MetalStackCluster", "shop");
    site.until_read_again(3);
    assert_eq!(site.count("created firewall"), 2);
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// `kubectl delete -f`, a GitOps tool that prunes, the end of a namespace: all at once and in any order.
#[test]
fn i2_everything_deleted_at_once_leaves_nothing() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster("shop", &[("shop-cp-0", Role::ControlPlane), ("shop-0", Role::Worker)]);
    let kinds = [
        "Cluster",
        "Secret",
        "Machine",
        "MetalStackFirewallTemplate",
        "MetalStackFirewallDeployment",
        "MetalStackCluster",
        "MetalStackMachine",
    ];
    for kind in kinds {
        for object in site.list(kind) {
            site.delete(kind, object["metadata"]["name"].as_str().unwrap());
        }
    }
    for kind in kinds {
        site.until(&format!("no {kind} is left"), || {
            let left = site.list(kind);
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
    }
    site.until_nothing_is_left();
}

/// A person deletes the firewall's object alone, and makes another one.
#[test]
fn a_firewall_deployment_can_be_made_anew() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster("shop", &[]);
    site.delete_whole("MetalStackFirewallDeployment", "shop");
    assert_eq!(site.servers(), Vec::<Value>::new());
    site.until_condition("MetalStackCluster", "shop", "FirewallReady", "False", "FirewallDeploymentMissing");
    assert_eq!(site.read("MetalStackCluster", "shop")["status"]["initialization"]["provisioned"], true);
    site.firewall("shop", &json!({}));
    site.until_ready("MetalStackFirewallDeployment", "shop");
    site.until_ready("MetalStackCluster", "shop");
    assert_eq!(site.count("created firewall"), 2);
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// Forty machines at once: each is searched for once before it is allocated, and all are read together.
#[test]
fn many_machines_at_once_are_read_together() {
    let mut landscape = ferrofleet_tests::provider::landscape();
    landscape.machines.iter_mut().for_each(|group| group.count = 60);
    let Some(site) = Site::with(landscape) else { return };
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    site.until_core_knows("shop");
    let names: Vec<String> = (0..40).map(|n| format!("shop-{n}")).collect();
    site.sim.forget_calls();
    let begun = std::time::Instant::now();
    names.iter().for_each(|name| site.machine("shop", name, Role::Worker));
    names.iter().for_each(|name| drop(site.until_ready("MetalStackMachine", name)));
    let lists = site.calls_of("POST", "/machine/find");
    let rounds = usize::try_from(begun.elapsed().as_millis() / 200).unwrap() + 2;
    assert_eq!(site.calls_of("POST", "/machine/allocate"), 40);
    assert!(lists <= rounds + 2 * 40, "{lists} lists in {rounds} rounds");
    let gets = site.sim.calls().iter().filter(|call| call.method == "GET" && call.path.contains("/machine/")).count();
    assert!(gets <= 40, "{gets} machines were asked for alone");
    names.iter().for_each(|name| site.delete("MetalStackMachine", name));
    names.iter().for_each(|name| site.until_gone("MetalStackMachine", name));
    assert_eq!(site.servers(), Vec::<Value>::new());
    assert_eq!(site.count("freed machine"), 40);
}
