//! The loop over one fleet repository: tip, tree, want, have, plan, claim, done, edit, push.
//! Every await may be the last thing this process does; what it did is found again by its tags (I1), and what it
//! commits is complete or not there.
#![forbid(unsafe_code)]

mod claim;
mod draft;
mod engine;
mod history;
mod live;
mod message;
mod options;
mod outcome;
mod output;
mod pass;
mod reading;
mod remote;
mod status;
mod trigger;
mod view;

pub use engine::{Engine, FileChange, Metals, Planned, Read, RunError};
pub use live::{Blind, Live, Look};
pub use message::{Trailers, trailers};
pub use options::Options;
pub use outcome::{ClusterState, Commit, Due, Phase, Ran};
pub use output::Outputs;
pub use pass::block;
pub use status::{Counters, FleetStatus};
pub use trigger::{Triggers, Waker};
pub use view::is_engine_owned;
