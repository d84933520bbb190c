//! `MetalStackMachine`: a server is allocated, watched and freed.

mod act;
mod bootstrap;
mod decide;
mod delete;
mod gather;
mod identity;
mod observed;
mod report;
mod request;
#[cfg(test)]
mod tests;

use crate::api::{Condition, MetalStackMachine, MetalStackMachineStatus};
use crate::control::{Context, Error, Kind, Reported};
use crate::step::{Decision, Memory};
use model::metal::MachineRequest;
use model::{Allocation, MachineId, ProjectId, Tags, Timestamp};
use observed::Observed;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The controller of MetalStackMachines.
pub(crate) struct Machines;

impl Kind for Machines {
    type Object = MetalStackMachine;
    type Status = MetalStackMachineStatus;
    type Observed = Observed;
    type Action = Action;

    async fn gather(context: &Context, object: Arc<MetalStackMachine>, memory: Memory) -> Result<Observed, Error> {
        gather::gather(context, object, memory).await
    }

    fn decide(observed: &Observed, now: Timestamp) -> Decision<Action, MetalStackMachineStatus> {
        decide::decide(observed, now)
    }

    async fn act(context: &Context, observed: &mut Observed, action: Action) -> Result<(), Error> {
        act::act(context, observed, action).await
    }

    fn object(observed: &Observed) -> &MetalStackMachine {
        &observed.object
    }

    fn status(object: &MetalStackMachine) -> Option<&MetalStackMachineStatus> {
        object.status.as_ref()
    }

    fn memory(observed: &Observed) -> &Memory {
        &observed.memory
    }
}

impl Reported for MetalStackMachineStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

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
    /// Nothing holds up a move any more.
    Unblock,
    Label(BTreeMap<&'static str, String>),
    /// `proof`: what its tags must say.
    Free {
        project: ProjectId,
        id: MachineId,
        allocation: Allocation,
        proof: Tags,
    },
}
