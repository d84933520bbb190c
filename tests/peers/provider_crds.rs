//! The provider's kinds, as the API server takes them: what `deploy/crds` has, installed as a user installs it.

mod takeover;

use ferrofleet_tests::peers::control_plane::{ApiError, Apply, Client, ControlPlane, ObjectRef, manifests};
use ferrofleet_tests::peers::need;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// An API server with the kinds and the policy.
fn with_kinds() -> Option<ControlPlane> {
    let plane = need(ControlPlane::start())?;
    install(plane.client());
    Some(plane)
}

/// As a user does it: all files of the folder.
fn install(client: &Client) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
    client.install_crds(&dir);
    let others = manifests(&dir).into_iter().filter(|object| object["kind"] != "CustomResourceDefinition");
    let others: Vec<Value> = others.collect();
    assert_eq!(others.len(), 2, "a policy and its binding");
    for object in &others {
        client.apply(object, Apply::by("ada")).unwrap_or_else(|e| panic!("{}: {e}", ObjectRef::of(object)));
    }
}

fn object(kind: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "shop", "namespace": "default"},
    });
    if !spec.is_null() {
        object["spec"] = spec;
    }
    object
}

fn cluster() -> Value {
    json!({"projectID": "a-project", "partition": "muc-a"})
}

fn machine() -> Value {
    json!({"image": "capms-ubuntu-1.34.2", "size": "n1-medium-x86"})
}

fn applied(client: &Client, object: &Value) -> Value {
    client.apply(object, Apply::by("ada").forced()).unwrap_or_else(|e| panic!("{e}: {object}"))
}

/// Through the endpoint that a person or a controller changes an object with.
fn changed(client: &Client, kind: &str, subresource: &str, patch: &Value) -> Result<Value, ApiError> {
    client.merge_patch(&ObjectRef::of(&object(kind, Value::Null)), subresource, patch)
}

#[track_caller]
fn is_refused(answer: Result<Value, ApiError>, words: &[&str]) {
    let refused = answer.expect_err("it is refused");
    assert_eq!(refused.status, 422, "{refused}");
    for word in words {
        assert!(refused.message.contains(word), "{word} is not in: {refused}");
    }
}

#[test]
fn what_is_new_is_kept_and_checked() {
    let Some(plane) = with_kinds() else { return };
    let client = plane.client();
    let mut spec = machine();
    spec["additionalNetworks"] = json!([{"networkID": "storage-muc-a"}]);
    spec["sshPublicKeys"] = json!(["ssh-ed25519 AAAA ada"]);
    spec["tags"] = json!(["team=payments"]);
    spec["machineUUID"] = json!("10000000-0000-4000-8000-000000000171");
    spec["filesystemLayout"] = json!("default");
    spec["dnsServers"] = json!(["192.0.2.53", "2001:db8::53"]);
    spec["ntpServers"] = json!(["time.example.com"]);
    let stored = applied(client, &object("MetalStackMachine", spec.clone()));
    assert_eq!(stored["spec"], spec);
    let labelled = json!({"template": {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}, "spec": spec}});
    let stored = applied(client, &object("MetalStackMachineTemplate", labelled.clone()));
    assert_eq!(stored["spec"], labelled);
    let status = json!({"status": {
        "capacity": {"cpu": "8", "memory": "64Gi", "pods": "110"},
        "nodeInfo": {"architecture": "amd64", "operatingSystem": "linux"},
    }});
    let stored = changed(client, "MetalStackMachineTemplate", "/status", &status).unwrap();
    assert_eq!(stored["status"], status["status"]);
    let domains = json!({"status": {"failureDomains": [{"name": "rack-1", "controlPlane": true}]}});
    let class = json!({"template": {"metadata": {"labels": {"a": "b"}}, "spec": cluster()}});
    assert_eq!(applied(client, &object("MetalStackClusterTemplate", class.clone()))["spec"], class);
    let mut spec = cluster();
    spec["credentialsRef"] = json!({"name": "metal"});
    assert_eq!(applied(client, &object("MetalStackCluster", spec.clone()))["spec"], spec);
    let stored = changed(client, "MetalStackCluster", "/status", &domains).unwrap();
    assert_eq!(stored["status"]["failureDomains"], domains["status"]["failureDomains"]);

    let cases = [
        (json!({"tags": ["cluster.metal-stack.io/id=default.other"]}), "are the provider's: take other keys"),
        (json!({"tags": ["machine.metal-stack.io/rack=1"]}), "are the provider's: take other keys"),
        (json!({"dnsServers": ["dns.example.com"]}), "dnsServers are IP addresses, as 192.0.2.53"),
        (json!({"machineUUID": "the one in the corner"}), "spec.machineUUID"),
        (json!({"additionalNetworks": [{"networkID": "a"}, {"networkID": "a"}]}), "Duplicate value"),
    ];
    for (patch, words) in cases {
        is_refused(changed(client, "MetalStackMachine", "", &json!({"spec": patch})), &[words]);
    }
}

#[test]
fn what_was_allocated_for_a_cluster_cannot_be_changed_by_hand() {
    let Some(plane) = with_kinds() else { return };
    let client = plane.client();
    let change = |patch: Value| changed(client, "MetalStackCluster", "", &json!({"spec": patch}));
    applied(client, &object("MetalStackCluster", cluster()));
    // Nothing is allocated: a slip of the pen is mended.
    change(json!({"projectID": "the-project", "partition": "muc-b"})).unwrap();
    change(json!({"nodeNetworkID": "a-network", "controlPlaneEndpoint": {"host": "198.18.0.4", "port": 443}})).unwrap();
    is_refused(change(json!({"projectID": "other"})), &["spec.projectID: Forbidden", "while nodeNetworkID is set"]);
    is_refused(change(json!({"partition": "muc-a"})), &["spec.partition: Forbidden", "make a new cluster"]);
    change(json!({"nodeNetworkID": "the-network", "controlPlaneEndpoint": {"host": "198.18.0.5", "port": 6443}}))
        .unwrap();

    let provisioned = json!({"status": {"ready": true, "initialization": {"provisioned": true}}});
    changed(client, "MetalStackCluster", "/status", &provisioned).unwrap();
    is_refused(change(json!({"nodeNetworkID": "other"})), &["spec.nodeNetworkID: Forbidden", "put the old value back"]);
    let port = change(json!({"controlPlaneEndpoint": {"port": 443}}));
    is_refused(port, &["spec.controlPlaneEndpoint: Forbidden", "its certificates and kubeconfigs name the old one"]);
    // What CAPMS does when it has freed an address and a network.
    change(json!({"controlPlaneIP": null})).unwrap();
    change(json!({"nodeNetworkID": null})).unwrap();
    // And what it does with any object that it did not change.
    changed(client, "MetalStackCluster", "", &json!({"metadata": {"finalizers": null, "labels": {"a": "b"}}})).unwrap();

    let mut spec = machine();
    spec["providerID"] = json!("");
    applied(client, &object("MetalStackMachine", spec));
    let change = |id: &str| changed(client, "MetalStackMachine", "", &json!({"spec": {"providerID": id}}));
    change("metal://muc-a/1").unwrap();
    is_refused(
        change("metal://muc-a/2"),
        &["spec.providerID: Forbidden", "delete the Machine and let another be made"],
    );
}

#[test]
fn the_spec_of_a_machine_template_changes_in_dry_runs_of_a_topology_only() {
    let Some(plane) = with_kinds() else { return };
    let client = plane.client();
    let template = |image: &str, annotations: &[&str]| {
        let mut template = object("MetalStackMachineTemplate", json!({"template": {"spec": machine()}}));
        template["spec"]["template"]["spec"]["image"] = json!(image);
        template["metadata"]["annotations"] = annotations.iter().map(|&key| (key.to_owned(), json!(""))).collect();
        template
    };
    let topology = "topology.cluster.x-k8s.io/dry-run";
    let ada = Apply::by("ada").forced();
    applied(client, &template("old", &[]));
    // A policy is in force a moment after it is stored.
    until_ok(|| match client.apply(&template("new", &[]), ada.dry_run()) {
        Err(refused) => Ok(refused),
        Ok(_) => Err("a changed template is not refused yet"),
    });
    let words = ["cannot be changed: make a template of another name", "MachineDeployment or KubeadmControlPlane"];
    is_refused(client.apply(&template("new", &[]), ada), &words);
    is_refused(client.apply(&template("new", &[]), ada.dry_run()), &words);
    is_refused(client.apply(&template("new", &[topology]), ada), &words);
    let tried = client.apply(&template("new", &[topology]), ada.dry_run()).unwrap();
    assert_eq!(tried["spec"]["template"]["spec"]["image"], "new");
    is_refused(
        changed(client, "MetalStackMachineTemplate", "", &json!({"spec": {"template": {"spec": null}}})),
        &words,
    );
    is_refused(changed(client, "MetalStackMachineTemplate", "", &json!({"spec": null})), &words);

    // What others may do: the same again, owners and labels of the template, labels of its machines, the status.
    applied(client, &template("old", &[topology]));
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "1"}]);
    let patch = json!({
        "metadata": {"ownerReferences": owner, "labels": {"a": "b"}},
        "spec": {"template": {"metadata": {"labels": {"a": "b"}}}},
    });
    changed(client, "MetalStackMachineTemplate", "", &patch).unwrap();
    changed(client, "MetalStackMachineTemplate", "/status", &json!({"status": {"capacity": {"cpu": "8"}}})).unwrap();
}

#[track_caller]
fn until_ok<T, E: std::fmt::Display>(mut is_so: impl FnMut() -> Result<T, E>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match is_so() {
            Ok(value) => return value,
            Err(last) => assert!(Instant::now() < end, "not within a minute: {last}"),
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// What a provider writes into the kinds is read by the real core manager.
#[test]
fn cluster_api_takes_what_the_kinds_say() {
    let Some(plane) = need(ControlPlane::start().and_then(ControlPlane::with_capi_managers)) else { return };
    let client = plane.client();
    install(client);
    let infrastructure = |kind: &str| {
        let group = "infrastructure.cluster.x-k8s.io";
        json!({"apiGroup": group, "kind": kind, "name": "shop"})
    };
    let core = |kind: &str, spec: Value| {
        let metadata = json!({"name": "shop", "namespace": "default"});
        json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": kind, "metadata": metadata, "spec": spec})
    };
    let cluster_object = core("Cluster", json!({"infrastructureRef": infrastructure("MetalStackCluster")}));
    let machine_object = core(
        "Machine",
        json!({
            "clusterName": "shop",
            "version": "v1.34.2",
            "bootstrap": {"dataSecretName": "shop"},
            "infrastructureRef": infrastructure("MetalStackMachine"),
        }),
    );
    applied(client, &object("MetalStackCluster", cluster()));
    applied(client, &object("MetalStackMachine", machine()));
    applied(client, &cluster_object);
    applied(client, &machine_object);
    let read = |object: &Value| client.get(&ObjectRef::of(object)).unwrap().unwrap();
    let owned = |kind: &str, owner: &str| {
        until_ok(|| {
            let found = read(&object(kind, Value::Null));
            let owners = found["metadata"]["ownerReferences"].as_array().into_iter().flatten();
            let is_owned = owners.into_iter().any(|reference| reference["kind"] == owner);
            if is_owned { Ok(()) } else { Err(format!("no {owner} owns {found}")) }
        });
    };
    owned("MetalStackCluster", "Cluster");
    owned("MetalStackMachine", "Machine");

    let provisioned = json!({"provisioned": true});
    let endpoint = json!({"host": "198.18.0.4", "port": 443});
    let domains = json!([{"name": "rack-1", "controlPlane": true}, {"name": "rack-2", "controlPlane": false}]);
    changed(client, "MetalStackCluster", "", &json!({"spec": {"controlPlaneEndpoint": endpoint}})).unwrap();
    let status = json!({"status": {"initialization": provisioned, "failureDomains": domains}});
    changed(client, "MetalStackCluster", "/status", &status).unwrap();
    until_ok(|| {
        let found = read(&cluster_object);
        let is_taken = found["status"]["initialization"]["infrastructureProvisioned"] == true
            && found["spec"]["controlPlaneEndpoint"] == endpoint
            && found["status"]["failureDomains"] == domains;
        if is_taken { Ok(()) } else { Err(found.to_string()) }
    });

    let id = "metal://muc-a/10000000-0000-4000-8000-000000000171";
    let addresses = json!([{"type": "InternalIP", "address": "10.0.0.1"}]);
    changed(client, "MetalStackMachine", "", &json!({"spec": {"providerID": id}})).unwrap();
    let status = json!({"initialization": provisioned, "failureDomain": "rack-1", "addresses": addresses});
    changed(client, "MetalStackMachine", "/status", &json!({"status": status})).unwrap();
    until_ok(|| {
        let found = read(&machine_object);
        let is_taken = found["spec"]["providerID"] == id
            && found["status"]["failureDomain"] == "rack-1"
            && found["status"]["addresses"] == addresses;
        if is_taken { Ok(()) } else { Err(found.to_string()) }
    });
}
