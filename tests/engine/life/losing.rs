//! What metal-api does not have any more: reported, never replaced by itself, brought back by a person's commit.

use super::{CLUSTER, bed_with_shop, command, lock, marked, start};
use ferrofleet_tests::bed::{Bed, LIMIT, definition, folder};
use serde_json::Value;

const AUTHOR: [&str; 2] = ["--author", "Ada <ada@example.com>"];

fn vip(bed: &Bed) -> String {
    lock(bed)["values"]["vip"]["address"].as_str().unwrap().to_owned()
}

/// The lock says that something is lost.
fn is_lost(bed: &Bed) -> bool {
    let conditions = lock(bed)["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|c| c["reason"] == "Lost" && c["status"] == "False")
}

/// A shop whose VIP somebody freed, concluded by an engine.
fn bed_without_vip() -> (Bed, String) {
    let bed = bed_with_shop();
    let address = vip(&bed);
    bed.delete(&format!("/v1/ip/free/{address}"));
    bed.sim.forget_calls();
    let engine = start(&bed, &[]);
    bed.until("it is concluded", is_lost);
    engine.signal("TERM");
    let _ = engine.finish(LIMIT);
    (bed, address)
}

#[test]
fn i5_a_vip_that_vanished_is_reported_and_nothing_is_allocated() {
    let (bed, address) = bed_without_vip();
    assert_eq!(bed.writes(), Vec::<String>::new());
    assert_eq!(vip(&bed), address);
    let shown = command(&bed, &["status", "shop"]);
    assert!(shown.stdout.contains("Lost") && shown.stdout.contains("recover"), "{}", shown.stdout);
    let drift = command(&bed, &["drift"]).expect(2);
    assert!(drift.stdout.contains(&address), "{}", drift.stdout);
    // A second engine that has not seen it twice concludes nothing and commits nothing.
    let tip = bed.remote.tip();
    let _ = bed.run_once();
    assert_eq!(bed.remote.tip(), tip);
}

#[test]
fn r15_one_run_concludes_nothing() {
    let bed = bed_with_shop();
    bed.delete(&format!("/v1/ip/free/{}", vip(&bed)));
    let tip = bed.remote.tip();
    for _ in 0..3 {
        let _ = bed.run_once();
    }
    assert_eq!(bed.remote.tip(), tip);
}

#[test]
fn a_person_asks_for_the_same_address_again() {
    let (bed, address) = bed_without_vip();
    let _ = command(&bed, &[&["recover", "shop", "--slot", "vip"][..], &AUTHOR].concat()).expect(0);
    bed.until("it is back", |bed| bed.run_once().code == Some(0) && !is_lost(bed));
    assert_eq!(vip(&bed), address);
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
}

#[test]
fn a_person_asks_for_another_network() {
    let bed = bed_with_shop();
    let before = lock(&bed)["values"]["nodeNetwork"]["id"].as_str().unwrap().to_owned();
    let firewall = bed.live(CLUSTER, "firewall").remove(0);
    bed.until_phoned_home();
    bed.delete(&format!("/v1/machine/{firewall}/free"));
    bed.until("the network is empty", |bed| {
        let ips = bed.sim.state()["ips"].as_array().cloned().unwrap();
        !ips.iter().any(|ip| ip["networkid"] == before.as_str())
    });
    bed.delete(&format!("/v1/network/free/{before}"));
    let engine = start(&bed, &[]);
    bed.until("it is concluded", is_lost);
    let args = [&["recover", "shop", "--slot", "network", "--reallocate"][..], &AUTHOR].concat();
    let _ = command(&bed, &args).expect(0);
    bed.until("there is another one", |bed| {
        let now = lock(bed)["values"]["nodeNetwork"]["id"].as_str().map(str::to_owned);
        now.is_some_and(|now| now != before) && !is_lost(bed)
    });
    engine.signal("TERM");
    let _ = engine.finish(LIMIT);
}

#[test]
fn there_is_nothing_to_recover_where_nothing_is_lost() {
    let bed = bed_with_shop();
    let tip = bed.remote.tip();
    let ran = command(&bed, &[&["recover", "shop", "--slot", "vip"][..], &AUTHOR].concat()).expect(1);
    assert!(ran.stderr.contains("not lost") || ran.stderr.contains("nothing"), "{}", ran.stderr);
    assert_eq!(bed.remote.tip(), tip);
}

#[test]
fn r15_many_at_once_make_the_project_suspect() {
    let bed = bed_with_shop();
    for name in ["bar", "cafe"] {
        bed.ada.write(&format!("{}/cluster.yaml", folder(name)), &definition(name));
    }
    bed.ada.push("More");
    let _ = bed.run_once().expect(0);
    for cluster in [CLUSTER, "default.bar", "default.cafe"] {
        for address in bed.live(cluster, "vip") {
            bed.delete(&format!("/v1/ip/free/{address}"));
        }
    }
    let tip = bed.remote.tip();
    let engine = start(&bed, &["--listen", "127.0.0.1:0"]);
    bed.until("the project is suspect", |bed| command(bed, &["status"]).stdout.contains("Suspect"));
    engine.signal("TERM");
    let _ = engine.finish(LIMIT);
    assert_eq!(bed.remote.tip(), tip);
}

#[test]
fn orphans_are_listed_and_freed_only_by_name() {
    let bed = bed_with_shop();
    // A person removes definition, lock and output by hand, past the engine.
    let before = marked(&bed, CLUSTER);
    bed.ada.pull().run(["rm", "-rq", &folder("shop"), "rendered"]);
    bed.ada.run(["checkout", "-q", "--orphan", "new"]);
    bed.ada.commit("By hand");
    bed.ada.run(["push", "-q", "--force", "origin", "HEAD:main"]);
    bed.ada.run(["fetch", "-q"]);
    let listed = command(&bed, &["orphans"]);
    assert!(listed.stdout.contains("default.shop") || listed.stderr.contains("default.shop"), "{listed:?}");
    let refused = command(&bed, &["orphans", "--free", CLUSTER, "--confirm", "default.shopp"]);
    assert_ne!(refused.code, Some(0));
    assert_eq!(marked(&bed, CLUSTER), before);
}

#[test]
fn orphans_of_a_known_cluster_are_freed_when_its_name_is_typed() {
    let bed = bed_with_shop();
    // The definition was there once, so that its resources are orphans and no copy's.
    bed.ada.pull().run(["rm", "-rq", &folder("shop"), "rendered"]);
    bed.ada.push("By hand");
    let shown = bed.run_once();
    // The lock is put back, unconfirmed (design, Deletion): nothing is an orphan while a lock names it.
    assert_eq!(lock(&bed)["deletion"], Value::Null, "{shown:?}");
    assert_eq!(marked(&bed, CLUSTER).len(), 3);
}
