//! What a tree is made of: kinds of entries, limits, moves, memory of an earlier load, hostile bytes.

use super::kit::{BILLING, Edit, FLEET, SHOP, SHOP_LOCK, example, loaded, now, overlay, shown};
use crate::{Memo, load};
use model::tree::{MemoryTree, ReadBlob, ReadError};
use model::{BlobId, Entry, EntryKind, Reason, Tree};
use proptest::prelude::*;
use std::sync::Arc;

fn with_kind(tree: &MemoryTree, path: &str, kind: EntryKind) -> Tree {
    let tree = tree.tree();
    let mut entries: Vec<Entry> = tree.entries().to_vec();
    entries.retain(|e| e.path != path);
    entries.push(Entry { path: path.to_owned(), id: BlobId([7; 20]), kind });
    tree.with_entries(entries)
}

#[test]
fn symlinks_and_submodules_are_not_followed() {
    let mut out = String::new();
    for (path, kind) in [
        (SHOP, EntryKind::Symlink),
        ("policies/default.yaml", EntryKind::Symlink),
        ("policies", EntryKind::Symlink),
        ("stages/production/clusters/more", EntryKind::Submodule),
        ("vendor/docs", EntryKind::Submodule),
    ] {
        let loaded = load(&with_kind(&example(), path, kind), &mut Memo::default(), now());
        let about: Vec<_> = loaded.findings.into_iter().filter(|f| f.rule == "not-a-file").collect();
        out.push_str(&format!("# {path}\n{}", shown(&about)));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn definitions_beyond_the_limit_are_not_read_and_nothing_is_concluded_from_that() {
    let mut tree = example();
    let lock = tree.lock("payments.billing");
    tree.put_lock("zzz/cluster.lock.yaml", &lock);
    tree.remove_file("stages/production/clusters/billing/cluster.lock.yaml");
    for n in 0..=crate::limits::DEFINITIONS_MAX {
        tree.put(&format!("a/{n}/cluster.yaml"), "# nothing");
    }
    let loaded = loaded(&tree);
    let cut: Vec<_> = loaded.findings.iter().filter(|f| f.rule == "too-many-documents").collect();
    assert!(
        matches!(cut[..], [one] if one.message.starts_with("10004 definitions, but at most 10000 are read")),
        "{cut:?}"
    );
    assert!(loaded.want.orphan_locks.values().all(|orphan| !orphan.removed));
}

struct Unreadable(Tree);

impl ReadBlob for Unreadable {
    fn read(&self, id: &BlobId, max_bytes: usize) -> Result<Vec<u8>, ReadError> {
        match self.0.entry(SHOP) {
            Some(shop) if shop.id == *id => Err(ReadError::Unreadable { id: *id, why: "object is missing".to_owned() }),
            _ => self.0.read(id, max_bytes),
        }
    }
}

#[test]
fn what_cannot_be_read_now_is_read_again_later() {
    let good = example().tree();
    let bad = Tree::new(good.entries().to_vec(), Arc::new(Unreadable(good.clone())));
    let mut memo = Memo::default();
    let first = load(&bad, &mut memo, now());
    assert_eq!(first.findings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["unreadable-file"]);
    assert!(load(&good, &mut memo, now()).findings.is_empty());
}

#[test]
fn a_second_load_parses_only_what_changed() {
    let mut tree = example();
    let mut memo = Memo::default();
    assert!(load(&tree.tree(), &mut memo, now()).findings.is_empty());
    assert_eq!(memo.parsed(), 5);
    tree.edit(SHOP, "replicas: 2", "replicas: 3");
    let loaded = load(&tree.tree(), &mut memo, now());
    assert_eq!(memo.parsed(), 1);
    let shop = &loaded.want.clusters[&"default.shop".parse().unwrap()];
    assert_eq!(shop.effective.pools[0].machines.replicas.value, 3);
    assert!(load(&tree.tree(), &mut memo, now()).findings.is_empty());
    assert_eq!(memo.parsed(), 0);
}

#[test]
fn a_broken_file_has_the_same_findings_from_memory_under_another_path() {
    let mut tree = example();
    tree.edit(SHOP, "flavor", "flavour");
    let mut memo = Memo::default();
    let first = load(&tree.tree(), &mut memo, now()).findings;
    let moved = "stages/development/clusters/elsewhere/cluster.yaml";
    let text = tree.files.remove(SHOP).unwrap();
    tree.files.insert(moved.to_owned(), text);
    let second = load(&tree.tree(), &mut memo, now()).findings;
    assert_eq!(memo.parsed(), 0);
    assert_eq!(first[0].place.file, SHOP);
    assert_eq!((second[0].place.file.as_str(), second[0].place.line), (moved, first[0].place.line));
}

#[test]
fn i11_the_lock_of_a_moved_definition_follows_it() {
    let mut tree = example();
    let lock = tree.lock("default.shop");
    let text = tree.files.remove(SHOP).unwrap();
    tree.files.insert("stages/development/elsewhere/cluster.yaml".to_owned(), text);
    let loaded = loaded(&tree);
    assert_eq!(shown(&loaded.findings), "");
    let shop = &loaded.want.clusters[&"default.shop".parse().unwrap()];
    assert_eq!(shop.lock.as_deref(), Some(&lock));
    assert_eq!(shop.lock_found_at.as_deref(), Some(SHOP_LOCK));
    assert_eq!(shop.lock_path, "stages/development/elsewhere/cluster.lock.yaml");
    assert!(loaded.want.orphan_locks.is_empty() && shop.blocked.is_none());
}

#[test]
fn i9_the_lock_of_a_removed_definition_stays() {
    let mut tree = example();
    tree.lock("default.shop");
    tree.lock("payments.billing");
    tree.remove_file(SHOP);
    tree.edit(BILLING, "flavor", "flavour");
    let orphans = loaded(&tree).want.orphan_locks;
    let removed: Vec<_> = orphans.iter().map(|(id, orphan)| (id.to_string(), orphan.removed)).collect();
    assert_eq!(removed, [("default.shop".to_owned(), true), ("payments.billing".to_owned(), false)]);
}

#[test]
fn i6_a_lock_that_cannot_be_read_stops_its_cluster_alone() {
    let mut tree = example();
    tree.lock("default.shop");
    tree.edit(SHOP_LOCK, "\"values\"", "\"value\"");
    let want = loaded(&tree).want;
    let blocked: Vec<_> = want.clusters.values().filter(|w| w.blocked.is_some()).map(|w| w.id.to_string()).collect();
    assert_eq!(blocked, ["default.shop"]);
}

#[test]
fn without_a_fleet_nothing_is_wanted_and_every_lock_is_kept() {
    let mut tree = example();
    tree.lock("default.shop");
    tree.edit(FLEET, "spec:", "spce:");
    tree.edit(BILLING, "flavor", "flavour");
    let loaded = loaded(&tree);
    assert!(loaded.want.fleet.is_none() && loaded.want.clusters.is_empty());
    assert_eq!(loaded.want.orphan_locks.values().map(|o| o.removed).collect::<Vec<_>>(), [false]);
    // The definition's own findings are told all the same.
    let files: Vec<_> = loaded.findings.iter().map(|f| (f.place.file.as_str(), f.rule)).collect();
    assert_eq!(files, [(FLEET, "missing-field"), (FLEET, "unknown-field"), (BILLING, "unknown-field")]);
}

#[test]
fn what_stops_a_cluster() {
    let mut tree = example();
    tree.append(SHOP, "  paused: true\n");
    tree.edit(BILLING, "flavor: calico", "flavor: gardener-shoot");
    let want = loaded(&tree).want;
    let reasons = |want: &model::Want| -> Vec<_> {
        want.clusters.values().map(|w| (w.id.name().to_string(), w.blocked.as_ref().map(|b| b.reason))).collect()
    };
    let named = |name: &str, reason| (name.to_owned(), reason);
    assert_eq!(
        reasons(&want),
        [named("legacy", None), named("shop", Some(Reason::Paused)), named("billing", Some(Reason::FlavorNotYet)),]
    );
    // A finding goes before a pause, and what is wrong with the fleet stops all.
    tree.append(FLEET, "  paused: true\n");
    assert_eq!(reasons(&loaded(&tree).want)[0], named("legacy", Some(Reason::Paused)));
    tree.edit(SHOP, "replicas: 2", "maxSurge: 0");
    assert_eq!(reasons(&loaded(&tree).want)[1], named("shop", Some(Reason::InvalidDefinition)));
    tree.edit(FLEET, "  paused: true\n", "  commit: {author: {name: \"\", email: x}}\n");
    assert_eq!(reasons(&loaded(&tree).want)[0], named("legacy", Some(Reason::InvalidDefinition)));
}

#[test]
fn i6_of_two_definitions_the_one_with_the_lock_goes_on() {
    let mut tree = example();
    tree.lock("default.shop");
    let copy = String::from_utf8(tree.files[SHOP].clone()).unwrap();
    tree.put("stages/development/clusters/a-copy/cluster.yaml", &copy);
    let want = loaded(&tree).want;
    let shop = &want.clusters[&"default.shop".parse().unwrap()];
    assert_eq!((shop.path.as_str(), shop.blocked.as_ref()), (SHOP, None));
}

#[test]
fn a_byte_order_mark_and_dos_lines_are_tolerated() {
    let mut tree = example();
    let text = String::from_utf8(tree.files[SHOP].clone()).unwrap().replace('\n', "\r\n");
    tree.put(SHOP, &format!("\u{feff}{text}"));
    assert_eq!(shown(&loaded(&tree).findings), "");
    tree.edit(SHOP, "replicas: 2", "replica: 2");
    let findings = loaded(&tree).findings;
    assert_eq!((findings[0].place.line, findings[0].place.column), (13, 7));
    assert_eq!(findings[0].place.text, "      replica: 2");
}

#[test]
fn metal_findings_are_given_their_places() {
    let tree = example();
    let finding = model::Finding::error("x", model::Place::file(SHOP), "x").field("spec.pools[0].size");
    let placed = crate::placed(vec![finding], &tree.tree());
    assert_eq!((placed[0].place.line, placed[0].place.column), (12, 7));
}

#[test]
fn metal_findings_of_what_an_overlay_gave_are_said_of_the_overlay() {
    let mut tree = example();
    tree.put("overlays/a.yaml", &overlay("a", "definition: {controlPlane: {size: c1-large-x86}}"));
    let finding = |field: &str| {
        let id = "default.shop".parse().unwrap();
        model::Finding::error("x", model::Place::file(SHOP), "x").field(field).cluster(&id)
    };
    let findings = vec![finding("spec.controlPlane.size"), finding("spec.pools[0].size")];
    let placed: Vec<_> = crate::placed(findings, &tree.tree());
    let places: Vec<_> = placed.iter().map(|f| (f.place.file.as_str(), f.place.line, f.field.as_str())).collect();
    let of_overlay = ("overlays/a.yaml", 5, "spec.definition.controlPlane.size");
    assert_eq!(places, [of_overlay, (SHOP, 12, "spec.pools[0].size")]);
}

/// Each of these took minutes in some YAML library, or in a first draft of this one.
#[test]
fn hostile_texts_are_refused_quickly() {
    let head = "apiVersion: fleet.metal-stack.io/v1alpha1\nkind: ClusterDefinition\nmetadata: {name: a}\nspec:\n";
    let lines = |f: &dyn Fn(usize) -> String| (0..20_000).map(f).collect::<String>();
    let texts = [
        "[".repeat(1_000_000),
        "{a: ".repeat(250_000),
        "- ".repeat(500_000),
        "&a ".repeat(300_000),
        lines(&|i| format!("k{i}: 1\n")),
        lines(&|_| "k: 1\n".to_owned()),
        format!("{head}{}", lines(&|i| format!("  k{i}: 1\n"))),
        format!("{head}  flavor: {}\n", "x".repeat(900_000)),
        format!("{head}  {}: 1\n", "x".repeat(900_000)),
        format!("{head}  kubernetes: {{version: {}}}\n", "9".repeat(900_000)),
        format!("{head}  pools: [{}]\n", "{name: A}, ".repeat(8_000)),
        format!("{head}  pools: [{}]\n", "{name: a}, ".repeat(8_000)),
        format!("{head}  x: \"{}\"\n", "\\u0041".repeat(150_000)),
    ];
    let start = std::time::Instant::now();
    for (index, text) in texts.iter().enumerate() {
        let mut tree = example();
        tree.put(SHOP, text);
        let loaded = loaded(&tree);
        assert!(!loaded.findings.is_empty(), "{index}");
        for f in &loaded.findings {
            assert!(f.message.len() < 5000 && f.field.len() < 5000 && f.place.text.len() < 2000, "{index}: {}", f.rule);
        }
    }
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

fn document() -> impl Strategy<Value = Vec<u8>> {
    let yaml = prop_oneof![
        Just("spec:".to_owned()),
        Just("kind: ClusterDefinition".to_owned()),
        Just("metadata: {name: a}".to_owned()),
        Just("  pools: [".to_owned()),
        Just("  - &a *a".to_owned()),
        Just("? {a: b}: c".to_owned()),
        Just("<<: *a".to_owned()),
        Just("--- !!x |\n\t".to_owned()),
        Just("\"\\u00".to_owned()),
        "[ -~]{0,12}",
    ];
    let lines = proptest::collection::vec(yaml, 0..12).prop_map(|lines| lines.join("\n").into_bytes());
    prop_oneof![lines, proptest::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rule 3 of the house: a bad file is a finding, never a failure, and stops nobody else.
    #[test]
    fn loading_never_fails(definition in document(), lock in document(), policy in document()) {
        let mut tree = example();
        tree.files.insert("stages/development/clusters/zz/cluster.yaml".to_owned(), definition);
        tree.files.insert("stages/development/clusters/zz/cluster.lock.yaml".to_owned(), lock);
        tree.files.insert("policies/zz.yaml".to_owned(), policy);
        let loaded = loaded(&tree);
        for finding in &loaded.findings {
            prop_assert!(finding.place.file.contains("zz"), "{:?}", finding);
        }
        let others = loaded.want.clusters.values().filter(|w| w.blocked.is_none());
        prop_assert_eq!(others.count(), 3);
    }

    /// An overlay of any bytes is told, and where it cannot be read nobody is rendered without it (I6).
    #[test]
    fn any_overlay_is_survived(text in document()) {
        let mut tree = example();
        tree.files.insert("overlays/zz.yaml".to_owned(), text);
        let loaded = loaded(&tree);
        prop_assert!(loaded.findings.iter().all(|f| f.place.file == "overlays/zz.yaml"));
        prop_assert!(loaded.want.clusters.values().all(|w| w.blocked.is_some()));
    }

    /// A fleet.yaml of any bytes stops everything and breaks nothing.
    #[test]
    fn any_fleet_is_survived(fleet in document()) {
        let mut tree = example();
        tree.files.insert(FLEET.to_owned(), fleet);
        let loaded = loaded(&tree);
        prop_assert!(!loaded.findings.is_empty() && loaded.want.clusters.is_empty());
    }
}
