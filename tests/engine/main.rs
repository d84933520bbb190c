//! Scenarios: the real binary, real Git, the simulated metal-api, people who push.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "test code, helpers of tests included"
)]

mod bad_days;
mod converge;
mod crash;
mod interleave;
mod lasting;
mod life;
mod modes;
mod output;
mod race;
mod refusals;
