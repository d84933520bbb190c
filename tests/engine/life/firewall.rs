//! The engine's firewall is replaced: the old one serves until the new one has phoned home, whatever happens meanwhile.

use super::{CLUSTER, bed_with_shop, change_shop, fault, lock, plan, start};
use ferrofleet_tests::bed::{Bed, LIMIT, definition};
use metal_sim::MachineIncident;
use serde_json::{Value, json};

const RULES: &str =
    "  firewall:\n    rules:\n      egress: [{protocol: TCP, ports: [8443], to: [192.0.2.0/24], comment: more}]\n";

/// A shop whose firewall has phoned home; its id.
fn bed_that_serves() -> (Bed, String) {
    let bed = bed_with_shop();
    bed.until_phoned_home();
    let id = serving(&bed);
    (bed, id)
}

fn serving(bed: &Bed) -> String {
    lock(bed)["values"]["firewall"]["id"].as_str().unwrap().to_owned()
}

fn reference(bed: &Bed) -> String {
    bed.remote.read("rendered/mgmt/default/shop/infrastructure.yaml")
}

fn dies(bed: &Bed, id: &str) {
    let incident = MachineIncident { liveliness: Some("Dead".into()), ..MachineIncident::default() };
    bed.sim.machine_incident(id, &incident).unwrap();
}

/// Runs until one firewall is left, and it is another one.
#[track_caller]
fn until_replaced(bed: &Bed, old: &str) {
    bed.sim.set_faults(json!([]));
    bed.until("the firewall is replaced", |bed| {
        let _ = bed.run_once();
        bed.live(CLUSTER, "firewall").len() == 1 && serving(bed) != old
    });
    let new = serving(bed);
    assert_eq!(bed.live(CLUSTER, "firewall"), std::slice::from_ref(&new));
    assert!(reference(bed).contains(&new) && !reference(bed).contains(old));
    assert_eq!(lock(bed)["values"]["firewall"]["generation"], 2);
    assert_eq!(lock(bed)["values"]["firewall"]["successor"], Value::Null);
    let tip = bed.remote.tip();
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.tip(), tip, "I4");
}

#[test]
fn r5_a_changed_rule_gives_another_firewall_and_the_old_one_goes_when_that_has_phoned_home() {
    let (bed, old) = bed_that_serves();
    change_shop(&bed, RULES, "One more rule");
    let planned = plan(&bed).expect(2);
    assert!(planned.stdout.contains("firewall.2"), "{}", planned.stdout);
    let _ = bed.run_once().expect(0);
    // Both are shown, the old one serves.
    assert_eq!(serving(&bed), old);
    assert_eq!(lock(&bed)["values"]["firewall"]["successor"]["generation"], 2);
    assert!(reference(&bed).contains(&old));
    assert_eq!(bed.live(CLUSTER, "firewall").len(), 2);
    until_replaced(&bed, &old);
}

#[test]
fn a_refused_allocation_leaves_the_old_firewall_serving() {
    let (bed, old) = bed_that_serves();
    change_shop(&bed, RULES, "One more rule");
    bed.sim.set_faults(
        json!([{"path": "*/firewall/allocate", "effect": {"status": 422, "message": "no machine available"}}]),
    );
    let _ = bed.run_once();
    assert_eq!((serving(&bed), bed.live(CLUSTER, "firewall")), (old.clone(), vec![old.clone()]));
    until_replaced(&bed, &old);
}

#[test]
fn i1_each_reply_of_a_replacement_is_lost_once() {
    for effect in ["dropBefore", "dropAfter", "hangAfter"] {
        eprintln!("firewall/allocate, {effect}");
        let (bed, old) = bed_that_serves();
        change_shop(&bed, RULES, "One more rule");
        fault(&bed, "POST", "*/firewall/allocate", 1, &json!(effect));
        let _ = bed.run_once();
        until_replaced(&bed, &old);
    }
}

#[test]
fn i1_killed_at_each_step_of_a_replacement() {
    for (path, effect) in [
        ("*/firewall/allocate", "hang"),
        ("*/firewall/allocate", "hangAfter"),
        ("*/machine/*/free", "hang"),
        ("*/machine/*/free", "hangAfter"),
    ] {
        eprintln!("killed in {path}, {effect}");
        let (bed, old) = bed_that_serves();
        change_shop(&bed, RULES, "One more rule");
        bed.sim.set_faults(json!([{"path": path, "times": 1, "effect": effect}]));
        bed.sim.forget_calls();
        let engine = start(&bed, &[]);
        let wanted = path.rsplit('/').next().unwrap();
        bed.until("the call was made", |bed| {
            bed.sim.calls().iter().any(|c| c.path.ends_with(wanted) && c.method != "GET")
        });
        engine.kill();
        until_replaced(&bed, &old);
    }
}

#[test]
fn i1_two_engines_that_replace_at_once_end_with_one() {
    let (bed, old) = bed_that_serves();
    change_shop(&bed, RULES, "One more rule");
    let engines = [start(&bed, &[]), start(&bed, &[])];
    bed.until("one firewall is left, and it is the new one", |bed| {
        bed.live(CLUSTER, "firewall").len() == 1 && serving(bed) != old
    });
    for engine in engines {
        engine.signal("TERM");
        let _ = engine.finish(LIMIT);
    }
    until_replaced(&bed, &old);
}

#[test]
fn r4_a_dead_firewall_is_replaced_and_not_again_within_the_hour() {
    // Its clock will be ahead of ours, which metal-api would refuse.
    let mut landscape = metal_sim::Landscape::default();
    landscape.auth.admin_lifetime = std::time::Duration::ZERO.try_into().unwrap();
    let bed = Bed::with_landscape(landscape);
    super::write_shop(&bed.ada, &format!("{}  firewall: {{healthTimeout: 1s}}\n", definition("shop")));
    bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    bed.until_phoned_home();
    let old = serving(&bed);
    // By metal-api's clock it serves since two hours.
    let later = serde_json::from_value(json!({"advance": "2h"})).unwrap();
    bed.sim.change_clock(&later).unwrap();
    dies(&bed, &old);
    let engine = start(&bed, &[]);
    bed.until("it is replaced", |bed| bed.live(CLUSTER, "firewall").len() == 1 && serving(bed) != old);
    let new = serving(&bed);
    dies(&bed, &new);
    bed.until("the engine says that it is dead and waits", |bed| {
        let shown = super::command(bed, &["status", "shop"]);
        shown.stdout.contains("FirewallUnhealthy") || shown.stdout.contains("Dead") || shown.stdout.contains("dead")
    });
    assert_eq!(bed.live(CLUSTER, "firewall"), [new]);
    engine.signal("TERM");
    let _ = engine.finish(LIMIT);
}
