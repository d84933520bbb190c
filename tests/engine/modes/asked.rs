//! What a definition, a policy or a fleet may ask for: flavors, pauses, projects and their limits, changes of what is
//! resolved, and who has a name.

use super::{
    INFRASTRUCTURE, OTHER_PROJECT, PROJECT, SHOP, SLOTS, assert_settled, assert_untouched, bed_with_shop, change,
    define, of_sim, with,
};
use ferrofleet_tests::bed::{Bed, CLAIM_TIME, LIMIT, definition, folder};
use ferrofleet_tests::binary::{Finished, Process};
use ferrofleet_tests::repo::Bare;
use metal_sim::{Landscape, ProjectSpec};
use serde_json::json;

#[test]
fn a_flavor_that_is_not_built_yet_is_no_failure_and_touches_nothing() {
    for flavor in ["kamaji", "metal3-kamaji", "gardener-shoot"] {
        let bed = bed_with_shop(&format!("flavor: {flavor}"));
        let tip = bed.remote.tip();
        let ran = bed.run_once().expect(0);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains("not built yet"), "{ran:?}");
        assert_untouched(&bed, &tip);
    }
}

#[test]
fn a_paused_definition_is_left_alone_and_its_output_says_so() {
    let bed = bed_with_shop("paused: true");
    let tip = bed.remote.tip();
    let ran = bed.run_once().expect(0);
    assert!(ran.stdout.contains("Paused"), "{}", ran.stdout);
    assert_untouched(&bed, &tip);
    define(&bed, "shop", &definition("shop"));
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(SHOP, &folder("shop"));
    let before = bed.remote.read(&format!("{}/cluster.lock.yaml", folder("shop")));
    define(&bed, "shop", &with("shop", "paused: true"));
    bed.sim.forget_calls();
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.writes(), Vec::<String>::new());
    assert!(bed.remote.read(INFRASTRUCTURE).contains("paused: true"));
    assert_eq!(bed.remote.read(&format!("{}/cluster.lock.yaml", folder("shop"))), before);
}

#[test]
fn a_paused_fleet_writes_nothing_until_it_goes_on() {
    let bed = bed_with_shop("");
    let fleet = bed.ada.read("fleet.yaml");
    bed.ada.write("fleet.yaml", &format!("{fleet}  paused: true\n")).push("Stop");
    let tip = bed.remote.tip();
    let ran = bed.run_once().expect(0);
    assert!(ran.stdout.contains("Paused"), "{}", ran.stdout);
    assert_untouched(&bed, &tip);
    bed.ada.write("fleet.yaml", &fleet).push("Go on");
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(SHOP, &folder("shop"));
}

#[test]
fn r10_a_pods_cidr_that_is_not_announced_is_refused_before_anything_is_allocated() {
    let bed = bed_with_shop("network: {pods: [172.20.0.0/16]}");
    define(&bed, "bar", &definition("bar"));
    let ran = bed.run_once().expect(1);
    assert!(ran.stdout.contains("PodCIDRNotAnnounceable"), "{}", ran.stdout);
    for part in ["10.240.0.0/12", "172.20.0.0/16", "shop/cluster.yaml:7"] {
        assert!(ran.stderr.contains(part), "{part} is missing in\n{}", ran.stderr);
    }
    for slot in SLOTS {
        assert_eq!(bed.live(SHOP, slot), Vec::<String>::new());
    }
    bed.assert_one_of_each("default.bar", &folder("bar"));
}

#[test]
fn r16_a_project_that_the_fleet_does_not_list_is_never_asked() {
    let mut landscape = Landscape::default();
    let other = ProjectSpec { id: OTHER_PROJECT.into(), name: "other".into(), ..ProjectSpec::default() };
    landscape.projects.push(other);
    let bed = Bed::with_landscape(landscape);
    define(&bed, "shop", &with("shop", &format!("metal: {{project: {OTHER_PROJECT}}}")));
    let tip = bed.remote.tip();
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains(OTHER_PROJECT) && ran.stderr.contains("project-not-listed"), "{}", ran.stderr);
    assert!(!bed.sim.calls().iter().any(|c| c.path.contains(OTHER_PROJECT)), "{:?}", bed.sim.calls());
    assert_untouched(&bed, &tip);
    let listed = format!("projects: [{{id: {PROJECT}}}, {{id: {OTHER_PROJECT}}}]");
    change(&bed, "fleet.yaml", &format!("projects: [{{id: {PROJECT}}}]"), &listed);
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(SHOP, &folder("shop"));
    let network = of_sim(&bed, "networks", "id", &json!(bed.live(SHOP, "network")[0]));
    assert_eq!(network["projectid"], OTHER_PROJECT);
}

#[test]
fn r16_the_limits_of_a_project_hold_and_the_rest_waits_for_a_person() {
    for (limit, words) in [("firewalls: 1", "1 firewalls"), ("addresses: 1", "1 addresses")] {
        let bed = Bed::new();
        let listed = |limits: &str| format!("projects: [{{id: {PROJECT}{limits}}}]");
        change(&bed, "fleet.yaml", &listed(""), &listed(&format!(", limits: {{{limit}}}")));
        define(&bed, "bar", &definition("bar"));
        define(&bed, "shop", &definition("shop"));
        let ran = bed.run_once().expect(1);
        assert!(ran.stdout.contains("LimitReached"), "{}", ran.stdout);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(words), "{ran:?}");
        bed.assert_one_of_each("default.bar", &folder("bar"));
        for slot in SLOTS {
            assert_eq!(bed.live(SHOP, slot), Vec::<String>::new(), "{slot}, with {limit}");
        }
        change(&bed, "fleet.yaml", limit, &limit.replace('1', "2"));
        let _ = bed.run_once().expect(0);
        bed.assert_one_of_each(SHOP, &folder("shop"));
    }
}

#[test]
fn i6_what_a_refused_cluster_would_have_taken_is_left_for_the_others() {
    let bed = Bed::new();
    let listed = |limits: &str| format!("projects: [{{id: {PROJECT}{limits}}}]");
    change(&bed, "fleet.yaml", &listed(""), &listed(", limits: {addresses: 1, firewalls: 1}"));
    let gone = "network: {nodes: {mode: adopt, id: 00000000-0000-0000-0000-00000000dead}}";
    define(&bed, "bar", &with("bar", gone));
    define(&bed, "shop", &definition("shop"));
    let _ = bed.run_once().expect(1);
    bed.assert_one_of_each(SHOP, &folder("shop"));
}

#[test]
fn r16_a_limit_on_machines_counts_what_the_definitions_want() {
    let bed = bed_with_shop("");
    let listed = |limits: &str| format!("projects: [{{id: {PROJECT}{limits}}}]");
    change(&bed, "fleet.yaml", &listed(""), &listed(", limits: {machines: 1}"));
    let tip = bed.remote.tip();
    let ran = bed.run_once().expect(1);
    assert!(ran.stdout.contains("LimitReached"), "{}", ran.stdout);
    assert_untouched(&bed, &tip);
}

#[test]
fn a_change_of_what_a_lock_holds_is_a_finding_and_nothing_is_written() {
    let bed = bed_with_shop("");
    let _ = bed.run_once().expect(0);
    let never = with("shop", "rollout: {allowReplacement: never}");
    let sized = never.replace("name: general,", "name: general, size: c1-large-x86,");
    let fewer = definition("shop").replace("name: general,", "name: special,");
    for (text, rule) in [
        (with("shop", "vip: {type: ephemeral}"), "value-changed"),
        (with("shop", "network: {apiServerPort: 6443}"), "value-changed"),
        (with("shop", "metal: {partition: muc-b}"), "identity-changed"),
        (sized, "machines-changed"),
        (fewer, "pool-removed"),
    ] {
        define(&bed, "shop", &text);
        bed.sim.forget_calls();
        let tip = bed.remote.tip();
        let ran = bed.run_once().expect(1);
        assert!(ran.stderr.contains(rule) && ran.stderr.contains("shop/cluster.yaml:"), "{rule}: {}", ran.stderr);
        assert_untouched(&bed, &tip);
    }
    define(&bed, "shop", &definition("shop"));
    assert_settled(&bed);
}

#[test]
fn a_pool_is_added_to_a_resolved_cluster_without_a_call_that_writes() {
    let bed = bed_with_shop("");
    let _ = bed.run_once().expect(0);
    bed.sim.forget_calls();
    let pools = "pools: [{name: general, replicas: 1}, {name: second, replicas: 2, size: c1-large-x86}]";
    define(&bed, "shop", &definition("shop").replace("pools: [{name: general, replicas: 1}]", pools));
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.writes(), Vec::<String>::new());
    assert!(bed.remote.read("rendered/mgmt/default/shop/pools.yaml").contains("shop-second"));
    let changed = bed.remote.git(["diff", "--name-only", "main~1", "main"]);
    assert!(!changed.contains("control-plane.yaml") && !changed.contains("infrastructure.yaml"), "{changed}");
    assert_settled(&bed);
}

#[test]
fn i6_of_two_definitions_of_one_name_the_one_with_the_lock_goes_on() {
    let bed = bed_with_shop("");
    let twin = "stages/development/elsewhere/twin/cluster.yaml";
    bed.ada.write(twin, &definition("shop")).push("Twins");
    let tip = bed.remote.tip();
    let ran = bed.run_once().expect(1);
    for path in ["clusters/shop/cluster.yaml", twin] {
        assert!(ran.stderr.contains(path), "{path}: {}", ran.stderr);
    }
    assert_untouched(&bed, &tip);
    bed.ada.remove(twin).push("One");
    let _ = bed.run_once().expect(0);
    let larger = definition("shop").replace("replicas: 1", "replicas: 4");
    define(&bed, "shop", &larger);
    bed.ada.write(twin, &definition("shop")).push("Twins again");
    bed.sim.forget_calls();
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains("same-cluster"), "{}", ran.stderr);
    assert!(bed.remote.read("rendered/mgmt/default/shop/pools.yaml").contains("replicas: 4"), "the holder goes on");
    assert_eq!(bed.writes(), Vec::<String>::new());
    bed.assert_one_of_each(SHOP, &folder("shop"));
}

/// `run --once` of another repository on the same metal-api.
fn run_other(bed: &Bed, remote: &Bare) -> Finished {
    let (url, cache) = (remote.url(), bed.path().join("other-cache").display().to_string());
    let args = ["run", "--repo", &url, "--once", "--claim-time", CLAIM_TIME, "--cache-dir", &cache];
    Process::spawn(&mut bed.command(&args)).finish(LIMIT)
}

#[test]
fn two_fleets_in_one_project_leave_each_others_resources_alone() {
    let bed = bed_with_shop("");
    let _ = bed.run_once().expect(0);
    let other = Bare::init(&bed.path().join("other.git"), &bed.home());
    let eve = other.person("eve", &bed.path().join("eve-home"));
    eve.write("fleet.yaml", &bed.ada.read("fleet.yaml").replace("name: example", "name: other"));
    eve.write("policies/default.yaml", &bed.ada.read("policies/default.yaml"));
    for name in ["bar", "shop"] {
        eve.write(&format!("{}/cluster.yaml", folder(name)), &definition(name));
    }
    eve.push("Another fleet, with a cluster of the same name");
    let before: Vec<_> = SLOTS.map(|slot| bed.live(SHOP, slot)).into();
    let ran = run_other(&bed, &other).expect(1);
    assert!(ran.stdout.contains("Claimed"), "R6: {}", ran.stdout);
    for slot in SLOTS {
        assert_eq!(bed.live("default.bar", slot).len(), 1, "{slot}");
    }
    let after: Vec<_> = SLOTS.map(|slot| bed.live(SHOP, slot)).into();
    assert_eq!(after, before);
    assert_settled(&bed);
    bed.sim.forget_calls();
    let _ = run_other(&bed, &other).expect(1);
    assert_eq!(bed.writes(), Vec::<String>::new());
}
