//! After a denial a credential rests: a rotated key is not hammered, and metal-api's log stays readable.

use model::Timestamp;
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_mins(1);

/// How long a credential is left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pause {
    length: Duration,
    since: Option<Timestamp>,
}

impl Pause {
    /// What is left of it. A clock that was set back ends it.
    pub(super) fn left(&self, now: Timestamp) -> Option<Duration> {
        let passed = Duration::try_from(now.duration_since(self.since?)).ok()?;
        self.length.checked_sub(passed).filter(|left| !left.is_zero())
    }

    /// A call that began then was denied now. Denials of one moment count once.
    pub(super) fn denied(&mut self, began: Timestamp, now: Timestamp) {
        if self.since.is_some_and(|since| began < since) {
            return;
        }
        self.length = if self.length.is_zero() { FIRST } else { (self.length * 2).min(MOST) };
        self.since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn left(pause: &Pause, second: i64) -> Option<u64> {
        pause.left(at(second)).map(|left| left.as_secs())
    }

    #[test]
    fn denials_make_it_longer_up_to_a_minute() {
        let mut pause = Pause::default();
        assert_eq!(left(&pause, 0), None);
        let mut now = 0;
        for length in [1, 2, 4, 8, 16, 32, 60, 60] {
            pause.denied(at(now), at(now));
            assert_eq!((left(&pause, now), left(&pause, now + length)), (Some(length as u64), None));
            now += length;
        }
    }

    #[test]
    fn calls_of_one_moment_are_one_denial() {
        let mut pause = Pause::default();
        pause.denied(at(0), at(3));
        pause.denied(at(1), at(3));
        pause.denied(at(2), at(4));
        assert_eq!(left(&pause, 3), Some(1));
    }

    #[test]
    fn a_clock_that_is_set_back_ends_it() {
        let mut pause = Pause::default();
        pause.denied(at(100), at(100));
        assert_eq!(left(&pause, 0), None);
    }
}
