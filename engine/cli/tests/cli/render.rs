use crate::support::{ferrofleet, git, output};
use std::path::{Path, PathBuf};

/// The example fleet as the demo leaves it: definitions, locks and output in a clone.
fn resolved(home: &Path) -> PathBuf {
    output(ferrofleet(home).args(["demo", "--once", "--dir", "kept"])).expect(0);
    git(home, &["clone", "-q", "kept/fleet.git", "clone"]);
    home.join("clone")
}

#[test]
fn what_is_rendered_offline_is_what_the_engine_committed() {
    let home = tempfile::tempdir().unwrap();
    let clone = resolved(home.path());
    output(ferrofleet(home.path()).args(["render", "clone", "--out", "out"])).expect(0);
    let committed = git(&clone, &["ls-files", "rendered"]);
    assert!(committed.lines().count() > 15, "{committed}");
    for path in committed.lines() {
        let (ours, theirs) = (home.path().join("out").join(path), clone.join(path));
        assert_eq!(std::fs::read_to_string(ours).unwrap(), std::fs::read_to_string(theirs).unwrap(), "{path}");
    }
    let one = output(ferrofleet(home.path()).args(["render", "clone", "--cluster", "shop"])).expect(0).stdout;
    assert!(one.starts_with("---\n# Source: rendered/mgmt-muc/"), "{one}");
    assert!(one.contains("kind: MetalStackCluster\n") && !one.contains("billing"), "{one}");
    let yaml = output(ferrofleet(home.path()).args(["render", "clone", "--cluster", "shop", "-o", "yaml"])).expect(0);
    assert_eq!(yaml.stdout, one);
    let json = output(ferrofleet(home.path()).args(["render", "clone", "--cluster", "shop", "-o", "json"])).expect(0);
    let objects: Vec<serde_json::Value> = serde_json::from_str(&json.stdout).unwrap();
    assert!(objects.iter().any(|object| object["kind"] == "MetalStackCluster"), "{}", json.stdout);
    // What only kustomize reads is in the folder, not among the objects.
    assert!(objects.iter().all(|object| object["kind"] != "Kustomization") && !one.contains("Kustomization"));
    let none = output(ferrofleet(home.path()).args(["render", "clone", "--cluster", "shopp"])).expect(64);
    assert!(none.stderr.ends_with("hint: did you mean shop?\n"), "{}", none.stderr);
}

#[test]
fn without_a_lock_nothing_is_rendered() {
    let home = tempfile::tempdir().unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fleet-example");
    std::fs::create_dir(home.path().join("out")).unwrap();
    let copy = format!(
        "mkdir e && cd '{example}' && cp -r fleet.yaml policies stages '{0}/e' && find '{0}/e' -name '*.lock.yaml' -delete",
        home.path().display()
    );
    let mut shell = std::process::Command::new("bash");
    crate::support::hermetic(&mut shell, home.path());
    assert!(shell.args(["-c", &copy]).status().unwrap().success());
    let none = output(ferrofleet(home.path()).args(["render", "e"])).expect(1);
    assert_eq!(none.stdout, "");
    assert_eq!(none.stderr.matches("it has no lock yet").count(), 3, "{}", none.stderr);
}
