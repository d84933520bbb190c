//! What every controller needs around its decisions: watched objects, the loop, patches, Events, the leader's lease.

mod caches;
mod config;
mod context;
mod credentials;
mod drive;
mod due;
mod error;
mod failure;
mod known;
mod leader;
mod manager;
mod patch;
mod queues;
mod secrets;
mod suspicion;
mod telemetry;
mod watch;

pub(crate) use caches::{Caches, owner};
pub use config::{Config, Scope};
pub(crate) use context::Context;
pub(crate) use drive::{Kind, Reported};
pub use error::Error;
pub(crate) use known::server;
pub use leader::Election;
pub use manager::{MetalAccess, Provider, RunError};
pub(crate) use patch::{annotate, attempt, finalizers, is_current, merge, owned_by};
pub(crate) use suspicion::{Annotated, is_acknowledged, suspicion};
pub use telemetry::Telemetry;
