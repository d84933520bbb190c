//! When a project is read again: every interval; soon after somebody asked for it; later and later after failures.

use model::Timestamp;
use std::time::Duration;

/// The pause after a failure doubles from here.
const RETRY_FIRST: Duration = Duration::from_secs(3);
const RETRY_MOST: Duration = Duration::from_secs(30);

/// What is known of the readings of one project.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    interval: Duration,
    /// After a hastened reading was asked for.
    hasty: Duration,
    hastened: bool,
    failures: u32,
    /// When the newest reading, well or not, began.
    last: Option<Timestamp>,
}

impl Pulse {
    pub(super) fn new(interval: Duration, hasty: Duration) -> Self {
        Self { interval, hasty: hasty.min(interval), hastened: false, failures: 0, last: None }
    }

    /// How long the newest reading, or failure, serves yet; zero: a new one is due. A clock that was set back makes it
    /// due.
    pub(super) fn left(&self, now: Timestamp) -> Duration {
        let serves = match self.failures {
            0 if self.hastened => self.hasty,
            0 => self.interval,
            n => RETRY_FIRST.saturating_mul(1 << (n - 1).min(8)).min(RETRY_MOST),
        };
        let passed = self.last.and_then(|last| Duration::try_from(now.duration_since(last)).ok());
        passed.map_or(Duration::ZERO, |passed| serves.saturating_sub(passed))
    }

    pub(super) fn hasten(&mut self) {
        self.hastened = true;
    }

    /// A reading begins: what was asked for before is met by it.
    pub(super) fn begin(&mut self, now: Timestamp) {
        (self.last, self.hastened) = (Some(now), false);
    }

    pub(super) fn read(&mut self) {
        self.failures = 0;
    }

    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn pulse() -> Pulse {
        Pulse::new(MINUTE, Duration::from_secs(5))
    }

    #[track_caller]
    fn left(pulse: &Pulse, second: i64, left: u64) {
        assert_eq!(pulse.left(at(second)).as_secs(), left);
    }

    #[test]
    fn a_reading_serves_for_an_interval_and_a_hastened_one_is_due_soon() {
        let mut pulse = pulse();
        left(&pulse, 0, 0);
        pulse.begin(at(0));
        pulse.read();
        left(&pulse, 10, 50);
        left(&pulse, 60, 0);
        left(&pulse, -1, 0);
        pulse.hasten();
        left(&pulse, 3, 2);
        left(&pulse, 5, 0);
        pulse.begin(at(5));
        left(&pulse, 10, 55);
    }

    #[test]
    fn failures_are_tried_again_later_and_later_hastened_or_not() {
        let mut pulse = pulse();
        let mut now = 0;
        for pause in [3, 6, 12, 24, 30, 30] {
            pulse.begin(at(now));
            pulse.failed();
            pulse.hasten();
            left(&pulse, now, pause);
            now += i64::try_from(pause).unwrap();
        }
        pulse.begin(at(now));
        pulse.read();
        left(&pulse, now, 60);
    }

    #[test]
    fn the_hasty_pause_is_never_longer_than_the_interval() {
        let mut pulse = Pulse::new(Duration::from_secs(1), Duration::from_secs(5));
        pulse.begin(at(0));
        pulse.hasten();
        left(&pulse, 0, 1);
        pulse.failed();
        left(&pulse, 0, 3);
    }
}
