//! Want and Have to a Plan; Plan and Done to locks. Pure: no I/O, no clock, no logging.
//! A plan leaves the executor no choice; why something does not happen is data in it.
#![forbid(unsafe_code)]

mod budget;
mod capacity;
mod cluster;
mod committed;
mod deletion;
mod duplicates;
mod explain;
mod firewall;
mod generations;
mod index;
mod losses;
mod recover;
mod requests;
mod settle;
mod step;
mod suspect;
#[cfg(test)]
mod tests;
mod watch;

pub use capacity::CapacityLine;
pub use deletion::{Deleting, Next, endings};
pub use explain::{ClusterLine, PlanView, StepLine};
pub use losses::{Loss, LossKind};
pub use settle::{fill, settle};
pub use step::{ClusterPlan, Note, Step};
pub use watch::{Question, Watch};

use model::live::Seen;
use model::lock::Deletion;
use model::request::{Free, Request, Resource};
use model::{Attempt, ClusterId, CommitId, Have, ProjectId, Reason, Slot, Timestamp, Want, Wanted};
use std::collections::{BTreeMap, BTreeSet};

/// What a plan is made in: facts of this process and of the history, none of them a choice.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Drawn at process start; what carries it is our own.
    pub attempt: &'a Attempt,
    /// Clusters that the tree does not know and the history does: their marked resources are orphans, not a sign that
    /// this is a copy of another fleet.
    pub known_to_history: &'a BTreeSet<ClusterId>,
    /// Clusters whose locks landed once: theirs is never freed as a leftover, whatever became of the tree.
    pub landed: &'a BTreeSet<ClusterId>,
    pub now: Timestamp,
    /// What earlier readings showed.
    pub watch: &'a Watch,
    /// What the branch's history says.
    pub said: &'a Said,
    /// Of clusters that are being deleted and of delegated slots, where there is access to their management cluster.
    pub seen: &'a BTreeMap<ClusterId, Seen>,
    /// The same clusters where there is access and the management cluster did not answer, with its words: their deletion
    /// waits, however long it takes.
    pub unseen: &'a BTreeMap<ClusterId, String>,
    /// The commit that the tree is of; None for a mere folder.
    pub tip: Option<&'a CommitId>,
}

/// A setting without history, earlier readings and management clusters: that of a mere folder.
#[derive(Clone, Debug, Default)]
pub struct Unknown {
    clusters: BTreeSet<ClusterId>,
    watch: Watch,
    said: Said,
    seen: BTreeMap<ClusterId, Seen>,
    unseen: BTreeMap<ClusterId, String>,
}

impl Unknown {
    pub fn setting<'a>(&'a self, attempt: &'a Attempt, now: Timestamp) -> Setting<'a> {
        let Self { clusters, watch, said, seen, unseen } = self;
        let (known_to_history, landed) = (clusters, clusters);
        Setting { attempt, known_to_history, landed, now, watch, said, seen, unseen, tip: None }
    }
}

/// What the branch's history says beside its tree.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Clusters whose newest engine-owned files a person reverted: nothing is done for them until their inputs change.
    pub held: BTreeSet<ClusterId>,
    /// What people accepted, as `<condition> <subject>` (`Fleet-Ack`).
    pub acknowledged: BTreeSet<String>,
    /// What people want instead of lost values (`Fleet-Recover`).
    pub recover: BTreeMap<(ClusterId, Slot), Recover>,
    /// When the present phase of a deletion, or the tombstone, was committed.
    pub phase_since: BTreeMap<ClusterId, Timestamp>,
    /// Resources that count against `limits.freesPerHour` and were freed within the last hour.
    pub freed_within_hour: u32,
    /// Why nothing is deleted: the tip does not descend from the last engine commit.
    pub rewritten: Option<String>,
    /// What a deletion waits for beside what a plan sees, a sentence each: its output, its management cluster.
    pub waits: BTreeMap<ClusterId, String>,
}

impl Said {
    pub fn is_acknowledged(&self, reason: Reason, subject: impl std::fmt::Display) -> bool {
        self.acknowledged.contains(&format!("{reason} {subject}"))
    }
}

/// A person's answer to a lost value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recover {
    /// Exactly the same address or prefix.
    Same,
    /// Whatever metal-api gives.
    New,
}

/// What a run will do in metal-api, and why it does not do the rest.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Every cluster of the tree.
    pub clusters: BTreeMap<ClusterId, ClusterPlan>,
    /// Duplicates that may go, in the order in which they can: firewall, egress, VIP, network.
    pub frees: Vec<Free>,
    /// Two of something, where the engine may not free either.
    pub duplicates: Vec<Duplicate>,
    /// Marked resources of this fleet that no definition and no lock names; reported, never freed.
    pub orphans: Vec<Orphan>,
    /// Projects in which nothing is concluded or written (R15).
    pub suspect: BTreeMap<ProjectId, String>,
    /// Clusters whose deletion is confirmed and whose definition is gone, and tombstones.
    pub deletions: BTreeMap<ClusterId, Deleting>,
    /// What the locks say of live clusters whose deletion their definition confirms.
    pub confirmed: BTreeMap<ClusterId, Deletion>,
    /// What `limits.freesPerHour` leaves before this plan.
    pub budget_left: u32,
    /// Committed values that metal-api does not have as they were committed.
    pub losses: Vec<Loss>,
    /// Where machines are wanted, how many, and whether they are there.
    pub capacity: Vec<CapacityLine>,
    /// Part of metal-api did not answer: never green.
    pub incomplete: bool,
}

/// A resource beside the one that fills a slot, kept for a reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duplicate {
    pub cluster: ClusterId,
    pub slot: Slot,
    pub id: String,
    pub why_kept: &'static str,
    /// Time may change it: it is looked at again.
    pub waits: bool,
}

impl Duplicate {
    /// One that could go, of a cluster that nobody defines any more.
    fn without_definition(free: Free) -> Self {
        let id = free.target.to_string();
        Self { cluster: free.cluster, slot: free.slot, id, why_kept: "the cluster has no definition", waits: false }
    }
}

/// A marked resource without definition and lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    pub project: ProjectId,
    pub cluster: String,
    pub slot: Slot,
    pub id: String,
}

impl Plan {
    /// Whether the plan allocates or frees: then the claim is needed.
    pub fn writes_metal(&self) -> bool {
        !self.frees.is_empty() || self.allocations().next().is_some()
    }

    /// Takes back what would be allocated for a cluster, for a reason that only the executor knows.
    pub fn postpone(&mut self, cluster: &ClusterId, reason: Reason, message: &str) {
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.postpone(reason, message);
        }
    }

    /// What stands beside what a cluster's slots are filled with: what is replaced goes (R5), duplicates go or are said.
    fn beside(&mut self, id: &ClusterId, wanted: &Wanted, cluster: &ClusterPlan, search: &duplicates::Search<'_>) {
        let is_paused = is_blocked_by(cluster, Reason::Paused);
        let replaced = replaced(id, wanted, cluster, search);
        let gone = replaced.iter().chain(&cluster.frees).map(|free| free.target.to_string());
        let used = cluster.steps.iter().filter_map(Step::used).map(Resource::id);
        let spared: BTreeSet<String> = gone.chain(used).collect();
        self.frees.extend(replaced.into_iter().filter(|_| !is_paused));
        self.frees.extend(cluster.frees.iter().cloned());
        if let Some(lock) = wanted.lock.as_deref() {
            let found = duplicates::find(id, lock, search, &spared);
            self.frees.extend(found.frees);
            self.duplicates.extend(found.kept);
        }
    }

    pub fn allocations(&self) -> impl Iterator<Item = (&ClusterId, &Slot, &Request)> {
        self.clusters.iter().flat_map(|(id, cluster)| {
            cluster.steps.iter().filter_map(move |step| match step {
                Step::Allocate { slot, request } => Some((id, slot, &**request)),
                Step::Keep { .. } | Step::Delegate { .. } | Step::Use { .. } | Step::Refuse { .. } => None,
            })
        })
    }
}

fn is_blocked_by(cluster: &ClusterPlan, reason: Reason) -> bool {
    cluster.blocked.as_ref().is_some_and(|blocked| blocked.reason == reason)
}

/// The firewalls of a cluster with a definition that a younger one replaced (R5).
fn replaced(id: &ClusterId, wanted: &Wanted, cluster: &ClusterPlan, search: &duplicates::Search<'_>) -> Vec<Free> {
    let mut kept = wanted.lock.as_deref().map(|lock| deletion::kept(&lock.values)).unwrap_or_default();
    kept.extend(cluster.steps.iter().filter_map(Step::adopted).map(Resource::id));
    generations::replaced(search.index, search.fleet, id, &wanted.identity.project, &kept)
}

/// A pause or a hold stops this free too, and it costs connections.
fn live_beside(free: &Free) -> Note {
    let Free { slot, target, why, .. } = free;
    let message = format!(
        "two firewalls are live, so inbound connections may break: {slot} `{target}` was {why}, and it is freed when the \
         cluster goes on"
    );
    Note::new(Reason::Duplicate, message)
}

/// Decides for every cluster and slot. Total: whatever is missing becomes a reason.
pub fn plan(want: &Want, have: &Have, setting: &Setting<'_>) -> Plan {
    let Some(fleet) = want.fleet.as_deref() else { return Plan::default() };
    let name = &fleet.metadata.name;
    let index = index::Index::new(have);
    let mut plan = Plan { incomplete: !have.gaps.is_empty(), ..Plan::default() };
    let strays = suspect::strays(want, have, &index, name, setting);
    let mut losses = losses::find(want, have, &index, name, setting);
    plan.suspect = std::mem::take(&mut losses.suspect);
    plan.suspect.extend(strays.suspect);
    plan.orphans = strays.orphans;
    losses.doubt(&plan.suspect);
    let replacing = generations::replacing(want, &index, name, have.server_time.unwrap_or(setting.now));
    let mut budget = requests::Budget::new(want, fleet, replacing);
    let search = duplicates::Search { have, index: &index, fleet: name, now: setting.now };
    for (id, wanted) in &want.clusters {
        let project = &wanted.identity.project;
        let losses = losses.of(id);
        let is_refused = want.fleet_is_refused;
        let context = cluster::Context {
            wanted,
            have,
            fleet: name,
            fleet_is_refused: is_refused,
            index: &index,
            setting,
            losses,
        };
        let mut cluster = cluster::decide(&context, plan.suspect.get(project), &mut budget);
        // A list that is missing would make a network look empty.
        if index.is_complete(project) && !plan.suspect.contains_key(project) {
            let is_held = is_blocked_by(&cluster, Reason::HeldAfterRevert);
            if is_held || is_blocked_by(&cluster, Reason::Paused) {
                cluster.notes.extend(replaced(id, wanted, &cluster, &search).iter().map(live_beside));
            }
            if !is_held && !setting.said.held.contains(id) {
                plan.beside(id, wanted, &cluster, &search);
            }
        }
        plan.clusters.insert(id.clone(), cluster);
    }
    for (id, orphan) in &want.orphan_locks {
        // A deletion frees all that is marked by itself.
        let is_deleted = orphan.removed && orphan.lock.deletion.is_some();
        if !is_deleted && !plan.suspect.contains_key(&orphan.lock.identity.project) {
            let project = &orphan.lock.identity.project;
            let mut spared = BTreeSet::new();
            if index.is_complete(project) {
                // R5 waits for no definition to be mended or put back: it ends what was begun.
                let replaced = generations::replaced(&index, name, id, project, &deletion::kept(&orphan.lock.values));
                spared.extend(replaced.iter().map(|free| free.target.to_string()));
                plan.frees.extend(replaced);
            }
            let found = duplicates::find(id, &orphan.lock, &search, &spared);
            plan.duplicates.extend(found.kept);
            plan.duplicates.extend(found.frees.into_iter().map(Duplicate::without_definition));
        }
    }
    plan.losses = losses.of.into_values().flatten().collect();
    plan.losses.sort();
    let context = deletion::Context {
        want,
        have,
        fleet,
        index: &index,
        setting,
        suspect: &plan.suspect,
        clusters: &plan.clusters,
    };
    let deletion::Decided { deletions, frees, budget_left } = deletion::decide(&context);
    (plan.deletions, plan.budget_left) = (deletions, budget_left);
    plan.frees.extend(frees);
    plan.confirmed = deletion::confirmed(want, setting);
    capacity::tell(want, have, &mut plan);
    plan.frees.extend(strays.own.into_iter().filter(|f| !plan.suspect.contains_key(&f.project)));
    if fleet.spec.paused {
        plan.frees.clear();
    }
    // What stands in a network goes before the network.
    plan.frees.sort_by(|a, b| b.slot.cmp(&a.slot).then_with(|| a.cluster.cmp(&b.cluster)));
    plan
}
