//! What a change does is what the plan said, and nothing else.

use super::{CLUSTER, bed_with_shop, change_shop, command, lock, marked, plan, shop_path, write_shop};
use ferrofleet_tests::bed::definition;

#[test]
fn a_change_of_replicas_keeps_every_machine() {
    let bed = bed_with_shop();
    write_shop(&bed.ada, &definition("shop").replace("replicas: 1", "replicas: 3"));
    bed.ada.push("A larger shop");
    let planned = plan(&bed).expect(2);
    assert!(planned.stdout.contains("pools.yaml"), "{}", planned.stdout);
    assert!(!planned.stdout.contains("replace"), "{}", planned.stdout);
    let before = bed.remote.tip();
    bed.sim.forget_calls();
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.writes(), Vec::<String>::new());
    let changed = bed.remote.git(["diff", "--name-only", &before, "main"]);
    assert!(changed.contains("pools.yaml") && !changed.contains("templates.yaml"), "{changed}");
    let _ = plan(&bed).expect(0);
}

#[test]
fn i11_a_change_of_size_says_how_many_machines_it_replaces_and_does_just_that() {
    let bed = bed_with_shop();
    let pools = |bed: &ferrofleet_tests::bed::Bed| bed.remote.read("rendered/mgmt/default/shop/pools.yaml");
    let control_plane = bed.remote.read("rendered/mgmt/default/shop/control-plane.yaml");
    let before = pools(&bed);
    write_shop(&bed.ada, &definition("shop").replace("replicas: 1", "replicas: 2, size: c1-large-x86"));
    bed.ada.push("Larger machines");
    let planned = plan(&bed).expect(2);
    assert!(planned.stdout.contains("replace 1 of 1"), "{}", planned.stdout);
    let _ = bed.run_once().expect(0);
    assert_ne!(pools(&bed), before);
    assert_eq!(bed.remote.read("rendered/mgmt/default/shop/control-plane.yaml"), control_plane);
}

#[test]
fn r1_what_may_not_be_replaced_is_refused_before_anything_is_written() {
    let bed = bed_with_shop();
    change_shop(&bed, "  rollout: {allowReplacement: never}\n", "Hands off");
    let _ = bed.run_once().expect(0);
    let tip = {
        bed.ada.pull();
        let text = definition("shop").replace("replicas: 1", "replicas: 1, size: c1-large-x86");
        write_shop(&bed.ada, &format!("{text}  rollout: {{allowReplacement: never}}\n"));
        bed.ada.push("Larger machines")
    };
    let planned = plan(&bed).expect(1);
    assert!(
        planned.stderr.contains("allowReplacement") && planned.stderr.contains("cluster.yaml"),
        "{}",
        planned.stderr
    );
    let ran = bed.run_once().expect(1);
    assert!(ran.stdout.contains("ReplacementNotAllowed"), "{}", ran.stdout);
    assert_eq!(bed.remote.tip(), tip);
}

#[test]
fn i5_what_cannot_change_is_refused_with_what_to_do_instead() {
    for (more, words) in [
        ("  vip: {network: mpls-muc-a}\n", "network of the VIP: resolved as `internet`"),
        ("  network: {apiServerPort: 7443}\n", "value-changed"),
        ("  network: {pods: [10.240.0.0/14]}\n", "value-changed"),
        ("  metal: {partition: muc-b}\n", "cannot change from `muc-a` to `muc-b`"),
        ("  firewall: {mode: deployment}\n", "value-changed"),
        ("  target: {namespace: elsewhere}\n", "default.shop"),
    ] {
        let bed = bed_with_shop();
        let (values, all) = (lock(&bed)["values"].clone(), marked(&bed, CLUSTER));
        change_shop(&bed, more, "Not so");
        let ran = bed.run_once().expect(1);
        assert!(ran.stderr.contains(words) && ran.stderr.contains("mend:"), "{words}: {}", ran.stderr);
        assert_eq!((lock(&bed)["values"].clone(), marked(&bed, CLUSTER)), (values, all), "{words}");
    }
}

#[test]
fn an_empty_pool_can_be_removed_and_another_one_cannot() {
    let bed = bed_with_shop();
    let with = |second: &str| {
        definition("shop")
            .replace("[{name: general, replicas: 1}]", &format!("[{{name: general, replicas: 1}}{second}]"))
    };
    write_shop(&bed.ada, &with(", {name: batch, replicas: 2}"));
    bed.ada.push("A second pool");
    let _ = bed.run_once().expect(0);
    bed.ada.pull();
    write_shop(&bed.ada, &with(""));
    bed.ada.push("Without it");
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains("set its replicas to 0"), "{}", ran.stderr);
    let pools = || bed.remote.read("rendered/mgmt/default/shop/pools.yaml");
    assert!(pools().contains("shop-batch"));

    bed.ada.pull();
    write_shop(&bed.ada, &with(", {name: batch, replicas: 0}"));
    bed.ada.push("Empty first");
    let _ = bed.run_once().expect(0);
    bed.ada.pull();
    write_shop(&bed.ada, &with(""));
    bed.ada.push("Now without it");
    let _ = bed.run_once().expect(0);
    assert!(!pools().contains("shop-batch"));
}

#[test]
fn the_plan_of_an_unreachable_project_is_incomplete_and_never_green() {
    let bed = bed_with_shop();
    bed.sim.set_faults(serde_json::json!([{"path": "*/network/find", "effect": {"status": 500, "message": "down"}}]));
    let planned = plan(&bed).expect(1);
    assert!(planned.stdout.to_lowercase().contains("incomplete"), "{}", planned.stdout);
}

#[test]
fn the_difference_is_shown_by_lines_and_for_pull_requests() {
    let bed = bed_with_shop();
    write_shop(&bed.ada, &definition("shop").replace("replicas: 1", "replicas: 3"));
    bed.ada.push("A larger shop");
    let shown = command(&bed, &["plan", "--diff"]).expect(2);
    assert!(shown.stdout.contains("-  replicas: 1") && shown.stdout.contains("+  replicas: 3"), "{}", shown.stdout);
    let markdown = command(&bed, &["plan", "-o", "markdown"]).expect(2);
    assert!(markdown.stdout.contains("default.shop") && markdown.stdout.contains('|'), "{}", markdown.stdout);
    let json = command(&bed, &["plan", "-o", "json"]).expect(2);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["pending"], true);
    assert!(bed.ada.read(&shop_path()).contains("replicas: 3"));
}
