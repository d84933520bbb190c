//! One broken fleet for each rule, and what is said of it.

mod addons;
mod clusters;
mod files;
mod fleets;
mod locks;
mod overlays;
mod uses;

use super::kit::{example, loaded, shown};
use crate::rules;
use model::tree::MemoryTree;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The rule that must be among the findings, and what is done to the example fleet.
pub(super) type Case = (&'static str, fn(&mut MemoryTree));

/// What is said of each case, as one text to be read.
fn check(cases: &[Case]) -> String {
    let mut out = String::new();
    for (rule, break_it) in cases {
        let mut tree = example();
        break_it(&mut tree);
        let loaded = loaded(&tree);
        assert!(loaded.findings.iter().any(|f| f.rule == *rule), "{rule} is not among:\n{}", shown(&loaded.findings));
        for f in &loaded.findings {
            assert!(rules::by_id(f.rule).is_some(), "{} is not in the table", f.rule);
        }
        writeln!(out, "# {rule}\n{}", shown(&loaded.findings)).unwrap();
    }
    out
}

#[test]
fn files() {
    insta::assert_snapshot!(check(files::CASES));
}

#[test]
fn fleets_and_policies() {
    insta::assert_snapshot!(check(fleets::CASES));
}

#[test]
fn clusters() {
    insta::assert_snapshot!(check(clusters::CASES));
}

#[test]
fn locks() {
    insta::assert_snapshot!(check(locks::CASES));
}

#[test]
fn addons_and_machines() {
    insta::assert_snapshot!(check(addons::CASES));
}

#[test]
fn overlays_and_patches() {
    insta::assert_snapshot!(check(overlays::CASES));
}

#[test]
fn what_is_in_use() {
    insta::assert_snapshot!(check(uses::CASES));
}

#[test]
fn every_rule_has_a_case_and_a_sentence() {
    let loads =
        [files::CASES, fleets::CASES, clusters::CASES, locks::CASES, overlays::CASES, uses::CASES, addons::CASES]
            .concat();
    let cases: BTreeSet<_> = loads.iter().map(|(rule, _)| *rule).chain(super::metal::RULES.iter().copied()).collect();
    let rules: BTreeSet<_> = rules::ALL.iter().map(|r| r.id).collect();
    assert_eq!(rules.len(), rules::ALL.len(), "an id is there twice");
    // What this tree in memory cannot be.
    let elsewhere = BTreeSet::from(["not-a-file", "too-many-documents", "unreadable-file"]);
    let missing: Vec<_> = rules.difference(&cases).filter(|id| !elsewhere.contains(*id)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    for rule in rules::ALL {
        assert!(rule.says.ends_with('.') && rule.id.chars().all(|c| c == '-' || c.is_ascii_alphanumeric()), "{rule:?}");
    }
}
