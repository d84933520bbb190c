//! Bad days: metal-api or the remote refuses, hangs or is gone. Other clusters go on (I6), messages help.

use ferrofleet_tests::bed::{Bed, CLAIM_TIME, LIMIT, definition, folder};
use ferrofleet_tests::binary::Process;
use serde_json::json;

fn bed_with(names: &[&str]) -> Bed {
    let bed = Bed::new();
    for name in names {
        bed.ada.write(&format!("{}/cluster.yaml", folder(name)), &definition(name));
    }
    bed.ada.push("Clusters");
    bed
}

#[test]
fn i6_a_broken_definition_stops_only_its_cluster() {
    let bed = bed_with(&["good"]);
    bed.ada.write(&format!("{}/cluster.yaml", folder("bad")), &definition("bad").replace("pools:", "poolz:"));
    bed.ada.push("A typo");
    let ran = bed.run_once().expect(1);
    bed.assert_one_of_each("default.good", &folder("good"));
    for part in ["poolz", "pools", "cluster.yaml:6"] {
        assert!(ran.stderr.contains(part), "{part} is missing in\n{}", ran.stderr);
    }
}

#[test]
fn each_answer_of_a_bad_metal_api_is_named_and_nothing_is_committed_of_it() {
    for (status, reason) in
        [(401, "Unauthorized"), (403, "Unauthorized"), (500, "MetalUnreachable"), (422, "MetalUnreachable")]
    {
        let bed = bed_with(&["shop"]);
        let fault = json!([{"path": "*/network/find", "effect": {"status": status, "message": "a bad day"}}]);
        bed.sim.set_faults(fault);
        let tip = bed.remote.tip();
        let ran = bed.run_once().expect(1);
        assert!(ran.stdout.contains(reason), "{status}: {}", ran.stdout);
        assert!(ran.stdout.contains("a bad day") || ran.stderr.contains("a bad day"), "{status}: {ran:?}");
        assert_eq!(bed.remote.tip(), tip);
    }
}

#[test]
fn a_refused_firewall_leaves_a_partial_lock_and_no_output() {
    let bed = bed_with(&["shop"]);
    let fault = json!([{"path": "*/firewall/allocate", "effect": {"status": 422, "message": "no machine available"}}]);
    bed.sim.set_faults(fault);
    let ran = bed.run_once().expect(1);
    assert!(ran.stdout.contains("NoMachineAvailable"), "{}", ran.stdout);
    let lock = bed.remote.read(&format!("{}/cluster.lock.yaml", folder("shop")));
    assert!(lock.contains("nodeNetwork") && lock.contains("vip") && !lock.contains("firewall:"), "{lock}");
    assert!(!bed.remote.paths().iter().any(|p| p.starts_with("rendered/")), "R7");
    bed.sim.set_faults(json!([]));
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each("default.shop", &folder("shop"));
}

#[test]
fn a_hung_metal_api_ends_in_a_message_and_not_in_a_hang() {
    let bed = bed_with(&["shop"]);
    bed.sim.set_faults(json!([{"path": "*/ip/find", "effect": "hang"}]));
    let ran = bed.run_once().expect(1);
    assert!(ran.stdout.contains("MetalUnreachable"), "{}", ran.stdout);
}

#[test]
fn a_missing_branch_and_a_missing_repository_say_what_to_do() {
    let bed = bed_with(&[]);
    let url = bed.remote.url();
    let args = ["run", "--repo", &url, "--once", "--branch", "nowhere", "--claim-time", CLAIM_TIME];
    let ran = Process::spawn(&mut bed.command(&args)).finish(LIMIT).expect(1);
    assert!(ran.stderr.contains("nowhere") && ran.stderr.contains("no branch"), "{}", ran.stderr);

    let gone = bed.path().join("gone.git").display().to_string();
    let args = ["run", "--repo", &gone, "--once", "--claim-time", CLAIM_TIME];
    let ran = Process::spawn(&mut bed.command(&args)).finish(LIMIT).expect(1);
    assert!(ran.stderr.contains("gone.git"), "{}", ran.stderr);
}

#[test]
fn a_refusal_by_a_hook_is_not_retried_and_its_words_are_shown() {
    let bed = bed_with(&["shop"]);
    bed.remote.hook(
        "pre-receive",
        &format!(
            "#!/bin/sh\nwhile read old new ref; do\n  if [ $ref = refs/heads/main ]; then echo x >> '{}'; echo 'four eyes, please' >&2; exit 1; fi\ndone\n",
            bed.path().join("tries").display(),
        ),
    );
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains("four eyes, please"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(bed.path().join("tries")).unwrap().lines().count(), 1, "one try");
}

#[test]
fn i7_the_hmac_is_nowhere() {
    let bed = bed_with(&["shop"]);
    let key = "metal-admin";
    let ran = bed.run_once().expect(0);
    let all = format!("{}{}{}", ran.stdout, ran.stderr, bed.remote.git(["log", "-p", "--all"]));
    assert!(!all.contains(key), "the key stands in what was printed or committed");
}

/// Refuses pushes of refs that match a shell pattern.
fn refuse_refs(bed: &Bed, pattern: &str) {
    bed.remote
        .hook("update", &format!("#!/bin/sh\ncase $1 in {pattern}) echo 'no such refs here' >&2; exit 1;; esac\n"));
}

#[test]
fn a_server_that_refuses_refs_outside_of_heads_gets_its_claim_among_the_branches() {
    let bed = bed_with(&["shop"]);
    refuse_refs(&bed, "refs/ferrofleet/*");
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each("default.shop", &folder("shop"));
    assert_eq!(bed.remote.claims(), Vec::<String>::new());
}

#[test]
fn a_server_that_refuses_every_claim_gets_nothing_allocated_until_one_engine_is_said_to_be_alone() {
    let bed = bed_with(&["shop"]);
    refuse_refs(&bed, "refs/ferrofleet/*|refs/heads/ferrofleet-claim/*");
    let ran = bed.run_once().expect(1);
    assert!(ran.stdout.contains("ClaimRefused") && ran.stdout.contains("--single-writer"), "{}", ran.stdout);
    assert!(ran.stdout.contains("no such refs here"), "{}", ran.stdout);
    assert_eq!(bed.writes(), Vec::<String>::new());
    let _ = bed.spawn_once_with(&["--single-writer"]).finish(LIMIT).expect(0);
    bed.assert_one_of_each("default.shop", &folder("shop"));
}
