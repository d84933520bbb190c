//! Definitions that are documents and cannot be.

use super::Case;
use crate::tests::kit::{BILLING, Edit, FLEET, POLICY, SHOP};

const COPY: &str = "stages/development/clusters/copy/cluster.yaml";

fn text(tree: &model::tree::MemoryTree, path: &str) -> String {
    String::from_utf8(tree.files[path].clone()).unwrap()
}

pub(super) const CASES: &[Case] = &[
    // Neither has a lock.
    ("same-cluster", |t| t.put(COPY, &text(t, SHOP))),
    // One has.
    ("same-cluster", |t| {
        t.lock("default.shop");
        t.put(COPY, &text(t, SHOP));
    }),
    ("prefix-of-cluster", |t| {
        t.put(COPY, &text(t, SHOP));
        t.edit(COPY, "name: shop", "name: shop-two");
    }),
    ("prefix-of-cluster", |t| {
        t.lock("default.shop");
        t.put(COPY, &text(t, SHOP));
        t.edit(COPY, "name: shop", "name: sho");
    }),
    ("cluster-id-too-long", |t| t.edit(SHOP, "name: shop", &format!("name: {}", "s".repeat(60)))),
    ("unknown-stage", |t| {
        t.put("clusters/x/cluster.yaml", &text(t, SHOP));
        t.put("stages/prod/x/cluster.yaml", &text(t, SHOP));
        t.edit(BILLING, "  flavor: calico", "  stage: productoin");
    }),
    ("unknown-management-cluster", |t| t.edit(SHOP, "  flavor: default", "  target: {managementCluster: mgmt-mcu}")),
    ("unknown-policy", |t| {
        t.edit(SHOP, "  flavor: default", "  policy: defualt");
        t.edit(FLEET, "      purpose: production", "      policy: strict");
    }),
    ("unknown-policy", |t| t.edit(POLICY, "  defaults:", "  default:")),
    ("project-not-listed", |t| {
        t.edit(SHOP, "  flavor: default", "  metal: {project: 00000000-0000-0000-0000-000000000011}");
        t.edit(FLEET, "        name: platform", "        stages: [development]\n        namespaces: [default]");
    }),
    ("project-not-listed", |t| {
        t.edit(FLEET, "        name: platform", "      - id: 00000000-0000-0000-0000-000000000002");
    }),
    ("unknown-partition", |t| {
        t.edit(SHOP, "  flavor: default", "  metal: {partition: muc-c}");
        t.edit(FLEET, "    partition: muc-a\n", "");
    }),
    ("flavor-not-yet", |t| t.edit(SHOP, "  flavor: default", "  flavor: kamaji\n  metal: {partition: nowhere}")),
    ("invalid-label", |t| {
        t.edit(BILLING, "team: payments", "cluster.metal-stack.io/cni: none\n    a b: c\n    team: \"-\"");
    }),
    ("unknown-version", |t| {
        t.edit(SHOP, "\"1.34\"", "\"1.43\"");
        t.edit(BILLING, "\"1.34\"", "1.34.3");
    }),
    ("version-expired", |t| {
        t.edit(POLICY, "        classification: deprecated", "        expirationDate: 2026-11-20T00:00:00Z");
    }),
    ("version-preview", |t| {
        t.edit(POLICY, "      - version: 1.34.2", "      - version: 1.34.2\n        classification: preview");
    }),
    ("flavor-version", |t| {
        t.edit(SHOP, "flavor: default", "flavor: pre-v1.33");
        t.edit(BILLING, "\"1.34\"", "1.32.9");
    }),
    ("unknown-size", |t| {
        t.edit(BILLING, "size: c1-large-x86", "size: c1-large");
        t.edit(POLICY, "cpu: 8, memory: 64Gi", "usable: false");
        t.edit(SHOP, "      replicas: 2", "      size: n1-medium-x86");
        t.edit(SHOP, "  pools:", "  firewall: {size: s1}\n  controlPlane: {size: c1-large-x86}\n  pools:");
        t.edit(
            POLICY,
            "        - name: muc-a",
            "        - name: muc-a\n          unavailableMachineTypes: [c1-large-x86]",
        );
    }),
    ("unknown-image", |t| {
        t.edit(SHOP, "      replicas: 2", "      image: ubuntu-24.4.1");
        t.edit(SHOP, "  pools:", "  firewall: {image: firewall-ubuntu-2.0.20250101}\n  pools:");
    }),
    ("image-version", |t| {
        t.edit(SHOP, "      replicas: 2", "      image: capms-ubuntu-1.33.6");
        t.edit(POLICY, "kubernetes: 1.32.9, ", "kubernetes: 1.32.8, ");
    }),
    ("image-not-pinned", |t| t.edit(SHOP, "      replicas: 2", "      image: capms-ubuntu-1.34")),
    ("even-control-plane", |t| t.edit(BILLING, "replicas: 3", "replicas: 2")),
    ("no-pools", |t| t.edit(SHOP, "  pools:\n    - name: general\n      replicas: 2\n", "  pools: []\n")),
    ("rollout-stuck", |t| t.edit(SHOP, "      replicas: 2", "      maxSurge: 0")),
    ("cidr-overlap", |t| {
        t.edit(SHOP, "  pools:", "  network: {services: [10.240.0.0/20]}\n  vip: {address: 10.241.0.9}\n  pools:");
    }),
    ("cidr-overlap", |t| {
        let mut lock = t.lock("default.shop");
        let node = lock.values.node_network.as_mut().unwrap();
        node.prefixes = vec!["10.240.0.0/22".parse().unwrap(), "198.18.0.0/24".parse().unwrap()];
        t.put_lock(crate::tests::kit::SHOP_LOCK, &lock);
    }),
    ("prefix-length", |t| t.edit(BILLING, "length: 22", "length: 31")),
    ("slot-mode", |t| {
        t.edit(BILLING, "length: 22", "length: 22\n      mode: adopt");
        t.edit(
            BILLING,
            "  firewall:",
            "  vip: {mode: adopt}\n  firewall:\n    machineID: 00000000-0000-4000-8000-000000000001",
        );
        t.edit(SHOP, "  pools:", "  network: {nodes: {id: abc}}\n  firewall: {mode: external}\n  pools:");
    }),
    ("delegate", |t| {
        t.edit(BILLING, "length: 22", "mode: delegate");
        t.edit(SHOP, "  pools:", "  vip: {mode: delegate}\n  pools:");
    }),
    ("same-resource", |t| {
        let vip = "  vip: {mode: adopt, address: 198.18.0.77}\n  pools:";
        t.edit(SHOP, "  pools:", vip);
        t.edit(BILLING, "  pools:", vip);
    }),
    ("firewall-reachability", |t| {
        let rules = "  firewall:\n    rules:\n      presets: []\n      egress:\n        - {ports: [443], to: [10.0.0.0/8]}\n        - {ports: [53], protocol: UDP, to: [0.0.0.0/0]}\n  pools:";
        t.edit(SHOP, "  pools:", rules);
    }),
    ("vip-network", |t| {
        t.edit(BILLING, "networks: [internet, mpls-muc-a]", "networks: [mpls-muc-a, mpls-muc-a]");
        t.edit(SHOP, "  pools:", "  firewall: {networks: []}\n  pools:");
    }),
    ("firewall-rule", |t| {
        let rules = "  firewall:\n    rules:\n      egress:\n        - {ports: [], to: []}\n      ingress:\n        - {ports: [22], from: [10.0.0.0/8, \"fd00::/8\"]}\n  pools:";
        t.edit(SHOP, "  pools:", rules);
    }),
    ("egress-network", |t| {
        t.edit(
            BILLING,
            "      - network: internet",
            "      - network: internet\n      - network: internet\n      - network: mpls-muc-b",
        );
        t.edit(SHOP, "  pools:", "  firewall: {mode: deployment, egress: [{network: internet}]}\n  pools:");
    }),
    ("cni-version", |t| t.edit(POLICY, "    calico: v3.28.3\n", "")),
    ("metallb-version", |t| t.edit(SHOP, "  pools:", "  addons: {metallb: {}}\n  pools:")),
    ("ccm", |t| {
        t.edit(POLICY, "    ccm: v0.9.7\n", "");
        t.edit(
            FLEET,
            "    ccm:\n      # A name, never the credentials themselves.\n      credentialsRef: metal-ccm\n",
            "    ccm: ~\n",
        );
    }),
];
