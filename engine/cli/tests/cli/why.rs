use crate::support::{Output, ferrofleet, output};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fleet-example");

fn why(args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    output(ferrofleet(home.path()).arg("why").args(args).args(["--dir", EXAMPLE]))
}

/// What was resolved is another value each time that the example is made anew.
fn without_locks(table: &str) -> String {
    table.lines().filter(|line| !line.contains("cluster.lock.yaml:")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_value_with_its_document() {
    let all = why(&["shop"]).expect(0);
    assert_eq!(all.stderr, "");
    insta::assert_snapshot!("why_all", without_locks(&all.stdout));
    let network = why(&["payments.billing", "spec.network"]).expect(0).stdout;
    insta::assert_snapshot!("why_field", without_locks(&network));
    let resolved = network.lines().find(|line| line.starts_with("spec.network.nodes.id ")).unwrap();
    assert!(resolved.contains("stages/production/clusters/billing/cluster.lock.yaml:"), "{resolved}");
    let pools = why(&["shop", "pools.size"]).expect(0).stdout;
    assert!(pools.lines().count() > 1 && pools.contains("spec.pools[0].size"), "{pools}");
}

#[test]
fn the_same_for_machines() {
    let json = why(&["shop", "kubernetes.version", "-o", "json"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["field"], "spec.kubernetes.version");
    assert!(json[0]["line"].as_u64().unwrap() > 0 && json[0]["file"].is_string(), "{json}");
    let yaml = why(&["shop", "kubernetes.version", "-o", "yaml"]).expect(0).stdout;
    assert!(yaml.starts_with("- field: spec.kubernetes.version\n"), "{yaml}");
}

#[test]
fn names_that_are_nearly_right() {
    let field = why(&["shop", "spec.netwrok.pods"]).expect(64);
    assert_eq!(field.stderr, "error: there is no field spec.netwrok.pods\nhint: did you mean spec.network.pods?\n");
    let cluster = why(&["shpo"]).expect(64);
    assert!(cluster.stderr.ends_with("hint: did you mean shop?\n"), "{}", cluster.stderr);
    let nobody = why(&["shop", "spec.patches"]).expect(0);
    assert_eq!((nobody.stdout.as_str(), nobody.stderr.as_str()), ("", "nothing sets spec.patches of default.shop\n"));
}
