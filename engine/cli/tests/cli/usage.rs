use crate::support::{Output, ferrofleet, output, run};

/// 2 is only ever "changes pending"; a script must not take a typing error for it.
#[test]
fn usage_errors_exit_64_and_say_what_to_do() {
    let cases: [&[&str]; 11] = [
        &[],
        &["bogus"],
        &["run"],
        &["run", "--repo", "https://user:hunter2@git.example.com/x.git"],
        &["run", "--repo", "gopher://x"],
        &["run", "--repo", "/x", "--timeout", "soon"],
        &["plan", "--output", "xml"],
        &["schema", "Klusters"],
        &["metal-sim", "--listen", "0.0.0.0:0"],
        &["metal-sim", "--speed", "0"],
        &["validate", "--log", "shouting=="],
    ];
    for args in cases {
        let Output { stdout, stderr, .. } = run(args).expect(64);
        assert_eq!(stdout, "", "{args:?}");
        assert!(!stderr.is_empty(), "{args:?}");
        // I7: not even a usage error repeats a password.
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

#[test]
fn a_metal_api_must_be_named() {
    let home = tempfile::tempdir().unwrap();
    let repo = home.path().join("fleet.git").display().to_string();
    let none = output(ferrofleet(home.path()).args(["run", "--once", "--repo", &repo])).expect(64);
    assert!(none.stderr.contains("METAL_API_URL"), "{}", none.stderr);
    let mut half = ferrofleet(home.path());
    half.args(["run", "--once", "--repo", &repo]).env("METAL_API_URL", "http://127.0.0.1:1/metal");
    assert!(output(&mut half).expect(64).stderr.contains("METAL_API_HMAC"));
    let mut kind = ferrofleet(home.path());
    kind.args(["run", "--once", "--repo", &repo]).env("METAL_API_URL", "http://127.0.0.1:1/metal");
    kind.env("METAL_API_HMAC", "canary-key").env("METAL_API_HMAC_AUTH_TYPE", "canary-type");
    let refused = output(&mut kind).expect(64);
    assert!(refused.stderr.contains("Metal-Edit") && !refused.stderr.contains("canary"), "{}", refused.stderr);
}

#[test]
fn an_error_of_the_world_is_not_one_of_usage() {
    let missing = run(&["validate", "/nowhere/at/all"]).expect(1);
    assert_eq!(
        missing.stderr,
        "error: /nowhere/at/all cannot be read\n  because: No such file or directory (os error 2)\n"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = tempfile::tempdir().unwrap();
    let script = format!("'{}' completions bash | head -n 1", env!("CARGO_BIN_EXE_ferrofleet"));
    let mut shell = std::process::Command::new("bash");
    crate::support::hermetic(&mut shell, home.path());
    let ended = output(shell.args(["-o", "pipefail", "-c", &script])).expect(0);
    assert_eq!(ended.stderr, "");
}
