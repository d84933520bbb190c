//! The tutorials, done step by step as a reader does them.
//!
//! In the order of the page, in one temporary folder that is also the home:
//!
//! - a `sh` block is run by `bash -eu`; its folder and its exported variables are those of the next one;
//! - `sh exits=2` says how it ends when that is not 0;
//! - `sh background` goes on in a terminal of its own; `export NAME=value` lines that it prints are what a reader pastes into
//!   the other one;
//! - a `console` or `text` block right after is what it prints, stdout and stderr as a terminal shows them; `...` stands for
//!   anything in a line, and alone for any lines;
//! - a `yaml` block whose first line is `# file: path` is written there; `yaml mistake` says that it has findings, which the
//!   target `current` holds it to.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code, helpers of tests included")]

mod expected;
mod markdown;
mod shell;

use std::path::Path;

#[track_caller]
fn follow(page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/tutorial").join(page);
    let text = std::fs::read_to_string(&path).expect("a page");
    let fences = markdown::fences(&text);
    let mut shell = shell::Shell::new();
    for (index, fence) in fences.iter().enumerate() {
        let is_output = |next: &&markdown::Fence| ["console", "text"].contains(&next.language());
        let expected = fences.get(index + 1).filter(is_output).map(|next| next.text.as_str());
        let at = format!("{page}:{}", fence.line);
        match (fence.language(), fence.file()) {
            ("sh", _) => shell.run(&at, &fence.info[1..], &fence.text, expected),
            ("yaml", Some(file)) => shell.write(file, &fence.text),
            ("console" | "text" | "yaml", _) => {}
            (other, _) => panic!("{at}: what should be done with a block of `{other}`?"),
        }
    }
    assert!(fences.iter().any(|fence| fence.language() == "sh"), "{page} does nothing");
}

#[test]
fn first_fleet() {
    follow("first-fleet.md");
}

#[test]
fn policies_and_overlays() {
    follow("policies-and-overlays.md");
}
