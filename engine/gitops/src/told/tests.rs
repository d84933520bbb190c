use super::*;
use crate::kit::{BEGAN, Branch, LEGACY, Made, SHOP, SHOP_LOCK, id};

const DELETION: &str = "deletion:\n  confirmedIn: 1234567890123456789012345678901234567890\n  phase: ";

/// A lock in this phase, by an engine.
fn phase(branch: &mut Branch, phase: &str) -> i64 {
    let more = format!("{DELETION}{phase}\n");
    let commit = branch.engine(&[SHOP], &more);
    branch.repo.commit_info(commit).unwrap().committer_time
}

fn since(branch: &mut Branch) -> Option<i64> {
    branch.said().phase_since.get(&id(SHOP)).map(|at| at.as_second())
}

#[test]
fn a_phase_began_with_the_commit_that_wrote_it() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    assert_eq!(since(&mut branch), None);
    let confirmed = phase(&mut branch, "confirmed");
    branch.person("work", &[("README.md", Some("x"))]);
    branch.engine(&[LEGACY], "");
    assert_eq!(since(&mut branch), Some(confirmed));
    let removing = phase(&mut branch, "removing");
    assert_eq!(since(&mut branch), Some(removing));
    // Something else of the lock changes.
    branch.engine(&[SHOP], &format!("{DELETION}removing\n# other bytes\n"));
    assert_eq!(since(&mut branch), Some(removing));
    branch.memory = crate::engine::Memory::default();
    assert_eq!(since(&mut branch), Some(removing), "an empty cache");
    branch.engine(&[SHOP], "");
    assert_eq!(since(&mut branch), None, "taken back");
    let again = phase(&mut branch, "confirmed");
    assert_eq!(since(&mut branch), Some(again));
}

#[test]
fn a_history_without_the_engines_commit_was_rewritten() {
    let mut branch = Branch::new();
    let kept = branch.engine(&[SHOP], "");
    let lost = branch.engine(&[LEGACY], "");
    assert_eq!(branch.said().rewritten, None);
    // A force-push to the commit before, and work on it.
    branch.tip = kept;
    branch.person("work", &[("README.md", Some("x"))]);
    let said = branch.said().rewritten.unwrap();
    assert!(said.contains(&lost.to_string()) && said.contains("ferrofleet ack HistoryRewritten example"), "{said}");
    branch.memory = crate::engine::Memory::default();
    assert!(branch.said().rewritten.is_some(), "the cache knows it, too");
    // An engine's commit on top does not make it right.
    branch.engine(&[SHOP], "# 2\n");
    assert!(branch.said().rewritten.is_some());
    let rewritten = branch.tip;
    // It is pushed back.
    branch.tip = lost;
    assert_eq!(branch.said().rewritten, None);
    branch.tip = rewritten;
    assert!(branch.said().rewritten.is_some());
}

#[test]
fn a_rewritten_history_is_accepted_once() {
    let mut branch = Branch::new();
    let kept = branch.engine(&[SHOP], "");
    branch.engine(&[LEGACY], "");
    branch.view();
    branch.tip = kept;
    branch.empty("fine\n\nFleet-Ack: HistoryRewritten default.shop");
    assert!(branch.said().rewritten.is_some(), "of one cluster only");
    let accepted = branch.empty("fine\n\nFleet-Ack: HistoryRewritten example");
    assert_eq!(branch.said().rewritten, None);
    branch.memory = crate::engine::Memory::default();
    assert_eq!(branch.said().rewritten, None, "the cache knows it, too");
    branch.engine(&[LEGACY], "# 2\n");
    branch.view();
    branch.tip = accepted;
    branch.person("work", &[("README.md", Some("x"))]);
    assert!(branch.said().rewritten.is_some(), "what was said before is not about this");
}

#[test]
fn what_landed_counts_before_anybody_reads_it() {
    let mut branch = Branch::new();
    let kept = branch.engine(&[SHOP], "");
    branch.view();
    let lost = branch.engine(&[LEGACY], "");
    branch.memory.history.landed(&branch.repo, &note("main"), Some(lost)).unwrap();
    branch.tip = kept;
    assert!(branch.said().rewritten.unwrap().contains(&lost.to_string()));
}

#[test]
fn locks_without_any_engine_commit_are_a_copys() {
    let mut branch = Branch::new();
    assert_eq!(branch.said().rewritten, None, "nothing is there yet");
    branch.engine(&[SHOP], "");
    let copy = branch.repo.tree(branch.tip).unwrap();
    let lock = String::from_utf8(copy.read(&copy.entry(SHOP_LOCK).unwrap().id, 1 << 20).unwrap()).unwrap();
    let mut copied = Branch::new();
    copied.person("a copy", &[(SHOP_LOCK, Some(&lock))]);
    assert!(copied.said().rewritten.unwrap().contains("no commit of an engine"));
    copied.empty("I know\n\nFleet-Ack: HistoryRewritten example");
    assert_eq!(copied.said().rewritten, None);
}

#[test]
fn another_fleets_engine_on_the_same_branch_is_nobody() {
    let mut branch = Branch::new();
    let own = branch.engine(&[SHOP], "");
    branch.engine_says(&Made { fleet: "other", clusters: &[LEGACY], ended: &[], more: "" });
    let view = branch.view();
    assert_eq!(branch.memory.history.newest.as_ref().map(|commit| commit.id), Some(own));
    assert!(view.put_right.iter().any(|path| path.contains("/legacy/")), "{:?}", view.put_right);
    assert!(!branch.memory.history.clusters.contains(&id(LEGACY)));
}

#[test]
fn what_was_freed_within_the_hour_counts() {
    let freed = |at: i64, count: usize| {
        let mut branch = Branch::new();
        let text = "Fleet-Freed: default.shop vip 10.0.0.1 deletion\n".repeat(count);
        let tip = branch.tip;
        let text = format!(
            "Delete\n\nFleet-Run: x\nFleet-Source: {tip}\n{text}Fleet-Freed: default.shop vip 10.0.0.2 duplicate\n"
        );
        branch.empty(&text);
        branch.view().said(&BTreeSet::new(), Timestamp::from_second(BEGAN + 60 + at).unwrap()).freed_within_hour
    };
    assert_eq!(freed(0, 3), 3);
    assert_eq!(freed(3599, 2), 2);
    assert_eq!(freed(3600, 2), 0);
    assert_eq!(freed(-7200, 1), 1, "a clock that is ahead of ours");
    assert_eq!(freed(-2 * 86_400, 1), 0, "one that is wrong");
}

#[test]
fn no_phase_began_in_the_future() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    branch.minutes(1_000_000);
    phase(&mut branch, "confirmed");
    branch.minutes(-1_000_000);
    let now = branch.clock().as_second();
    assert_eq!(since(&mut branch), Some(now));
    branch.minutes(10);
    assert_eq!(since(&mut branch), Some(now), "it was seen then");
    // Nor before the commit that it stands on.
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    let before = branch.repo.commit_info(branch.tip).unwrap().committer_time;
    branch.minutes(-1_000);
    phase(&mut branch, "confirmed");
    branch.minutes(2_000);
    assert_eq!(since(&mut branch), Some(before));
}

#[test]
fn output_is_as_old_as_the_commit_that_brought_it() {
    let mut branch = Branch::new();
    let brought = branch.engine(&[SHOP], "");
    let brought = branch.repo.commit_info(brought).unwrap().committer_time;
    branch.person("work", &[("README.md", Some("x"))]);
    branch.engine(&[LEGACY], "");
    let tree = branch.view().corrected;
    let dir = "rendered/mgmt-muc/default/shop";
    let of =
        |memo: &mut _, dir, lies| output_since(&branch.repo, memo, branch.tip, &tree, (&id(SHOP), dir), lies).unwrap();
    assert_eq!(of(&mut BTreeMap::new(), dir, Lies::Beside), Some(brought));
    assert_eq!(of(&mut BTreeMap::new(), "rendered/none", Lies::Beside), Some(i64::MIN));
    let mut memo = BTreeMap::new();
    assert_eq!(of(&mut memo, dir, Lies::Elsewhere(None)), None, "nobody wrote it yet");
    assert_eq!(of(&mut memo, dir, Lies::Elsewhere(Some(brought + 5))), Some(brought + 5));
    assert_eq!(of(&mut memo, dir, Lies::Elsewhere(Some(brought + 99))), Some(brought + 5), "others' commits");
}
