//! metal-api refuses or has nothing left, people rewrite the branch, processes die while a call is on its way: other
//! clusters go on (I6), the reason is in the table, and once the trouble is gone a run ends with 0.

use ferrofleet_tests::bed::{Bed, LIMIT, definition, folder};
use ferrofleet_tests::binary::{Finished, Process};
use ipnet::IpNet;
use metal_sim::{IpSpec, Landscape, NetworkSpec, ProjectSpec};
use serde_json::json;
use std::path::Path;

const PROJECT: &str = "00000000-0000-0000-0000-000000000001";
const OTHER_PROJECT: &str = "00000000-0000-0000-0000-000000000002";
const SHOP: &str = "default.shop";
const SLOTS: [&str; 3] = ["network", "vip", "firewall"];

fn define(bed: &Bed, name: &str, more: &str) {
    let text = format!("{}{more}", definition(name));
    bed.ada.pull().write(&format!("{}/cluster.yaml", folder(name)), &text).push("A definition");
}

fn bed_with_shop() -> Bed {
    let bed = Bed::new();
    define(&bed, "shop", "");
    bed
}

/// A firewall that somebody has for something else; its id. (metal-api compares a quota of machines with the firewalls.)
fn occupy(bed: &Bed, project: &str, size: &str) -> String {
    let body = json!({"projectid": project, "partitionid": "muc-a", "addressfamily": "IPv4"});
    let network = bed.post("/v1/network/allocate", &body)["id"].clone();
    let body = json!({
        "projectid": project, "partitionid": "muc-a", "sizeid": size, "imageid": "firewall-ubuntu-3.0",
        "networks": [{"networkid": "internet", "autoacquire": true}, {"networkid": network, "autoacquire": true}],
        "name": "f", "hostname": "f", "tags": [],
    });
    bed.post("/v1/firewall/allocate", &body)["id"].as_str().unwrap().to_owned()
}

/// Ends early where what is refused would be tried again for a while.
fn run_briefly(bed: &Bed) -> Finished {
    bed.spawn_once_with(&["--timeout", "8s"]).finish(LIMIT)
}

/// What the cluster has in metal-api, by its tags.
fn all_of(bed: &Bed, cluster: &str) -> Vec<Vec<String>> {
    SLOTS.map(|slot| bed.live(cluster, slot)).into()
}

fn allocations(bed: &Bed) -> Vec<String> {
    bed.writes().into_iter().filter(|w| w.contains("/allocate")).collect()
}

/// The refused cluster has no output, the other one is complete, and without the trouble both are.
#[track_caller]
fn refused_alone(bed: &Bed, ran: Finished, reason: &str, words: &str, mend: impl FnOnce(&Bed)) {
    let ran = ran.expect(1);
    let row = ran.stdout.lines().find(|line| line.starts_with("default.refused ")).unwrap_or_default();
    assert!(row.ends_with(reason), "{reason}: {}", ran.stdout);
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains(words), "{words}: {ran:?}");
    bed.assert_one_of_each("default.good", &folder("good"));
    let paths = bed.remote.paths();
    assert!(paths.contains(&"rendered/mgmt/default/good/infrastructure.yaml".to_owned()), "{paths:?}");
    assert!(!paths.iter().any(|p| p.starts_with("rendered/mgmt/default/refused/")), "R7: {paths:?}");
    assert_eq!(bed.remote.claims(), Vec::<String>::new());
    mend(bed);
    let _ = bed.run_once().expect(0);
    for name in ["good", "refused"] {
        bed.assert_one_of_each(&format!("default.{name}"), &folder(name));
    }
}

#[test]
fn i6_a_refused_allocation_is_explained_and_stops_its_own_cluster() {
    for (status, said, reason) in [
        (404, "NotFound no network with id \"internet\" found", "AllocationRefused"),
        (409, "Conflict the entity was changed from another, please retry", "AllocationRefused"),
        (422, "project quota for ips reached max:1", "QuotaExceeded"),
        (429, "slow down", "MetalUnreachable"),
        (403, "you are not member in one of [Edit]", "Unauthorized"),
        (500, "Internal cannot allocate free ip in ipam, no ips left", "NetworkExhausted"),
    ] {
        eprintln!("{status} {said}");
        let bed = Bed::new();
        define(&bed, "good", "");
        define(&bed, "refused", "  vip: {address: 198.18.9.9}\n");
        // A given address has a path of its own: only this cluster meets the fault.
        let fault = json!([{"path": "*/ip/allocate/198.18.9.9", "effect": {"status": status, "message": said}}]);
        bed.sim.set_faults(fault);
        let ran = run_briefly(&bed);
        refused_alone(&bed, ran, reason, said, |bed| bed.sim.set_faults(json!([])));
    }
}

#[test]
fn what_was_refused_as_busy_is_tried_again_in_the_same_run() {
    for kind in ["network", "ip", "firewall"] {
        for status in [429, 503] {
            let bed = bed_with_shop();
            let path = format!("*/{kind}/allocate");
            bed.sim
                .set_faults(json!([{"path": path, "times": 2, "effect": {"status": status, "message": "slow down"}}]));
            let _ = bed.run_once().expect(0);
            bed.assert_one_of_each(SHOP, &folder("shop"));
        }
    }
}

#[test]
fn an_exhausted_vip_network_waits_for_an_address() {
    let taken = ["198.19.0.1", "198.19.0.2", "198.19.0.3", "198.19.0.4", "198.19.0.5", "198.19.0.6"];
    let mut landscape = Landscape::default();
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    landscape.networks.push(NetworkSpec {
        id: "tiny".into(),
        nat: true,
        vrf: Some(104_011),
        prefixes: vec![net("198.19.0.0/29")],
        destination_prefixes: vec![net("0.0.0.0/0")],
        ..NetworkSpec::default()
    });
    landscape.ips.extend(taken.map(|address| IpSpec {
        address: address.parse().unwrap(),
        network: "tiny".into(),
        project: PROJECT.into(),
        name: "somebody's".into(),
        ephemeral: false,
        tags: Vec::new(),
    }));
    let bed = Bed::with_landscape(landscape);
    define(&bed, "good", "");
    define(&bed, "refused", "  vip: {network: tiny}\n  firewall: {networks: [internet, tiny]}\n");
    let ran = run_briefly(&bed);
    refused_alone(&bed, ran, "NetworkExhausted", "no ips left", |bed| {
        taken[..2].iter().for_each(|address| bed.delete(&format!("/v1/ip/free/{address}")));
    });
}

#[test]
fn without_a_machine_of_the_firewalls_size_it_waits_for_one() {
    let mut landscape = Landscape::default();
    let group = landscape.machines.iter_mut().find(|g| g.size == "c1-large-x86" && g.partition == "muc-a").unwrap();
    group.count = 1;
    let bed = Bed::with_landscape(landscape);
    let last = occupy(&bed, PROJECT, "c1-large-x86");
    let policy = bed.ada.read("policies/default.yaml");
    let types = "firewall: {types: [n1-medium-x86, c1-large-x86]";
    bed.ada.write("policies/default.yaml", &policy.replace("firewall: {types: [n1-medium-x86]", types)).push("Large");
    define(&bed, "good", "");
    define(&bed, "refused", "  firewall: {size: c1-large-x86}\n");
    let ran = run_briefly(&bed);
    refused_alone(&bed, ran, "NoMachineAvailable", "no machine available", |bed| {
        bed.delete(&format!("/v1/machine/{last}/free"));
        bed.until("the machine waits again", |bed| {
            let state = bed.sim.state();
            let machine = state["machines"].as_array().unwrap().iter().find(|m| m["id"] == last.as_str()).cloned();
            machine.is_some_and(|m| m["allocation"].is_null() && m["events"]["log"][0]["event"] == "Waiting")
        });
    });
}

#[test]
fn a_projects_quota_stops_the_clusters_of_that_project() {
    let mut landscape = Landscape::default();
    let other = ProjectSpec {
        id: OTHER_PROJECT.into(),
        name: "small".into(),
        machine_quota: Some(1),
        ..ProjectSpec::default()
    };
    landscape.projects.push(other);
    let bed = Bed::with_landscape(landscape);
    let last = occupy(&bed, OTHER_PROJECT, "n1-medium-x86");
    let fleet = bed.ada.read("fleet.yaml");
    let listed = format!("projects: [{{id: {PROJECT}}}, {{id: {OTHER_PROJECT}}}]\n    project: {PROJECT}");
    bed.ada
        .write("fleet.yaml", &fleet.replace(&format!("projects: [{{id: {PROJECT}}}]"), &listed))
        .push("Two projects");
    define(&bed, "good", "");
    define(&bed, "refused", &format!("  metal: {{project: {OTHER_PROJECT}}}\n"));
    let ran = bed.run_once();
    refused_alone(&bed, ran, "QuotaExceeded", "project quota for", |bed| {
        bed.delete(&format!("/v1/machine/{last}/free"));
    });
}

/// `run --once` with a cache that is kept, unlike that of a machine which sees the repository for the first time.
fn run_with_cache(bed: &Bed) -> Finished {
    bed.spawn_once_with_cache(&bed.path().join("kept-cache"), &[]).finish(LIMIT)
}

#[test]
fn i1_after_a_rewritten_history_the_values_are_found_by_their_tags() {
    for kept in [false, true] {
        let run = |bed: &Bed| if kept { run_with_cache(bed) } else { bed.run_once() };
        let bed = bed_with_shop();
        let before_engine = bed.remote.tip();
        let _ = run(&bed).expect(0);
        let (had, lock) = (all_of(&bed, SHOP), bed.remote.read(&format!("{}/cluster.lock.yaml", folder("shop"))));
        bed.ada.run(["push", "--quiet", "--force", "origin", &format!("{before_engine}:main")]);
        bed.sim.forget_calls();
        let _ = run(&bed).expect(0);
        assert_eq!(bed.writes(), Vec::<String>::new());
        assert_eq!(all_of(&bed, SHOP), had);
        assert_eq!(bed.remote.read(&format!("{}/cluster.lock.yaml", folder("shop"))), lock);
        bed.assert_one_of_each(SHOP, &folder("shop"));
        assert_eq!(bed.remote.git(["rev-parse", "main~1"]), before_engine, "nothing of the person's is undone");
    }
}

#[test]
fn i1_a_branch_that_was_deleted_and_pushed_again_gets_its_values_back() {
    for kept in [false, true] {
        let run = |bed: &Bed| if kept { run_with_cache(bed) } else { bed.run_once() };
        let bed = bed_with_shop();
        let _ = run(&bed).expect(0);
        let had = all_of(&bed, SHOP);
        bed.remote.git(["update-ref", "-d", "refs/heads/main"]);
        bed.sim.forget_calls();
        let ran = run(&bed).expect(1);
        assert!(ran.stderr.contains("no branch `main`"), "{}", ran.stderr);
        assert_eq!(bed.writes(), Vec::<String>::new());
        // A root commit: nothing of the old history is reachable any more.
        bed.ada.run(["checkout", "--quiet", "--orphan", "anew"]);
        bed.ada.push("The fleet, anew");
        let _ = run(&bed).expect(0);
        assert_eq!(bed.writes(), Vec::<String>::new());
        assert_eq!(all_of(&bed, SHOP), had);
        bed.assert_one_of_each(SHOP, &folder("shop"));
    }
}

/// Somebody whose clone is older than the engine's last commit makes one of their own and merges, as `git pull` does.
fn merge_late(bed: &Bed, behind: &ferrofleet_tests::repo::Person) {
    behind.write("notes/late.md", "late\n").commit("Late");
    behind.run(["fetch", "--quiet", "origin"]);
    behind.run(["merge", "--quiet", "--no-edit", "origin/main"]);
    behind.run(["push", "--quiet", "origin", "HEAD:main"]);
    assert_eq!(bed.remote.git(["rev-list", "--merges", "--count", "main"]), "1");
}

#[test]
fn a_persons_merge_of_the_engines_commit_costs_nothing() {
    let bed = bed_with_shop();
    let bob = bed.person("bob");
    let _ = bed.run_once().expect(0);
    merge_late(&bed, &bob);
    let tip = bed.remote.tip();
    bed.sim.forget_calls();
    let ran = bed.run_once().expect(0);
    assert_eq!((bed.writes(), bed.remote.tip()), (Vec::new(), tip));
    assert!(!ran.stderr.contains("engine-owned-file"), "{}", ran.stderr);
    define(&bed, "bar", "");
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(SHOP, &folder("shop"));
    bed.assert_one_of_each("default.bar", &folder("bar"));
}

#[test]
fn i5_a_merge_that_brings_a_later_engine_commit_keeps_its_values() {
    let bed = bed_with_shop();
    let _ = bed.run_once().expect(0);
    let bob = bed.person("bob");
    define(&bed, "bar", "");
    let _ = bed.run_once().expect(0);
    let lock = format!("{}/cluster.lock.yaml", folder("bar"));
    let before = bed.remote.read(&lock);
    // Bob's own line has the engine's first commit, what he merges has the second one.
    merge_late(&bed, &bob);
    let tip = bed.remote.tip();
    bed.sim.forget_calls();
    let ran = bed.run_once().expect(0);
    assert_eq!(bed.writes(), Vec::<String>::new());
    assert_eq!(bed.remote.read(&lock), before);
    assert!(!ran.stderr.contains("engine-owned-file"), "nobody changed one: {}", ran.stderr);
    assert_eq!(bed.remote.tip(), tip, "I4");
}

#[test]
fn i5_a_merge_does_not_resolve_a_version_anew() {
    let mut landscape = Landscape::default();
    let features = vec![metal_sim::Feature::Machine];
    landscape.images.push(metal_sim::ImageSpec { id: "capms-ubuntu-1.34.3".into(), features, ..Default::default() });
    let bed = Bed::with_landscape(landscape);
    define(&bed, "shop", "");
    let _ = bed.run_once().expect(0);
    let bob = bed.person("bob");
    let text = definition("bar").replace("version: 1.34.2", "version: \"1.34\"");
    bed.ada.pull().write(&format!("{}/cluster.yaml", folder("bar")), &text).push("A bar");
    let _ = bed.run_once().expect(0);
    let lock = format!("{}/cluster.lock.yaml", folder("bar"));
    let before = bed.remote.read(&lock);
    assert!(before.contains("version: 1.34.2"), "{before}");
    let policy = bed.ada.pull().read("policies/default.yaml");
    let image = |v: &str| format!("- {{version: {v}, kubernetes: {v}, kubeVip: v0.8.10}}");
    let older = image("1.34.2").replace('}', ", classification: deprecated}");
    let offers = "versions: [{version: 1.34.3}, {version: 1.34.2, classification: deprecated}";
    let policy = policy
        .replace("versions: [{version: 1.34.2}", offers)
        .replace(&image("1.34.2"), &format!("{}\n        {older}", image("1.34.3")));
    bed.ada.write("policies/default.yaml", &policy).push("A newer patch");
    merge_late(&bed, &bob);
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.read(&lock), before);
}

#[test]
fn i1_killed_while_an_allocation_is_on_its_way_that_lands_after_the_next_run() {
    let bed = bed_with_shop();
    bed.sim.set_faults(json!([{"path": "*/network/allocate", "times": 1, "effect": {"delayMs": 12_000}}]));
    let process = bed.spawn_once();
    bed.until("the allocation is on its way", |bed| bed.sim.faults()[0].times == Some(0));
    process.kill();
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(SHOP, &folder("shop"));
    let kept = all_of(&bed, SHOP);
    bed.until("the late one landed", |bed| bed.live(SHOP, "network").len() == 2);
    let _ = bed.run_once().expect(0);
    assert_eq!(all_of(&bed, SHOP), kept, "the lock decides which one goes");
    bed.assert_one_of_each(SHOP, &folder("shop"));
}

#[test]
fn i1_an_allocation_that_timed_out_and_completes_later_is_found() {
    for kind in ["network", "ip", "firewall"] {
        let bed = bed_with_shop();
        let path = format!("*/{kind}/allocate");
        // Longer than a call may take under a claim of one second, shorter than the wait for an unknown outcome.
        bed.sim.set_faults(json!([{"path": path, "times": 1, "effect": {"delayMs": 2_000}}]));
        let _ = bed.run_once().expect(0);
        bed.assert_one_of_each(SHOP, &folder("shop"));
        let of_kind = allocations(&bed).into_iter().filter(|w| w.ends_with(&path[1..])).count();
        assert_eq!(of_kind, 1, "never a second call for a slot whose outcome is unknown: {:?}", bed.writes());
    }
}

#[test]
fn githubs_protected_branch_is_a_refusal_by_policy_and_costs_nothing_twice() {
    let bed = bed_with_shop();
    bed.remote.hook(
        "update",
        &format!(
            "#!/bin/sh\nif [ $1 = refs/heads/main ]; then\n  echo x >> '{}'\n  \
             echo 'error: GH006: Protected branch update failed for refs/heads/main.' >&2\n  \
             echo 'error: Changes must be made through a pull request.' >&2\n  exit 1\nfi\n",
            bed.path().join("tries").display(),
        ),
    );
    let tries = || std::fs::read_to_string(bed.path().join("tries")).unwrap().lines().count();
    let ran = bed.run_once().expect(1);
    for words in ["GH006: Protected branch update failed", "through a pull request", "main"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert_eq!(tries(), 1, "never retried hot");
    assert_eq!(bed.remote.claims(), Vec::<String>::new());
    let had = all_of(&bed, SHOP);
    bed.sim.forget_calls();
    let _ = bed.run_once().expect(1);
    assert_eq!((tries(), bed.writes(), all_of(&bed, SHOP)), (2, Vec::new(), had));
    bed.remote.remove_hook("update");
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(SHOP, &folder("shop"));
}

/// No file below contains it.
#[track_caller]
fn assert_nowhere_below(folder: &Path, canary: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere_below(&path, canary);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "I7: {} has it", path.display());
        }
    }
}

#[test]
fn i7_the_hmac_key_is_nowhere_on_good_days_and_on_bad_ones() {
    const CANARY: &str = "canary-5e1f0c-hmac";
    let mut landscape = Landscape::default();
    landscape.auth.admin = CANARY.to_owned();
    let bed = Bed::with_landscape(landscape);
    define(&bed, "shop", "");
    let (cache, url) = (bed.path().join("kept-cache"), bed.remote.url());
    let say = |finished: &Finished| {
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!said.contains(CANARY), "I7: {said}");
        assert!(!said.contains("Metal-Admin "), "a signature was logged: {said}");
    };
    let trace = ["--log", "trace"];
    let find = |effect: serde_json::Value| json!([{"path": "*/find", "effect": effect}]);
    let message = json!({"status": 403, "message": "Wrong HMAC found"});
    for fault in [find(message), find(json!({"status": 500, "message": "x"})), find(json!("dropBefore")), json!([])] {
        bed.sim.set_faults(fault);
        let plan = ["plan", "--repo", &url, "-o", "json", "--log", "trace"];
        say(&Process::spawn(&mut bed.command(&plan)).finish(LIMIT));
        let args = [&trace[..], &["-o", "json", "--timeout", "4s"]].concat();
        say(&bed.spawn_once_with_cache(&cache, &args).finish(LIMIT));
    }
    bed.assert_one_of_each(SHOP, &folder("shop"));
    let wrong = Process::spawn(bed.command(&["run", "--repo", &url, "--once"]).env("METAL_API_HMAC_AUTH_TYPE", "none"));
    say(&wrong.finish(LIMIT));
    assert!(!bed.remote.git(["log", "-p", "--all"]).contains(CANARY));
    assert_nowhere_below(&cache, CANARY);
    assert_nowhere_below(&bed.remote.path, CANARY);
}
