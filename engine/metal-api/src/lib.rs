//! Typed client of metal-api v1: wire types, authentication, errors, the trait `Metal`, its HTTP implementation, the
//! project guard, and the gathering of `Have`.
#![forbid(unsafe_code)]

pub mod auth;
mod convert;
mod error;
mod gather;
mod guard;
mod http;
mod metal;
#[cfg(test)]
mod stub;
pub mod wire;

pub use auth::{AuthType, Credentials, Secret};
pub use error::{Call, Error, Op, Scarce};
pub use gather::{GATHER_DEADLINE, HaveCache, gather, refresh};
pub use guard::{Guarded, Observe, Unobserved};
pub use http::{Asked, Carry, HttpMetal, Lost, Options, OptionsError, Told};
pub use metal::{Capacity, Health, Metal, Project, ServerVersion};

/// What a call came to.
pub type Result<T, E = Error> = std::result::Result<T, E>;
