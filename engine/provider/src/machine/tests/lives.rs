//! Whole lives in the small world.

use super::fixture::*;
use super::world::{World, fresh};
use crate::step::{Memory, Rest};
use crate::{ConditionType, Reason, names};
use model::Tags;
use model::metal::Machine;
use std::time::Duration;

#[test]
fn from_nothing_to_running_to_nothing() {
    for is_control_plane in [false, true] {
        let mut o = ready();
        o.object = fresh();
        if is_control_plane {
            control_plane(&mut o);
        }
        let mut world = World::new(o.object);
        assert_eq!(world.settle(), Some(Rest::Interval));
        let object = world.object.clone().unwrap();
        assert!(object.status.as_ref().unwrap().ready);
        assert_eq!(condition(object.status.as_ref().unwrap(), ConditionType::Ready).1, Reason::Provisioned);
        assert!(!object.metadata.annotations.as_ref().unwrap().contains_key(names::BLOCK_MOVE));
        assert_eq!(world.ours().len(), 1);
        let writes = world.writes;
        world.memory = Memory::default();
        world.settle();
        assert_eq!(world.writes, writes, "steady state writes nothing, after a restart neither");

        world.with_cluster = false;
        world.delete();
        let began = world.now;
        assert_eq!(world.settle(), None);
        assert_eq!((world.ours().len(), world.freed.len()), (0, 1));
        let took = Duration::try_from(world.now.duration_since(began)).unwrap();
        assert_eq!(took >= Duration::from_secs(29), is_control_plane, "{took:?}");
    }
}

#[test]
fn r15_a_machine_that_vanished_is_never_replaced_under_its_object() {
    let mut world = World::new(fresh());
    world.settle();
    world.machines.clear();
    world.settle();
    let object = world.object.clone().unwrap();
    assert_eq!(condition(object.status.as_ref().unwrap(), ConditionType::Ready).1, Reason::DeletedExternally);
    world.settle();
    assert_eq!(world.allocated.len(), 1);
    world.delete();
    assert_eq!(world.settle(), None);
    assert!(world.freed.is_empty());
}

/// I1, I2: an answer that was given up came after the second allocation.
#[test]
fn i1_a_machine_that_came_late_is_freed_while_its_object_lives() {
    let mut world = World::new(fresh());
    world.settle();
    let serving = world.machines.values().next().unwrap().clone();
    let late = Machine { tags: serving.tags.clone(), hostname: serving.hostname.clone(), ..server(7) };
    world.machines.insert(id(7), Machine { created: Some(world.now), ..late });
    world.settle();
    assert_eq!(world.freed.iter().map(|m| &m.id).collect::<Vec<_>>(), [&id(7)]);
    assert_eq!(world.ours(), [&serving.id]);
    assert!(world.object.as_ref().unwrap().status.as_ref().unwrap().ready);
}

/// D14: `kubectl replace`, or a GitOps tool, with a manifest of before the allocation.
#[test]
fn d14_whatever_takes_out_the_provider_id_it_comes_back() {
    let mut world = World::new(fresh());
    world.settle();
    let written = world.object.as_ref().unwrap().spec.provider_id.clone();
    for keys in [&[][..], &[names::PROJECT], &[names::ALLOCATION], &[names::ATTEMPT]] {
        let mut o = ready();
        o.object = world.object.clone().unwrap();
        change(&mut o, |m| m.spec.provider_id = None);
        keys.iter().for_each(|key| annotate(&mut o, key, None));
        world.object = Some(o.object);
        world.settle();
        assert_eq!(world.object.as_ref().unwrap().spec.provider_id, written, "{keys:?}");
    }
    assert_eq!((world.allocated.len(), world.freed.len()), (1, 0));
}

#[test]
fn what_capms_had_allocated_is_taken_over_and_freed_and_nothing_is_allocated() {
    let mut o = ready();
    o.object = fresh();
    change(&mut o, |m| m.spec.provider_id = Some(provider_id(1)));
    let mut world = World::new(o.object);
    world.machines.insert(id(1), by_capms(1));
    world.machines.insert(id(2), Machine { tags: Tags::new(), ..server(2) });
    world.settle();
    assert!(world.allocated.is_empty() && world.freed.is_empty());
    world.with_cluster = false;
    world.delete();
    assert_eq!(world.settle(), None);
    assert_eq!(world.freed.iter().map(|m| &m.id).collect::<Vec<_>>(), [&id(1)]);
}
