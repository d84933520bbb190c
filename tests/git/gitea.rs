//! The room `git` on a real forge: Gitea over HTTP and over SSH by the system's `ssh`.

use crate::fixture::{CLAIM, MAIN, change};
use ferrofleet_tests::peers::gitea::{PASSWORD, Server, USER};
use ferrofleet_tests::peers::need;
use ferrofleet_tests::repo::{git as plain_git, ok};
use git::{Credentials, Error, Expect, Oid, Options, Push, RefusalKind, RemoteUrl, Repo, Source, Timeouts};
use std::path::Path;

/// Gitea with a repository that holds one commit.
fn start() -> Option<(Server, Oid)> {
    let server = need(Server::start())?;
    server.create_repo("fleet");
    let home = server.scratch().join("home");
    let tree = server.scratch().join("tree");
    std::fs::create_dir_all(&home).unwrap();
    ok(plain_git(&home).args(["init", "--quiet"]).arg(&tree));
    std::fs::write(tree.join("a.yaml"), "one").unwrap();
    let person = || {
        let mut command = plain_git(&home);
        command.current_dir(&tree).args(["-c", "user.name=ada", "-c", "user.email=ada@example.com"]);
        command
    };
    ok(person().args(["add", "--all"]));
    ok(person().args(["commit", "--quiet", "-m", "A fleet"]));
    ok(person().args(["push", "--quiet", &server.http_url_with_credentials("fleet"), "HEAD:refs/heads/main"]));
    let tip = ok(person().args(["rev-parse", "HEAD"])).parse().unwrap();
    Some((server, tip))
}

fn open(url: &str, cache: &Path, credentials: Credentials) -> Repo {
    let url = RemoteUrl::parse(url).unwrap();
    let timeouts = Timeouts::default();
    Repo::open(Options { url, branch: "main".to_owned(), cache_dir: cache.to_owned(), credentials, timeouts }).unwrap()
}

/// Everything that the engine does with a remote. Gives the requests that one look takes.
fn walk(repo: &mut Repo, tip: Oid) -> u64 {
    assert_eq!(repo.tip().unwrap(), Some(tip));
    let (requests, bytes) = (repo.requests(), repo.bytes());
    assert_eq!(repo.tip().unwrap(), Some(tip));
    let per_look = repo.requests() - requests;
    assert!(repo.bytes() - bytes < 1024, "{}", repo.bytes() - bytes);
    repo.fetch(tip).unwrap();
    assert_eq!(repo.tree(tip).unwrap().entries().len(), 1);
    let author = crate::fixture::author();
    let claim = |n| repo.commit_tree_of(tip, &format!("claim {n}\n"), &author, n).unwrap();
    let (one, two) = (claim(1), claim(2));
    assert_eq!(repo.push_forced(one, CLAIM, Expect::Absent), Push::Landed);
    assert_eq!(repo.push_forced(two, CLAIM, Expect::Absent), Push::Stale { found: Some(one) });
    assert_eq!(repo.push_forced(two, CLAIM, Expect::Id(one)), Push::Landed);
    let next = change(repo, tip, "1");
    assert_eq!(repo.push(next, MAIN, Expect::Id(tip)), Push::Landed);
    let late = change(repo, tip, "2");
    assert_eq!(repo.push(late, MAIN, Expect::Id(tip)), Push::Stale { found: Some(next) });
    assert_eq!(repo.delete_ref(CLAIM, two), Push::Landed);
    assert_eq!(repo.ls_ref(CLAIM).unwrap(), None);
    per_look
}

#[test]
fn over_http() {
    let Some((server, tip)) = start() else { return };
    let cache = tempfile::tempdir().unwrap();
    let login = |password: &str| Credentials {
        username: Some(Source::value(USER)),
        password: Some(Source::value(password)),
        ..Credentials::default()
    };
    let url = server.http_url("fleet");
    let per_look = walk(&mut open(&url, cache.path(), login(PASSWORD)), tip);
    assert_eq!(per_look, 1, "a look without discovery");
    let tip = server.branch("fleet", "main").unwrap().parse().unwrap();
    // A token in the password's place.
    let mut repo = open(&url, &cache.path().join("2"), login(server.token()));
    repo.fetch(tip).unwrap();
    assert_eq!(repo.first_parent(tip).count(), 2);
    let commit = change(&repo, tip, "3");
    let wrong = open(&url, cache.path(), login("wrong-password"));
    assert!(matches!(wrong.tip(), Err(Error::Auth { .. })), "{:?}", wrong.tip());
    let pushed = wrong.push_forced(tip, CLAIM, Expect::Absent);
    assert!(matches!(&pushed, Push::Refused(refusal) if refusal.is_auth()), "{pushed:?}");
    let nowhere = open(&server.http_url("nowhere"), cache.path(), login(PASSWORD));
    assert!(matches!(nowhere.tip(), Err(Error::NotFound { .. })), "{:?}", nowhere.tip());
    server.protect_branch("fleet", "main");
    let Push::Refused(refusal) = repo.push(commit, MAIN, Expect::Id(tip)) else { panic!() };
    assert_eq!(refusal.kind, RefusalKind::Policy, "{refusal}");
    assert_eq!(repo.tip().unwrap(), Some(tip));
}

#[test]
fn over_ssh() {
    let Some((server, tip)) = start() else { return };
    let cache = tempfile::tempdir().unwrap();
    let key = server.ssh_key("engine");
    let login = Credentials { ssh_key: Some(key), known_hosts: Some(server.known_hosts()), ..Credentials::default() };
    let url = server.ssh_url("fleet");
    let mut repo = open(&url, cache.path(), login.clone());
    assert_eq!(walk(&mut repo, tip), 1);
    let tip = repo.tip().unwrap().unwrap();
    let commit = change(&repo, tip, "3");
    server.protect_branch("fleet", "main");
    let Push::Refused(refusal) = repo.push(commit, MAIN, Expect::Id(tip)) else { panic!() };
    assert_eq!(refusal.kind, RefusalKind::Policy, "{refusal}");
    // A host whose key is not known is not talked to.
    let empty = server.scratch().join("no_hosts");
    std::fs::write(&empty, "").unwrap();
    let stranger = open(&url, cache.path(), Credentials { known_hosts: Some(empty), ..login.clone() });
    let error = stranger.tip().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.to_string().contains("known_hosts"), "{error}");
    let other_key = server.scratch().join("other_key");
    ok(std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&other_key));
    let nobody = open(&url, cache.path(), Credentials { ssh_key: Some(other_key), ..login });
    let error = nobody.tip().unwrap_err();
    assert!(error.is_auth(), "{error}");
}
