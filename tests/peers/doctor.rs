//! `ferrofleet doctor` and `ferrofleet kubeconfig` against a real API server and the simulated metal-api.

mod kubeconfig;

use ferrofleet_tests::bed::Bed;
use ferrofleet_tests::binary::{Finished, Process, command};
use ferrofleet_tests::peers::control_plane::{Apply, Client, ControlPlane, ObjectRef, manifests};
use ferrofleet_tests::peers::{need, skipped};
use model::Timestamp;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Some sixty requests to servers on loopback, and connections that end at once.
const LIMIT: Duration = Duration::from_secs(60);
const PROJECT: &str = "00000000-0000-0000-0000-000000000001";
const IGNITION: &str = "--feature-gates=KubeadmBootstrapFormatIgnition=true";

/// The binary with the administrator's kubeconfig, and nothing of a metal-api.
fn binary(plane: &ControlPlane, args: &[&str]) -> Command {
    let mut command = command(plane.scratch());
    command.args(args).arg("--kubeconfig").arg(plane.kubeconfig());
    command
}

fn run(command: &mut Command) -> Finished {
    Process::spawn(command).finish(LIMIT)
}

/// With the simulator's credentials in the environment.
fn doctor(plane: &ControlPlane, bed: &Bed, args: &[&str]) -> Finished {
    let mut command = binary(plane, &["doctor"]);
    run(command.envs(bed.sim.env()).args(args))
}

/// The checks of a name, without those that are well.
fn bad(finished: &Finished, check: &str) -> Vec<Value> {
    let shown: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {finished:?}"));
    let checks = shown["checks"].as_array().unwrap().iter();
    checks.filter(|found| found["check"] == check && found["state"] != "ok").cloned().collect()
}

#[track_caller]
fn says(finished: &Finished, check: &str, state: &str, words: &str, mend: &str) {
    let found = bad(finished, check);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_it = |found: &Value| {
        found["state"] == state && text(&found["why"]).contains(words) && text(&found["mend"]).contains(mend)
    };
    assert!(found.iter().any(is_it), "{check} {state} {words} {mend}: {found:#?}");
}

fn applied(client: &Client, object: &Value) -> Value {
    client.apply(object, Apply::by("ada").forced()).unwrap_or_else(|e| panic!("{}: {e}", ObjectRef::of(object)))
}

fn crds() -> Option<PathBuf> {
    let data = std::env::var_os("FERROFLEET_SHARED_DATA").map_or_else(|| "/work/shared/data".into(), PathBuf::from);
    let crds = data.join("crds");
    if !crds.is_dir() {
        skipped("no CRDs in /work/shared/data or FERROFLEET_SHARED_DATA");
        return None;
    }
    Some(crds)
}

/// As a user does it, without kubectl.
fn install_ours(plane: &ControlPlane) {
    let printed = run(&mut {
        let mut command = command(plane.scratch());
        command.args(["crds", "-o", "json"]);
        command
    });
    let list: Value = serde_json::from_str(&printed.expect(0).stdout).unwrap();
    let (kinds, policy): (Vec<Value>, Vec<Value>) =
        list["items"].as_array().unwrap().iter().cloned().partition(|o| o["kind"] == "CustomResourceDefinition");
    plane.client().apply_crds(&kinds);
    policy.iter().for_each(|object| drop(applied(plane.client(), object)));
}

/// A Deployment that nobody runs here: what it says is what is read.
fn manager(name: &str, image: &str, args: &[&str]) -> Value {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "manager", "image": image, "args": args}]},
            },
        },
    })
}

fn install_cluster_api(client: &Client, crds: &Path) {
    for folder in ["capi", "caaph"] {
        client.install_crds(&crds.join(folder));
    }
    let managers = [
        // Of no release that is known: this API server is of the newest Kubernetes.
        manager("capi", "registry.k8s.io/cluster-api/cluster-api-controller:v1.99.0", &[]),
        manager("bootstrap", "registry.k8s.io/cluster-api/kubeadm-bootstrap-controller:v1.12.1", &[IGNITION]),
        manager("kcp", "registry.k8s.io/cluster-api/kubeadm-control-plane-controller:v1.12.1", &[IGNITION]),
    ];
    managers.iter().for_each(|object| drop(applied(client, object)));
}

fn ours(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    })
}

/// A cluster with network and firewall in metal-api, and an endpoint that answers as long as the listener is there.
fn cluster(client: &Client, bed: &Bed) -> (TcpListener, Value) {
    let body = json!({"projectid": PROJECT, "partitionid": "muc-a", "addressfamily": "IPv4"});
    let network = bed.post("/v1/network/allocate", &body)["id"].as_str().unwrap().to_owned();
    let body = json!({
        "projectid": PROJECT, "partitionid": "muc-a", "sizeid": "n1-medium-x86", "imageid": "firewall-ubuntu-3.0",
        "networks": [{"networkid": "internet", "autoacquire": true}, {"networkid": network, "autoacquire": true}],
        "name": "by-hand", "hostname": "by-hand", "tags": [],
    });
    let firewall = bed.post("/v1/firewall/allocate", &body)["id"].as_str().unwrap().to_owned();
    let deployment = json!({
        "firewallTemplateRef": {"name": "shop"},
        "managedResourceRef": {"name": format!("metal://muc-a/{firewall}")},
    });
    applied(client, &ours("MetalStackFirewallDeployment", "shop-firewall", &deployment));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let cluster = ours(
        "MetalStackCluster",
        "shop",
        &json!({
            "projectID": PROJECT,
            "partition": "muc-a",
            "nodeNetworkID": network,
            "controlPlaneEndpoint": {"host": "127.0.0.1", "port": listener.local_addr().unwrap().port()},
            "firewallDeploymentRef": {"name": "shop-firewall"},
        }),
    );
    applied(client, &cluster);
    (listener, cluster)
}

#[test]
fn an_empty_management_cluster_lacks_everything_and_says_so() {
    let Some(plane) = need(ControlPlane::start()) else { return };
    let found = run(&mut binary(&plane, &["doctor", "-o", "json"])).expect(1);
    assert_eq!(found.stderr, "");
    says(&found, "cluster-api-kinds", "failed", "clusters.cluster.x-k8s.io", "clusterctl init");
    assert_eq!(bad(&found, "kinds").len(), 6);
    says(&found, "kinds", "failed", "is not there", "ferrofleet crds | kubectl apply --server-side");
    says(&found, "admission-policy", "warning", "the policy of machine templates is not there", "ferrofleet crds");
    says(&found, "metal-api", "skipped", "nobody says where it is", "METAL_API_URL");
    says(&found, "clusters", "skipped", "there are no MetalStackClusters", "");
    assert!(bad(&found, "rights").is_empty() && bad(&found, "api-server").is_empty(), "{}", found.stdout);

    // Who may do nothing: what cannot be read is skipped, and what the provider could not do is a failure.
    let text = std::fs::read_to_string(plane.kubeconfig()).unwrap();
    let mut kubeconfig: Value = serde_json::from_str(&text).unwrap();
    kubeconfig["users"][0]["user"]["as"] = "nobody".into();
    std::fs::write(plane.scratch().join("nobody"), kubeconfig.to_string()).unwrap();
    let mut nobody = command(plane.scratch());
    let found = run(nobody.args(["doctor", "--kubeconfig", "nobody", "-o", "json"])).expect(1);
    says(&found, "rights", "failed", "this user may not ", "grant it");
    says(&found, "kinds", "skipped", "cannot be read", "as a user who may");
    says(&found, "feature-gates", "skipped", "Deployments cannot be read", "as a user who may");
}

#[test]
fn a_fit_management_cluster_is_told_from_one_that_is_not() {
    let Some(crds) = crds() else { return };
    let Some(plane) = need(ControlPlane::start()) else { return };
    let (client, bed) = (plane.client(), Bed::new());
    install_cluster_api(client, &crds);
    install_ours(&plane);
    let (listener, cluster) = cluster(client, &bed);

    let fit = doctor(&plane, &bed, &[]).expect(0);
    let spec = &cluster["spec"];
    let port = &spec["controlPlaneEndpoint"]["port"];
    for words in [
        "one-provider         no other provider runs".to_owned(),
        format!("node-network         default/shop: {}", spec["nodeNetworkID"].as_str().unwrap()),
        format!("endpoint             default/shop: 127.0.0.1:{port} answers"),
        "kinds                MetalStackCluster, MetalStackClusterTemplate, MetalStackFirewallDeployment and 3 more"
            .to_owned(),
        format!("projects             {PROJECT}: "),
    ] {
        let line = fit.stdout.lines().find(|line| line.contains(&words));
        assert!(line.is_some_and(|line| line.starts_with("  ok ")), "{words}\n{}", fit.stdout);
    }
    assert!(fit.stdout.contains("\nDoctor: 0 failed, 0 warnings, "), "{}", fit.stdout);
    assert!(!fit.stdout.contains(bed.sim.env()[1].1.as_str()), "I7: {}", fit.stdout);

    // One thing after another goes wrong.
    drop(listener);
    applied(client, &manager("bootstrap", "registry.k8s.io/cluster-api/kubeadm-bootstrap-controller:v1.12.1", &[]));
    applied(client, &manager("capi", "registry.k8s.io/cluster-api/cluster-api-controller:v1.10.4", &[]));
    let capms = "ghcr.io/metal-stack/cluster-api-metal-stack-controller:v0.8.0";
    applied(client, &manager("capms", capms, &[]));
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string();
    applied(
        client,
        &json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "6fca141d.cluster.x-k8s.io", "namespace": "default"},
            "spec": {"holderIdentity": "capms-7b9_uuid", "leaseDurationSeconds": 15, "renewTime": now},
        }),
    );
    let mut without = ours("MetalStackCluster", "bare", &Value::Null);
    without.as_object_mut().unwrap().remove("spec");
    applied(client, &without);
    let elsewhere = json!({"projectID": "another", "partition": "fra-a", "credentialsRef": {"name": "lost"}});
    applied(client, &ours("MetalStackCluster", "elsewhere", &elsewhere));
    let network = spec["nodeNetworkID"].as_str().unwrap();
    let unfit = doctor(&plane, &bed, &["-o", "json"]).expect(1);
    says(&unfit, "endpoint", "warning", "does not answer here", "from the management cluster");
    says(&unfit, "feature-gates", "failed", "is off in Deployment default/bootstrap", "--feature-gates=");
    says(&unfit, "cluster-api-version", "failed", "v1.10.4, and what is rendered needs 1.11", "clusterctl upgrade");
    says(&unfit, "one-provider", "warning", "Deployment default/capms of CAPMS runs", "scale deployment capms");
    says(&unfit, "one-provider", "warning", "capms-7b9_uuid holds the Lease default/6fca141d", "--leader-elect");
    says(&unfit, "clusters", "warning", "nothing that can be used", "give it a spec");
    says(&unfit, "metal-api", "failed", "there is no Secret default/lost", "make it");
    assert_eq!(bad(&unfit, "node-network").len(), 1, "{network} is still there: {}", unfit.stdout);

    // Kinds of CAPMS over ours, with the label that its kustomization adds.
    let mut kinds = manifests(&crds.join("capms"));
    kinds.iter_mut().for_each(|kind| kind["metadata"]["labels"] = json!({"cluster.x-k8s.io/v1beta2": "v1alpha1"}));
    client.apply_crds(&kinds);
    let older = doctor(&plane, &bed, &["-o", "json"]).expect(1);
    says(&older, "kinds", "warning", "is older than this binary", "--server-side --force-conflicts");
}

#[test]
fn credentials_and_clocks_are_told_apart() {
    let Some(plane) = need(ControlPlane::start()) else { return };
    let (client, bed) = (plane.client(), Bed::new());
    install_ours(&plane);
    let (_listener, _) = cluster(client, &bed);
    let [(_, url), (_, key), (_, kind)] = bed.sim.env();
    let refused = run(binary(&plane, &["doctor", "-o", "json"])
        .env("METAL_API_URL", &url)
        .env("METAL_API_HMAC", "canary-canary")
        .env("METAL_API_HMAC_AUTH_TYPE", &kind))
    .expect(1);
    says(&refused, "credentials", "failed", "refused: ", "was it rotated?");
    says(&refused, "node-network", "skipped", "its metal-api did not answer", "");
    assert!(!format!("{refused:?}").contains("canary"), "I7: {refused:?}");

    // As CAPMS has them, where nothing is in the environment; and by name.
    applied(client, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "capms-system"}}));
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "capms-controller-manager-config", "namespace": "capms-system"},
        "stringData": {"api-url": url, "api-hmac": key, "api-hmac-auth-type": kind},
    });
    applied(client, &secret);
    for args in [
        &["doctor", "-o", "json"][..],
        &["doctor", "-o", "json", "--metal", "capms-system/capms-controller-manager-config"],
    ] {
        let found = run(&mut binary(&plane, args));
        assert!(bad(&found, "credentials").is_empty() && bad(&found, "node-network").is_empty(), "{}", found.stdout);
        assert!(found.stdout.contains("Secret capms-system/capms-controller-manager-config"), "{}", found.stdout);
    }

    // Its clock is ahead; then it refuses for that, and the reason is named.
    let control = bed.sim.control_url();
    ureq::post(format!("{control}/clock")).send(json!({"advance": "5m"}).to_string()).unwrap();
    let skewed = doctor(&plane, &bed, &["-o", "json"]);
    says(&skewed, "credentials", "warning", "s ahead of this one: it refuses what is over 30 s old", "NTP");
    let message = "the timestamp in your header is too old: \"2026-11-21T10:00:00Z\"";
    let faults = json!([{"path": "*", "effect": {"status": 403, "message": message}}]);
    ureq::put(format!("{control}/faults")).send(faults.to_string()).unwrap();
    let refused = doctor(&plane, &bed, &["-o", "json"]).expect(1);
    says(&refused, "credentials", "failed", "refused for the time: the timestamp in your header is too old", "NTP");
    says(&refused, "credentials", "failed", "s ahead of this one", "NTP");

    let nowhere = run(binary(&plane, &["doctor", "-o", "json"])
        .env("METAL_API_URL", "http://127.0.0.1:1/metal")
        .env("METAL_API_HMAC", key))
    .expect(1);
    says(&nowhere, "metal-api", "failed", "http://127.0.0.1:1/metal does not answer", "METAL_API_URL");
}

#[test]
fn without_an_api_server_it_is_a_failed_check_and_without_a_kubeconfig_a_usage_error() {
    let home = tempfile::tempdir().unwrap();
    let doctor = |args: &[&str]| {
        let mut command = command(home.path());
        run(command.arg("doctor").args(args))
    };
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: x\n\
        contexts: [{name: x, context: {cluster: x, user: x}}]\n\
        clusters: [{name: x, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: x, user: {token: canary}}]\n";
    std::fs::write(home.path().join("config.yaml"), kubeconfig).unwrap();
    let silent = doctor(&["--kubeconfig", "config.yaml", "-o", "json"]).expect(1);
    says(&silent, "api-server", "failed", "https://127.0.0.1:1/ does not answer", "kubeconfig");
    says(&silent, "kinds", "skipped", "the API server does not answer", "");
    assert!(!format!("{silent:?}").contains("canary"), "I7: {silent:?}");

    let context = doctor(&["--kubeconfig", "config.yaml", "--context", "y"]).expect(64);
    assert_eq!(context.stderr, "error: config.yaml: contexts: there is no context `y`\nhint: did you mean x?\n");
    let none = doctor(&[]).expect(64);
    assert!(none.stderr.starts_with("error: no management cluster is known here\nhint: "), "{}", none.stderr);
    let _ = doctor(&["--kubeconfig", "config.yaml", "--metal", "somewhere"]).expect(64);
    let unset = doctor(&["--kubeconfig", "config.yaml", "--metal", "env"]).expect(64);
    assert!(unset.stderr.contains("METAL_API_URL is not set"), "{}", unset.stderr);
}
