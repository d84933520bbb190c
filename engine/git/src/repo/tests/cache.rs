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
    let _ = repo.tree(tip);
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
    let loose = files(cache.path(), "x").into_iter().next();
    assert_eq!(loose, None);
    let folder = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    overwrite(&folder.join("repo.git/objects").join(&tree[..2]).join(&tree[2..]), b"");
    let mut repo = Repo::open(remote.options(cache.path())).unwrap();
    repo.fetch(own).unwrap();
    assert!(repo.tree(own).is_err());
    repo.fetch(own).unwrap();
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
