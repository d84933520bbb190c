//! What is generated is what the code would generate now. `FERROFLEET_UPDATE=1` writes it anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "test code, helpers of tests included"
)]

mod book;
mod deploy;
mod example;
mod fences;
#[path = "../tutorial/markdown.rs"]
mod markdown;
mod reference;
mod schemas;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

fn is_update() -> bool {
    std::env::var_os("FERROFLEET_UPDATE").is_some_and(|v| v == "1")
}

/// Compares a committed file with what it should hold, or writes it.
#[track_caller]
fn check(path: &Path, expected: &str) {
    if is_update() {
        std::fs::write(path, expected).expect("it can be written");
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == expected,
        "{} is not current; run FERROFLEET_UPDATE=1 cargo test -p ferrofleet-tests --test current",
        path.display(),
    );
}
