//! Whatever fails, and whatever objects and tags say: at most one machine, no leak, nothing of others, and an end.

use super::fixture::*;
use super::world::{Fault, World, fresh};
use crate::machine::observed::Observed;
use crate::names;
use model::metal::{Machine, MachineRole, MachineState};
use model::{ProjectId, Tags, tags};
use proptest::prelude::*;

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::Nothing),
        2 => Just(Fault::CrashBefore),
        2 => Just(Fault::CrashAfter),
        1 => Just(Fault::Refused),
        // Shorter than `settle`, as every call is.
        2 => proptest::option::of(0..25_u8).prop_map(Fault::Silent),
    ]
}

const OTHER_ATTEMPT: &str = "00000000-93d4-4a51-9a3e-6c7c9d0f1b11";

fn of<T: Clone + std::fmt::Debug + 'static>(all: &[T]) -> impl Strategy<Value = T> + use<T> {
    proptest::sample::select(all.to_vec())
}

/// A machine that may say anything of itself.
fn stranger(n: u32) -> impl Strategy<Value = Machine> {
    let key = |key: &'static str, values: &[&'static str]| {
        let values: Vec<Option<&str>> = values.iter().copied().map(Some).chain([None]).collect();
        of(&values).prop_map(move |value| value.map(|value| (key, value)))
    };
    let tags = (
        key(tags::MACHINE_RESOURCE, &["default.shop-1", "default.shop-1", "default.shop-2"]),
        key(tags::MANAGED_BY, &["provider", "engine"]),
        key(tags::ATTEMPT, &[ATTEMPT, OTHER_ATTEMPT]),
        key(tags::PURPOSE, &["control-plane"]),
    );
    let role = of(&[MachineRole::Machine, MachineRole::Machine, MachineRole::Firewall]);
    let state = of(&[MachineState::Available, MachineState::Locked]);
    (tags, of(&[PROJECT, OTHER_PROJECT]), role, state).prop_map(move |((a, b, c, d), project, role, state)| Machine {
        tags: [a, b, c, d].into_iter().flatten().fold(Tags::new(), |tags, (key, value)| tags.with(key, value)),
        project: ProjectId::parse(project).unwrap(),
        role,
        state,
        ..server(n)
    })
}

/// An object that may say anything.
fn hostile() -> impl Strategy<Value = (Observed, bool)> {
    let provider_ids = [
        None,
        Some(String::new()),
        Some(provider_id(1)),
        Some(provider_id(2)),
        Some(format!("metal:///{}", id(3))),
        Some("metal://muc-a/x".to_owned()),
        Some("aws:///i-1".to_owned()),
    ];
    let annotations = (
        of(&[None, Some(ATTEMPT), Some(OTHER_ATTEMPT), Some("x")]),
        of(&[None, Some(PROJECT), Some(OTHER_PROJECT), Some("x")]),
        of(&[None, Some("allocation-1"), Some("allocation-2"), Some("x")]),
        of(&[None, None, Some(names::ADOPTED)]),
    );
    (of(&provider_ids), annotations, any::<bool>(), any::<bool>()).prop_map(|(id, annotations, plane, cluster)| {
        let mut o = ready();
        change(&mut o, |object| object.spec.provider_id = id);
        let (attempt, project, allocation, origin) = annotations;
        let keys = [names::ATTEMPT, names::PROJECT, names::ALLOCATION, names::ORIGIN];
        for (key, value) in keys.into_iter().zip([attempt, project, allocation, origin]) {
            annotate(&mut o, key, value);
        }
        if plane {
            control_plane(&mut o);
        }
        (o, cluster)
    })
}

proptest! {
    /// I1, I2; D4, D6: each step may be the last one of the process, each answer may be lost.
    #[test]
    fn i1_i2_one_machine_and_no_leak_whatever_fails(
        faults in proptest::collection::vec(fault(), 0..24),
        faults_at_the_end in proptest::collection::vec(fault(), 0..12),
        deleted_after in proptest::option::of(1..6_usize),
        plane in any::<bool>(),
    ) {
        let mut o = ready();
        o.object = fresh();
        if plane {
            control_plane(&mut o);
        }
        let mut world = World::new(o.object);
        world.faults = faults.into();
        match deleted_after {
            None => {
                world.settle();
                prop_assert_eq!(world.ours().len(), 1);
                prop_assert_eq!(world.allocated.len(), 1);
                prop_assert!(world.object.as_ref().unwrap().status.as_ref().unwrap().ready);
            }
            Some(passes) => world.passes(passes),
        }
        world.faults.extend(faults_at_the_end);
        world.delete();
        prop_assert_eq!(world.settle(), None);
        world.later();
        prop_assert!(world.ours().is_empty(), "leaked {:?}", world.ours());
        prop_assert!(world.allocated.len() <= 1);
    }

    /// D13: whatever the object says, only what is its own is freed, and at most one machine is allocated.
    #[test]
    fn d13_nothing_of_others_is_freed_whatever_objects_say(
        (o, with_cluster) in hostile(),
        strangers in (stranger(1), stranger(2), stranger(3)),
        faults in proptest::collection::vec(fault(), 0..12),
        deleted in any::<bool>(),
    ) {
        let attempt = o.attempt().map(str::to_owned);
        let named = o.provider_id().and_then(crate::control::server);
        let mut world = World::new(o.object.clone());
        world.with_cluster = with_cluster;
        for machine in [strangers.0, strangers.1, strangers.2] {
            world.machines.insert(machine.id.clone(), machine);
        }
        world.faults = faults.into();
        if !deleted {
            world.settle();
            // Before the object is deleted only what came late of its own attempt.
            for machine in &world.freed {
                prop_assert!(world.object.as_ref().is_some_and(|object| object.spec.provider_id.is_some()));
                prop_assert_eq!(machine.tags.get(tags::ATTEMPT), attempt.as_deref());
                prop_assert_ne!(Some(&machine.id), named.as_ref());
            }
        }
        world.delete();
        // A locked machine, or a project that is not allowed, keeps the object: that is a rest as well.
        world.settle();
        prop_assert!(world.allocated.len() <= 1);
        for machine in world.freed.iter().filter(|machine| !world.allocated.contains(&machine.id)) {
            let says = |key, value: &str| machine.tags.get(key) == Some(value);
            prop_assert_eq!(machine.project.as_str(), PROJECT);
            prop_assert!(says(tags::MACHINE_RESOURCE, "default.shop-1") && !says(tags::MANAGED_BY, "engine"));
            prop_assert_eq!(machine.role, MachineRole::Machine);
            let by_mark = says(tags::MANAGED_BY, "provider") && machine.tags.get(tags::ATTEMPT) == attempt.as_deref();
            let noted = o.allocation() == Some(machine.allocation.as_str()) && o.provider_id().is_none();
            prop_assert!(by_mark || noted || named.as_ref() == Some(&machine.id));
            prop_assert!(by_mark || !o.is_adopted());
        }
    }
}
