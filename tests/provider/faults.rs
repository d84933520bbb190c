//! Lost answers, refusals and SIGKILL in every write to metal-api: one of each, and nothing is left at the end.

use ferrofleet_tests::provider::objects::Role;
use ferrofleet_tests::provider::{Provider, Site};
use serde_json::{Value, json};

/// A write of a cluster's life: its method and path, and when it happens.
#[derive(Clone, Copy, Debug)]
struct Write {
    path: &'static str,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Creation,
    Deletion,
}

const WRITES: [Write; 8] = [
    Write { path: "*/network/allocate", phase: Phase::Creation },
    Write { path: "*/ip/allocate", phase: Phase::Creation },
    Write { path: "*/firewall/allocate", phase: Phase::Creation },
    Write { path: "*/machine/allocate", phase: Phase::Creation },
    // The first of two: a control plane; the firewall's is below.
    Write { path: "*/machine/*/free", phase: Phase::Deletion },
    Write { path: "*/ip/free/*", phase: Phase::Deletion },
    Write { path: "*/network/free/*", phase: Phase::Deletion },
    Write { path: FIREWALL_FREE, phase: Phase::Deletion },
];

/// Stands for the path with the firewall's id.
const FIREWALL_FREE: &str = "the firewall's";

/// What a run of the machines needs at once: two cores are kept busy by some lives that mostly wait.
const AT_ONCE: usize = 5;

/// Runs every case in a site of its own.
fn in_sites<C: Copy + Send + Sync + std::fmt::Debug>(cases: &[C], run: impl Fn(&Site, C) + Sync) {
    for some in cases.chunks(AT_ONCE) {
        let failed: Vec<String> = std::thread::scope(|scope| {
            let running = some.iter().map(|case| {
                let run = &run;
                (case, scope.spawn(move || Site::new().map(|site| run(&site, *case))))
            });
            let running: Vec<_> = running.collect();
            let ended =
                running.into_iter().filter_map(|(case, thread)| thread.join().is_err().then(|| format!("{case:?}")));
            ended.collect()
        });
        assert!(failed.is_empty(), "failed: {failed:#?}");
    }
}

/// A fault of one call of this write.
fn fault(site: &Site, write: Write, effect: &Value) {
    let path = if write.path == FIREWALL_FREE {
        format!("*/machine/{}/free", site.only("firewall")["id"].as_str().unwrap())
    } else {
        write.path.to_owned()
    };
    site.sim.set_faults(json!([{"path": path, "times": 1, "effect": effect}]));
}

#[track_caller]
fn until_struck(site: &Site, write: Write) {
    site.until(&format!("the fault in {} struck", write.path), || {
        let left = site.sim.faults();
        if left.iter().all(|fault| fault.times == Some(0)) { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

fn begin(site: &Site) {
    site.cluster_with_firewall("shop", &json!({}));
}

const MACHINES: [(&str, Role); 2] = [("shop-cp-0", Role::ControlPlane), ("shop-0", Role::Worker)];

#[track_caller]
fn is_one_of_each(site: &Site) {
    let created = ["network", "ip", "firewall", "machine"].map(|kind| site.count(&format!("created {kind} ")));
    assert_eq!(created, [1, 1, 1, 2], "{:#?}", site.effects());
    assert_eq!(site.left().len(), 5, "{:#?}", site.left());
}

/// The whole life of a cluster with one fault.
fn life_with(site: &Site, write: Write, effect: &Value) {
    let _provider = site.provider();
    if write.phase == Phase::Creation {
        fault(site, write, effect);
    }
    begin(site);
    site.complete("shop", &MACHINES);
    is_one_of_each(site);
    if write.phase == Phase::Deletion {
        fault(site, write, effect);
    }
    site.delete_whole_cluster("shop");
    until_struck(site, write);
    site.until_nothing_is_left();
    is_created_once(site);
}

#[track_caller]
fn is_created_once(site: &Site) {
    let created = ["network", "ip", "firewall", "machine"].map(|kind| site.count(&format!("created {kind} ")));
    assert_eq!(created, [1, 1, 1, 2], "nothing is allocated while it is deleted: {:#?}", site.effects());
}

/// I1, I2; D2, D3, D4, D5.
#[test]
fn i1_each_write_is_lost_or_refused_once() {
    let effects = [json!("dropAfter"), json!("dropBefore"), json!({"status": 500, "message": "a bad day"})];
    let cases: Vec<(Write, usize)> = WRITES.into_iter().flat_map(|write| (0..3).map(move |n| (write, n))).collect();
    in_sites(&cases, |site, (write, n)| life_with(site, write, &effects[n]));
}

/// The process dies while the call is under way: before its effect, or after it.
fn life_with_death(site: &Site, write: Write, effect: &str) {
    let mut provider = Some(site.provider());
    if write.phase == Phase::Creation {
        fault(site, write, &json!(effect));
    }
    begin(site);
    if write.phase == Phase::Creation {
        if write.path.ends_with("/machine/allocate") {
            site.until_core_knows("shop");
            MACHINES.iter().for_each(|(name, role)| site.machine("shop", name, *role));
        }
        dies(site, write, &mut provider);
        if write.path.ends_with("/machine/allocate") {
            MACHINES.iter().for_each(|(name, _)| drop(site.until_ready("MetalStackMachine", name)));
            site.until_ready("MetalStackCluster", "shop");
        } else {
            site.complete("shop", &MACHINES);
        }
        is_one_of_each(site);
        site.delete_whole_cluster("shop");
    } else {
        site.complete("shop", &MACHINES);
        fault(site, write, &json!(effect));
        std::thread::scope(|scope| {
            let deletion = scope.spawn(|| site.delete_whole_cluster("shop"));
            dies(site, write, &mut provider);
            deletion.join().expect("the deletion ends");
        });
    }
    site.until_nothing_is_left();
    is_created_once(site);
}

fn dies(site: &Site, write: Write, provider: &mut Option<Provider>) {
    until_struck(site, write);
    if let Some(provider) = provider.take() {
        provider.kill();
    }
    site.sim.set_faults(json!([]));
    *provider = Some(site.provider());
}

#[test]
fn i1_killed_in_each_write_before_and_after_its_effect() {
    let effects = ["hang", "hangAfter"];
    let cases: Vec<(Write, usize)> = WRITES.into_iter().flat_map(|write| (0..2).map(move |n| (write, n))).collect();
    in_sites(&cases, |site, (write, n)| life_with_death(site, write, effects[n]));
}

/// An answer that comes after the next process has begun, and before `--settle` is over.
fn late() -> Value {
    json!({"delayMs": 1900})
}

/// D4: the object is deleted while nobody knows what became of its server.
#[test]
fn i2_deleted_while_the_answer_of_its_allocation_is_lost() {
    let effects = [json!("hang"), json!("hangAfter"), late()];
    in_sites(&[0, 1, 2], |site, n| {
        let provider = site.provider();
        site.cluster("shop", &json!({}));
        site.until_core_knows("shop");
        site.sim.set_faults(json!([{"path": "*/machine/allocate", "times": 1, "effect": effects[n]}]));
        site.machine("shop", "shop-0", Role::Worker);
        until_struck(site, WRITES[3]);
        provider.kill();
        site.delete("MetalStackMachine", "shop-0");
        site.sim.set_faults(json!([]));
        let _provider = site.provider();
        site.until_gone("MetalStackMachine", "shop-0");
        until_landed(site, "/machine/allocate");
        assert_eq!(site.servers(), Vec::<Value>::new());
        site.delete_whole("MetalStackCluster", "shop");
        site.until_nothing_is_left();
    });
}

/// The same for networks and addresses, whose ids stand nowhere either.
#[test]
fn i2_a_cluster_is_deleted_while_the_answer_of_an_allocation_is_lost() {
    let paths = ["*/network/allocate", "*/ip/allocate", "*/firewall/allocate"];
    let effects = [json!("hang"), json!("hangAfter"), late()];
    let cases: Vec<(usize, usize)> = (0..3).flat_map(|n| [0, 1, 2].map(|effect| (n, effect))).collect();
    in_sites(&cases, |site, (n, effect)| {
        let effect = &effects[effect];
        let provider = site.provider();
        site.sim.set_faults(json!([{"path": paths[n], "times": 1, "effect": effect}]));
        begin(site);
        until_struck(site, WRITES[n]);
        provider.kill();
        site.delete("MetalStackCluster", "shop");
        site.sim.set_faults(json!([]));
        let _provider = site.provider();
        site.until_gone("MetalStackCluster", "shop");
        until_landed(site, paths[n].trim_start_matches('*'));
        site.until_nothing_is_left();
    });
}

/// A delayed call is in the log when it has happened.
#[track_caller]
fn until_landed(site: &Site, ending: &str) {
    let landed = || if site.calls_of("POST", ending) > 0 { Ok(()) } else { Err("not yet") };
    site.until("the call of the dead process has happened", landed);
}

/// A slow metal-api: the call of the dead process takes effect after the new one has looked.
#[test]
fn i1_an_allocation_that_completes_late_is_found() {
    let cases = ["*/network/allocate", "*/ip/allocate", "*/firewall/allocate", "*/machine/allocate"];
    in_sites(&cases, |site, path| {
        let provider = site.provider();
        site.sim.set_faults(json!([{"path": path, "times": 1, "effect": late()}]));
        begin(site);
        if path.ends_with("/machine/allocate") {
            site.until_core_knows("shop");
            MACHINES.iter().for_each(|(name, role)| site.machine("shop", name, *role));
        }
        until_struck(site, WRITES[0]);
        provider.kill();
        let _provider = site.provider();
        if path.ends_with("/machine/allocate") {
            MACHINES.iter().for_each(|(name, _)| drop(site.until_ready("MetalStackMachine", name)));
        } else {
            site.complete("shop", &MACHINES);
        }
        site.until_ready("MetalStackCluster", "shop");
        is_one_of_each(site);
    });
}

/// D6: CAPMS read its own cache, which was older than its own patch. Many objects at once, and events of them all.
#[test]
fn i1_a_stale_cache_costs_no_second_server() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster_with_firewall("shop", &json!({}));
    site.until_core_knows("shop");
    let names: Vec<String> = (0..6).map(|n| format!("shop-{n}")).collect();
    names.iter().for_each(|name| site.machine("shop", name, Role::Worker));
    // Whoever is annotated is looked at again, while its allocation is under way.
    let is_there = |site: &Site| names.iter().all(|name| site.said("MetalStackMachine", name, "Ready").0 == "True");
    let mut turn = 0_u32;
    site.until("all are ready", || {
        turn += 1;
        for name in &names {
            site.annotate("MetalStackMachine", name, "example.com/turn", Some(&turn.to_string()));
        }
        site.annotate("MetalStackCluster", "shop", "example.com/turn", Some(&turn.to_string()));
        site.annotate("MetalStackFirewallDeployment", "shop", "example.com/turn", Some(&turn.to_string()));
        if is_there(&site) { Ok(()) } else { Err("not yet") }
    });
    let created = ["network", "ip", "firewall", "machine"].map(|kind| site.count(&format!("created {kind} ")));
    assert_eq!(created, [1, 1, 1, 6]);
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}
