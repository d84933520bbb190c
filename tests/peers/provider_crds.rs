//! The provider's kinds, as the API server takes them: what `deploy/crds` has, installed as a user installs it.

use ferrofleet_tests::peers::control_plane::{ApiError, Apply, Client, ControlPlane, ObjectRef, manifests};
use ferrofleet_tests::peers::{need, skipped};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use ureq::http::Method;

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

/// Objects that make little sense, or none, by the names that they get.
fn odd() -> Vec<Value> {
    let condition = |type_: &str, status: &str| {
        let at = "2026-11-21T10:00:00Z";
        json!({"type": type_, "status": status, "reason": type_, "message": "", "lastTransitionTime": at})
    };
    let rules = json!({"egress": [{"ports": [70000], "protocol": "", "to": ["anywhere"]}], "ingress": []});
    let source = json!({"configMapKeyRef": {"name": "", "key": ""}, "secretKeyRef": {"name": "", "key": ""}});
    let with_status = json!({
        "spec": machine(),
        "status": {"conditions": [condition("Paused", "False"), condition("MachineHealthy", "True")]},
    });
    let mut odd = vec![
        // clusterctl writes null where nothing is given.
        ("MetalStackCluster", json!({"projectID": "p", "partition": "a", "nodeNetworkID": null})),
        (
            "MetalStackCluster",
            json!({"projectID": "", "partition": "", "controlPlaneEndpoint": {"host": "", "port": 0}}),
        ),
        ("MetalStackCluster", json!({"projectID": "p", "partition": "a", "controlPlaneIP": "not an address"})),
        ("MetalStackCluster", json!({"projectID": "p", "partition": "a", "colour": "red"})),
        ("MetalStackCluster", json!({"partition": "a"})),
        ("MetalStackCluster", json!({"projectID": "p", "partition": "a", "controlPlaneEndpoint": {"host": "a"}})),
        ("MetalStackCluster", Value::Null),
        ("MetalStackMachine", json!({"image": "", "size": "", "providerID": ""})),
        ("MetalStackMachine", json!({"image": "i", "size": 1})),
        ("MetalStackMachine", Value::Null),
        ("MetalStackMachineTemplate", json!({"template": {}})),
        ("MetalStackMachineTemplate", json!({"template": {"kind": "MetalStackMachine", "spec": machine()}})),
        ("MetalStackMachineTemplate", json!({"template": with_status})),
        ("MetalStackMachineTemplate", Value::Null),
        ("MetalStackFirewallDeployment", json!({"firewallTemplateRef": {"name": ""}, "autoUpdate": {}})),
        ("MetalStackFirewallDeployment", Value::Null),
        (
            "MetalStackFirewallTemplate",
            json!({
                "image": "i", "size": "s", "partition": "a", "project": "p", "networks": ["internet", "internet"],
                "dnsPort": -1, "initialRuleSet": rules, "userdataContents": [{"path": "", "contentFrom": source}],
            }),
        ),
    ];
    let odd = odd.drain(..).enumerate().map(|(n, (kind, spec))| {
        let mut object = object(kind, spec);
        object["metadata"]["name"] = json!(format!("odd-{n}"));
        object
    });
    odd.collect()
}

/// Whether it is admitted: created as `kubectl create` does, and applied by the server without a check for unknown
/// fields.
fn is_admitted(client: &Client, object: &Value) -> [bool; 2] {
    let plural = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
    let path = format!("/apis/infrastructure.cluster.x-k8s.io/v1alpha1/namespaces/default/{plural}");
    let name = object["metadata"]["name"].as_str().unwrap();
    let body = object.to_string();
    let mut other = object.clone();
    other["metadata"]["name"] = json!(format!("{name}-again"));
    let other = other.to_string();
    let created = client.call(&Method::POST, &format!("{path}?dryRun=All"), Some(("application/json", &other)));
    let query = "fieldManager=ada&force=true&fieldValidation=Ignore";
    let applied =
        client.call(&Method::PATCH, &format!("{path}/{name}?{query}"), Some(("application/apply-patch+yaml", &body)));
    [created.is_ok(), applied.is_ok()]
}

/// The day on which a management cluster goes over: the kinds of CAPMS with objects of all sorts become ours.
#[test]
fn what_capms_admits_is_admitted_and_stays_what_it_is() {
    let Some(capms) = capms_crds() else {
        skipped("no CRDs in /work/shared/data or FERROFLEET_SHARED_DATA");
        return;
    };
    let Some(plane) = need(ControlPlane::start()) else { return };
    let client = plane.client();
    client.install_crds(&capms);
    let admitted: Vec<_> = odd().iter().map(|object| is_admitted(client, object)).collect();
    assert!(admitted.iter().flatten().any(|is| *is) && !admitted.iter().flatten().all(|is| *is), "{admitted:?}");
    let twice = |status: &str| {
        let at = "2026-11-21T10:00:00Z";
        json!({"type": "Paused", "status": status, "reason": "Paused", "message": "", "lastTransitionTime": at})
    };
    let with_two = odd().into_iter().position(|object| object["kind"] == "MetalStackMachine").unwrap();
    let with_two = ObjectRef::of(&odd()[with_two]);
    let status = json!({"status": {"ready": true, "conditions": [twice("True"), twice("False")]}});
    client.merge_patch(&with_two, "/status", &status).unwrap();
    let before = stored(client);

    install(client);
    until_ok(|| knows_new_fields(client));
    let after = stored(client);
    assert_eq!(after.len(), before.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after, before, "the same object, and nothing is written");
    }
    for (object, admitted) in odd().iter().zip(&admitted) {
        let now = is_admitted(client, object);
        let is_kept = admitted.iter().zip(now).all(|(before, now)| now || !before);
        assert!(is_kept, "admitted before: {admitted:?}, now: {now:?}: {object}");
    }
    // What is stored can be changed elsewhere, finalizers and status included.
    for object in before {
        let reference = ObjectRef::of(&object);
        let labels = json!({"metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/a"]}});
        client.merge_patch(&reference, "", &labels).unwrap_or_else(|e| panic!("{e}: {object}"));
        if object["kind"] == "MetalStackMachine" {
            let failed = json!({"status": {"failureMessage": "gone"}});
            client.merge_patch(&reference, "/status", &failed).unwrap_or_else(|e| panic!("{e}: {object}"));
        }
    }
}

/// A changed schema is served a moment after it is stored.
fn knows_new_fields(client: &Client) -> Result<(), ApiError> {
    let mut cluster = object("MetalStackCluster", cluster());
    cluster["spec"]["credentialsRef"] = json!({"name": "metal"});
    let mut machine = object("MetalStackMachine", machine());
    machine["spec"]["filesystemLayout"] = json!("default");
    let template = object("MetalStackMachineTemplate", json!({"template": {"metadata": {"labels": {"a": "b"}}}}));
    for object in [cluster, machine, template] {
        client.apply(&object, Apply::by("ada").dry_run())?;
    }
    Ok(())
}

/// All objects of CAPMS's kinds.
fn stored(client: &Client) -> Vec<Value> {
    let kinds = ["Cluster", "Machine", "MachineTemplate", "FirewallDeployment", "FirewallTemplate"];
    let of = |kind: &str| {
        let (api_version, kind) = ("infrastructure.cluster.x-k8s.io/v1alpha1", format!("MetalStack{kind}"));
        let mut objects = until_ok(|| client.list(api_version, &kind, None));
        for object in &mut objects {
            // A list says it once for all.
            object["apiVersion"] = json!(api_version);
            object["kind"] = json!(kind);
        }
        objects
    };
    kinds.into_iter().flat_map(of).collect()
}

fn capms_crds() -> Option<PathBuf> {
    let data = std::env::var_os("FERROFLEET_SHARED_DATA").map_or_else(|| "/work/shared/data".into(), PathBuf::from);
    let crds = data.join("crds/capms");
    crds.is_dir().then_some(crds)
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
