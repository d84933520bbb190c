//! One remote, its bare cache, trees without a work tree, commits, and compare-and-swap pushes.
//!
//! Knows nothing of what is in the files. Everything blocks, with deadlines; [`Worker`] gives a repository a thread of
//! its own. The wire protocol is spoken here (`protocol`), libgit2 keeps the objects: its transports are not built in,
//! and its `Remote` is never used, because it can neither name the expected old id of a push nor ask for one ref only.
#![deny(unsafe_code)]

mod cache;
mod credentials;
mod error;
mod link;
mod oid;
mod options;
mod protocol;
mod repo;
mod setup;
mod url;
pub mod words;
mod worker;

pub use credentials::{Credentials, CredentialsError, Source};
pub use error::Error;
pub use link::memory::{Asked, Fate};
pub use oid::{Oid, OidError};
pub use options::{Author, Options, Timeouts};
pub use repo::{CommitInfo, Draft, Expect, FirstParents, Hub, Moved, Push, Refusal, Repo};
pub use url::{RemoteUrl, UrlError};
pub use words::RefusalKind;
pub use worker::{Moment, Pace, Worker, WorkerGone};
