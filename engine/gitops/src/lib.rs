//! The loop over one fleet repository: tip, tree, want, have, plan, claim, done, edit, push.
//! Every await may be the last thing this process does; what it did is found again by its tags (I1), and what it
//! commits is complete or not there.
#![forbid(unsafe_code)]

mod answer;
mod claim;
mod coming;
mod delegated;
mod draft;
mod due;
mod engine;
mod error;
mod history;
mod holds;
#[cfg(test)]
mod kit;
mod leaving;
mod live;
mod log;
mod message;
mod options;
mod orphans;
mod outcome;
mod output;
mod pass;
mod reading;
mod remote;
mod report;
mod seeing;
mod side;
mod status;
mod told;
mod trigger;
mod turns;
mod view;
mod watching;
mod writing;

pub use answer::Answer;
pub use engine::{Engine, FileChange, Metals, Planned, Read};
pub use error::RunError;
pub use live::{Blind, Live, Look};
pub use log::LogEntry;
pub use message::{FreedTrailer, HeldTrailer, OutputTrailer, Trailers, trailers};
pub use options::Options;
pub use outcome::{ClusterState, Commit, Due, Phase, Ran};
pub use output::Outputs;
pub use pass::block;
pub use status::{Counters, FleetStatus};
pub use trigger::{Triggers, Waker};
pub use view::is_engine_owned;
