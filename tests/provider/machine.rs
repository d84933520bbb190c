//! Machines: one server each, what they wait for, what becomes of them, and what deleting them frees.

use ferrofleet_tests::provider::objects::{Role, bootstrapped};
use ferrofleet_tests::provider::{FOREIGN, PARTITION, PROJECT, Site, condition};
use metal_sim::MachineIncident;
use serde_json::{Value, json};

const KIND: &str = "MetalStackMachine";

/// A cluster without firewall, provisioned, and known to Cluster API.
#[track_caller]
fn cluster(site: &Site) {
    site.cluster("shop", &json!({}));
    site.until_core_knows("shop");
}

fn tags_of(server: &Value) -> Vec<&str> {
    server["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn a_machine_becomes_a_server_and_says_where_it_is() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    site.machine("shop", "shop-cp-0", Role::ControlPlane);
    let machine = site.until_ready(KIND, "shop-cp-0");
    let server = site.only("machine");
    let id = server["id"].as_str().unwrap();
    assert_eq!(machine["spec"]["providerID"], format!("metal://{PARTITION}/{id}"));
    let (ns, group) = (&site.namespace, "metal-stack.infrastructure.cluster.x-k8s.io");
    let tags = tags_of(&server);
    for tag in [
        format!("cluster.metal-stack.io/id={ns}.shop"),
        format!("{group}/cluster-resource={ns}.shop"),
        format!("{group}/machine-resource={ns}.shop-cp-0"),
        format!("{group}/purpose=control-plane"),
        format!("topology.kubernetes.io/zone={PARTITION}"),
        "kubernetes.io/hostname=shop-cp-0".to_owned(),
        "fleet.metal-stack.io/managed-by=provider".to_owned(),
    ] {
        assert!(tags.contains(&tag.as_str()), "{tag} is not in {tags:?}");
    }
    let allocation = &server["allocation"];
    assert_eq!((&allocation["name"], &allocation["hostname"]), (&json!("shop-cp-0"), &json!("shop-cp-0")));
    assert_eq!(allocation["description"], format!("{ns}/shop-cp-0 for cluster {ns}/shop"));
    assert_eq!(allocation["project"], PROJECT);
    assert_eq!(machine["metadata"]["annotations"]["fleet.metal-stack.io/allocation"], allocation["allocationuuid"]);
    // R19: base64.
    let encoded = "eyJpZ25pdGlvbiI6ICJvZiBzaG9wLWNwLTAifQ==";
    assert_eq!(allocation["user_data"], encoded, "{allocation}");

    assert_eq!(machine["status"]["failureDomain"], PARTITION);
    let addresses = machine["status"]["addresses"].as_array().unwrap();
    assert!(addresses.contains(&json!({"type": "Hostname", "address": "shop-cp-0"})), "{addresses:?}");
    let internal = &allocation["networks"][0]["ips"][0];
    assert!(addresses.contains(&json!({"type": "InternalIP", "address": internal})), "{addresses:?}");
    let labels = &machine["metadata"]["labels"];
    assert_eq!(labels["machine.metal-stack.io/rack"], server["rackid"], "{labels}");
    assert_eq!(labels["topology.kubernetes.io/zone"], PARTITION);
    assert_eq!(machine["metadata"]["annotations"].get("clusterctl.cluster.x-k8s.io/block-move"), None);
    // D47 and its likes read these.
    assert_eq!(machine["status"].get("failureReason"), None);
}

#[test]
fn a_machine_waits_for_the_cluster_and_for_its_bootstrap_data() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    site.until_ready("MetalStackCluster", "shop");
    let config = json!({"bootstrap": {"configRef": {
        "apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfig", "name": "shop-0",
    }}});
    site.machine_without_bootstrap("shop", "shop-0", Role::Worker, &config, &json!({}));
    site.until_condition(KIND, "shop-0", "MachineAllocated", "False", "WaitingForClusterInfrastructure");
    site.until_core_knows("shop");
    site.until_condition(KIND, "shop-0", "MachineAllocated", "False", "WaitingForBootstrapData");
    assert_eq!(site.calls_of("POST", "/machine/allocate"), 0);
    site.bootstrap("shop", "shop-0", "ignition", Some("{}"));
    site.patch("Machine", "shop-0", &json!({"spec": bootstrapped("shop-0")}));
    site.until_ready(KIND, "shop-0");
}

/// D62: CAPMS booted a server that never joined.
#[test]
fn bootstrap_data_that_no_server_could_use_allocates_none() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    for (name, format, value) in
        [("none", "ignition", None), ("empty", "ignition", Some("")), ("cloud", "cloud-config", Some("#cloud-config"))]
    {
        site.bootstrap("shop", name, format, value);
        site.machine_without_bootstrap("shop", name, Role::Worker, &bootstrapped(name), &json!({}));
        site.until_condition(KIND, name, "MachineAllocated", "False", "InvalidBootstrapData");
    }
    let object = site.read(KIND, "cloud");
    let message = condition(&object, "MachineAllocated").unwrap()["message"].as_str().unwrap_or_default();
    assert!(message.contains("format: ignition"), "{message}");
    assert_eq!(site.calls_of("POST", "/machine/allocate"), 0);
    site.bootstrap("shop", "cloud", "ignition", Some("{}"));
    site.until_ready(KIND, "cloud");
}

/// D30: CAPMS never looked at machines without MachineSet. Watches are all that can wake it here.
#[test]
fn a_change_of_the_machine_wakes_its_infrastructure_at_once() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider_with(&["--metal-interval", "1h", "--metal-haste", "1h", "--resync", "1h"]);
    site.cluster("shop", &json!({}));
    site.until_ready("MetalStackCluster", "shop");
    let config = json!({"bootstrap": {"configRef": {
        "apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfig", "name": "shop-0",
    }}});
    site.machine_without_bootstrap("shop", "shop-0", Role::ControlPlane, &config, &json!({}));
    site.until_core_knows("shop");
    site.until_condition(KIND, "shop-0", "MachineAllocated", "False", "WaitingForBootstrapData");
    site.bootstrap("shop", "shop-0", "ignition", Some("{}"));
    site.patch("Machine", "shop-0", &json!({"spec": bootstrapped("shop-0")}));
    site.until_condition(KIND, "shop-0", "MachineAllocated", "True", "Allocated");
}

/// D7: CAPMS wrote the id and labels in one patch; one bad label, and each retry took another server.
#[test]
fn labels_that_are_refused_cost_no_second_server() {
    let Some(site) = Site::new() else { return };
    let name = format!("no-labels-{}", site.namespace);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": site.namespace}},
                "resourceRules": [{
                    "apiGroups": ["infrastructure.cluster.x-k8s.io"], "apiVersions": ["v1alpha1"],
                    "operations": ["UPDATE"], "resources": ["metalstackmachines"],
                }],
            },
            "validations": [{
                "expression": "!('machine.metal-stack.io/rack' in object.metadata.?labels.orValue({}))
                    && !('topology.kubernetes.io/zone' in object.metadata.?labels.orValue({}))
                    && !('kubernetes.io/hostname' in object.metadata.?labels.orValue({}))",
                "message": "no such labels here",
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    for object in [&policy, &binding] {
        let ada = ferrofleet_tests::peers::control_plane::Apply::by("ada");
        site.client().apply(object, ada).unwrap_or_else(|e| panic!("{e}: {object}"));
    }
    site.machine_without_bootstrap("shop", "probe", Role::Worker, &json!({}), &json!({}));
    let rack = json!({"metadata": {"labels": {"machine.metal-stack.io/rack": "r"}}});
    site.until("the policy is in force", || match site.try_patch(KIND, "probe", "", &rack) {
        Err(refused) if refused.message.contains("no such labels here") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    site.delete(KIND, "probe");

    let provider = site.provider();
    cluster(&site);
    site.machine("shop", "shop-0", Role::Worker);
    site.until("the id is written down", || {
        let id = site.read(KIND, "shop-0")["spec"]["providerID"].clone();
        if id.is_string() { Ok(()) } else { Err(id.to_string()) }
    });
    site.until_read_again(3);
    provider.kill();
    let _provider = site.provider();
    site.until_read_again(2);
    assert_eq!(site.count("created machine"), 1);
    site.delete_whole(KIND, "shop-0");
    site.until("the server is free", || if site.servers().is_empty() { Ok(()) } else { Err("not yet") });
}

/// D20, D19: the rest of the cluster was forced out; CAPMS never freed the server.
#[test]
fn a_machine_without_its_cluster_frees_its_server() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    site.machine("shop", "shop-cp-0", Role::ControlPlane);
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready(KIND, "shop-cp-0");
    site.until_ready(KIND, "shop-0");
    for (kind, name) in
        [("Machine", "shop-cp-0"), ("Machine", "shop-0"), ("MetalStackCluster", "shop"), ("Cluster", "shop")]
    {
        site.force_delete(kind, name);
    }
    site.delete_whole(KIND, "shop-0");
    site.delete_whole(KIND, "shop-cp-0");
    assert_eq!(site.servers(), Vec::<Value>::new());
}

/// D21.
#[test]
fn a_server_that_somebody_freed_does_not_hold_the_deletion() {
    let Some(site) = Site::new() else { return };
    let provider = site.provider();
    cluster(&site);
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready(KIND, "shop-0");
    provider.kill();
    let id = site.only("machine")["id"].as_str().unwrap().to_owned();
    site.metal("DELETE", &format!("/v1/machine/{id}/free"), &Value::Null);
    // And somebody else has it by now.
    let network = site.given_network(FOREIGN, &json!({}));
    let body = json!({
        "projectid": FOREIGN, "partitionid": PARTITION, "uuid": id, "imageid": "capms-ubuntu-1.34.2",
        "sizeid": "n1-medium-x86", "name": "theirs", "hostname": "theirs", "tags": [], "ips": [], "ssh_pub_keys": [],
        "networks": [{"networkid": network, "autoacquire": true}],
    });
    site.until("it can be had again", || {
        let state = site.sim.state();
        let machine = state["machines"].as_array().unwrap().iter().find(|m| m["id"] == id.as_str()).cloned().unwrap();
        let newest = machine["events"]["log"][0]["event"].clone();
        if newest == "Waiting" { Ok(()) } else { Err(newest.to_string()) }
    });
    site.metal("POST", "/v1/machine/allocate", &body);
    let _provider = site.provider();
    site.delete_whole(KIND, "shop-0");
    assert_eq!(site.only("machine")["allocation"]["name"], "theirs", "D13");
}

/// D25: CAPMS looped without a word.
#[test]
fn a_locked_server_is_named_and_freed_once_unlocked() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready(KIND, "shop-0");
    let id = site.only("machine")["id"].as_str().unwrap().to_owned();
    site.incident(&id, &MachineIncident { state: Some("LOCKED".into()), ..MachineIncident::default() });
    site.until_read_again(2);
    assert_eq!(site.said(KIND, "shop-0", "Ready").0, "True", "a lock is no illness");
    site.delete(KIND, "shop-0");
    site.until("it says that the server is locked", || {
        let said = site.said(KIND, "shop-0", "Deleting");
        if said.1 == "MachineLocked" { Ok(()) } else { Err(format!("{said:?}")) }
    });
    site.incident(&id, &MachineIncident { state: Some(String::new()), ..MachineIncident::default() });
    site.until_gone(KIND, "shop-0");
    assert_eq!(site.servers(), Vec::<Value>::new());
}

/// D35: CAPMS noticed after up to ten hours.
#[test]
fn illness_is_noticed_and_so_is_recovery() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready(KIND, "shop-0");
    let id = site.only("machine")["id"].as_str().unwrap().to_owned();
    site.incident(&id, &MachineIncident { liveliness: Some("Dead".into()), ..MachineIncident::default() });
    let ill = site.until_condition(KIND, "shop-0", "MachineHealthy", "False", "NotAlive");
    assert_eq!(condition(&ill, "Ready").unwrap()["status"], "False");
    assert_eq!(ill["status"]["initialization"]["provisioned"], true, "that stays");
    site.incident(&id, &MachineIncident { liveliness: Some("Alive".into()), ..MachineIncident::default() });
    site.until_ready(KIND, "shop-0");
    assert_eq!(site.count("created machine"), 1);
}

/// D47, R15: a server that is gone marks the object as failed, and the object never gets another.
#[test]
fn a_server_that_vanished_is_a_failed_machine_and_not_a_new_server() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    // One of five is no reason to doubt metal-api itself.
    for n in 0..5 {
        site.machine("shop", &format!("shop-{n}"), Role::Worker);
    }
    (0..5).for_each(|n| drop(site.until_ready(KIND, &format!("shop-{n}"))));
    let id = site.read(KIND, "shop-3")["spec"]["providerID"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    site.metal("DELETE", &format!("/v1/machine/{id}/free"), &Value::Null);
    let failed = site.until("it is said to be gone", || {
        let object = site.read(KIND, "shop-3");
        let said = condition(&object, "MachineAllocated").cloned().unwrap_or_default();
        let reasons = ["DeletedExternally", "BelongsToOther"];
        let is = said["status"] == "False" && reasons.iter().any(|reason| said["reason"] == *reason);
        if is { Ok(object) } else { Err(object["status"].to_string()) }
    });
    assert_eq!(condition(&failed, "Ready").unwrap()["status"], "False");
    assert!(failed["status"]["failureReason"].is_string(), "{failed}");
    assert_eq!(failed["status"]["initialization"]["provisioned"], true);
    site.until_read_again(2);
    assert_eq!(site.count("created machine"), 5, "never another for the same object");
    assert_eq!(site.said(KIND, "shop-1", "Ready").0, "True");
    site.delete_whole(KIND, "shop-3");
}

/// R15: when most of it is gone at once, it is metal-api that is not to be believed.
#[test]
fn many_servers_gone_at_once_are_not_believed() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    for n in 0..4 {
        site.machine("shop", &format!("shop-{n}"), Role::Worker);
    }
    (0..4).for_each(|n| drop(site.until_ready(KIND, &format!("shop-{n}"))));
    let before = site.versions();
    let lists = json!([
        {"method": "POST", "path": "*/machine/find", "effect": {"status": 500, "message": "gone fishing"}},
    ]);
    site.sim.set_faults(lists);
    site.until("it asks in vain", || {
        let failed = site.sim.calls().iter().filter(|call| call.status == 500).count();
        if failed > 3 { Ok(()) } else { Err(failed) }
    });
    assert_eq!(site.versions(), before, "what cannot be read does not change");
    site.sim.set_faults(json!([]));
    for server in site.servers_of("machine") {
        let id = server["id"].as_str().unwrap();
        site.incident(id, &MachineIncident { vanish: true, ..MachineIncident::default() });
    }
    site.until_read_again(4);
    for n in 0..4 {
        let object = site.read(KIND, &format!("shop-{n}"));
        assert_eq!(object["status"].get("failureReason"), None, "{object}");
        let said = site.said(KIND, &format!("shop-{n}"), "Ready");
        assert_eq!(said.0, "True", "{said:?}");
    }
    assert_eq!(site.count("created machine"), 4);
}

/// R8: a second control plane on one address would be a second cluster.
#[test]
fn a_control_plane_that_nobody_here_knows_stops_the_first_one() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    let network = site.networks()[0]["id"].as_str().unwrap().to_owned();
    let (ns, group) = (&site.namespace, "metal-stack.infrastructure.cluster.x-k8s.io");
    let tags = [
        format!("{group}/cluster-resource={ns}.shop"),
        format!("{group}/machine-resource={ns}.shop-cp-from-before"),
        format!("{group}/purpose=control-plane"),
    ];
    site.given_machine(PROJECT, &network, &tags);
    site.machine("shop", "shop-cp-0", Role::ControlPlane);
    site.until_condition(KIND, "shop-cp-0", "MachineAllocated", "False", "ControlPlaneExists");
    site.until_read_again(2);
    assert_eq!(site.servers().len(), 1);
}

#[test]
fn what_metal_api_refuses_is_said_in_its_words() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    site.machine_with("shop", "shop-0", Role::Worker, &json!({}), &json!({"image": "no-such-image-1.0.0"}));
    let object = site.until("it says why", || {
        let object = site.read(KIND, "shop-0");
        let is = condition(&object, "MachineAllocated")
            .is_some_and(|c| c["status"] == "False" && c["reason"] != "NotAllocated");
        if is { Ok(object) } else { Err(object["status"].to_string()) }
    });
    let said = condition(&object, "MachineAllocated").unwrap();
    assert!(said["message"].as_str().unwrap_or_default().contains("no-such-image"), "{said}");
    assert_ne!(said["reason"], "InternalError");
    // Nothing was allocated, nothing holds it.
    site.delete_whole(KIND, "shop-0");
}

#[test]
fn all_of_the_capacity_is_waited_for() {
    let mut landscape = ferrofleet_tests::provider::landscape();
    landscape.machines.iter_mut().for_each(|group| group.count = 1);
    let Some(site) = Site::with(landscape) else { return };
    let _provider = site.provider();
    cluster(&site);
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready(KIND, "shop-0");
    site.machine("shop", "shop-1", Role::Worker);
    site.until_condition(KIND, "shop-1", "MachineAllocated", "False", "NoMachineAvailable");
    site.delete_whole(KIND, "shop-0");
    site.until_ready(KIND, "shop-1");
}

#[test]
fn a_paused_machine_is_not_freed() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready(KIND, "shop-0");
    site.annotate(KIND, "shop-0", "cluster.x-k8s.io/paused", Some(""));
    site.until_condition(KIND, "shop-0", "Paused", "True", "Paused");
    site.delete(KIND, "shop-0");
    site.until_read_again(2);
    assert_eq!(site.servers().len(), 1);
    site.annotate(KIND, "shop-0", "cluster.x-k8s.io/paused", None);
    site.until_gone(KIND, "shop-0");
    assert_eq!(site.servers(), Vec::<Value>::new());
}

/// The failure domain is an order.
#[test]
fn a_failure_domain_that_is_not_the_clusters_is_refused() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    site.machine_with("shop", "shop-0", Role::Worker, &json!({"failureDomain": "muc-b"}), &json!({}));
    site.until_condition(KIND, "shop-0", "MachineAllocated", "False", "FailureDomainUnknown");
    site.machine_with("shop", "shop-1", Role::Worker, &json!({"failureDomain": PARTITION}), &json!({}));
    site.until_ready(KIND, "shop-1");
}

/// The name of a server in `metal://<partition>/<id>`.
fn id_of(object: &Value) -> String {
    object["spec"]["providerID"].as_str().and_then(|id| id.rsplit('/').next()).unwrap_or_default().to_owned()
}

/// D14: `kubectl replace`, or a GitOps tool, with a manifest of before the allocation.
#[test]
fn d14_the_server_of_a_machine_can_neither_be_changed_nor_taken_out() {
    let Some(site) = Site::new() else { return };
    site.machine_without_bootstrap("shop", "shop-0", Role::Worker, &json!({}), &json!({}));
    let write = |id: Value| site.try_patch(KIND, "shop-0", "", &json!({"spec": {"providerID": id}}));
    let (one, other) = (format!("metal://{PARTITION}/1"), format!("metal://{PARTITION}/2"));
    for id in [json!(""), json!(null), json!(""), json!(one), json!(one)] {
        write(id).unwrap();
    }
    for id in [json!(other), json!(""), json!(null)] {
        let refused = write(id).unwrap_err();
        assert!(refused.message.contains("put the old value back"), "{}", refused.message);
    }
}

/// I1: metal-api completed an allocation that was given up.
#[test]
fn i1_a_server_that_came_late_is_freed_while_its_object_lives() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    site.machine("shop", "shop-0", Role::Worker);
    let id = id_of(&site.until_ready(KIND, "shop-0"));
    let server = site.only("machine");
    let tags: Vec<String> = tags_of(&server).into_iter().map(str::to_owned).collect();
    let network = site.networks()[0]["id"].as_str().unwrap().to_owned();
    let late = site.given_machine(PROJECT, &network, &tags);
    assert_ne!(late, id);
    site.until("it is freed", || {
        let servers = site.servers_of("machine");
        if servers.len() == 1 { Ok(()) } else { Err(format!("{servers:?}")) }
    });
    assert_eq!(site.only("machine")["id"], id.as_str());
    site.until_ready(KIND, "shop-0");
}

/// What nobody can prove to be this object's is not freed, and is not left behind in silence.
#[test]
fn a_server_that_a_person_gave_outlives_its_object_and_an_event_says_so() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    let network = site.networks()[0]["id"].as_str().unwrap().to_owned();
    let id = site.given_machine(PROJECT, &network, &[]);
    let given = json!({"providerID": format!("metal://{PARTITION}/{id}")});
    site.machine_with("shop", "shop-0", Role::Worker, &json!({}), &given);
    site.until_ready(KIND, "shop-0");
    site.delete_whole(KIND, "shop-0");
    assert_eq!(site.only("machine")["id"], id.as_str());
    let event = site.until("an Event says what stays", || {
        let events = site.list("Event");
        events.into_iter().find(|event| event["reason"] == "LeftBehind").ok_or("none")
    });
    assert_eq!(event["type"], "Warning");
    assert!(event["note"].as_str().unwrap_or_default().contains(&id), "{event}");
}

/// With a ClusterClass a Cluster and its infrastructure have different names.
#[test]
fn a_server_says_both_names_of_its_cluster() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    let reference =
        json!({"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "MetalStackCluster", "name": "shop-x7k2p"});
    site.core_cluster("shop", &json!({"infrastructureRef": reference}));
    site.infrastructure("shop-x7k2p", &json!({}));
    site.adopt("MetalStackCluster", "shop-x7k2p", "shop", "Cluster", "shop", false);
    site.until_ready("MetalStackCluster", "shop-x7k2p");
    site.patch_status("Cluster", "shop", &json!({"initialization": {"infrastructureProvisioned": true}}));
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready(KIND, "shop-0");
    let (server, ns) = (site.only("machine"), &site.namespace);
    for tag in [
        format!("cluster.metal-stack.io/id={ns}.shop"),
        format!("metal-stack.infrastructure.cluster.x-k8s.io/cluster-resource={ns}.shop-x7k2p"),
    ] {
        assert!(tags_of(&server).contains(&tag.as_str()), "{tag} is not in {server}");
    }
}

/// `clusterctl move` marks each source object, deletes it, and takes out its finalizers; the server lives on elsewhere.
#[test]
fn what_a_move_takes_away_is_not_freed_even_when_the_cluster_is_gone() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    cluster(&site);
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready(KIND, "shop-0");
    // Somebody has to be looked after yet.
    site.cluster("other", &json!({}));
    site.until_ready("MetalStackCluster", "other");
    site.annotate(KIND, "shop-0", "clusterctl.cluster.x-k8s.io/delete-for-move", Some(""));
    site.force_delete("Machine", "shop-0");
    site.force_delete("Cluster", "shop");
    site.delete(KIND, "shop-0");
    site.until_read_again(3);
    assert!(site.get(KIND, "shop-0").is_some());
    site.patch(KIND, "shop-0", &json!({"metadata": {"finalizers": null}}));
    site.until_gone(KIND, "shop-0");
    site.until_read_again(1);
    assert_eq!(site.servers().len(), 1);
}

/// `clusterctl move` pauses, and then waits until nothing holds it up.
#[test]
fn a_machine_that_waits_does_not_hold_up_a_move() {
    const BLOCK: &str = "clusterctl.cluster.x-k8s.io/block-move";
    let mut landscape = ferrofleet_tests::provider::landscape();
    landscape.machines.iter_mut().for_each(|group| group.count = 0);
    let Some(site) = Site::with(landscape) else { return };
    let provider = site.provider();
    cluster(&site);
    for name in ["shop-0", "shop-1"] {
        site.machine("shop", name, Role::Worker);
        site.until_condition(KIND, name, "MachineAllocated", "False", "NoMachineAvailable");
        assert_eq!(site.read(KIND, name)["metadata"]["annotations"][BLOCK], "");
    }
    let until_free = |name: &str| {
        site.until("nothing holds it up", || {
            let annotations = site.read(KIND, name)["metadata"]["annotations"].clone();
            if annotations.get(BLOCK).is_none() { Ok(()) } else { Err(annotations.to_string()) }
        });
    };
    site.annotate(KIND, "shop-0", "cluster.x-k8s.io/paused", Some(""));
    until_free("shop-0");
    // The next process does not know what the last one had under way.
    provider.kill();
    site.annotate(KIND, "shop-1", "cluster.x-k8s.io/paused", Some(""));
    let _provider = site.provider();
    until_free("shop-1");
}
