//! `fleet.yaml` and policies that are documents and do not fit together.

use super::Case;
use crate::tests::kit::{BILLING, Edit, FLEET, POLICY, SHOP};

pub(super) const CASES: &[Case] = &[
    ("no-fleet", |t| t.remove_file(FLEET)),
    ("empty-list", |t| {
        t.edit(POLICY, "  machineTypes:\n    - { name: n1-medium-x86, cpu: 8, memory: 64Gi }\n    - { name: c1-large-x86, cpu: 16, memory: 128Gi }\n", "  machineTypes: []\n");
    }),
    ("duplicate-name", |t| {
        t.edit(FLEET, "    - name: production", "    - name: development");
        t.edit(POLICY, "name: c1-large-x86, cpu", "name: n1-medium-x86, cpu");
        t.put("policies/second.yaml", &String::from_utf8(t.files[POLICY].clone()).unwrap());
        t.append(SHOP, "    - name: general\n");
    }),
    ("default-project", |t| {
        t.edit(
            FLEET,
            "    partition: muc-a",
            "    project: 00000000-0000-0000-0000-000000000002\n    partition: muc-a",
        );
    }),
    ("stage-management-cluster", |t| t.edit(FLEET, "managementCluster: mgmt-muc", "managementCluster: mgmt-mcu")),
    ("project-stage", |t| t.edit(FLEET, "        name: platform", "        stages: [prodution]")),
    ("node-api", |t| {
        t.edit(FLEET, "    nodeApiCIDRs: [203.0.113.10/32]\n", "");
        t.edit(FLEET, "https://metal.example.com/metal", "https://metal.example.com:8443/metal");
    }),
    ("node-api", |t| t.edit(FLEET, "    nodeApiUrl: https://metal.example.com/metal\n", "")),
    ("commit-author", |t| t.append(FLEET, "  commit: {author: {name: \"Fleet <bot>\", email: \" \"}}\n")),
    ("hosts-role", |t| t.edit(FLEET, "      provider: capms", "      hosts: [shop]")),
    ("unknown-host", |t| t.edit(FLEET, "      provider: capms", "      role: metal\n      hosts: [ship]")),
    // shop runs the metal-api that billing's management needs, and is managed by a cluster that needs billing.
    ("management-cycle", |t| {
        t.edit(
            FLEET,
            "      provider: capms",
            "      role: metal\n      hosts: [shop]\n    - name: other\n      role: shared\n      hosts: [billing]",
        );
        t.edit(SHOP, "  flavor: default", "  target: {managementCluster: other}\n  flavor: default");
    }),
    ("shared-production", |t| t.edit(FLEET, "      provider: capms", "      role: shared")),
    ("policy-versions", |t| {
        t.edit(
            POLICY,
            "      - version: 1.34.2",
            "      - version: 1.34.2\n        expirationDate: 2027-03-31T00:00:00Z\n      - version: 1.34.1",
        );
    }),
    ("policy-image", |t| {
        t.edit(POLICY, "version: 1.34.2, kubernetes", "version: 1.34.0, kubernetes");
        t.edit(POLICY, "version: 1.33.6, kubernetes", "version: \"1.33 6\", kubernetes");
    }),
    ("policy-image", |t| t.edit(POLICY, "capms-ubuntu-{{version}}", "capms-ubuntu-1.34.2")),
    ("policy-partition", |t| {
        t.edit(POLICY, "        - name: muc-b", "        - name: muc-a");
        t.edit(
            POLICY,
            "          defaultNetwork: internet",
            "          unavailableMachineTypes: [c1-largo-x86]\n          defaultNetwork: internet",
        );
    }),
    ("version-tag", |t| {
        t.edit(POLICY, "v3.28.3", "3.28.3");
        t.edit(POLICY, "kubeVip: v0.8.10", "kubeVip: latest");
        t.edit(BILLING, "  network:", "  addons: {ccm: {version: newest}}\n  network:");
    }),
    ("one-cidr", |t| {
        t.edit(POLICY, "pods: [10.240.0.0/13]", "pods: [10.240.0.0/13, \"fd00::/64\"]");
        t.edit(
            SHOP,
            "  pools:",
            "  network: {pods: [10.240.0.0/14, 10.244.0.0/14], services: [\"fd00::/112\"]}\n  pools:",
        );
        t.edit(BILLING, "    nodes:", "    pods: []\n    nodes:");
    }),
    ("output", |t| t.append(FLEET, "  output: {repo: \"a b\", branch: \"-x\", sourceBranch: a..b}\n")),
    ("gitops-source", |t| t.edit(FLEET, "      provider: capms", "      provider: capms\n      gitops: argocd")),
    ("gitops-source", |t| {
        t.edit(FLEET, "      provider: capms", "      provider: capms\n      gitops: flux");
        t.append(FLEET, "  output: {sourceURL: \"git@git.example.com:fleet.git\"}\n");
    }),
    ("gitops-source", |t| {
        t.edit(FLEET, "      provider: capms", "      provider: capms\n      gitops: argocd");
        t.append(FLEET, "  output: {sourceURL: \"git@git.example.com:fleet.git\", secretRef: fleet}\n");
    }),
    ("secret-in-git", |t| {
        let urls =
            "{repo: \"ssh://git:hunter2@git.example.com/out\", sourceURL: \"https://hunter2@git.example.com/out\"}";
        t.append(FLEET, &format!("  output: {urls}\n"));
    }),
    ("quantity", |t| t.edit(POLICY, "memory: 64Gi", "memory: 64 GB")),
    ("image-rewrite", |t| {
        let rules = "[{from: ghcr.io, to: \"http://registry.example.com\"}, {from: ghcr.io/, to: \"me:hunter2@r.example.com\"}]";
        t.edit(POLICY, "  defaults:", &format!("  images: {{rewrite: {rules}}}\n  defaults:"));
    }),
    ("limits", |t| {
        t.edit(POLICY, "  defaults:", "  limits: {pools: 0, controlPlaneReplicas: 5, machines: 3}\n  defaults:");
    }),
    // Of images, too, one of a minor is supported, and versions are versions.
    ("policy-versions", |t| {
        let images = "        - { version: 1.34.3, kubernetes: 1.34.2, kubeVip: v0.9.0 }\n        - { version: 1.34.2,";
        t.edit(POLICY, "        - { version: 1.34.2,", images);
        t.edit(POLICY, "        - { version: 1.32.9,", "        - { version: 1.32.9.7,");
    }),
    ("policy-partition", |t| {
        t.edit(
            POLICY,
            "          defaultNetwork: internet",
            "          networks: [mpls-muc-a, mpls-muc-a]\n          defaultNetwork: internet",
        );
    }),
    ("empty-list", |t| {
        t.edit(POLICY, "cpu: 8", "usable: false, cpu: 8");
        t.edit(POLICY, "cpu: 16", "usable: false, cpu: 16");
    }),
];
