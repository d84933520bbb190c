//! Servers that hang, break off, answer nonsense, or are busy.

use crate::fixture::*;
use ferrofleet_tests::git_http::{Fault, Seen};
use git::{Credentials, Error, Expect, Push, RefusalKind, Repo, Timeouts};
use std::time::{Duration, Instant};

fn is_push(seen: &Seen) -> bool {
    seen.method == "POST" && seen.path.ends_with("git-receive-pack")
}

fn says(status: u16, kind: &str, body: &str) -> Fault {
    let headers = vec![("Content-Type".to_owned(), kind.to_owned()), ("Retry-After".to_owned(), "7".to_owned())];
    Fault::Answer { status, headers, body: body.as_bytes().to_vec() }
}

#[test]
fn a_lost_answer_to_a_push_is_unknown_and_the_ref_says_what_happened() {
    for (fault, landed) in [(Fault::DropAfter, true), (Fault::Cut, true), (Fault::DropBefore, false)] {
        let bed = Bed::new();
        let (repo, tip) = bed.fetched();
        let commit = change(&repo, tip, "1");
        let what = fault.clone();
        bed.server.script(move |seen| is_push(seen).then(|| what.clone()));
        let pushed = repo.push(commit, MAIN, Expect::Id(tip));
        assert!(matches!(pushed, Push::Unknown(_)), "{fault:?}: {pushed:?}");
        assert_eq!(repo.tip().unwrap(), Some(if landed { commit } else { tip }), "{fault:?}");
    }
}

#[test]
fn a_gateway_that_gives_up_on_a_push_is_unknown() {
    let bed = Bed::new();
    let (repo, tip) = bed.fetched();
    bed.server.script(|seen| is_push(seen).then(|| says(504, "text/html", "<h1>Gateway Timeout</h1>")));
    let pushed = repo.push(change(&repo, tip, "1"), MAIN, Expect::Id(tip));
    assert!(matches!(&pushed, Push::Unknown(words) if !words.contains("<h1>")), "{pushed:?}");
}

#[test]
fn refusals_before_a_push() {
    for (status, words, kind) in [
        (403, "Permission to a/fleet.git denied to someone.", RefusalKind::Auth),
        (401, "Bad credentials", RefusalKind::Auth),
        (429, "Too Many Requests", RefusalKind::Busy),
        (404, "Repository not found.", RefusalKind::Other),
    ] {
        let bed = Bed::new();
        let (repo, tip) = bed.fetched();
        let commit = change(&repo, tip, "1");
        bed.server.script(move |_| Some(says(status, "text/plain", words)));
        let Push::Refused(refusal) = repo.push(commit, MAIN, Expect::Id(tip)) else { panic!("{status}") };
        assert_eq!((refusal.kind, refusal.words.contains(words)), (kind, true), "{status} {refusal}");
    }
}

#[test]
fn a_server_that_hangs_costs_its_deadline() {
    let bed = Bed::new();
    let (mut repo, tip) = bed.fetched();
    let next = bed.commit("two");
    bed.server.script(|_| Some(Fault::Hang));
    let began = Instant::now();
    assert!(matches!(repo.tip(), Err(Error::Timeout { .. })));
    assert!(matches!(repo.fetch(next), Err(Error::Timeout { .. })));
    let pushed = repo.push(change(&repo, tip, "1"), MAIN, Expect::Id(tip));
    assert!(matches!(pushed, Push::Unknown(_)), "{pushed:?}");
    assert!(began.elapsed() < Duration::from_secs(10));
    // Nobody listens there, and nobody answers there.
    for url in ["http://127.0.0.1:1/x", "http://192.0.2.1/x"] {
        let options = bed.options_at(url, Credentials::default());
        let timeouts = Timeouts { connect: Duration::from_millis(200), ..options.timeouts };
        let error = Repo::open(git::Options { timeouts, ..options }).unwrap().tip().unwrap_err();
        assert!(matches!(error, Error::Timeout { .. } | Error::Unreachable { .. }), "{error}");
    }
}

#[test]
fn a_fetch_that_breaks_off_leaves_a_good_cache() {
    let bed = Bed::new();
    let mut repo = bed.repo();
    let tip = repo.tip().unwrap().unwrap();
    bed.server.script(|_| Some(Fault::Cut));
    let error = repo.fetch(tip).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    bed.server.script(|_| None);
    repo.fetch(tip).unwrap();
    assert_eq!(repo.tree(tip).unwrap().entries().len(), 1);
}

#[test]
fn nonsense_is_called_that() {
    let pack = "application/x-git-upload-pack-result";
    let cases = [
        says(200, "text/html", "<html>Please log in</html>"),
        says(200, pack, "hello"),
        says(200, pack, "fff0"),
        says(200, pack, "0011ERR no way\n"),
        says(200, pack, ""),
    ];
    for fault in cases {
        let bed = Bed::new();
        let what = fault.clone();
        bed.server.script(move |_| Some(what.clone()));
        let error = bed.repo().tip().unwrap_err();
        let known = matches!(error, Error::Protocol { .. } | Error::Remote { .. } | Error::Unreachable { .. });
        assert!(known, "{fault:?}: {error}");
    }
}

#[test]
fn statuses_keep_their_words() {
    let bed = Bed::new();
    let repo = bed.repo();
    bed.server.script(|_| Some(says(503, "text/plain", "maintenance until noon")));
    let error = repo.tip().unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{error}");
    assert!(error.to_string().contains("maintenance until noon"), "{error}");
    assert_eq!(bed.server.take_seen().len(), 1, "a busy server is not asked twice");
    bed.server.script(|_| Some(says(404, "text/plain", "Repository not found.")));
    assert!(matches!(repo.tip(), Err(Error::NotFound { .. })));
}

#[test]
fn a_pack_that_is_none_is_refused() {
    let bed = Bed::new();
    let mut repo = bed.repo();
    let tip = repo.tip().unwrap().unwrap();
    let body = "000dpackfile\n0015\u{1}PACKnonsense!!!0000";
    bed.server.script(move |_| Some(says(200, "application/x-git-upload-pack-result", body)));
    let error = repo.fetch(tip).unwrap_err();
    assert!(matches!(error, Error::Cache { .. } | Error::Protocol { .. }), "{error}");
    bed.server.script(|_| None);
    repo.fetch(tip).unwrap();
}
