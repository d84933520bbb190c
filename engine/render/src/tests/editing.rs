//! What an edit writes, and all that it leaves alone.

use super::fixtures::*;
use crate::Settled;
use crate::{Edited, Memo, edit};
use model::tree::MemoryTree;
use model::want::{Blocked, Flavor};
use model::{BlobId, ClusterId, ClusterLock, ReadBlob, ReadError, Reason, Sink, SinkError, Tree, Want};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Takes files over a tree and counts.
struct Counting<'a> {
    files: &'a mut MemoryTree,
    calls: usize,
}

impl Sink for Counting<'_> {
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), SinkError> {
        self.calls += 1;
        self.files.put(path, bytes)
    }

    fn remove(&mut self, path: &str) -> Result<(), SinkError> {
        self.calls += 1;
        self.files.remove(path)
    }
}

/// One run over a repository whose tip is the last engine commit.
fn run(want: &Want, locks: &BTreeMap<ClusterId, ClusterLock>, files: &mut MemoryTree, memo: &mut Memo) -> Edited {
    let tip = files.tree();
    let mut sink = Counting { files, calls: 0 };
    let edited = edit(want, Settled::live(locks), &tip, &tip, memo, &mut sink).unwrap();
    assert_eq!(sink.calls, edited.files, "every call changes a file");
    edited
}

fn three() -> Want {
    want([wanted("billing", Flavor::Calico), wanted("shop", Flavor::Default), wanted("legacy", Flavor::PreV133)])
}

fn ids(names: &[&str]) -> Vec<ClusterId> {
    names.iter().map(|name| format!("payments.{name}").parse().unwrap()).collect()
}

#[test]
fn i4_the_second_edit_writes_nothing_with_or_without_a_memo() {
    let (mut files, mut memo, want) = (MemoryTree::default(), Memo::default(), three());
    let locks = locks(&want);
    let first = run(&want, &locks, &mut files, &mut memo);
    assert_eq!(first.changed, ids(&["billing", "legacy", "shop"]));
    // Three locks, six files of billing and five of each other cluster, one namespace.
    assert_eq!((first.files, files.files.len()), (20, 20));

    let want = reloaded(want, &files);
    assert_eq!(run(&want, &locks, &mut files, &mut memo), Edited::default());
    assert_eq!(run(&want, &locks, &mut files, &mut Memo::default()), Edited::default());
}

#[test]
fn one_changed_cluster_is_written_alone_and_others_are_not_read_again() {
    let (mut files, mut memo, want) = (MemoryTree::default(), Memo::default(), three());
    let _ = run(&want, &locks(&want), &mut files, &mut memo);
    let mut want = reloaded(want, &files);
    let _ = run(&want, &locks(&want), &mut files, &mut memo);
    let shop = want.clusters.get_mut(&ids(&["shop"])[0]).unwrap();
    Arc::make_mut(&mut shop.effective).pools[0].machines.replicas.value = 7;

    /// Refuses every read: nothing that is unchanged needs one.
    struct Closed;
    impl ReadBlob for Closed {
        fn read(&self, id: &BlobId, _: usize) -> Result<Vec<u8>, ReadError> {
            Err(ReadError::Unreadable { id: *id, why: "not to be read".to_owned() })
        }
    }
    let tip = files.tree();
    let closed = Tree::new(tip.entries().to_vec(), Arc::new(Closed));
    let others: Vec<_> = want.clusters.values().filter(|w| w.id != ids(&["shop"])[0]).cloned().collect();
    let unchanged = super::fixtures::want(others);
    assert_eq!(
        edit(&unchanged, Settled::live(&locks(&unchanged)), &closed, &closed, &mut memo, &mut files).unwrap(),
        Edited::default()
    );

    let edited = run(&want, &locks(&want), &mut files, &mut memo);
    assert_eq!((edited.changed, edited.files), (ids(&["shop"]), 1));
    let pools = &files.files["rendered/kclm/payments/shop/pools.yaml"];
    assert!(std::str::from_utf8(pools).unwrap().contains("replicas: 7"));
}

#[test]
fn r7_a_partial_lock_is_written_and_output_is_not() {
    let want = want([wanted("billing", Flavor::Calico)]);
    let mut locks = locks(&want);
    locks.values_mut().for_each(|lock| lock.values.firewall = None);
    let (mut files, mut memo) = (MemoryTree::default(), Memo::default());
    let edited = run(&want, &locks, &mut files, &mut memo);
    assert_eq!((edited.changed, edited.files), (ids(&["billing"]), 1));
    assert_eq!(files.files.keys().collect::<Vec<_>>(), ["stages/production/clusters/billing/cluster.lock.yaml"]);
    let again = reloaded(want, &files);
    assert_eq!(run(&again, &locks, &mut files, &mut memo), Edited::default());
}

#[test]
fn r1_while_a_slot_is_unknown_the_digests_stay_with_the_output() {
    let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    let recorded = wanted.lock.as_ref().unwrap().rendered.clone();
    assert_eq!(recorded.len(), 5);
    let changed =
        with(wanted, |e| e.pools[0].machines.image.id = model::ImageId::parse("capms-ubuntu-1.34.3").unwrap());
    let want = want([changed]);
    let mut locks = locks(&want);
    locks.values_mut().for_each(|lock| lock.values.vip = None);
    let edited = run(&want, &locks, &mut files, &mut Memo::default());
    assert_eq!(edited.files, 1, "the lock alone");
    let again = reloaded(want, &files);
    assert_eq!(again.clusters.values().next().unwrap().lock.as_ref().unwrap().rendered, recorded);
}

#[test]
fn a_blocked_cluster_is_not_touched_and_one_without_a_lock_neither() {
    for reason in [Reason::InvalidDefinition, Reason::Claimed, Reason::HeldAfterRevert, Reason::Paused] {
        let (mut wanted, mut files) = committed(wanted("billing", Flavor::Calico));
        wanted.blocked = Some(Blocked { reason, message: String::new() });
        let want = want([with(wanted, |e| e.pools[0].machines.replicas.value = 9)]);
        assert_eq!(run(&want, &locks(&want), &mut files, &mut Memo::default()), Edited::default());
    }
    let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    let want = want([with(wanted, |e| e.pools[0].machines.replicas.value = 9)]);
    assert_eq!(run(&want, &BTreeMap::new(), &mut files, &mut Memo::default()), Edited::default());
}

#[test]
fn r4_a_blocked_clusters_lock_gets_another_firewall_and_nothing_else() {
    let (mut wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    wanted.blocked = Some(Blocked { reason: Reason::ReplacementNotAllowed, message: String::new() });
    let mut lock = (**wanted.lock.as_ref().unwrap()).clone();
    lock.values.firewall.as_mut().unwrap().generation = 2;
    let want = want([with(wanted, |e| e.pools[0].machines.replicas.value = 9)]);
    let locks = BTreeMap::from([(want.clusters.keys().next().unwrap().clone(), lock.clone())]);
    let before = files.files.clone();
    let edited = run(&want, &locks, &mut files, &mut Memo::default());
    assert_eq!((edited.changed, edited.files), (ids(&["billing"]), 1));
    let differs: Vec<_> = files.files.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).collect();
    assert_eq!(
        differs.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
        ["stages/production/clusters/billing/cluster.lock.yaml"]
    );
    assert_eq!(**reloaded(want, &files).clusters.values().next().unwrap().lock.as_ref().unwrap(), lock);
}

#[test]
fn r8_a_paused_cluster_gets_its_output_paused_and_keeps_its_lock() {
    let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    let mut wanted = with(wanted, |e| e.paused = true);
    wanted.blocked = Some(Blocked { reason: Reason::Paused, message: String::new() });
    let want = want([wanted]);
    let edited = run(&want, &BTreeMap::new(), &mut files, &mut Memo::default());
    assert_eq!((edited.changed, edited.files), (ids(&["billing"]), 1));
    let cluster = &files.files["rendered/kclm/payments/billing/infrastructure.yaml"];
    assert!(std::str::from_utf8(cluster).unwrap().contains("paused: true"));
}

#[test]
fn a_paused_fleet_writes_nothing() {
    let mut want = three();
    Arc::make_mut(want.fleet.as_mut().unwrap()).spec.paused = true;
    let mut files = MemoryTree::default();
    assert_eq!(run(&want, &locks(&want), &mut files, &mut Memo::default()), Edited::default());
    assert_eq!(files, MemoryTree::default());
}

#[test]
fn the_lock_follows_a_moved_definition() {
    let (mut wanted, mut files) = committed(wanted("shop", Flavor::Default));
    let old = std::mem::replace(&mut wanted.lock_path, "teams/a/shop/cluster.lock.yaml".to_owned());
    wanted.path = "teams/a/shop/cluster.yaml".to_owned();
    wanted.lock_found_at = Some(old.clone());
    let (want, mut memo) = (want([wanted]), Memo::default());
    let edited = run(&want, &locks(&want), &mut files, &mut memo);
    assert_eq!(edited.changed, ids(&["shop"]));
    assert!(!files.files.contains_key(&old) && files.files.contains_key("teams/a/shop/cluster.lock.yaml"));
    let again = reloaded(want, &files);
    assert_eq!(run(&again, &locks(&again), &mut files, &mut memo), Edited::default());
}

#[test]
fn i3_only_own_paths_change() {
    let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    let foreign = [
        "rendered/kclm/payments/billing2/pools.yaml",
        "rendered/kclm/payments/README.md",
        "rendered/kclm/namespaces/other.yaml",
        "stages/production/clusters/billing/cluster.yaml",
        "stages/production/clusters/billing/notes/cluster.lock.yaml",
    ];
    for path in foreign {
        files.files.insert(path.to_owned(), b"people".to_vec());
    }
    // Within the own folder: what is not rendered goes, what was changed comes back.
    files.files.insert("rendered/kclm/payments/billing/deep/stray.yaml".to_owned(), b"x".to_vec());
    files.files.insert("rendered/kclm/payments/billing/kustomization.yaml".to_owned(), b"x".to_vec());
    let want = want([with(wanted, |e| (e.cni, e.ccm) = (None, None))]);
    let edited = run(&want, &locks(&want), &mut files, &mut Memo::default());
    // Addons and stray file removed; infrastructure (labels) and kustomization put.
    assert_eq!((edited.changed, edited.files), (ids(&["billing"]), 4));
    for path in foreign {
        assert_eq!(files.files[path], b"people", "{path}");
    }
    assert!(!files.files.keys().any(|path| path.ends_with("addons.yaml") || path.ends_with("stray.yaml")));
}

#[test]
fn a_lost_file_comes_back_although_the_memo_knows_the_cluster() {
    let (mut files, mut memo, want) = (MemoryTree::default(), Memo::default(), three());
    let _ = run(&want, &locks(&want), &mut files, &mut memo);
    let (want, before) = (reloaded(want, &files), files.clone());
    for path in ["rendered/kclm/payments/shop/pools.yaml", "rendered/kclm/namespaces/payments.yaml"] {
        files.files.remove(path);
        let edited = run(&want, &locks(&want), &mut files, &mut memo);
        assert_eq!((edited.files, edited.changed.len()), (1, 1), "{path}");
        assert_eq!(files, before);
    }
}

#[test]
fn a_persons_edit_that_only_the_tip_has_is_written_over() {
    let (wanted, files) = committed(wanted("shop", Flavor::Default));
    let want = want([with(wanted, |e| e.pools[0].machines.replicas.value = 7)]);
    let mut tip = files.clone();
    let mut edited = files.clone();
    let path = "rendered/kclm/payments/shop/pools.yaml";
    let theirs = String::from_utf8(files.files[path].clone()).unwrap().replace("replicas: 2", "replicas: 7");
    // What they wrote is what is rendered now; the caller puts the old bytes back first, and the edit corrects that.
    tip.files.insert(path.to_owned(), theirs.clone().into_bytes());
    let result =
        edit(&want, Settled::live(&locks(&want)), &files.tree(), &tip.tree(), &mut Memo::default(), &mut edited)
            .unwrap();
    assert_eq!(edited.files[path], theirs.into_bytes());
    assert_eq!((result.files, result.changed.len()), (0, 0));
}

#[test]
fn i6_a_file_where_a_folder_must_be_stops_its_cluster_only() {
    let mut want = three();
    let shop = want.clusters.get_mut(&ids(&["shop"])[0]).unwrap();
    shop.identity.management_cluster = label("other");
    let mut files = MemoryTree::default();
    files.files.insert("rendered/other".to_owned(), b"a file".to_vec());
    let edited = run(&want, &locks(&want), &mut files, &mut Memo::default());
    assert_eq!(edited.changed, ids(&["billing", "legacy"]));
    assert_eq!(edited.obstructed, BTreeMap::from([(ids(&["shop"])[0].clone(), "rendered/other".to_owned())]));
    assert!(!files.files.keys().any(|path| path.contains("clusters/shop")));
}

#[test]
fn outdated_clusters_are_named_in_every_run() {
    let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    let path = "rendered/kclm/payments/billing/control-plane.yaml";
    let other = String::from_utf8(files.files[path].clone()).unwrap().replace("value: lo\n", "value: lo0\n");
    files.files.insert(path.to_owned(), other.into_bytes());
    let (want, mut memo) = (want([wanted]), Memo::default());
    for _ in 0..3 {
        let edited = run(&want, &locks(&want), &mut files, &mut memo);
        assert_eq!((edited.files, edited.changed.len()), (0, 0), "I4: a new binary alone commits nothing");
        assert_eq!(edited.outdated[&ids(&["billing"])[0]], ["KubeadmControlPlane/billing-control-plane"]);
    }
}

#[test]
fn a_lock_reads_back_as_it_was() {
    for flavor in [Flavor::Calico, Flavor::Default, Flavor::PreV133] {
        let wanted = with(wanted("billing", flavor), |e| e.firewall.egress = vec![network("internet")]);
        let mut lock = lock_of(&wanted);
        lock.conditions[0].message = "metal-api said: \"no\",\n\tand: more # \u{7f}".to_owned();
        lock.rendered = model::want::input_digests(wanted.id.name(), &wanted.effective, &lock.values);
        let bytes = crate::lock(&lock);
        assert_eq!(serde_yaml::from_slice::<ClusterLock>(&bytes).unwrap(), lock);
        assert_eq!(serde_saphyr::from_slice::<ClusterLock>(&bytes).unwrap(), lock);
    }
}

#[test]
fn r17_an_egress_address_is_a_slot() {
    let wanted = with(wanted("billing", Flavor::Calico), |e| e.firewall.egress = vec![network("internet")]);
    let mut lock = lock_of(&wanted);
    assert!(crate::complete(&wanted, &lock));
    lock.values.egress_ips.clear();
    assert!(!crate::complete(&wanted, &lock));
}
