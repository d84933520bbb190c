//! What can go wrong between us and a remote, with what a person needs to mend it.

use crate::{CredentialsError, Oid, UrlError};
use std::path::PathBuf;
use std::time::Duration;

/// A Git operation failed. Never holds credentials (I7).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error("{remote} has a work tree, whose files a push would not change; use a bare repository: {hint}")]
    NotBare { remote: String, hint: String },
    #[error("{name:?} is no name for a branch")]
    BranchName { name: String },
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("{remote} cannot be reached: {why}")]
    Unreachable { remote: String, why: String },
    #[error("{remote} did not answer in time ({limit})")]
    Timeout { remote: String, limit: String },
    #[error("{remote} refused the login: {words}")]
    Auth { remote: String, words: String },
    #[error("there is no repository at {remote}: {words}")]
    NotFound { remote: String, words: String },
    /// An answer that is no success, without a more precise meaning.
    #[error("{remote} answered with status {status}: {words}")]
    Status { remote: String, status: u16, words: String, retry_after: Option<Duration> },
    #[error("{remote} moved to {to}; use that address")]
    Moved { remote: String, to: String },
    #[error("{remote} said: {words}")]
    Remote { remote: String, words: String },
    #[error("{remote} does not speak Git's protocol: {why}")]
    Protocol { remote: String, why: String },
    /// The branch moved meanwhile, or was rewritten and pruned.
    #[error("{remote} has no object {id} (any more)")]
    Missing { remote: String, id: Oid },
    #[error("the program {program} cannot be started: {why}")]
    Program { program: String, why: String },
    /// The next fetch starts over with an empty cache.
    #[error("the cache {dir}: {why}", dir = .dir.display())]
    Cache { dir: PathBuf, why: String },
    #[error("commit {commit} holds more than is read: {what}")]
    TreeLimit { commit: Oid, what: String },
    #[error("a commit without a change was asked for")]
    EmptyDraft,
    #[error(transparent)]
    Worker(#[from] crate::WorkerGone),
    #[error(transparent)]
    Read(#[from] model::ReadError),
    #[error(transparent)]
    Sink(#[from] model::SinkError),
}

impl Error {
    /// The credentials are missing, wrong, or not enough.
    pub fn is_auth(&self) -> bool {
        matches!(self, Self::Auth { .. } | Self::Credentials(_))
    }

    /// When the server asked to come back, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
