//! The provider between a real API server and the simulated metal-api. Each scenario has a namespace, a metal-api and a
//! provider of its own; all share one API server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "test code, helpers of tests included"
)]

mod cluster;
mod faults;
mod firewall;
mod hard;
mod isolation;
mod leader;
mod machine;
mod moving;
mod quiet;
mod rights;
mod takeover;
mod weather;
mod whole;
