use crate::support::{ferrofleet, output};

#[test]
fn what_init_writes_is_valid_and_never_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let made = output(ferrofleet(home.path()).args(["init", "platform"])).expect(0);
    assert_eq!(
        made.stdout,
        "platform/fleet.yaml\nplatform/policies/default.yaml\nplatform/schemas/fleet.json\n\
         platform/schemas/clusterpolicy.json\nplatform/schemas/clusterdefinition.json\nplatform/schemas/clusterlock.json\n"
    );
    insta::assert_snapshot!("init_next_steps", made.stderr);
    let fleet = std::fs::read_to_string(home.path().join("platform/fleet.yaml")).unwrap();
    assert!(fleet.starts_with("# yaml-language-server: $schema=schemas/fleet.json\n"), "{fleet}");
    assert!(fleet.contains("  name: platform\n"), "{fleet}");
    // Schemas are wired to files that are there.
    let policy = std::fs::read_to_string(home.path().join("platform/policies/default.yaml")).unwrap();
    let schema = policy.lines().next().unwrap().split_once("$schema=").unwrap().1;
    assert!(home.path().join("platform/policies").join(schema).exists(), "{schema}");
    let valid = output(ferrofleet(home.path()).args(["validate", "platform"])).expect(0);
    assert_eq!(valid.stdout, "no findings in 0 definitions\n");
    let again = output(ferrofleet(home.path()).args(["init", "platform", "--name", "other"])).expect(64);
    assert!(again.stderr.contains("is a fleet repository already"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(home.path().join("platform/fleet.yaml")).unwrap(), fleet);
}

#[test]
fn a_fleet_s_name_is_checked() {
    let home = tempfile::tempdir().unwrap();
    let refused = output(ferrofleet(home.path()).args(["init", "x", "--name", "Not A Name"])).expect(64);
    assert!(refused.stderr.contains("Not A Name"), "{}", refused.stderr);
    assert!(!home.path().join("x").exists());
}
