//! SIGKILL of the real process at every step, and every reply lost once: a run from an empty cache ends with one of each.

use ferrofleet_tests::bed::{Bed, LIMIT, definition, folder};
use serde_json::json;

const CLUSTER: &str = "default.shop";

fn bed_with_shop() -> Bed {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    bed.ada.push("A shop");
    bed
}

#[track_caller]
fn converges(bed: &Bed) {
    bed.sim.set_faults(json!([]));
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
    assert_eq!(bed.remote.claims(), Vec::<String>::new(), "no claim is left");
    let linear = bed.remote.git(["rev-list", "--merges", "--count", "main"]);
    assert_eq!(linear, "0");
}

/// The calls that a first run makes: every one of them is a step at which the process may die.
fn calls_of_a_first_run() -> Vec<(String, String)> {
    let bed = bed_with_shop();
    let _ = bed.run_once().expect(0);
    let mut calls: Vec<_> = bed.sim.calls().into_iter().map(|c| (c.method, generic(&c.path))).collect();
    calls.dedup();
    calls
}

/// The path with ids replaced, so that it matches in another run.
fn generic(path: &str) -> String {
    let part = |p: &str| if p.contains('-') && p.len() == 36 { "*".to_owned() } else { p.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Kills the process while the nth matching call hangs: before its effect, or after it.
fn killed_in_call(method: &str, path: &str, effect: &str) {
    let bed = bed_with_shop();
    bed.sim.set_faults(json!([{"method": method, "path": path, "times": 1, "effect": effect}]));
    let process = bed.spawn_once();
    let hit = |bed: &Bed| bed.sim.calls().iter().any(|c| c.method == method && generic(&c.path) == path);
    bed.until(&format!("{method} {path} was called"), hit);
    process.kill();
    converges(&bed);
}

#[test]
fn i1_killed_in_each_metal_api_call_before_and_after_its_effect() {
    let mut calls = calls_of_a_first_run();
    calls.sort();
    calls.dedup();
    assert!(calls.iter().any(|(_, path)| path.ends_with("/firewall/allocate")), "{calls:?}");
    for (method, path) in calls {
        let writes = path.contains("allocate") || path.contains("free");
        for effect in if writes { &["hang", "hangAfter"][..] } else { &["hang"][..] } {
            eprintln!("killed in {method} {path}, {effect}");
            killed_in_call(&method, &path, effect);
        }
    }
}

#[test]
fn i1_each_reply_of_an_allocation_is_lost_once() {
    for kind in ["network", "ip", "firewall"] {
        for effect in ["dropAfter", "dropBefore", "hangAfter"] {
            eprintln!("{kind}/allocate, {effect}");
            let bed = bed_with_shop();
            let path = format!("*/{kind}/allocate");
            bed.sim.set_faults(json!([{"method": "POST", "path": path, "times": 1, "effect": effect}]));
            let _ = bed.run_once().expect(0);
            bed.assert_one_of_each(CLUSTER, &folder("shop"));
        }
    }
}

#[test]
fn killed_before_the_push_landed_and_after_it() {
    for (hook, refs) in [("pre-receive", "refs/heads/main"), ("post-receive", "refs/heads/main")] {
        let bed = bed_with_shop();
        let marker = bed.path().join("reached");
        let release = bed.path().join("release");
        ferrofleet_tests::repo::ok(std::process::Command::new("mkfifo").arg(&release));
        // Blocks the server inside of the push of the branch; pushes of the claim pass.
        bed.remote.hook(
            hook,
            &format!(
                "#!/bin/sh\nwhile read old new ref; do\n  if [ \"$ref\" = {refs} ]; then : > '{}'; read x < '{}'; fi\ndone\n",
                marker.display(),
                release.display(),
            ),
        );
        let process = bed.spawn_once();
        bed.until(&format!("the {hook} hook runs"), |_| marker.exists());
        process.kill();
        bed.remote.remove_hook(hook);
        // What the server still has in hand may land or not; either way there is one of each.
        drop(std::fs::OpenOptions::new().read(true).write(true).open(&release).map(|mut f| {
            use std::io::Write as _;
            f.write_all(b"go\n").expect("the fifo takes it");
            f
        }));
        converges(&bed);
    }
}

#[test]
fn killed_while_it_takes_and_while_it_holds_the_claim() {
    for hook in ["pre-receive", "post-receive"] {
        let bed = bed_with_shop();
        let marker = bed.path().join("reached");
        bed.remote.hook(
            hook,
            &format!(
                "#!/bin/sh\nwhile read old new ref; do\n  case $ref in refs/ferrofleet/*) : > '{0}'; while [ -e '{0}' ]; do read x < /dev/null; done;; esac\ndone\n",
                marker.display(),
            ),
        );
        let process = bed.spawn_once();
        bed.until(&format!("the {hook} hook runs"), |_| marker.exists());
        process.kill();
        bed.remote.remove_hook(hook);
        std::fs::remove_file(&marker).unwrap();
        converges(&bed);
    }
}

#[test]
fn sigterm_ends_a_run_and_deletes_its_claim() {
    let bed = bed_with_shop();
    bed.sim
        .set_faults(json!([{"method": "POST", "path": "*/network/allocate", "times": 1, "effect": {"delayMs": 200}}]));
    let process = bed.spawn_once();
    bed.until("the claim is held", |bed| !bed.remote.claims().is_empty());
    process.signal("TERM");
    let finished = process.finish(LIMIT);
    assert_ne!(finished.code, Some(0));
    assert_eq!(bed.remote.claims(), Vec::<String>::new());
    converges(&bed);
}
