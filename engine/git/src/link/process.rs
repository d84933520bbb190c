//! A child process that speaks the protocol over a socket pair: `git upload-pack DIR` here, `ssh` to elsewhere.
//!
//! A socket pair and not pipes, because sockets have timeouts: a server that hangs costs its deadline and no more. The
//! child is the leader of its own process group, so that its hooks end with it and a Ctrl-C at our terminal does not
//! end it in the middle of a push.

use super::ssh::Dial;
use super::{Body, Counters, Link, Service, is_timeout, protocol_error};
use crate::Error;
use crate::credentials::redact_userinfo;
use crate::options::Deadline;
use crate::protocol::WireError;
use crate::protocol::pkt::is_end;
use crate::protocol::sideband::Words;
use crate::words::{Meaning, RefusalKind, classify};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// Git's variables that tie a process to some other repository; `git` clears them for a remote too.
const REPOSITORY_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// How long a child that has said everything may take to exit.
const EXIT_WAIT: Duration = Duration::from_secs(2);
/// How long what a dead child said on stderr may take to arrive.
const STDERR_WAIT: Duration = Duration::from_millis(500);

/// What is started, found in PATH unless it is a path.
pub(crate) struct Program {
    executable: OsString,
    to: To,
}

enum To {
    Folder(PathBuf),
    Host(Dial),
}

impl Program {
    pub(crate) fn git(folder: &Path) -> Self {
        Self { executable: "git".into(), to: To::Folder(folder.to_owned()) }
    }

    pub(super) fn ssh(dial: Dial) -> Self {
        Self { executable: "ssh".into(), to: To::Host(dial) }
    }
}

/// A remote that is reached by starting a program.
pub(crate) struct ProcessLink {
    remote: String,
    program: Program,
    counters: Arc<Counters>,
    deadline: Option<Deadline>,
    running: Option<Running>,
}

impl ProcessLink {
    pub(crate) fn new(remote: String, program: Program, counters: Arc<Counters>) -> Self {
        Self { remote, program, counters, deadline: None, running: None }
    }

    fn command(&self, service: Service, deadline: &Deadline) -> Result<Command, Error> {
        let mut command = Command::new(&self.program.executable);
        match &self.program.to {
            To::Folder(path) => {
                command.arg(service.name());
                if service == Service::UploadPack {
                    // The folder itself, never a `.git` within it.
                    command.arg("--strict");
                }
                command.arg(path);
            }
            To::Host(dial) => {
                command.args(dial.arguments(service, deadline.timeouts.connect)?);
            }
        }
        REPOSITORY_VARIABLES.iter().for_each(|name| {
            command.env_remove(name);
        });
        if service == Service::UploadPack {
            command.env("GIT_PROTOCOL", "version=2");
        } else {
            command.env_remove("GIT_PROTOCOL");
        }
        Ok(command)
    }

    /// What a child that died early said, as an error.
    fn death(&mut self) -> Error {
        let words = self.running.take().map(Running::last_words).unwrap_or_default();
        let remote = self.remote.clone();
        let lower = words.to_ascii_lowercase();
        if let To::Folder(path) = &self.program.to
            && !path.exists()
        {
            return Error::NotFound { remote, words: "there is no such folder".to_owned() };
        }
        let nowhere = ["does not appear to be a git repository", "not a git repository", "repository not found"];
        let host = ["host key verification failed", "host identification has changed", "no matching host key"];
        if nowhere.iter().any(|part| lower.contains(part)) {
            return Error::NotFound { remote, words };
        }
        if host.iter().any(|part| lower.contains(part)) {
            let hint = "the host's key is not in known_hosts, or is another one; nothing was sent";
            return Error::Unreachable { remote, why: format!("{hint}: {words}") };
        }
        if classify(&words) == Meaning::Refused(RefusalKind::Auth) {
            return Error::Auth { remote, words };
        }
        let why = if words.is_empty() { "the connection was closed".to_owned() } else { words };
        Error::Unreachable { remote, why }
    }
}

impl Link for ProcessLink {
    fn begin(&mut self, deadline: Deadline) {
        self.end();
        self.deadline = Some(deadline);
    }

    fn advert(&mut self, service: Service) -> Result<Box<dyn Read + '_>, Error> {
        // A child that nobody ended would be a zombie.
        self.end();
        let deadline = self.deadline.unwrap_or_else(|| Deadline::start(Default::default()));
        let command = self.command(service, &deadline)?;
        self.counters.request();
        let running = Running::start(command, deadline, self.counters.clone())?;
        Ok(Box::new(&mut self.running.insert(running).output))
    }

    fn exchange(&mut self, service: Service, mut body: Body) -> Result<Box<dyn Read + '_>, Error> {
        let Some(running) = self.running.as_mut() else {
            let why = format!("{} was not started", service.name());
            return Err(Error::Protocol { remote: self.remote.clone(), why });
        };
        // A server may stop reading because it has an answer already: that one is worth more than the broken pipe.
        if let Err(error) = io::copy(&mut body, &mut running.output)
            && is_timeout(&error)
        {
            return Err(self.explain(WireError::Io(error)));
        }
        match self.running.as_mut() {
            Some(running) => Ok(Box::new(&mut running.output)),
            None => {
                Err(Error::Unreachable { remote: self.remote.clone(), why: "the connection was closed".to_owned() })
            }
        }
    }

    fn is_stateless(&self) -> bool {
        false
    }

    fn explain(&mut self, error: WireError) -> Error {
        let closed = matches!(&error, WireError::Io(e) if matches!(
            e.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        ));
        if is_end(&error) || closed {
            return self.death();
        }
        if let (WireError::Io(e), Some(deadline)) = (&error, &self.deadline)
            && is_timeout(e)
        {
            if let Some(running) = self.running.take() {
                running.kill();
            }
            return Error::Timeout { remote: self.remote.clone(), limit: deadline.words() };
        }
        protocol_error(&self.remote, error)
    }

    fn end(&mut self) {
        if let Some(running) = self.running.take() {
            running.finish();
        }
    }
}

impl Drop for ProcessLink {
    fn drop(&mut self) {
        self.end();
    }
}

/// A started child, reaped whatever happens.
struct Running {
    child: Child,
    output: Output,
    stderr: Stderr,
}

/// Our end of the socket pair.
struct Output {
    socket: UnixStream,
    deadline: Deadline,
    counters: Arc<Counters>,
}

impl Running {
    fn start(mut command: Command, deadline: Deadline, counters: Arc<Counters>) -> Result<Self, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let fail = |e: io::Error| {
            let missing = e.kind() == io::ErrorKind::NotFound;
            let why =
                if missing { "it is not in PATH; remotes of this kind need it".to_owned() } else { e.to_string() };
            Error::Program { program: program.clone(), why }
        };
        let (ours, theirs) = UnixStream::pair().map_err(fail)?;
        let (errors, their_errors) = UnixStream::pair().map_err(fail)?;
        let as_input = OwnedFd::from(theirs.try_clone().map_err(fail)?);
        command
            .stdin(Stdio::from(as_input))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::from(OwnedFd::from(their_errors)))
            .process_group(0);
        let child = command.spawn().map_err(fail)?;
        // The command holds the child's ends; while we hold them too, we would never see it end.
        drop(command);
        let stderr = Stderr::collect(errors, deadline);
        Ok(Self { child, output: Output { socket: ours, deadline, counters }, stderr })
    }

    /// Closes the conversation and waits for the child's end, but not for long.
    fn finish(mut self) {
        // A connection that is gone already cannot be closed again.
        let _ = self.output.write_all(b"0000");
        let _ = self.output.socket.shutdown(Shutdown::Write);
        let left = if self.output.deadline.is_over() { Duration::ZERO } else { EXIT_WAIT };
        // Its end of the socket closes when it exits: no need to look again and again.
        drain(&self.output.socket, left);
        if !exits_within(&mut self.child, left) {
            self.kill();
        }
    }

    /// Ends the child and everything that it started.
    fn kill(mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It may have ended by itself meanwhile.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }

    /// What the child said on stderr before its end.
    fn last_words(mut self) -> String {
        let _ = self.output.socket.shutdown(Shutdown::Both);
        let ended = exits_within(&mut self.child, EXIT_WAIT);
        let words = self.stderr.words();
        if !ended {
            self.kill();
        }
        redact_userinfo(&words)
    }
}

/// Reads until the other end is closed, or for that long.
fn drain(mut socket: &UnixStream, limit: Duration) {
    let end = Instant::now() + limit;
    let mut buffer = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return;
        }
        if !matches!(socket.read(&mut buffer), Ok(read) if read > 0) {
            return;
        }
    }
}

fn exits_within(child: &mut Child, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    let mut pause = Duration::from_micros(200);
    loop {
        // An error means that there is nothing left to wait for.
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.deadline.next_wait()))?;
        if self.deadline.is_over() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let read = self.socket.read(buffer)?;
        self.counters.add_bytes(read as u64);
        Ok(read)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.deadline.next_wait()))?;
        if self.deadline.is_over() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let written = self.socket.write(bytes)?;
        self.counters.add_bytes(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// The end of what a child says on stderr, read on a thread of its own so that it never blocks.
struct Stderr {
    words: Arc<Mutex<Words>>,
    ended: mpsc::Receiver<()>,
}

impl Stderr {
    fn collect(mut errors: UnixStream, deadline: Deadline) -> Self {
        let words = Arc::new(Mutex::new(Words::default()));
        let (sender, ended) = mpsc::channel();
        let into = words.clone();
        // A hook's background process may hold stderr open for ever; the thread does not wait for it.
        let read = move || {
            let _ended = sender;
            let mut buffer = [0; 4096];
            while !deadline.is_over() && errors.set_read_timeout(Some(deadline.left())).is_ok() {
                match errors.read(&mut buffer) {
                    Ok(read) if read > 0 => into.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..read]),
                    _ => break,
                }
            }
        };
        // Without a thread there are no words; the child's end is seen all the same.
        let _ = std::thread::Builder::new().name("git stderr".to_owned()).spawn(read);
        Self { words, ended }
    }

    fn words(&self) -> String {
        // Ends by disconnection when everything was read.
        let _ = self.ended.recv_timeout(STDERR_WAIT);
        self.words.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}

#[cfg(test)]
impl Program {
    /// The same with another executable in the place of `git` or `ssh`.
    pub(crate) fn by(mut self, executable: &Path) -> Self {
        self.executable = executable.into();
        self
    }
}
