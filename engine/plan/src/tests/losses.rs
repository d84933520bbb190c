//! Committed values that metal-api does not have as they were committed (I5, R15), and people's answers.

use super::samples::*;
use super::world::{SHOP, World};
use crate::{LossKind, Plan, Recover, Step};
use model::definition::{AllowReplacement, SlotMode};
use model::lock::EgressIp;
use model::metal::{Gap, GapReason};
use model::request::{Outcome, Request, Resource};
use model::{Condition, Origin, Reason, Slot, tags};

const OTHERS: [&str; 4] = [SHOP, "default.a", "default.b", "default.c"];

fn kinds(plan: &Plan) -> Vec<(String, LossKind)> {
    plan.losses.iter().map(|loss| (loss.slot.to_string(), loss.kind.clone())).collect()
}

fn available(world: &World) -> Option<String> {
    let lock = world.settled(vec![]);
    let condition = lock.conditions.into_iter().find(|c| c.kind == Condition::AVAILABLE)?;
    assert_eq!(condition.reason, Reason::Lost);
    Some(condition.message)
}

/// A VIP that is gone, and concluded to be.
fn lost() -> World {
    let mut world = World::with(&OTHERS);
    world.lose_vip();
    world.conclude();
    world
}

fn answered(world: &mut World, slot: Slot, answer: Recover) -> Vec<String> {
    world.said.recover.insert((World::id(), slot), answer);
    world.actions()
}

/// The last note.
fn note(world: &World) -> (Reason, String) {
    let plan = world.plan();
    let note = plan.clusters[&World::id()].notes.last().unwrap();
    (note.reason, note.message.clone())
}

const KEPT: [&str; 3] = ["keep network", "keep vip", "keep firewall.1"];

#[test]
fn what_is_as_it_was_committed_is_no_loss() {
    let world = World::with(&OTHERS);
    assert_eq!(kinds(&world.plan()), []);
    assert_eq!(available(&world), None);
}

#[test]
fn i5_a_vanished_value_is_kept_and_told_when_it_is_concluded() {
    let mut world = World::with(&OTHERS);
    world.lose_vip();
    world.read_after(300);
    assert_eq!(kinds(&world.plan()), [("vip".to_owned(), LossKind::Missing)]);
    assert_eq!(available(&world), None);
    world.conclude();
    assert_eq!(kinds(&world.plan()), [("vip".to_owned(), LossKind::Gone)]);
    assert_eq!(available(&world).unwrap(), "vip `198.18.0.0` is not in metal-api any more");
    assert_eq!(world.actions(), KEPT);
    assert!(!world.plan().writes_metal());
    assert_eq!(world.settled(vec![]).values, world.lock().values);
    assert_eq!(note(&world).0, Reason::Lost);
}

#[test]
fn the_condition_outlives_the_process_and_gaps_and_ends_with_the_loss() {
    let mut world = lost();
    world.land(vec![]);
    let landed = world.lock().clone();
    world.watch = crate::Watch::default();
    assert_eq!(kinds(&world.plan()), [("vip".to_owned(), LossKind::Gone)], "concluded once, and still missing");
    assert_eq!(world.settled(vec![]), landed, "I4");
    let (kind, why) = ("ips", GapReason::Unreachable);
    world.have.gaps.push(Gap { project: Some(project_id()), kind, why, message: String::new() });
    assert_eq!(kinds(&world.plan()), []);
    assert_eq!(world.settled(vec![]), landed, "a gap says nothing");
    world.have.gaps.clear();
    project(&mut world.have).ips.push(vip("198.18.0.0", SHOP, 100));
    assert_eq!(available(&world), None);
}

#[test]
fn what_is_somebody_elses_by_now_is_told_at_once() {
    type Case = (&'static str, fn(&mut model::metal::Ip), &'static str);
    let cases: &[Case] = &[
        (
            "allocated again",
            |ip| ip.allocation = model::Allocation::parse("z").unwrap(),
            "was freed and allocated again",
        ),
        (
            "another cluster",
            |ip| ip.tags = ip.tags.clone().with(tags::CLUSTER_RESOURCE, "default.a"),
            "cluster `default.a`",
        ),
        ("another fleet", |ip| ip.tags = ip.tags.clone().with(tags::FLEET, "other"), "engine `other`"),
        (
            "a service of another cluster",
            |ip| ip.tags = ip.tags.clone().with(tags::SERVICE, "default.x/web/nginx"),
            "a service of cluster `default.x`",
        ),
    ];
    for (what, change, words) in cases {
        let mut world = World::with(&OTHERS);
        let ips = &mut project(&mut world.have).ips;
        change(ips.iter_mut().find(|ip| ip.address.to_string() == "198.18.0.0").unwrap());
        assert!(available(&world).unwrap().contains(words), "{what}: {:?}", available(&world));
        assert_eq!(world.actions(), KEPT, "{what}");
        assert_eq!(world.settled(vec![]).values, world.lock().values, "{what}");
    }
    let mut unknown = World::with(&OTHERS);
    project(&mut unknown.have).ips[0].allocation = model::Allocation::parse("none").unwrap();
    assert_eq!(kinds(&unknown.plan()), [], "an old metal-api names no allocation");
}

#[test]
fn r15_too_much_at_once_makes_the_project_suspect_until_a_person_says_otherwise() {
    let mut world = World::with(&OTHERS);
    let had = project(&mut world.have);
    had.ips.clear();
    had.networks.truncate(1);
    world.conclude();
    let plan = world.plan();
    assert!(plan.suspect[&project_id()].contains("7 of 12"), "{:?}", plan.suspect);
    assert!(plan.clusters.values().all(|c| c.blocked.as_ref().is_some_and(|b| b.reason == Reason::Suspect)));
    assert!(plan.losses.iter().all(|loss| loss.kind == LossKind::Missing) && plan.losses.len() == 7);
    assert!(!plan.writes_metal());
    world.said.acknowledged.insert(format!("Suspect {SHOP}"));
    assert_eq!(world.plan().clusters[&World::id()].blocked, None, "one cluster is accepted");
    assert!(!world.plan().suspect.is_empty());
    world.said.acknowledged.insert(format!("Suspect {}", project_id()));
    let plan = world.plan();
    assert!(plan.suspect.is_empty());
    assert!(plan.losses.iter().all(|loss| loss.kind == LossKind::Gone));
}

#[test]
fn r15_two_of_many_are_not_too_much_and_what_is_known_to_be_lost_is_not_at_once() {
    let mut world = World::with(&OTHERS);
    project(&mut world.have).ips.truncate(2);
    assert!(world.plan().suspect.is_empty());
    project(&mut world.have).ips.truncate(1);
    assert!(!world.plan().suspect.is_empty());
    let mut world = lost();
    world.land(vec![]);
    project(&mut world.have).ips.truncate(1);
    assert!(world.plan().suspect.is_empty(), "one was lost before the other two");
}

#[test]
fn r15_a_partition_that_metal_api_does_not_know_concludes_nothing() {
    let mut world = lost();
    world.have.partitions.insert(model::PartitionId::parse("elsewhere").unwrap());
    assert_eq!(kinds(&world.plan()), [("vip".to_owned(), LossKind::Missing)]);
}

#[test]
fn the_same_address_is_asked_for_by_itself() {
    let mut world = lost();
    change(&mut world.want, SHOP, |e| e.allow_replacement.value = AllowReplacement::Never);
    assert_eq!(answered(&mut world, Slot::Vip, Recover::Same), ["keep network", "allocate vip", "keep firewall.1"]);
    let plan = world.plan();
    let Some((_, _, Request::Ip(request))) = plan.allocations().next() else { panic!("{plan:?}") };
    assert_eq!(request.address.unwrap().to_string(), "198.18.0.0");

    let mut again = vip("198.18.0.0", SHOP, world.now);
    again.allocation = model::Allocation::parse("new").unwrap();
    let resource = Box::new(Resource::Ip(again.clone()));
    let lock = world.settled(vec![(Slot::Vip, Outcome::Filled { resource, fresh: true })]);
    let vip = lock.values.vip.clone().unwrap();
    assert_eq!((vip.address.to_string().as_str(), vip.allocation.as_str()), ("198.18.0.0", "new"));
    assert_eq!(lock.conditions.len(), 1, "it is not lost any more");
    assert_eq!(world.settled(vec![]).values, world.lock().values, "nothing came, nothing changed");

    // The lock did not land: the next run finds it.
    project(&mut world.have).ips.push(again);
    assert_eq!(world.actions()[1], "use vip 198.18.0.0 Allocated");
    assert_eq!(world.plan().frees, []);
    world.land(vec![]);
    assert_eq!(world.actions(), KEPT, "the answer is spent");
    assert_eq!(kinds(&world.plan()), []);
}

#[test]
fn another_address_replaces_machines_and_needs_leave() {
    let mut world = lost();
    assert_eq!(answered(&mut world, Slot::Vip, Recover::New)[1], "allocate vip");
    let plan = world.plan();
    let Some((_, _, Request::Ip(request))) = plan.allocations().next() else { panic!("{plan:?}") };
    assert_eq!(request.address, None);
    project(&mut world.have).ips.push(vip("198.18.0.99", SHOP, world.now));
    assert_eq!(world.actions()[1], "use vip 198.18.0.99 Allocated", "found, not allocated again");
    assert_eq!(world.plan().frees, []);
    project(&mut world.have).ips.pop();
    change(&mut world.want, SHOP, |e| e.allow_replacement.value = AllowReplacement::Never);
    assert_eq!(world.actions(), KEPT);
    let (reason, words) = note(&world);
    assert_eq!(reason, Reason::ReplacementNotAllowed);
    assert!(words.contains("set it to always"), "{words}");
}

#[test]
fn i5_an_answer_without_a_loss_does_nothing() {
    let mut world = World::with(&OTHERS);
    assert_eq!(answered(&mut world, Slot::Vip, Recover::New), KEPT);
    world.lose_vip();
    world.read_after(300);
    assert_eq!(world.actions(), KEPT, "not concluded");
}

#[test]
fn what_cannot_be_had_again_is_refused_with_what_to_do() {
    let mut world = World::with(&OTHERS);
    project(&mut world.have).networks.remove(0);
    world.conclude();
    assert_eq!(answered(&mut world, Slot::Network, Recover::Same), KEPT);
    assert!(note(&world).1.contains("administrator of metal-stack"));
    assert_eq!(answered(&mut world, Slot::Network, Recover::New)[0], "allocate network");

    let mut claimed = World::with(&OTHERS);
    let ip = &mut project(&mut claimed.have).ips[0];
    ip.tags = ip.tags.clone().with(tags::CLUSTER_RESOURCE, "default.a");
    assert_eq!(answered(&mut claimed, Slot::Vip, Recover::Same), KEPT);
    assert!(note(&claimed).1.contains("while cluster `default.a` has it"));

    for (origin, words) in [(Origin::Adopted, "a person supplied it"), (Origin::Delegated, "provider")] {
        let mut world = World::with(&OTHERS);
        world.values().vip.as_mut().unwrap().origin = origin;
        world.lose_vip();
        world.conclude();
        assert_eq!(answered(&mut world, Slot::Vip, Recover::Same), KEPT);
        assert!(note(&world).1.contains(words), "{:?}", note(&world));
        assert!(available(&world).is_some());
    }
}

#[test]
fn r6_an_answer_takes_nothing_that_is_somebody_elses() {
    let mut world = lost();
    let mut by_hand = vip("198.18.0.77", SHOP, 100);
    by_hand.tags =
        model::Tags::new().with(tags::CLUSTER_RESOURCE, SHOP).with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
    project(&mut world.have).ips.push(by_hand);
    assert_eq!(answered(&mut world, Slot::Vip, Recover::New), KEPT);
    assert_eq!(note(&world).0, Reason::Claimed);
}

#[test]
fn an_egress_address_that_is_gone_is_answered_like_a_vip() {
    let mut world = World::with(&OTHERS);
    let slot = Slot::Egress(id("internet"));
    change(&mut world.want, SHOP, |e| e.firewall.egress = vec![id("internet")]);
    let inputs = world.inputs();
    world.values().firewall.as_mut().unwrap().inputs = Some(inputs);
    world.values().egress_ips = vec![EgressIp {
        network: id("internet"),
        address: "198.18.7.7".parse().unwrap(),
        allocation: model::Allocation::parse("b").unwrap(),
        origin: Origin::Allocated,
    }];
    world.conclude();
    let before = world.actions();
    assert_eq!(before, ["keep network", "keep vip", "keep egress.internet", "keep firewall.1"]);
    assert_eq!(answered(&mut world, slot.clone(), Recover::Same)[2], "allocate egress.internet");
    let plan = world.plan();
    let Some((_, _, Request::Ip(request))) = plan.allocations().next() else { panic!("{plan:?}") };
    assert_eq!(request.address.unwrap().to_string(), "198.18.7.7");
    assert_eq!(answered(&mut world, slot, Recover::New)[2], "allocate egress.internet");
}

#[test]
fn what_the_lock_holds_can_be_handed_over_to_the_definition() {
    let mut world = World::new();
    change(&mut world.want, SHOP, |e| {
        e.vip.mode.value = SlotMode::Adopt;
        e.vip.address = Some("198.18.0.0".parse().unwrap());
        e.nodes.mode.value = SlotMode::Adopt;
        e.nodes.id = Some(id("n0"));
    });
    let inputs = world.inputs();
    world.values().firewall.as_mut().unwrap().inputs = Some(inputs);
    assert_eq!(world.actions()[..2], ["use network n0 Adopted", "use vip 198.18.0.0 Adopted"]);
    let before = world.lock().values.clone();
    world.land(vec![]);
    let after = world.lock().values.clone();
    assert_eq!(after.vip.as_ref().unwrap().origin, Origin::Adopted);
    assert_eq!(after.node_network.as_ref().unwrap().origin, Origin::Adopted);
    assert_eq!(after.vip.unwrap().allocation, before.vip.unwrap().allocation);
    assert_eq!(world.actions(), KEPT);

    // One that a person allocated again by hand is taken as it is now.
    let ip = &mut project(&mut world.have).ips[0];
    ip.allocation = model::Allocation::parse("by-hand").unwrap();
    ip.tags = model::Tags::new();
    assert_eq!(world.actions()[1], "use vip 198.18.0.0 Adopted");
    world.land(vec![]);
    assert_eq!(world.lock().values.vip.as_ref().unwrap().allocation.as_str(), "by-hand");
    assert_eq!(kinds(&world.plan()), []);
}

#[test]
fn a_held_cluster_is_left_alone() {
    let mut world = World::with(&OTHERS);
    world.said.held.insert(World::id());
    world.resize("c1-large-x86");
    world.add(20, 2, 60).phoned_home = true;
    project(&mut world.have).networks.push(network("n77", SHOP, world.now - 60));
    let plan = world.plan();
    let blocked = plan.clusters[&World::id()].blocked.as_ref().unwrap();
    assert_eq!(blocked.reason, Reason::HeldAfterRevert);
    assert!(!plan.writes_metal());
    assert_eq!((plan.duplicates.len(), plan.orphans.len(), plan.suspect.len()), (0, 0, 0));
    assert!(!crate::settle(&world.want, &plan, &model::request::Done::default()).contains_key(&World::id()));
}

#[test]
fn an_acknowledged_copy_is_orphans() {
    let mut world = World::new();
    project(&mut world.have).networks.push(network("n77", "default.unheard-of", 0));
    assert_eq!(world.plan().suspect.len(), 1);
    for subject in [project_id().to_string(), "default.unheard-of".to_owned()] {
        world.said.acknowledged = [format!("Suspect {subject}")].into();
        let plan = world.plan();
        assert_eq!((plan.suspect.len(), plan.orphans.len(), plan.frees.len()), (0, 1, 0));
    }
}

#[test]
fn a_plan_shows_notes_and_losses() {
    let mut world = lost();
    world.resize("c1-large-x86");
    let view = world.plan().view();
    assert_eq!(view.losses, ["vip `198.18.0.0` is not in metal-api any more, of default.shop"]);
    let line = view.clusters.iter().find(|line| line.cluster == World::id()).unwrap();
    assert!(line.notes.iter().any(|note| note.starts_with("Lost: vip `198.18.0.0`")), "{:?}", line.notes);
    assert!(line.notes.iter().any(|note| note.starts_with("FirewallReplacing: ")), "{:?}", line.notes);
    assert!(matches!(world.plan().clusters[&World::id()].steps[1], Step::Keep { .. }));
}
