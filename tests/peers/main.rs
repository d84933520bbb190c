//! Other people's programs, run for real. What is missing is built or named: see `tests/harness/peers.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "test code, helpers of tests included"
)]

mod control_plane;
mod doctor;
mod forge;
mod gitea;
mod metal_go;
mod provider_crds;
