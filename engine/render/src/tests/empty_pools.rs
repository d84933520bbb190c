//! Pools without machines: only they can leave a definition, and their objects leave the management cluster then.

use super::fixtures::*;
use crate::{Edited, Memo, Settled, edit};
use model::tree::MemoryTree;
use model::want::{Autoscale, Effective, Flavor, Wanted};
use model::{ClusterLock, ids::Label};
use serde_json::Value;
use std::collections::BTreeMap;

/// A cluster with a pool of 0 machines.
fn emptied(wanted: Wanted) -> Wanted {
    with(wanted, |e| e.pools[1].machines.replicas.value = 0)
}

fn run(wanted: &Wanted, files: &mut MemoryTree, memo: &mut Memo) -> Edited {
    let want = reloaded(want([wanted.clone()]), files);
    let wanted = &want.clusters[&wanted.id];
    // As it is settled: what the lock had is there unchanged.
    let mut lock = lock_of(wanted);
    if let Some(before) = &wanted.lock {
        lock.values = before.values.clone();
    }
    let tip = files.tree();
    edit(&want, Settled::live(&BTreeMap::from([(wanted.id.clone(), lock)])), &tip, &tip, memo, files).unwrap()
}

fn listed(files: &MemoryTree) -> Vec<Label> {
    let lock: ClusterLock =
        serde_yaml::from_slice(&files.files["stages/production/clusters/billing/cluster.lock.yaml"]).unwrap();
    lock.values.empty_pools
}

fn guarded(files: &MemoryTree) -> Vec<String> {
    let is_output = |path: &&String| path.starts_with("rendered/kclm/payments/billing/");
    let paths = files.files.keys().filter(is_output);
    let objects = paths.flat_map(|path| documents(&files.files[path]));
    let is_guarded = |object: &Value| object["metadata"].to_string().contains("Prune=false");
    let title = |object: Value| format!("{}/{}", object["kind"].as_str().unwrap(), crate::kinds::name_of(&object));
    objects.filter(is_guarded).map(title).collect()
}

#[test]
fn its_objects_have_no_guard_and_the_lock_lists_it_with_the_output() {
    let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    assert!(listed(&files).is_empty() && guarded(&files).iter().any(|name| name.contains("batch")));
    let all = guarded(&files).len();
    let (empty, mut memo) = (emptied(wanted.clone()), Memo::default());
    let edited = run(&empty, &mut files, &mut memo);
    assert_eq!(edited.files, 3, "lock, pools and templates");
    assert_eq!(listed(&files), [label("batch")]);
    // The deployment and its two templates.
    assert_eq!(guarded(&files).len(), all - 3);
    assert!(!guarded(&files).iter().any(|name| name.contains("batch")), "{:?}", guarded(&files));
    for memo in [&mut memo, &mut Memo::default()] {
        assert_eq!(run(&empty, &mut files, memo), Edited::default(), "I4");
    }

    // It leaves, and nothing lists it any more.
    let without = with(empty, |e| {
        e.pools.pop();
    });
    let mut gone = files.clone();
    let _ = run(&without, &mut gone, &mut memo);
    assert!(listed(&gone).is_empty());
    assert!(!gone.files.values().any(|bytes| String::from_utf8_lossy(bytes).contains("billing-batch")));
    // Or it gets machines again, and its guards.
    let _ = run(&wanted, &mut files, &mut memo);
    assert!(listed(&files).is_empty());
    assert_eq!(guarded(&files).len(), all);
}

#[test]
fn while_the_output_is_not_written_the_lock_goes_on_saying_what_was() {
    let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    let want = reloaded(want([emptied(wanted.clone())]), &files);
    let mut lock = lock_of(&wanted);
    lock.values.vip = None;
    let tip = files.tree();
    let locks = BTreeMap::from([(wanted.id, lock)]);
    let _ = edit(&want, Settled::live(&locks), &tip, &tip, &mut Memo::default(), &mut files).unwrap();
    assert!(listed(&files).is_empty());
}

#[test]
fn a_pool_that_may_get_machines_by_itself_is_not_empty() {
    let scaled = |e: &mut Effective| e.pools[1].autoscale = Some(Autoscale { min: 0, max: 3 });
    let (_, files) = committed(with(emptied(wanted("billing", Flavor::Calico)), scaled));
    assert!(listed(&files).is_empty());
    assert!(guarded(&files).iter().any(|name| name.contains("MachineDeployment/billing-batch")));
}

#[test]
fn a_template_that_the_control_plane_has_too_stays_guarded() {
    let shared = |e: &mut Effective| {
        e.pools[1].name = label("control-plane");
        e.pools[1].machines.size = e.control_plane.size.clone();
    };
    let (_, files) = committed(with(emptied(wanted("billing", Flavor::Calico)), shared));
    let templates = guarded(&files).into_iter().filter(|name| name.starts_with("MetalStackMachineTemplate/"));
    assert_eq!(templates.filter(|name| name.contains("-control-plane-")).count(), 1);
}
