//! The binary in an environment of its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest that anything here may take before it counts as hanging.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Nothing of this machine but what a program needs to be found.
pub(crate) fn hermetic(command: &mut Command, home: &Path) {
    command.env_clear().env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
    for name in ["PATH", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.current_dir(home).stdin(Stdio::null());
}

pub(crate) fn ferrofleet(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrofleet"));
    hermetic(&mut command, home);
    // Snapshots do not depend on the width of a terminal.
    command.env("COLUMNS", "100");
    command
}

#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs to the end.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Arguments in an empty home.
#[track_caller]
pub(crate) fn run(args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    output(ferrofleet(home.path()).args(args))
}

/// A child that does not outlive the test.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Its exit code, once it ended.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < end, "still running after {LIMIT:?}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A simulator as a process, with the environment that it prints.
pub(crate) struct Simulator {
    _process: Running,
    pub(crate) env: Vec<(String, String)>,
}

impl Simulator {
    pub(crate) fn start(home: &Path) -> Self {
        use std::io::BufRead as _;
        let mut process = Running::spawn(ferrofleet(home).arg("metal-sim"));
        let lines = std::io::BufReader::new(process.0.stdout.take().unwrap()).lines().take(4);
        let env = lines.filter_map(|line| {
            let line = line.unwrap();
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        let env: Vec<_> = env.collect();
        assert_eq!(env.len(), 3);
        Self { _process: process, env }
    }

    pub(crate) fn command(&self, home: &Path) -> Command {
        let mut command = ferrofleet(home);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// `git` as a person has it.
pub(crate) fn git(home: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    hermetic(&mut command, home);
    command
        .args(["-c", "init.defaultBranch=main", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
        .args(args);
    let output = output(&mut command);
    assert_eq!(output.code, Some(0), "git {args:?}: {}", output.stderr);
    output.stdout
}

/// Reads on while the process writes, so that it never waits for us.
pub(crate) fn collected(mut pipe: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = text.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut bytes) {
            shared.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    });
    text
}
