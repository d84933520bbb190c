//! What is installed, as a real API server takes it.

use super::kustomize::{build, with_components};
use super::templates::{all_filled, example, files, variables};
use super::{documents, envsubst, folder, templates};
use ferrofleet_tests::peers::control_plane::{ApiError, Apply, Client, ControlPlane, ObjectRef};
use ferrofleet_tests::peers::{need, skipped};
use provider::components;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use ureq::http::Method;

/// As far as it is used here. The Prometheus operator has the whole of it.
fn pod_monitors() -> Value {
    let text = json!({"type": "string"});
    let endpoint = json!({"type": "object", "properties": {"port": text, "path": text, "interval": text}});
    let labels = json!({"type": "object", "additionalProperties": text});
    let selector = json!({"type": "object", "properties": {"matchLabels": labels}});
    let spec = json!({
        "type": "object",
        "required": ["selector"],
        "properties": {"selector": selector, "podMetricsEndpoints": {"type": "array", "items": endpoint}},
    });
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "podmonitors.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "names": {"kind": "PodMonitor", "listKind": "PodMonitorList", "plural": "podmonitors", "singular": "podmonitor"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    })
}

/// Every field that is sent is one that is known: unknown ones are refused.
#[track_caller]
fn install(client: &Client, objects: &[Value]) {
    for object in objects {
        client.apply(object, Apply::by("ada")).unwrap_or_else(|e| panic!("{}: {e}", ObjectRef::of(object)));
    }
}

/// The objects of `deploy/`, installed as a user does it.
fn installed() -> Option<ControlPlane> {
    let plane = need(ControlPlane::start())?;
    let client = plane.client();
    client.install_crds(&folder().join("crds"));
    client.apply_crds(&[pod_monitors()]);
    install(client, &build(&folder().join("base")));
    let (_temporary, overlays) = with_components();
    overlays.iter().for_each(|overlay| install(client, &build(overlay)));
    Some(plane)
}

/// The pod that a Deployment would start, as far as an API server looks at it.
fn pod(deployment: &Value) -> Value {
    let template = &deployment["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    metadata["name"] = deployment["metadata"]["name"].clone();
    metadata["namespace"] = deployment["metadata"]["namespace"].clone();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

fn is_allowed(client: &Client, user: &str, attributes: &Value) -> bool {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": ["system:serviceaccounts"], "resourceAttributes": attributes},
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let answer = client.call(&Method::POST, path, Some(("application/json", &review.to_string()))).unwrap();
    answer["status"]["allowed"] == true
}

#[test]
fn everything_is_accepted_and_pods_are_as_restricted_as_their_namespaces_ask() {
    let Some(plane) = installed() else { return };
    let client = plane.client();
    let objects = build(&folder().join("base"));
    let deployments: Vec<_> = objects.iter().filter(|object| object["kind"] == "Deployment").collect();
    assert_eq!(deployments.len(), 2);
    for deployment in deployments {
        let try_out = |pod: &Value| client.apply(pod, Apply::by("ada").dry_run());
        let mut pod = pod(deployment);
        try_out(&pod).unwrap_or_else(|e| panic!("{e}: {pod}"));
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
        let refused: ApiError = try_out(&pod).expect_err("it is refused");
        assert!(refused.message.contains("violates PodSecurity \"restricted"), "{refused}");
    }
}

#[test]
fn the_api_server_grants_what_is_needed_and_refuses_the_rest() {
    let Some(plane) = installed() else { return };
    let client = plane.client();
    let provider = "system:serviceaccount:capms-system:ferrofleet-provider";
    let engine = "system:serviceaccount:ferrofleet-system:ferrofleet-engine";
    let ours = "infrastructure.cluster.x-k8s.io";
    let lease = "6fca141d.cluster.x-k8s.io";
    // Group, resource, name, namespace, verbs that are granted, verbs that are not.
    type Verbs = &'static [&'static str];
    let cases: [(&str, &str, &str, &str, Verbs, Verbs); 15] = [
        (ours, "metalstackclusters", "", "a", &["get", "list", "watch", "patch"], &["create", "update", "delete"]),
        (ours, "metalstackmachines", "", "a", &["get", "list", "watch", "patch"], &["create", "update", "delete"]),
        (ours, "metalstackfirewalldeployments", "", "a", &["get", "list", "watch", "patch", "delete"], &["create"]),
        (ours, "metalstackfirewalltemplates", "", "a", &["get", "list", "watch"], &["patch", "delete"]),
        (ours, "metalstackmachinetemplates", "", "a", &["get", "list", "watch"], &["patch", "delete"]),
        (ours, "metalstackclustertemplates", "", "a", &[], &["get", "patch"]),
        ("cluster.x-k8s.io", "clusters", "", "a", &["get", "list", "watch"], &["patch", "delete"]),
        ("cluster.x-k8s.io", "machines", "", "a", &["get", "list", "watch"], &["patch", "delete"]),
        ("", "secrets", "", "a", &["get", "list", "watch", "create", "patch"], &["update", "delete"]),
        ("events.k8s.io", "events", "", "a", &["create", "patch"], &["list", "delete"]),
        ("coordination.k8s.io", "leases", lease, "capms-system", &["get", "create", "patch"], &["delete"]),
        ("coordination.k8s.io", "leases", "other", "capms-system", &[], &["get", "patch"]),
        ("coordination.k8s.io", "leases", lease, "a", &[], &["get", "create", "patch"]),
        ("", "pods", "", "capms-system", &[], &["get", "list", "create"]),
        ("rbac.authorization.k8s.io", "clusterroles", "", "", &[], &["get", "bind", "escalate"]),
    ];
    for (group, resource, name, namespace, granted, refused) in cases {
        let of = |verb: &str| json!({"group": group, "resource": resource, "name": name, "namespace": namespace, "verb": verb});
        for verb in granted {
            assert!(is_allowed(client, provider, &of(verb)), "{verb} {resource} {name}");
        }
        for verb in refused {
            assert!(!is_allowed(client, provider, &of(verb)), "{verb} {resource} {name}");
        }
        for verb in granted.iter().chain(refused) {
            assert!(!is_allowed(client, engine, &of(verb)), "the engine: {verb} {resource} {name}");
        }
    }
    for resource in
        ["metalstackclusters", "metalstackmachines", "metalstackfirewalldeployments", "metalstackmachinetemplates"]
    {
        let of = |verb: &str| json!({"group": ours, "resource": resource, "subresource": "status", "namespace": "a", "verb": verb});
        assert!(
            is_allowed(client, provider, &of("patch")) && !is_allowed(client, provider, &of("update")),
            "{resource}"
        );
    }
}

#[test]
fn the_components_of_a_release_are_accepted() {
    let Some(plane) = need(ControlPlane::start()) else { return };
    let text = components::yaml(&components::Options::default());
    let values = BTreeMap::from([
        ("METAL_API_URL", "https://metal.example.com/metal"),
        ("METAL_API_HMAC", "0123"),
        ("METAL_API_HMAC_AUTH_TYPE", "Metal-Edit"),
    ]);
    let objects = documents(&envsubst::filled(&text, &values).unwrap());
    let (crds, others): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|object| object["kind"] == "CustomResourceDefinition");
    plane.client().apply_crds(&crds);
    install(plane.client(), &others);
}

/// A folder of CRDs of the shared data.
fn crds(folder: &str) -> Option<PathBuf> {
    let data = std::env::var_os("FERROFLEET_SHARED_DATA").map_or_else(|| "/work/shared/data".into(), PathBuf::from);
    let crds = data.join("crds").join(folder);
    if !crds.is_dir() {
        skipped("no CRDs in /work/shared/data or FERROFLEET_SHARED_DATA");
        return None;
    }
    Some(crds)
}

#[test]
fn clusters_from_the_templates_are_accepted() {
    let (Some(capi), Some(caaph)) = (crds("capi"), crds("caaph")) else { return };
    let Some(plane) = need(ControlPlane::start()) else { return };
    let client = plane.client();
    for dir in [capi, caaph, folder().join("crds")] {
        client.install_crds(&dir);
    }
    for (path, objects) in all_filled() {
        for object in &objects {
            let applied = client.apply(object, Apply::by("ada").dry_run());
            applied.unwrap_or_else(|e| panic!("{path}: {}: {e}", ObjectRef::of(object)));
        }
    }
    // Without a network the object is accepted, too, and the provider allocates one (T6).
    let example = example();
    let mut values = variables(&example);
    values.extend(templates::CLUSTERCTL);
    values.remove("METAL_NODE_NETWORK_ID");
    for (path, text) in files() {
        let filled = envsubst::filled(&text, &values);
        if path.contains("calico") {
            assert_eq!(filled.unwrap_err(), "METAL_NODE_NETWORK_ID");
            continue;
        }
        let objects = documents(&filled.unwrap());
        let cluster = objects.iter().find(|object| object["kind"] == "MetalStackCluster").unwrap();
        let stored = client.apply(cluster, Apply::by("ada").dry_run()).unwrap();
        assert_eq!(stored["spec"]["nodeNetworkID"], "", "{path}");
        assert_eq!(stored["spec"]["controlPlaneIP"], "198.18.0.1");
    }
}
