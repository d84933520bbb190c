//! A seeded simulation of a fleet's life: engines, metal-api, the Git remote and people in one process, on a clock that
//! jumps from wake to wake. One seed draws everything: what people push, which request is lost how, which process dies
//! where. After each step a checker that shares no code with the planner looks whether the invariants hold.
//!
//! The same seed makes the same run: one thread, one generator, no sockets, no child processes. What stays by chance is
//! the ids of commits, on which nothing depends.

mod checker;
mod facts;
mod people;
mod process;
mod schedule;
mod weather;
mod world;

pub use checker::{Checker, Thing, Violation};
pub use facts::Files;

use std::fmt;

/// What a run that held came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub commits: usize,
    pub allocated: usize,
    pub freed: usize,
    pub deaths: usize,
    /// Seconds on the simulated clock.
    pub seconds: u64,
    pub log: Vec<String>,
}

/// A run that did not hold, with all that happened.
#[derive(Clone, Debug)]
pub struct Failure {
    pub seed: u64,
    pub why: String,
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.log {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {}: {}", self.seed, self.why)?;
        write!(f, "again: FERROFLEET_SEED={} cargo test -p ferrofleet-tests --test simulation", self.seed)
    }
}

/// Lives one seed.
pub fn run(seed: u64) -> Result<Held, Box<Failure>> {
    // The engines' own jitter comes from here.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without sockets");
    runtime.block_on(schedule::live(seed))
}
