//! Why the door gave no answer.

use super::View;
use jiff::SignedDuration;
use metal_api::Error;
use model::Timestamp;
use std::{fmt, sync::Arc, time::Duration};

/// Clocks that differ by less are not worth a word.
const CLOCKS_TOLERANCE: SignedDuration = SignedDuration::from_secs(10);

/// A call that did not do what was asked. Its words are stable while its cause is (I4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DoorError {
    #[error(transparent)]
    Metal(#[from] Error),
    /// metal-api denied the credential, now or a moment ago: it is left alone for `after`.
    #[error("{error}{clock}", clock = Clock(*clock))]
    Denied {
        error: Error,
        /// How far our clock is ahead of metal-api's, in steps of ten seconds, where that is much.
        clock: Option<SignedDuration>,
        after: Duration,
    },
}

/// What kind of failure it is: who can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureClass {
    /// No answer, or none of metal-api's: time, or whoever runs the network.
    Unreachable,
    /// Credentials, clock, role, or the guard of projects: a person.
    Denied,
    /// Answered, nothing done: time.
    Busy,
    /// Nothing left of what was asked for: time, or a person.
    Exhausted,
    /// Somebody else was there, or is still in it: read again.
    Conflict,
    /// Refused for good: a person.
    Refused,
    /// A write that may have happened: search.
    Unknown,
}

impl DoorError {
    /// metal-api's, or the client's, with the call and the server's words.
    pub(crate) fn error(&self) -> &Error {
        match self {
            Self::Metal(error) | Self::Denied { error, .. } => error,
        }
    }

    pub(crate) fn class(&self) -> FailureClass {
        let error = self.error();
        match error {
            _ if error.outcome_unknown() => FailureClass::Unknown,
            Error::Unknown { .. } => FailureClass::Unknown,
            Error::Unreachable { .. } | Error::Malformed { .. } => FailureClass::Unreachable,
            Error::Denied { .. } | Error::Outside { .. } | Error::ReadOnly { .. } => FailureClass::Denied,
            Error::Busy { .. } => FailureClass::Busy,
            Error::Exhausted { .. } => FailureClass::Exhausted,
            Error::Conflict { .. } | Error::InUse { .. } => FailureClass::Conflict,
            Error::NotFound { .. } | Error::Invalid { .. } => FailureClass::Refused,
        }
    }

    /// Whether a write may have happened: search before anything else.
    pub(crate) fn outcome_unknown(&self) -> bool {
        self.error().outcome_unknown()
    }

    /// Not before so long, where somebody said so.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Denied { after, .. } => Some(*after),
            Self::Metal(Error::Busy { after, .. }) => *after,
            Self::Metal(_) => None,
        }
    }
}

/// How far ahead our clock is, when that is much.
pub(super) fn clock_off(ours: Timestamp, theirs: Timestamp) -> Option<SignedDuration> {
    let ahead = ours.duration_since(theirs);
    let steps = SignedDuration::from_secs(ahead.as_secs() / 10 * 10);
    (steps.abs() >= CLOCKS_TOLERANCE).then_some(steps)
}

struct Clock(Option<SignedDuration>);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ahead) = self.0 else { return Ok(()) };
        let side = if ahead.is_negative() { "behind" } else { "ahead of" };
        write!(f, "; our clock is about {} s {side} metal-api's", ahead.unsigned_abs().as_secs())
    }
}

/// A project that could not be read as a whole.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub(crate) struct Failure {
    pub error: DoorError,
    /// When the first of the failures in a row was.
    pub since: Timestamp,
    /// metal-api is not asked again before.
    pub retry_after: Duration,
    /// What was read before, if ever, with what was asked and done since: to report, not to conclude from.
    pub stale: Option<Arc<View>>,
}

#[cfg(test)]
impl Failure {
    pub(crate) fn class(&self) -> FailureClass {
        self.error.class()
    }
}
