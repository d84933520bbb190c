use crate::support::{Output, ferrofleet, output};
use std::path::Path;

/// A fleet as `init` makes it, with one definition.
fn fleet(definition: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    output(ferrofleet(home.path()).args(["init", "f"])).expect(0);
    let dir = home.path().join("f/stages/development/clusters/shop");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("cluster.yaml"), definition).unwrap();
    home
}

fn validate(home: &Path, more: &[&str]) -> Output {
    output(ferrofleet(home).args(["validate", "f"]).args(more))
}

const GOOD: &str = "apiVersion: fleet.metal-stack.io/v1alpha1
kind: ClusterDefinition
metadata:
  name: shop
spec:
  kubernetes:
    version: \"1.34\"
  pools:
    - name: general
";

#[test]
fn the_example_fleet_is_valid() {
    let home = tempfile::tempdir().unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fleet-example");
    let valid = output(ferrofleet(home.path()).args(["validate", example])).expect(0);
    assert_eq!(valid.stdout, "no findings in 3 definitions\n");
    assert_eq!(valid.stderr, "");
}

#[test]
fn every_finding_with_its_place_and_mend() {
    let bad = GOOD
        .replace("version: \"1.34\"", "versoin: \"1.34\"")
        .replace("- name: general", "- name: General\n      replicas: many");
    let home = fleet(&bad);
    let found = validate(home.path(), &[]).expect(1);
    assert_eq!(found.stderr, "");
    insta::assert_snapshot!("validate_text", found.stdout);
    let json: serde_json::Value =
        serde_json::from_str(&validate(home.path(), &["-o", "json"]).expect(1).stdout).unwrap();
    assert_eq!(json["errors"], json["findings"].as_array().unwrap().len());
    let sarif: serde_json::Value =
        serde_json::from_str(&validate(home.path(), &["-o", "sarif"]).expect(1).stdout).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), json["findings"].as_array().unwrap().len());
    let github = validate(home.path(), &["-o", "github"]).expect(1).stdout;
    assert!(
        github.lines().all(|line| line.starts_with("::error file=stages/development/clusters/shop/cluster.yaml,")),
        "{github}"
    );
}

#[test]
fn a_good_definition_beside_a_broken_one_is_counted() {
    let home = fleet(GOOD);
    assert_eq!(validate(home.path(), &[]).expect(0).stdout, "no findings in 1 definition\n");
    let second = home.path().join("f/stages/development/clusters/broken");
    std::fs::create_dir_all(&second).unwrap();
    std::fs::write(second.join("cluster.yaml"), "kind: [\n").unwrap();
    let found = validate(home.path(), &[]).expect(1);
    assert!(found.stdout.contains("stages/development/clusters/broken/cluster.yaml"), "{}", found.stdout);
    assert!(found.stdout.ends_with("1 error in 2 definitions\n"), "{}", found.stdout);
}

#[test]
fn a_terminal_sees_no_escape_of_a_document() {
    let home = fleet(&GOOD.replace("name: shop", "name: \"\\e[2Jshop\""));
    let found = validate(home.path(), &[]).expect(1);
    assert!(!found.stdout.contains('\u{1b}'), "{:?}", found.stdout);
}

#[test]
fn with_metal_what_metal_api_knows_is_checked() {
    let home = fleet(&GOOD.replace("spec:\n", "spec:\n  firewall: {networks: [internet, nowhere]}\n"));
    let sim = crate::support::Simulator::start(home.path());
    let offline = validate(home.path(), &[]).expect(0);
    assert_eq!(offline.stdout, "no findings in 1 definition\n");
    let found = output(sim.command(home.path()).args(["validate", "f", "--metal"])).expect(1);
    assert!(found.stdout.contains("nowhere") && found.stdout.contains("1 error"), "{}", found.stdout);
}
