//! Looking at refs, fetching, history, and what a bad day looks like.

use super::fixture::*;
use crate::*;
use std::time::{Duration, Instant};

#[test]
fn a_look_at_a_local_ref_starts_no_process() {
    let remote = Remote::new();
    let (repo, _cache) = remote.repo();
    assert_eq!(repo.tip().unwrap(), remote.tip());
    assert_eq!(repo.ls_ref("refs/heads/mai").unwrap(), None);
    assert_eq!(repo.ls_ref("refs/ferrofleet/claim/main").unwrap(), None);
    assert_eq!((repo.requests(), repo.bytes()), (0, 0));
    remote.git(&["pack-refs", "--all"]);
    let next = remote.commit(&[("x", "y")]);
    assert_eq!(repo.tip().unwrap(), Some(next));
    remote.git(&["update-ref", "-d", MAIN]);
    assert_eq!(repo.tip().unwrap(), None);
}

#[test]
fn history_and_trees() {
    let remote = Remote::new();
    let first = remote.tip().unwrap();
    let second = remote.commit(&[("cluster.yaml", "two"), ("a/c/d.txt", "d")]);
    let (repo, _cache, tip) = remote.fetched();
    assert_eq!(tip, second);
    let tree = repo.tree(tip).unwrap();
    let paths: Vec<_> = tree.entries().iter().map(|e| e.path.as_str()).collect();
    assert_eq!(paths, ["a/b.txt", "a/c/d.txt", "cluster.yaml"]);
    assert_eq!(tree.read(&tree.entry("cluster.yaml").unwrap().id, 100).unwrap(), b"two");
    let too_large = tree.read(&tree.entry("cluster.yaml").unwrap().id, 2).unwrap_err();
    assert_eq!(too_large, model::ReadError::TooLarge { bytes: 3, max: 2 });
    let history: Vec<_> = repo.first_parent(tip).map(|c| c.unwrap().id).collect();
    assert_eq!(history, [second, first]);
    let info = repo.commit_info(tip).unwrap();
    assert_eq!((info.parents.as_slice(), info.message.as_str()), (&[first][..], "a person's change\n"));
    assert_eq!(info.author_email, "person@example.com");
    assert_eq!(repo.changed_paths(second).unwrap(), ["a/c/d.txt", "cluster.yaml"]);
    assert_eq!(repo.changed_paths(first).unwrap(), ["a/b.txt", "cluster.yaml"]);
    assert_eq!(repo.diff_paths(second, first).unwrap(), ["a/c/d.txt", "cluster.yaml"]);
    assert!(repo.is_ancestor(first, second).unwrap() && !repo.is_ancestor(second, first).unwrap());
}

#[test]
fn a_fetch_of_what_is_there_asks_nobody() {
    let remote = Remote::new();
    let (mut repo, _cache, tip) = remote.fetched();
    assert_eq!(repo.requests(), 1);
    repo.fetch(tip).unwrap();
    assert_eq!(repo.requests(), 1);
    let next = remote.commit(&[("x", "y")]);
    repo.fetch(next).unwrap();
    assert_eq!(repo.requests(), 2);
    assert_eq!(repo.tree(next).unwrap().entries().len(), 3);
    let missing: Oid = "b".repeat(40).parse().unwrap();
    assert!(matches!(repo.fetch(missing), Err(Error::Missing { id, .. }) if id == missing));
    repo.fetch(next).unwrap();
}

#[test]
fn rewritten_history_is_fetched_and_seen() {
    let remote = Remote::new();
    let (mut repo, _cache, before) = remote.fetched();
    let after = remote.commit_on(None, &[("cluster.yaml", "rewritten")]);
    repo.fetch(after).unwrap();
    assert!(!repo.is_ancestor(before, after).unwrap());
    assert_eq!(repo.tree(after).unwrap().entries().len(), 1);
    assert_eq!(repo.tree(before).unwrap().entries().len(), 2, "what was fetched stays readable");
    let never: Oid = "c".repeat(40).parse().unwrap();
    assert!(!repo.is_ancestor(never, after).unwrap());
}

#[test]
fn symlinks_and_submodules_are_entries() {
    let remote = Remote::new();
    let blob = remote.git(&["rev-parse", "main:cluster.yaml"]);
    let tip = remote.tip().unwrap();
    let lines = format!(
        "100755 blob {blob}\trun.sh\n120000 blob {blob}\tlink\n160000 commit {tip}\tsub\n100644 blob {blob}\ta-b\n"
    );
    let list = remote.dir.path().join("list");
    std::fs::write(&list, lines).unwrap();
    let tree = git(&remote.path(), &["-c", &format!("alias.mk=!git mktree < {}", list.display()), "mk"]);
    let commit = remote.git(&["commit-tree", &tree, "-p", &tip.to_string(), "-m", "odd"]);
    remote.git(&["update-ref", MAIN, &commit]);
    let (repo, _cache, tip) = remote.fetched();
    let tree = repo.tree(tip).unwrap();
    let kinds: Vec<_> = tree.entries().iter().map(|e| (e.path.as_str(), e.kind)).collect();
    use model::EntryKind::*;
    assert_eq!(kinds, [("a-b", File), ("link", Symlink), ("run.sh", Executable), ("sub", Submodule)]);
    assert!(tree.read(&tree.entry("sub").unwrap().id, 100).is_err());
}

#[test]
fn what_is_no_repository() {
    let remote = Remote::empty();
    let (mut repo, cache) = remote.repo();
    assert_eq!(repo.tip().unwrap(), None, "an unborn branch");
    let any: Oid = "b".repeat(40).parse().unwrap();
    assert!(repo.fetch(any).is_err());
    let nowhere = Repo::open(options("/does/not/exist", cache.path())).unwrap();
    assert!(matches!(nowhere.tip(), Err(Error::NotFound { .. })), "{:?}", nowhere.tip());
    let bad = Repo::open(Options { branch: "a..b".to_owned(), ..remote.options(cache.path()) });
    assert!(matches!(bad, Err(Error::BranchName { .. })));
    let work = remote.dir.path().join("work");
    std::fs::create_dir(&work).unwrap();
    git(&work, &["init", "--quiet"]);
    for path in [work.clone(), work.join(".git")] {
        let error = Repo::open(options(path.to_str().unwrap(), cache.path())).unwrap_err();
        assert!(matches!(error, Error::NotBare { .. }) && error.to_string().contains("git clone --bare"), "{error}");
    }
}

#[test]
fn a_server_that_hangs_costs_its_deadline() {
    let remote = Remote::new();
    let tip = remote.tip().unwrap();
    let script = "trap '' TERM; sleep 600 & echo $! > \"$0.pid\"; wait";
    let (mut repo, cache) = remote.repo_by(script, short());
    let began = Instant::now();
    let error = repo.fetch(tip).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("300ms"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
    let pid = std::fs::read_to_string(cache.path().join("git.pid")).unwrap();
    // The whole process group went.
    let alive = || std::path::Path::new(&format!("/proc/{}/cmdline", pid.trim())).exists();
    let end = Instant::now() + Duration::from_secs(5);
    while alive() && !is_zombie(pid.trim()) && Instant::now() < end {
        std::thread::yield_now();
    }
    assert!(!alive() || is_zombie(pid.trim()));
}

fn is_zombie(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with(['Z', 'X']))
}

#[test]
fn a_slow_trickle_ends_with_the_total() {
    let remote = Remote::new();
    let tip = remote.tip().unwrap();
    let timeouts = Timeouts { idle: Duration::from_secs(5), total: Duration::from_millis(600), ..short() };
    let script = "printf 'ffff'; while printf x; do sleep 0.05; done";
    let (mut repo, _cache) = remote.repo_by(script, timeouts);
    let error = repo.fetch(tip).unwrap_err();
    // 0xffff is longer than a line may be: said at once. With a legal length the total ends it.
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
    let (mut repo, _cache) = remote.repo_by("printf 'fff0'; while printf x; do sleep 0.05; done", timeouts);
    let error = repo.fetch(tip).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }) && error.to_string().contains("600ms in all"), "{error}");
}

#[test]
fn a_program_that_talks_and_dies_is_quoted() {
    let remote = Remote::new();
    let tip = remote.tip().unwrap();
    let (mut repo, _cache) = remote.repo_by("echo 'disk on fire at https://me:canary@host/x' >&2; exit 1", short());
    let error = repo.fetch(tip).unwrap_err().to_string();
    assert!(error.contains("disk on fire") && !error.contains("canary"), "{error}");
}

#[test]
fn a_server_without_version_2_works_too() {
    let remote = Remote::new();
    let first = remote.tip().unwrap();
    let (mut repo, _cache) = remote.repo_by("unset GIT_PROTOCOL; exec git \"$@\"", short());
    repo.fetch(first).unwrap();
    let second = remote.commit(&[("x", "y")]);
    repo.fetch(second).unwrap();
    assert_eq!(repo.tree(second).unwrap().entries().len(), 3);
    let third = remote.commit(&[("x", "z")]);
    remote.git(&["update-ref", MAIN, &second.to_string()]);
    assert!(matches!(repo.fetch(third), Err(Error::Missing { .. })), "not in the list any more");
}

#[test]
fn a_worker_serves_many() {
    let remote = Remote::new();
    let cache = tempfile::tempdir().unwrap();
    let worker = Worker::spawn(remote.options(cache.path())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let tip = runtime.block_on(worker.call(|repo| repo.tip())).unwrap().unwrap();
    assert_eq!(tip, remote.tip());
    let broken = runtime.block_on(worker.call(|_| -> () { panic!("a bug in a call") }));
    assert_eq!(broken, Err(WorkerGone));
    assert_eq!(runtime.block_on(worker.call(|_| ())), Err(WorkerGone));
}
