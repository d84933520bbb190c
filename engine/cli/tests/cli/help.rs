use crate::support::run;

#[test]
fn every_command_explains_itself() {
    let commands =
        ["demo", "init", "validate", "plan", "run", "render", "metal-sim", "schema", "completions", "version"];
    insta::assert_snapshot!("ferrofleet", run(&["--help"]).expect(0).stdout);
    for command in commands {
        let help = run(&[command, "--help"]).expect(0);
        assert_eq!(help.stderr, "");
        insta::assert_snapshot!(command, help.stdout);
    }
}

#[test]
fn a_version_for_people_and_machines() {
    assert_eq!(run(&["version"]).expect(0).stdout, concat!("ferrofleet ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(run(&["--version"]).expect(0).stdout, concat!("ferrofleet ", env!("CARGO_PKG_VERSION"), "\n"));
    let json = run(&["version", "-o", "json"]).expect(0).stdout;
    assert!(json.contains("\"apiVersion\": \"fleet.metal-stack.io/v1alpha1\""), "{json}");
}

#[test]
fn completions_for_shells() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).expect(0).stdout.contains("metal-sim"), "{shell}");
    }
}
