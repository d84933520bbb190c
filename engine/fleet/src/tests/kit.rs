//! Small fleets, and findings as text.

use crate::{Loaded, Memo, load};
use model::tree::MemoryTree;
use model::{Finding, Timestamp};
use std::fmt::Write as _;
use std::path::Path;

pub(super) fn now() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().unwrap()
}

/// The human documents of `fleet-example/`.
pub(super) fn example() -> MemoryTree {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fleet-example");
    let mut tree = MemoryTree::default();
    read_into(&mut tree, &root, &root);
    tree.files.retain(|path, _| !path.ends_with(".lock.yaml") && !path.starts_with("rendered/"));
    tree
}

fn read_into(tree: &mut MemoryTree, root: &Path, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_into(tree, root, &path);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            tree.files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

pub(super) fn loaded(tree: &MemoryTree) -> Loaded {
    load(&tree.tree(), &mut Memo::default(), now())
}

/// As a command line would show them.
pub(super) fn shown(findings: &[Finding]) -> String {
    let mut out = String::new();
    for f in findings {
        let place = &f.place;
        let severity = if f.is_error() { "error" } else { "warning" };
        let cluster = f.cluster.as_ref().map_or_else(String::new, |c| format!(" ({c})"));
        let reason = f.reason.map_or_else(String::new, |r| format!(" {r}"));
        writeln!(out, "{}:{}:{}: {severity}[{}]{reason}{cluster}", place.file, place.line, place.column, f.rule)
            .unwrap();
        if !place.text.is_empty() {
            let under = "^".repeat(place.width as usize);
            writeln!(out, "    {}\n    {}{under}", place.text, " ".repeat(place.column as usize - 1)).unwrap();
        }
        let field = if f.field.is_empty() { String::new() } else { format!("{}: ", f.field) };
        writeln!(out, "  {field}{}", f.message).unwrap();
        if !f.mend.is_empty() {
            writeln!(out, "  mend: {}", f.mend).unwrap();
        }
    }
    out
}
