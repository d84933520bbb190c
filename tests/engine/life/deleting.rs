//! The end of a cluster: two commits, phases that wait for each other, and nothing left but what people supplied.

use super::{
    CLUSTER, bed_with_nothing, bed_with_shop, change_shop, command, fault, fleet, has_lock, lock, marked, plan,
    remove_shop, start, write_shop,
};
use ferrofleet_tests::bed::{Bed, LIMIT, definition, folder};
use serde_json::{Value, json};

const CONFIRM: &str = "  deletion: {confirm: shop}\n";
const OUTPUT: &str = "rendered/mgmt/default/shop";

fn output(bed: &Bed) -> Vec<String> {
    bed.remote.paths().into_iter().filter(|path| path.starts_with(OUTPUT)).collect()
}

/// Confirmed and seen by the engine, then removed.
fn removed(bed: &Bed) {
    change_shop(bed, CONFIRM, "The shop closes");
    let _ = bed.run_once().expect(0);
    remove_shop(bed);
}

/// Runs until nothing of the shop is left anywhere.
#[track_caller]
fn until_gone(bed: &Bed) {
    bed.sim.set_faults(json!([]));
    bed.until("the shop is gone", |bed| {
        let _ = bed.run_once();
        marked(bed, CLUSTER).is_empty() && !has_lock(bed)
    });
    assert_eq!(output(bed), Vec::<String>::new());
    let tip = bed.remote.tip();
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.tip(), tip, "I4");
    assert_eq!(bed.remote.claims(), Vec::<String>::new());
}

#[test]
fn i2_a_deletion_in_two_commits_gives_everything_back() {
    let bed = bed_with_shop();
    change_shop(&bed, CONFIRM, "The shop closes");
    let _ = bed.run_once().expect(0);
    assert_eq!(lock(&bed)["deletion"]["phase"], "confirmed");
    let infrastructure = || bed.remote.read(&format!("{OUTPUT}/infrastructure.yaml"));
    let documents: Vec<Value> = infrastructure().split("\n---\n").map(|d| serde_yaml::from_str(d).unwrap()).collect();
    for document in &documents {
        let guarded = document["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled";
        let kind = document["kind"].as_str().unwrap();
        let is_deleted_by_cluster_api = ["MetalStackCluster", "MetalStackFirewallDeployment"].contains(&kind);
        assert_eq!(guarded, is_deleted_by_cluster_api, "{kind}");
    }
    assert_eq!(marked(&bed, CLUSTER).len(), 3, "nothing is freed while the definition is there");

    remove_shop(&bed);
    let planned = plan(&bed);
    assert!(planned.stdout.contains("default.shop"), "{}", planned.stdout);
    until_gone(&bed);
    let log = bed.remote.git(["log", "--format=%B", "main"]);
    assert_eq!(log.matches("Fleet-Freed: default.shop ").count(), 3, "{log}");
}

#[test]
fn a_confirmation_can_be_taken_back() {
    let bed = bed_with_shop();
    let before = bed.remote.git(["rev-parse", &format!("main:{OUTPUT}")]);
    change_shop(&bed, CONFIRM, "The shop closes");
    let _ = bed.run_once().expect(0);
    assert_ne!(bed.remote.git(["rev-parse", &format!("main:{OUTPUT}")]), before);
    change_shop(&bed, "", "It does not");
    let _ = bed.run_once().expect(0);
    assert_eq!(lock(&bed)["deletion"], Value::Null);
    assert_eq!(bed.remote.git(["rev-parse", &format!("main:{OUTPUT}")]), before);
}

#[test]
fn i9_a_confirmation_that_no_engine_saw_deletes_nothing() {
    let bed = bed_with_shop();
    change_shop(&bed, CONFIRM, "The shop closes");
    remove_shop(&bed);
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains("definition-removed") || ran.stderr.contains("DefinitionRemoved"), "{}", ran.stderr);
    assert_eq!(marked(&bed, CLUSTER).len(), 3);
    assert!(!output(&bed).is_empty());
}

#[test]
fn a_wrong_name_and_a_protected_cluster_are_refused() {
    for (more, word) in
        [("  deletion: {confirm: shopp}\n", "shop"), ("  deletion: {confirm: shop, protect: true}\n", "protect")]
    {
        let bed = bed_with_shop();
        change_shop(&bed, more, "The shop closes");
        let ran = bed.run_once().expect(1);
        assert!(ran.stderr.contains("deletion-confirm") && ran.stderr.contains(word), "{}", ran.stderr);
        assert_eq!(lock(&bed)["deletion"], Value::Null);
    }
}

#[test]
fn r25_the_vip_is_held_and_phases_wait() {
    let bed = Bed::new();
    fleet(&bed, "  deletion: {vipHold: 1h, syncDelay: 0s}\n");
    write_shop(&bed.ada, &definition("shop"));
    bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    removed(&bed);
    bed.until("the firewall is freed", |bed| {
        let _ = bed.run_once().expect(0);
        bed.live(CLUSTER, "firewall").is_empty()
    });
    let ran = bed.run_once().expect(0);
    assert!(ran.stdout.contains("Deleting"), "{}", ran.stdout);
    assert_eq!((bed.live(CLUSTER, "vip").len(), bed.live(CLUSTER, "network").len()), (1, 1));
    assert_eq!(lock(&bed)["values"]["firewall"], Value::Null);
    let shown = command(&bed, &["status"]).expect(0);
    assert!(shown.stdout.contains("shop") && shown.stdout.contains("Deleting"), "{}", shown.stdout);
}

#[test]
fn r2_without_access_a_phase_waits_for_the_delay() {
    let bed = Bed::new();
    fleet(&bed, "  deletion: {vipHold: 0s, syncDelay: 1h}\n");
    write_shop(&bed.ada, &definition("shop"));
    bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    removed(&bed);
    let _ = bed.run_once().expect(0);
    assert_eq!(lock(&bed)["deletion"]["phase"], "confirmed");
    assert!(output(&bed).contains(&format!("{OUTPUT}/control-plane.yaml")));
    assert_eq!(marked(&bed, CLUSTER).len(), 3);
}

#[test]
fn r25_a_machine_in_the_network_is_waited_for_and_named() {
    let bed = bed_with_shop();
    let network = lock(&bed)["values"]["nodeNetwork"]["id"].as_str().unwrap().to_owned();
    let machine = bed.post(
        "/v1/machine/allocate",
        &json!({"name": "worker", "hostname": "worker", "projectid": "00000000-0000-0000-0000-000000000001",
            "partitionid": "muc-a", "sizeid": "c1-large-x86", "imageid": "capms-ubuntu-1.34.2",
            "networks": [{"networkid": network, "autoacquire": true}], "tags": ["cluster.metal-stack.io/id=default.shop"]}),
    );
    let id = machine["id"].as_str().unwrap().to_owned();
    removed(&bed);
    bed.until("it waits for the machine", |bed| {
        let ran = bed.run_once().expect(0);
        ran.stdout.contains(&id) || command(bed, &["status", "shop"]).stdout.contains(&id)
    });
    assert_eq!(marked(&bed, CLUSTER).len(), 3);
    bed.delete(&format!("/v1/machine/{id}/free"));
    until_gone(&bed);
}

#[test]
fn i2_what_a_person_supplied_stays() {
    let bed = bed_with_nothing();
    let network = bed.post(
        "/v1/network/allocate",
        &json!({"name": "ours", "projectid": "00000000-0000-0000-0000-000000000001", "partitionid": "muc-a", "addressfamily": "IPv4"}),
    );
    let id = network["id"].as_str().unwrap().to_owned();
    let with = format!("{}  network: {{nodes: {{mode: adopt, id: {id}}}}}\n", definition("shop"));
    write_shop(&bed.ada, &with);
    bed.ada.push("A shop in our network");
    let _ = bed.run_once().expect(0);
    write_shop(bed.ada.pull(), &format!("{with}{CONFIRM}"));
    bed.ada.push("It closes");
    let _ = bed.run_once().expect(0);
    remove_shop(&bed);
    until_gone(&bed);
    let networks = bed.sim.state()["networks"].as_array().cloned().unwrap();
    assert!(networks.iter().any(|n| n["id"] == id.as_str()), "the adopted network is gone");
}

#[test]
fn r14_addresses_of_services_go_with_the_cluster() {
    let bed = bed_with_shop();
    let project = "00000000-0000-0000-0000-000000000001";
    let ip = |kind: &str, tags: Value| {
        let body = json!({"name": "x", "projectid": project, "networkid": "internet", "type": kind, "tags": tags});
        bed.post("/v1/ip/allocate", &body)["ipaddress"].as_str().unwrap().to_owned()
    };
    let service = |name: &str| format!("cluster.metal-stack.io/id/namespace/service={name}/default/web");
    let own = ip("ephemeral", json!([service("default.shop")]));
    let shared = ip("ephemeral", json!([service("default.shop"), service("default.shop2")]));
    let fixed = ip("static", json!([service("default.shop")]));
    let other = ip("ephemeral", json!([service("default.shop10")]));
    removed(&bed);
    until_gone(&bed);
    let ips = bed.sim.state()["ips"].as_array().cloned().unwrap();
    let tags = |address: &str| {
        let found = ips.iter().find(|ip| ip["ipaddress"] == address)?;
        Some(found["tags"].as_array().cloned().unwrap_or_default())
    };
    assert_eq!(tags(&own), None);
    assert_eq!(tags(&shared), Some(vec![json!(service("default.shop2"))]));
    assert_eq!(tags(&fixed), Some(vec![]));
    assert_eq!(tags(&other), Some(vec![json!(service("default.shop10"))]));
}

#[test]
fn a_grace_period_keeps_network_and_vip_for_a_definition_that_comes_back() {
    let bed = bed_with_shop();
    let values = lock(&bed)["values"].clone();
    change_shop(&bed, "  deletion: {confirm: shop, gracePeriod: 24h}\n", "The shop closes");
    let _ = bed.run_once().expect(0);
    remove_shop(&bed);
    bed.until("only a tombstone is left", |bed| {
        let _ = bed.run_once().expect(0);
        !has_lock(bed) && bed.live(CLUSTER, "firewall").is_empty()
    });
    let tombstone: Value = serde_yaml::from_str(&bed.remote.read("tombstones/default.shop.yaml")).unwrap();
    assert_eq!(tombstone["values"]["vip"], values["vip"]);
    assert_eq!(marked(&bed, CLUSTER).len(), 2);
    let tip = bed.remote.tip();
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.tip(), tip, "I4");

    write_shop(bed.ada.pull(), &definition("shop"));
    bed.ada.push("The shop opens again");
    let _ = bed.run_once().expect(0);
    assert_eq!(
        (&lock(&bed)["values"]["vip"], &lock(&bed)["values"]["nodeNetwork"]),
        (&values["vip"], &values["nodeNetwork"])
    );
    assert!(!bed.remote.paths().contains(&"tombstones/default.shop.yaml".to_owned()));
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
}

#[test]
fn a_definition_that_comes_back_in_the_middle_of_its_deletion_is_whole_again() {
    for path in ["*/machine/*/free", "*/ip/free/*", "*/network/free/*"] {
        let bed = bed_with_shop();
        removed(&bed);
        bed.sim.set_faults(json!([{"path": path, "effect": {"status": 500, "message": "a bad day"}}]));
        bed.sim.forget_calls();
        let wanted = path.trim_start_matches('*').split('*').next().unwrap().trim_end_matches('/').to_owned();
        bed.until("the free was tried", |bed| {
            let _ = bed.run_once();
            bed.sim.calls().iter().any(|c| c.path.contains(&wanted) && c.path.contains("free"))
        });
        write_shop(bed.ada.pull(), &definition("shop"));
        bed.ada.push("The shop stays");
        bed.sim.set_faults(json!([]));
        bed.until("it is whole again", |bed| bed.run_once().code == Some(0));
        bed.assert_one_of_each(CLUSTER, &folder("shop"));
        assert_eq!(lock(&bed)["deletion"], Value::Null);
    }
}

#[test]
fn i2_each_free_fails_once_and_its_reply_is_lost_once() {
    for path in ["*/machine/*/free", "*/ip/free/*", "*/network/free/*"] {
        for effect in [json!("dropBefore"), json!("dropAfter"), json!({"status": 500, "message": "no"})] {
            eprintln!("{path}, {effect}");
            let bed = bed_with_shop();
            removed(&bed);
            bed.sim.set_faults(json!([{"path": path, "times": 1, "effect": effect}]));
            let _ = bed.run_once();
            until_gone(&bed);
        }
    }
}

#[test]
fn i2_killed_at_each_free() {
    for path in ["machine", "ip", "network"] {
        for effect in ["hang", "hangAfter"] {
            eprintln!("{path}, {effect}");
            let bed = bed_with_shop();
            removed(&bed);
            fault(&bed, "DELETE", &format!("*/{path}/*free*"), 1, &json!(effect));
            bed.sim.forget_calls();
            let engine = start(&bed, &[]);
            let is_free = |path: &str, wanted: &str| path.contains(&format!("/{wanted}/")) && path.contains("free");
            bed.until("the free was asked for", |bed| bed.sim.calls().iter().any(|c| is_free(&c.path, path)));
            engine.kill();
            until_gone(&bed);
        }
    }
}

#[test]
fn r16_more_than_the_fleet_allows_waits_for_a_person() {
    let bed = bed_with_nothing();
    fleet(&bed, "  limits: {freesPerHour: 2}\n");
    write_shop(&bed.ada, &definition("shop"));
    bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    removed(&bed);
    bed.until("the budget is used up", |bed| {
        let ran = bed.run_once();
        ran.stdout.contains("BudgetExceeded")
    });
    assert_eq!(marked(&bed, CLUSTER).len(), 1);
    let author = ["--author", "Ada <ada@example.com>"];
    let _ = command(&bed, &[&["ack", "BudgetExceeded", CLUSTER][..], &author].concat()).expect(0);
    until_gone(&bed);
}

#[test]
fn two_engines_delete_once() {
    let bed = bed_with_shop();
    removed(&bed);
    let engines = [start(&bed, &[]), start(&bed, &[])];
    bed.until("the shop is gone", |bed| marked(bed, CLUSTER).is_empty() && !has_lock(bed));
    for engine in engines {
        engine.signal("TERM");
        let _ = engine.finish(LIMIT);
    }
    let freed = |c: &&metal_sim::Call| c.path.contains("free") && c.effect.is_some();
    assert_eq!(bed.sim.calls().iter().filter(freed).count(), 3);
    until_gone(&bed);
}
