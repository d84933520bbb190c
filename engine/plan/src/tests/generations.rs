//! The firewall's slot in worlds as crashes, people and other engines may have left them.

use super::firewall::successor;
use super::samples::*;
use super::world::World;
use crate::Step;
use model::metal::{Machine, MachineRole};
use model::request::{FreeReason, Resource};
use model::{Digest, Slot, tags};
use proptest::prelude::*;

#[test]
fn i12_firewalls_of_others_count_for_nothing() {
    let mut world = World::new();
    let machine = world.add(2, 2, 60);
    machine.phoned_home = true;
    machine.tags = machine.tags.clone().with(tags::FLEET, "other");
    assert_eq!((world.firewall(), world.frees()), (vec!["keep firewall.1".to_owned()], vec![]));
    project(&mut world.have).firewalls.pop();
    let other = model::ProjectId::parse("00000000-0000-0000-0000-000000000009").unwrap();
    world.add(2, 2, 60).phoned_home = true;
    let machine = project(&mut world.have).firewalls.pop().unwrap();
    world.have.projects.entry(other).or_default().firewalls.push(machine);
    assert_eq!((world.firewall(), world.frees()), (vec!["keep firewall.1".to_owned()], vec![]));
}

#[test]
fn a_gap_decides_nothing() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    world.add(2, 2, 60).phoned_home = true;
    let (kind, why) = ("firewalls", model::metal::GapReason::Unreachable);
    world.have.gaps.push(model::metal::Gap { project: Some(project_id()), kind, why, message: String::new() });
    assert_eq!((world.firewall(), world.frees()), (vec!["keep firewall.1".to_owned()], vec![]));
}

#[derive(Clone, Debug)]
struct Any {
    generation: u32,
    age: i64,
    phoned_home: bool,
    is_wanted: Option<bool>,
    is_ours: bool,
}

/// A lock at some generation, and firewalls as crashes, people and other engines may have left them.
fn any_world() -> impl Strategy<Value = (Vec<Any>, u32, bool, Option<u32>)> {
    let one = (1_u32..5, 0_i64..3_000, any::<bool>(), any::<Option<bool>>(), prop::bool::weighted(0.9));
    let one = one.prop_map(|(generation, age, phoned_home, is_wanted, is_ours)| Any {
        generation,
        age,
        phoned_home,
        is_wanted,
        is_ours,
    });
    (proptest::collection::vec(one, 0..6), 1_u32..3, any::<bool>(), proptest::option::of(0_u32..6))
}

fn built((all, generation, is_outdated, next): &(Vec<Any>, u32, bool, Option<u32>)) -> World {
    let mut world = World::new();
    if *is_outdated {
        world.resize("c1-large-x86");
    }
    let slot = Slot::Firewall(*generation);
    let tags = world.first().tags.clone().with(tags::SLOT, slot);
    world.first().tags = tags;
    for (n, any) in all.iter().enumerate() {
        let machine = world.add(u32::try_from(n + 10).unwrap(), any.generation, any.age);
        machine.phoned_home = any.phoned_home;
        let inputs = machine.tags.clone();
        machine.tags = match any.is_wanted {
            Some(true) => inputs,
            Some(false) => inputs.with(tags::INPUTS, Digest::of_bytes(b"other")),
            None => inputs.without(|key, _| key == tags::INPUTS),
        };
        if !any.is_ours {
            machine.tags = machine.tags.clone().with(tags::FLEET, "other");
        }
    }
    let named = next.and_then(|n| Some((n, all.get(n as usize)?))).filter(|(_, any)| any.generation > *generation);
    let firewall = world.values().firewall.as_mut().unwrap();
    firewall.generation = *generation;
    firewall.successor = named.map(|(n, any)| successor(n + 10, any.generation));
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn i1_a_lock_never_has_two_that_serve(drawn in any_world()) {
        let mut world = built(&drawn);
        for _ in 0..3 {
            let before = world.lock().values.firewall.clone().unwrap();
            let has = |f: &Machine| f.id == before.id;
            world.land(vec![]);
            let after = world.lock().values.firewall.clone().unwrap();
            if after.id != before.id {
                let machine = world.have.projects[&project_id()].firewalls.iter().find(|f| f.id == after.id).unwrap();
                prop_assert!(machine.phoned_home && machine.role == MachineRole::Firewall);
                prop_assert!(after.generation > before.generation);
            } else {
                prop_assert!(world.have.projects[&project_id()].firewalls.iter().any(has));
            }
            if let Some(next) = &after.successor {
                prop_assert!(next.generation > after.generation);
                prop_assert_ne!(&next.id, &after.id);
            }
        }
        let settled = world.settled(vec![]);
        prop_assert_eq!(&settled, world.lock(), "I4: it comes to rest");
    }

    #[test]
    fn r5_only_what_a_younger_one_of_ours_replaced_is_freed(drawn in any_world()) {
        let world = built(&drawn);
        let plan = world.plan();
        let had = &world.have.projects[&project_id()].firewalls;
        let generation = |f: &Machine| f.tags.mark().filter(|m| m.is_of(&fleet_name())).map(|m| match m.slot {
            Slot::Firewall(generation) => generation,
            _ => 0,
        });
        let used: Vec<_> =
            plan.clusters[&World::id()].steps.iter().filter_map(Step::used).map(Resource::id).collect();
        for free in &plan.frees {
            let id = free.target.to_string();
            let of = generation(had.iter().find(|f| f.id.to_string() == id).unwrap());
            prop_assert!(of.is_some(), "only ours");
            prop_assert!(!used.contains(&id));
            if let FreeReason::Replaced { .. } = free.why {
                prop_assert!(had.iter().any(|f| f.phoned_home && generation(f) > of));
            } else {
                prop_assert_ne!(&id, &world.lock().values.firewall.as_ref().unwrap().id.to_string());
            }
        }
    }

    #[test]
    fn nothing_is_allocated_beside_one_that_may_come(drawn in any_world()) {
        let world = built(&drawn);
        let plan = world.plan();
        let Some((_, Slot::Firewall(next), _)) = plan.allocations().next() else { return Ok(()) };
        let had = &world.have.projects[&project_id()].firewalls;
        let ours = || had.iter().filter_map(|f| match f.tags.mark().filter(|m| m.is_of(&fleet_name()))?.slot {
            Slot::Firewall(generation) => Some((generation, f)),
            _ => None,
        });
        prop_assert!(drawn.2 || ours().any(|(_, f)| f.phoned_home), "outdated, or what took over is");
        let serving = ours().filter(|(_, f)| f.phoned_home).map(|(g, _)| g).max().unwrap().max(drawn.1);
        for (generation, firewall) in ours() {
            prop_assert!(*next > generation);
            let inputs = firewall.tags.get(tags::INPUTS);
            let is_wanted = inputs.is_none_or(|inputs| inputs == world.inputs().as_str());
            let is_young = world.now - firewall.created.unwrap().as_second() < 20 * 60;
            prop_assert!(!(generation > serving && is_wanted && is_young));
        }
        let generations: std::collections::BTreeSet<_> = ours().map(|(g, _)| g).collect();
        prop_assert!(generations.len() < 3);
    }

    #[test]
    fn the_order_of_lists_decides_nothing(drawn in any_world()) {
        let world = built(&drawn);
        let mut turned = built(&drawn);
        project(&mut turned.have).firewalls.reverse();
        prop_assert_eq!(format!("{:?}", world.plan().view()), format!("{:?}", turned.plan().view()));
        prop_assert_eq!(world.settled(vec![]), turned.settled(vec![]));
    }
}
