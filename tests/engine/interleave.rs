//! The interleavings that make duplicates, driven by the call log and the fault switches (design, "Why one of each
//! holds").

use ferrofleet_tests::bed::{Bed, LIMIT, definition, folder};
use model::{Attempt, Slot, Tags, tags};
use serde_json::json;

const CLUSTER: &str = "default.shop";
const PROJECT: &str = "00000000-0000-0000-0000-000000000001";

fn bed_with_shop() -> Bed {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    bed.ada.push("A shop");
    bed
}

/// The tags another engine of this fleet would have put on a slot.
fn marked(slot: &Slot) -> Tags {
    let fleet = model::FleetName::parse("example").unwrap();
    let attempt = Attempt::parse("11111111-1111-4111-8111-111111111111").unwrap();
    tags::allocation_tags(&CLUSTER.parse().unwrap(), &fleet, slot, &attempt)
}

/// What another engine, late or lost, allocates.
fn allocate_network(bed: &Bed) -> String {
    let labels = marked(&Slot::Network).to_labels();
    let body = json!({"projectid": PROJECT, "partitionid": "muc-a", "labels": labels, "addressfamily": "IPv4"});
    bed.post("/v1/network/allocate", &body)["id"].as_str().unwrap().to_owned()
}

fn allocate_vip(bed: &Bed, tags: &Tags) -> String {
    let body = json!({"projectid": PROJECT, "networkid": "internet", "type": "static", "tags": tags.to_strings(), "addressfamily": "IPv4"});
    bed.post("/v1/ip/allocate", &body)["ipaddress"].as_str().unwrap().to_owned()
}

#[test]
fn a_late_insert_is_freed_because_the_lock_names_the_other() {
    let bed = bed_with_shop();
    let _ = bed.run_once().expect(0);
    let late_network = allocate_network(&bed);
    let late_vip = allocate_vip(&bed, &marked(&Slot::Vip));
    assert_eq!(bed.live(CLUSTER, "network").len(), 2);
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
    assert!(!bed.live(CLUSTER, "network").contains(&late_network));
    assert!(!bed.live(CLUSTER, "vip").contains(&late_vip));
}

#[test]
fn what_another_run_allocated_before_any_lock_is_used() {
    let bed = bed_with_shop();
    let (network, vip) = (allocate_network(&bed), allocate_vip(&bed, &marked(&Slot::Vip)));
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.live(CLUSTER, "network"), [network]);
    assert_eq!(bed.live(CLUSTER, "vip"), [vip]);
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
}

#[test]
fn of_two_created_at_the_same_time_one_is_locked_and_the_other_freed() {
    let bed = bed_with_shop();
    bed.sim.freeze();
    let both = [allocate_network(&bed), allocate_network(&bed)];
    bed.sim.unfreeze();
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
    assert_eq!(bed.live(CLUSTER, "network"), [both.iter().min().unwrap().clone()]);
}

#[test]
fn a_duplicate_network_with_a_machine_in_it_is_reported_and_kept() {
    let bed = bed_with_shop();
    let _ = bed.run_once().expect(0);
    let late = allocate_network(&bed);
    let body = json!({
        "projectid": PROJECT, "partitionid": "muc-a", "sizeid": "n1-medium-x86", "imageid": "capms-ubuntu-1.34.2",
        "networks": [{"networkid": late, "autoacquire": true}], "name": "m", "hostname": "m", "tags": [],
    });
    bed.post("/v1/machine/allocate", &body);
    let ran = bed.run_once();
    assert_eq!(bed.live(CLUSTER, "network").len(), 2, "never freed: a machine lives in it");
    assert!(ran.stderr.contains("a machine lives in it") || ran.stdout.contains("a machine lives in it"), "{ran:?}");
}

#[test]
fn r6_a_vip_by_hand_is_claimed_and_nothing_is_allocated_beside_it() {
    let bed = bed_with_shop();
    let by_hand = Tags::new().with(tags::CLUSTER_ID, CLUSTER).with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
    allocate_vip(&bed, &by_hand);
    bed.sim.forget_calls();
    let ran = bed.run_once().expect(1);
    assert!(ran.stdout.contains("Claimed"), "{}", ran.stdout);
    assert_eq!(bed.writes(), Vec::<String>::new());
    assert!(!bed.remote.paths().iter().any(|p| p.starts_with("rendered/")));
}

#[test]
fn restarted_between_allocation_and_lock_the_values_are_found() {
    let bed = bed_with_shop();
    bed.remote.hook("update", "#!/bin/sh\ncase $1 in refs/heads/main) echo 'closed for today' >&2; exit 1;; esac\n");
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains("closed for today"), "{}", ran.stderr);
    let before = bed.live(CLUSTER, "network");
    assert_eq!(before.len(), 1);
    bed.remote.remove_hook("update");
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.live(CLUSTER, "network"), before);
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
}

#[test]
fn a_free_of_a_duplicate_whose_reply_is_lost_is_not_repeated_blindly() {
    let bed = bed_with_shop();
    let _ = bed.run_once().expect(0);
    allocate_vip(&bed, &marked(&Slot::Vip));
    bed.sim.forget_calls();
    bed.sim.set_faults(json!([{"method": "DELETE", "path": "*/ip/free/*", "times": 1, "effect": "dropAfter"}]));
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
    let frees = bed.writes().into_iter().filter(|w| w.contains("/ip/free/")).count();
    assert_eq!(frees, 1);
}

#[test]
fn r15_a_copy_of_a_fleet_writes_nothing() {
    let bed = bed_with_shop();
    let _ = bed.run_once().expect(0);
    let copy = ferrofleet_tests::repo::Bare::init(&bed.path().join("copy.git"), &bed.home());
    let eve = copy.person("eve", &bed.path().join("eve-home"));
    for path in ["fleet.yaml", "policies/default.yaml"] {
        eve.write(path, &bed.ada.read(path));
    }
    eve.write(&format!("{}/cluster.yaml", folder("other")), &definition("other"));
    eve.push("A copy with the same fleet name");
    bed.sim.forget_calls();
    let url = copy.url();
    let args = ["run", "--repo", &url, "--once", "--claim-time", "1s"];
    let ran = ferrofleet_tests::binary::Process::spawn(&mut bed.command(&args)).finish(LIMIT).expect(1);
    assert!(ran.stdout.contains("Suspect"), "{}", ran.stdout);
    assert_eq!(bed.writes(), Vec::<String>::new());
}
