//! Looks, fetches and pushes over HTTP, and what they cost.

use crate::fixture::*;
use ferrofleet_tests::git_http::{Fault, Seen};
use git::{Expect, Oid, Push, RefusalKind};
use std::fmt::Write;

fn methods(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|s| s.method.as_str()).collect()
}

/// I4: with nothing new, one request of at most 1 KB, however many refs there are.
#[test]
fn a_look_is_one_small_request_with_twenty_thousand_refs() {
    let bed = Bed::new();
    let tip = bed.tip();
    let mut refs = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    for n in 0..20_000 {
        writeln!(refs, "{tip} refs/pull/{n:05}/head").unwrap();
    }
    std::fs::write(bed.bare.path.join("packed-refs"), refs).unwrap();
    let repo = bed.repo();
    for n in 1..=3 {
        assert_eq!(repo.tip().unwrap(), Some(tip));
        let seen = bed.server.take_seen();
        assert_eq!(methods(&seen), ["POST"]);
        assert!(seen[0].bytes_in + seen[0].bytes_out < 200, "{seen:?}");
        assert_eq!(repo.requests(), n);
    }
    assert!(repo.bytes() < 1024);
    assert_eq!(repo.ls_ref(CLAIM).unwrap(), None);
    assert_eq!(methods(&bed.server.take_seen()), ["POST"]);
}

#[test]
fn a_fetch_is_one_request_of_what_is_new() {
    let bed = Bed::new();
    let (mut repo, tip) = bed.fetched();
    repo.fetch(tip).unwrap();
    assert!(bed.server.take_seen().is_empty());
    let next = bed.commit("two");
    repo.fetch(next).unwrap();
    let seen = bed.server.take_seen();
    assert_eq!(methods(&seen), ["POST"]);
    assert!(seen[0].bytes_out < 1024, "{seen:?}");
    let tree = repo.tree(next).unwrap();
    assert_eq!(tree.read(&tree.entry("a.yaml").unwrap().id, 10).unwrap(), b"two");
}

#[test]
fn pushes_compare_and_swap() {
    let bed = Bed::new();
    let (repo, tip) = bed.fetched();
    let (one, two) = (change(&repo, tip, "1"), change(&repo, tip, "2"));
    assert_eq!(repo.push(one, MAIN, Expect::Id(tip)), Push::Landed);
    assert_eq!(methods(&bed.server.take_seen()), ["GET", "POST"]);
    assert_eq!(bed.tip(), one);
    assert_eq!(repo.push(two, MAIN, Expect::Id(tip)), Push::Stale { found: Some(one) });
    assert_eq!(repo.push_forced(two, CLAIM, Expect::Absent), Push::Landed);
    assert_eq!(repo.push_forced(one, CLAIM, Expect::Absent), Push::Stale { found: Some(two) });
    assert_eq!(repo.push_forced(one, CLAIM, Expect::Id(two)), Push::Landed);
    assert_eq!(repo.delete_ref(CLAIM, two), Push::Stale { found: Some(one) });
    assert_eq!(repo.delete_ref(CLAIM, one), Push::Landed);
    assert_eq!(bed.bare.claims(), Vec::<String>::new());
    assert_eq!(bed.bare.git(["fsck", "--strict", "--no-dangling"]), "");
}

/// The other push lands between our look at the refs and our pack: the server compares too.
#[test]
fn a_race_that_only_the_server_sees() {
    let bed = Bed::new();
    let (repo, tip) = bed.fetched();
    let other = change(&repo, tip, "other");
    // The other one's objects come on a ref of its own, its branch update while our POST is on its way.
    assert_eq!(repo.push_forced(other, CLAIM, Expect::Absent), Push::Landed);
    let bare = bed.bare.clone();
    bed.server.script(move |seen| {
        if seen.method == "POST" && seen.path.ends_with("git-receive-pack") {
            bare.git(["update-ref", MAIN, &other.to_string()]);
        }
        None
    });
    let ours = change(&repo, tip, "ours");
    assert_eq!(repo.push(ours, MAIN, Expect::Id(tip)), Push::Stale { found: Some(other) });
    assert_eq!(bed.tip(), other);
}

#[test]
fn a_hook_is_quoted() {
    let bed = Bed::new();
    let (repo, tip) = bed.fetched();
    bed.bare.hook("pre-receive", "#!/bin/sh\necho 'no Friday deploys' >&2\nexit 1\n");
    let Push::Refused(refusal) = repo.push(change(&repo, tip, "1"), MAIN, Expect::Id(tip)) else { panic!() };
    assert_eq!(refusal.kind, RefusalKind::Policy);
    assert!(refusal.words.contains("no Friday deploys"), "{refusal}");
}

/// A server without version 2: the first look learns it, later ones read the list.
#[test]
fn a_server_of_version_0() {
    let bed = Bed::new();
    bed.server.speaks_v2(false);
    let mut repo = bed.repo();
    let tip = repo.tip().unwrap();
    assert_eq!(tip, Some(bed.tip()));
    bed.server.take_seen();
    assert_eq!(repo.tip().unwrap(), tip);
    assert_eq!(methods(&bed.server.take_seen()), ["GET"]);
    repo.fetch(tip.unwrap()).unwrap();
    let next = bed.commit("two");
    assert_eq!(repo.tip().unwrap(), Some(next));
    repo.fetch(next).unwrap();
    let ours = change(&repo, next, "1");
    assert_eq!(repo.push(ours, MAIN, Expect::Id(next)), Push::Landed);
    let gone: Oid = "b".repeat(40).parse().unwrap();
    assert!(matches!(repo.fetch(gone), Err(git::Error::Missing { .. })));
}

/// A server of version 2 that answers nobody who did not ask for its capabilities first: two requests.
#[test]
fn a_server_that_wants_discovery() {
    let bed = Bed::new();
    let asked = std::sync::atomic::AtomicBool::new(false);
    bed.server.script(move |seen| {
        let before = asked.swap(seen.method == "GET", std::sync::atomic::Ordering::SeqCst);
        let refuse = seen.method == "POST" && !before;
        refuse.then(|| Fault::Answer { status: 400, headers: vec![], body: vec![] })
    });
    let mut repo = bed.repo();
    assert_eq!(repo.tip().unwrap(), Some(bed.tip()));
    assert_eq!(methods(&bed.server.take_seen()), ["POST", "GET", "POST"]);
    assert_eq!(repo.tip().unwrap(), Some(bed.tip()));
    let seen = bed.server.take_seen();
    assert_eq!(methods(&seen), ["GET", "POST"]);
    assert!(seen.iter().map(|s| s.bytes_in + s.bytes_out).sum::<u64>() < 1024, "{seen:?}");
    repo.fetch(bed.tip()).unwrap();
}

#[test]
fn a_worker_over_http_does_not_block_the_runtime() {
    let bed = Bed::new();
    let worker = git::Worker::spawn(bed.options(git::Credentials::default())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    bed.server.script(|_| Some(Fault::Hang));
    let (looked, ticked) = runtime.block_on(async {
        let tick = async { tokio::time::sleep(std::time::Duration::from_millis(1)).await };
        tokio::join!(worker.call(|repo| repo.tip()), tick)
    });
    let () = ticked;
    assert!(matches!(looked, Ok(Err(git::Error::Timeout { .. }))), "{looked:?}");
}
