//! I4: what does not change costs nothing. And who only observes writes nothing at all.

use ferrofleet_tests::provider::objects::Role;
use ferrofleet_tests::provider::{PROJECT, Site};
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn i4_a_steady_state_writes_nothing_and_asks_once_for_all() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.whole_cluster(
        "shop",
        &[("shop-cp-0", Role::ControlPlane), ("shop-0", Role::Worker), ("shop-1", Role::Worker)],
    );
    site.whole_cluster("web", &[("web-0", Role::Worker)]);
    // What came last is read once more, and labels are written last.
    site.until_read_again(2);
    let before = site.versions();
    site.sim.forget_calls();
    site.until_read_again(4);
    let calls = site.sim.calls();
    assert_eq!(site.versions(), before);
    assert_eq!(site.writes(), []);
    let mut by_path: BTreeMap<String, usize> = BTreeMap::new();
    for call in &calls {
        *by_path.entry(format!("{} {}", call.method, call.path)).or_default() += 1;
    }
    let rounds = by_path.iter().find(|(path, _)| path.ends_with("/machine/find")).map_or(0, |(_, times)| *times);
    for (path, times) in &by_path {
        // The project itself is asked for by its id: another metal-api behind the address does not know it.
        let is_whole = ["/find", "/partition", PROJECT].iter().any(|ending| path.ends_with(ending));
        assert!(is_whole, "no object is asked for alone: {by_path:?}");
        // Own networks and shared ones are two questions.
        assert!(*times <= 2 * (rounds + 1), "one list per kind and interval: {by_path:?}");
    }
}

#[test]
fn who_observes_writes_nothing_anywhere() {
    let Some(site) = Site::new() else { return };
    site.cluster_with_firewall("shop", &json!({}));
    let provider = site.provider();
    site.complete("shop", &[("shop-0", Role::Worker)]);
    assert!(provider.stop(), "it ends well");
    // Work of every kind is left to be done.
    site.cluster_with_firewall("new", &json!({}));
    site.machine("shop", "shop-1", Role::Worker);
    site.delete("MetalStackMachine", "shop-0");
    site.firewall_template("shop", &json!({"image": "firewall-ubuntu-3.0.20251101"}));
    site.sim.forget_calls();
    let before = site.versions();
    let provider = site.provider_with(&["--observe"]);
    site.until("it says what it would do", || {
        let log = provider.log();
        let lines = log.lines().filter(|line| line.contains("would"));
        let named = |name: &str| lines.clone().any(|line| line.contains(&format!("{}/{name}", site.namespace)));
        if named("new") && named("shop-0") && named("shop-1") { Ok(()) } else { Err(log) }
    });
    site.until_read_again(2);
    assert_eq!(site.versions(), before);
    assert_eq!(site.writes(), []);
}

/// I7.
#[test]
fn i7_no_secret_is_said() {
    let Some(site) = Site::new() else { return };
    let provider = site.provider();
    site.cluster_with_firewall("shop", &json!({}));
    site.until_core_knows("shop");
    site.machine("shop", "shop-0", Role::Worker);
    site.until_ready("MetalStackMachine", "shop-0");
    site.delete_whole_cluster("shop");
    let said = provider.log();
    assert!(said.lines().count() > 5, "{said}");
    let encoded = "eyJpZ25pdGlvbiI6";
    for secret in ["\"of shop-0\"", "of shop-0\\\"}", encoded, site.sim.env()[1].1.as_str()] {
        assert!(!said.contains(secret), "{secret} is in the log");
    }
    let events: String = site.list("Event").iter().map(ToString::to_string).collect();
    assert!(events.contains("MachineAllocated"), "transitions are told: {events}");
    assert!(!events.contains("of shop-0\\\"}") && !events.contains(encoded), "{events}");
}
