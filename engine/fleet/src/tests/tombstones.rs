//! What deleted clusters leave: read, refused, and kept from others.

use super::kit::{BILLING, Edit, FLEET, SHOP, SHOP_LOCK, example, loaded, shown};
use crate::Loaded;
use model::fleet::ApiVersion;
use model::lock::{ClusterTombstone, Deletion, DeletionPhase, TombstoneKind, Values};
use model::tree::MemoryTree;
use model::{ClusterId, CommitId, Seconds};

const PATH: &str = "tombstones/default.shop.yaml";

fn id() -> ClusterId {
    "default.shop".parse().unwrap()
}

/// The example without shop, which was deleted a moment ago.
fn buried() -> (MemoryTree, ClusterTombstone) {
    let mut tree = example();
    let lock = tree.lock("default.shop");
    for path in [SHOP, SHOP_LOCK] {
        tree.remove_file(path);
    }
    let tombstone = ClusterTombstone {
        api_version: ApiVersion::V1Alpha1,
        kind: TombstoneKind::ClusterTombstone,
        identity: lock.identity,
        values: Values { node_network: lock.values.node_network, vip: lock.values.vip, ..Values::default() },
        deletion: Deletion {
            confirmed_in: CommitId::parse(&"a".repeat(40)).unwrap(),
            phase: DeletionPhase::Freeing,
            grace_period: Some(Seconds::minutes(60)),
        },
    };
    put(&mut tree, PATH, &tombstone);
    (tree, tombstone)
}

fn put(tree: &mut MemoryTree, path: &str, tombstone: &ClusterTombstone) {
    tree.put(path, &serde_json::to_string_pretty(tombstone).unwrap());
}

/// Shop as it was, with a change.
fn back(tree: &mut MemoryTree, change: (&str, &str)) {
    let shop = String::from_utf8(example().files[SHOP].clone()).unwrap();
    assert!(shop.contains(change.0));
    tree.put(SHOP, &shop.replacen(change.0, change.1, 1));
}

fn rules(loaded: &Loaded) -> Vec<&str> {
    loaded.findings.iter().map(|f| f.rule).collect()
}

#[test]
fn a_tombstone_is_read_and_waits_for_its_cluster() {
    let (mut tree, tombstone) = buried();
    let alone = loaded(&tree);
    assert_eq!(shown(&alone.findings), "");
    let (path, read) = &alone.want.tombstones[&id()];
    assert_eq!((path.as_str(), &**read), (PATH, &tombstone));
    back(&mut tree, ("replicas: 2", "replicas: 3"));
    let again = loaded(&tree);
    assert_eq!(shown(&again.findings), "");
    assert!(again.want.tombstones.contains_key(&id()) && again.want.clusters[&id()].blocked.is_none());
}

#[test]
fn of_a_tombstone_that_cannot_be_used_nothing_is_freed_and_nothing_is_made_beside_it() {
    let good = buried().1;
    let other_fleet = ClusterTombstone {
        identity: model::lock::Identity { fleet: "other".parse().unwrap(), ..good.identity.clone() },
        ..good.clone()
    };
    let json = |tombstone: &ClusterTombstone| serde_json::to_string_pretty(tombstone).unwrap();
    for (path, text, rule) in [
        (PATH, "{[".to_owned(), "invalid-yaml"),
        (PATH, json(&good).replace("\"values\"", "\"value\""), "unknown-field"),
        (PATH, json(&good).replace("ClusterTombstone", "ClusterLock"), "unknown-value"),
        (PATH, json(&good).replace(&"a".repeat(40), "main"), "invalid-value"),
        ("tombstones/default.other.yaml", json(&good), "tombstone"),
        ("tombstones/shop.yaml", json(&good), "tombstone"),
        (PATH, json(&other_fleet), "tombstone"),
    ] {
        let (mut tree, _) = buried();
        tree.remove_file(PATH);
        tree.put(path, &text);
        let alone = loaded(&tree);
        assert!(rules(&alone).contains(&rule), "{path}: {rule}\n{}", shown(&alone.findings));
        assert!(alone.findings.iter().all(|f| f.is_error() && f.place.file == path), "{path}: {rule}");
        assert!(alone.want.tombstones.is_empty(), "{path}: {rule}");
        back(&mut tree, ("replicas: 2", "replicas: 3"));
        let again = loaded(&tree);
        assert!(again.want.clusters[&id()].blocked.is_some(), "{path}: {rule}\n{}", shown(&again.findings));
        // I6: nobody else.
        assert_eq!(again.want.clusters.values().filter(|w| w.blocked.is_none()).count(), 2, "{path}: {rule}");
    }
}

#[test]
fn r9_a_definition_that_comes_back_is_the_same_cluster() {
    let check = |change: (&str, &str), expected: &[(&str, &str)]| {
        let (mut tree, _) = buried();
        tree.edit(FLEET, "  stages:", "    - name: other\n  stages:");
        tree.edit(FLEET, "    partition: muc-a", "      - id: 00000000-0000-0000-0000-000000000002\n    project: 00000000-0000-0000-0000-000000000001\n    partition: muc-a");
        back(&mut tree, change);
        let loaded = loaded(&tree);
        let told: Vec<_> = loaded.findings.iter().map(|f| (f.rule, f.field.as_str())).collect();
        assert_eq!(told, expected, "{}", shown(&loaded.findings));
        assert_eq!(loaded.want.clusters[&id()].blocked.is_some(), !expected.is_empty());
    };
    let spec = |text: &'static str| ("spec:", text);
    check(spec("spec:"), &[]);
    check(
        spec("spec:\n  target: {managementCluster: other}"),
        &[("identity-changed", "spec.target.managementCluster")],
    );
    check(spec("spec:\n  metal: {partition: muc-b}"), &[("identity-changed", "spec.metal.partition")]);
    let other = "spec:\n  metal: {project: 00000000-0000-0000-0000-000000000002}";
    check(spec(other), &[("identity-changed", "spec.metal.project")]);
    // Its values are held, and nothing else: it has no machines.
    check(spec("spec:\n  network: {nodes: {length: 21}}"), &[("value-changed", "spec.network.nodes.length")]);
    check(spec("spec:\n  vip: {type: ephemeral}"), &[("value-changed", "spec.vip.type")]);
    check(spec("spec:\n  network: {apiServerPort: 6443, pods: [10.244.0.0/16]}"), &[]);
    check(("\"1.34\"", "1.33.6"), &[]);
}

/// I1: what a tombstone keeps is not for others.
#[test]
fn i1_nobody_else_adopts_what_a_tombstone_keeps() {
    let (mut tree, tombstone) = buried();
    let address = tombstone.values.vip.unwrap().address;
    tree.edit(BILLING, "  controlPlane:", &format!("  vip: {{mode: adopt, address: {address}}}\n  controlPlane:"));
    let alone = loaded(&tree);
    assert_eq!(rules(&alone), ["same-resource"]);
    assert!(alone.want.clusters[&"payments.billing".parse().unwrap()].blocked.is_some());
    // And still not when its own cluster is back.
    back(&mut tree, ("replicas: 2", "replicas: 3"));
    assert_eq!(rules(&loaded(&tree)), ["same-resource"]);
}

#[test]
fn a_lock_of_another_management_cluster_is_not_taken_over() {
    let mut tree = example();
    tree.lock("default.shop");
    tree.edit(FLEET, "  stages:", "    - name: other\n  stages:");
    let shop = String::from_utf8(tree.files[SHOP].clone()).unwrap();
    tree.remove_file(SHOP);
    let elsewhere = "stages/production/clusters/second/cluster.yaml";
    tree.put(elsewhere, &shop.replace("spec:", "spec:\n  target: {managementCluster: other}"));
    let loaded = loaded(&tree);
    assert_eq!(rules(&loaded), ["identity-changed"]);
    assert!(loaded.want.clusters[&id()].blocked.is_some() && loaded.want.orphan_locks.is_empty());
}

#[test]
fn what_may_be_the_definition_of_a_buried_cluster_is_known() {
    let (tree, _) = buried();
    assert_eq!(loaded(&tree).want.unresolved.of(&id()), None);
    type Case = (&'static str, &'static str, &'static str);
    let cases: &[Case] = &[
        ("a version that is not offered", "1.34", "9.9"),
        ("its stage is not there", "flavor: default", "flavor: default\n  stage: nowhere"),
        ("a field that is not known", "replicas: 2", "replica: 2"),
        ("nothing can be read", "kind: ClusterDefinition", "kind: ["),
    ];
    for (what, from, to) in cases {
        let (mut tree, _) = buried();
        back(&mut tree, (from, to));
        let want = loaded(&tree).want;
        assert!(!want.clusters.contains_key(&id()), "{what}");
        assert!(want.unresolved.of(&id()).is_some(), "{what}: {:?}", want.unresolved);
    }
    let (mut tree, _) = buried();
    back(&mut tree, ("replicas: 2", "replicas: 3"));
    assert_eq!(loaded(&tree).want.unresolved.of(&id()), None, "it is resolved");
}
