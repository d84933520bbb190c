use crate::support::{ferrofleet, output};

#[test]
fn what_init_writes_is_valid_and_never_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    std::fs::create_dir(home.join("platform")).unwrap();
    std::fs::write(home.join("platform/README.md"), "mine").unwrap();
    let made = output(ferrofleet(home).args(["init", "platform"])).expect(0);
    for line in made.stdout.lines() {
        assert!(home.join(line).is_file(), "{line}");
    }
    insta::assert_snapshot!("init_files", made.stdout);
    insta::assert_snapshot!("init_next_steps", made.stderr);
    assert_eq!(std::fs::read_to_string(home.join("platform/README.md")).unwrap(), "mine");
    let fleet = std::fs::read_to_string(home.join("platform/fleet.yaml")).unwrap();
    assert!(fleet.contains("  name: platform\n"), "{fleet}");
    let valid = output(ferrofleet(home).args(["validate", "platform"])).expect(0);
    assert_eq!(valid.stdout, "no findings in 0 definitions\n");
    let again = output(ferrofleet(home).args(["init", "platform", "--name", "other"])).expect(64);
    assert!(again.stderr.contains("is a fleet repository already"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(home.join("platform/fleet.yaml")).unwrap(), fleet);
}

#[test]
fn the_example_beside_the_stages_is_a_whole_cluster_of_a_wired_schema() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    output(ferrofleet(home).args(["init", "."])).expect(0);
    let folder = home.join("stages/development/clusters/first");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(home.join("stages/development/cluster.yaml.example"), folder.join("cluster.yaml")).unwrap();
    let valid = output(ferrofleet(home).arg("validate")).expect(0);
    assert_eq!(valid.stdout, "no findings in 1 definition\n");
    for (file, from) in [("fleet.yaml", home), ("policies/default.yaml", &home.join("policies"))] {
        let text = std::fs::read_to_string(home.join(file)).unwrap();
        let schema = text.lines().next().unwrap().split_once("$schema=").unwrap().1;
        assert!(from.join(schema).exists(), "{file}: {schema}");
    }
}

#[test]
fn a_fleet_s_name_is_checked() {
    let home = tempfile::tempdir().unwrap();
    let refused = output(ferrofleet(home.path()).args(["init", "x", "--name", "Not A Name"])).expect(64);
    assert!(refused.stderr.contains("Not A Name"), "{}", refused.stderr);
    assert!(!home.path().join("x").exists());
}
