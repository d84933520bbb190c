//! The control plane by itself: what the other tests rely on.

use ferrofleet_tests::peers::control_plane::{Apply, ControlPlane, ObjectRef};
use ferrofleet_tests::peers::need;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn widgets() -> Value {
    let spec = json!({
        "type": "object",
        "required": ["size"],
        "properties": {"size": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.size < 10", "message": "too large a widget"}],
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        // It keeps Cluster API's contract, so that it can be referred to.
        "metadata": {"name": "widgets.tests.local", "labels": {"cluster.x-k8s.io/v1beta2": "v1"}},
        "spec": {
            "group": "tests.local",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
            }],
        },
    })
}

fn widget(size: u32) -> Value {
    json!({"apiVersion": "tests.local/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": size}})
}

#[test]
fn the_api_server_checks_cel_rules_unknown_fields_and_field_managers() {
    let Some(plane) = need(ControlPlane::start()) else { return };
    let client = plane.client();
    client.apply_crds(&[widgets()]);
    let w = ObjectRef::of(&widget(1));
    let ada = Apply::by("ada");

    let refused = client.apply(&widget(10), ada).unwrap_err();
    assert!(refused.status == 422 && refused.message.contains("too large a widget"), "{refused}");
    let mut unknown = widget(1);
    unknown["spec"]["colour"] = json!("red");
    let refused = client.apply(&unknown, ada).unwrap_err();
    assert!(refused.message.contains("colour"), "{refused}");
    client.apply(&widget(1), ada.dry_run()).unwrap();
    assert_eq!(client.get(&w).unwrap(), None);

    client.apply(&widget(1), ada).unwrap();
    let conflict = client.apply(&widget(2), Apply::by("bob")).unwrap_err();
    assert_eq!((conflict.status, conflict.reason.as_str()), (409, "Conflict"), "{conflict}");
    client.apply(&widget(2), Apply::by("bob").forced()).unwrap();
    let stored = client.list("tests.local/v1", "Widget", None).unwrap();
    assert_eq!(stored.iter().map(|w| &w["spec"]["size"]).collect::<Vec<_>>(), [&json!(2)]);
    client.delete(&w).unwrap();
    assert_eq!(client.get(&w).unwrap(), None);
}

#[test]
fn the_garbage_collector_deletes_what_is_owned() {
    let Some(plane) = need(ControlPlane::start().and_then(ControlPlane::with_controller_manager)) else { return };
    let client = plane.client();
    let config_map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    let owner = client.apply(&config_map("owner"), Apply::by("ada")).unwrap();
    let mut owned = config_map("owned");
    let uid = &owner["metadata"]["uid"];
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]);
    client.apply(&owned, Apply::by("ada")).unwrap();
    client.delete(&ObjectRef::of(&owner)).unwrap();
    until("the owned object is gone", || client.get(&ObjectRef::of(&owned)).unwrap().is_none());
}

#[test]
fn the_webhooks_of_cluster_api_default_and_refuse() {
    let Some(plane) = need(ControlPlane::start().and_then(ControlPlane::with_capi_managers)) else { return };
    let client = plane.client();
    client.apply_crds(&[widgets()]);
    let cluster = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "Cluster",
        "metadata": {"name": "shop"},
        "spec": {"infrastructureRef": {"apiGroup": "tests.local", "kind": "Widget", "name": "shop"}},
    });
    let bad = {
        let mut bad = cluster.clone();
        bad["spec"]["clusterNetwork"] = json!({"pods": {"cidrBlocks": ["not a network"]}});
        bad
    };
    let refused = client.apply(&bad, Apply::by("ada")).unwrap_err();
    assert!(refused.message.contains("not a network"), "{refused}");
    client.apply(&cluster, Apply::by("ada")).unwrap();
    let older = ObjectRef { api_version: "cluster.x-k8s.io/v1beta1".to_owned(), ..ObjectRef::of(&cluster) };
    let converted = client.get(&older).unwrap().unwrap();
    assert_eq!(converted["spec"]["infrastructureRef"]["kind"], "Widget", "{converted}");
    until("the core manager looks after it", || {
        let cluster = client.get(&ObjectRef::of(&cluster)).unwrap().unwrap();
        cluster["metadata"]["finalizers"] == json!(["cluster.cluster.x-k8s.io"])
    });

    let deployment = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachineDeployment",
        "metadata": {"name": "shop"},
        "spec": {"clusterName": "shop", "selector": {"matchLabels": {"pool": "a"}}, "template": {
            "metadata": {"labels": {"pool": "a"}},
            "spec": {
                "clusterName": "shop",
                "version": "1.34.2",
                "bootstrap": {"dataSecretName": "none"},
                "infrastructureRef": {"apiGroup": "tests.local", "kind": "WidgetTemplate", "name": "shop"},
            },
        }},
    });
    let stored = client.apply(&deployment, Apply::by("ada")).unwrap();
    assert_eq!(stored["spec"]["replicas"], 1, "{stored}");
    assert_eq!(stored["spec"]["template"]["spec"]["version"], "v1.34.2", "{stored}");
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
