//! What a management cluster shows of one cluster, where the engine has access to it.

use crate::{MachineId, NetworkId};
use std::net::Ipv4Addr;

/// One look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The Cluster object is there.
    pub has_cluster: bool,
    /// It carries no prune guard (any more).
    pub may_be_pruned: bool,
    /// What of the cluster is there beside the Cluster object and what is passive (templates, addons), as
    /// `Kind/name`: Cluster API is still deleting it.
    pub left: Vec<String>,
    /// What the provider filled in.
    pub values: SeenValues,
}

/// Values of the infrastructure objects, where they are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenValues {
    pub node_network: Option<NetworkId>,
    pub vip: Option<Ipv4Addr>,
    pub firewall: Option<MachineId>,
}
