//! Add-ons, health checks and autoscaled pools.

use super::Case;
use crate::tests::kit::{BILLING, Edit, POLICY, SHOP, SHOP_LOCK};
use model::tree::MemoryTree;

const ADDONS: &str = "rendered/mgmt-muc/payments/billing/addons.yaml";

/// Billing as it runs, with these charts beside Calico and the cloud controller manager.
fn installed(tree: &mut MemoryTree, charts: &[(&str, &str, &str, &str)]) {
    tree.edit(BILLING, "    egress:\n      - network: internet\n", "");
    tree.lock("payments.billing");
    let all = [("calico", "tigera-operator", "https://docs.tigera.io/calico/charts", "kube-system")];
    let mut text = "kind: ClusterResourceSet\nmetadata:\n  name: billing-metal-ccm-432400ed\n".to_owned();
    for (name, chart, repo, namespace) in all.iter().chain(charts) {
        text.push_str(&format!(
            "---\nkind: HelmChartProxy\nspec:\n  releaseName: {name}\n  chartName: {chart}\n  repoURL: {repo}\n  namespace: {namespace}\n"
        ));
    }
    tree.put(ADDONS, &text);
}

fn addons(tree: &mut MemoryTree, text: &str) {
    tree.edit(BILLING, "  controlPlane:", &format!("  addons: {{{text}}}\n  controlPlane:"));
}

const CERTS: &str =
    "{name: certs, repoURL: https://charts.jetstack.io, chart: cert-manager, version: v1.19.1, namespace: certs}";

pub(super) const CASES: &[Case] = &[
    ("addon", |t| {
        let charts = "extra: [
      {name: a, repoURL: http://charts.example.com, chart: a/b, version: \"1\", namespace: a},
      {name: b, repoURL: \"https://charts.example.com/{{x}}\", chart: b, version: 1.0.0, namespace: b}]";
        let manifests = "manifests: [{name: none}, {name: half, objects: [{kind: ConfigMap, metadata: {}}]}]";
        addons(t, &format!("{charts}, {manifests}"));
    }),
    ("addon-name", |t| {
        let long = "a".repeat(60);
        let chart = |name: &str| {
            format!("{{name: {name}, repoURL: oci://r.example.com/c, chart: a, version: 1.0.0, namespace: a}}")
        };
        addons(
            t,
            &format!(
                "extra: [{}, {}], manifests: [{{name: metal-ccm, secretRefs: [a]}}]",
                chart("metallb"),
                chart(&long)
            ),
        );
    }),
    ("duplicate-name", |t| {
        addons(t, &format!("extra: [{CERTS}, {CERTS}], manifests: [{{name: a, secretRefs: [b, b]}}]"))
    }),
    ("secret-in-git", |t| {
        let chart =
            "{name: a, repoURL: \"https://me:hunter2@charts.example.com\", chart: a, version: 1.0.0, namespace: a}";
        let secret = "{apiVersion: v1, kind: Secret, metadata: {name: x}}";
        let list = format!("{{apiVersion: v1, kind: List, metadata: {{name: x}}, items: [{secret}]}}");
        addons(t, &format!("extra: [{chart}], manifests: [{{name: a, objects: [{secret}, {list}]}}]"));
    }),
    ("version-tag", |t| {
        addons(t, "metallb: {version: latest}");
        t.edit(SHOP, "  pools:", "  network: {cni: {type: cilium, version: \"1.18\"}}\n  pools:");
    }),
    ("cilium-experimental", |t| {
        t.edit(POLICY, "    ccm: v0.9.7", "    ccm: v0.9.7\n    cilium: 1.18.3");
        t.edit(SHOP, "  pools:", "  network: {cni: {type: cilium}}\n  pools:");
    }),
    ("no-cni", |t| t.edit(BILLING, "    nodes:", "    cni: {type: none}\n    nodes:")),
    ("no-ccm", |t| addons(t, "ccm: {enabled: false}")),
    // The CNI and the cloud controller manager are not uninstalled by accident.
    ("addon-removed", |t| {
        installed(t, &[]);
        t.edit(BILLING, "flavor: calico", "flavor: default");
    }),
    // On purpose they are; another chart and MetalLB go with a warning.
    ("addon-removed", |t| {
        let charts =
            [("metallb", "metallb", "https://metallb.github.io/metallb", "metallb-system"), ("certs", "a", "b", "c")];
        installed(t, &charts);
        t.edit(BILLING, "    nodes:", "    cni: {type: none}\n    nodes:");
        addons(t, "allowReinstall: true");
    }),
    ("addon-replaced", |t| {
        installed(t, &[("certs", "cert-manager", "https://charts.jetstack.io", "certs")]);
        addons(t, &format!("extra: [{}]", CERTS.replace("namespace: certs", "namespace: cert-manager")));
        let rewrite =
            "  images: {rewrite: [{from: \"https://docs.tigera.io\", to: \"oci://registry.example.com/tigera\"}]}\n";
        t.edit(POLICY, "  defaults:", &format!("{rewrite}  defaults:"));
    }),
    ("health-check", |t| {
        t.edit(POLICY, "name: c1-large-x86, cpu: 16", "name: c1-large-x86, localVolumes: true, cpu: 16");
        t.append(BILLING, "      healthCheck: {nodeStartupTimeout: 5m, unhealthyTimeout: 10s}\n");
        t.edit(BILLING, "    replicas: 3", "    replicas: 3\n    healthCheck: {maxUnhealthy: 1}");
        t.edit(SHOP, "  pools:", "  controlPlane: {healthCheck: {}}\n  pools:");
    }),
    ("autoscaled-pool", |t| {
        t.append(SHOP, "      min: 3\n      max: 2\n    - {name: a, min: 1}\n    - {name: b, max: 2}\n    - {name: c, min: 0, max: 2000}\n");
    }),
    ("autoscaled-pool-back", |t| {
        let mut lock = t.lock("default.shop");
        lock.values.autoscaled_pools = vec!["general".parse().unwrap()];
        t.put_lock(SHOP_LOCK, &lock);
    }),
    ("over-limit", |t| {
        t.edit(
            POLICY,
            "  defaults:",
            "  limits: {controlPlaneReplicas: 1, pools: 1, poolReplicas: 3, machines: 4}\n  defaults:",
        );
        t.append(SHOP, "    - {name: second, min: 0, max: 4}\n");
    }),
    ("service-network", |t| addons(t, "ccm: {defaultExternalNetwork: mpls-muc-b}")),
    ("network-not-offered", |t| {
        t.edit(
            POLICY,
            "          defaultNetwork: internet",
            "          networks: [internet]\n          defaultNetwork: internet",
        );
        addons(t, "ccm: {defaultExternalNetwork: mpls-muc-b}");
        t.edit(SHOP, "  pools:", "  vip: {network: internat}\n  firewall: {networks: [internat]}\n  pools:");
    }),
];
