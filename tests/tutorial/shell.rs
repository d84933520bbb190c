//! The reader's terminals: one in which blocks are typed, and more for what keeps running. Nothing of the machine but its
//! programs is seen, and nothing keeps running afterwards.

use crate::expected::fits;
use ferrofleet_tests::binary::ferrofleet;
use ferrofleet_tests::repo::hermetic;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest that one block may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) struct Shell {
    /// Ends before the folder goes.
    background: Vec<Group>,
    /// Where the next block begins.
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    home: TempDir,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let identity =
            "[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n";
        std::fs::write(home.path().join(".gitconfig"), identity).expect("it can be written");
        let folder = home.path().join("tutorial");
        std::fs::create_dir(&folder).expect("it can be made");
        Self { background: Vec::new(), folder, variables: BTreeMap::new(), home }
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        assert!(path.starts_with(self.home.path()), "{} is outside", path.display());
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }

    /// Runs a block and compares what it prints.
    #[track_caller]
    pub(crate) fn run(&mut self, at: &str, how: &[String], block: &str, expected: Option<&str>) {
        let mut code = 0;
        for word in how {
            match word.strip_prefix("exits=") {
                Some(number) => code = number.parse().expect("an exit code is a number"),
                None if word == "background" => return self.start(at, block, expected),
                None => panic!("{at}: a block cannot be run `{word}`"),
            }
        }
        let left = self.home.path().join("left");
        // Also what fails leaves its folder and variables, as in a terminal.
        let leave = format!("trap 'pwd > \"{0}.pwd\"; export -p > \"{0}.env\"' EXIT\n", left.display());
        let mut group = Group::spawn(&mut self.bash(&(leave + block)));
        let (status, output) = group.finish(at);
        assert_eq!(status, Some(code), "{at}: how it ended\n{block}\n{output}");
        if let Some(expected) = expected {
            assert!(fits(expected, &output), "{at} printed\n{output}\ninstead of\n{expected}");
        }
        self.folder = PathBuf::from(read(&left.with_extension("pwd")).trim_end());
        for line in read(&left.with_extension("env")).lines() {
            let exported = line.strip_prefix("declare -x ").and_then(|rest| rest.split_once('='));
            if let Some((name, value)) = exported.filter(|(name, _)| !OWN.contains(name)) {
                self.variables.insert(name.to_owned(), value.trim_matches('"').to_owned());
            }
        }
    }

    /// Starts what goes on, and waits until it has printed what is expected.
    fn start(&mut self, at: &str, block: &str, expected: Option<&str>) {
        let group = Group::spawn(&mut self.bash(block));
        let expected = expected.unwrap_or_else(|| panic!("{at}: nothing says when it is up"));
        let output = group.until(at, |output| fits(expected, output));
        for line in output.lines().filter_map(|line| line.strip_prefix("export ")) {
            let (name, value) = line.split_once('=').expect("a variable has a value");
            self.variables.insert(name.to_owned(), value.to_owned());
        }
        self.background.push(group);
    }

    fn bash(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        hermetic(&mut command, self.home.path());
        let programs = std::env::var("PATH").unwrap_or_default();
        let own = ferrofleet().parent().expect("a program lies in a folder").display();
        command.env("PATH", format!("{own}:{programs}")).envs(&self.variables).current_dir(&self.folder);
        // As a terminal shows it: both streams into one.
        command.args(["-eu", "-c", &format!("exec 2>&1\n{script}")]);
        command
    }
}

/// Variables of the shell itself and of the machine.
const OWN: [&str; 8] = ["HOME", "PATH", "PWD", "OLDPWD", "SHLVL", "GIT_CONFIG_NOSYSTEM", "LC_ALL", "LLVM_PROFILE_FILE"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A process and all that it starts; none of them outlives it.
struct Group {
    child: Child,
    lines: Receiver<String>,
}

impl Group {
    fn spawn(command: &mut Command) -> Self {
        let spawned = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.expect("bash starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // Ends with the pipe, or when nobody listens any more.
            out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// What it printed by the time that is enough.
    fn until(&self, at: &str, mut is_enough: impl FnMut(&str) -> bool) -> String {
        let end = Instant::now() + LIMIT;
        let mut output = String::new();
        while !is_enough(&output) {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => output += &(line + "\n"),
                Err(why) => panic!("{at}: {why}; so far it printed\n{output}"),
            }
        }
        output
    }

    /// Its exit code, and what it printed.
    fn finish(&mut self, at: &str) -> (Option<i32>, String) {
        let end = Instant::now() + LIMIT;
        let mut output = String::new();
        // Ends with the pipe: when nothing of the group runs any more.
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => output += &(line + "\n"),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(why @ std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("{at}: {why}\n{output}"),
            }
        }
        (self.child.wait().expect("it was a child").code(), output)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        // All of it may have ended by itself; then there is nothing to kill.
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}
