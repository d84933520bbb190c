//! Git's wire protocol, our side of it: versions 0, 1 and 2, over any reader and writer. No I/O of its own.

pub(crate) mod advert;
pub(crate) mod fetch;
pub(crate) mod ls_refs;
pub(crate) mod pkt;
pub(crate) mod receive;
pub(crate) mod sideband;

use std::io;

/// How we call ourselves.
pub(crate) const AGENT: &str = "ferrofleet/0.1";

/// What may go wrong while reading an answer.
#[derive(Debug)]
pub(crate) enum WireError {
    /// The connection: broken, ended early, or too slow.
    Io(io::Error),
    /// Not the protocol, or more than we read.
    Malformed(String),
    /// An error message of the server, in the protocol.
    Remote(String),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl WireError {
    pub(crate) fn malformed(why: impl Into<String>) -> Self {
        Self::Malformed(why.into())
    }
}
