//! What is rendered, in a real API server: stored as it was written, and stored again without a change.
//!
//! The managers of Cluster API run with their webhooks; the other kinds have their official CRDs. Providers do not
//! run, so nothing is provisioned and controllers only look at what is there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "test code, helpers of tests included"
)]

mod changes;
mod check;
mod coverage;
mod diff;
mod documents;
mod example;
mod fragments;
mod generated;
mod installation;
mod server;
