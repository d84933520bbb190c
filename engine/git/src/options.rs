//! What a repository is opened with.

use crate::{Credentials, RemoteUrl};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One branch of one remote.
#[derive(Clone, Debug)]
pub struct Options {
    pub url: RemoteUrl,
    /// Without `refs/heads/`.
    pub branch: String,
    /// A folder per remote is made below it; created when missing.
    pub cache_dir: PathBuf,
    pub credentials: Credentials,
    pub timeouts: Timeouts,
}

/// How long the network may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Between two bytes.
    pub idle: Duration,
    /// One call (a fetch, a push, a look at a ref), all in all.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(30), total: Duration::from_secs(120) }
    }
}

/// Who a commit is by; author and committer are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub name: String,
    pub email: String,
}

/// The end of one call, on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    end: Instant,
    pub(crate) timeouts: Timeouts,
}

impl Deadline {
    pub(crate) fn start(timeouts: Timeouts) -> Self {
        Self { end: Instant::now() + timeouts.total, timeouts }
    }

    /// What is left; never zero, because zero means "for ever" to sockets.
    pub(crate) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// The longest next wait for a byte.
    pub(crate) fn next_wait(&self) -> Duration {
        self.left().min(self.timeouts.idle.max(Duration::from_millis(1)))
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }
}

impl Deadline {
    /// Which limit it was, for a message.
    pub(crate) fn words(&self) -> String {
        if self.is_over() {
            format!("{:?} in all", self.timeouts.total)
        } else {
            format!("{:?} without a byte", self.timeouts.idle)
        }
    }
}
