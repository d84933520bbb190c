//! What a change of output does to machines.

use super::fixtures::*;
use super::keeping::committed_by_another_binary;
use super::random::clusters;
use crate::{Effect, Impact, Memo, Settled, edit};
use model::lock::Successor;
use model::tree::MemoryTree;
use model::want::{Autoscale, Effective, Flavor, Wanted};
use model::{Allocation, ClusterLock, ImageId, MachineId, SizeId};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The impacts of one more run; empty where the output stays as it is.
fn impacts(wanted: &Wanted, lock: &ClusterLock, files: &mut MemoryTree) -> Vec<Impact> {
    let want = reloaded(want([wanted.clone()]), files);
    let tip = files.tree();
    let locks = BTreeMap::from([(wanted.id.clone(), lock.clone())]);
    let edited = edit(&want, Settled::live(&locks), &tip, &tip, &mut Memo::default(), files).unwrap();
    edited.impacts.into_values().next().unwrap_or_default()
}

fn line(impact: &Impact) -> String {
    let Impact { object, effect, before, after, replaced, surge, fields } = impact;
    let number = |n: &Option<u32>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let machines = match (before, after) {
        (None, None) => String::new(),
        _ => format!(" {}->{}", number(before), number(after)),
    };
    let replaced = if *replaced > 0 { format!(" replaces {replaced}, takes {surge}") } else { String::new() };
    let fields: String = fields.iter().map(|field| format!(" {field}")).collect();
    format!("{object} {effect:?}{machines}{replaced}{fields}")
}

/// What is not kept, after a change of settings and of the lock.
fn changed(change: impl FnOnce(&mut Effective), of_lock: impl FnOnce(&mut ClusterLock)) -> Vec<String> {
    let (before, mut files) = committed(wanted("billing", Flavor::Calico));
    let after = with(before, change);
    let mut lock = lock_of(&after);
    of_lock(&mut lock);
    let impacts = impacts(&after, &lock, &mut files);
    let kept = impacts.iter().filter(|impact| impact.effect == Effect::Keep);
    assert!(kept.into_iter().all(|impact| impact.fields.is_empty() && impact.replaced == 0));
    impacts.iter().filter(|impact| impact.effect != Effect::Keep).map(line).collect()
}

fn of_settings(change: impl FnOnce(&mut Effective)) -> Vec<String> {
    changed(change, |_| {})
}

fn size(name: &str) -> SizeId {
    SizeId::parse(name).unwrap()
}

const TEMPLATE: &str = "/spec/template/spec/infrastructureRef/name";

#[test]
fn a_first_output_creates() {
    let wanted = wanted("billing", Flavor::Calico);
    let lines: Vec<_> = impacts(&wanted, &lock_of(&wanted), &mut MemoryTree::default()).iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    Cluster/billing Create
    KubeadmControlPlane/billing-control-plane Create 0->3
    MachineDeployment/billing-batch Create 0->4
    MachineDeployment/billing-general Create 0->3
    Firewall/billing Create 0->1
    ClusterResourceSet/billing-metal-ccm-432400ed Create
    ConfigMap/billing-metal-ccm Create
    HelmChartProxy/billing-calico-cni Create
    MetalStackCluster/billing Create
    ");
}

#[test]
fn the_number_of_machines_changes_in_place() {
    let more = of_settings(|e| e.pools[0].machines.replicas.value = 5);
    assert_eq!(more, ["MachineDeployment/billing-general InPlace 3->5 /spec/replicas"]);
    let fewer = of_settings(|e| e.pools[0].machines.replicas.value = 1);
    assert_eq!(fewer, ["MachineDeployment/billing-general InPlace 3->1 /spec/replicas"]);
    let control_plane = of_settings(|e| e.control_plane.replicas.value = 5);
    assert_eq!(control_plane, ["KubeadmControlPlane/billing-control-plane InPlace 3->5 /spec/replicas"]);
}

#[test]
fn another_size_replaces_its_pool_and_says_what_the_rollout_takes() {
    let one = of_settings(|e| {
        e.pools[0].machines.size.value = size("s3-large-x86");
        e.pools[0].max_surge.value = 2;
    });
    let surge = "/spec/rollout/strategy/rollingUpdate/maxSurge";
    assert_eq!(one, [format!("MachineDeployment/billing-general Replace 3->3 replaces 3, takes 2 {surge} {TEMPLATE}")]);
    // Those that are too many are freed, and not replaced.
    let fewer = of_settings(|e| {
        e.pools[1].machines.size.value = size("s3-large-x86");
        e.pools[1].machines.replicas.value = 1;
    });
    assert_eq!(
        fewer,
        [format!("MachineDeployment/billing-batch Replace 4->1 replaces 1, takes 1 /spec/replicas {TEMPLATE}")]
    );
    let more = of_settings(|e| {
        e.pools[1].machines.size.value = size("s3-large-x86");
        e.pools[1].machines.replicas.value = 9;
    });
    assert_eq!(
        more,
        [format!("MachineDeployment/billing-batch Replace 4->9 replaces 4, takes 1 /spec/replicas {TEMPLATE}")]
    );
}

#[test]
fn a_version_replaces_control_plane_and_pools() {
    let lines = of_settings(|e| {
        e.version = model::policy::KubernetesVersion::parse("1.34.3").unwrap();
    });
    assert_eq!(
        lines,
        [
            "KubeadmControlPlane/billing-control-plane Replace 3->3 replaces 3, takes 1 /spec/version",
            "MachineDeployment/billing-batch Replace 4->4 replaces 4, takes 1 /spec/template/spec/version",
            "MachineDeployment/billing-general Replace 3->3 replaces 3, takes 1 /spec/template/spec/version",
        ]
    );
}

#[test]
fn r23_what_an_autoscaled_pool_has_is_not_known() {
    let scale = Some(Autoscale { min: 1, max: 7 });
    let (wanted, mut files) = committed(with(wanted("billing", Flavor::Calico), |e| e.pools[0].autoscale = scale));
    let wanted = with(wanted, |e| e.pools[0].machines.size.value = size("s3-large-x86"));
    let lines: Vec<_> = impacts(&wanted, &lock_of(&wanted), &mut files).iter().map(line).collect();
    let pool = format!("MachineDeployment/billing-general Replace replaces 7, takes 1 {TEMPLATE}");
    assert!(lines.contains(&pool), "{lines:?}");
}

#[test]
fn pools_come_and_go() {
    let lines = of_settings(|e| e.pools.push(pool("gpu", 2, "1.34.2")));
    assert_eq!(lines, ["MachineDeployment/billing-gpu Create 0->2"]);
    let lines = of_settings(|e| {
        e.pools.remove(1);
    });
    assert_eq!(lines, ["MachineDeployment/billing-batch Remove 4->0"]);
}

#[test]
fn a_pool_without_machines_has_nothing_to_replace() {
    let empty = |e: &mut Effective| e.pools[0].machines.replicas.value = 0;
    let (wanted, mut files) = committed(with(wanted("billing", Flavor::Calico), empty));
    let wanted = with(wanted, |e| e.pools[0].machines.size.value = size("s3-large-x86"));
    let lines: Vec<_> = impacts(&wanted, &lock_of(&wanted), &mut files).iter().map(line).collect();
    assert!(lines.contains(&format!("MachineDeployment/billing-general InPlace 0->0 {TEMPLATE}")), "{lines:?}");
}

#[test]
fn a_firewall_is_replaced_by_what_it_is_made_from_and_by_its_successor() {
    let other_size = of_settings(|e| e.firewall.size.value = size("s3-large-x86"));
    assert_eq!(other_size, ["Firewall/billing Replace 1->1 replaces 1, takes 1 /spec/size"]);
    let taken_over = changed(
        |_| {},
        |lock| {
            let firewall = lock.values.firewall.as_mut().unwrap();
            firewall.id = MachineId::parse("00000000-0000-4000-8000-0000000000f2").unwrap();
            firewall.generation = 2;
            firewall.image = ImageId::parse("firewall-ubuntu-3.0.20251201").unwrap();
        },
    );
    let places = "/spec/image /spec/managedResourceRef/name";
    assert_eq!(taken_over, [format!("Firewall/billing Replace 1->1 replaces 1, takes 1 {places}")]);
}

#[test]
fn r5_a_successor_changes_no_output_before_it_takes_over() {
    let lines = changed(
        |_| {},
        |lock| {
            let successor = Successor {
                id: MachineId::parse("00000000-0000-4000-8000-0000000000f2").unwrap(),
                allocation: Allocation::parse("7d9c2f0e-93d4-4a51-9a3e-6c7c9d0f1b77").unwrap(),
                generation: 2,
                image: ImageId::parse("firewall-ubuntu-3.0.20251201").unwrap(),
                inputs: None,
            };
            lock.values.firewall.as_mut().unwrap().successor = Some(successor);
        },
    );
    assert_eq!(lines, [""; 0]);
}

#[test]
fn addons_and_health_checks_are_told_where_they_change() {
    let lines = of_settings(|e| {
        e.cni = None;
        e.control_plane_drain.value = model::Seconds::minutes(1);
    });
    assert_eq!(
        lines,
        [
            "Cluster/billing InPlace /metadata/labels/cluster.metal-stack.io~1cni",
            "KubeadmControlPlane/billing-control-plane InPlace 3->3 \
             /spec/machineTemplate/spec/deletion/nodeDrainTimeoutSeconds",
            "HelmChartProxy/billing-calico-cni Remove",
        ]
    );
    assert_eq!(of_settings(|e| e.paused = true), ["Cluster/billing InPlace /spec/paused"]);
}

#[test]
fn r1_what_is_kept_is_kept() {
    let (wanted, mut files) = committed_by_another_binary(wanted("billing", Flavor::Calico));
    let wanted = with(wanted, |e| e.pools[0].machines.replicas.value = 9);
    let lines: Vec<_> = impacts(&wanted, &lock_of(&wanted), &mut files).iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    Cluster/billing Keep
    KubeadmControlPlane/billing-control-plane Keep 3->3
    MachineDeployment/billing-batch Keep 4->4
    MachineDeployment/billing-general InPlace 3->9 /spec/replicas
    Firewall/billing Keep 1->1
    ");
}

#[test]
fn a_share_of_the_machines_is_rounded_up() {
    let (wanted, files) = committed(wanted("billing", Flavor::Calico));
    let pools = "rendered/kclm/payments/billing/pools.yaml";
    let mut before = documents(&files.files[pools]);
    let mut after = before.clone();
    for (surge, taken) in [("34%", 2), ("1%", 1), ("0%", 0), ("many", 1)] {
        after[0]["spec"]["rollout"]["strategy"]["rollingUpdate"]["maxSurge"] = surge.into();
        after[0]["spec"]["template"]["spec"]["version"] = "v1.35.0".into();
        let found = crate::impact::impacts(&before, &after);
        assert_eq!((found[1].replaced, found[1].surge), (3, taken), "{surge}");
    }
    before.clear();
    assert_eq!(wanted.effective.pools.len(), crate::impact::impacts(&before, &after).len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn equal_bytes_and_nothing_but_kept_objects_are_one(
        (before, lock) in clusters(),
        other in prop::option::of(clusters()),
        replicas in prop::option::of(0..3_u32),
    ) {
        let (mut after, lock_after) = other.unwrap_or_else(|| (before.clone(), lock.clone()));
        if let Some(replicas) = replicas {
            after = with(after, |e| e.pools[0].machines.replicas.value = replicas);
        }
        let mut files = MemoryTree::default();
        let created = impacts(&before, &lock, &mut files);
        prop_assert!(created.iter().all(|impact| impact.effect == Effect::Create), "{:?}", created);
        let output = |files: &MemoryTree| {
            let of_output = files.files.iter().filter(|(path, _)| path.starts_with("rendered/"));
            of_output.map(|(path, bytes)| (path.clone(), bytes.clone())).collect::<Vec<_>>()
        };
        let old = output(&files);
        let found = impacts(&after, &lock_after, &mut files);
        prop_assert_eq!(old == output(&files), found.iter().all(|impact| impact.effect == Effect::Keep), "{:?}", found);
        for impact in &found {
            let Impact { object: _, effect, before, after: _, replaced, surge: _, fields } = impact;
            prop_assert_eq!(*effect == Effect::Replace, *replaced > 0, "{:?}", impact);
            prop_assert!(before.is_none_or(|before| *replaced <= before), "{:?}", impact);
            prop_assert_eq!(matches!(effect, Effect::InPlace | Effect::Replace), !fields.is_empty(), "{:?}", impact);
        }
    }
}
