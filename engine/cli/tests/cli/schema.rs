use crate::support::{ferrofleet, output, run};

#[test]
fn one_kind_or_all_to_stdout_or_a_folder() {
    let one: serde_json::Value = serde_json::from_str(&run(&["schema", "clusterdefinition"]).expect(0).stdout).unwrap();
    assert_eq!(one["title"], "ClusterDefinition");
    let all: serde_json::Value = serde_json::from_str(&run(&["schema"]).expect(0).stdout).unwrap();
    let names: Vec<_> = all.as_object().unwrap().keys().cloned().collect();
    assert!(names.len() >= 4, "{names:?}");
    assert_eq!(all["clusterdefinition.json"], one);
    let home = tempfile::tempdir().unwrap();
    output(ferrofleet(home.path()).args(["schema", "--out", "made/schemas"])).expect(0);
    for name in names {
        let text = std::fs::read_to_string(home.path().join("made/schemas").join(&name)).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), all[&name]);
    }
}

#[test]
fn kinds_go_by_short_names_and_formats() {
    let whole = run(&["schema", "ClusterDefinition"]).expect(0).stdout;
    assert_eq!(run(&["schema", "cluster", "-o", "json"]).expect(0).stdout, whole);
    let yaml = run(&["schema", "cluster", "-o", "yaml"]).expect(0).stdout;
    assert!(yaml.starts_with("type: object\n") && yaml.contains("title: ClusterDefinition\n"), "{yaml}");
    let unknown = run(&["schema", "polcy"]).expect(64);
    assert_eq!(unknown.stderr, "error: there is no kind polcy\nhint: did you mean policy?\n");
    run(&["schema", "--out", "x", "-o", "json"]).expect(64);
}
