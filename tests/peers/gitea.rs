//! The forge by itself: what the other tests rely on, seen with plain `git`.

use ferrofleet_tests::peers::gitea::Server;
use ferrofleet_tests::peers::need;
use ferrofleet_tests::repo::{git, ok};
use std::path::PathBuf;
use std::process::Command;

/// A work tree with one commit on `main`.
fn work_tree(server: &Server) -> PathBuf {
    let tree = server.scratch().join("tree");
    let home = server.scratch().join("home");
    ok(git(&home).args(["init", "--quiet"]).arg(&tree));
    commit(server, "first");
    tree
}

fn commit(server: &Server, message: &str) -> String {
    let author = ["-c", "user.name=ada", "-c", "user.email=ada@example.com"];
    ok(in_tree(server).args(author).args(["commit", "--quiet", "--allow-empty", "-m", message]));
    ok(in_tree(server).args(["rev-parse", "HEAD"]))
}

fn in_tree(server: &Server) -> Command {
    let mut command = git(&server.scratch().join("home"));
    command.current_dir(server.scratch().join("tree")).env("GIT_TERMINAL_PROMPT", "0");
    command
}

#[test]
fn gitea_takes_pushes_over_http_and_ssh_and_knows_their_branches() {
    let Some(server) = need(Server::start()) else { return };
    server.create_repo("fleet");
    assert_eq!(server.branch("fleet", "main"), None);
    work_tree(&server);
    ok(in_tree(&server).args(["push", "--quiet", &server.http_url_with_credentials("fleet"), "HEAD:refs/heads/main"]));

    let tip = commit(&server, "second");
    let ssh = format!(
        "ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -i {} -o UserKnownHostsFile={}",
        server.ssh_key("ada").display(),
        server.known_hosts().display(),
    );
    let url = server.ssh_url("fleet");
    ok(in_tree(&server).env("GIT_SSH_COMMAND", ssh).args(["push", "--quiet", &url, "HEAD:refs/heads/main"]));
    let seen = ok(in_tree(&server).args(["ls-remote", &server.http_url_with_credentials("fleet"), "refs/heads/main"]));
    assert_eq!(seen, format!("{tip}\trefs/heads/main"));
}

#[test]
fn gitea_refuses_a_stranger_and_a_push_to_a_protected_branch() {
    let Some(server) = need(Server::start()) else { return };
    server.create_repo("fleet");
    work_tree(&server);
    let stranger = in_tree(&server).args(["push", &server.http_url("fleet"), "HEAD:refs/heads/main"]).output().unwrap();
    assert!(!stranger.status.success());

    let url = server.http_url_with_credentials("fleet");
    ok(in_tree(&server).args(["push", "--quiet", &url, "HEAD:refs/heads/main"]));
    server.protect_branch("fleet", "main");
    commit(&server, "second");
    let refused = in_tree(&server).args(["push", &url, "HEAD:refs/heads/main"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("protected branch"), "{said}");
}
