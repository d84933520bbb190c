//! What is committed, as the real Argo CD and the real kustomize-controller of Flux deliver it to a real API server.
//!
//! There are no providers: no cluster is ever provisioned unless a test says so in a status.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "test code, helpers of tests included"
)]

mod argocd;
mod fleet;
mod flux;
mod plane;
