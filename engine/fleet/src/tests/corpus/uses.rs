//! What clusters have of a policy that does not offer it any more, or not for long.

use super::Case;
use crate::tests::kit::{BILLING, Edit, POLICY, SHOP};
use model::tree::MemoryTree;

/// All three clusters with complete locks.
fn lock_all(tree: &mut MemoryTree) {
    for cluster in ["default.shop", "default.legacy", "payments.billing"] {
        tree.lock(cluster);
    }
}

fn image_locked(tree: &mut MemoryTree, cluster: &str, path: &str) {
    let mut lock = tree.lock(cluster);
    lock.values.images.insert("capms-ubuntu".to_owned(), "capms-ubuntu-1.34.2".parse().unwrap());
    tree.put_lock(path, &lock);
}

pub(super) const CASES: &[Case] = &[
    // A version that two clusters have.
    ("in-use", |t| {
        t.edit(BILLING, "    egress:\n      - network: internet\n", "");
        lock_all(t);
        t.edit(POLICY, "      - version: 1.34.2\n", "      - version: 1.34.3\n");
    }),
    // Machine type, firewall size and partition.
    ("in-use", |t| {
        t.edit(BILLING, "    egress:\n      - network: internet\n", "");
        t.edit(BILLING, "    networks:", "    size: c1-large-x86\n    image: firewall-ubuntu-3.0\n    networks:");
        lock_all(t);
        t.edit(POLICY, "    - { name: c1-large-x86, cpu: 16, memory: 128Gi }\n", "");
        t.edit(POLICY, "types: [n1-medium-x86, c1-large-x86]", "types: [n1-medium-x86]");
        t.edit(POLICY, "images: [firewall-ubuntu-3.0]", "images: [firewall-ubuntu-4.0]");
        let partition = "        - name: muc-b\n          defaultNetwork: internet\n          firewall:\n            types: [n1-medium-x86, c1-large-x86]\n            images: [firewall-ubuntu-3.0]\n";
        t.edit(POLICY, partition, "");
    }),
    // A partition lost a machine type that runs there.
    ("in-use", |t| {
        t.edit(BILLING, "    egress:\n      - network: internet\n", "");
        t.lock("payments.billing");
        t.edit(
            POLICY,
            "          defaultNetwork",
            "          unavailableMachineTypes: [c1-large-x86]\n          defaultNetwork",
        );
    }),
    // A machine type for a new pool is a mistake of the definition.
    ("unknown-size", |t| {
        t.lock("default.shop");
        t.append(SHOP, "    - {name: more, size: s3-large-x86}\n");
    }),
    // An image version, and one that expires.
    ("in-use", |t| {
        image_locked(t, "default.shop", crate::tests::kit::SHOP_LOCK);
        t.edit(
            POLICY,
            "        - { version: 1.34.2, kubernetes: 1.34.2, kubeVip: v0.8.10 }",
            "        - { version: 1.34.3, kubernetes: 1.34.2, kubeVip: v0.8.10 }",
        );
    }),
    ("expires-in-use", |t| {
        image_locked(t, "default.shop", crate::tests::kit::SHOP_LOCK);
        t.lock("default.legacy");
        t.edit(
            POLICY,
            "kubernetes: 1.34.2, kubeVip",
            "kubernetes: 1.34.2, expirationDate: 2026-12-20T12:00:00Z, kubeVip",
        );
        t.edit(POLICY, "        classification: deprecated", "        expirationDate: 2026-11-20T00:00:00Z");
    }),
    ("image-expired", |t| {
        t.edit(
            POLICY,
            "kubernetes: 1.34.2, kubeVip",
            "kubernetes: 1.34.2, expirationDate: 2026-11-20T00:00:00Z, kubeVip",
        );
    }),
    ("image-preview", |t| {
        t.edit(POLICY, "kubernetes: 1.34.2, kubeVip", "kubernetes: 1.34.2, classification: preview, kubeVip");
        t.edit(SHOP, "      replicas: 2", "      image: capms-ubuntu-1.34.2");
        t.edit(POLICY, "allowPreviewFor: [evaluation, development, testing]", "allowPreviewFor: [testing]");
    }),
];
