//! The simulator's time: real time with a speed, or moved by hand.

use jiff::{SignedDuration, Timestamp};
use std::time::Instant;

/// Where the simulator's `now` comes from. It never runs backwards.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The time at `since`, or for ever while the clock is driven by hand.
    at: Timestamp,
    /// None: by hand.
    since: Option<Instant>,
    speed: f64,
}

impl Clock {
    /// Real time, `speed` times as fast from now on.
    pub fn real(speed: f64) -> Self {
        Self { at: Timestamp::now(), since: Some(Instant::now()), speed }
    }

    /// Stands at `at` until it is advanced.
    pub fn manual(at: Timestamp) -> Self {
        Self { at, since: None, speed: 1.0 }
    }

    pub fn now(&self) -> Timestamp {
        let Some(since) = self.since else { return self.at };
        let seconds = since.elapsed().as_secs_f64() * self.speed;
        self.at.checked_add(SignedDuration::try_from_secs_f64(seconds).unwrap_or_default()).unwrap_or(Timestamp::MAX)
    }

    pub fn is_manual(&self) -> bool {
        self.since.is_none()
    }

    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Moves ahead, also a real clock. A negative duration is ignored.
    pub fn advance(&mut self, by: SignedDuration) {
        let by = by.max(SignedDuration::ZERO);
        self.rebase();
        self.at = self.at.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    pub fn set_manual(&mut self) {
        self.rebase();
        self.since = None;
    }

    pub fn set_real(&mut self) {
        self.rebase();
        self.since = Some(Instant::now());
    }

    /// How many simulated seconds a real one has; a manual clock keeps it for later.
    pub fn set_speed(&mut self, speed: f64) {
        self.rebase();
        self.speed = speed;
    }

    fn rebase(&mut self) {
        self.at = self.now();
        self.since = self.since.map(|_| Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_by_hand_only() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut clock = Clock::manual(start);
        clock.advance(SignedDuration::from_secs(90));
        clock.advance(SignedDuration::from_secs(-30));
        assert_eq!(clock.now().to_string(), "2026-01-01T00:01:30Z");
        clock.set_speed(60.0);
        assert_eq!(clock.now().to_string(), "2026-01-01T00:01:30Z");
        clock.set_real();
        assert!(!clock.is_manual() && clock.now() >= start);
    }
}
