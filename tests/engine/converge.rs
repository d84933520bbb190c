//! A pushed definition comes back resolved and rendered, once.

use ferrofleet_tests::bed::{Bed, definition, folder};

#[test]
fn a_pushed_definition_comes_back_with_lock_and_output_in_one_commit() {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    let pushed = bed.ada.push("A shop");
    let ran = bed.run_once().expect(0);
    assert!(ran.stdout.contains("default.shop"), "{}", ran.stdout);
    assert_eq!(bed.remote.engine_commits(), 1);
    bed.assert_one_of_each("default.shop", &folder("shop"));

    let output = "rendered/mgmt/default/shop";
    for file in ["infrastructure.yaml", "control-plane.yaml", "pools.yaml", "templates.yaml", "kustomization.yaml"] {
        assert!(bed.remote.paths().contains(&format!("{output}/{file}")), "{file}");
    }
    let message = bed.remote.git(["log", "-1", "--format=%B", "main"]);
    for part in
        ["Resolve default.shop", "Fleet-Cluster: default.shop", &format!("Fleet-Source: {pushed}"), "Fleet-Run: "]
    {
        assert!(message.contains(part), "{part} is missing in\n{message}");
    }
    assert_eq!(bed.remote.claims(), Vec::<String>::new(), "the claim is gone");
}

#[test]
fn i4_a_second_run_commits_nothing_and_writes_nothing() {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    let tip = bed.remote.tip();
    bed.sim.forget_calls();
    let ran = bed.run_once().expect(0);
    assert_eq!(bed.remote.tip(), tip);
    assert_eq!(bed.writes(), Vec::<String>::new());
    assert!(!ran.stderr.contains("INFO"), "{}", ran.stderr);
}

#[test]
fn i3_files_of_people_are_not_touched() {
    let bed = Bed::new();
    let text = format!("# our shop  \r\n{}", definition("shop").replace('\n', "\r\n"));
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &text).write("README.md", "ours\n");
    let pushed = bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    let changed = bed.remote.git(["diff", "--name-only", &pushed, "main"]);
    assert!(changed.lines().all(|p| p.ends_with("cluster.lock.yaml") || p.starts_with("rendered/")), "{changed}");
}

#[test]
fn a_change_of_replicas_is_rendered_and_allocates_nothing() {
    let bed = Bed::new();
    let path = format!("{}/cluster.yaml", folder("shop"));
    bed.ada.write(&path, &definition("shop"));
    bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    bed.sim.forget_calls();
    bed.ada.pull().write(&path, &definition("shop").replace("replicas: 1", "replicas: 5"));
    bed.ada.push("A larger shop");
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.writes(), Vec::<String>::new());
    let changed = bed.remote.git(["diff", "--stat", "main~1", "main"]);
    assert!(changed.contains("pools.yaml") && !changed.contains("templates.yaml"), "{changed}");
}

#[test]
fn fifty_definitions_in_one_push_give_one_commit() {
    let bed = Bed::new();
    for n in 0..50 {
        let name = format!("c{n:02}");
        bed.ada.write(&format!("{}/cluster.yaml", folder(&name)), &definition(&name));
    }
    bed.ada.push("Fifty clusters");
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.engine_commits(), 1);
    for n in 0..50 {
        bed.assert_one_of_each(&format!("default.c{n:02}"), &folder(&format!("c{n:02}")));
    }
}

#[test]
fn a_moved_definition_keeps_its_values_and_its_lock_follows() {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    bed.sim.forget_calls();
    bed.ada.pull();
    bed.ada.run(["mv", &format!("{}/cluster.yaml", folder("shop")), "stages/development/moved.yaml"]);
    std::fs::create_dir_all(bed.ada.dir.join("stages/development/elsewhere")).unwrap();
    bed.ada.run(["mv", "stages/development/moved.yaml", "stages/development/elsewhere/cluster.yaml"]);
    bed.ada.push("Moved");
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.writes(), Vec::<String>::new());
    bed.assert_one_of_each("default.shop", "stages/development/elsewhere");
    assert!(!bed.remote.paths().contains(&format!("{}/cluster.lock.yaml", folder("shop"))));
}

#[test]
fn a_persons_edit_of_a_lock_is_put_right_and_changes_no_value() {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    let path = format!("{}/cluster.lock.yaml", folder("shop"));
    let before = bed.remote.read(&path);
    bed.ada.pull().write(&path, &before.replace("198.18.0.", "198.18.9."));
    bed.ada.push("I know better");
    let _ = bed.run_once();
    assert_eq!(bed.remote.read(&path), before);
    bed.assert_one_of_each("default.shop", &folder("shop"));
}

#[test]
fn i9_a_removed_definition_deletes_nothing() {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    bed.sim.forget_calls();
    bed.ada.pull().remove(&format!("{}/cluster.yaml", folder("shop")));
    bed.ada.push("No shop");
    let ran = bed.run_once().expect(1);
    assert!(ran.stderr.contains("DefinitionRemoved") || ran.stderr.contains("definition-removed"), "{}", ran.stderr);
    assert_eq!(bed.writes(), Vec::<String>::new());
    assert!(bed.remote.paths().contains(&"rendered/mgmt/default/shop/infrastructure.yaml".to_owned()));
}
