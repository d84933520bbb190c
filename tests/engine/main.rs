//! Scenarios: the real binary, real Git, the simulated metal-api, people who push.

mod bad_days;
mod converge;
mod crash;
mod interleave;
mod lasting;
mod race;
