//! Caches that broke, and caches that are shared.

use super::fixture::*;
use crate::*;
use std::fs;
use std::path::{Path, PathBuf};

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|e| e == extension) {
                found.push(entry);
            }
        }
    }
    found
}

/// The folder's repository anew. A program that another test starts at this moment has our lock, too, until it runs:
/// then a temporary folder is given, which would hide what is tested.
fn reopened(remote: &Remote, cache: &Path) -> Repo {
    let cache_dir = fs::canonicalize(cache).unwrap();
    loop {
        let repo = Repo::open(remote.options(cache)).unwrap();
        let home = repo.store.cache().repository().parent().and_then(Path::parent).map(Path::to_owned);
        if home.as_deref() == Some(&cache_dir) {
            return repo;
        }
        std::thread::yield_now();
    }
}

fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_broken_pack_is_fetched_anew() {
    let remote = Remote::new();
    let (repo, cache, tip) = remote.fetched();
    drop(repo);
    for pack in files(cache.path(), "pack") {
        overwrite(&pack, b"not a pack at all");
    }
    let mut repo = Repo::open(remote.options(cache.path())).unwrap();
    repo.fetch(tip).unwrap();
    assert_eq!(repo.tree(tip).unwrap().entries().len(), 2);
}

#[test]
fn a_lost_object_is_fetched_anew() {
    let remote = Remote::new();
    let (mut repo, cache, tip) = remote.fetched();
    let own = change(&repo, tip, "x", "y");
    assert_eq!(repo.push(own, MAIN, Expect::Id(tip)), Push::Landed);
    repo.fetch(own).unwrap();
    // The tree of our own commit, a loose object, is emptied by a crash of the machine.
    let tree = repo.commit_info(own).unwrap().tree.to_string();
    drop(repo);
    let folder = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    overwrite(&folder.join("repo.git/objects").join(&tree[..2]).join(&tree[2..]), b"");
    let mut repo = reopened(&remote, cache.path());
    repo.fetch(own).unwrap();
    assert_eq!((repo.requests(), repo.store.cache().is_damaged()), (0, false), "not seen yet");
    assert_eq!(repo.tree(own).unwrap().entries().len(), 3);
}

#[test]
fn a_folder_that_is_no_repository_is_replaced() {
    let remote = Remote::new();
    let (repo, cache, tip) = remote.fetched();
    drop(repo);
    for head in files(cache.path(), "git").iter().chain(&files(cache.path(), "idx")) {
        overwrite(head, b"garbage");
    }
    let folder = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    overwrite(&folder.join("repo.git/HEAD"), b"garbage");
    let mut repo = Repo::open(remote.options(cache.path())).unwrap();
    repo.fetch(tip).unwrap();
    assert_eq!(repo.tree(tip).unwrap().entries().len(), 2);
}

#[test]
fn two_repositories_of_one_process_share_a_cache() {
    let remote = Remote::new();
    let (repo, cache, tip) = remote.fetched();
    let claims = Repo::open(remote.options(cache.path())).unwrap();
    // The second one sees what the first one fetched.
    let commit = claims.commit_tree_of(tip, "a claim\n", &author(), 1).unwrap();
    assert_eq!(claims.push_forced(commit, "refs/ferrofleet/claim/main", Expect::Absent), Push::Landed);
    assert_eq!(repo.commit_info(commit).unwrap().parents, [tip]);
    assert_eq!(repo.commit_info(commit).unwrap().tree, repo.commit_info(tip).unwrap().tree);
}

#[test]
fn many_packs_become_one() {
    let remote = Remote::new();
    let (mut repo, cache, tip) = remote.fetched();
    let first = repo.tree(tip).unwrap();
    // A second handle has the packs open that go.
    let second = Repo::open(remote.options(cache.path())).unwrap();
    let mut trees = Vec::new();
    for n in 0..7 {
        let next = remote.commit(&[("cluster.yaml", &format!("{n}"))]);
        repo.fetch(next).unwrap();
        trees.push((n, second.tree(next).unwrap()));
        repo.store.tidy(3).unwrap();
    }
    let packs = files(cache.path(), "pack").len();
    // The first, one of the first four fetches after it, and three since.
    assert_eq!(packs, 5, "of eight fetches");
    for (n, tree) in &trees {
        let id = tree.entry("cluster.yaml").unwrap().id;
        assert_eq!(tree.read(&id, 10).unwrap(), n.to_string().into_bytes());
    }
    assert_eq!(first.read(&first.entry("cluster.yaml").unwrap().id, 10).unwrap(), b"one");
    let tip = remote.tip().unwrap();
    assert_eq!(second.first_parent(tip).count(), 8);
    assert_eq!(repo.requests(), 8, "nothing was fetched twice");
}
