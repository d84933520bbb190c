//! A management cluster goes over from CAPMS's kinds to ours.

use super::{cluster, install, machine, object, until_ok};
use ferrofleet_tests::peers::control_plane::{ApiError, Apply, Client, ControlPlane, ObjectRef};
use ferrofleet_tests::peers::{need, skipped};
use serde_json::{Value, json};
use std::path::PathBuf;
use ureq::http::Method;

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
    let odd = [
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
    let odd = odd.into_iter().enumerate().map(|(n, (kind, spec))| {
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
