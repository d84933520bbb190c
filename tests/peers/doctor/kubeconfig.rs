//! `ferrofleet kubeconfig`: what a control plane left, as a file.

use super::{applied, binary, crds, run};
use ferrofleet_tests::binary::Finished;
use ferrofleet_tests::peers::control_plane::{Client, ControlPlane};
use ferrofleet_tests::peers::need;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;

const TEXT: &str = "apiVersion: v1\nkind: Config\ncurrent-context: admin@shop\n\
    contexts: [{name: admin@shop, context: {cluster: shop, user: admin}}]\n\
    clusters: [{name: shop, cluster: {server: 'https://198.18.0.1:443'}}]\nusers: [{name: admin, user: {token: canary}}]\n";

fn cluster(client: &Client, namespace: &str, name: &str) {
    let reference = |group: &str, kind: &str| json!({"apiGroup": group, "kind": kind, "name": name});
    applied(
        client,
        &json!({
            "apiVersion": "cluster.x-k8s.io/v1beta2",
            "kind": "Cluster",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "infrastructureRef": reference("infrastructure.cluster.x-k8s.io", "MetalStackCluster"),
                "controlPlaneRef": reference("controlplane.cluster.x-k8s.io", "KubeadmControlPlane"),
            },
        }),
    );
}

fn secret(client: &Client, namespace: &str, cluster: &str, data: &Value) {
    applied(
        client,
        &json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": format!("{cluster}-kubeconfig"), "namespace": namespace},
            "stringData": data,
        }),
    );
}

fn kubeconfig(plane: &ControlPlane, args: &[&str]) -> Finished {
    run(&mut binary(plane, &[&["kubeconfig"], args].concat()))
}

#[test]
fn a_kubeconfig_is_written_whole_for_one_person_or_not_at_all() {
    let Some(crds) = crds() else { return };
    let Some(plane) = need(ControlPlane::start()) else { return };
    let client = plane.client();
    let none = kubeconfig(&plane, &["shop"]).expect(64);
    assert!(none.stderr.contains("has no Cluster API\n"), "{}", none.stderr);

    client.install_crds(&crds.join("capi"));
    applied(client, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "payments"}}));
    for (namespace, name) in [("default", "shop"), ("payments", "billing"), ("payments", "twice"), ("default", "twice")]
    {
        cluster(client, namespace, name);
    }
    secret(client, "default", "shop", &json!({"value": TEXT}));
    secret(client, "payments", "billing", &json!({"value": "users: [canary"}));

    let written = kubeconfig(&plane, &["shop"]).expect(0);
    assert_eq!(
        (written.stdout.as_str(), written.stderr.as_str()),
        (
            "",
            "wrote shop.kubeconfig: admin@shop at https://198.18.0.1:443\n\
             hint: kubectl --kubeconfig shop.kubeconfig get nodes\n"
        )
    );
    let file = plane.scratch().join("shop.kubeconfig");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), TEXT);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = kubeconfig(&plane, &["default/shop"]).expect(64);
    assert_eq!(
        again.stderr,
        "error: shop.kubeconfig is there already\n\
         hint: --force replaces it, --out FILE names another, and --out - is stdout\n"
    );
    std::fs::write(&file, "mine").unwrap();
    let _ = kubeconfig(&plane, &["default.shop", "--force"]).expect(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), TEXT);
    assert_eq!(kubeconfig(&plane, &["shop", "-n", "default", "--out", "-"]).expect(0).stdout, TEXT);

    // What is there is no kubeconfig, and what it says is not repeated.
    let odd = kubeconfig(&plane, &["billing"]).expect(1);
    assert!(odd.stderr.contains("Secret payments/billing-kubeconfig, key value: this is no kubeconfig"), "{odd:?}");
    assert!(!odd.stderr.contains("canary") && !plane.scratch().join("billing.kubeconfig").exists(), "{odd:?}");
    secret(client, "payments", "twice", &json!({"other": "x"}));
    let empty = kubeconfig(&plane, &["payments/twice"]).expect(1);
    assert!(empty.stderr.contains("has no key `value`"), "{}", empty.stderr);

    // Not yet, not one, and none.
    let waiting = kubeconfig(&plane, &["default/twice"]).expect(1);
    let words = "error: the control plane of default/twice is not initialized yet: there is no Secret twice-kubeconfig; \
        it waits for the infrastructure";
    assert!(waiting.stderr.starts_with(words), "{}", waiting.stderr);
    let several = kubeconfig(&plane, &["twice"]).expect(64);
    assert!(several.stderr.contains("take one of default/twice, payments/twice"), "{}", several.stderr);
    let near = kubeconfig(&plane, &["shpo"]).expect(64);
    assert_eq!(near.stderr, "error: there is no cluster shpo\nhint: did you mean default/shop?\n");
}
