//! What happens to the firewall of a cluster that is refused, paused or held, and to one that is a person's.

use super::samples::*;
use super::world::{SHOP, World};
use model::definition::{AllowReplacement, FirewallMode, SlotMode};
use model::want::{Blocked, OrphanLock};
use model::{Origin, Reason};

const KEEP: &str = "keep firewall.1";

fn block(world: &mut World, reason: Reason) {
    let message = "the field is wrong".to_owned();
    world.want.clusters.get_mut(&World::id()).unwrap().blocked = Some(Blocked { reason, message });
}

/// Dead for 25 minutes in every reading.
fn dead() -> World {
    let mut world = World::new();
    world.first().alive = false;
    for _ in 0..6 {
        world.read_after(300);
    }
    world
}

fn note(world: &World) -> String {
    world.plan().clusters[&World::id()].notes.iter().map(|note| format!("{}: {}", note.reason, note.message)).collect()
}

#[test]
fn r4_never_and_a_new_image_of_the_policy_leave_no_dead_firewall() {
    let mut world = dead();
    world.resize("c1-large-x86");
    change(&mut world.want, SHOP, |e| e.allow_replacement.value = AllowReplacement::Never);
    block(&mut world, Reason::ReplacementNotAllowed);
    assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"]);
    assert!(world.plan().clusters[&World::id()].blocked.is_some());
    world.first().alive = true;
    world.read_after(300);
    assert_eq!((world.firewall(), note(&world)), (vec![KEEP.to_owned()], String::new()), "what is alive stays");
}

#[test]
fn r4_other_findings_replace_by_settings_that_are_known() {
    for reason in [Reason::InvalidDefinition, Reason::Immutable] {
        let mut world = dead();
        block(&mut world, reason);
        assert_eq!(world.firewall(), [KEEP, "allocate firewall.2"], "{reason}");
        world.resize("c1-large-x86");
        assert_eq!(world.firewall(), [KEEP], "{reason}");
        assert!(note(&world).contains("not replaced, because its definition is refused (the field is wrong)"));
    }
}

#[test]
fn only_findings_of_the_definition_heal() {
    type Case = (&'static str, fn(&mut World));
    let cases: &[Case] = &[
        ("paused", |w| block(w, Reason::Paused)),
        ("held", |w| block(w, Reason::HeldAfterRevert)),
        ("not listed", |w| block(w, Reason::ProjectNotListed)),
        ("fleet.yaml is refused", |w| w.want.fleet_is_refused = true),
        ("held by history", |w| _ = w.said.held.insert(World::id())),
        ("moved to another partition", |w| {
            let wanted = w.want.clusters.get_mut(&World::id()).unwrap();
            wanted.identity.partition = model::PartitionId::parse("muc-b").unwrap();
        }),
        ("not read", |w| {
            let (kind, why) = ("firewalls", model::metal::GapReason::Unreachable);
            w.have.gaps.push(model::metal::Gap { project: Some(project_id()), kind, why, message: String::new() });
        }),
        ("a person's firewall", |w| w.values().firewall.as_mut().unwrap().origin = Origin::Adopted),
    ];
    for (what, prepare) in cases {
        let mut world = dead();
        block(&mut world, Reason::InvalidDefinition);
        assert_eq!(world.firewall().len(), 2);
        prepare(&mut world);
        assert_eq!(world.firewall(), [] as [String; 0], "{what}");
        assert!(!world.plan().writes_metal(), "{what}");
    }
}

#[test]
fn r5_the_lock_of_a_refused_cluster_follows_by_its_firewall_alone() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    block(&mut world, Reason::InvalidDefinition);
    let settle = |world: &World| crate::settle(&world.want, &world.plan(), &<_>::default()).remove(&World::id());
    assert_eq!(settle(&world), None, "I4");
    world.add(2, 2, 60).phoned_home = true;
    assert_eq!(world.frees().len(), 1);
    let mut after = settle(&world).unwrap();
    let firewall = after.values.firewall.as_ref().unwrap();
    assert_eq!((&firewall.id, firewall.generation), (&machine_id(2), 2));
    after.values.firewall = world.lock().values.firewall.clone();
    assert_eq!(after, *world.lock());
    world.land(vec![]);
    assert_eq!(settle(&world), None);
}

#[test]
fn r5_two_live_firewalls_of_a_paused_or_held_cluster_are_told() {
    for reason in [Reason::Paused, Reason::HeldAfterRevert] {
        let mut world = World::new();
        world.add(2, 2, 60).phoned_home = true;
        block(&mut world, reason);
        world.said.held.extend((reason == Reason::HeldAfterRevert).then(World::id));
        assert_eq!((world.frees().len(), world.notes()), (0, vec![Reason::Duplicate]), "{reason}");
        assert!(note(&world).contains("two firewalls are live"));
        world.lose_first();
        assert_eq!(world.notes(), []);
    }
}

#[test]
fn r5_a_cluster_that_was_only_forgotten_keeps_one_firewall() {
    let mut world = World::new();
    world.add(2, 2, 60).phoned_home = true;
    let wanted = world.want.clusters.remove(&World::id()).unwrap();
    let orphan = OrphanLock { path: wanted.lock_path.clone(), lock: wanted.lock.unwrap(), removed: true };
    world.want.orphan_locks.insert(World::id(), orphan);
    assert_eq!(world.frees(), [format!("firewall.1 : replaced by {}", machine_id(2))]);
    project(&mut world.have).firewalls.last_mut().unwrap().phoned_home = false;
    assert_eq!(world.frees(), [] as [String; 0], "nothing else of it is touched");
}

#[test]
fn i2_a_firewall_that_a_person_took_over_is_not_freed_as_a_replaced_one() {
    let mut world = World::new();
    world.add(2, 2, 60).phoned_home = true;
    assert_eq!(world.frees().len(), 1);
    change(&mut world.want, SHOP, |e| {
        e.firewall.mode.value = FirewallMode::External;
        e.firewall.machine = Some(machine_id(0));
    });
    let firewall = world.values().firewall.as_mut().unwrap();
    (firewall.origin, firewall.generation) = (Origin::Adopted, 0);
    assert_eq!(world.frees(), [] as [String; 0], "the lock names it");
    world.values().firewall = None;
    assert_eq!(world.firewall(), [format!("use firewall.1 {} Adopted", machine_id(0))]);
    assert_eq!(world.frees(), [] as [String; 0], "the lock will name it");
}

#[test]
fn i12_what_was_handed_over_and_keeps_our_mark_is_told() {
    let mut world = World::new();
    change(&mut world.want, SHOP, |e| {
        e.vip.mode.value = SlotMode::Adopt;
        e.vip.address = Some("198.18.0.0".parse().unwrap());
    });
    assert_eq!(world.notes(), [Reason::Claimed]);
    world.land(vec![]);
    assert!(
        note(&world).contains("`198.18.0.0` is a person's and still carries this fleet's mark"),
        "as long as it does"
    );
    project(&mut world.have).ips[0].tags = model::Tags::new();
    assert!(!world.notes().contains(&Reason::Claimed));
}
