use crate::support::{ferrofleet, output, run};
use std::collections::BTreeSet;
use std::path::Path;

/// What is committed for those who install without the binary.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/crds");

fn names(dir: &Path) -> BTreeSet<std::ffi::OsString> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn to_stdout_or_a_folder() {
    let yaml = run(&["crds"]).expect(0);
    assert_eq!(yaml.stderr, "");
    let kinds: Vec<_> =
        yaml.stdout.lines().filter(|line| line.starts_with("kind: ") || line.starts_with("  name: ")).collect();
    insta::assert_snapshot!("crds_names", kinds.join("\n"));
    assert_eq!(run(&["crds", "-o", "yaml"]).expect(0).stdout, yaml.stdout);
    let json: serde_json::Value = serde_json::from_str(&run(&["crds", "-o", "json"]).expect(0).stdout).unwrap();
    assert_eq!(json["kind"], "List");
    assert_eq!(json["items"].as_array().unwrap().len(), yaml.stdout.matches("---\n").count());

    let home = tempfile::tempdir().unwrap();
    let made = output(ferrofleet(home.path()).args(["crds", "--out", "made/crds"])).expect(0);
    assert_eq!((made.stdout.as_str(), made.stderr.as_str()), ("", "wrote 7 files to made/crds\n"));
    let made = home.path().join("made/crds");
    assert_eq!(names(&made), names(Path::new(COMMITTED)));
    for name in names(&made) {
        let text = |dir: &Path| std::fs::read_to_string(dir.join(&name)).unwrap();
        assert_eq!(text(&made), text(Path::new(COMMITTED)), "{name:?}");
    }
    run(&["crds", "--out", "x", "-o", "json"]).expect(64);
}
