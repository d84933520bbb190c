//! The Cluster API provider of metal-stack: its kinds, and what a management cluster needs to know about them.
//!
//! The kinds are those of CAPMS with more fields, so that either provider reads what was written for the other.

pub mod api;
mod crds;

#[cfg(test)]
mod tests;

pub use crds::{admission, crds, files, objects, yaml};
