//! What goes wrong with single requests, drawn from the seed.

use fastrand::Rng;
use std::time::Duration;

/// How often requests go wrong: 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weather {
    pub(super) metal: f64,
    pub(super) git: f64,
}

impl Weather {
    pub(super) const FAIR: Self = Self { metal: 0.0, git: 0.0 };

    pub(super) fn draw(rng: &mut Rng) -> Self {
        let rates = [0.0, 0.02, 0.1, 0.3];
        Self { metal: rates[rng.usize(..rates.len())], git: rates[rng.usize(..rates.len())] }
    }
}

/// What becomes of a call of metal-api.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Serve,
    /// No connection.
    Refuse,
    /// The connection broke; nothing happened.
    DropBefore,
    /// It happened; the answer was lost.
    DropAfter,
    /// An error of the server; nothing happened.
    Status(u16),
    /// Nothing happens, nobody answers.
    Hang,
    /// It happens after so long, whoever still waits.
    Late(Duration),
    /// A proxy sends it twice; the second answer is heard.
    Twice,
}

pub(super) fn of_metal(rng: &mut Rng, weather: Weather) -> Fate {
    if rng.f64() >= weather.metal {
        return Fate::Serve;
    }
    match rng.u32(0..9) {
        0 => Fate::Refuse,
        1 => Fate::DropBefore,
        2 | 3 => Fate::DropAfter,
        4 => Fate::Status(500),
        5 => Fate::Status(503),
        6 => Fate::Hang,
        7 => Fate::Late(Duration::from_millis(rng.u64(500..20_000))),
        _ => Fate::Twice,
    }
}

pub(super) fn of_git(rng: &mut Rng, weather: Weather) -> git::Fate {
    if rng.f64() >= weather.git {
        return git::Fate::Serve;
    }
    match rng.u32(0..6) {
        0 => git::Fate::DropBefore,
        1 | 2 => git::Fate::DropAfter,
        3 => git::Fate::Hang,
        4 => git::Fate::Refuse("cannot lock ref 'refs/heads/main': Unable to create lock: File exists".to_owned()),
        _ => git::Fate::Twice,
    }
}

/// How long a step takes: mostly some milliseconds, now and then long enough for somebody else to come in between.
pub(super) fn latency(rng: &mut Rng) -> Duration {
    Duration::from_millis(match rng.u32(0..20) {
        0 => rng.u64(200..2_000),
        _ => rng.u64(1..30),
    })
}
