//! Names by content: stable while nothing is to be replaced, other when something is.

use super::fixtures::*;
use model::SizeId;
use model::want::{Effective, Flavor, PoolSpec};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What decides over replacement: per owner the names of its templates, the version and the bootstrap configuration.
fn identities(change: impl FnOnce(&mut Effective)) -> BTreeMap<String, Value> {
    let files = rendered(&with(wanted("shop", Flavor::Default), change));
    let objects = objects(&files);
    let mut identities = BTreeMap::new();
    for object in &objects {
        let name = crate::kinds::name_of(object).to_owned();
        let spec = &object["spec"];
        let identity = match object["kind"].as_str().unwrap() {
            "KubeadmControlPlane" => {
                let infrastructure = &spec["machineTemplate"]["spec"]["infrastructureRef"];
                serde_json::json!([infrastructure, spec["version"], spec["kubeadmConfigSpec"]])
            }
            "MachineDeployment" => {
                let spec = &spec["template"]["spec"];
                serde_json::json!([spec["infrastructureRef"], spec["version"], spec["bootstrap"]])
            }
            _ => continue,
        };
        identities.insert(name, identity);
    }
    identities
}

fn pools() -> impl Strategy<Value = Vec<PoolSpec>> {
    let names = prop::collection::btree_set("[a-z][a-z0-9-]{0,6}[a-z0-9]", 1..5);
    let sizes = prop::sample::select(vec!["n1-medium-x86", "c1-large-x86", "s3-large-x86"]);
    (names, prop::collection::vec((0..50u32, sizes), 5)).prop_map(|(names, machines)| {
        let pool_of = |(name, (replicas, size)): (String, (u32, &str))| {
            let mut pool = pool(&name, replicas, "1.34.2");
            pool.machines.size.value = SizeId::parse(size).unwrap();
            pool
        };
        names.into_iter().zip(machines).map(pool_of).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn replicas_and_rollout_replace_nothing(pools in pools(), replicas in 0..50u32, surge in 0..4u32) {
        let before = identities(|e| e.pools = pools.clone());
        let after = identities(|e| {
            e.pools = pools.clone();
            e.control_plane.replicas.value += 2;
            e.labels.clear();
            for pool in &mut e.pools {
                pool.machines.replicas.value += replicas;
                pool.max_surge.value = surge;
            }
        });
        prop_assert_eq!(before, after);
    }

    #[test]
    fn size_and_image_replace_exactly_their_owner(pools in pools(), at in 0..5usize, image in any::<bool>()) {
        let at = at % pools.len();
        let changed = format!("shop-{}", pools[at].name);
        let before = identities(|e| e.pools = pools.clone());
        let after = identities(|e| {
            e.pools = pools.clone();
            let machines = &mut e.pools[at].machines;
            if image {
                machines.image.id = model::ImageId::parse("capms-ubuntu-1.34.2-b").unwrap();
            } else {
                machines.size.value = SizeId::parse("x1-other").unwrap();
            }
        });
        let differ: Vec<_> = before.iter().filter(|(name, id)| after.get(*name) != Some(id)).map(|(n, _)| n).collect();
        prop_assert_eq!(differ, [&changed]);
    }

    #[test]
    fn an_object_is_written_once(pools in pools()) {
        let mut pools = pools;
        let mut twin = pool("control-plane", 1, "1.34.2");
        twin.machines = machines(1, "c1-large-x86", "1.34.2");
        pools.push(twin);
        let files = rendered(&with(wanted("shop", Flavor::Calico), |e| e.pools = pools));
        let mut seen = BTreeSet::new();
        for object in objects(&files) {
            let key = (object["kind"].to_string(), object["metadata"]["name"].to_string());
            prop_assert!(seen.insert(key.clone()), "{key:?} twice");
        }
    }
}
