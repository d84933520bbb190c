//! One cluster's slots, one after the other; a failure is a value of its slot (I6).

use crate::{Answer, Executor, Waits, search};
use metal_api::{Error, Metal, Scarce};
use model::lock::Values;
use model::request::{Outcome, Request, Resource};
use model::want::Wanted;
use model::{Origin, Reason, Slot};
use plan::Step;
use tokio::sync::mpsc;

pub(crate) struct Chain<M> {
    pub(crate) executor: Executor<M>,
    pub(crate) wanted: Wanted,
    pub(crate) steps: Vec<Step>,
    pub(crate) answers: mpsc::UnboundedSender<Answer>,
    pub(crate) waits: Waits,
}

impl<M: Metal + 'static> Chain<M> {
    pub(crate) async fn run(self) {
        let mut values = self.wanted.lock.as_deref().map(|l| l.values.clone()).unwrap_or_default();
        let mut missing: Option<Slot> = None;
        for step in &self.steps {
            match step {
                Step::Keep { .. } | Step::Delegate { .. } => {}
                Step::Use { slot, resource, origin } => {
                    plan::fill(&mut values, &self.wanted.effective, slot, resource, *origin);
                }
                Step::Refuse { slot, .. } => missing = missing.or_else(|| Some(slot.clone())),
                // Its run went on without it: what is not begun is planned anew by the next one.
                Step::Allocate { .. } if self.waits.are_over() => return,
                Step::Allocate { slot, request } => {
                    let outcome = match &missing {
                        // A firewall stands in the network and has the egress addresses; the others stand alone.
                        Some(on) if matches!(slot, Slot::Firewall(_)) => Outcome::Waiting { on: on.clone() },
                        Some(_) | None => self.allocate(slot, request, &values).await,
                    };
                    match &outcome {
                        Outcome::Filled { resource, .. } => {
                            plan::fill(&mut values, &self.wanted.effective, slot, resource, Origin::Allocated);
                        }
                        Outcome::Refused { .. } | Outcome::Unknown { .. } | Outcome::Waiting { .. } => {
                            missing = missing.or_else(|| Some(slot.clone()));
                        }
                    }
                    // A closed inbox: patience ended, this answer is found by its tags in the next run.
                    let _ = self.answers.send((self.wanted.id.clone(), slot.clone(), outcome));
                }
            }
        }
    }

    async fn allocate(&self, slot: &Slot, request: &Request, values: &Values) -> Outcome {
        if !self.executor.gate.is_open() {
            let message = "the claim ran out before this allocation could begin".to_owned();
            return Outcome::Refused { reason: Reason::ClaimHeld, message };
        }
        tracing::debug!(cluster = %self.wanted.id, %slot, "allocating");
        let metal = &*self.executor.metal;
        let answer = match request {
            Request::Network(request) => metal.allocate_network(request).await.map(Resource::Network),
            Request::Ip(request) => metal.allocate_ip(request).await.map(Resource::Ip),
            Request::Firewall(request) => {
                let mut request = request.clone();
                request.complete(values);
                metal.allocate_firewall(&request).await.map(Resource::Machine)
            }
        };
        match answer {
            Ok(resource) => {
                tracing::info!(cluster = %self.wanted.id, %slot, metal_id = resource.id(), "allocated");
                Outcome::Filled { resource: Box::new(resource), fresh: true }
            }
            Err(error) if error.outcome_unknown() => self.search(slot, &error).await,
            Err(error) => Outcome::Refused { reason: reason(&error), message: error.to_string() },
        }
    }

    /// After an unknown outcome: by attempt, cluster and slot. Never a second allocate call in this run (I1).
    async fn search(&self, slot: &Slot, error: &Error) -> Outcome {
        let found = search::own(
            &*self.executor.metal,
            &self.wanted.identity.project,
            &self.wanted.id,
            slot,
            &self.executor.attempt,
        );
        match found.await {
            Ok(Some(resource)) => Outcome::Filled { resource: Box::new(resource), fresh: true },
            Ok(None) => Outcome::Unknown { message: error.to_string() },
            Err(second) => Outcome::Unknown { message: format!("{error}; and the search failed: {second}") },
        }
    }
}

/// What a refusal means for the slot.
fn reason(error: &Error) -> Reason {
    match error {
        Error::Exhausted { what, .. } => match what {
            Scarce::Machines | Scarce::AllocationLock => Reason::NoMachineAvailable,
            Scarce::Addresses | Scarce::Prefixes => Reason::NetworkExhausted,
            Scarce::Quota => Reason::QuotaExceeded,
        },
        Error::Denied { .. } => Reason::Unauthorized,
        Error::Busy { .. } | Error::Unreachable { .. } | Error::Malformed { .. } | Error::Unknown { .. } => {
            Reason::MetalUnreachable
        }
        Error::Outside { .. } => Reason::ProjectNotListed,
        Error::ReadOnly { .. } => Reason::Observing,
        Error::NotFound { .. } | Error::Conflict { .. } | Error::Invalid { .. } | Error::InUse { .. } => {
            Reason::AllocationRefused
        }
    }
}
