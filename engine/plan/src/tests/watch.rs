//! Readings over time: what is concluded from them, and never from less (R4, R15).

use super::samples::*;
use super::world::{INTERVAL, SHOP, World};
use crate::{Question, Watch};
use model::metal::{Gap, GapReason};
use model::request::Target;
use model::{NetworkId, Seconds, Slot};
use proptest::prelude::*;

fn network_target() -> Target {
    Target::Network(NetworkId::parse("n0").unwrap())
}

fn is_gone(watch: &Watch) -> bool {
    watch.is_gone(&World::id(), &Slot::Network, &network_target())
}

fn without_network() -> World {
    let mut world = World::new();
    project(&mut world.have).networks.clear();
    world
}

fn gap() -> Gap {
    let (kind, why) = ("networks", GapReason::Unreachable);
    Gap { project: Some(project_id()), kind, why, message: String::new() }
}

#[test]
fn two_readings_an_interval_apart_and_a_find_conclude() {
    let mut world = without_network();
    assert_eq!(world.read_after(0), []);
    assert_eq!(world.read_after(299), [], "less than an interval");
    let asked = world.read_after(1);
    let question =
        Question { cluster: World::id(), slot: Slot::Network, project: project_id(), target: network_target() };
    assert_eq!(asked, [question]);
    assert!(!is_gone(&world.watch));
    world.watch.asked(&asked[0], false);
    assert!(is_gone(&world.watch));
    assert_eq!(world.read_after(300), [], "it is known");
    assert!(is_gone(&world.watch));
}

#[test]
fn the_same_reading_counts_once() {
    let mut world = without_network();
    world.read_after(0);
    for _ in 0..3 {
        assert_eq!(world.watch.see(&world.want, &world.have, INTERVAL), []);
    }
    assert_eq!(world.read_after(300).len(), 1);
    assert_eq!(world.read_after(300).len(), 1, "a question without answer comes again");
}

#[test]
fn an_answer_to_what_was_not_asked_concludes_nothing() {
    let mut world = without_network();
    world.read_after(0);
    let mut question =
        Question { cluster: World::id(), slot: Slot::Network, project: project_id(), target: network_target() };
    world.watch.asked(&question, false);
    assert!(!is_gone(&world.watch));
    world.read_after(300);
    question.target = Target::Network(NetworkId::parse("other").unwrap());
    world.watch.asked(&question, false);
    assert!(!is_gone(&world.watch));
}

#[test]
fn what_is_back_or_found_by_its_id_is_forgotten() {
    let mut world = without_network();
    world.conclude();
    assert!(is_gone(&world.watch));
    project(&mut world.have).networks.push(network("n0", SHOP, 100));
    world.read_after(300);
    assert!(!is_gone(&world.watch));

    let mut world = without_network();
    world.read_after(0);
    let asked = world.read_after(300);
    world.watch.asked(&asked[0], true);
    assert_eq!(world.read_after(300), [], "it begins anew");
    assert_eq!(world.read_after(300).len(), 1);
}

#[test]
fn a_reading_with_a_gap_counts_not_at_all() {
    let mut world = without_network();
    world.read_after(0);
    world.have.gaps.push(gap());
    assert_eq!(world.read_after(300), []);
    world.have.gaps.clear();
    assert_eq!(world.read_after(300).len(), 1);
    world.watch = Watch::default();
    world.have.gaps.push(gap());
    world.read_after(300);
    world.have.gaps.clear();
    assert_eq!(world.read_after(300), [], "only the second is whole");
}

#[test]
fn a_clock_that_is_set_back_begins_anew() {
    let mut world = without_network();
    world.read_after(0);
    assert_eq!(world.read_after(-5000), []);
    assert_eq!(world.read_after(299), []);
    assert_eq!(world.read_after(1).len(), 1);
}

#[test]
fn another_value_in_the_slot_begins_anew() {
    let mut world = without_network();
    world.read_after(0);
    world.values().node_network.as_mut().unwrap().id = NetworkId::parse("n7").unwrap();
    assert_eq!(world.read_after(300), []);
    let asked = world.read_after(300);
    assert_eq!(asked[0].target.to_string(), "n7");
}

#[test]
fn what_is_being_deleted_is_not_missed() {
    let mut world = without_network();
    let wanted = world.want.clusters.remove(&World::id()).unwrap();
    let orphan = |removed| model::want::OrphanLock { path: String::new(), lock: wanted.lock.clone().unwrap(), removed };
    world.want.orphan_locks.insert(World::id(), orphan(true));
    world.read_after(0);
    assert_eq!(world.read_after(300), []);
    world.want.orphan_locks.insert(World::id(), orphan(false));
    world.read_after(300);
    assert_eq!(world.read_after(300).len(), 1, "a definition that cannot be read");
}

#[test]
fn death_is_counted_from_reading_to_reading_without_pauses() {
    let long = Seconds::minutes(20);
    let mut world = World::new();
    world.first().alive = false;
    let is_dead = |world: &mut World| {
        let machine = world.first().clone();
        world.watch.is_dead_for(&machine, long)
    };
    for _ in 0..4 {
        world.read_after(300);
        assert!(!is_dead(&mut world));
    }
    world.read_after(300);
    assert!(is_dead(&mut world));
    world.read_after(3600);
    assert!(!is_dead(&mut world), "nobody looked for an hour");

    for _ in 0..4 {
        world.read_after(300);
    }
    assert!(is_dead(&mut world));
    world.first().allocation = model::Allocation::parse("another").unwrap();
    assert!(!is_dead(&mut world), "another allocation of the same machine");
}

/// One reading: how long after the last, whether the value is there, whether it is whole, what the find says.
#[derive(Clone, Copy, Debug)]
struct Reading {
    after: i64,
    is_there: bool,
    is_whole: bool,
    find: Option<bool>,
}

fn readings() -> impl Strategy<Value = Vec<Reading>> {
    let one = (0_i64..500, prop::bool::weighted(0.2), prop::bool::weighted(0.8), any::<Option<bool>>());
    let one = one.prop_map(|(after, is_there, is_whole, find)| Reading { after, is_there, is_whole, find });
    proptest::collection::vec(one, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn r15_nothing_is_concluded_from_less_than_two_whole_readings_an_interval_apart_and_a_find(readings in readings()) {
        let mut world = World::new();
        // Whole readings without it since it was last there or found, and whether a find missed it after two of them.
        let (mut absent, mut missed): (Vec<i64>, bool) = (Vec::new(), false);
        let mut last = None;
        for reading in readings {
            project(&mut world.have).networks.clear();
            if reading.is_there {
                project(&mut world.have).networks.push(network("n0", SHOP, 100));
            }
            world.have.gaps = if reading.is_whole { vec![] } else { vec![gap()] };
            let asked = world.read_after(reading.after);
            let is_new = last != Some(world.now);
            last = Some(world.now);
            if reading.is_whole && is_new {
                if reading.is_there {
                    (absent, missed) = (Vec::new(), false);
                } else {
                    absent.push(world.now);
                }
            }
            if let (Some(found), Some(question)) = (reading.find, asked.first()) {
                world.watch.asked(question, found);
                let apart = absent.iter().any(|first| world.now - first >= 300);
                missed |= !found && apart;
                if found {
                    absent.clear();
                }
            }
            prop_assert!(!is_gone(&world.watch) || missed, "{:?}", world.watch);
        }
    }
}
