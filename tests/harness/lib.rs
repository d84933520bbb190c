//! Harness of the scenario tests.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "the harness is test code: it ends the test where something is not as it must be, and says why"
)]

mod administrator;
pub mod bed;
pub mod binary;
pub mod git_http;
pub mod peers;
pub mod provider;
pub mod repo;
pub mod simulation;
pub mod usage;
