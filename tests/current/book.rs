//! The book: every page is in it, and no link leads nowhere.

use crate::{is_update, markdown, root};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// The pages of `docs/` and those at the root of the repository.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut found: Vec<_> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].iter().map(|p| root().join(p)).collect();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The targets of links, with what code holds left out.
fn links(page: &str) -> Vec<String> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in page.lines() {
        is_code ^= line.trim_start().starts_with("```");
        if is_code {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect();
        for part in prose.split("](").skip(1) {
            found.extend(part.split([')', ' ']).next().map(str::to_owned));
        }
    }
    found
}

fn headings(page: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let mut found = BTreeSet::new();
    for line in page.lines() {
        is_code ^= line.trim_start().starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !is_code) {
            found.insert(crate::reference::anchor(heading.trim_start_matches('#').trim()));
        }
    }
    found
}

/// Without `.` and `..`, which need not exist.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}

#[test]
fn links_lead_somewhere() {
    if is_update() {
        return; // pages are being written
    }
    let mut broken = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        for link in links(&text).into_iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.clone() } else { normal(&page.with_file_name("").join(file)) };
            let is_there = target.exists()
                && (anchor.is_empty()
                    || std::fs::read_to_string(&target).is_ok_and(|text| headings(&text).contains(anchor)));
            if !is_there {
                broken.push(format!("{}: {link}", page.strip_prefix(root()).expect("below the root").display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = root().join("docs/SUMMARY.md");
    let text = std::fs::read_to_string(&summary).expect("a summary");
    let listed: BTreeSet<_> = links(&text).iter().map(|link| normal(&summary.with_file_name("").join(link))).collect();
    let docs = pages().into_iter().filter(|page| page.starts_with(root().join("docs")) && *page != summary);
    let missing: Vec<_> = docs.filter(|page| !listed.contains(page)).collect();
    assert_eq!(missing, Vec::<PathBuf>::new());
}

#[test]
fn code_is_no_link() {
    let page = "a [b](c.md) `[x](y)` [d](e#f)\n```sh\n[g](h)\n```\n";
    assert_eq!(links(page), ["c.md", "e#f"]);
    assert_eq!(markdown::fences(page).len(), 1);
}
