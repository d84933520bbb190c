//! The Cluster API provider of metal-stack: its kinds, and what makes servers of them.
//!
//! The kinds are those of CAPMS with more fields, so that either provider reads what was written for the other.
//! Reconcile is gather, decide (pure), act, report: `cluster`, `machine` and `firewall` decide and act, [`control`] does
//! the rest.

pub mod api;
pub mod capi;
pub mod components;
mod conditions;
mod control;
mod crds;
pub mod names;
mod reason;
mod step;

#[cfg(test)]
mod tests;

pub use crds::{admission, crds, files, objects, yaml};
pub use reason::{ConditionType, Reason};
