//! The hazards of two writers on one branch (gitops.md 2b), each as people meet it.

use super::{CLUSTER, bed_with_shop, change_shop, command, has_lock, lock, marked, remove_shop, shop_path, write_shop};
use ferrofleet_tests::bed::{Bed, definition, folder};
use serde_json::Value;

const AUTHOR: [&str; 2] = ["--author", "Ada <ada@example.com>"];

#[test]
fn a_revert_of_the_engines_commit_is_not_fought_with() {
    let bed = bed_with_shop();
    let first = bed.remote.tip();
    write_shop(&bed.ada, &definition("shop").replace("replicas: 1", "replicas: 3"));
    bed.ada.push("A larger shop");
    let _ = bed.run_once().expect(0);
    let pools = || bed.remote.read("rendered/mgmt/default/shop/pools.yaml");
    assert!(pools().contains("replicas: 3"));
    bed.ada.pull().run(["revert", "--no-edit", "HEAD"]);
    bed.ada.push("Hold it");
    let reverted = bed.remote.tip();
    for _ in 0..2 {
        let ran = bed.run_once().expect(0);
        assert!(ran.stdout.contains("HeldAfterRevert"), "{}", ran.stdout);
        assert_eq!(bed.remote.tip(), reverted);
    }
    assert!(pools().contains("replicas: 1"));
    // Another cluster goes on, and the hold outlives the engine's commit for it.
    bed.ada.write(&format!("{}/cluster.yaml", folder("bar")), &definition("bar"));
    bed.ada.push("A bar");
    let _ = bed.run_once().expect(0);
    let _ = bed.run_once().expect(0);
    assert!(pools().contains("replicas: 1"));
    bed.assert_one_of_each("default.bar", &folder("bar"));
    // Its inputs change: it goes on.
    write_shop(bed.ada.pull(), &definition("shop").replace("replicas: 1", "replicas: 4"));
    bed.ada.push("Larger still");
    let _ = bed.run_once().expect(0);
    assert!(pools().contains("replicas: 4"));
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
    assert_ne!(bed.remote.tip(), first);
}

#[test]
fn a_revert_of_the_first_commit_keeps_what_was_allocated_for_the_day_it_goes_on() {
    let bed = bed_with_shop();
    let all = marked(&bed, CLUSTER);
    bed.ada.pull().run(["revert", "--no-edit", "HEAD"]);
    bed.ada.push("Not yet");
    let reverted = bed.remote.tip();
    let ran = bed.run_once().expect(0);
    assert!(ran.stdout.contains("HeldAfterRevert"), "{}", ran.stdout);
    assert_eq!((bed.remote.tip(), marked(&bed, CLUSTER)), (reverted, all.clone()));
    change_shop(&bed, "  purpose: testing\n", "Now");
    let _ = bed.run_once().expect(0);
    assert_eq!(marked(&bed, CLUSTER), all);
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
}

#[test]
fn i10_a_lost_lock_comes_back_with_the_same_values() {
    let bed = bed_with_shop();
    let before = lock(&bed)["values"].clone();
    // History is rewritten so that no engine commit is left: only tags know.
    bed.ada.pull().run(["rm", "-q", &format!("{}/cluster.lock.yaml", folder("shop"))]);
    bed.ada.run(["rm", "-rq", "rendered"]);
    bed.ada.run(["checkout", "-q", "--orphan", "new"]);
    bed.ada.commit("All over again");
    bed.ada.run(["push", "-q", "--force", "origin", "HEAD:main"]);
    bed.sim.forget_calls();
    let _ = bed.run_once();
    assert_eq!(bed.writes(), Vec::<String>::new());
    assert_eq!(lock(&bed)["values"], before);
}

#[test]
fn i9_a_branch_that_was_rewritten_deletes_nothing_until_a_person_says_so() {
    let bed = bed_with_shop();
    let cache = bed.path().join("cache");
    let run = |bed: &Bed| bed.spawn_once_with_cache(&cache, &[]).finish(ferrofleet_tests::bed::LIMIT);
    change_shop(&bed, "  deletion: {confirm: shop}\n", "The shop closes");
    let _ = run(&bed).expect(0);
    assert_eq!(lock(&bed)["deletion"]["phase"], "confirmed");
    // Somebody squashes everything, and removes the definition on top.
    bed.ada.pull().run(["checkout", "-q", "--orphan", "squashed"]);
    bed.ada.commit("Squashed");
    bed.ada.remove(&shop_path());
    bed.ada.commit("No shop any more");
    bed.ada.run(["push", "-q", "--force", "origin", "HEAD:main"]);
    let ran = run(&bed);
    assert!(ran.stdout.contains("HistoryRewritten") || ran.stderr.contains("HistoryRewritten"), "{ran:?}");
    assert_eq!(marked(&bed, CLUSTER).len(), 3);
    let _ = command(&bed, &[&["ack", "HistoryRewritten"][..], &AUTHOR].concat()).expect(0);
    bed.until("it is deleted", |bed| {
        let _ = run(bed);
        marked(bed, CLUSTER).is_empty() && !has_lock(bed)
    });
}

#[test]
fn i9_a_removal_that_history_does_not_hold_deletes_nothing() {
    let bed = bed_with_shop();
    change_shop(&bed, "  deletion: {confirm: shop}\n", "The shop closes");
    let _ = bed.run_once().expect(0);
    bed.ada.pull().remove(&shop_path());
    bed.ada.run(["checkout", "-q", "--orphan", "squashed"]);
    bed.ada.commit("Squashed without it");
    bed.ada.run(["push", "-q", "--force", "origin", "HEAD:main"]);
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains("definition-removed") && ran.stderr.contains("mend:"), "{}", ran.stderr);
    assert_eq!(marked(&bed, CLUSTER).len(), 3);
}

#[test]
fn i9_a_confirmation_that_is_taken_back_between_two_looks_counts_as_taken_back() {
    let bed = bed_with_shop();
    change_shop(&bed, "  deletion: {confirm: shop}\n", "The shop closes");
    let _ = bed.run_once().expect(0);
    change_shop(&bed, "", "It does not");
    remove_shop(&bed);
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains("definition-removed"), "{}", ran.stderr);
    assert_eq!(marked(&bed, CLUSTER).len(), 3);
}

#[test]
fn a_branch_that_was_deleted_is_named_and_nothing_happens_until_it_is_back() {
    let bed = bed_with_shop();
    let tip = bed.remote.tip();
    bed.remote.git(["update-ref", "-d", "refs/heads/main"]);
    bed.sim.forget_calls();
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains("no branch `main`"), "{}", ran.stderr);
    assert_eq!(bed.writes(), Vec::<String>::new());
    bed.remote.git(["update-ref", "refs/heads/main", &tip]);
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.tip(), tip);
}

#[test]
fn i12_two_fleets_in_one_project_leave_each_other_alone() {
    let bed = bed_with_shop();
    let before = marked(&bed, CLUSTER);
    let other = Bed::new();
    let text = other.ada.read("fleet.yaml").replace("name: example", "name: another");
    other.ada.write("fleet.yaml", &text);
    write_shop(&other.ada, &definition("shop"));
    other.ada.push("The same name in another fleet");
    // The other fleet's engine, on the first one's metal-api.
    let cache = bed.path().join("other-cache").display().to_string();
    let url = other.remote.url();
    let args = ["run", "--repo", &url, "--once", "--claim-time", "1s", "--cache-dir", &cache];
    let ran = ferrofleet_tests::binary::Process::spawn(&mut bed.command(&args)).finish(ferrofleet_tests::bed::LIMIT);
    let ran = ran.expect(1);
    assert!(ran.stdout.contains("Claimed"), "{}", ran.stdout);
    assert_eq!(marked(&bed, CLUSTER), before);
    let tip = bed.remote.tip();
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.tip(), tip);
}

#[test]
fn a_rename_of_the_folder_by_case_alone_moves_and_allocates_nothing() {
    let bed = bed_with_shop();
    let values = lock(&bed)["values"].clone();
    bed.sim.forget_calls();
    bed.ada.run(["mv", &folder("shop"), "stages/development/clusters/other"]);
    bed.ada.run(["mv", "stages/development/clusters/other", "stages/development/clusters/Shop"]);
    bed.ada.push("In capitals");
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.writes(), Vec::<String>::new());
    let moved: Value =
        serde_yaml::from_str(&bed.remote.read("stages/development/clusters/Shop/cluster.lock.yaml")).unwrap();
    assert_eq!(moved["values"], values);
    assert!(!has_lock(&bed));
}

#[test]
fn r9_a_move_to_another_stage_goes_as_far_as_its_identity_stays() {
    let bed = bed_with_shop();
    let text = bed.ada.read("fleet.yaml").replace(
        "stages: [",
        "stages: [{name: staging, managementCluster: mgmt, purpose: testing}, {name: abroad, managementCluster: far, purpose: testing}, ",
    );
    let text = text.replace("managementClusters: [{name: mgmt}]", "managementClusters: [{name: mgmt}, {name: far}]");
    bed.ada.write("fleet.yaml", &text);
    bed.ada.push("Two more stages");
    let _ = bed.run_once().expect(0);
    let values = lock(&bed)["values"].clone();
    bed.sim.forget_calls();
    bed.ada.pull();
    std::fs::create_dir_all(bed.ada.dir.join("stages/staging/clusters")).unwrap();
    bed.ada.run(["mv", &folder("shop"), "stages/staging/clusters/shop"]);
    bed.ada.push("Promoted");
    let _ = bed.run_once().expect(0);
    let moved: Value =
        serde_yaml::from_str(&bed.remote.read("stages/staging/clusters/shop/cluster.lock.yaml")).unwrap();
    assert_eq!(moved["values"], values);

    bed.ada.pull();
    std::fs::create_dir_all(bed.ada.dir.join("stages/abroad/clusters")).unwrap();
    bed.ada.run(["mv", "stages/staging/clusters/shop", "stages/abroad/clusters/shop"]);
    bed.ada.push("Abroad");
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains("management cluster"), "{}", ran.stderr);
    assert_eq!(bed.writes(), Vec::<String>::new());
    assert!(bed.remote.paths().iter().any(|p| p.starts_with("rendered/mgmt/default/shop/")));
    assert!(!bed.remote.paths().iter().any(|p| p.starts_with("rendered/far/")));
}

#[test]
fn what_looks_like_a_removal_and_is_none_deletes_nothing() {
    let bed = bed_with_shop();
    change_shop(&bed, "  deletion: {confirm: shop}\n", "The shop closes");
    let _ = bed.run_once().expect(0);
    let output = bed.remote.git(["rev-parse", "main:rendered/mgmt/default/shop"]);
    let broken = [
        ("a typo", definition("shop").replace("spec:", "spec")),
        ("an empty file", String::new()),
        ("a merge that went wrong", format!("<<<<<<< HEAD\n{}=======\n>>>>>>> other\n", definition("shop"))),
        ("binary", "\u{0}\u{1}".to_owned()),
    ];
    for (what, text) in broken {
        write_shop(bed.ada.pull(), &text);
        bed.ada.push(what);
        let _ = bed.run_once().expect(1);
        assert_eq!(bed.remote.git(["rev-parse", "main:rendered/mgmt/default/shop"]), output, "{what}");
        assert_eq!(marked(&bed, CLUSTER).len(), 3, "{what}");
    }
    // A fleet.yaml that cannot be read hides every definition.
    write_shop(bed.ada.pull(), &format!("{}  deletion: {{confirm: shop}}\n", definition("shop")));
    let fleet = bed.ada.read("fleet.yaml");
    bed.ada.write("fleet.yaml", "apiVersion: nonsense\n");
    bed.ada.push("A broken fleet");
    let _ = bed.run_once().expect(1);
    assert_eq!(marked(&bed, CLUSTER).len(), 3);
    bed.ada.pull().write("fleet.yaml", &fleet);
    bed.ada.push("Mended");
    let _ = bed.run_once().expect(0);
    remove_shop(&bed);
    bed.until("only now it is deleted", |bed| {
        let _ = bed.run_once();
        marked(bed, CLUSTER).is_empty()
    });
}
