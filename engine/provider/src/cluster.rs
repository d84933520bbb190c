//! The controller of MetalStackClusters: node network, control plane's address, firewall's ownership, and their end.

mod act;
mod decide;
mod delete;
mod endpoint;
mod firewall;
mod gather;
mod network;
mod observed;
mod search;

#[cfg(test)]
mod tests;

use crate::api::{Condition, MetalStackCluster, MetalStackClusterStatus};
use crate::control::{Context, Error, Kind, Reported};
use crate::step::{Decision, Memory};
use decide::Action;
use model::Timestamp;
pub(crate) use observed::{Credentials, Observed};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Clusters;

impl Kind for Clusters {
    type Object = MetalStackCluster;
    type Status = MetalStackClusterStatus;
    type Observed = Observed;
    type Action = Action;

    async fn gather(context: &Context, object: Arc<MetalStackCluster>, memory: Memory) -> Result<Observed, Error> {
        gather::gather(context, object, memory).await
    }

    fn decide(observed: &Observed, now: Timestamp) -> Decision<Action, MetalStackClusterStatus> {
        decide::decide(observed, now)
    }

    async fn act(context: &Context, observed: &mut Observed, action: Action) -> Result<(), Error> {
        act::act(context, observed, action).await
    }

    fn object(observed: &Observed) -> &MetalStackCluster {
        &observed.object
    }

    fn status(object: &MetalStackCluster) -> Option<&MetalStackClusterStatus> {
        object.status.as_ref()
    }

    fn memory(observed: &Observed) -> &Memory {
        &observed.memory
    }
}

impl Reported for MetalStackClusterStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}
