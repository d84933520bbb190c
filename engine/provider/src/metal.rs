//! The provider's one door to metal-api: one reading per project and interval for all objects, few writes at once, and
//! frees only with a proof.
//!
//! [`Doors`] keeps one client per credential and one [`ProjectDoor`] per credential and project. What is decided here
//! without asking metal-api is pure and stands apart: [`suspect`], [`Absence`], [`Expected`], [`ProjectMap`].

mod absence;
mod access;
mod credentials;
mod door;
mod doors;
mod error;
mod expected;
mod free;
mod ledger;
mod map;
mod pause;
mod pulse;
mod shared;
mod suspect;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use absence::Absence;
pub(crate) use credentials::CredentialName;
pub(crate) use credentials::Revealed;
pub use credentials::{CredentialValues, CredentialsError};
pub(crate) use door::ProjectDoor;
pub(crate) use doors::{Doors, KnownIds, OpenError, Settings};
pub(crate) use error::{DoorError, Failure, FailureClass};
pub(crate) use expected::Expected;
pub(crate) use free::FreeOutcome;
pub use map::{MapError, ProjectMap};
pub(crate) use suspect::{Known, Suspect};
pub(crate) use view::View;
