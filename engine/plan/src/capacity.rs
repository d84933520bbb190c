//! Whether metal-api has the machines that the clusters want.

use model::{ClusterId, PartitionId, SizeId};
use serde::Serialize;

/// Machines of one size in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CapacityLine {
    pub partition: PartitionId,
    pub size: SizeId,
    /// Beyond what is allocated already: replicas, and what a rollout takes for a while.
    pub need: u32,
    pub free: u32,
    /// What the policy wants to stay free.
    pub reserve: u32,
    /// Whose machines are short, in the order in which they would be served.
    pub waiting: Vec<ClusterId>,
}
