//! `clusterctl move`: objects without status on a second API server, the first paused.

use ferrofleet_tests::peers::control_plane::ControlPlane;
use ferrofleet_tests::peers::need;
use ferrofleet_tests::provider::objects::{OURS, Role, object};
use ferrofleet_tests::provider::{Site, api_server, condition};
use serde_json::{Value, json};

const MOVED: [&str; 8] = [
    "Cluster",
    "MetalStackFirewallTemplate",
    "MetalStackCluster",
    "MetalStackFirewallDeployment",
    "Secret",
    "Machine",
    "MetalStackMachineTemplate",
    "MetalStackMachine",
];

/// As clusterctl creates it: no status, no uid, owners by their new uids.
fn copied(to: &Site, from: &Value) {
    let meta = &from["metadata"];
    let mut copy = json!({"apiVersion": from["apiVersion"], "kind": from["kind"], "metadata": {"name": meta["name"]}});
    for key in ["labels", "annotations", "finalizers"] {
        if !meta[key].is_null() {
            copy["metadata"][key] = meta[key].clone();
        }
    }
    for key in ["spec", "data", "type"] {
        if !from[key].is_null() {
            copy[key] = from[key].clone();
        }
    }
    let owners: Vec<Value> = meta["ownerReferences"].as_array().into_iter().flatten().cloned().collect();
    let owners = owners.into_iter().map(|mut owner| {
        let there = to.read(owner["kind"].as_str().unwrap(), owner["name"].as_str().unwrap());
        owner["uid"] = there["metadata"]["uid"].clone();
        owner
    });
    copy["metadata"]["ownerReferences"] = owners.collect();
    to.apply(&copy);
}

#[test]
fn i10_a_moved_cluster_is_rebuilt_from_its_specs_and_allocates_nothing() {
    let Some(here) = Site::new() else { return };
    let Some(plane) = need(api_server()) else { return };
    let plane: &'static ControlPlane = Box::leak(Box::new(plane));
    let _provider_here = here.provider();
    here.whole_cluster("shop", &[("shop-cp-0", Role::ControlPlane), ("shop-0", Role::Worker)]);
    let template = json!({"template": {"spec": {"size": "n1-medium-x86", "image": "capms-ubuntu-1.34.2"}}});
    here.apply(&object("MetalStackMachineTemplate", "shop", &template));
    let mut left = here.left();
    left.sort();

    here.patch("Cluster", "shop", &json!({"spec": {"paused": true}}));
    for (kind, name) in [
        ("MetalStackCluster", "shop"),
        ("MetalStackFirewallDeployment", "shop"),
        ("MetalStackMachine", "shop-0"),
        ("MetalStackMachine", "shop-cp-0"),
    ] {
        here.until_condition(kind, name, "Paused", "True", "Paused");
    }
    let there = here.beside(plane.client(), plane.kubeconfig());
    for kind in MOVED {
        here.list(kind).iter().for_each(|from| copied(&there, from));
    }
    here.sim.forget_calls();
    let _provider_there = there.provider();
    for (kind, name) in [("MetalStackCluster", "shop"), ("MetalStackMachine", "shop-0")] {
        there.until_condition(kind, name, "Paused", "True", "Paused");
    }
    // The source goes as clusterctl makes it go: annotations first, then the object, then its finalizers.
    for kind in OURS.into_iter().rev() {
        for from in here.list(kind) {
            let name = from["metadata"]["name"].as_str().unwrap();
            let mut gone: Value = json!({"clusterctl.cluster.x-k8s.io/delete-for-move": ""});
            for key in from["metadata"]["annotations"].as_object().into_iter().flatten().map(|(key, _)| key) {
                gone[key] = Value::Null;
            }
            here.patch(kind, name, &json!({"metadata": {"annotations": gone}}));
            here.delete(kind, name);
            if here.get(kind, name).is_some() {
                here.patch(kind, name, &json!({"metadata": {"finalizers": null}}));
            }
        }
    }
    there.patch("Cluster", "shop", &json!({"spec": {"paused": false}}));
    there.patch_status("Cluster", "shop", &json!({"initialization": {"infrastructureProvisioned": true}}));
    for (kind, name) in [
        ("MetalStackFirewallDeployment", "shop"),
        ("MetalStackCluster", "shop"),
        ("MetalStackMachine", "shop-cp-0"),
        ("MetalStackMachine", "shop-0"),
    ] {
        let object = there.until_ready(kind, name);
        assert_eq!(condition(&object, "Paused").unwrap()["status"], "False");
    }
    let machine = there.read("MetalStackMachine", "shop-0");
    assert!(machine["status"]["addresses"].as_array().is_some_and(|all| !all.is_empty()), "{machine}");
    assert_eq!(here.writes(), [], "nothing is allocated and nothing is freed");
    let mut now = here.left();
    now.sort();
    assert_eq!(now, left);

    for name in ["shop-0", "shop-cp-0"] {
        there.delete_whole("MetalStackMachine", name);
    }
    there.delete_whole("MetalStackCluster", "shop");
    here.until_nothing_is_left();
}
