//! Programs in one temporary folder, with their logs. None of them outlives the value or the test process.

use crate::repo::hermetic;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest that a start may take: seconds alone, more beside a build.
const START_LIMIT: Duration = Duration::from_secs(180);

/// How often other ports are tried when somebody else took the ones that were free.
const PORT_TRIES: usize = 3;

/// Lines of a log that are shown.
const LOG_LINES: usize = 25;

/// Ends what is left when this process has ended in whatever way, which closes the pipe: a value in a `static` is never
/// dropped, and a killed process drops nothing. A Ctrl-C in the terminal is for the tests, not for it.
const SWEEPER: &str = r#"trap '' INT HUP TERM
read -r _
for f in "$0"/*.pid; do kill -KILL "$(cat "$f")"; done
rm -rf "$0" || rm -rf "$0""#;

#[derive(Debug)]
pub(in crate::peers) struct Processes {
    running: Vec<(&'static str, Child)>,
    sweeper: Child,
    dir: TempDir,
}

/// What came of a try to start something.
pub(in crate::peers) enum Started {
    Ready,
    /// It ended by itself, as it does when a port was taken.
    Ended,
}

impl Processes {
    pub(in crate::peers) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("control-plane-").tempdir().expect("a temporary folder");
        fs::create_dir(dir.path().join("home")).expect("a home");
        let mut sweeper = Command::new("sh");
        sweeper.args(["-c", SWEEPER]).arg(dir.path()).stdin(Stdio::piped());
        let sweeper = sweeper.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh starts");
        Self { running: Vec::new(), sweeper, dir }
    }

    pub(in crate::peers) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A command with nothing of the machine's environment.
    pub(in crate::peers) fn command(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        hermetic(&mut command, &self.dir().join("home"));
        command.env("TMPDIR", self.dir()).current_dir(self.dir());
        command
    }

    pub(in crate::peers) fn spawn(&mut self, name: &'static str, command: &mut Command) {
        let log = File::create(self.dir().join(format!("{name}.log"))).expect("a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        let child = command.spawn().unwrap_or_else(|e| panic!("{name}: {e}"));
        fs::write(self.dir().join(format!("{name}.pid")), child.id().to_string()).expect("a pid file");
        self.running.push((name, child));
    }

    /// Starts something on new ports until it stays. `attempt` starts it and says how it went.
    pub(in crate::peers) fn until_started(what: &str, mut attempt: impl FnMut() -> Started) {
        for _ in 0..PORT_TRIES {
            match attempt() {
                Started::Ready => return,
                Started::Ended => {}
            }
        }
        panic!("{what} ended {PORT_TRIES} times at its start");
    }

    /// Waits until all of it is ready. When one of the named programs ended instead, the others of them are ended too.
    pub(in crate::peers) fn wait(&mut self, names: &[&'static str], mut is_ready: impl FnMut() -> bool) -> Started {
        let ready = until(START_LIMIT, || match (self.has_ended(names), is_ready()) {
            (true, _) => Some(Started::Ended),
            (false, true) => Some(Started::Ready),
            (false, false) => None,
        });
        match ready {
            Some(Started::Ready) => Started::Ready,
            Some(Started::Ended) => {
                eprintln!("{names:?} did not start\n{}", self.logs());
                self.end(names);
                Started::Ended
            }
            None => panic!("{names:?} not ready after {START_LIMIT:?}\n{}", self.logs()),
        }
    }

    fn has_ended(&mut self, names: &[&'static str]) -> bool {
        let mut of_them = self.running.iter_mut().filter(|(name, _)| names.contains(name));
        of_them.any(|(_, child)| child.try_wait().expect("it is a child").is_some())
    }

    fn end(&mut self, names: &[&'static str]) {
        let dir = self.dir.path();
        self.running.retain_mut(|(name, child)| {
            if names.contains(name) {
                kill(child);
                // The number may be another program's from now on.
                let _ = fs::remove_file(dir.join(format!("{name}.pid")));
            }
            !names.contains(name)
        });
    }

    pub(in crate::peers) fn logs(&self) -> String {
        let log = |(name, _): &(&'static str, Child)| {
            let text = fs::read(self.dir().join(format!("{name}.log"))).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n");
            format!("--- {name}, last {LOG_LINES} lines\n{tail}\n")
        };
        self.running.iter().map(log).collect()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        let names: Vec<_> = self.running.iter().map(|(name, _)| *name).collect();
        self.end(&names);
        // Closing its input lets it go; it removes the folder.
        drop(self.sweeper.stdin.take());
        let _ = self.sweeper.wait();
    }
}

fn kill(child: &mut Child) {
    // It may have ended by itself; then there is nothing to kill.
    let _ = child.kill();
    let _ = child.wait();
}

/// Ports that were free a moment ago. These programs cannot choose their own and say which.
pub(in crate::peers) fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|listener| listener.local_addr().expect("it is bound").port())
}

/// Looks until there is something, at most `limit`.
pub(in crate::peers) fn until<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
