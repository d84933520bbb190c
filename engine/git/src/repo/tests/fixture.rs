//! A bare remote made by the `git` program, and repositories on it.

use crate::link::Counters;
use crate::link::process::{ProcessLink, Program};
use crate::*;
use model::Sink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub(super) const MAIN: &str = "refs/heads/main";

/// A bare repository with one commit on `main`.
pub(super) struct Remote {
    pub(super) dir: TempDir,
}

impl Remote {
    pub(super) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "remote.git"]);
        Self { dir }
    }

    pub(super) fn new() -> Self {
        let remote = Self::empty();
        remote.commit(&[("cluster.yaml", "one"), ("a/b.txt", "b")]);
        remote
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("remote.git")
    }

    pub(super) fn git(&self, args: &[&str]) -> String {
        git(&self.path(), args)
    }

    /// Commits files on `main` as a person would, without a work tree.
    pub(super) fn commit(&self, files: &[(&str, &str)]) -> Oid {
        self.commit_on(self.tip(), files)
    }

    pub(super) fn commit_on(&self, parent: Option<Oid>, files: &[(&str, &str)]) -> Oid {
        let index = self.dir.path().join("index");
        let _ = std::fs::remove_file(&index);
        let with = |args: &[&str], input: &str| {
            let mut command = command(&self.path(), args);
            command.env("GIT_INDEX_FILE", &index);
            output(command, input)
        };
        if let Some(parent) = parent {
            with(&["read-tree", &parent.to_string()], "");
        }
        for (path, text) in files {
            let blob = with(&["hash-object", "-w", "--stdin"], text);
            with(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")], "");
        }
        let tree = with(&["write-tree"], "");
        let parents = parent.map(|p| vec!["-p".to_owned(), p.to_string()]).unwrap_or_default();
        let mut args = vec!["commit-tree", &tree, "-m", "a person's change"];
        args.extend(parents.iter().map(String::as_str));
        let commit = with(&args, "");
        self.git(&["update-ref", MAIN, &commit]);
        commit.parse().unwrap()
    }

    pub(super) fn tip(&self) -> Option<Oid> {
        self.id(MAIN)
    }

    pub(super) fn id(&self, full_ref: &str) -> Option<Oid> {
        let refs = self.git(&["for-each-ref", "--format=%(objectname)", full_ref]);
        refs.lines().next().map(|id| id.parse().unwrap())
    }

    pub(super) fn hook(&self, name: &str, script: &str) {
        executable(&self.path().join("hooks").join(name), script);
    }

    /// A repository with a cache of its own.
    pub(super) fn repo(&self) -> (Repo, TempDir) {
        let cache = tempfile::tempdir().unwrap();
        (Repo::open(self.options(cache.path())).unwrap(), cache)
    }

    /// The same with the tip fetched.
    pub(super) fn fetched(&self) -> (Repo, TempDir, Oid) {
        let (mut repo, cache) = self.repo();
        let tip = repo.tip().unwrap().unwrap();
        repo.fetch(tip).unwrap();
        (repo, cache, tip)
    }

    /// Reached through a program that stands in for `git`.
    pub(super) fn repo_by(&self, script: &str, timeouts: Timeouts) -> (Repo, TempDir) {
        let cache = tempfile::tempdir().unwrap();
        let program = cache.path().join("git");
        executable(&program, script);
        let options = Options { timeouts, ..self.options(cache.path()) };
        let counters = Arc::new(Counters::default());
        let program = Program::git(&self.path()).by(&program);
        let link = ProcessLink::new(options.url.to_string(), program, counters.clone());
        (Repo::with_link(options, Box::new(link), counters).unwrap(), cache)
    }

    pub(super) fn options(&self, cache: &Path) -> Options {
        options(self.path().to_str().unwrap(), cache)
    }
}

pub(super) fn options(url: &str, cache: &Path) -> Options {
    Options {
        url: RemoteUrl::parse(url).unwrap(),
        branch: "main".to_owned(),
        cache_dir: cache.to_owned(),
        credentials: Credentials::default(),
        timeouts: Timeouts::default(),
    }
}

pub(super) fn short() -> Timeouts {
    Timeouts { idle: Duration::from_millis(300), total: Duration::from_secs(20), ..Timeouts::default() }
}

pub(super) fn author() -> Author {
    Author { name: "Ferrofleet".to_owned(), email: "ferrofleet@localhost".to_owned() }
}

/// A commit on `parent` that writes one file.
pub(super) fn change(repo: &Repo, parent: Oid, path: &str, text: &str) -> Oid {
    let mut draft = repo.draft(parent);
    draft.put(path, text.as_bytes()).unwrap();
    repo.commit(draft, "engine: a change\n", &author(), 1_700_000_000).unwrap()
}

pub(super) fn executable(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    // Written by a child, so that no other test's fork holds the file open for writing when it is run.
    let mut command = Command::new("sh");
    command.args(["-c", "cat > \"$0\" && chmod +x \"$0\""]).arg(path);
    output(command, &format!("#!/bin/sh\n{script}\n"));
    assert!(std::fs::metadata(path).unwrap().permissions().mode() & 0o100 != 0);
}

pub(super) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args);
    for (name, value) in [("NAME", "A Person"), ("EMAIL", "person@example.com")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    command
}

pub(super) fn git(dir: &Path, args: &[&str]) -> String {
    output(command(dir, args), "")
}

fn output(mut command: Command, input: &str) -> String {
    use std::io::Write;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}
