//! The firewall's slot: replacement generation by generation (R4, R5).

use super::samples::*;
use super::world::{SHOP, World};
use crate::Step;
use model::definition::{AllowReplacement, FirewallMode};
use model::lock::{EgressIp, Successor};
use model::metal::{Machine, MachineNetwork, MachineNetworkKind};
use model::request::{Outcome, Request, Resource};
use model::{Condition, ConditionStatus, Digest, Origin, Reason, Slot, tags};

const KEEP: &str = "keep firewall.1";

pub(super) fn successor(n: u32, generation: u32) -> Successor {
    Successor {
        id: machine_id(n),
        allocation: model::Allocation::parse("c").unwrap(),
        generation,
        image: model::ImageId::parse("firewall-ubuntu-3.0.20251101").unwrap(),
        inputs: None,
    }
}

fn used(n: u32, generation: u32) -> String {
    format!("use firewall.{generation} {} Allocated", machine_id(n))
}

fn filled(machine: &Machine) -> Vec<(Slot, Outcome)> {
    let resource = Box::new(Resource::Machine(machine.clone()));
    vec![(Slot::Firewall(2), Outcome::Filled { resource, fresh: true })]
}

#[test]
fn i4_one_that_is_as_wanted_is_left_alone() {
    let world = World::new();
    assert_eq!(world.firewall(), [KEEP]);
    assert_eq!(world.notes(), []);
    assert!(!world.plan().writes_metal());
}

#[test]
fn other_settings_allocate_the_next_generation_and_the_old_one_serves_on() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"]);
    let plan = world.plan();
    let Some((_, _, Request::Firewall(request))) = plan.allocations().next() else { panic!("{plan:?}") };
    assert_eq!(request.tags.get(tags::SLOT), Some("firewall.2"));
    assert_eq!(request.tags.get(tags::INPUTS), Some(world.inputs().as_str()));

    let mut fresh = firewall(2, SHOP, 2, world.now);
    fresh.tags = fresh.tags.with(tags::INPUTS, world.inputs());
    let present = world.lock().values.firewall.clone().unwrap();
    let firewall = world.settled(filled(&fresh)).values.firewall.unwrap();
    assert_eq!((&firewall.id, firewall.generation, &firewall.inputs), (&present.id, 1, &present.inputs));
    let next = firewall.successor.unwrap();
    assert_eq!((next.id, next.generation, next.inputs), (machine_id(2), 2, Some(world.inputs())));
}

#[test]
fn a_refused_successor_is_a_note_and_no_failure() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    let refused = Outcome::Refused { reason: Reason::NoMachineAvailable, message: "no machine available".into() };
    let outcomes = vec![(Slot::Firewall(2), refused)];
    let lock = world.settled(outcomes.clone());
    let resolved = Condition::resolved(ConditionStatus::True, Reason::AllValuesKnown, "");
    assert_eq!((lock.conditions, &lock.values.firewall), (vec![resolved], &world.lock().values.firewall));
    let plan = world.plan();
    let notes = plan.clusters[&World::id()].notes_with(&outcomes);
    assert!(notes.iter().any(|note| note.message.contains("NoMachineAvailable")), "{notes:?}");

    let mut postponed = world.plan();
    postponed.postpone(&World::id(), Reason::OutcomeUnknown, "an earlier call has no answer");
    assert!(!postponed.writes_metal());
    assert!(!postponed.clusters[&World::id()].steps.iter().any(|step| matches!(step, Step::Refuse { .. })));
}

#[test]
fn nothing_is_allocated_while_a_younger_one_may_come() {
    type Case = (&'static str, fn(&mut World), &'static [&'static str]);
    let cases: &[Case] = &[
        ("young", |w| _ = w.add(2, 2, 60), &[]),
        ("of unknown settings", |w| w.add(2, 2, 60).tags = firewall(2, SHOP, 2, 0).tags, &[]),
        ("of unknown age", |w| w.add(2, 2, 60).created = None, &[]),
        ("late", |w| _ = w.add(2, 2, 30 * 60), &["allocate firewall.3"]),
        (
            "made from other settings",
            |w| {
                let machine = w.add(2, 2, 60);
                machine.tags = machine.tags.clone().with(tags::INPUTS, Digest::of_bytes(b"other"));
            },
            &["allocate firewall.3"],
        ),
        (
            "one late, one young",
            |w| {
                w.add(2, 2, 40 * 60);
                w.add(3, 3, 60);
            },
            &[],
        ),
        (
            "two late: never more than three",
            |w| {
                w.add(2, 2, 80 * 60);
                w.add(3, 3, 40 * 60);
            },
            &[],
        ),
        ("in the lock, not seen yet", |w| w.values().firewall.as_mut().unwrap().successor = Some(successor(2, 2)), &[]),
    ];
    for (what, prepare, expected) in cases {
        let mut world = World::new();
        world.resize("c1-large-x86");
        prepare(&mut world);
        let allocated: Vec<_> = world.firewall().into_iter().filter(|a| a.starts_with("allocate")).collect();
        assert_eq!(allocated, *expected, "{what}");
        assert!(world.notes().contains(&Reason::FirewallReplacing), "{what}");
    }
}

#[test]
fn the_lock_shows_the_successor_that_was_found_by_its_tags() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    world.add(2, 2, 60);
    assert_eq!(world.firewall(), [KEEP.to_owned(), used(2, 2)]);
    world.land(vec![]);
    let firewall = world.lock().values.firewall.clone().unwrap();
    assert_eq!((firewall.generation, firewall.successor.unwrap().id), (1, machine_id(2)));
    assert_eq!(world.firewall(), [KEEP]);
    assert_eq!(world.settled(vec![]), *world.lock(), "I4: nothing to commit any more");
}

#[test]
fn r5_the_highest_that_has_phoned_home_serves_and_lower_ones_go_at_once() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    world.add(2, 2, 3 * 3600).phoned_home = true;
    assert_eq!(world.firewall(), [used(2, 2)]);
    let by = machine_id(2);
    assert_eq!(world.frees(), [format!("firewall.1 : replaced by {by}")], "whatever the lock says, however old");
    world.land(vec![]);
    let firewall = world.lock().values.firewall.clone().unwrap();
    assert_eq!((&firewall.id, firewall.generation, firewall.successor), (&by, 2, None));
    assert_eq!(firewall.inputs, Some(world.inputs()));
    assert_eq!(world.firewall(), ["keep firewall.2"]);
    assert_eq!(world.frees().len(), 1, "it is still there");
    world.lose_first();
    assert!(!world.plan().writes_metal());
}

#[test]
fn r5_waits_for_no_commit_and_no_mended_definition() {
    let mut world = World::new();
    world.add(2, 2, 60).phoned_home = true;
    let wanted = world.want.clusters.get_mut(&World::id()).unwrap();
    let blocked = |reason| Some(model::want::Blocked { reason, message: String::new() });
    wanted.blocked = blocked(Reason::InvalidDefinition);
    assert_eq!(world.frees().len(), 1);
    world.want.clusters.get_mut(&World::id()).unwrap().blocked = blocked(Reason::Paused);
    assert_eq!(world.frees().len(), 0);
    let wanted = world.want.clusters.remove(&World::id()).unwrap();
    let orphan = |removed| model::want::OrphanLock {
        path: wanted.lock_path.clone(),
        lock: wanted.lock.clone().unwrap(),
        removed,
    };
    world.want.orphan_locks.insert(World::id(), orphan(false));
    assert_eq!(world.frees().len(), 1);
    world.want.orphan_locks.insert(World::id(), orphan(true));
    assert_eq!(world.frees().len(), 1, "it only ends what was begun (I9)");
}

#[test]
fn of_several_of_one_generation_the_first_takes_over_and_the_others_are_duplicates() {
    let mut world = World::new();
    world.add(3, 2, 60).phoned_home = true;
    world.add(2, 2, 90).phoned_home = true;
    assert_eq!(world.firewall(), [used(2, 2)]);
    assert_eq!(world.frees().len(), 1, "no lock names one of the two yet");
    world.land(vec![]);
    let of = machine_id(2);
    let expected =
        [format!("firewall.2 3: a duplicate, the lock names {of}"), format!("firewall.1 : replaced by {of}")];
    assert_eq!(world.frees(), expected);
}

#[test]
fn a_duplicate_that_phones_home_first_takes_over_and_is_not_freed() {
    let mut world = World::new();
    world.values().firewall.as_mut().unwrap().successor = Some(successor(2, 2));
    world.add(2, 2, 90);
    world.add(3, 2, 60);
    assert_eq!(world.frees(), [format!("firewall.2 3: a duplicate, the lock names {}", machine_id(2))]);
    project(&mut world.have).firewalls.last_mut().unwrap().phoned_home = true;
    assert_eq!(world.firewall(), [used(3, 2)]);
    assert!(world.frees().iter().all(|free| !free.contains("firewall.2 3")), "{:?}", world.frees());
}

#[test]
fn r4_a_dead_one_is_replaced_when_every_reading_had_it_dead_for_long_enough() {
    let mut world = World::new();
    world.first().alive = false;
    for _ in 0..4 {
        assert_eq!(world.read_after(300), []);
        assert_eq!(world.firewall(), [KEEP]);
        assert_eq!(world.notes(), [Reason::FirewallUnhealthy]);
    }
    world.read_after(300);
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"]);
    change(&mut world.want, SHOP, |e| e.allow_replacement.value = AllowReplacement::Never);
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"], "a dead one is not a change");

    world.first().alive = true;
    world.read_after(300);
    world.first().crash_loop = true;
    world.read_after(300);
    assert_eq!(world.firewall(), [KEEP], "it was well in between");
}

#[test]
fn r4_not_more_often_than_once_an_hour_save_for_a_persons_change() {
    let mut world = World::new();
    world.first().alive = false;
    world.first().created = Some(time(100_000 - 60));
    for _ in 0..8 {
        world.read_after(300);
    }
    assert_eq!(world.firewall(), [KEEP]);
    let notes = world.plan().clusters[&World::id()].notes.clone();
    assert!(notes[0].message.contains("not replaced more often"), "{notes:?}");
    let mut changed =
        World { want: world.want.clone(), have: world.have.clone(), watch: world.watch.clone(), ..World::new() };
    changed.resize("c1-large-x86");
    assert_eq!(changed.firewall(), [KEEP, "allocate firewall.2"]);
    for _ in 0..4 {
        world.read_after(300);
    }
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"]);
}

#[test]
fn r4_an_outage_of_the_observer_replaces_nothing() {
    let ids = ["default.shop", "default.a", "default.b", "default.c"];
    let mut world = World::with(&ids);
    for _ in 0..5 {
        project(&mut world.have).firewalls.iter_mut().for_each(|f| f.alive = false);
        world.read_after(300);
    }
    assert_eq!(world.firewall(), [KEEP]);
    project(&mut world.have).firewalls.iter_mut().skip(1).for_each(|f| f.alive = true);
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"]);
}

#[test]
fn r15_a_vanished_one_is_replaced_when_that_is_concluded() {
    let mut world = World::new();
    world.lose_first();
    assert_eq!(world.read_after(300), []);
    assert_eq!(world.firewall(), [KEEP]);
    let questions = world.read_after(300);
    assert_eq!(world.firewall(), [KEEP], "nobody has asked for it by its id");
    world.watch.asked(&questions[0], false);
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"]);
    assert_eq!(world.notes(), [Reason::FirewallUnhealthy]);
    assert_eq!(world.plan().losses.len(), 1);
    assert_eq!(world.settled(vec![]).conditions.len(), 1, "the engine replaces it: nothing is lost for long");
}

#[test]
fn r4_one_that_vanished_young_is_not_replaced_within_the_hour() {
    let mut world = World::new();
    world.first().created = Some(time(100_000));
    world.read_after(300);
    world.lose_first();
    world.conclude();
    assert_eq!(world.firewall(), [KEEP]);
    world.read_after(3000);
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"]);
}

#[test]
fn what_is_gone_gives_way_to_any_that_serves() {
    let mut world = World::new();
    world.values().firewall.as_mut().unwrap().generation = 2;
    world.lose_first();
    world.add(5, 1, 90 * 60).phoned_home = true;
    world.conclude();
    assert_eq!(world.firewall(), [used(5, 1)]);
    assert_eq!(world.frees().len(), 0);
}

#[test]
fn a_successor_that_vanished_is_forgotten_when_that_is_concluded() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    world.values().firewall.as_mut().unwrap().successor = Some(successor(2, 2));
    world.read_after(300);
    assert_eq!(world.firewall(), [KEEP]);
    assert_eq!(world.settled(vec![]).values.firewall, world.lock().values.firewall);
    world.conclude();
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.3"], "a generation is never used twice");
    assert_eq!(world.settled(vec![]).values.firewall.unwrap().successor, None);
}

#[test]
fn never_means_never_for_other_settings() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    change(&mut world.want, SHOP, |e| e.allow_replacement.value = AllowReplacement::Never);
    assert_eq!(world.firewall(), [KEEP]);
    assert_eq!(world.notes(), [Reason::ReplacementNotAllowed]);
}

#[test]
fn a_limit_of_the_project_is_a_note() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    let mut fleet = (*world.want.fleet.take().unwrap()).clone();
    fleet.spec.metal.projects[0].limits.firewalls = Some(1);
    world.want.fleet = Some(fleet.into());
    assert_eq!(world.firewall(), [KEEP]);
    assert_eq!(world.notes(), [Reason::FirewallReplacing]);
}

#[test]
fn an_older_engines_firewall_is_known_by_the_output_until_that_changes() {
    let mut world = World::new();
    world.values().firewall.as_mut().unwrap().inputs = None;
    assert_eq!(world.firewall(), [KEEP], "nothing is known of it");
    world.land(vec![]);
    assert_eq!(world.lock().values.firewall.as_ref().unwrap().inputs, None);
    let before = world.lock().rendered["firewall"].clone();
    world.resize("c1-large-x86");
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"]);
    world.land(vec![]);
    assert_ne!(world.lock().rendered["firewall"], before, "the output went on");
    assert_eq!(world.lock().values.firewall.as_ref().unwrap().inputs, Some(before));
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"], "and still it is outdated");
}

#[test]
fn another_egress_address_or_node_network_needs_another_firewall() {
    let net =
        |network: &str, kind, ip: &str| MachineNetwork { network: id(network), kind, ips: vec![ip.parse().unwrap()] };
    let primary = MachineNetworkKind::PrivatePrimaryUnshared;
    let mut world = World::new();
    world.first().networks =
        vec![net("internet", MachineNetworkKind::External, "198.18.5.5"), net("n0", primary, "10.0.0.1")];
    assert_eq!(world.firewall(), [KEEP]);
    let egress = |address: &str| EgressIp {
        network: id("internet"),
        address: address.parse().unwrap(),
        allocation: model::Allocation::parse("b").unwrap(),
        origin: Origin::Allocated,
    };
    world.values().egress_ips = vec![egress("198.18.5.5")];
    assert_eq!(world.firewall(), [KEEP]);
    world.values().egress_ips = vec![egress("198.18.5.6")];
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"]);
    let plan = world.plan();
    let Some((_, _, Request::Firewall(request))) = plan.allocations().next() else { panic!("{plan:?}") };
    assert_eq!(request.ips, ["198.18.5.6".parse::<std::net::IpAddr>().unwrap()]);
    world.values().egress_ips = vec![];
    world.first().networks[1] = net("n9", primary, "10.0.0.1");
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"]);
}

#[test]
fn r3_one_that_a_person_supplied_is_followed_and_never_replaced() {
    let mut world = World::new();
    let mut other = firewall(7, "default.nobody", 1, 0);
    other.tags = model::Tags::new();
    project(&mut world.have).firewalls.push(other);
    change(&mut world.want, SHOP, |e| {
        e.firewall.mode.value = FirewallMode::External;
        e.firewall.machine = Some(machine_id(0));
    });
    let firewall = world.values().firewall.as_mut().unwrap();
    (firewall.origin, firewall.generation) = (Origin::Adopted, 0);
    world.first().alive = false;
    assert_eq!(world.firewall(), [KEEP]);
    assert_eq!(world.notes(), [Reason::FirewallUnhealthy, Reason::Claimed], "dead, and with our mark");
    change(&mut world.want, SHOP, |e| e.firewall.machine = Some(machine_id(7)));
    assert_eq!(world.firewall(), [format!("use firewall.1 {} Adopted", machine_id(7))]);
    assert_eq!(world.settled(vec![]).values.firewall.unwrap().id, machine_id(7));
}
