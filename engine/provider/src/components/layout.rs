//! Which object is in which file of `deploy/`.

use super::{ENGINE, IMAGE, Options, around, engine, provider, rights};
use serde_json::{Value, json};

/// Every generated file, by its path below `deploy/`. The kinds are not among them: `deploy/crds` has them, apart, so
/// that removing an installation never removes the kinds and with them every cluster.
pub fn files() -> Vec<(String, String)> {
    let [namespace, account, cluster_role, cluster_binding, role, binding, deployment] = provider(&Options::default());
    let [engine_namespace, engine_account, engine_deployment] = engine(IMAGE);
    let rights = [account, cluster_role, cluster_binding, role, binding].map(|manifest| manifest.text()).concat();
    let policies = around::network_policies().map(|manifest| manifest.text()).concat();
    let looks = rights::engine().map(|manifest| manifest.text()).concat();
    let all = [
        ("base/kustomization.yaml", kustomization("Engine and provider.", KUSTOMIZATION, &["engine", "provider"])),
        ("base/provider/kustomization.yaml", kustomization("The provider.", KUSTOMIZATION, &THREE)),
        ("base/provider/namespace.yaml", namespace.text()),
        ("base/provider/rights.yaml", rights),
        ("base/provider/deployment.yaml", deployment.text()),
        ("base/engine/kustomization.yaml", kustomization("The engine.", KUSTOMIZATION, &THREE)),
        ("base/engine/namespace.yaml", engine_namespace.text()),
        ("base/engine/rights.yaml", engine_account.text()),
        ("base/engine/deployment.yaml", engine_deployment.text()),
        (
            "components/monitoring/kustomization.yaml",
            kustomization("Metrics for the Prometheus operator.", COMPONENT, &["pod-monitor.yaml"]),
        ),
        ("components/monitoring/pod-monitor.yaml", around::pod_monitor().text()),
        (
            "components/network-policy/kustomization.yaml",
            kustomization("Nothing comes in or goes out that need not.", COMPONENT, &["network-policy.yaml"]),
        ),
        ("components/network-policy/network-policy.yaml", policies),
        ("components/management-access/kustomization.yaml", management_access()),
        ("components/management-access/rights.yaml", looks),
        (
            "provider/kustomization.yaml",
            alone("The provider alone. Its kinds are in deploy/crds.", super::NAMESPACE, "../base/provider"),
        ),
        ("engine/kustomization.yaml", alone("The engine alone.", super::ENGINE_NAMESPACE, "../base/engine")),
        ("clusterctl/metadata.yaml", metadata()),
    ];
    all.into_iter().map(|(path, text)| (path.to_owned(), text)).collect()
}

const THREE: [&str; 3] = ["namespace.yaml", "rights.yaml", "deployment.yaml"];

const KUSTOMIZATION: (&str, &str) = ("kustomize.config.k8s.io/v1beta1", "Kustomization");
const COMPONENT: (&str, &str) = ("kustomize.config.k8s.io/v1alpha1", "Component");

fn kustomization(about: &str, (api_version, kind): (&str, &str), resources: &[&str]) -> String {
    let object = json!({"apiVersion": api_version, "kind": kind, "resources": resources});
    format!("# {about}\n{}", yaml(&object))
}

/// The engine's ServiceAccount may look at this cluster, and its pod has the token.
fn management_access() -> String {
    let patch = "- op: replace\n  path: /spec/template/spec/automountServiceAccountToken\n  value: true\n";
    let object = json!({
        "apiVersion": COMPONENT.0,
        "kind": COMPONENT.1,
        "resources": ["rights.yaml"],
        "patches": [{"target": {"kind": "Deployment", "name": ENGINE.name}, "patch": patch}],
    });
    let about = "# The engine sees here what deletions wait for. Its configuration names this cluster, without a file:\n\
                 # managementClusters: {<name in fleet.yaml>: {}}\n";
    format!("{about}{}", yaml(&object))
}

/// One part in its namespace, which components get from here.
fn alone(about: &str, namespace: &str, base: &str) -> String {
    let (api_version, kind) = KUSTOMIZATION;
    let object = json!({"apiVersion": api_version, "kind": kind, "namespace": namespace, "resources": [base]});
    let components = "# components:\n# - ../components/monitoring\n# - ../components/network-policy\n";
    format!("# {about}\n{}{components}", yaml(&object))
}

/// The series that clusterctl may install, and the contract of Cluster API that each keeps. Those before 0.9 are CAPMS's:
/// with them clusterctl upgrades an installed CAPMS to this provider.
fn metadata() -> String {
    let series = |minor: u32| {
        let contract = if minor >= 8 { "v1beta2" } else { "v1beta1" };
        json!({"major": 0, "minor": minor, "contract": contract})
    };
    let object = json!({
        "apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3",
        "kind": "Metadata",
        "releaseSeries": (1..=9).rev().map(series).collect::<Vec<_>>(),
    });
    format!("# 0.1 to 0.8 are CAPMS's releases, of which clusterctl upgrades to this one.\n{}", yaml(&object))
}

fn yaml(object: &Value) -> String {
    serde_yaml::to_string(object).unwrap_or_else(|e| unreachable!("a manifest is YAML: {e}"))
}
