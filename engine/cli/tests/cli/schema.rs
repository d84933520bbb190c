use crate::support::{ferrofleet, output, run};

#[test]
fn one_kind_or_all_to_stdout_or_a_folder() {
    let one: serde_json::Value = serde_json::from_str(&run(&["schema", "clusterdefinition"]).expect(0).stdout).unwrap();
    assert_eq!(one["title"], "ClusterDefinition");
    let all: serde_json::Value = serde_json::from_str(&run(&["schema"]).expect(0).stdout).unwrap();
    let names: Vec<_> = all.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 4);
    assert_eq!(all["clusterdefinition.json"], one);
    let home = tempfile::tempdir().unwrap();
    output(ferrofleet(home.path()).args(["schema", "--out", "made/schemas"])).expect(0);
    for name in names {
        let text = std::fs::read_to_string(home.path().join("made/schemas").join(&name)).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), all[&name]);
    }
}
