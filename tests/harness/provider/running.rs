//! `ferrofleet provider` as a child process, with its log in a file.

use crate::binary::command;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Lines of the log that a failed test shows.
const LOG_LINES: usize = 60;
/// Longest that an orderly end may take.
const END: Duration = Duration::from_secs(30);

/// A running provider. Killed when dropped.
#[derive(Debug)]
pub struct Provider {
    child: Child,
    log: PathBuf,
}

impl Provider {
    pub(super) fn spawn(dir: &Path, kubeconfig: &Path, env: &[(&str, String)], args: &[&str]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let log = dir.join(format!("provider-{}.log", NEXT.fetch_add(1, Ordering::Relaxed)));
        let file = File::create(&log).expect("a log");
        let mut command = command(&dir.join("home"));
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command.arg("provider").arg("--kubeconfig").arg(kubeconfig).args(["--log", "debug"]).args(args);
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a second handle")).stderr(file);
        let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Self { child, log }
    }

    /// SIGKILL: nothing of it runs any more.
    pub fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it was a child");
    }

    /// SIGTERM, and its end: whether it ended well.
    #[track_caller]
    pub fn stop(mut self) -> bool {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(sent.expect("kill starts").success());
        let end = Instant::now() + END;
        loop {
            if let Some(status) = self.child.try_wait().expect("it was a child") {
                return status.success();
            }
            assert!(Instant::now() < end, "still running {END:?} after SIGTERM\n{}", self.tail());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it was a child").is_none()
    }

    /// Everything that it said so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn tail(&self) -> String {
        let log = self.log();
        // Of the debug lines only those that say what was decided: the others are of the HTTP clients.
        let is_ours =
            |line: &&str| !line.contains(" DEBUG ") || line.contains(": a step ") || line.contains("is repeated");
        let lines: Vec<&str> = log.lines().filter(is_ours).collect();
        let from = lines.len().saturating_sub(LOG_LINES);
        format!("--- provider, last {LOG_LINES} lines of {}\n{}", lines.len(), lines[from..].join("\n"))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
