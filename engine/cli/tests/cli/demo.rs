use crate::support::{Running, collected, ferrofleet, git, output, until};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// Temporary folders of demos that did not clean up.
fn left(tmp: &Path) -> Vec<String> {
    std::fs::read_dir(tmp).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn once_resolves_and_renders_the_example_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let tmp = tempfile::tempdir().unwrap();
    let ended = output(ferrofleet(home.path()).args(["demo", "--once"]).env("TMPDIR", tmp.path())).expect(0);
    let rows: Vec<Vec<&str>> = ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["CLUSTER", "NETWORK", "VIP", "FIREWALL", "COMMIT"]);
    let clusters: Vec<_> = rows[1..].iter().map(|row| row[0]).collect();
    assert_eq!(clusters, ["default.legacy", "default.shop", "payments.billing"]);
    for row in &rows[1..] {
        assert!(row[1].starts_with("10.") && row[2].starts_with("198.18.") && row[4] == "ready", "{row:?}");
    }
    // One commit for all three.
    assert_eq!(rows[1][5], rows[2][5]);
    assert_eq!(rows[1][5], rows[3][5]);
    for word in ["defined", "resolved", "rendered", "ready"] {
        let told = ended.stderr.lines().filter(|line| line.starts_with(word)).count();
        assert_eq!(told, 3, "{word}:\n{}", ended.stderr);
    }
    assert_eq!(left(tmp.path()), [""; 0]);
    assert_eq!(left(home.path()), [""; 0]);
}

/// What a person does with the three lines, and what comes of it.
#[test]
fn a_push_from_another_clone_is_answered_with_one_commit() {
    let home = tempfile::tempdir().unwrap();
    let tmp = tempfile::tempdir().unwrap();
    let mut demo = Running::spawn(ferrofleet(home.path()).arg("demo").env("TMPDIR", tmp.path()));
    let mut stdout = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told = collected(demo.0.stderr.take().unwrap());
    let clone = stdout.by_ref().find(|line| line.starts_with("git clone ")).unwrap();
    let lines = [clone, stdout.next().unwrap()];
    for line in lines {
        assert_eq!(shell(home.path(), &line), Some(0), "{line}");
    }
    let dir = home.path().join("fleet-demo");
    let dir = dir.to_str().unwrap();
    let pushed = git(home.path(), &["-C", dir, "rev-parse", "HEAD"]);
    until("the engine answers", || {
        git(home.path(), &["-C", dir, "fetch", "-q"]);
        git(home.path(), &["-C", dir, "rev-parse", "origin/main"]) != pushed
    });
    let log = git(home.path(), &["-C", dir, "log", "--format=%an: %s", &format!("{}..origin/main", pushed.trim())]);
    assert_eq!(log, "Ferrofleet: Resolve default.cart\n");
    let changed = git(home.path(), &["-C", dir, "show", "--name-only", "--format=", "origin/main"]);
    assert!(changed.contains("stages/development/clusters/cart/cluster.lock.yaml"), "{changed}");
    assert!(
        changed.lines().filter(|path| path.contains("/cart/") && path.starts_with("rendered/")).count() >= 5,
        "{changed}"
    );
    until("the answer is shown", || {
        let told = told.lock().unwrap();
        told.contains("You pushed Add cart") && told.contains("Ferrofleet committed Resolve default.cart")
    });
    demo.signal("INT");
    assert_eq!(demo.wait(), Some(0), "{}", told.lock().unwrap());
    assert_eq!(left(tmp.path()), [""; 0]);
}

#[test]
fn a_folder_keeps_the_demo_and_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let args = ["demo", "--once", "--dir", "kept"];
    let first = output(ferrofleet(home.path()).args(args)).expect(0);
    assert!(first.stdout.contains("git clone"), "{}", first.stdout);
    let bare = home.path().join("kept/fleet.git");
    let tip = || git(home.path(), &["-C", bare.to_str().unwrap(), "rev-parse", "main"]);
    let before = tip();
    output(ferrofleet(home.path()).args(args)).expect(0);
    assert_eq!(tip(), before, "I4: nothing changed, so nothing is committed");
    std::fs::remove_file(home.path().join("kept/metal-api.state")).unwrap();
    let refused = output(ferrofleet(home.path()).args(args)).expect(64);
    assert!(refused.stderr.contains("what the simulator had is not"), "{}", refused.stderr);
}

fn shell(home: &Path, line: &str) -> Option<i32> {
    let dir = home.join("fleet-demo");
    let mut shell = std::process::Command::new("bash");
    crate::support::hermetic(&mut shell, home);
    if dir.exists() {
        shell.current_dir(dir);
    }
    shell.args(["-c", line]).status().unwrap().code()
}
