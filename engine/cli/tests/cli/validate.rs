use crate::support::{Output, ferrofleet, git, output};
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

/// What a reviewer does not see in a diff; no finding, and nothing to fail for.
#[test]
fn a_changed_policy_names_the_clusters_that_it_touches() {
    let home = fleet(GOOD);
    let home = home.path();
    git(home, &["init", "-q", "f"]);
    git(home, &["-C", "f", "add", "--all"]);
    git(home, &["-C", "f", "commit", "-q", "-m", "A fleet"]);
    assert_eq!(validate(home, &[]).expect(0).stdout, "no findings in 1 definition\n");
    let policy = home.join("f/policies/default.yaml");
    let text = std::fs::read_to_string(&policy).unwrap();
    assert!(text.contains("10.240.0.0/13"), "{text}");
    std::fs::write(&policy, text.replace("10.240.0.0/13", "10.232.0.0/13")).unwrap();
    std::fs::create_dir_all(home.join("f/overlays")).unwrap();
    let overlay = "apiVersion: fleet.metal-stack.io/v1alpha1\nkind: Overlay\nmetadata: {name: nobody}\n\
        spec:\n  selector: {matchLabels: {no: body}}\n  definition: {controlPlane: {replicas: 3}}\n";
    std::fs::write(home.join("f/overlays/nobody.yaml"), overlay).unwrap();
    let touched = validate(home, &[]).expect(0);
    insta::assert_snapshot!("validate_touched", touched.stdout);
    let json: serde_json::Value = serde_json::from_str(&validate(home, &["-o", "json"]).expect(0).stdout).unwrap();
    let expected = serde_json::json!({"overlays/nobody.yaml": [], "policies/default.yaml": ["default.shop"]});
    assert_eq!((&json["touched"], &json["errors"]), (&expected, &0.into()));
    git(home, &["-C", "f", "add", "--all"]);
    git(home, &["-C", "f", "commit", "-q", "-m", "Another range"]);
    assert!(!validate(home, &[]).expect(0).stdout.contains("Changed since"));
    let since = validate(home, &["--against", "HEAD~1"]).expect(0).stdout;
    assert_eq!(since, touched.stdout.replace("HEAD", "HEAD~1"));
    let unknown = validate(home, &["--against", "nope"]).expect(64);
    assert!(unknown.stderr.starts_with("error: the repository of f knows no revision nope\n"), "{}", unknown.stderr);
}

#[test]
fn without_git_nothing_is_compared() {
    let home = fleet(GOOD);
    let json = validate(home.path(), &["-o", "json"]).expect(0).stdout;
    assert!(!json.contains("touched"), "{json}");
    let asked = validate(home.path(), &["--against", "HEAD"]).expect(64);
    assert!(asked.stderr.starts_with("error: f is in no Git work tree\n"), "{}", asked.stderr);
}
