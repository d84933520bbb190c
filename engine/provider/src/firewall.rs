//! The controller of `MetalStackFirewallDeployment`: the firewall of one cluster.
//!
//! It finds or allocates one, watches it, and replaces it when its template changed after the provider first saw it (R3),
//! or when it is dead (R4): create the next generation, wait for its phone-home, free the old one at once (R5). What the
//! engine allocates is observed only.

mod act;
mod deaths;
mod decide;
mod delete;
mod engine;
mod gather;
mod gone;
mod health;
mod observed;
mod replace;
mod template;

#[cfg(test)]
mod tests;

use crate::api::{Condition, MetalStackFirewallDeployment, MetalStackFirewallDeploymentStatus};
use crate::control::{Context, Error, Kind, Reported};
use crate::step::{Decision, Memory};
use model::Timestamp;
use observed::{Action, Observed};
use std::sync::Arc;

/// The controller of MetalStackFirewallDeployments.
pub(crate) struct Firewalls;

impl Kind for Firewalls {
    type Object = MetalStackFirewallDeployment;
    type Status = MetalStackFirewallDeploymentStatus;
    type Observed = Observed;
    type Action = Action;

    async fn gather(
        context: &Context,
        object: Arc<MetalStackFirewallDeployment>,
        memory: Memory,
    ) -> Result<Observed, Error> {
        gather::gather(context, object, memory).await
    }

    fn decide(observed: &Observed, now: Timestamp) -> Decision<Action, MetalStackFirewallDeploymentStatus> {
        decide::decide(observed, now)
    }

    async fn act(context: &Context, observed: &mut Observed, action: Action) -> Result<(), Error> {
        act::act(context, observed, action).await
    }

    fn object(observed: &Observed) -> &MetalStackFirewallDeployment {
        &observed.deployment
    }

    fn status(object: &MetalStackFirewallDeployment) -> Option<&MetalStackFirewallDeploymentStatus> {
        object.status.as_ref()
    }

    fn memory(observed: &Observed) -> &Memory {
        &observed.memory
    }
}

impl Reported for MetalStackFirewallDeploymentStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}
