//! What is asked of metal-api for a slot, and what came of it.

use crate::lock::Values;
use crate::metal::{FirewallRequest, Ip, IpRequest, Machine, Network, NetworkRequest, RequestNetwork};
use crate::{Allocation, ClusterId, MachineId, NetworkId, ProjectId, Reason, Slot, Tags};
use std::{collections::BTreeMap, net::IpAddr};

/// One allocation. A firewall's request is completed with what its cluster's earlier slots turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Network(NetworkRequest),
    Ip(IpRequest),
    Firewall(FirewallRequest),
}

/// What fills a slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    Network(Network),
    Ip(Ip),
    Machine(Machine),
}

impl Resource {
    pub fn tags(&self) -> &Tags {
        match self {
            Self::Network(network) => &network.labels,
            Self::Ip(ip) => &ip.tags,
            Self::Machine(machine) => &machine.tags,
        }
    }

    pub fn created(&self) -> Option<crate::Timestamp> {
        match self {
            Self::Network(network) => network.created,
            Self::Ip(ip) => ip.created,
            Self::Machine(machine) => machine.created,
        }
    }

    /// Id for people and for order: the network's, the address, the machine's.
    pub fn id(&self) -> String {
        match self {
            Self::Network(network) => network.id.to_string(),
            Self::Ip(ip) => ip.address.to_string(),
            Self::Machine(machine) => machine.id.to_string(),
        }
    }

    pub fn target(&self) -> Target {
        match self {
            Self::Network(network) => Target::Network(network.id.clone()),
            Self::Ip(ip) => Target::Ip { address: ip.address, allocation: ip.allocation.clone() },
            Self::Machine(machine) => {
                Target::Machine { id: machine.id.clone(), allocation: machine.allocation.clone() }
            }
        }
    }
}

/// A resource to be freed, named so that somebody else's cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Network(NetworkId),
    Ip {
        address: IpAddr,
        allocation: Allocation,
    },
    Machine {
        id: MachineId,
        allocation: Allocation,
    },
    /// An address of a cluster's services (R14): freed where it is ephemeral and of nothing else, else only its tags of
    /// the cluster go.
    Service {
        address: IpAddr,
        allocation: Allocation,
    },
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Network(id) => write!(f, "{id}"),
            Self::Ip { address, .. } | Self::Service { address, .. } => write!(f, "{address}"),
            Self::Machine { id, .. } => write!(f, "{id}"),
        }
    }
}

/// Why something may be freed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FreeReason {
    /// The lock at the tip names this one for the slot.
    Duplicate { of: String },
    /// The next generation of the firewall has phoned home (R5).
    Replaced { by: String },
    /// A firewall that never phoned home, made from settings that nobody wants any more.
    Unwanted,
    /// Allocated by this process for a cluster that is gone from the tip.
    Leftover,
    /// A confirmed deletion, in its last phase.
    Deletion,
    /// No definition and no lock names it, and a person typed the cluster's name.
    Orphan,
}

impl FreeReason {
    /// Whether it counts against `limits.freesPerHour` (R16).
    pub fn is_counted(&self) -> bool {
        matches!(self, Self::Deletion)
    }
}

impl std::fmt::Display for FreeReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Duplicate { of } => write!(f, "a duplicate, the lock names {of}"),
            Self::Replaced { by } => write!(f, "replaced by {by}"),
            Self::Unwanted => {
                f.write_str("it never phoned home, and was made from settings that nobody wants any more")
            }
            Self::Leftover => f.write_str("the definition is gone from the tip"),
            Self::Deletion => f.write_str("the cluster was deleted"),
            Self::Orphan => f.write_str("no definition and no lock names it, and a person wants it freed"),
        }
    }
}

/// A resource that may go. Project, cluster, slot, fleet and allocation are read again just before (design, "Why one of
/// each holds" 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Free {
    pub cluster: ClusterId,
    /// Of an address of a service: the VIP's, which it follows in order.
    pub slot: Slot,
    pub project: ProjectId,
    pub target: Target,
    pub why: FreeReason,
}

/// What became of one slot in a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Allocated, or found by its tags; `fresh` when this run allocated it.
    Filled { resource: Box<Resource>, fresh: bool },
    /// metal-api answered no, or a limit of the fleet did.
    Refused { reason: Reason, message: String },
    /// Not known whether it happened; searched for, not found; the slot waits for a later run.
    Unknown { message: String },
    /// Not tried: an earlier slot of the cluster was not filled.
    Waiting { on: Slot },
}

/// What a run did in metal-api.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct Done {
    pub slots: BTreeMap<ClusterId, Vec<(Slot, Outcome)>>,
    pub frees: Vec<(Free, FreeOutcome)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FreeOutcome {
    Freed,
    /// 404: somebody was faster, or it never was.
    Gone,
    /// 422 `has ips`, or a machine that is still being released.
    NotYet {
        message: String,
    },
    /// What was read just before is not what was meant; not freed.
    Changed {
        message: String,
    },
    Failed {
        message: String,
    },
}

impl FirewallRequest {
    /// Adds what the lock and the earlier slots of the same run know: the node network (first), the egress addresses.
    pub fn complete(&mut self, values: &Values) {
        if let Some(node) = &values.node_network {
            self.tags = std::mem::take(&mut self.tags).with(crate::tags::CLUSTER_ID, &node.id);
            if !self.networks.iter().any(|n| n.network == node.id) {
                self.networks.insert(0, RequestNetwork { network: node.id.clone(), autoacquire: true });
            }
        }
        for egress in &values.egress_ips {
            self.ips.push(egress.address);
            for network in self.networks.iter_mut().filter(|n| n.network == egress.network) {
                network.autoacquire = false;
            }
        }
        self.ips.sort();
        self.ips.dedup();
    }
}
