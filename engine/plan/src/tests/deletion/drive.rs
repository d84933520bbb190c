//! Whole deletions with everything that can go wrong between two steps.

use super::bed::shop;
use super::world::{World, may_try};
use crate::endings;
use model::Reason;
use model::metal::{Gap, GapReason};
use model::request::Done;
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
    if let Some((Reason::Suspect, _)) = plan.deletions.get(&shop()).and_then(|one| one.refused.clone()) {
        // A person looks, and finds that it was this engine, killed several times.
        world.bed.said.acknowledged.insert("Suspect default.shop".to_owned());
    }
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
