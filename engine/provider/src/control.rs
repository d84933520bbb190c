//! What every controller needs around its decisions: watched objects, the loop, patches, Events, the leader's lease.

mod caches;
mod config;
mod context;
mod drive;
mod error;
mod patch;
mod queues;

pub(crate) use caches::Caches;
pub use config::{Config, Scope};
pub(crate) use context::Context;
pub(crate) use drive::{Kind, Reported, reconcile};
pub use error::Error;
pub(crate) use patch::{annotate, merge, owned_by};
