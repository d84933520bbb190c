//! From a field to its line and column: the file is read again, only where there is a finding.

use crate::issue::Issue;
use crate::limits::{FILE_BYTES_MAX, LINE_CHARS_MAX, MESSAGE_CHARS_MAX};
use crate::yaml::{Mark, Node, Value};
use model::{Finding, Place, Tree};
use std::collections::HashMap;

/// Places issues; a file with many of them is read once.
pub(crate) struct Placer<'a> {
    tree: &'a Tree,
    /// Issues come sorted by file: one file at a time is enough.
    open: HashMap<String, Option<Opened>>,
}

struct Opened {
    root: Node,
    lines: Vec<String>,
}

impl<'a> Placer<'a> {
    pub(crate) fn new(tree: &'a Tree) -> Self {
        Self { tree, open: HashMap::new() }
    }

    pub(crate) fn place(&mut self, issue: Issue) -> Finding {
        let place = self.find(&issue.file, &issue.field);
        issue.at(place)
    }

    pub(crate) fn find(&mut self, file: &str, field: &str) -> Place {
        if !self.open.contains_key(file) {
            self.open.clear();
            let opened = self.read(file);
            self.open.insert(file.to_owned(), opened);
        }
        match self.open.get(file) {
            Some(Some(opened)) if !field.is_empty() => opened.place(file, field),
            _ => Place::file(file),
        }
    }

    /// The line of a field that is written in this file, and not only something that could hold it.
    pub(crate) fn line(&mut self, file: &str, field: &str) -> Option<u32> {
        self.find(file, "");
        let Some(Some(opened)) = self.open.get(file) else { return None };
        exact(&opened.root, field)
    }

    fn read(&self, file: &str) -> Option<Opened> {
        let entry = self.tree.entry(file)?;
        let bytes = self.tree.read(&entry.id, FILE_BYTES_MAX).ok()?;
        let text = crate::read::text(&bytes).ok()?;
        let root = crate::yaml::parse(text).0?;
        Some(Opened { root, lines: text.lines().map(str::to_owned).collect() })
    }
}

impl Opened {
    fn place(&self, file: &str, field: &str) -> Place {
        let Mark { line, column, width } = mark(&self.root, field);
        let text = line.checked_sub(1).and_then(|i| self.lines.get(i as usize));
        let text = text.map_or_else(String::new, |line| shown_at(line, column));
        Place { file: file.to_owned(), line, column, width, text }
    }
}

/// The mark of a field, or of what holds it where it is not written: a default was taken for it.
fn mark(root: &Node, field: &str) -> Mark {
    let (mut node, mut best, mut rest) = (root, Mark::default(), field);
    while let Some((next, mark, tail)) = step(node, rest) {
        best = match &next.value {
            // A value is shown where it is written; a collection by its key.
            Value::Scalar { .. } if !next.is_null() => next.mark,
            Value::Scalar { .. } | Value::Seq(_) | Value::Map(_) => mark.unwrap_or_else(|| next.head()),
        };
        (node, rest) = (next, tail);
    }
    best
}

/// The line of a field that is there and not empty.
fn exact(root: &Node, field: &str) -> Option<u32> {
    let (mut node, mut line, mut rest) = (root, root.mark.line, field);
    while !rest.is_empty() {
        let (next, mark, tail) = step(node, rest)?;
        line = mark.unwrap_or_else(|| next.head()).line;
        (node, rest) = (next, tail);
    }
    (!node.is_null()).then_some(line)
}

/// One step down a path as `spec.pools[0].size`; a key may have dots itself.
fn step<'n, 'p>(node: &'n Node, path: &'p str) -> Option<(&'n Node, Option<Mark>, &'p str)> {
    let path = path.strip_prefix('.').unwrap_or(path);
    match &node.value {
        Value::Scalar { .. } => None,
        Value::Seq(items) => {
            let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
            Some((items.get(index.parse::<usize>().ok()?)?, None, rest))
        }
        Value::Map(fields) => {
            let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
            let fitting = fields.iter().filter_map(|f| Some((f, path.strip_prefix(f.key.as_str())?)));
            let (field, rest) = fitting.filter(|(_, rest)| ends(rest)).max_by_key(|(f, _)| f.key.len())?;
            Some((&field.node, Some(field.mark), rest))
        }
    }
}

/// A line as it is shown: without control characters, not longer than people read, and without a password that somebody
/// wrote into a URL (I7).
pub(crate) fn shown(line: &str) -> String {
    let plain: String = line.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !c.is_control()).collect();
    cut(&without_password(plain.trim_end()), LINE_CHARS_MAX)
}

/// A message or a path without what is too long to be read in it.
pub(crate) fn short(text: String) -> String {
    if text.len() <= MESSAGE_CHARS_MAX { text } else { cut(&text, MESSAGE_CHARS_MAX) }
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A line for a place in it; nothing when the place is beyond what is shown.
pub(crate) fn shown_at(line: &str, column: u32) -> String {
    if column as usize > LINE_CHARS_MAX { String::new() } else { shown(line) }
}

/// What stands before an `@` in a URL, or has a colon in it. As many characters as before, so that columns stay right.
fn without_password(line: &str) -> String {
    let mut shown = line.to_owned();
    for (at, _) in line.match_indices('@') {
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | ',' | '{' | '[' | '(' | '=');
        let start = line[..at].char_indices().rev().find(|(_, c)| ends(*c)).map_or(0, |(i, c)| i + c.len_utf8());
        let user = &line[start..at];
        if user.contains(':') || line[..start].ends_with("://") {
            // Stars for what is masked already are as good.
            let before = line[..start].chars().count();
            let masked = shown.chars().enumerate();
            let width = user.chars().count();
            shown = masked.map(|(i, c)| if (before..before + width).contains(&i) { '*' } else { c }).collect();
        }
    }
    without_query(&shown)
}

/// What a query of a URL says, masked too.
fn without_query(line: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '}' | ']' | ')');
    let (mut shown, mut in_url, mut in_query) = (String::with_capacity(line.len()), false, false);
    for (at, c) in line.char_indices() {
        in_url |= line[at..].starts_with("://");
        if ends(c) {
            (in_url, in_query) = (false, false);
        }
        shown.push(if in_query { '*' } else { c });
        in_query |= in_url && c == '?';
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, expected: (u32, u32, u32)) {
        let text =
            "spec:\n  labels: {app.kubernetes.io/name: x}\n  pools:\n    - name: general\n      size: big\n  empty:\n";
        let Mark { line, column, width } = mark(&crate::yaml::parse(text).0.unwrap(), field);
        assert_eq!((line, column, width), expected, "{field}");
    }

    #[test]
    fn a_field_is_found_where_it_is_written_or_by_what_holds_it() {
        check("spec.pools[0].size", (5, 13, 3));
        check("spec.pools[0].image", (4, 7, 4));
        check("spec.pools", (3, 3, 5));
        check("spec.labels.app.kubernetes.io/name", (2, 36, 1));
        check("spec.network.pods[0]", (1, 1, 4));
        check("spec.empty", (6, 3, 5));
        check("nothing", (0, 0, 0));
    }

    #[test]
    fn i7_a_password_in_a_line_is_not_shown() {
        assert_eq!(
            shown("nodeApiUrl: https://u:hunter2@m.example.com/x"),
            "nodeApiUrl: https://*********@m.example.com/x"
        );
        assert_eq!(
            shown("{a: ssh://git:hunter2@b/c, d: \"https://hunter2@e\", f: [me:hunter2@g]}"),
            "{a: ssh://***********@b/c, d: \"https://*******@e\", f: [**********@g]}"
        );
        assert_eq!(shown("{a: 'https://e/x?token=hunter2', b: c?}"), "{a: 'https://e/x?*************', b: c?}");
        for plain in ["a: b", "git@git.example.com:fleet.git", "nginx@sha256:00", "a: me@example.com"] {
            assert_eq!(shown(plain), plain);
        }
    }

    #[test]
    fn a_long_line_is_cut() {
        assert_eq!(shown(&"x".repeat(500)).chars().count(), LINE_CHARS_MAX + 1);
    }
}
