//! A simulated metal-api: its endpoints, rules and quirks in memory, served over HTTP on loopback.
//!
//! [`Sim`] is the simulation: state and rules under one lock, on a clock that real time or a caller drives.
//! [`serve`] puts it on a port, with the control interface `/_sim` beside the API; [`start`] does what
//! `ferrofleet metal-sim` does.
#![forbid(unsafe_code)]

mod api;
mod auth;
mod calls;
mod clock;
mod control;
mod dispatch;
mod events;
mod faults;
mod http;
mod image;
mod ipam;
mod landscape;
mod reachability;
mod refusal;
mod save;
mod sim;
mod table;
#[cfg(test)]
mod tests;
mod within;
mod world;

pub use calls::Call;
pub use clock::Clock;
pub use faults::{DelayFault, Fault, FaultEffect, FaultList, Silence, StatusFault};
pub use http::{Options, Running, ServeError, serve, start};
pub use landscape::{
    Auth, DiskSpec, Feature, ImageSpec, IpSpec, Landscape, LandscapeError, LayoutSpec, MachineGroup, NetworkSpec,
    PartitionSpec, ProjectSpec, ReservationSpec, SizeSpec, StateSpec, Timing,
};
pub use reachability::Reachability;
pub use save::SaveError;
pub use sim::{ClockChange, ClockMode, ClockState, ControlError, MachineIncident, Resources, Sim};
