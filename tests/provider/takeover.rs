//! The day on which CAPMS goes: objects and resources as it leaves them.

use ferrofleet_tests::provider::objects::Role;
use ferrofleet_tests::provider::{PARTITION, PROJECT, Site, condition};
use serde_json::{Value, json};

const MS: &str = "metal-stack.infrastructure.cluster.x-k8s.io";

/// What CAPMS had given it, or a person.
#[derive(Debug)]
struct Taken {
    network: String,
    address: String,
    firewall: String,
    machines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Capms,
    /// Network and address; firewall and machines are always CAPMS's.
    Person,
}

fn happened(of: &str) -> Value {
    json!({"type": of, "status": "True", "reason": of, "message": "", "lastTransitionTime": "2026-01-01T10:00:00Z"})
}

/// A cluster `shop` with a control plane and a worker, as CAPMS 0.8 leaves it when it is stopped.
#[track_caller]
fn as_capms_leaves_it(site: &Site, by: By) -> Taken {
    let ns = &site.namespace;
    let (labels, tags) = match by {
        By::Capms => (
            json!({"cluster.metal-stack.io/id": format!("{ns}.shop")}),
            vec![format!("cluster.metal-stack.io/id={ns}.shop"), format!("{MS}/purpose=control-plane")],
        ),
        By::Person => (json!({}), Vec::new()),
    };
    let network = site.given_network(PROJECT, &labels);
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let kind = if by == By::Capms { "ephemeral" } else { "static" };
    let address = site.given_address(PROJECT, kind, &tags);
    let firewall = site.given_firewall(
        &network,
        &[
            format!("cluster.metal-stack.io/id={network}"),
            format!("{MS}/cluster-resource={ns}.shop"),
            "firewall.metal-stack.io/managed-by=cluster-api-provider-metal-stack".to_owned(),
            format!("{MS}/firewall-deployment-resource={ns}.shop"),
        ],
    );
    site.firewall("shop", &json!({"managedResourceRef": {"name": format!("metal://{PARTITION}/{firewall}")}}));
    let mut spec = json!({
        "nodeNetworkID": network, "firewallDeploymentRef": {"name": "shop"},
        "controlPlaneEndpoint": {"host": address, "port": 443},
    });
    if by == By::Person {
        spec["controlPlaneIP"] = json!(address);
    }
    site.cluster("shop", &spec);
    site.adopt("MetalStackFirewallDeployment", "shop", "shop", "MetalStackCluster", "shop", true);
    // D15.
    let uid = site.read("MetalStackFirewallDeployment", "shop")["metadata"]["uid"].clone();
    let owner = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1", "kind": "MetalStackFirewallDeployment",
        "name": "shop", "uid": uid,
    });
    site.patch("MetalStackFirewallTemplate", "shop", &json!({"metadata": {"ownerReferences": [owner]}}));
    let provisioned = json!({"infrastructureProvisioned": true});
    site.patch("Cluster", "shop", &json!({"spec": {"controlPlaneEndpoint": {"host": address, "port": 443}}}));
    site.patch_status("Cluster", "shop", &json!({"initialization": provisioned}));

    let mut machines = Vec::new();
    for (name, role) in [("shop-cp-0", Role::ControlPlane), ("shop-0", Role::Worker)] {
        let mut tags = vec![
            format!("cluster.metal-stack.io/id={network}"),
            format!("{MS}/cluster-resource={ns}.shop"),
            format!("{MS}/machine-resource={ns}.{name}"),
            format!("topology.kubernetes.io/zone={PARTITION}"),
            format!("kubernetes.io/hostname={name}"),
        ];
        if role == Role::ControlPlane {
            tags.push(format!("{MS}/purpose=control-plane"));
        }
        let id = site.given_machine(PROJECT, &network, &tags);
        let provider_id = format!("metal://{PARTITION}/{id}");
        site.machine_with("shop", name, role, &json!({}), &json!({"providerID": provider_id}));
        machines.push(id);
    }
    let kinds = [
        ("MetalStackCluster", "shop", "cluster"),
        ("MetalStackFirewallDeployment", "shop", "firewall-deployment"),
        ("MetalStackMachine", "shop-cp-0", "machine"),
        ("MetalStackMachine", "shop-0", "machine"),
    ];
    for (kind, name, finalizer) in kinds {
        site.patch(kind, name, &json!({"metadata": {"finalizers": [format!("{MS}/{finalizer}")]}}));
        let mut status = json!({"ready": true});
        if kind != "MetalStackFirewallDeployment" {
            status["initialization"] = json!({"provisioned": true});
        }
        let conditions: &[&str] = match kind {
            "MetalStackCluster" => &["ClusterControlPlaneIPEnsured", "ClusterNodeNetworkEnsured"],
            "MetalStackMachine" => &["MachineCreated", "MachineHealthy", "MachineReady"],
            _ => &[],
        };
        status["conditions"] = conditions.iter().map(|of| happened(of)).collect();
        site.patch_status(kind, name, &status);
    }
    Taken { network, address, firewall, machines }
}

const OBJECTS: [(&str, &str); 4] = [
    ("MetalStackCluster", "shop"),
    ("MetalStackFirewallDeployment", "shop"),
    ("MetalStackMachine", "shop-cp-0"),
    ("MetalStackMachine", "shop-0"),
];

#[test]
fn what_capms_allocated_goes_on_and_is_freed_with_its_objects() {
    let Some(site) = Site::new() else { return };
    let taken = as_capms_leaves_it(&site, By::Capms);
    let before = site.left();
    let specs = OBJECTS.map(|(kind, name)| site.read(kind, name)["spec"].clone());
    site.sim.forget_calls();
    let _provider = site.provider();
    for (kind, name) in OBJECTS {
        let object = site.until_ready(kind, name);
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let old = ["MachineCreated", "MachineReady", "ClusterNodeNetworkEnsured", "ClusterControlPlaneIPEnsured"];
        assert!(!conditions.iter().any(|c| old.iter().any(|of| c["type"] == *of)), "CAPMS's went: {conditions:?}");
    }
    site.until_read_again(2);
    assert_eq!(site.writes(), [], "nothing is allocated and nothing is freed");
    assert_eq!(site.left(), before);
    assert_eq!(OBJECTS.map(|(kind, name)| site.read(kind, name)["spec"].clone()), specs);

    // Scaled down: that server and no other.
    site.delete_whole("MetalStackMachine", "shop-0");
    site.delete("Machine", "shop-0");
    assert_eq!(site.servers_of("machine").len(), 1);
    assert_eq!(site.only("machine")["id"], taken.machines[0].as_str());
    // Scaled up: with our mark.
    site.machine("shop", "shop-1", Role::Worker);
    site.until_ready("MetalStackMachine", "shop-1");
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// D11, D12.
#[test]
fn what_a_person_supplied_outlives_the_cluster() {
    let Some(site) = Site::new() else { return };
    let taken = as_capms_leaves_it(&site, By::Person);
    let _provider = site.provider();
    OBJECTS.iter().for_each(|(kind, name)| drop(site.until_ready(kind, name)));
    site.delete_whole_cluster("shop");
    let mut left = site.left();
    left.sort();
    assert_eq!(left, [format!("ip {}", taken.address), format!("network {}", taken.network)]);
}

/// What an import marked as a person's, whatever its tags say.
#[test]
fn what_is_adopted_outlives_the_cluster() {
    let Some(site) = Site::new() else { return };
    let taken = as_capms_leaves_it(&site, By::Capms);
    site.annotate("MetalStackCluster", "shop", "fleet.metal-stack.io/origin", Some("adopted"));
    let _provider = site.provider();
    OBJECTS.iter().for_each(|(kind, name)| drop(site.until_ready(kind, name)));
    site.delete_whole_cluster("shop");
    let mut left = site.left();
    left.sort();
    assert_eq!(left, [format!("ip {}", taken.address), format!("network {}", taken.network)]);
}

/// R3: every flavor of CAPMS says `autoUpdate.machineImage: true`, and CAPMS never did it.
#[test]
fn a_firewall_that_differs_from_its_template_at_first_sight_is_reported_and_kept() {
    let Some(site) = Site::new() else { return };
    let taken = as_capms_leaves_it(&site, By::Capms);
    site.firewall_template("shop", &json!({"image": "firewall-ubuntu-3.0.20251101"}));
    let _provider = site.provider();
    let deployment =
        site.until_condition("MetalStackFirewallDeployment", "shop", "FirewallUpToDate", "False", "FirewallOutdated");
    site.until_read_again(3);
    assert_eq!(site.only("firewall")["id"], taken.firewall.as_str());
    let message = condition(&deployment, "FirewallUpToDate").unwrap()["message"].to_string();
    assert!(message.contains("20251101") || message.contains("image"), "{message}");
}

/// R6: a hit without our mark is never taken.
#[test]
fn a_network_of_the_same_name_that_nobody_named_is_claimed_and_not_taken() {
    let Some(site) = Site::new() else { return };
    let labels = json!({"cluster.metal-stack.io/id": format!("{}.shop", site.namespace)});
    let network = site.given_network(PROJECT, &labels);
    site.cluster("shop", &json!({}));
    let _provider = site.provider();
    let shop = site.until_condition("MetalStackCluster", "shop", "NodeNetworkReady", "False", "Claimed");
    let message = condition(&shop, "NodeNetworkReady").unwrap()["message"].to_string();
    assert!(message.contains(&network), "{message}");
    assert_eq!(site.networks().len(), 1);
    site.patch("MetalStackCluster", "shop", &json!({"spec": {"nodeNetworkID": network}}));
    site.until_ready("MetalStackCluster", "shop");
    site.delete_whole_cluster("shop");
}

/// R15: as long as most servers of a take-over are not there, nothing is concluded.
#[test]
fn another_metal_api_behind_the_address_frees_and_fails_nothing() {
    let Some(site) = Site::new() else { return };
    as_capms_leaves_it(&site, By::Capms);
    let other = site.beside_another_metal_api();
    let _provider = other.provider();
    other.until_read_again(4);
    for name in ["shop-cp-0", "shop-0"] {
        let machine = other.read("MetalStackMachine", name);
        assert_eq!(machine["status"].get("failureReason"), None, "{machine}");
    }
    assert_eq!(other.writes(), []);
}

/// R3: automatic updates of images are for those who ask for them twice: the object, and a flag.
#[test]
fn a_newer_image_replaces_a_firewall_only_when_asked_for() {
    let Some(site) = Site::new() else { return };
    let taken = as_capms_leaves_it(&site, By::Capms);
    site.firewall_template("shop", &json!({"image": "firewall-ubuntu-3.0"}));
    let provider = site.provider();
    OBJECTS.iter().for_each(|(kind, name)| drop(site.until_ready(kind, name)));
    site.until_read_again(2);
    assert_eq!(site.only("firewall")["id"], taken.firewall.as_str());
    provider.kill();
    let _provider = site.provider_with(&["--firewall-image-updates"]);
    site.until("the newer one is there alone", || {
        let firewalls = site.servers_of("firewall");
        let is = firewalls.len() == 1 && firewalls[0]["id"] != taken.firewall.as_str();
        if is { Ok(()) } else { Err(format!("{firewalls:?}")) }
    });
    assert_eq!(site.only("firewall")["allocation"]["image"]["id"], "firewall-ubuntu-3.0.20251101");
    site.until_ready("MetalStackFirewallDeployment", "shop");
    assert_eq!(site.count("created firewall"), 2, "one of them was CAPMS's");
}

/// CAPMS 0.3.1 to 0.5 wrote `<namespace>/<name>` into tags, and before that UIDs of objects.
#[test]
fn servers_of_older_capms_go_on_and_are_freed_with_their_objects() {
    let Some(site) = Site::new() else { return };
    site.cluster("shop", &json!({}));
    let provider = site.provider();
    site.until_core_knows("shop");
    provider.kill();
    let network = site.networks()[0]["id"].as_str().unwrap().to_owned();
    let ns = &site.namespace;
    let names = ["shop-0", "shop-1"];
    let machines = names.map(|name| {
        site.machine("shop", name, Role::Worker);
        let uid = site.read("MetalStackMachine", name)["metadata"]["uid"].as_str().unwrap().to_owned();
        let tags = match name {
            "shop-0" => vec![format!("{MS}/cluster-resource={ns}/shop"), format!("{MS}/machine-resource={ns}/{name}")],
            _ => vec![format!("{MS}/machine-id={uid}"), "cluster.metal-stack.io/id=uid-of-shop".to_owned()],
        };
        let id = site.given_machine(PROJECT, &network, &tags);
        let provider_id = format!("metal://{PARTITION}/{id}");
        let finalizers = [format!("{MS}/machine")];
        let patch = json!({"metadata": {"finalizers": finalizers}, "spec": {"providerID": provider_id}});
        site.patch("MetalStackMachine", name, &patch);
        site.patch_status("MetalStackMachine", name, &json!({"ready": true, "initialization": {"provisioned": true}}));
        id
    });
    site.sim.forget_calls();
    let _provider = site.provider();
    for name in names {
        let object = site.until_ready("MetalStackMachine", name);
        assert_eq!(object["status"].get("failureReason"), None, "{object}");
    }
    site.until_read_again(2);
    assert_eq!(site.writes(), []);
    for (name, id) in names.iter().zip(machines) {
        site.delete_whole("MetalStackMachine", name);
        assert!(site.servers().iter().all(|server| server["id"] != id.as_str()), "{name}");
    }
    assert_eq!(site.servers(), Vec::<Value>::new());
}

/// R8: the control plane of a cluster that older CAPMS built, of which no object was restored.
#[test]
fn r8_a_control_plane_of_older_capms_is_seen() {
    let Some(site) = Site::new() else { return };
    site.cluster("shop", &json!({}));
    let _provider = site.provider();
    site.until_core_knows("shop");
    let network = site.networks()[0]["id"].as_str().unwrap().to_owned();
    let ns = &site.namespace;
    let tags = [
        format!("{MS}/cluster-resource={ns}/shop"),
        format!("{MS}/machine-resource={ns}/shop-cp-from-before"),
        format!("{MS}/purpose=control-plane"),
    ];
    site.given_machine(PROJECT, &network, &tags);
    site.machine("shop", "shop-cp-0", Role::ControlPlane);
    site.until_condition("MetalStackMachine", "shop-cp-0", "MachineAllocated", "False", "ControlPlaneExists");
}
