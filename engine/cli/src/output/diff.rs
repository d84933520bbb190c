//! Lines that differ, as `diff -u` shows them.

use super::{plain, styles};
use similar::{ChangeTag, TextDiff};
use std::fmt::Write as _;

/// Lines around a change.
const CONTEXT: usize = 3;

/// Lines that one text has and the other has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) added: usize,
    pub(crate) removed: usize,
}

/// Hunks without the two lines that name the sides.
pub(crate) fn unified(before: &str, after: &str) -> String {
    let mut out = String::new();
    for hunk in TextDiff::from_lines(before, after).unified_diff().context_radius(CONTEXT).iter_hunks() {
        let _ = writeln!(out, "{}", hunk.header());
        for line in hunk.iter_changes() {
            let _ = writeln!(out, "{}{}", line.tag(), line.value().trim_end_matches('\n'));
        }
    }
    out
}

pub(crate) fn counts(before: &str, after: &str) -> Counts {
    let mut counts = Counts::default();
    for change in TextDiff::from_lines(before, after).iter_all_changes() {
        match change.tag() {
            ChangeTag::Equal => {}
            ChangeTag::Delete => counts.removed += 1,
            ChangeTag::Insert => counts.added += 1,
        }
    }
    counts
}

/// The same in colours.
pub(crate) fn painted(unified: &str) -> String {
    let mut out = String::new();
    for line in unified.lines() {
        let line = plain(line);
        let painted = match line.chars().next() {
            Some('+') => styles::good(line),
            Some('-') => styles::removed(line),
            Some('@') => styles::accent(line),
            _ => line.into_owned(),
        };
        let _ = writeln!(out, "{painted}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_and_a_little_around_it() {
        let before: String = (1..=20).map(|n| format!("line {n}\n")).collect();
        let after = before.replace("line 10\n", "line ten\nline ten and a half\n");
        let diff = unified(&before, &after);
        assert_eq!(
            diff,
            "@@ -7,7 +7,8 @@\n line 7\n line 8\n line 9\n-line 10\n+line ten\n+line ten and a half\n line 11\n line 12\n line 13\n"
        );
        assert_eq!(counts(&before, &after), Counts { added: 2, removed: 1 });
        assert_eq!((unified(&before, &before), counts("", "")), (String::new(), Counts::default()));
        assert_eq!(anstream::adapter::strip_str(&painted(&diff)).to_string(), diff);
        // What others wrote does nothing to a terminal.
        assert!(!painted("+a\u{1b}[2J").contains("\u{1b}[2J"));
    }
}
