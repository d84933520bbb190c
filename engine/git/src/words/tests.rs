use super::Meaning::{LostRace, Refused};
use super::RefusalKind::{Auth, Busy, Other, Policy};
use super::*;

/// Server, what it says, what it means.
const CORPUS: &[(&str, &str, Meaning)] = &[
    // Lost races.
    ("git, report", "incorrect old value provided", LostRace),
    ("git, report", "reference already exists", LostRace),
    ("git, report", "failed to update ref", LostRace),
    (
        "git, report",
        "cannot lock ref 'refs/heads/main': is at 1111111111111111111111111111111111111111 but expected \
      2222222222222222222222222222222222222222",
        LostRace,
    ),
    (
        "git, report",
        "cannot lock ref 'refs/heads/main': Unable to create '/srv/x.git/refs/heads/main.lock': File exists.",
        LostRace,
    ),
    ("git, report", "failed to lock", LostRace),
    ("git, client", "! [rejected] main -> main (fetch first)", LostRace),
    ("git, client", "! [rejected] main -> main (non-fast-forward)", LostRace),
    ("git, client", "! [rejected] main -> main (stale info)", LostRace),
    ("git, report", "atomic push failure", LostRace),
    ("GitHub", "cannot lock ref 'refs/heads/main': is at 11 but expected 22", LostRace),
    ("GitHub", "failed to update ref", LostRace),
    ("GitLab", "Reference already exists", LostRace),
    ("GitLab", "Failed to update reference refs/heads/main: Gitlab::Git::CommandError", LostRace),
    ("JGit (Gerrit, Bitbucket)", "LOCK_FAILURE", LostRace),
    ("JGit (Gerrit, Bitbucket)", "failed to lock", LostRace),
    ("JGit (Gerrit, Bitbucket)", "non-fast-forward", LostRace),
    ("Gitea", "cannot lock ref 'refs/heads/main': reference already exists", LostRace),
    (
        "Azure DevOps",
        "TF401028: The reference 'refs/heads/main' has already been updated by another client, so you \
      cannot update it. Please try again.",
        LostRace,
    ),
    // Policy.
    ("git, report", "pre-receive hook declined", Refused(Policy)),
    ("git, report", "hook declined", Refused(Policy)),
    ("git, report", "hook declined\nfetch first, says the hook: cannot lock ref", Refused(Policy)),
    ("git, report", "pre-receive hook declined\nAuthentication failed at the ticket system", Refused(Policy)),
    ("git, report", "deletion prohibited", Refused(Policy)),
    ("git, report", "deletion of the current branch prohibited", Refused(Policy)),
    ("git, report", "branch is currently checked out", Refused(Policy)),
    ("git, report", "deny updating a hidden ref", Refused(Policy)),
    ("git, report", "funny refname", Refused(Policy)),
    ("git, stderr", "error: denying non-fast-forward refs/heads/main (you should pull first)", Refused(Policy)),
    ("GitHub", "protected branch hook declined", Refused(Policy)),
    (
        "GitHub",
        "error: GH006: Protected branch update failed for refs/heads/main.\nerror: At least 1 approving review \
      is required by reviewers with write access.",
        Refused(Policy),
    ),
    (
        "GitHub",
        "error: GH013: Repository rule violations found for refs/heads/main.\n- Changes must be made through a \
      pull request.",
        Refused(Policy),
    ),
    ("GitHub", "push declined due to repository rule violations", Refused(Policy)),
    ("GitHub", "error: GH001: Large files detected.", Refused(Policy)),
    (
        "GitHub",
        "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/x.yml` \
      without `workflow` scope",
        Refused(Policy),
    ),
    ("GitHub", "This repository was archived so it is read-only.", Refused(Policy)),
    ("GitLab", "GitLab: You are not allowed to push code to protected branches on this project.", Refused(Policy)),
    (
        "GitLab",
        "GitLab: You are not allowed to force push code to a protected branch on this project.",
        Refused(Policy),
    ),
    ("GitLab", "GitLab: Commit must be signed with a GPG key", Refused(Policy)),
    ("GitLab", "GitLab: Commit message does not follow the pattern '^JIRA'", Refused(Policy)),
    (
        "GitLab",
        "GitLab: You can only push commits if the committer email is one of your own verified emails.",
        Refused(Policy),
    ),
    ("Gitea", "Gitea: Not allowed to push to protected branch main", Refused(Policy)),
    ("Gitea", "Gitea: branch main is protected from force push", Refused(Policy)),
    (
        "Bitbucket Cloud",
        "Permission denied to update branch main.\n! [remote rejected] main -> main (pre-receive hook \
      declined)",
        Refused(Policy),
    ),
    (
        "Bitbucket Server",
        "Branch refs/heads/main can only be updated by pull request.\nUse a pull request to update \
      this branch.",
        Refused(Policy),
    ),
    ("Bitbucket Server", "You cannot push to this branch: branch permission refs/heads/main", Refused(Policy)),
    (
        "Azure DevOps",
        "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this \
      branch.",
        Refused(Policy),
    ),
    (
        "Azure DevOps",
        "VS403654: The push was rejected because it contains commits with author email 'a@b' which does \
      not match the policy",
        Refused(Policy),
    ),
    // Credentials.
    ("git, client", "fatal: Authentication failed for 'https://host/x'", Refused(Auth)),
    ("git over ssh", "git@host: Permission denied (publickey).", Refused(Auth)),
    ("GitHub", "remote: Permission to a/fleet.git denied to someone.", Refused(Auth)),
    ("GitHub", "remote: Write access to repository not granted.", Refused(Auth)),
    (
        "GitHub",
        "remote: Invalid username or token. Password authentication is not supported for Git operations.",
        Refused(Auth),
    ),
    ("GitHub", "ERROR: The key you are authenticating with has been marked as read only.", Refused(Auth)),
    ("GitHub", "Resource not accessible by integration", Refused(Auth)),
    ("GitLab", "remote: HTTP Basic: Access denied. The provided password or token is incorrect", Refused(Auth)),
    ("GitLab", "remote: You are not allowed to push code to this project.", Refused(Auth)),
    ("GitLab", "remote: ERROR: This deploy key does not have write access to this project.", Refused(Auth)),
    ("Gitea", "Gitea: Unauthorized", Refused(Auth)),
    ("Gitea", "User permission denied for writing.", Refused(Auth)),
    ("Bitbucket Cloud", "Invalid credentials", Refused(Auth)),
    ("Bitbucket Server", "Authentication failed. Please check your credentials and try again.", Refused(Auth)),
    (
        "Azure DevOps",
        "TF401027: You need the Git 'GenericContribute' permission to perform this action.",
        Refused(Auth),
    ),
    ("Azure DevOps", "TF400813: The user '' is not authorized to access this resource.", Refused(Auth)),
    (
        "Azure DevOps",
        "TF401019: The Git repository with name or identifier x does not exist or you do not have \
      permissions for the operation you are attempting.",
        Refused(Auth),
    ),
    // Later may work, or who knows.
    ("GitHub", "Too Many Requests", Refused(Busy)),
    ("GitLab", "remote: Internal API error: 503 Service Unavailable", Refused(Busy)),
    ("git, report", "unpacker error", Refused(Other)),
    ("git, report", "missing necessary objects", Refused(Other)),
    ("nobody", "", Refused(Other)),
];

#[test]
fn the_corpus() {
    let wrong: Vec<_> = CORPUS
        .iter()
        .map(|(server, words, expected)| (server, words, expected, classify(words)))
        .filter(|(_, _, expected, found)| *expected != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_server_has_a_race_a_policy_and_a_login() {
    for server in ["git", "GitHub", "GitLab", "Gitea", "Bitbucket", "Azure"] {
        for meaning in [LostRace, Refused(Policy), Refused(Auth)] {
            let known = CORPUS.iter().any(|(from, _, m)| from.contains(server) && *m == meaning);
            assert!(known, "{server} {meaning:?}");
        }
    }
}
