//! The real binary as a child process, in a hermetic environment.

use crate::repo::hermetic;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Builds the binary once per test process, with the profile of the tests, and says where it is; `FERROFLEET_BINARY`
/// names another one, as one that was released.
pub fn ferrofleet() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("FERROFLEET_BINARY") {
            return named.into();
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // A benchmark measures what is shipped, a test what it was built with.
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "ferrofleet", "--profile", profile])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo starts");
        assert!(built.status.success(), "ferrofleet does not build");
        let text = String::from_utf8(built.stdout).expect("cargo speaks UTF-8");
        let executable = text.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
        executable
            .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
            .next_back()
            .expect("cargo names the binary")
    })
}

/// What a finished process left.
#[derive(Clone, Debug)]
#[must_use = "a run's exit code is part of what it says"]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// A child that does not outlive the test.
#[derive(Debug)]
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running `ferrofleet`. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Reaped,
    out: std::thread::JoinHandle<String>,
    err: std::thread::JoinHandle<String>,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let out = reader(child.stdout.take().expect("piped"));
        let err = reader(child.stderr.take().expect("piped"));
        Self { child: Reaped(child), out, err }
    }

    /// SIGKILL: nothing of it runs any more.
    pub fn kill(mut self) {
        self.child.0.kill().expect("it was running");
        self.child.0.wait().expect("it was a child");
    }

    /// Sends a signal by number.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.child.0.id().to_string()]).status();
        assert!(sent.expect("kill starts").success());
    }

    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.0.try_wait().expect("it was a child").is_none()
    }

    /// Waits for its end, at most `limit`.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> Finished {
        let until = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.0.try_wait().expect("it was a child") {
                break status;
            }
            if Instant::now() > until {
                self.child.0.kill().expect("it was running");
                self.child.0.wait().expect("it was a child");
                let (out, err) = (self.out.join().unwrap_or_default(), self.err.join().unwrap_or_default());
                panic!("still running after {limit:?}\nstdout:\n{out}\nstderr:\n{err}");
            }
            std::thread::park_timeout(Duration::from_millis(5));
        };
        let (stdout, stderr) = (self.out.join().unwrap_or_default(), self.err.join().unwrap_or_default());
        Finished { code: status.code(), stdout, stderr }
    }
}

fn reader(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is what there is to show.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A command of the binary with an environment of its own.
pub fn command(home: &Path) -> Command {
    let mut command = Command::new(ferrofleet());
    hermetic(&mut command, home);
    command.current_dir(home);
    command
}
