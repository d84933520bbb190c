//! The Cluster API provider of metal-stack: its kinds, and what makes servers of them.
//!
//! The kinds are those of CAPMS with more fields, so that either provider reads what was written for the other.
//! Reconcile is gather, decide (pure), act, report: `cluster`, `machine` and `firewall` decide and act, [`control`] does
//! the rest.

pub mod api;
pub mod capi;
mod ccm;
mod cluster;
pub mod components;
mod conditions;
mod control;
mod crds;
mod firewall;
mod machine;
mod machine_template;
mod metal;
pub mod names;
mod reason;
mod step;

#[cfg(test)]
mod tests;

pub use control::{Config, Election, Error, MetalAccess, Provider, RunError, Scope, Telemetry};
pub use crds::{admission, crds, files, objects, yaml};
pub use metal::{CredentialValues, CredentialsError, MapError, ProjectMap};
pub use reason::{ConditionType, Entry, Reason};
