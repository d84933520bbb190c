//! The demo's bare remote: made from the example fleet's definitions, read with plain `git`.

use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

pub(super) const BRANCH: &str = "main";

/// Paths and texts of `fleet-example/`, without locks and output.
pub(super) const EXAMPLE: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/fleet_example.rs"));

/// Unlikely in text, so that fields of a log can be told apart.
const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';

#[derive(Clone, Debug)]
pub(super) struct Remote {
    path: PathBuf,
}

/// One commit on the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) id: String,
    pub(super) author: String,
    pub(super) subject: String,
    pub(super) message: String,
}

impl Remote {
    pub(super) fn open(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// A bare repository whose first commit holds the example's definitions.
    pub(super) async fn make(path: &Path) -> anyhow::Result<Self> {
        let remote = Self::open(path);
        let mut init = git();
        init.args(["-c", &format!("init.defaultBranch={BRANCH}"), "init", "--bare", "--quiet"]).arg(path);
        output(init, &[]).await?;
        // For a git that does not know init.defaultBranch.
        remote.run(&["symbolic-ref", "HEAD", &format!("refs/heads/{BRANCH}")]).await?;
        // Background work would outlive the demo.
        for (name, value) in [("gc.auto", "0"), ("receive.autogc", "false"), ("maintenance.auto", "false")] {
            remote.run(&["config", name, value]).await?;
        }
        let mut import = remote.git();
        import.args(["fast-import", "--quiet"]);
        output(import, &first_commit(model::Timestamp::now().as_second())).await?;
        Ok(remote)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn tip(&self) -> anyhow::Result<String> {
        Ok(self.run(&["rev-parse", &format!("refs/heads/{BRANCH}")]).await?.trim().to_owned())
    }

    /// Paths at the tip.
    pub(super) async fn paths(&self) -> anyhow::Result<Vec<String>> {
        let text = self.run(&["ls-tree", "-r", "--name-only", "-z", &format!("refs/heads/{BRANCH}")]).await?;
        Ok(text.split_terminator('\0').map(str::to_owned).collect())
    }

    pub(super) async fn read(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.run(&["show", &format!("refs/heads/{BRANCH}:{path}")]).await?.into_bytes())
    }

    /// Commits after `from` up to `to`, oldest first.
    pub(super) async fn between(&self, from: &str, to: &str) -> anyhow::Result<Vec<Commit>> {
        let range = format!("{from}..{to}");
        let format = format!("--format=%H{FIELD}%an{FIELD}%s{FIELD}%B{RECORD}");
        let text = self.run(&["log", "--reverse", "--topo-order", &format, &range]).await?;
        let commit = |record: &str| {
            let mut fields = record.trim_start().split(FIELD).map(str::to_owned);
            Some(Commit {
                id: fields.next()?,
                author: fields.next()?,
                subject: fields.next()?,
                message: fields.next()?,
            })
        };
        Ok(text.split(RECORD).filter_map(commit).collect())
    }

    /// `A path`, `M path`, `D path`.
    pub(super) async fn changed(&self, commit: &str) -> anyhow::Result<Vec<String>> {
        let args = ["diff-tree", "--no-commit-id", "--name-status", "-r", "-m", "--first-parent", "--root", commit];
        let text = self.run(&args).await?;
        Ok(text.lines().map(|line| line.replace('\t', " ")).collect())
    }

    async fn run(&self, args: &[&str]) -> anyhow::Result<String> {
        let mut command = self.git();
        command.args(args);
        output(command, &[]).await
    }

    fn git(&self) -> Command {
        let mut command = git();
        command.arg("--git-dir").arg(&self.path);
        command
    }
}

/// `git` as it is without anybody's configuration, also from within a hook or an alias.
fn git() -> Command {
    let mut command = Command::new("git");
    let inherited =
        std::env::vars_os().map(|(name, _)| name).filter(|name| name.as_encoded_bytes().starts_with(b"GIT_"));
    for name in inherited {
        command.env_remove(name);
    }
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn output(mut command: Command, input: &[u8]) -> anyhow::Result<String> {
    let mut child = command.spawn().context("the program git cannot be started; the demo needs it")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input).await?;
    }
    let output = child.wait_with_output().await?;
    ensure!(output.status.success(), "git failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// For `git fast-import`: no work tree, no index, no identity of a user needed.
fn first_commit(now: i64) -> Vec<u8> {
    let message = "The example fleet\n\nDefinitions only; the engine adds locks and manifests.\n";
    let mut stream = format!(
        "commit refs/heads/{BRANCH}\ncommitter Demo <demo@localhost> {now} +0000\ndata {}\n{message}\n",
        message.len()
    );
    for (path, text) in EXAMPLE {
        stream += &format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len());
    }
    stream.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_definitions_only() {
        let definitions = EXAMPLE.iter().filter(|(path, _)| path.ends_with("/cluster.yaml")).count();
        assert_eq!(definitions, 3);
        assert!(EXAMPLE.iter().any(|(path, _)| *path == "fleet.yaml"));
        assert!(!EXAMPLE.iter().any(|(path, _)| path.contains("lock") || path.starts_with("rendered/")));
    }

    #[tokio::test]
    async fn a_remote_begins_with_one_commit() {
        let dir = tempfile::tempdir().unwrap();
        let remote = Remote::make(&dir.path().join("fleet.git")).await.unwrap();
        let tip = remote.tip().await.unwrap();
        let mut changed = remote.changed(&tip).await.unwrap();
        changed.sort();
        let expected: Vec<_> = EXAMPLE.iter().map(|(path, _)| format!("A {path}")).collect();
        assert_eq!(changed, expected);
        assert_eq!(remote.between(&tip, &tip).await.unwrap(), []);
    }
}
