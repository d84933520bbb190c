//! When a resource may be said to be gone: absent in two successive whole readings an interval apart, and in a find by
//! its id (R15).

use super::View;
use model::Timestamp;
use std::time::Duration;

/// How far the conclusion about one resource is. Kept in memory: a restart begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Absence {
    /// Seen, or not looked for yet.
    #[default]
    Present,
    /// One whole reading did not have it.
    Missed { round: u64, read_at: Timestamp },
    /// A second one did not have it either: it is to be asked for by its id.
    MissedTwice,
    /// A find by id did not have it: it is gone.
    Concluded,
}

impl Absence {
    /// After a look at a view; `has` says whether the resource is in it. A suspect view says nothing about absence, unless
    /// it is `trusted`: a person acknowledged it.
    #[must_use]
    pub(crate) fn seen(self, has: bool, view: &View, interval: Duration, trusted: bool) -> Self {
        match self {
            _ if has => Self::Present,
            _ if view.suspect.is_some() && !trusted => self,
            Self::Present => Self::Missed { round: view.round, read_at: view.read_at },
            Self::Missed { round, read_at } if round != view.round && apart(read_at, view.read_at, interval) => {
                Self::MissedTwice
            }
            Self::Missed { .. } | Self::MissedTwice | Self::Concluded => self,
        }
    }

    /// Whether a find by id is what is missing for the conclusion.
    pub(crate) fn must_ask(self) -> bool {
        self == Self::MissedTwice
    }

    /// After the find by id. Without two readings before it, it says nothing about absence.
    #[must_use]
    pub(crate) fn asked(self, found: bool) -> Self {
        match self {
            _ if found => Self::Present,
            Self::MissedTwice => Self::Concluded,
            Self::Present | Self::Missed { .. } | Self::Concluded => self,
        }
    }

    pub(crate) fn is_concluded(self) -> bool {
        self == Self::Concluded
    }
}

/// A clock that was set back proves nothing: not apart.
fn apart(first: Timestamp, second: Timestamp, interval: Duration) -> bool {
    Duration::try_from(second.duration_since(first)).is_ok_and(|gap| gap >= interval)
}
