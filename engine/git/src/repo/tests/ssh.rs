//! SSH by a stand-in for `ssh` that runs the command here.

use super::fixture::*;
use crate::link::process::ProcessLink;
use crate::link::{Counters, ssh_program};
use crate::*;
use std::path::Path;
use std::sync::Arc;

/// Opens `url` with a script in the place of `ssh`.
fn open(url: &str, dir: &Path, script: &str) -> Repo {
    let hosts = dir.join("known_hosts");
    std::fs::write(&hosts, "host ssh-ed25519 AAAA\n").unwrap();
    let credentials = Credentials { known_hosts: Some(hosts), ..Credentials::default() };
    let program = dir.join("ssh");
    executable(&program, script);
    let options = Options { credentials, timeouts: short(), ..options(url, &dir.join("cache")) };
    let counters = Arc::new(Counters::default());
    let program = ssh_program(&options.url, &options.credentials).unwrap().by(&program);
    let link = ProcessLink::new(options.url.to_string(), program, counters.clone());
    Repo::with_link(options, Box::new(link), counters).unwrap()
}

/// Notes its arguments, then does what a server would with the last one.
const SERVER: &str = "printf '%s\\n' \"$@\" > \"$0.args\"; for last; do :; done; eval \"$last\"";

#[test]
fn fetch_look_and_push() {
    let remote = Remote::new();
    let dir = tempfile::tempdir().unwrap();
    let url = format!("ssh://git@host{}", remote.path().display());
    for script in [SERVER.to_owned(), format!("unset GIT_PROTOCOL; {SERVER}")] {
        let mut repo = open(&url, dir.path(), &script);
        let tip = repo.tip().unwrap().unwrap();
        assert_eq!(repo.requests(), 1);
        assert_eq!(Some(tip), remote.tip());
        assert_eq!(repo.ls_ref("refs/heads/other").unwrap(), None);
        repo.fetch(tip).unwrap();
        let commit = change(&repo, tip, "x", &script);
        assert_eq!(repo.push(commit, MAIN, Expect::Id(tip)), Push::Landed);
        assert_eq!(remote.tip(), Some(commit));
        let args = std::fs::read_to_string(dir.path().join("ssh.args")).unwrap();
        assert!(args.contains("StrictHostKeyChecking=yes") && args.contains("BatchMode=yes"), "{args}");
        assert!(
            args.ends_with(&format!("-l\ngit\n--\nhost\ngit-receive-pack '{}'\n", remote.path().display())),
            "{args}"
        );
    }
}

#[test]
fn what_ssh_says_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let tip = |script: &str| open("ssh://git@host/x", dir.path(), script).tip().unwrap_err();
    let denied = tip("echo 'git@host: Permission denied (publickey).' >&2; exit 255");
    assert!(denied.is_auth(), "{denied}");
    let host = tip("echo 'Host key verification failed.' >&2; exit 255");
    assert!(matches!(host, Error::Unreachable { .. }) && host.to_string().contains("known_hosts"), "{host}");
    let nowhere = tip("echo \"fatal: '/x' does not appear to be a git repository\" >&2; exit 128");
    assert!(matches!(nowhere, Error::NotFound { .. }), "{nowhere}");
    let chatty = tip("echo 'Welcome to host'; exit 0");
    assert!(matches!(chatty, Error::Protocol { .. }), "{chatty}");
    let repo = open("ssh://git@host/x", dir.path(), "echo 'git@host: Permission denied (publickey).' >&2; exit 255");
    let commit = "b".repeat(40).parse().unwrap();
    let pushed = repo.push_forced(commit, "refs/x", Expect::Absent);
    assert!(matches!(&pushed, Push::Refused(refusal) if refusal.is_auth()), "{pushed:?}");
}
