//! I9: only a definition that is certainly gone looks like a removal.

use super::kit::{BILLING, BILLING_LOCK, Edit, FLEET, SHOP, SHOP_LOCK, example, loaded, now, shown};
use crate::{Loaded, Memo, load};
use model::lock::{Deletion, DeletionPhase};
use model::tree::{MemoryTree, ReadBlob, ReadError};
use model::{BlobId, ClusterLock, CommitId, Entry, EntryKind, Reason, Tree};
use std::sync::Arc;

fn deletion(phase: DeletionPhase) -> Option<Deletion> {
    let confirmed_in = CommitId::parse(&"a".repeat(40)).unwrap();
    Some(Deletion { confirmed_in, phase, grace_period: None })
}

/// The example whose shop may be deleted as soon as its definition is gone.
fn confirmed() -> (MemoryTree, ClusterLock) {
    let mut tree = example();
    let mut lock = tree.lock("default.shop");
    tree.lock("payments.billing");
    lock.deletion = deletion(DeletionPhase::Confirmed);
    tree.put_lock(SHOP_LOCK, &lock);
    (tree, lock)
}

fn removed(loaded: &Loaded) -> Vec<String> {
    let orphans = loaded.want.orphan_locks.iter().filter(|(_, orphan)| orphan.removed);
    orphans.map(|(id, _)| id.to_string()).collect()
}

fn text(tree: &MemoryTree, path: &str) -> String {
    String::from_utf8(tree.files[path].clone()).unwrap()
}

/// Puts the definition of shop where `to` says, with a change.
fn moved(tree: &mut MemoryTree, to: &str, change: impl Fn(String) -> String) {
    let text = change(text(tree, SHOP));
    tree.remove_file(SHOP);
    tree.put(to, &text);
}

#[test]
fn a_definition_that_is_gone_is_removed() {
    let (mut tree, _) = confirmed();
    assert!(loaded(&tree).want.orphan_locks.is_empty());
    tree.remove_file(SHOP);
    let gone = loaded(&tree);
    assert_eq!(removed(&gone), ["default.shop"]);
    let findings: Vec<_> = gone.findings.iter().map(|f| (f.rule, f.is_error(), f.reason)).collect();
    assert_eq!(findings, [("being-deleted", false, Some(Reason::Deleting))]);
    // What others break does not keep it: their files lie where their own locks are.
    tree.edit(BILLING, "flavor", "flavour");
    assert_eq!(removed(&loaded(&tree)), ["default.shop"]);
    tree.put(BILLING, "{[");
    assert_eq!(removed(&loaded(&tree)), ["default.shop"]);
}

/// What is done to a fleet whose shop is confirmed.
type Doubt = (&'static str, fn(&mut MemoryTree));

const ELSEWHERE: &str = "stages/production/clusters/elsewhere/cluster.yaml";

const DOUBTS: &[Doubt] = &[
    ("broken", |t| t.edit(SHOP, "flavor", "flavour")),
    ("not YAML at all", |t| t.put(SHOP, "{[")),
    ("empty", |t| t.put(SHOP, "")),
    ("too large", |t| t.put(SHOP, &"# big\n".repeat(200_000))),
    ("broken and moved", |t| moved(t, ELSEWHERE, |text| text.replace("flavor", "flavour"))),
    ("moved, and nobody can tell what it is", |t| moved(t, ELSEWHERE, |_| "{[".to_owned())),
    ("broken, and its namespace is no name", |t| {
        moved(t, ELSEWHERE, |text| text.replace("spec:", "spec:\n  target: {namespace: \"Not a name\"}"));
    }),
    ("of a stage that is not there", |t| t.edit(SHOP, "spec:", "spec:\n  stage: prodution")),
    ("moved out of the stages", |t| moved(t, "clusters/shop/cluster.yaml", |text| text)),
    ("its stage was renamed", |t| t.edit(FLEET, "    - name: development", "    - name: dev")),
    ("its management cluster was renamed", |t| t.edit(FLEET, "    - name: mgmt-muc\n", "    - name: mgmt\n")),
    ("moved to a stage with another namespace", |t| {
        t.edit(FLEET, "      purpose: production", "      purpose: production\n      namespace: payments");
        moved(t, "stages/production/clusters/shop/cluster.yaml", |text| text);
    }),
    ("moved with its lock to a stage with another namespace", |t| {
        t.edit(FLEET, "      purpose: production", "      purpose: production\n      namespace: payments");
        moved(t, "stages/production/clusters/shop/cluster.yaml", |text| text);
        let lock = text(t, SHOP_LOCK);
        t.remove_file(SHOP_LOCK);
        t.put("stages/production/clusters/shop/cluster.lock.yaml", &lock);
    }),
    ("renamed where it lies", |t| t.edit(SHOP, "name: shop", "name: market")),
    ("renamed where it lies, and refused", |t| {
        t.edit(SHOP, "name: shop", "name: market");
        t.edit(SHOP, "\"1.34\"", "\"1.99\"");
    }),
    ("renamed elsewhere, with the old confirmation", |t| {
        moved(t, ELSEWHERE, |text| {
            text.replace("name: shop", "name: market").replace("spec:", "spec:\n  deletion: {confirm: shop}")
        });
    }),
    ("case of the file", |t| moved(t, "stages/development/clusters/shop/Cluster.yaml", |text| text)),
    ("case of the file, and broken", |t| {
        moved(t, "stages/development/clusters/shop/CLUSTER.yaml", |_| "{[".to_owned())
    }),
    ("another ending, elsewhere", |t| moved(t, "stages/production/clusters/shop/cluster.yml", |text| text)),
    ("case of the stage", |t| moved(t, "stages/Development/clusters/shop/cluster.yaml", |text| text)),
    ("case of the folder, and broken", |t| {
        moved(t, "stages/development/clusters/SHOP/cluster.yaml", |_| "{[".to_owned())
    }),
    ("two definitions", |t| {
        let copy = text(t, SHOP);
        moved(t, "a/cluster.yaml", |text| text.replace("spec:", "spec:\n  stage: development"));
        t.put("b/cluster.yaml", &copy.replace("spec:", "spec:\n  stage: production"));
    }),
    ("fleet.yaml is broken", |t| {
        t.remove_file(SHOP);
        t.edit(FLEET, "spec:", "spce:");
    }),
    ("fleet.yaml is not there", |t| {
        t.remove_file(SHOP);
        t.remove_file(FLEET);
    }),
    ("fleet.yaml is refused", |t| {
        t.remove_file(SHOP);
        t.edit(FLEET, "  managementClusters:", "  commit: {author: {name: \"\", email: x}}\n  managementClusters:");
    }),
    ("the fleet is called otherwise", |t| {
        t.remove_file(SHOP);
        t.edit(FLEET, "  name: example", "  name: renamed");
    }),
    ("its policy is broken", |t| t.edit("policies/default.yaml", "  defaults:", "  default:")),
    ("an overlay is broken", |t| t.put("overlays/a.yaml", "{[")),
    ("another lock of it", |t| {
        let lock = text(t, SHOP_LOCK);
        t.remove_file(SHOP);
        t.put("a/cluster.lock.yaml", &lock.replace("development/clusters/shop", "a"));
    }),
    ("another lock of it that is broken", |t| {
        let lock = text(t, SHOP_LOCK);
        t.remove_file(SHOP);
        t.put("a/cluster.lock.yaml", &lock.replace("\"values\"", "\"value\""));
    }),
    ("its tombstone is broken", |t| {
        t.remove_file(SHOP);
        t.put("tombstones/default.shop.yaml", "{}");
    }),
];

#[test]
fn i9_nothing_else_looks_like_a_removal() {
    for (what, doubt) in DOUBTS {
        let (mut tree, _) = confirmed();
        doubt(&mut tree);
        let loaded = loaded(&tree);
        assert_eq!(removed(&loaded), Vec::<String>::new(), "{what}:\n{}", shown(&loaded.findings));
        assert!(!loaded.findings.is_empty(), "{what} is not told");
        let is_said = |f: &model::Finding| f.message.contains("default.shop is being deleted");
        assert!(!loaded.findings.iter().any(is_said), "{what}:\n{}", shown(&loaded.findings));
    }
}

/// I8: whoever waits for a deletion reads which file it waits for.
#[test]
fn i8_a_deletion_that_waits_for_a_doubt_says_which_one() {
    let (mut tree, _) = confirmed();
    moved(&mut tree, ELSEWHERE, |_| "{[".to_owned());
    let findings = loaded(&tree).findings;
    let waits: Vec<_> = findings.iter().filter(|f| f.rule == "being-deleted").collect();
    assert!(matches!(waits[..], [one] if one.message.contains(ELSEWHERE) && !one.is_error()), "{}", shown(&findings));
}

/// What a tree in memory cannot be: no file, and a file whose bytes are lost.
#[test]
fn i9_what_is_not_followed_or_not_there_is_not_removed() {
    let (tree, _) = confirmed();
    let good = tree.tree();
    let with = |path: &str, below: bool, kind: EntryKind| {
        let is_hidden =
            |e: &Entry| e.path == SHOP || below && e.path.starts_with(&format!("{path}/")) && e.path != SHOP_LOCK;
        let mut entries: Vec<Entry> = good.entries().iter().filter(|e| !is_hidden(e)).cloned().collect();
        entries.push(Entry { path: path.to_owned(), id: BlobId([7; 20]), kind });
        good.with_entries(entries)
    };
    for (path, below, kind) in [
        (SHOP, false, EntryKind::Symlink),
        (SHOP, false, EntryKind::Submodule),
        ("stages/development/clusters", true, EntryKind::Symlink),
        ("stages/development", true, EntryKind::Submodule),
        (ELSEWHERE, false, EntryKind::Symlink),
    ] {
        let loaded = load(&with(path, below, kind), &mut Memo::default(), now());
        assert_eq!(removed(&loaded), Vec::<String>::new(), "{path} {kind:?}");
        assert!(loaded.findings.iter().any(|f| f.rule == "not-a-file"), "{path} {kind:?}");
    }
    // A link that has nothing to do with it.
    assert_eq!(
        removed(&load(&with("vendor", false, EntryKind::Submodule), &mut Memo::default(), now())),
        ["default.shop"]
    );

    struct Lost(Tree);
    impl ReadBlob for Lost {
        fn read(&self, id: &BlobId, max_bytes: usize) -> Result<Vec<u8>, ReadError> {
            match self.0.entry(SHOP) {
                Some(shop) if shop.id == *id => {
                    Err(ReadError::Unreadable { id: *id, why: "object is missing".to_owned() })
                }
                _ => self.0.read(id, max_bytes),
            }
        }
    }
    let lost = Tree::new(good.entries().to_vec(), Arc::new(Lost(good.clone())));
    assert_eq!(removed(&load(&lost, &mut Memo::default(), now())), Vec::<String>::new());
}

/// R9: a file that was moved to a stage which implies another namespace is refused, and the one it was is named.
#[test]
fn r9_a_stage_that_implies_another_namespace_is_refused() {
    let mut tree = example();
    tree.lock("default.shop");
    tree.edit(FLEET, "      purpose: production", "      purpose: production\n      namespace: payments");
    moved(&mut tree, "stages/production/clusters/shop/cluster.yaml", |text| text);
    let loaded = loaded(&tree);
    insta::assert_snapshot!(shown(&loaded.findings));
    let blocked = loaded.want.clusters[&"payments.shop".parse().unwrap()].blocked.as_ref().map(|b| b.reason);
    assert_eq!(blocked, Some(Reason::Immutable));
}

/// R9: as above, for the management cluster; the definition can say what its stage says otherwise.
#[test]
fn r9_a_stage_that_implies_another_management_cluster_is_refused() {
    let mut tree = example();
    tree.lock("default.shop");
    tree.edit(FLEET, "  stages:", "    - name: other\n  stages:");
    tree.edit(
        FLEET,
        "    - name: production\n      managementCluster: mgmt-muc",
        "    - name: production\n      managementCluster: other",
    );
    moved(&mut tree, "stages/production/clusters/shop/cluster.yaml", |text| text);
    insta::assert_snapshot!(shown(&loaded(&tree).findings));
    const MOVED: &str = "stages/production/clusters/shop/cluster.yaml";
    tree.edit(MOVED, "spec:", "spec:\n  purpose: development\n  target: {managementCluster: mgmt-muc}");
    assert_eq!(shown(&loaded(&tree).findings), "");
    // The stage that is written is where the finding points.
    tree.edit(MOVED, "  target: {managementCluster: mgmt-muc}", "  stage: production");
    assert_eq!(loaded(&tree).findings.iter().map(|f| f.field.as_str()).collect::<Vec<_>>(), ["spec.stage"]);
}

/// Once a deletion has begun, another cluster of the same name is another one.
#[test]
fn a_namesake_does_not_stop_a_deletion_that_has_begun() {
    let (mut tree, mut lock) = confirmed();
    moved(&mut tree, ELSEWHERE, |text| text.replace("spec:", "spec:\n  target: {namespace: payments}"));
    assert_eq!(removed(&loaded(&tree)), Vec::<String>::new());
    for phase in [DeletionPhase::Removing, DeletionPhase::Freeing] {
        lock.deletion = deletion(phase);
        tree.put_lock(SHOP_LOCK, &lock);
        let loaded = loaded(&tree);
        assert_eq!(removed(&loaded), ["default.shop"], "{phase:?}");
        assert!(loaded.want.clusters[&"payments.shop".parse().unwrap()].blocked.is_none(), "{phase:?}");
    }
}

#[test]
fn an_unconfirmed_removal_says_how_a_cluster_is_deleted() {
    let mut tree = example();
    tree.lock("payments.billing");
    tree.remove_file(BILLING);
    let gone = loaded(&tree);
    assert_eq!(removed(&gone), ["payments.billing"]);
    let findings = shown(&gone.findings);
    assert!(findings.contains("error[definition-removed] DefinitionRemoved (payments.billing)"), "{findings}");
    assert!(findings.contains("spec.deletion.confirm: billing") && findings.contains(BILLING_LOCK), "{findings}");
}

#[test]
fn a_deletion_is_confirmed_by_the_clusters_own_name_and_not_while_it_is_protected() {
    let check = |deletion: &str, expected: &[&str], is_confirmed: bool| {
        let mut tree = example();
        tree.lock("default.shop");
        tree.edit(SHOP, "  pools:", &format!("  deletion: {deletion}\n  pools:"));
        let loaded = loaded(&tree);
        assert_eq!(loaded.findings.iter().map(|f| f.rule).collect::<Vec<_>>(), expected, "{deletion}");
        let shop = &loaded.want.clusters[&"default.shop".parse().unwrap()];
        assert_eq!(
            (shop.effective.deletion.is_confirmed, shop.blocked.is_some()),
            (is_confirmed, !expected.is_empty())
        );
    };
    check("{confirm: shop}", &[], true);
    check("{confirm: shop, protect: false}", &[], true);
    check("{protect: true}", &[], false);
    check("{confirm: shop, protect: true}", &["deletion-confirm"], false);
    check("{confirm: billing}", &["deletion-confirm"], false);
    check("{confirm: default.shop}", &["deletion-confirm"], false);
}
