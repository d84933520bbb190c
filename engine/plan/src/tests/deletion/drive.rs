//! Whole deletions with everything that can go wrong between two steps.

use super::super::samples::{id, project_id};
use super::bed::shop;
use super::world::{World, may_try};
use crate::endings;
use model::metal::{Gap, GapReason};
use model::request::{Done, Free, FreeReason, Target};
use model::{Origin, Slot};
use proptest::prelude::*;

/// Passes in which calls fail, answers are lost, and the engine is killed.
const FAULTY: usize = 60;
/// Passes after which it must be over.
const PASSES_MAX: usize = 400;

/// One pass of the engine, as far as deletions go: plan, free, list once more, plan on that, commit.
fn pass(world: &mut World) {
    if world.is_faulty && world.dice.one_in(8) {
        let message = "hung".to_owned();
        let gap = Gap { project: None, kind: "images", why: GapReason::Unreachable, message };
        world.bed.have.gaps.push(gap);
    }
    let plan = world.bed.plan();
    let mut done = Done::default();
    for free in &plan.frees {
        if !may_try(&plan, &done, free) {
            continue;
        }
        let outcome = world.free(free);
        done.frees.push((free.clone(), outcome));
        if world.is_faulty && world.dice.one_in(8) {
            world.bed.have.gaps.clear();
            return;
        }
    }
    world.bed.have.gaps.clear();
    let listed = world.bed.plan();
    let ending = endings(&world.bed.want, &listed, &done).remove(&shop());
    if world.is_faulty && world.dice.one_in(5) {
        return;
    }
    if let Some(ending) = ending {
        world.land(ending, &done);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn i2_a_deletion_frees_all_that_is_ours_and_nothing_else_whatever_fails(seed in any::<u64>()) {
        let mut world = World::new(seed);
        let mut passes = 0;
        while !world.is_over() {
            passes += 1;
            world.is_faulty = passes < FAULTY;
            prop_assert!(passes < PASSES_MAX, "{:?}", world.bed.plan().deletions);
            world.tick();
            pass(&mut world);
        }
        world.check_end();
        // I4: what is over stays quiet.
        let plan = world.bed.plan();
        prop_assert!(plan.frees.is_empty() && plan.deletions.is_empty() && plan.suspect.is_empty(), "{:?}", plan.view());
    }
}

/// A cluster whose values are all allocated, of the first seed that has one.
fn all_ours() -> World {
    let is_ours = |world: &mut World| {
        let values = world.bed.values().clone();
        let origins = [values.node_network.map(|n| n.origin), values.vip.map(|v| v.origin)];
        origins.iter().all(|origin| *origin == Some(Origin::Allocated))
    };
    let mut worlds = (0..).map(World::new);
    let mut world = worlds.find_map(|mut world| is_ours(&mut world).then_some(world)).unwrap();
    world.is_faulty = false;
    world
}

fn free(slot: Slot, target: Target) -> Free {
    Free { cluster: shop(), slot, project: project_id(), target, why: FreeReason::Deletion }
}

#[test]
#[should_panic(expected = "the network goes before the VIP")]
fn the_check_sees_a_wrong_order() {
    let _ = all_ours().free(&free(Slot::Network, Target::Network(id("n1"))));
}

#[test]
#[should_panic(expected = "leaked")]
fn the_check_sees_a_leak() {
    all_ours().check_end();
}

#[test]
#[should_panic(expected = "is not ours to free")]
fn the_check_sees_a_free_of_what_was_adopted() {
    let mut worlds = (0..).map(World::new);
    let adopted = |world: &mut World| {
        world.bed.values().node_network.as_ref().is_some_and(|network| network.origin == Origin::Adopted)
    };
    let mut world = worlds.find_map(|mut world| adopted(&mut world).then_some(world)).unwrap();
    world.is_faulty = false;
    let _ = world.free(&free(Slot::Network, Target::Network(id("n1"))));
}
