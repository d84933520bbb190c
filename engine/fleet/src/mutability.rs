//! What a change of each field of a definition does to a cluster that is there: one table, which findings, `explain` and
//! the reference read.

mod table;

pub use table::CHANGES;

use std::fmt;

/// What a change of one field does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// As `spec.pools[].size`; what lies below it is meant too.
    pub field: &'static str,
    pub mutability: Mutability,
    /// What else is to be known; of what cannot change, what to do instead. A phrase.
    pub says: &'static str,
}

/// How a field may change once the cluster has a complete lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// Machines and firewall stay.
    InPlace,
    /// New ones take the place of those that are there, where `rollout.allowReplacement` says always.
    Replaces(Replaced),
    /// Refused.
    Immutable,
    /// What the value implies counts.
    Depends,
}

/// What is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    ControlPlane,
    Pool,
    /// Those of the control plane and of all pools.
    Machines,
    Firewall,
}

impl fmt::Display for Mutability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InPlace => "in place",
            Self::Replaces(Replaced::ControlPlane) => "replaces the control plane's machines",
            Self::Replaces(Replaced::Pool) => "replaces the pool's machines",
            Self::Replaces(Replaced::Machines) => "replaces every machine",
            Self::Replaces(Replaced::Firewall) => "replaces the firewall",
            Self::Immutable => "immutable",
            Self::Depends => "depends on what it implies",
        })
    }
}

/// What a change of a field of a ClusterDefinition does. Items of lists with or without an index (`spec.pools[0].size`,
/// `spec.pools.size`). None for what holds several fields, and for what is no field.
pub fn mutability(field: &str) -> Option<&'static Change> {
    let asked: Vec<&str> = parts(field).collect();
    CHANGES.iter().find(|change| {
        let mut asked = asked.iter();
        parts(change.field).all(|part| asked.next() == Some(&part))
    })
}

/// The names of a path, without indices.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('.').map(|part| part.split('[').next().unwrap_or(part))
}

/// What to do instead of changing an immutable field.
pub(crate) fn instead(field: &str) -> &'static str {
    mutability(field).map_or("", |change| change.says)
}
