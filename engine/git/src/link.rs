//! The way to a server: a child process over pipes (paths, SSH) or HTTP requests. Below the protocol, above the socket.

mod http;
pub(crate) mod memory;
pub(crate) mod process;
mod ssh;

use crate::options::Deadline;
use crate::protocol::{AGENT, WireError};
use crate::url::Place;
use crate::{Credentials, Error, RemoteUrl};
use process::{ProcessLink, Program};
use ssh::Dial;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::SpooledTempFile;

/// Git's two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    /// As `git` calls its subcommand.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }
}

/// A message to a server: the lines, and the pack that follows them.
pub(crate) struct Body {
    head: Vec<u8>,
    sent: usize,
    pack: Option<SpooledTempFile>,
    pack_bytes: u64,
}

impl Body {
    pub(crate) fn lines(head: Vec<u8>) -> Self {
        Self { head, sent: 0, pack: None, pack_bytes: 0 }
    }

    pub(crate) fn with_pack(head: Vec<u8>, mut pack: SpooledTempFile) -> io::Result<Self> {
        let pack_bytes = pack.stream_position()?;
        pack.seek(SeekFrom::Start(0))?;
        Ok(Self { head, sent: 0, pack: Some(pack), pack_bytes })
    }

    fn length(&self) -> u64 {
        self.head.len() as u64 + self.pack_bytes
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.sent < self.head.len() {
            let read = (&self.head[self.sent..]).read(buffer)?;
            self.sent += read;
            return Ok(read);
        }
        self.pack.as_mut().map_or(Ok(0), |pack| pack.read(buffer))
    }
}

/// What went over the network, both ways. Local folders that are read without a process count nothing.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Counters {
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// One connection at a time to one remote. A call is `begin`, then messages, then `end`.
pub(crate) trait Link: Send {
    /// Starts a call; every wait in it ends by the deadline.
    fn begin(&mut self, deadline: Deadline);

    /// Asks for a service and gives its first message to read.
    fn advert(&mut self, service: Service) -> Result<Box<dyn Read + '_>, Error>;

    /// Sends a message and gives the answer to read.
    fn exchange(&mut self, service: Service, body: Body) -> Result<Box<dyn Read + '_>, Error>;

    /// Whether messages may be sent before an advertisement was read.
    fn is_stateless(&self) -> bool;

    /// Says what a broken answer means, with what the other end said besides.
    fn explain(&mut self, error: WireError) -> Error;

    /// Ends the call politely, or at once.
    fn end(&mut self);
}

/// The link that a remote's address asks for.
pub(crate) fn open(
    url: &RemoteUrl,
    credentials: &Credentials,
    counters: Arc<Counters>,
) -> Result<Box<dyn Link>, Error> {
    Ok(match &url.0 {
        Place::Path(path) => Box::new(ProcessLink::new(url.to_string(), Program::git(path), counters)),
        Place::Ssh(ssh) => {
            let dial = Dial { ssh: ssh.clone(), credentials: credentials.clone() };
            Box::new(ProcessLink::new(url.to_string(), Program::ssh(dial), counters))
        }
        Place::Http(base) => Box::new(http::HttpLink::new(base.clone(), credentials.clone(), counters)),
    })
}

/// What a protocol error is called, where a link knows nothing better.
fn protocol_error(remote: &str, error: WireError) -> Error {
    let remote = remote.to_owned();
    match error {
        WireError::Io(e) if is_timeout(&e) => Error::Timeout { remote, limit: e.to_string() },
        WireError::Io(e) => Error::Unreachable { remote, why: e.to_string() },
        WireError::Malformed(why) => Error::Protocol { remote, why },
        WireError::Remote(words) => Error::Remote { remote, words },
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

/// What servers take for a Git client.
fn user_agent() -> String {
    format!("git/2.0 ({AGENT})")
}

/// The program that an SSH address asks for.
#[cfg(test)]
pub(crate) fn ssh_program(url: &RemoteUrl, credentials: &Credentials) -> Option<Program> {
    match &url.0 {
        Place::Ssh(ssh) => Some(Program::ssh(Dial { ssh: ssh.clone(), credentials: credentials.clone() })),
        Place::Path(_) | Place::Http(_) => None,
    }
}
