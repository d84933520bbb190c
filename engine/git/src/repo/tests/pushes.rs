//! Compare-and-swap on path remotes: races, refusals, lost answers.

use super::fixture::*;
use crate::*;
use std::sync::Barrier;
use std::time::{Duration, Instant};

const CLAIM: &str = "refs/ferrofleet/claim/main";
const BRANCH_CLAIM: &str = "refs/heads/ferrofleet-claim/main";

fn stale(found: Option<Oid>) -> Push {
    Push::Stale { found }
}

fn refusal(push: Push) -> Refusal {
    match push {
        Push::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn landed_then_stale() {
    let remote = Remote::new();
    let (repo, _cache, tip) = remote.fetched();
    let (one, two) = (change(&repo, tip, "x", "1"), change(&repo, tip, "x", "2"));
    assert_eq!(repo.push(one, MAIN, Expect::Id(tip)), Push::Landed);
    assert_eq!(repo.push(two, MAIN, Expect::Id(tip)), stale(Some(one)));
    assert_eq!(remote.tip(), Some(one));
    assert_eq!(repo.push(two, MAIN, Expect::Absent), stale(Some(one)));
    let rewrite = refusal(repo.push(two, MAIN, Expect::Id(one)));
    assert_eq!(rewrite.kind, RefusalKind::Policy, "a branch is never rewritten: {rewrite}");
    assert_eq!(remote.tip(), Some(one));
}

#[test]
fn of_two_pushes_on_one_tip_exactly_one_lands() {
    let remote = Remote::new();
    // Both have read the ref before either writes.
    let wait = "while [ $(ls \"$GIT_DIR/waiting\" | wc -l) -lt 2 ]; do sleep 0.01; done";
    remote.hook("pre-receive", &format!("mkdir -p \"$GIT_DIR/waiting\"; : > \"$GIT_DIR/waiting/$$\"; {wait}"));
    let repos: Vec<_> = (0..2).map(|_| remote.fetched()).collect();
    let start = Barrier::new(2);
    let outcomes: Vec<(Oid, Push)> = std::thread::scope(|scope| {
        let race = |(n, (repo, cache, tip)): (usize, (Repo, tempfile::TempDir, Oid))| {
            let start = &start;
            scope.spawn(move || {
                let commit = change(&repo, tip, "x", &n.to_string());
                start.wait();
                let pushed = repo.push(commit, MAIN, Expect::Id(tip));
                drop(cache);
                (commit, pushed)
            })
        };
        let threads: Vec<_> = repos.into_iter().enumerate().map(race).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let winner = remote.tip();
    let landed: Vec<_> = outcomes.iter().filter(|(_, p)| *p == Push::Landed).collect();
    assert_eq!(landed.len(), 1, "{outcomes:?}");
    assert_eq!(winner, Some(landed[0].0));
    assert!(outcomes.iter().any(|(_, p)| *p == stale(winner)), "{outcomes:?}");
}

#[test]
fn a_hook_is_quoted_and_is_never_a_lost_race() {
    let remote = Remote::new();
    let (repo, _cache, tip) = remote.fetched();
    let commit = change(&repo, tip, "x", "1");
    remote.hook("pre-receive", "echo 'no Friday deploys; fetch first: cannot lock ref' >&2; exit 1");
    let refused = refusal(repo.push(commit, MAIN, Expect::Id(tip)));
    assert_eq!(refused.kind, RefusalKind::Policy);
    assert!(refused.words.contains("no Friday deploys"), "{refused}");
    assert_eq!(remote.tip(), Some(tip));
    std::fs::remove_file(remote.path().join("hooks/pre-receive")).unwrap();
    remote.hook("update", "echo non-fast-forward; exit 1");
    assert_eq!(refusal(repo.push(commit, MAIN, Expect::Id(tip))).kind, RefusalKind::Policy);
}

#[test]
fn a_server_that_denies_rewrites_and_deletions() {
    let remote = Remote::new();
    let (repo, _cache, tip) = remote.fetched();
    let (one, two) = (change(&repo, tip, "x", "1"), change(&repo, tip, "x", "2"));
    remote.git(&["config", "receive.denyNonFastForwards", "true"]);
    remote.git(&["config", "receive.denyDeletes", "true"]);
    assert_eq!(repo.push_forced(one, BRANCH_CLAIM, Expect::Absent), Push::Landed);
    let refused = refusal(repo.push_forced(two, BRANCH_CLAIM, Expect::Id(one)));
    assert_eq!(refused.kind, RefusalKind::Policy, "{refused}");
    assert_eq!(refusal(repo.delete_ref(BRANCH_CLAIM, one)).kind, RefusalKind::Policy);
    assert_eq!(remote.id(BRANCH_CLAIM), Some(one));
}

#[test]
fn a_claim_is_created_renewed_and_deleted_by_its_owner_only() {
    let remote = Remote::new();
    let (repo, _cache, tip) = remote.fetched();
    let claim = |n| repo.commit_tree_of(tip, &format!("claim {n}\n"), &author(), n).unwrap();
    let (one, two, other) = (claim(1), claim(2), claim(3));
    assert_eq!(repo.push_forced(one, CLAIM, Expect::Absent), Push::Landed);
    assert_eq!(repo.push_forced(other, CLAIM, Expect::Absent), stale(Some(one)));
    assert_eq!(repo.push_forced(two, CLAIM, Expect::Id(one)), Push::Landed);
    assert_eq!(repo.push_forced(other, CLAIM, Expect::Id(one)), stale(Some(two)));
    assert_eq!(repo.delete_ref(CLAIM, one), stale(Some(two)));
    assert_eq!(repo.delete_ref(CLAIM, two), Push::Landed);
    assert_eq!(repo.ls_ref(CLAIM).unwrap(), None);
    assert_eq!(repo.delete_ref(CLAIM, two), stale(None));
    // Another engine reads what a claim says.
    assert_eq!(repo.push_forced(other, CLAIM, Expect::Absent), Push::Landed);
    let (mut reader, _cache) = remote.repo();
    reader.fetch_ref(CLAIM, other).unwrap();
    assert_eq!(reader.commit_info(other).unwrap().message, "claim 3\n");
}

#[test]
fn a_branch_that_is_gone_is_not_made_again() {
    let remote = Remote::new();
    let (repo, _cache, tip) = remote.fetched();
    let commit = change(&repo, tip, "x", "1");
    remote.git(&["update-ref", "-d", MAIN]);
    assert_eq!(repo.push(commit, MAIN, Expect::Id(tip)), stale(None));
    assert_eq!(remote.tip(), None);
}

#[test]
fn a_lost_answer_is_unknown_and_the_ref_says_what_happened() {
    let remote = Remote::new();
    let (repo, _cache, tip) = remote.fetched();
    let one = change(&repo, tip, "x", "1");
    // The parent is receive-pack: killed right after the ref was written, before it could report.
    remote.hook("reference-transaction", "test \"$1\" = committed && kill -9 $PPID; exit 0");
    let pushed = repo.push(one, MAIN, Expect::Id(tip));
    assert!(matches!(pushed, Push::Unknown(_)), "{pushed:?}");
    assert_eq!(repo.tip().unwrap(), Some(one));
    // Killed before: unknown as well, and nothing happened.
    remote.hook("reference-transaction", "test \"$1\" = prepared && kill -9 $PPID; exit 0");
    let two = change(&repo, one, "x", "2");
    let pushed = repo.push(two, MAIN, Expect::Id(one));
    assert!(matches!(pushed, Push::Unknown(_)), "{pushed:?}");
    assert_eq!(repo.tip().unwrap(), Some(one));
}

#[test]
fn a_hook_that_hangs_costs_the_deadline() {
    let remote = Remote::new();
    remote.hook("pre-receive", "sleep 600");
    let (_, cache, tip) = remote.fetched();
    let repo = Repo::open(Options { timeouts: short(), ..remote.options(cache.path()) }).unwrap();
    let commit = change(&repo, tip, "x", "1");
    let began = Instant::now();
    let pushed = repo.push(commit, MAIN, Expect::Id(tip));
    assert!(matches!(&pushed, Push::Unknown(words) if words.contains("in time")), "{pushed:?}");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(repo.tip().unwrap(), Some(tip));
}

#[test]
fn a_hook_after_the_report_does_not_unsay_it() {
    let remote = Remote::new();
    remote.hook("post-receive", "kill -9 $PPID");
    let (repo, _cache, tip) = remote.fetched();
    let commit = change(&repo, tip, "x", "1");
    assert_eq!(repo.push(commit, MAIN, Expect::Id(tip)), Push::Landed);
}

#[test]
fn only_what_the_server_lacks_is_sent() {
    let remote = Remote::new();
    let big = "0123456789abcdef".repeat(64 * 1024).chars().rev().collect::<String>();
    let noise: String = big
        .bytes()
        .scan(1u32, |s, b| {
            *s = s.wrapping_mul(1_664_525).wrapping_add(u32::from(b));
            Some(char::from(b'a' + (*s >> 24) as u8 % 26))
        })
        .collect();
    let tip = remote.commit(&[("big", &noise)]);
    let (repo, _cache, _) = remote.fetched();
    let before = repo.bytes();
    assert!(before > 500_000);
    let commit = change(&repo, tip, "x", "1");
    assert_eq!(repo.push(commit, MAIN, Expect::Id(tip)), Push::Landed);
    assert!(repo.bytes() - before < 4096, "{}", repo.bytes() - before);
}

#[test]
fn a_push_through_a_missing_program_says_so() {
    let remote = Remote::new();
    let (repo, cache) = remote.repo_by("exit 127", short());
    std::fs::remove_file(cache.path().join("git")).unwrap();
    let (other, _other_cache, tip) = remote.fetched();
    drop(other);
    let pushed = repo.push_forced(tip, CLAIM, Expect::Absent);
    assert!(matches!(&pushed, Push::Unknown(words) if words.contains("PATH")), "{pushed:?}");
}
