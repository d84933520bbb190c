//! Whether what is missing is missing, or this is another metal-api (R15).

use super::View;
use model::{Allocation, MachineId, NetworkId, PartitionId};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

/// So many may always be missing.
const MISSING_MIN: usize = 2;
/// One in so many may be missing.
const SHARE: usize = 5;
/// As many missing ids are named.
const NAMED_MAX: usize = 3;

/// What the Kubernetes objects of a project name. What is being deleted, or was already concluded to be gone, is left
/// out by the caller: it is no surprise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub machines: BTreeSet<MachineId>,
    /// Of machines, where it was noted: one that was allocated again since is as good as gone.
    pub allocations: BTreeMap<MachineId, Allocation>,
    pub ips: BTreeSet<IpAddr>,
    /// Shared ones too.
    pub networks: BTreeSet<NetworkId>,
    pub partitions: BTreeSet<PartitionId>,
}

impl Known {
    /// Resources; partitions are none.
    pub(crate) fn count(&self) -> usize {
        self.machines.len() + self.ips.len() + self.networks.len()
    }
}

/// A project of which nothing may be concluded: no loss, failure, allocation or free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suspect {
    /// Known resources that the reading does not have.
    pub missing: usize,
    /// Known resources.
    pub of: usize,
    /// For people.
    pub why: String,
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Judges a whole reading: more than two and more than a fifth of what is known missing at once, or a partition that
/// metal-api does not know.
pub(super) fn suspect(known: &Known, view: &View) -> Option<Suspect> {
    let absent = [
        absent(known.machines.iter(), |id| {
            let noted = known.allocations.get(id);
            view.machines.get(id).is_some_and(|machine| noted.is_none_or(|noted| *noted == machine.allocation))
        }),
        absent(known.ips.iter(), |address| view.ips.contains_key(address)),
        absent(known.networks.iter(), |id| view.network(id).is_some()),
    ]
    .concat();
    let (missing, of) = (absent.len(), known.count());
    let of_them = |why: String| Some(Suspect { missing, of, why });
    if let Some(partition) = known.partitions.iter().find(|id| !view.partitions.contains(*id)) {
        return of_them(format!("metal-api does not know the partition {partition}"));
    }
    if missing > MISSING_MIN && missing * SHARE > of {
        let named = absent[..missing.min(NAMED_MAX)].join(", ");
        let more = if missing > NAMED_MAX { ", …" } else { "" };
        return of_them(format!(
            "{missing} of {of} known resources of project {} are missing at once ({named}{more}): this may be another \
             metal-api, or a restored database",
            view.project
        ));
    }
    None
}

/// Of a project that metal-api itself does not know.
pub(super) fn unknown_project(known: &Known, view: &View) -> Suspect {
    let of = known.count();
    Suspect { missing: of, of, why: format!("metal-api does not know the project {}", view.project) }
}

fn absent<'a, T: fmt::Display + 'a>(known: impl Iterator<Item = &'a T>, has: impl Fn(&T) -> bool) -> Vec<String> {
    known.filter(|id| !has(id)).map(ToString::to_string).collect()
}
