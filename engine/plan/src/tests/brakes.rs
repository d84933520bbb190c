//! What keeps firewalls from being replaced more often, or more at once, than anybody wanted.

use super::samples::*;
use super::world::{INTERVAL, SHOP, World};
use crate::{Plan, Setting as Run, Unknown, plan};
use model::metal::{MachineNetwork, MachineNetworkKind};
use model::patch::{Patch, PatchOp, PatchOperation, PatchTarget};
use model::want::{Effective, Origin, Setting, firewall_inputs};
use model::{Digest, Reason, Seconds, tags};

const KEEP: &str = "keep firewall.1";

fn on_its_way(world: &mut World, n: u32, age: i64, inputs: Digest) {
    let machine = world.add(n, n, age);
    machine.tags = machine.tags.clone().with(tags::INPUTS, inputs);
}

fn unwanted(n: u32) -> String {
    format!("firewall.{n} {n}: it never phoned home, and was made from settings that nobody wants any more")
}

#[test]
fn a_change_that_was_taken_back_costs_no_outage() {
    let mut world = World::new();
    on_its_way(&mut world, 2, 60, Digest::of_bytes(b"B"));
    world.values().firewall.as_mut().unwrap().successor = Some(super::firewall::successor(2, 2));
    assert_eq!((world.firewall(), world.frees()), (vec![KEEP.to_owned()], vec![unwanted(2)]));
    world.land(vec![]);
    assert_eq!(world.lock().values.firewall.as_ref().unwrap().successor, None);
    assert_eq!(world.settled(vec![]), *world.lock(), "I4");
}

#[test]
fn a_correction_waits_for_nobodys_console() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    on_its_way(&mut world, 2, 2 * 3600, Digest::of_bytes(b"typo"));
    assert_eq!((world.firewall().len(), world.frees()), (2, vec![unwanted(2)]), "however old it is");
    on_its_way(&mut world, 3, 60, Digest::of_bytes(b"typo"));
    assert_eq!(world.firewall(), [KEEP], "never more than three");
    assert_eq!(world.frees(), [unwanted(3), unwanted(2)]);
    project(&mut world.have).firewalls.truncate(1);
    assert_eq!(world.firewall()[1], "allocate firewall.2");
}

#[test]
fn while_nothing_serves_one_that_may_still_come_is_let() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    world.first().alive = false;
    on_its_way(&mut world, 2, 60, Digest::of_bytes(b"B"));
    assert_eq!((world.firewall().last().unwrap().as_str(), world.frees().len()), ("allocate firewall.3", 0));
    world.at(world.now + 1800);
    assert_eq!(world.frees(), [unwanted(2)]);
    world.lose_first();
    assert_eq!(world.frees(), [] as [String; 0], "it may be all there is");
}

#[test]
fn what_serves_or_is_of_unknown_or_wanted_settings_is_never_unwanted() {
    let mut world = World::new();
    on_its_way(&mut world, 2, 60, Digest::of_bytes(b"B"));
    let machine = project(&mut world.have).firewalls.last_mut().unwrap();
    machine.tags = machine.tags.without(|key, _| key == tags::INPUTS);
    assert_eq!(world.frees(), [] as [String; 0]);
    let inputs = world.inputs();
    let machine = project(&mut world.have).firewalls.last_mut().unwrap();
    machine.tags = machine.tags.clone().with(tags::INPUTS, inputs);
    assert_eq!(world.frees(), [] as [String; 0]);
    machine_serves(&mut world);
    assert_eq!(world.frees(), [format!("firewall.1 : replaced by {}", machine_id(2))]);
}

fn machine_serves(world: &mut World) {
    let machine = project(&mut world.have).firewalls.last_mut().unwrap();
    machine.phoned_home = true;
    machine.tags = machine.tags.clone().with(tags::INPUTS, Digest::of_bytes(b"B"));
}

#[test]
fn a_default_that_is_written_out_or_left_out_replaces_nothing() {
    type Case = (&'static str, fn(&mut Effective), bool);
    let written = |effective: &mut Effective| {
        effective.firewall.mode = Setting::new(effective.firewall.mode.value, Origin::Definition);
        effective.firewall.base_rules = Setting::new(true, Origin::Overlay);
        effective.api_port = Setting::new(effective.api_port.value, Origin::Definition);
    };
    let cases: &[Case] = &[
        ("mode, presets and port written out", written, true),
        ("networks in another order", |e| e.firewall.networks.value.reverse(), true),
        ("egress in another order", |e| e.firewall.egress.reverse(), true),
        ("without the presets", |e| e.firewall.base_rules = Setting::new(false, Origin::Definition), false),
        (
            "another port",
            |e| e.api_port = Setting::new(model::rules::Port::new(6443).unwrap(), Origin::Definition),
            false,
        ),
        ("one network less", |e| _ = e.firewall.networks.value.pop(), false),
    ];
    let several = |effective: &mut Effective| {
        effective.firewall.networks = Setting::new(vec![id("internet"), id("mpls"), id("dmz")], Origin::Policy);
        effective.firewall.egress = vec![id("internet"), id("mpls")];
    };
    for (what, to, is_same) in cases {
        for back in [false, true] {
            let mut effective = super::samples::effective();
            several(&mut effective);
            let mut other = effective.clone();
            to(&mut other);
            let (made, wanted) = if back { (other, effective) } else { (effective, other) };
            assert_ne!(firewall_inputs(&made), firewall_inputs(&wanted), "{what}: digests tell them apart");
            assert_eq!(model::want::is_firewall_of(&wanted, &firewall_inputs(&made)), *is_same, "{what}");
        }
    }
    let mut world = World::new();
    change(&mut world.want, SHOP, written);
    assert_eq!(world.firewall(), [KEEP]);
    world.land(vec![]);
    assert_eq!(world.firewall(), [KEEP], "also when the output went on");
}

#[test]
fn one_that_stands_wrong_right_after_its_allocation_is_not_replaced_within_the_hour() {
    let mut world = World::new();
    let primary = MachineNetworkKind::PrivatePrimaryUnshared;
    world.first().networks = vec![MachineNetwork { network: id("n9"), kind: primary, ips: vec![] }];
    assert_eq!(world.firewall().len(), 2);
    world.first().created = Some(time(world.now - 60));
    assert_eq!((world.firewall(), world.notes()), (vec![KEEP.to_owned()], vec![Reason::FirewallReplacing]));
    world.resize("c1-large-x86");
    assert_eq!(world.firewall().len(), 2, "a person's change waits for no hour");
    world.at(world.now + 3600);
    assert_eq!(world.firewall().len(), 2);
}

#[test]
fn an_outage_of_the_observer_replaces_nothing_that_is_outdated_either() {
    let mut world = World::with(&[SHOP, "default.a", "default.b", "default.c"]);
    world.resize("c1-large-x86");
    assert_eq!(world.firewall().len(), 2);
    for _ in 0..6 {
        project(&mut world.have).firewalls.iter_mut().for_each(|f| f.alive = false);
        world.read_after(i64::try_from(INTERVAL.as_secs()).unwrap());
    }
    assert_eq!(world.firewall(), [KEEP]);
}

#[test]
fn one_commit_to_a_policy_replaces_a_few_firewalls_at_a_time() {
    let names: Vec<String> = (0..20).map(|n| format!("default.c{n:02}")).chain([SHOP.to_owned()]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = World::with(&names);
    let size = |e: &mut Effective| {
        e.firewall.size = Setting::new(model::SizeId::parse("c1-large-x86").unwrap(), Origin::Policy);
    };
    names.iter().for_each(|name| change(&mut world.want, name, size));
    let plan = world.plan();
    assert_eq!(allocated(&plan), names[..4], "a fifth of 21");
    assert!(plan.clusters[&World::id()].notes[0].message.contains("at most 4 are at once; it waits"));

    // They are on their way: it stays at four. One phones home, one dies: two others.
    for (n, name) in names[..4].iter().enumerate() {
        let mut machine = firewall(u32::try_from(100 + n).unwrap(), name, 2, world.now - 60);
        machine.tags = machine.tags.with(tags::INPUTS, world.inputs());
        project(&mut world.have).firewalls.push(machine);
    }
    assert_eq!(allocated(&world.plan()), [] as [&str; 0]);
    project(&mut world.have).firewalls[21].phoned_home = true;
    project(&mut world.have).firewalls[22].created = Some(time(world.now - 1800));
    let landed = world.plan();
    let locks = crate::settle(&world.want, &landed, &<_>::default());
    for (id, lock) in locks {
        world.want.clusters.get_mut(&id).unwrap().lock = Some(lock.into());
    }
    assert_eq!(allocated(&world.plan()), [names[1], names[4]]);

    // What is dead waits for no brake.
    project(&mut world.have).firewalls[20].alive = false;
    assert!(allocated(&world.plan()).contains(&SHOP.to_owned()));
}

fn allocated(plan: &Plan) -> Vec<String> {
    plan.allocations().map(|(id, _, _)| id.to_string()).collect()
}

#[test]
fn a_short_health_timeout_does_not_make_an_installation_late() {
    let mut world = World::new();
    world.resize("c1-large-x86");
    change(&mut world.want, SHOP, |e| e.firewall.health_timeout.value = Seconds::minutes(5));
    world.add(2, 2, 20 * 60);
    assert!(!world.plan().writes_metal());
    world.at(world.now + 600);
    assert_eq!(world.plan().allocations().count(), 1);
}

#[test]
fn a_patch_that_the_firewall_never_saw_is_no_reason_to_replace_it() {
    let patch = |path: &str| model::want::SourcedPatch {
        file: String::new(),
        field: String::new(),
        patch: Patch {
            target: PatchTarget { api_version: None, kind: "MetalStackFirewallTemplate".to_owned(), name: None },
            json: Some(vec![PatchOperation { op: PatchOp::Remove, path: path.to_owned(), from: None, value: None }]),
            merge: None,
            force: false,
        },
    };
    let mut world = World::new();
    world.values().firewall.as_mut().unwrap().inputs = None;
    change(&mut world.want, SHOP, |e| e.patches = vec![patch("/spec/size")]);
    world.land(vec![]);
    change(&mut world.want, SHOP, |e| e.patches = vec![patch("/spec/networks")]);
    assert_eq!(world.firewall(), [KEEP]);
    world.land(vec![]);
    assert_eq!(world.firewall(), [KEEP]);
}

#[test]
fn what_a_definition_that_is_there_may_use_is_neither_left_over_nor_an_orphan() {
    let own = |world: &mut World| {
        let mut own = network("n7", "default.broken", world.now - 10);
        own.labels = own.labels.with(tags::ATTEMPT, attempt());
        project(&mut world.have).networks.push(own);
    };
    let mut world = World::new();
    own(&mut world);
    assert_eq!(world.plan().frees.len(), 1);
    world.want.unresolved.any = Some("not all definitions were read".to_owned());
    let plan = world.plan();
    assert_eq!((plan.frees.len(), plan.orphans.len()), (0, 1));
    world.want.unresolved.names.insert("broken".to_owned(), "broken/cluster.yaml".to_owned());
    let plan = world.plan();
    assert_eq!((plan.frees.len(), plan.orphans.len(), plan.suspect.len()), (0, 0, 0));

    // Nor, for another process, a sign of a copy.
    let machine = attempt();
    let (other, unknown) = (model::Attempt::parse("00000000-0000-4000-8000-000000000001").unwrap(), Unknown::default());
    assert_ne!(machine, other);
    let setting: Run<'_> = unknown.setting(&other, time(world.now));
    assert!(plan_is_sound(&plan_with(&world, &setting)));
    world.want.unresolved.names.clear();
    assert!(!plan_is_sound(&plan_with(&world, &setting)));
}

fn plan_with(world: &World, setting: &Run<'_>) -> Plan {
    plan(&world.want, &world.have, setting)
}

fn plan_is_sound(plan: &Plan) -> bool {
    plan.suspect.is_empty()
}
