//! Any weather and any death: everything at once, and what holds whatever happens.

use ferrofleet_tests::peers::control_plane::{Apply, ObjectRef};
use ferrofleet_tests::provider::Site;
use ferrofleet_tests::provider::objects::Role;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Servers by the object that they are for: never two of one.
#[track_caller]
fn no_object_has_two(site: &Site) {
    let mut of: BTreeMap<String, usize> = BTreeMap::new();
    for server in site.servers_of("machine") {
        *of.entry(server["allocation"]["name"].to_string()).or_default() += 1;
    }
    assert!(of.values().all(|n| *n == 1), "{of:?}");
    assert!(site.networks().len() <= 1 && site.addresses().len() <= 1, "{:?}", site.left());
    assert!(site.servers_of("firewall").len() <= 1, "{:?}", site.left());
}

const NAMES: [&str; 5] = ["shop-cp-0", "shop-0", "shop-1", "shop-2", "shop-3"];

fn role(name: &str) -> Role {
    if name.contains("cp") { Role::ControlPlane } else { Role::Worker }
}

/// Lost answers and refusals by chance, and SIGKILL again and again, for a while; then good weather.
fn chaos(site: &Site, seed: u64) {
    let mut random = seed;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let weather = |seed: u64| {
        let fault = |path: &str, effect: Value, n: u64| json!({"path": path, "probability": 0.25, "seed": seed * 10 + n, "effect": effect});
        json!([
            fault("*/allocate", json!("dropAfter"), 1),
            fault("*/allocate", json!("dropBefore"), 2),
            fault("*/allocate", json!({"delayMs": 700}), 3),
            fault("*/free*", json!("dropAfter"), 4),
            fault("*/free*", json!({"status": 500, "message": "a bad day"}), 5),
            fault("*/find", json!("dropBefore"), 6),
        ])
    };
    site.sim.set_faults(weather(seed));
    site.cluster_with_firewall("shop", &json!({}));
    NAMES.iter().for_each(|name| site.machine("shop", name, role(name)));
    for _ in 0..6 {
        let provider = site.provider();
        std::thread::park_timeout(Duration::from_millis(900 + next(3000)));
        provider.kill();
        no_object_has_two(site);
        if site.read("MetalStackCluster", "shop")["status"]["initialization"]["provisioned"] == true {
            site.until_core_knows("shop");
        }
    }
    site.sim.set_faults(json!([]));
    let provider = site.provider();
    site.until_core_knows("shop");
    NAMES.iter().for_each(|name| drop(site.until_ready("MetalStackMachine", name)));
    site.until_ready("MetalStackCluster", "shop");
    no_object_has_two(site);
    let created = ["network", "ip", "firewall", "machine"].map(|kind| site.count(&format!("created {kind} ")));
    assert_eq!(created, [1, 1, 1, 5], "{:#?}", site.effects());
    provider.kill();

    site.sim.set_faults(weather(seed + 1));
    for name in NAMES {
        site.delete("MetalStackMachine", name);
    }
    site.delete("MetalStackCluster", "shop");
    for _ in 0..4 {
        let provider = site.provider();
        std::thread::park_timeout(Duration::from_millis(700 + next(2500)));
        provider.kill();
    }
    site.sim.set_faults(json!([]));
    let _provider = site.provider();
    site.until_gone("MetalStackCluster", "shop");
    site.until_nothing_is_left();
    let created = ["network", "ip", "firewall", "machine"].map(|kind| site.count(&format!("created {kind} ")));
    assert_eq!(created, [1, 1, 1, 5], "{:#?}", site.effects());
}

#[test]
fn i1_i2_any_weather_and_any_death() {
    let from: u64 = std::env::var("FERROFLEET_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let failed: Vec<u64> = std::thread::scope(|scope| {
        let running: Vec<_> = (from..from + 3)
            .map(|seed| (seed, scope.spawn(move || Site::new().map(|site| chaos(&site, seed)))))
            .collect();
        running.into_iter().filter_map(|(seed, thread)| thread.join().is_err().then_some(seed)).collect()
    });
    assert!(failed.is_empty(), "seeds {failed:?}; FERROFLEET_SEED begins there");
}

/// Two providers without a lease: wrong, and nevertheless one of each.
#[test]
fn i1_two_providers_at_once_allocate_once() {
    let Some(site) = Site::new() else { return };
    let (_one, _two) = (site.provider(), site.provider());
    site.cluster_with_firewall("shop", &json!({}));
    NAMES.iter().for_each(|name| site.machine("shop", name, role(name)));
    site.until_core_knows("shop");
    NAMES.iter().for_each(|name| drop(site.until_ready("MetalStackMachine", name)));
    site.until_ready("MetalStackCluster", "shop");
    let created = ["network", "ip", "firewall", "machine"].map(|kind| site.count(&format!("created {kind} ")));
    assert_eq!(created, [1, 1, 1, 5], "{:#?}", site.effects());
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// A policy of this namespace that refuses changes of the specs of our kinds, once they are there.
fn freeze_specs(site: &Site) -> [Value; 2] {
    let name = format!("frozen-{}", site.namespace);
    let kinds = ["metalstackclusters", "metalstackmachines", "metalstackfirewalldeployments"];
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": site.namespace}},
                "resourceRules": [{
                    "apiGroups": ["infrastructure.cluster.x-k8s.io"], "apiVersions": ["v1alpha1"],
                    "operations": ["UPDATE"], "resources": kinds,
                }],
            },
            "validations": [{"expression": "object.spec == oldObject.spec", "message": "specs are frozen"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    for object in [&policy, &binding] {
        site.client().apply(object, Apply::by("ada")).unwrap_or_else(|e| panic!("{e}: {object}"));
    }
    site.infrastructure("probe", &json!({}));
    let mut turn = 0;
    site.until("the policy is in force", || {
        turn += 1;
        let patch = json!({"spec": {"controlPlaneIP": format!("198.18.1.{turn}")}});
        match site.try_patch("MetalStackCluster", "probe", "", &patch) {
            Err(refused) if refused.message.contains("specs are frozen") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    site.delete("MetalStackCluster", "probe");
    [policy, binding]
}

/// D2 to D7: whatever is allocated, its id cannot be written down for a while.
#[test]
fn i1_ids_that_cannot_be_written_down_cost_nothing_twice() {
    let Some(site) = Site::new() else { return };
    let provider = site.provider();
    site.whole_cluster("shop", &[]);
    let policy = freeze_specs(&site);
    site.cluster_with_firewall("web", &json!({}));
    site.machine("shop", "shop-0", Role::Worker);
    let unwritten = || {
        let created = ["network", "machine"].map(|kind| site.count(&format!("created {kind} ")));
        if created == [2, 1] { Ok(()) } else { Err(format!("{created:?}")) }
    };
    site.until("a network and a server are allocated", unwritten);
    site.until_read_again(5);
    provider.kill();
    let _provider = site.provider();
    site.until_read_again(5);
    unwritten().unwrap();
    // What is written nowhere is found and freed all the same.
    site.delete_whole("MetalStackMachine", "shop-0");
    assert_eq!(site.servers_of("machine"), Vec::<Value>::new());
    for object in &policy {
        site.client().delete(&ObjectRef::of(object)).unwrap();
    }
    site.until_ready("MetalStackCluster", "web");
    let created = ["network", "ip", "firewall", "machine"].map(|kind| site.count(&format!("created {kind} ")));
    assert_eq!(created, [2, 2, 2, 1]);
    site.delete_whole_cluster("web");
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// Allocations under way are brought to their end before the process ends.
#[test]
fn an_orderly_end_loses_no_allocation() {
    let Some(site) = Site::new() else { return };
    let provider = site.provider();
    site.cluster("shop", &json!({}));
    site.until_core_knows("shop");
    site.sim.set_faults(json!([{"path": "*/machine/allocate", "times": 1, "effect": {"delayMs": 1500}}]));
    site.machine("shop", "shop-0", Role::Worker);
    site.until("it is under way", || if site.sim.faults()[0].times == Some(0) { Ok(()) } else { Err("not yet") });
    assert!(provider.stop(), "it ends well");
    let machine = site.read("MetalStackMachine", "shop-0");
    let id = site.only("machine")["id"].clone();
    let named = machine["spec"]["providerID"].as_str().unwrap_or_default();
    assert!(named.ends_with(id.as_str().unwrap()), "{machine}");
}

/// Deleted in the middle of its allocation, with nobody dying.
#[test]
fn i2_deleted_while_it_is_allocated() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    site.until_core_knows("shop");
    for (n, effect) in [json!({"delayMs": 1200}), json!("dropAfter")].into_iter().enumerate() {
        let name = format!("shop-{n}");
        site.sim.set_faults(json!([{"path": "*/machine/allocate", "times": 1, "effect": effect}]));
        site.machine("shop", &name, Role::Worker);
        site.until("it is under way", || if site.sim.faults()[0].times == Some(0) { Ok(()) } else { Err("not yet") });
        site.delete("MetalStackMachine", &name);
        site.until_gone("MetalStackMachine", &name);
        assert_eq!(site.servers(), Vec::<Value>::new());
    }
    site.sim.set_faults(json!([
        {"path": "*/network/allocate", "times": 1, "effect": {"delayMs": 1200}},
        {"path": "*/ip/allocate", "times": 1, "effect": {"delayMs": 1200}},
    ]));
    for (n, left) in [(0, 0), (1, 0)] {
        let name = format!("web-{n}");
        site.cluster(&name, &json!({}));
        let struck = || if site.sim.faults()[n].times == Some(left) { Ok(()) } else { Err("not yet") };
        site.until("it is under way", struck);
        site.delete("MetalStackCluster", &name);
        site.until_gone("MetalStackCluster", &name);
    }
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}
