//! Tables: one want, one have, what is planned for it.

mod brakes;
mod capacity;
mod deletion;
mod firewall;
mod generations;
mod healing;
mod losses;
mod samples;
mod watch;
mod world;

use crate::{Plan, Setting, Step, plan, settle};
use model::metal::{Gap, GapReason, MachineNetwork, MachineNetworkKind};
use model::request::{Done, FreeReason, Outcome, Resource, Target};
use model::{ClusterId, ConditionStatus, Have, Origin, Reason, Slot, Want, tags};
use proptest::prelude::*;
use samples::*;
use std::collections::BTreeSet;

fn planned(want: &Want, have: &Have) -> Plan {
    planned_knowing(want, have, &BTreeSet::new())
}

fn planned_knowing(want: &Want, have: &Have, known: &BTreeSet<ClusterId>) -> Plan {
    let attempt = attempt();
    let unknown = crate::Unknown::default();
    let setting = unknown.setting(&attempt, time(10_000));
    plan(want, have, &Setting { known_to_history: known, landed: known, ..setting })
}

fn actions(plan: &Plan, id: &str) -> Vec<String> {
    let cluster = &plan.clusters[&id.parse::<ClusterId>().unwrap()];
    let action = |step: &Step| match step {
        Step::Keep { slot } => format!("keep {slot}"),
        Step::Delegate { slot } => format!("delegate {slot}"),
        Step::Use { slot, resource, origin } => format!("use {slot} {} {origin:?}", resource.id()),
        Step::Allocate { slot, .. } => format!("allocate {slot}"),
        Step::Refuse { slot, reason, .. } => format!("refuse {slot} {reason}"),
    };
    cluster.steps.iter().map(action).collect()
}

#[test]
fn a_new_cluster_allocates_each_slot_once_in_order() {
    let plan = planned(&want(&["default.shop"]), &have());
    assert_eq!(actions(&plan, "default.shop"), ["allocate network", "allocate vip", "allocate firewall.1"]);
    assert!(plan.writes_metal());
}

#[test]
fn i1_what_carries_our_mark_is_used_and_not_allocated_again() {
    let mut have = have();
    project(&mut have).networks.push(network("n1", "default.shop", 100));
    project(&mut have).ips.push(vip("198.18.0.1", "default.shop", 100));
    project(&mut have).firewalls.push(firewall(1, "default.shop", 1, 100));
    let plan = planned(&want(&["default.shop"]), &have);
    let used = ["use network n1 Allocated", "use vip 198.18.0.1 Allocated"];
    assert_eq!(actions(&plan, "default.shop")[..2], used);
    assert!(!plan.writes_metal());
}

#[test]
fn i1_of_several_the_first_created_is_proposed_and_equal_times_go_by_id() {
    for (first, second, expected) in [(200, 100, "n2"), (100, 200, "n1"), (100, 100, "n1")] {
        let mut have = have();
        project(&mut have).networks.push(network("n1", "default.shop", first));
        project(&mut have).networks.push(network("n2", "default.shop", second));
        let plan = planned(&want(&["default.shop"]), &have);
        assert_eq!(actions(&plan, "default.shop")[0], format!("use network {expected} Allocated"));
        assert_eq!(plan.frees, [], "age never decides a free: no lock names one of them yet");
    }
}

#[test]
fn i1_of_two_networks_the_one_with_the_firewall_is_the_clusters() {
    for in_network in ["n1", "n2"] {
        let mut have = have();
        let had = project(&mut have);
        had.networks.extend([network("n1", "default.shop", 100), network("n2", "default.shop", 200)]);
        let mut machine = firewall(1, "default.shop", 1, 300);
        machine.networks = vec![MachineNetwork {
            network: in_network.parse().unwrap(),
            kind: MachineNetworkKind::PrivatePrimaryUnshared,
            ips: vec![],
        }];
        had.firewalls.push(machine);
        let plan = planned(&want(&["default.shop"]), &have);
        assert_eq!(actions(&plan, "default.shop")[0], format!("use network {in_network} Allocated"));
    }
}

#[test]
fn r6_a_hit_without_our_mark_is_claimed_and_stops_the_other_slots() {
    let mut have = have();
    let mut by_hand = vip("198.18.0.7", "default.shop", 100);
    by_hand.tags =
        model::Tags::new().with(tags::CLUSTER_ID, "default.shop").with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
    project(&mut have).ips.push(by_hand);
    let plan = planned(&want(&["default.shop"]), &have);
    let expected = ["refuse network Claimed", "refuse vip Claimed", "refuse firewall.1 Claimed"];
    assert_eq!(actions(&plan, "default.shop"), expected);
    assert!(!plan.writes_metal());
}

#[test]
fn i5_a_committed_value_is_kept_whatever_else_is_there() {
    let mut want = want(&["default.shop"]);
    lock(&mut want, "default.shop", values("gone", "198.18.0.9", 9));
    let mut have = have();
    stock(&mut have, "default.shop", &values("n1", "198.18.0.9", 9));
    project(&mut have).networks[0] = network("other", "default.shop", 9_000);
    let plan = planned(&want, &have);
    assert_eq!(actions(&plan, "default.shop"), ["keep network", "keep vip", "keep firewall.1"]);
    assert_eq!(plan.frees, [], "it may be all that is left");
    assert_eq!(plan.duplicates[0].why_kept, "the one that the lock names is missing");
}

#[test]
fn a_duplicate_goes_only_when_a_lock_names_another_and_it_is_young_and_empty() {
    let mut want = want(&["default.shop"]);
    lock(&mut want, "default.shop", values("n1", "198.18.0.1", 1));
    let base = |have: &mut Have| {
        project(have).networks.push(network("n1", "default.shop", 100));
        project(have).networks.push(network("n2", "default.shop", 9_000));
    };
    let freed = |have: &Have| planned(&want, have).frees.into_iter().map(|f| f.target).collect::<Vec<_>>();

    let mut young = have();
    base(&mut young);
    assert_eq!(freed(&young), [Target::Network(id("n2"))]);

    let mut old = young.clone();
    project(&mut old).networks[1].created = Some(time(10_000 - 3_600));
    assert_eq!(freed(&old), []);
    assert_eq!(planned(&want, &old).duplicates.len(), 1);

    let mut lived_in = young.clone();
    project(&mut lived_in).machines.push(machine_in("n2"));
    assert_eq!(freed(&lived_in), []);

    let mut of_another_fleet = young;
    let labels = &mut project(&mut of_another_fleet).networks[1].labels;
    *labels = labels.clone().with(tags::FLEET, "other");
    assert_eq!(freed(&of_another_fleet), []);
    assert_eq!(planned(&want, &of_another_fleet).duplicates, []);
}

#[test]
fn a_duplicate_is_as_old_as_metal_apis_own_clock_says() {
    let mut want = want(&["default.shop"]);
    lock(&mut want, "default.shop", values("n1", "198.18.0.1", 1));
    let mut have = have();
    stock(&mut have, "default.shop", &values("n1", "198.18.0.1", 1));
    project(&mut have).networks.push(network("n2", "default.shop", 9_000));
    have.server_time = Some(time(9_000 + 3_600));
    assert_eq!(planned(&want, &have).frees, []);
    have.server_time = Some(time(9_000 + 3_599));
    assert_eq!(planned(&want, &have).frees.len(), 1);
}

#[test]
fn duplicates_go_firewall_first_and_network_last() {
    let mut want = want(&["default.shop"]);
    lock(&mut want, "default.shop", values("n1", "198.18.0.1", 1));
    let mut have = have();
    stock(&mut have, "default.shop", &values("n1", "198.18.0.1", 1));
    project(&mut have).networks.push(network("n2", "default.shop", 9_000));
    project(&mut have).ips.push(vip("198.18.0.2", "default.shop", 9_000));
    project(&mut have).firewalls.push(firewall(2, "default.shop", 1, 9_000));
    let slots: Vec<_> = planned(&want, &have).frees.iter().map(|f| f.slot.to_string()).collect();
    assert_eq!(slots, ["firewall.1", "vip", "network"]);
}

#[test]
fn r15_marked_resources_that_nobody_knows_make_the_project_suspect() {
    let mut have = have();
    project(&mut have).networks.push(network("n1", "default.unheard-of", 100));
    let plan = planned(&want(&["default.shop"]), &have);
    assert!(plan.suspect.values().next().unwrap().contains("default.unheard-of"));
    assert_eq!(plan.clusters.values().next().unwrap().blocked.as_ref().unwrap().reason, Reason::Suspect);
    assert!(!plan.writes_metal());

    let known = BTreeSet::from(["default.unheard-of".parse().unwrap()]);
    let plan = planned_knowing(&want(&["default.shop"]), &have, &known);
    assert_eq!((plan.suspect.len(), plan.orphans.len()), (0, 1));
    assert!(plan.writes_metal());
}

#[test]
fn what_this_process_allocated_for_a_cluster_that_is_gone_is_freed() {
    let mut have = have();
    let mut own = network("n1", "default.gone", 9_990);
    own.labels = own.labels.with(tags::ATTEMPT, attempt());
    project(&mut have).networks.push(own);
    let plan = planned(&want(&["default.shop"]), &have);
    assert_eq!(plan.frees.len(), 1);
    assert_eq!(plan.suspect.len(), 0);

    let landed = BTreeSet::from(["default.gone".parse().unwrap()]);
    let plan = planned_knowing(&want(&["default.shop"]), &have, &landed);
    assert_eq!(
        (plan.frees.len(), plan.orphans.len()),
        (0, 1),
        "a landed lock named it: the tree may have been rewritten"
    );
}

#[test]
fn i6_a_gap_stops_only_clusters_that_miss_something() {
    let mut want = want(&["default.done", "default.new"]);
    lock(&mut want, "default.done", values("n1", "198.18.0.1", 1));
    let mut have = have();
    have.projects.clear();
    have.gaps.push(Gap { project: Some(project_id()), kind: "networks", why: GapReason::Denied, message: "no".into() });
    let plan = planned(&want, &have);
    assert!(plan.incomplete);
    assert_eq!(actions(&plan, "default.done"), ["keep network", "keep vip", "keep firewall.1"]);
    let blocked = plan.clusters[&"default.new".parse().unwrap()].blocked.as_ref().unwrap();
    assert_eq!(blocked.reason, Reason::Unauthorized);
}

#[test]
fn r16_a_limit_of_the_project_stops_before_anything_is_allocated() {
    let mut want = want(&["default.a", "default.b"]);
    let mut fleet = (*want.fleet.take().unwrap()).clone();
    fleet.spec.metal.projects[0].limits.firewalls = Some(1);
    want.fleet = Some(fleet.into());
    let plan = planned(&want, &have());
    assert_eq!(actions(&plan, "default.a")[2], "allocate firewall.1");
    let refused = ["refuse network LimitReached", "refuse vip LimitReached", "refuse firewall.1 LimitReached"];
    assert_eq!(actions(&plan, "default.b"), refused);
}

#[test]
fn r24_the_short_form_of_a_firewall_image_is_sent_as_its_full_id() {
    let plan = planned(&want(&["default.shop"]), &have());
    let image = plan.allocations().find_map(|(_, _, request)| match request {
        model::request::Request::Firewall(r) => Some(r.image.to_string()),
        _ => None,
    });
    assert_eq!(image.as_deref(), Some("firewall-ubuntu-3.0.20251101"));
    let mut gone = have();
    gone.images.clear();
    assert_eq!(actions(&planned(&want(&["default.shop"]), &gone), "default.shop")[2], "refuse firewall.1 ImageGone");
}

#[test]
fn settled_locks_hold_what_is_known_and_may_be_partial() {
    let want = want(&["default.shop"]);
    let plan = planned(&want, &have());
    assert!(settle(&want, &plan, &Done::default()).is_empty(), "nothing known, nothing locked");

    let mut done = Done::default();
    let filled =
        Outcome::Filled { resource: Box::new(Resource::Network(network("n1", "default.shop", 1))), fresh: true };
    let refused = Outcome::Refused { reason: Reason::NetworkExhausted, message: "no ips left".into() };
    done.slots.insert("default.shop".parse().unwrap(), vec![(Slot::Network, filled), (Slot::Vip, refused)]);
    let locks = settle(&want, &plan, &done);
    let lock = locks.values().next().unwrap();
    assert_eq!(lock.values.node_network.as_ref().unwrap().origin, Origin::Allocated);
    assert_eq!(lock.values.vip, None);
    assert!(lock.rendered.is_empty());
    assert_eq!(
        (lock.conditions[0].status, lock.conditions[0].reason),
        (ConditionStatus::False, Reason::NetworkExhausted)
    );
}

/// Resources as any mixture of engines, people and crashes may have left them.
fn any_have() -> impl Strategy<Value = Have> {
    let one = (0_usize..3, 0_usize..3, 0_i64..10_000, any::<bool>());
    proptest::collection::vec(one, 0..12).prop_map(|resources| {
        let mut have = have();
        for (n, (kind, cluster, created, marked)) in resources.into_iter().enumerate() {
            let cluster = ["default.a", "default.b", "default.c"][cluster];
            let unmarked = |t: &model::Tags| {
                model::Tags::from_strings(
                    t.to_strings().into_iter().filter(|t| marked || !t.starts_with("fleet.metal-stack.io")),
                )
            };
            let had = project(&mut have);
            match kind {
                0 => had.networks.push(network(&format!("n{n}"), cluster, created)),
                1 => had.ips.push(vip(&format!("198.18.1.{n}"), cluster, created)),
                _ => had.firewalls.push(firewall(u32::try_from(n).unwrap(), cluster, 1, created)),
            }
            had.networks.iter_mut().for_each(|r| r.labels = unmarked(&r.labels));
            had.ips.iter_mut().for_each(|r| r.tags = unmarked(&r.tags));
            had.firewalls.iter_mut().for_each(|r| r.tags = unmarked(&r.tags));
        }
        have
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn i1_a_slot_with_a_hit_is_never_allocated_again(have in any_have()) {
        let plan = planned(&want(&["default.a", "default.b", "default.c"]), &have);
        let had = &have.projects[&project_id()];
        for (cluster, slot, _) in plan.allocations() {
            let names = |t: &model::Tags| t.cluster() == Some(cluster.to_string().as_str());
            let hits = match slot {
                Slot::Network => had.networks.iter().filter(|n| names(&n.labels)).count(),
                Slot::Vip | Slot::Egress(_) => had.ips.iter().filter(|n| names(&n.tags)).count(),
                Slot::Firewall(_) => had.firewalls.iter().filter(|n| names(&n.tags)).count(),
            };
            prop_assert_eq!(hits, 0);
        }
    }

    #[test]
    fn i1_no_resource_fills_two_slots_and_nothing_used_or_locked_is_freed(have in any_have()) {
        let mut want = want(&["default.a", "default.b", "default.c"]);
        lock(&mut want, "default.a", values("n0", "198.18.1.1", 2));
        let plan = planned(&want, &have);
        let used: Vec<_> = plan.clusters.values().flat_map(|c| &c.steps).filter_map(|s| match s {
            Step::Use { resource, .. } => Some(resource.id()),
            _ => None,
        }).collect();
        let unique: BTreeSet<_> = used.iter().collect();
        prop_assert_eq!(unique.len(), used.len());
        for free in &plan.frees {
            let id = free.target.to_string();
            prop_assert!(!used.contains(&id));
            prop_assert!(!["n0", "198.18.1.1"].contains(&id.as_str()));
            prop_assert_ne!(&free.why, &FreeReason::Duplicate { of: id });
        }
    }

    #[test]
    fn planning_does_not_depend_on_the_order_of_lists(have in any_have()) {
        let want = want(&["default.a", "default.b", "default.c"]);
        let mut turned = have.clone();
        project(&mut turned).networks.reverse();
        project(&mut turned).ips.reverse();
        project(&mut turned).firewalls.reverse();
        let view = |have: &Have| format!("{:?}", planned(&want, have).view());
        prop_assert_eq!(view(&have), view(&turned));
    }
}
