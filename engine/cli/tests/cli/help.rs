use crate::support::{ferrofleet, output, run};

/// The names below `Commands:`.
fn commands() -> Vec<String> {
    let help = run(&["--help"]).expect(0).stdout;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let names = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    // What continues a description is indented more.
    names.filter(|line| !line.starts_with(' ')).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_command_explains_itself() {
    let commands = commands();
    assert!(commands.len() >= 12, "{commands:?}");
    insta::assert_snapshot!("ferrofleet", run(&["--help"]).expect(0).stdout);
    for command in commands {
        let help = run(&[&command, "--help"]).expect(0);
        assert_eq!(help.stderr, "");
        insta::assert_snapshot!(command, help.stdout);
    }
}

/// What reads something shows it to machines, too, and a wrong format is a usage error.
#[test]
fn every_reading_command_has_formats() {
    let without = ["demo", "init", "metal-sim", "completions", "man", "kubeconfig", "provider", "ack", "recover"];
    for command in commands().iter().filter(|command| !without.contains(&command.as_str())) {
        let help = run(&[command, "--help"]).expect(0).stdout;
        for format in ["text", "json", "yaml"] {
            assert!(help.contains(&format!("- {format}")), "{command} {format}");
        }
        run(&[command, "--output", "xml"]).expect(64);
    }
}

#[test]
fn a_manual_page_for_every_command() {
    let home = tempfile::tempdir().unwrap();
    output(ferrofleet(home.path()).args(["man", "--out", "man1"])).expect(0);
    for command in commands() {
        let page = std::fs::read_to_string(home.path().join(format!("man1/ferrofleet-{command}.1"))).unwrap();
        assert!(page.contains(&format!("\n.TH ferrofleet-{command} 1")), "{page}");
        assert!(page.contains("Examples:\n"), "{page}");
        assert_eq!(run(&["man", &command]).expect(0).stdout, page);
    }
    assert!(run(&["man"]).expect(0).stdout.contains(".TH ferrofleet 1"));
    let unknown = run(&["man", "plam"]).expect(64);
    assert_eq!(unknown.stderr, "error: there is no command plam\nhint: did you mean plan?\n");
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
