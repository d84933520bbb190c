//! Committed values against what metal-api has: reported, never silently re-allocated (I5).

use crate::Setting;
use crate::committed::{Committed, committed};
use crate::index::{Index, ResourceRef};
use model::lock::ClusterLock;
use model::{
    ClusterId, Condition, ConditionStatus, FleetName, Have, Origin, PartitionId, ProjectId, Reason, Slot, Tags, Want,
    tags,
};
use std::collections::BTreeMap;
use std::fmt;

/// So many committed values of a project may always be missing at once (R15).
const MISSING_MIN: usize = 2;
/// One in so many may be.
const SHARE: usize = 5;

/// A committed value that is not as it was committed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    pub cluster: ClusterId,
    pub project: ProjectId,
    pub slot: Slot,
    /// As the lock names it.
    pub id: String,
    pub kind: LossKind,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossKind {
    /// Not in the last reading; not concluded yet (R15).
    Missing,
    /// Concluded: it is gone.
    Gone,
    /// It was freed and allocated again, by whom is not known.
    Reallocated,
    /// Its tags name somebody else.
    ClaimedBy(String),
}

/// As the lock's condition has it: the slot, the id, what happened; nothing that changes by itself.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster: _, project: _, slot, id, kind } = self;
        match kind {
            LossKind::Missing => write!(f, "{slot} `{id}` was not in the last reading of metal-api"),
            LossKind::Gone => write!(f, "{slot} `{id}` is not in metal-api any more"),
            LossKind::Reallocated => write!(f, "{slot} `{id}` was freed and allocated again, by whom is not known"),
            LossKind::ClaimedBy(whom) => write!(f, "{slot} `{id}` is tagged for {whom}"),
        }
    }
}

impl Loss {
    /// Whether it is sure that the value is not the cluster's any more.
    pub fn is_concluded(&self) -> bool {
        match self.kind {
            LossKind::Missing => false,
            LossKind::Gone | LossKind::Reallocated | LossKind::ClaimedBy(_) => true,
        }
    }
}

#[derive(Default)]
pub(crate) struct Losses {
    pub(crate) of: BTreeMap<ClusterId, Vec<Loss>>,
    /// Projects in which too much is missing at once.
    pub(crate) suspect: BTreeMap<ProjectId, String>,
}

impl Losses {
    /// Those of a cluster.
    pub(crate) fn of(&self, cluster: &ClusterId) -> &[Loss] {
        self.of.get(cluster).map(Vec::as_slice).unwrap_or_default()
    }

    /// Nothing is concluded in a suspect project: what is not seen is missing, and no more is said.
    pub(crate) fn doubt(&mut self, suspect: &BTreeMap<ProjectId, String>) {
        for loss in self.of.values_mut().flatten().filter(|loss| suspect.contains_key(&loss.project)) {
            loss.kind = match loss.kind {
                LossKind::Gone => LossKind::Missing,
                LossKind::Missing | LossKind::Reallocated | LossKind::ClaimedBy(_) => continue,
            };
        }
        let stays = |loss: &Loss| !suspect.contains_key(&loss.project) || !loss.is_concluded();
        self.of.values_mut().for_each(|losses| losses.retain(stays));
    }
}

/// Compares every lock whose cluster is not being deleted with what its project has, where that was read completely.
pub(crate) fn find(want: &Want, have: &Have, index: &Index<'_>, fleet: &FleetName, setting: &Setting<'_>) -> Losses {
    let mut losses = Losses::default();
    let mut counts: BTreeMap<&ProjectId, Count> = BTreeMap::new();
    let live = want.clusters.iter().filter_map(|(id, wanted)| Some((id, wanted.lock.as_deref()?)));
    let broken = want.orphan_locks.iter().filter(|(_, orphan)| !orphan.removed).map(|(id, orphan)| (id, &*orphan.lock));
    for (id, lock) in live.chain(broken) {
        let project = &lock.identity.project;
        if !index.is_complete(project) {
            continue;
        }
        let accepted = setting.said.is_acknowledged(Reason::Suspect, id);
        let count = counts.entry(project).or_default();
        let search =
            Search { id, lock, index, fleet, setting, partition_is_known: knows(have, &lock.identity.partition) };
        for value in committed(&lock.values) {
            count.of += 1;
            let Some(kind) = search.kind(&value) else { continue };
            // What the lock already calls lost did not go with the rest, at once.
            let counts = match kind {
                LossKind::Missing | LossKind::Gone | LossKind::Reallocated => !accepted && !search.was_lost(&value),
                LossKind::ClaimedBy(_) => false,
            };
            count.missing += usize::from(counts);
            let (cluster, project, id) = (id.clone(), project.clone(), value.id());
            losses.of.entry(cluster.clone()).or_default().push(Loss { cluster, project, slot: value.slot, id, kind });
        }
    }
    let too_many = |count: &Count| count.missing > MISSING_MIN && count.missing * SHARE > count.of;
    for (project, count) in counts.into_iter().filter(|(_, count)| too_many(count)) {
        if !setting.said.is_acknowledged(Reason::Suspect, project) {
            losses.suspect.insert(project.clone(), count.words());
        }
    }
    losses
}

/// How much of a project is missing.
#[derive(Default)]
struct Count {
    of: usize,
    missing: usize,
}

impl Count {
    fn words(&self) -> String {
        format!(
            "{} of {} committed values are missing at once; this may be another metal-api or a restored database: \
             nothing is concluded or written until they are back, or `ferrofleet ack {} <project>`",
            self.missing,
            self.of,
            Reason::Suspect
        )
    }
}

/// A partition that metal-api does not know makes nothing of it gone (R15).
fn knows(have: &Have, partition: &PartitionId) -> bool {
    have.partitions.is_empty() || have.partitions.contains(partition)
}

/// The values of one lock.
struct Search<'a> {
    id: &'a ClusterId,
    lock: &'a ClusterLock,
    index: &'a Index<'a>,
    fleet: &'a FleetName,
    setting: &'a Setting<'a>,
    partition_is_known: bool,
}

impl Search<'_> {
    /// None where it is as it was committed.
    fn kind(&self, value: &Committed) -> Option<LossKind> {
        let found = self.index.get(&self.lock.identity.project, &value.target);
        match found {
            Some(resource) if resource.is_allocation(&value.target) => {
                claimed_by(resource.tags(), self.id, self.fleet, value.origin).map(LossKind::ClaimedBy)
            }
            // R5: it was freed for its successor; the commit that says so is on its way.
            _ if self.is_replaced(value) => None,
            Some(_) => Some(LossKind::Reallocated),
            None if self.is_gone(value) => Some(LossKind::Gone),
            None => Some(LossKind::Missing),
        }
    }

    fn is_gone(&self, value: &Committed) -> bool {
        let concluded = self.setting.watch.is_gone(self.id, &value.slot, &value.target);
        // Concluded earlier, perhaps by another process, and committed.
        let ends = format!("`{}` is not in metal-api any more", value.id());
        let before = || lost_before(self.lock).any(|(slot, words)| slot == value.slot && words.ends_with(&ends));
        self.partition_is_known && (concluded || before())
    }

    fn was_lost(&self, value: &Committed) -> bool {
        lost_before(self.lock).any(|(slot, words)| slot == value.slot && names(words, &value.id()))
    }

    fn is_replaced(&self, value: &Committed) -> bool {
        let Slot::Firewall(generation) = value.slot else { return false };
        let hits = self.index.hits(&self.id.to_string(), &value.slot);
        let here = hits.iter().filter(|h| *h.project == self.lock.identity.project);
        here.filter(|h| h.is_ours(self.fleet, &value.slot)).any(|hit| match hit.resource {
            ResourceRef::Firewall(machine) => machine.phoned_home && hit.generation() > generation,
            ResourceRef::Network(_) | ResourceRef::Ip(_) => false,
        })
    }
}

/// Whom the tags name, where that is not this cluster.
fn claimed_by(had: &Tags, id: &ClusterId, fleet: &FleetName, origin: Origin) -> Option<String> {
    if let Some(mark) = had.mark() {
        // What the provider allocated may be adopted or read back.
        let engine = mark.managed_by == tags::MANAGED_BY_ENGINE;
        if mark.fleet != fleet.as_str() || (!engine && origin == Origin::Allocated) {
            return Some(format!("{} `{}`", mark.managed_by, mark.fleet));
        }
    }
    let this = id.to_string();
    // CAPMS tags machines and firewalls with the id of their node network under the cluster's key.
    let other = |value: &&str| *value != this && value.parse::<ClusterId>().is_ok();
    let keys = [tags::CLUSTER_RESOURCE, tags::CLUSTER_ID, tags::EGRESS];
    if let Some(name) = keys.iter().filter_map(|key| had.get(key)).find(other) {
        return Some(format!("cluster `{name}`"));
    }
    let services = had.iter().filter(|(key, _)| *key == tags::SERVICE).filter_map(|(_, value)| value.split_once('/'));
    services.map(|(name, _)| name).find(other).map(|name| format!("a service of cluster `{name}`"))
}

/// The condition that names lost values.
pub(crate) fn available(lost: &[(Slot, String)]) -> Option<Condition> {
    let words: Vec<&str> = lost.iter().map(|(_, words)| words.as_str()).collect();
    (!words.is_empty()).then(|| Condition::available(ConditionStatus::False, Reason::Lost, words.join(BETWEEN)))
}

const BETWEEN: &str = "; ";

/// What a lock's condition says is lost.
pub(crate) fn lost_before(lock: &ClusterLock) -> impl Iterator<Item = (Slot, &str)> {
    let said = lock.conditions.iter().filter(|c| c.kind == Condition::AVAILABLE && c.status == ConditionStatus::False);
    said.flat_map(|condition| condition.message.split(BETWEEN))
        .filter_map(|words| Some((words.split(' ').next()?.parse().ok()?, words)))
}

/// What the condition says now: of what was read, what is concluded; of what was not, what it said before.
pub(crate) fn lost(lock: &ClusterLock, is_read: bool, losses: &[Loss]) -> Vec<(Slot, String)> {
    if !is_read {
        return lost_before(lock).map(|(slot, words)| (slot, words.to_owned())).collect();
    }
    let is_said = |value: &&Committed| match value.slot {
        Slot::Network | Slot::Vip | Slot::Egress(_) => true,
        // Others replace their firewall, or the provider does.
        Slot::Firewall(_) => value.origin == Origin::Adopted,
    };
    let values = committed(&lock.values);
    let said = values.iter().filter(is_said).filter_map(|value| {
        let loss = losses.iter().find(|loss| loss.slot == value.slot)?;
        let before = || lost_before(lock).find(|(slot, words)| *slot == value.slot && names(words, &loss.id));
        let words = if loss.is_concluded() { loss.to_string() } else { before()?.1.to_owned() };
        Some((value.slot.clone(), words))
    });
    said.collect()
}

fn names(words: &str, id: &str) -> bool {
    words.contains(&format!("`{id}`"))
}
