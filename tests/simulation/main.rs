//! The seeded simulation: hundreds of lives of a fleet, each checked at every step, and worlds that are wrong on purpose.
//!
//! One seed again, with its log: `FERROFLEET_SEED=n cargo test -p ferrofleet-tests --test simulation`.
#![expect(clippy::expect_used, reason = "a test ends where something is not as it must be")]

mod broken;
mod seeds;
