//! With the rights that `ferrofleet provider components` gives it, and no others.

use base64::Engine as _;
use ferrofleet_tests::binary::ferrofleet;
use ferrofleet_tests::peers::control_plane::{Apply, ControlPlane, ObjectRef};
use ferrofleet_tests::peers::need;
use ferrofleet_tests::provider::objects::Role;
use ferrofleet_tests::provider::{Site, api_server, landscape};
use serde_json::{Value, json};
use std::process::Command;
use ureq::http::Method;

/// What a user installs, but for what is there already and what would run in a pod.
fn rights() -> Vec<Value> {
    use serde::Deserialize as _;
    let printed = Command::new(ferrofleet()).args(["provider", "components"]).output().unwrap();
    assert!(printed.status.success());
    let text = String::from_utf8(printed.stdout).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap());
    let wanted = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
    documents.filter(|object| wanted.iter().any(|kind| object["kind"] == *kind)).collect()
}

#[test]
fn the_role_that_is_shipped_is_enough_for_everything() {
    let Some(plane) = need(api_server()) else { return };
    let plane: &'static ControlPlane = Box::leak(Box::new(plane));
    let client = plane.client();
    let objects = rights();
    for object in &objects {
        client.apply(object, Apply::by("ada").forced()).unwrap_or_else(|e| panic!("{}: {e}", ObjectRef::of(object)));
    }
    let account = objects.iter().find(|object| object["kind"] == "ServiceAccount").unwrap();
    let (namespace, name) = (&account["metadata"]["namespace"], &account["metadata"]["name"]);
    let path =
        format!("/api/v1/namespaces/{}/serviceaccounts/{}/token", namespace.as_str().unwrap(), name.as_str().unwrap());
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let token = client.call(&Method::POST, &path, Some(("application/json", &request.to_string()))).unwrap();

    let admin = std::fs::read_to_string(plane.kubeconfig()).unwrap();
    let mut kubeconfig: Value = serde_json::from_str(&admin).unwrap();
    kubeconfig["users"][0]["user"] = json!({"token": token["status"]["token"]});
    let file = plane.scratch().join("provider.kubeconfig");
    std::fs::write(&file, kubeconfig.to_string()).unwrap();

    let site = Site::on(client, file, landscape());
    // All namespaces, as it is installed.
    let flags = ["--namespace", "", "--leader-elect", "true", "--leader-elect-namespace", namespace.as_str().unwrap()];
    let provider = site.provider_with(&flags);
    site.cluster_with_firewall("shop", &json!({}));
    site.annotate("MetalStackCluster", "shop", "fleet.metal-stack.io/ccm-credentials", Some("inherit"));
    site.complete("shop", &[("shop-cp-0", Role::ControlPlane), ("shop-0", Role::Worker)]);
    site.until_condition("MetalStackCluster", "shop", "CloudControllerCredentialsReady", "True", "Written");
    assert!(site.get("Secret", "shop-metal-ccm").is_some());
    site.until("transitions are told", || if site.list("Event").is_empty() { Err("no Event") } else { Ok(()) });
    site.firewall_template("shop", &json!({"image": "firewall-ubuntu-3.0.20251101"}));
    site.until("the firewall is replaced", || {
        let effects = site.count("freed firewall");
        if effects == 1 { Ok(()) } else { Err(effects) }
    });
    site.until_ready("MetalStackFirewallDeployment", "shop");
    let template = json!({"template": {"spec": {"size": "n1-medium-x86", "image": "capms-ubuntu-1.34.2"}}});
    site.apply(&ferrofleet_tests::provider::objects::object("MetalStackMachineTemplate", "shop", &template));
    site.adopt("MetalStackMachineTemplate", "shop", "shop", "Cluster", "shop", false);
    site.until("its capacity is said", || {
        let object = site.read("MetalStackMachineTemplate", "shop");
        if object["status"]["capacity"].is_object() { Ok(()) } else { Err(object.to_string()) }
    });
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let data = json!({
        "api-url": encoded(&site.sim.url()), "api-hmac": encoded(&landscape().auth.edit),
        "api-hmac-auth-type": encoded("Metal-Edit"),
    });
    site.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "metal"}, "data": data}));
    site.cluster("tenant", &json!({"credentialsRef": {"name": "metal"}}));
    site.until_ready("MetalStackCluster", "tenant");
    site.delete("Secret", "metal");
    site.delete_whole_cluster("tenant");
    site.until_gone("Secret", "metal");
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
    let log = provider.log();
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("orbidden")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(provider.stop(), "it ends well");
}
