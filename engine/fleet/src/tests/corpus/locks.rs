//! Definitions against their locks.

use super::Case;
use crate::tests::kit::{BILLING, BILLING_LOCK, Edit, FLEET, POLICY, SHOP, SHOP_LOCK};
use model::CommitId;
use model::lock::{ClusterTombstone, Deletion, DeletionPhase, Identity, TombstoneKind, Values};

const LEGACY: &str = "stages/development/clusters/legacy/cluster.yaml";

pub(super) const CASES: &[Case] = &[
    ("same-lock", |t| {
        let lock = t.lock("default.shop");
        t.put_lock("stages/development/clusters/copy/cluster.lock.yaml", &lock);
    }),
    ("same-lock", |t| {
        let lock = t.lock("default.shop");
        t.remove_file(SHOP_LOCK);
        t.put_lock("a/cluster.lock.yaml", &lock);
        t.put_lock("b/cluster.lock.yaml", &lock);
    }),
    ("unknown-field", |t| {
        t.lock("default.shop");
        t.edit(SHOP_LOCK, "\"values\"", "\"value\"");
    }),
    ("identity-changed", |t| {
        t.lock("default.shop");
        t.edit(FLEET, "        name: platform", "      - id: 00000000-0000-0000-0000-000000000002");
        t.edit(FLEET, "  stages:", "    - name: other\n  stages:");
        t.edit(FLEET, "  name: example", "  name: renamed");
        let project = "  metal: {project: 00000000-0000-0000-0000-000000000002, partition: muc-b}";
        t.edit(
            SHOP,
            "  flavor: default",
            &format!("{project}\n  target: {{managementCluster: other}}\n  flavor: default"),
        );
        t.edit(
            BILLING,
            "  flavor: calico",
            "  flavor: calico\n  metal: {project: 00000000-0000-0000-0000-000000000001}",
        );
        t.remove_file("stages/development/clusters/legacy/cluster.yaml");
    }),
    // Another name where the lock lies.
    ("identity-changed", |t| {
        t.lock("default.shop");
        t.edit(SHOP, "name: shop", "name: market");
    }),
    ("value-changed", |t| {
        t.lock("default.shop");
        t.edit(SHOP, "version: \"1.34\"", "version: 1.33.6");
        let network = "  network: {apiServerPort: 6443, nodes: {mode: adopt, id: abc}}\n";
        let vip = "  vip: {network: mpls-muc-a, type: ephemeral, address: 198.18.0.99}\n";
        let firewall = "  firewall: {networks: [mpls-muc-a], egress: [{network: mpls-muc-a}]}\n";
        t.edit(SHOP, "  pools:", &format!("{network}{vip}{firewall}  pools:"));
    }),
    // The length of an allocated network; a network that the provider allocated.
    ("value-changed", |t| {
        t.lock("default.shop");
        t.edit(SHOP, "  pools:", "  network: {nodes: {length: 20}}\n  pools:");
        t.edit(BILLING, "      length: 22", "      mode: delegate");
        t.edit(BILLING, "  controlPlane:", "    mode: deployment\n  addons: {ccm: {enabled: false}}\n  controlPlane:");
        t.edit(BILLING, "    egress:\n      - network: internet\n", "");
        let mut lock = t.lock("payments.billing");
        lock.values.node_network = None;
        lock.values.firewall = None;
        t.put_lock(BILLING_LOCK, &lock);
        t.edit(BILLING, "      mode: delegate", "      length: 22");
    }),
    ("version-step", |t| {
        t.lock("default.legacy");
        t.edit(LEGACY, "  flavor: pre-v1.33", "  flavor: calico");
        t.edit(LEGACY, "version: 1.32.9", "version: \"1.34\"");
    }),
    ("value-changed", |t| {
        t.lock("default.shop");
        t.edit(SHOP, "  pools:", "  network: {pods: [10.244.0.0/16]}\n  pools:");
    }),
    ("machines-changed", |t| {
        t.edit(SHOP, "  pools:", "  rollout: {allowReplacement: never}\n  pools:");
        t.lock("default.shop");
        t.edit(SHOP, "      replicas: 2", "      size: c1-large-x86");
        t.edit(POLICY, "types: [n1-medium-x86, c1-large-x86]", "types: [c1-large-x86, n1-medium-x86]");
        t.edit(POLICY, "kubernetes: 1.34.2, kubeVip: v0.8.10", "kubernetes: 1.34.2, kubeVip: v0.9.0");
    }),
    ("pool-removed", |t| {
        t.append(SHOP, "    - name: second\n");
        t.lock("default.shop");
        t.edit(SHOP, "    - name: general\n      replicas: 2\n", "");
    }),
    ("definition-removed", |t| {
        t.lock("payments.billing");
        assert!(t.files.contains_key(BILLING_LOCK));
        t.remove_file(BILLING);
    }),
    ("being-deleted", |t| {
        let mut lock = t.lock("payments.billing");
        lock.deletion = Some(deletion(DeletionPhase::Removing));
        t.put_lock(BILLING_LOCK, &lock);
        t.remove_file(BILLING);
    }),
    ("deletion-confirm", |t| {
        t.edit(SHOP, "  pools:", "  deletion: {confirm: billing}\n  pools:");
        t.edit(BILLING, "  controlPlane:", "  deletion: {confirm: billing, protect: true}\n  controlPlane:");
    }),
    ("tombstone", |t| {
        let lock = t.lock("payments.billing");
        let identity = Identity { fleet: "other".parse().unwrap(), ..lock.identity };
        let tombstone = ClusterTombstone {
            api_version: lock.api_version,
            kind: TombstoneKind::ClusterTombstone,
            identity,
            values: Values::default(),
            deletion: deletion(DeletionPhase::Freeing),
        };
        let text = serde_json::to_string_pretty(&tombstone).unwrap();
        t.put("tombstones/payments.billing.yaml", &text);
        t.put("tombstones/billing.yaml", &text);
    }),
];

fn deletion(phase: DeletionPhase) -> Deletion {
    Deletion { confirmed_in: CommitId::parse(&"a".repeat(40)).unwrap(), phase, grace_period: None }
}
