use super::*;
use crate::kit::{Branch, SHOP, SHOP_DEFINITION, SHOP_LOCK, SHOP_POOLS, id};

const TIP: &str = "1234567890123456789012345678901234567890";

/// The definition of the example with this below `spec`.
fn spec(branch: &Branch, more: &str) -> String {
    branch.read(SHOP_DEFINITION).replace("spec:\n", &format!("spec:\n{more}"))
}

/// The lock in this phase, by an engine.
fn phase(branch: &mut Branch, phase: &str) {
    let lock = branch.read(SHOP_LOCK);
    let lock = lock.split("deletion:").next().unwrap();
    let text = format!("{lock}deletion:\n  confirmedIn: {TIP}\n  phase: {phase}\n");
    branch.engine_writes(SHOP, SHOP_LOCK, &text);
}

/// A cluster whose deletion is confirmed, in Git and in its lock, and its definition without and with that.
fn confirmed() -> (Branch, String, String) {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    let (plain, confirming) = (spec(&branch, ""), spec(&branch, "  deletion: {confirm: shop}\n"));
    branch.person("Delete it", &[(SHOP_DEFINITION, Some(&confirming))]);
    phase(&mut branch, "confirmed");
    (branch, plain, confirming)
}

fn is_deleted(view: &View) -> bool {
    let orphan = &view.want.orphan_locks[&id(SHOP)];
    assert!(orphan.removed);
    let is_deleted = orphan.lock.deletion.is_some();
    let of = |rule: &str| view.findings.iter().any(|f| f.rule == rule && f.cluster.as_ref() == Some(&id(SHOP)));
    assert_eq!((of("being-deleted"), of("definition-removed")), (is_deleted, !is_deleted), "{:?}", view.findings);
    is_deleted
}

#[test]
fn i9_the_last_words_of_a_definition_count() {
    let (mut branch, plain, confirming) = confirmed();
    assert!(branch.view().want.clusters[&id(SHOP)].effective.deletion.is_confirmed);
    branch.person("Remove it", &[(SHOP_DEFINITION, None)]);
    assert!(is_deleted(&branch.view()));
    branch.person("work", &[("README.md", Some("x"))]);
    assert!(is_deleted(&branch.view()), "each commit is looked at once");
    // Between two looks of the engine.
    branch.person("Bring it back", &[(SHOP_DEFINITION, Some(&plain))]);
    branch.person("Forget it", &[(SHOP_DEFINITION, None)]);
    assert!(!is_deleted(&branch.view()));
    assert!(!is_deleted(&branch.view_anew()), "another engine, with an empty cache");
    branch.person("Again", &[(SHOP_DEFINITION, Some(&confirming))]);
    branch.person("Remove it", &[(SHOP_DEFINITION, None)]);
    assert!(is_deleted(&branch.view()));
}

#[test]
fn i9_a_confirmation_that_was_taken_back_in_a_pause_deletes_nothing() {
    for more in ["  paused: true\n", "  deletion: {protect: true, confirm: shop}\n", "  vip: {mode: adopt}\n"] {
        let (mut branch, ..) = confirmed();
        let text = spec(&branch, "").replace("  deletion: {confirm: shop}\n", more);
        branch.person("Stop!", &[(SHOP_DEFINITION, Some(&text))]);
        branch.person("Elsewhere", &[(SHOP_DEFINITION, None)]);
        assert!(!is_deleted(&branch.view()), "{more}");
    }
}

#[test]
fn i9_what_nobody_can_read_confirms_nothing_and_stops_nothing_that_began() {
    for (at, goes_on) in [("confirmed", false), ("removing", true), ("freeing", true)] {
        let (mut branch, ..) = confirmed();
        if at != "confirmed" {
            phase(&mut branch, at);
        }
        branch.person("Broken", &[(SHOP_DEFINITION, Some("kind: ["))]);
        branch.person("Removed", &[(SHOP_DEFINITION, None)]);
        assert_eq!(is_deleted(&branch.view()), goes_on, "{at}");
    }
}

fn waits(branch: &mut Branch) -> String {
    let now = branch.clock();
    branch.view().said(&Default::default(), now).waits.remove(&id(SHOP)).unwrap_or_default()
}

#[test]
fn r2_a_phase_waits_until_the_output_is_as_it_has_it() {
    let (mut branch, ..) = confirmed();
    branch.person("Remove it", &[(SHOP_DEFINITION, None)]);
    // The lock was written, the output was not.
    assert!(waits(&mut branch).contains("guards are not lifted"));
    phase(&mut branch, "removing");
    assert!(waits(&mut branch).contains("have not left the output"));
    phase(&mut branch, "freeing");
    assert_eq!(waits(&mut branch), "");
}

#[test]
fn a_deletion_waits_for_a_management_cluster_that_is_not_named_any_more() {
    let (mut branch, ..) = confirmed();
    let fleet = branch.read("fleet.yaml").replace("mgmt-muc", "mgmt-new");
    branch.person("Renamed", &[(SHOP_DEFINITION, None), ("fleet.yaml", Some(&fleet))]);
    assert!(waits(&mut branch).contains("does not name management cluster `mgmt-muc`"));
}

#[test]
fn a_deletion_that_is_obstructed_waits_and_says_so() {
    let (mut branch, ..) = confirmed();
    // A person's file where the folder of tombstones must be.
    let lock = branch.read(SHOP_LOCK) + "  gracePeriod: 48h\n";
    branch.engine_writes(SHOP, SHOP_LOCK, &lock);
    branch.person("Notes", &[("tombstones", Some("of our fleet")), (SHOP_DEFINITION, None)]);
    assert!(waits(&mut branch).contains("`tombstones` lies where"));
    let view = branch.view();
    let finding = view.findings.iter().find(|finding| finding.is_error()).unwrap();
    assert_eq!((finding.place.file.as_str(), finding.cluster.clone()), ("tombstones", Some(id(SHOP))));
}

#[test]
fn a_pool_leaves_when_it_was_empty_for_as_long_as_a_sync_may_take() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    let lock = branch.read(SHOP_LOCK).replace("values:\n", "values:\n  emptyPools:\n  - batch\n");
    branch.engine_writes(SHOP, SHOP_LOCK, &lock);
    let blocked = |branch: &mut Branch| {
        let view = branch.view_anew();
        let blocked = view.want.clusters[&id(SHOP)].blocked.clone();
        assert_eq!(view.findings.iter().any(|finding| finding.rule == "pool-removed"), blocked.is_some());
        blocked.map(|blocked| (blocked.reason, blocked.message))
    };
    let (reason, message) = blocked(&mut branch).unwrap();
    assert!(reason == Reason::Immutable && message.contains("pool `batch`"), "{message}");
    // Other bytes of the lock, and of the output.
    branch.engine_writes(SHOP, SHOP_LOCK, &format!("{lock}# 2\n"));
    branch.engine_writes(SHOP, SHOP_POOLS, "# 2\n");
    branch.minutes(11);
    assert!(blocked(&mut branch).is_some());
    branch.minutes(2);
    assert_eq!(blocked(&mut branch), None, "15 minutes after the lock listed it");
}
