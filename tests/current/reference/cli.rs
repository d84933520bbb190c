//! The page of the command line, from the help of the binary itself.

use super::markdown::GENERATED;
use ferrofleet_tests::binary::{Process, command};
use std::time::Duration;

/// Help is printed at once; this is for a machine that also compiles.
const LIMIT: Duration = Duration::from_secs(60);

/// All commands, each with its help, nested ones after theirs.
pub(crate) fn page() -> String {
    let root = help(&[]);
    let everywhere = block(&root, "Logs:").unwrap_or_default();
    let mut out = format!("{GENERATED}# Command line\n\n```text\n{root}\n```\n");
    if !everywhere.is_empty() {
        out += "\nThe options for logs are the same for every command, and left out below.\n";
    }
    for name in commands(&root) {
        command_pages(&[&name], &everywhere, &mut out);
    }
    out
}

fn command_pages(path: &[&str], everywhere: &str, out: &mut String) {
    let help = help(path);
    let shown = help.replacen(&format!("{everywhere}\n\n"), "", 1);
    let shown = shown.strip_suffix(everywhere).unwrap_or(&shown).trim_end();
    *out += &format!("\n## `{}`\n\n```text\n{shown}\n```\n", path.join(" "));
    for name in commands(&help) {
        command_pages(&[path, &[&name]].concat(), everywhere, out);
    }
}

fn help(path: &[&str]) -> String {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = command(home.path());
    // Pages do not depend on the width of a terminal.
    command.env("COLUMNS", "100").args(path).arg("--help");
    let help = Process::spawn(&mut command).finish(LIMIT).expect(0).stdout;
    help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// From a heading to the end or to the next empty line that an unindented line follows.
fn block(help: &str, heading: &str) -> Option<String> {
    let from = help.find(&format!("\n{heading}\n"))? + 1;
    let rest = &help[from..];
    let mut end = rest.len();
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if at > 0 && !line.starts_with([' ', '\n']) {
            end = at;
            break;
        }
        at += line.len();
    }
    Some(rest[..end].trim_end().to_owned())
}

/// The names below `Commands:`.
fn commands(help: &str) -> Vec<String> {
    let listed = block(help, "Commands:").unwrap_or_default();
    let named = listed.lines().filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    named.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}
