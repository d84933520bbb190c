//! `MetalStackMachine`: a server is allocated, watched and freed.

mod decide;
mod delete;
mod identity;
mod observed;
mod report;
mod request;
#[cfg(test)]
mod tests;

use model::metal::MachineRequest;
use model::{Allocation, MachineId, ProjectId};
use std::collections::BTreeMap;

/// One effect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    AddFinalizer,
    /// The object goes.
    RemoveFinalizer,
    /// Draws the attempt, and notes where it is made.
    Begin {
        project: ProjectId,
        credentials: Option<String>,
    },
    /// The attempt was drawn by a process that may still be allocating with it.
    NoteAttempt,
    ReadBootstrap(String),
    /// By tags, directly. `control_planes`: those of the cluster too.
    Search {
        project: ProjectId,
        control_planes: bool,
    },
    /// By id, directly.
    Look {
        project: ProjectId,
        id: MachineId,
    },
    Allocate(Box<MachineRequest>),
    /// Writes down what was allocated, and nothing else.
    Persist {
        provider_id: String,
        allocation: Allocation,
        project: ProjectId,
    },
    /// Writes down what deletion needs.
    Note {
        project: ProjectId,
        credentials: Option<String>,
        allocation: Option<Allocation>,
    },
    Label(BTreeMap<&'static str, String>),
    /// `resource`: the value of its tag `machine-resource`.
    Free {
        project: ProjectId,
        id: MachineId,
        allocation: Allocation,
        resource: String,
    },
}
