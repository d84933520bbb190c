//! Drafts: what is a change, what is refused, what the commit holds.

use super::fixture::*;
use crate::*;
use model::Sink;

fn paths(repo: &Repo, commit: Oid) -> Vec<String> {
    repo.tree(commit).unwrap().entries().iter().map(|e| e.path.clone()).collect()
}

#[test]
fn what_the_parent_holds_is_no_change() {
    let remote = Remote::new();
    let (repo, _cache, tip) = remote.fetched();
    let mut draft = repo.draft(tip);
    draft.put("cluster.yaml", b"one").unwrap();
    draft.remove("not/there").unwrap();
    draft.remove("cluster.yaml/below-a-file").unwrap();
    assert!(draft.is_empty());
    draft.put("cluster.yaml", b"two").unwrap();
    draft.put("cluster.yaml", b"one").unwrap();
    draft.put("new", b"x").unwrap();
    draft.remove("new").unwrap();
    assert!(draft.is_empty(), "taken back: {:?}", draft.paths().collect::<Vec<_>>());
    let empty = repo.commit(draft, "m", &author(), 0);
    assert!(matches!(empty, Err(Error::EmptyDraft)));
}

#[test]
fn a_commit_is_its_parent_and_the_changes() {
    let remote = Remote::new();
    let (repo, _cache, tip) = remote.fetched();
    let mut draft = repo.draft(tip);
    draft.put("rendered/m/n/x.yaml", b"x").unwrap();
    draft.put("cluster.yaml", b"two").unwrap();
    draft.remove("a/b.txt").unwrap();
    assert_eq!(draft.paths().collect::<Vec<_>>(), ["a/b.txt", "cluster.yaml", "rendered/m/n/x.yaml"]);
    let commit = repo.commit(draft, "subject\n\nFleet-Run: x\n", &author(), 1_700_000_000).unwrap();
    assert_eq!(paths(&repo, commit), ["cluster.yaml", "rendered/m/n/x.yaml"], "an empty folder goes too");
    let info = repo.commit_info(commit).unwrap();
    assert_eq!((info.parents.as_slice(), info.committer_time), (&[tip][..], 1_700_000_000));
    assert_eq!(info.message, "subject\n\nFleet-Run: x\n");
    assert_eq!(repo.push(commit, MAIN, Expect::Id(tip)), Push::Landed);
    assert_eq!(remote.git(&["fsck", "--strict"]), "");
    assert_eq!(remote.git(&["show", "main:cluster.yaml"]), "two");
}

#[test]
fn the_second_tree_after_a_change_is_right() {
    let remote = Remote::new();
    let (repo, _cache, tip) = remote.fetched();
    let before = paths(&repo, tip);
    let next = change(&repo, tip, "a/z/new.txt", "n");
    assert_eq!(paths(&repo, next), ["a/b.txt", "a/z/new.txt", "cluster.yaml"]);
    assert_eq!(paths(&repo, tip), before);
}

#[test]
fn paths_that_are_refused() {
    let remote = Remote::new();
    let (repo, _cache, tip) = remote.fetched();
    let mut draft = repo.draft(tip);
    for path in ["", "/x", "x/", "a//b", "../x", "a/./b", ".git/config", "a/.GIT/hooks/x", "a\0b", "a\nb"] {
        assert!(draft.put(path, b"x").is_err(), "{path:?}");
        assert!(draft.remove(path).is_err(), "{path:?}");
    }
    assert!(draft.is_empty());
}

#[test]
fn a_mode_is_a_change_and_a_file_is_no_folder() {
    let remote = Remote::new();
    let blob = remote.git(&["rev-parse", "main:cluster.yaml"]);
    let tree = {
        let list = remote.dir.path().join("list");
        std::fs::write(&list, format!("120000 blob {blob}\tlink\n100755 blob {blob}\trun\n")).unwrap();
        git(&remote.path(), &["-c", &format!("alias.mk=!git mktree < {}", list.display()), "mk"])
    };
    let tip = remote.tip().unwrap().to_string();
    let odd = remote.git(&["commit-tree", &tree, "-p", &tip, "-m", "odd"]);
    remote.git(&["update-ref", MAIN, &odd]);
    let (repo, _cache, tip) = remote.fetched();
    let mut draft = repo.draft(tip);
    draft.put("link", b"one").unwrap();
    draft.put("run", b"one").unwrap();
    let commit = repo.commit(draft, "m", &author(), 0).unwrap();
    let tree = repo.tree(commit).unwrap();
    assert!(tree.entries().iter().all(|e| e.kind == model::EntryKind::File));
    // Through a symlink nothing is written: it is a file in the way.
    let mut draft = repo.draft(tip);
    draft.put("link/below", b"x").unwrap();
    assert!(repo.commit(draft, "m", &author(), 0).is_err());
}

#[test]
fn a_branch_that_is_not_there_begins_with_a_root_commit() {
    let remote = Remote::new();
    let (repo, _cache, _) = remote.fetched();
    let root = |text: &[u8]| {
        let mut draft = repo.draft_root();
        draft.put("rendered/m/n/x.yaml", text).unwrap();
        draft.remove("not/there").unwrap();
        repo.commit(draft, "Render n.x", &author(), 0).unwrap()
    };
    let first = root(b"x");
    assert_eq!(repo.commit_info(first).unwrap().parents, []);
    assert_eq!(repo.push(first, "refs/heads/rendered", Expect::Absent), Push::Landed);
    assert_eq!(paths(&repo, first), ["rendered/m/n/x.yaml"]);
    let late = repo.push(root(b"y"), "refs/heads/rendered", Expect::Absent);
    assert_eq!(late, Push::Stale { found: Some(first) }, "it replaces nothing");
}
