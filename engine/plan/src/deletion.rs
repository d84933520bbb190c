//! Deletion in the phases of R2: what happens next to a cluster whose deletion is confirmed and whose definition is gone,
//! and to what its tombstone keeps. Pure; every wait is a sentence.

mod endings;
mod freeing;
mod named;
mod occupants;
mod phases;
mod tombstone;

pub use endings::endings;

use crate::budget::FreeBudget;
use crate::index::Index;
use crate::{ClusterPlan, Setting, Step};
use model::lock::{Deletion, DeletionPhase};
use model::request::Free;
use model::want::Wanted;
use model::{ClusterId, ClusterLock, CommitId, Fleet, Have, ProjectId, Reason, Slot, Timestamp, Want};
use std::collections::{BTreeMap, BTreeSet};

/// One deletion, now.
#[derive(Clone, Debug, PartialEq)]
pub struct Deleting {
    pub project: ProjectId,
    /// None for a tombstone.
    pub phase: Option<DeletionPhase>,
    pub next: Next,
    /// What is waited for, a sentence each; empty when nothing is.
    pub waits: Vec<String>,
    /// When the first of the waits is over that only time ends.
    pub until: Option<Timestamp>,
    /// What stops it until a person acts.
    pub refused: Option<(Reason, String)>,
    /// Nothing stands behind what `Plan::frees` says of it: when that is gone, the lock or the tombstone goes.
    pub ends: bool,
    /// Values whose resource was freed and allocated again by somebody: they are not ours any more and leave the lock.
    pub gone: Vec<Slot>,
}

/// What a run does next to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Wait,
    /// A commit with this phase.
    Enter(DeletionPhase),
    /// What `Plan::frees` says of it.
    Free,
    /// Nothing is left to free, or network and VIP are to be kept: the lock goes.
    End,
}

impl Deleting {
    fn new(project: &ProjectId, phase: Option<DeletionPhase>) -> Self {
        Self {
            project: project.clone(),
            phase,
            next: Next::Wait,
            waits: Vec::new(),
            until: None,
            refused: None,
            ends: false,
            gone: Vec::new(),
        }
    }

    /// Whether nothing has to come first.
    fn may_go_on(&self) -> bool {
        self.waits.is_empty() && self.refused.is_none()
    }

    fn waits_until(&mut self, time: Timestamp, sentence: String) {
        self.until = Some(self.until.map_or(time, |known| known.min(time)));
        self.waits.push(sentence);
    }

    /// The first refusal is told: the mend of one often mends the others.
    fn refuse(&mut self, reason: Reason, message: String) {
        self.refused.get_or_insert((reason, message));
    }
}

/// What deletions are decided from.
pub(crate) struct Context<'a> {
    pub(crate) want: &'a Want,
    pub(crate) have: &'a Have,
    pub(crate) fleet: &'a Fleet,
    pub(crate) index: &'a Index<'a>,
    pub(crate) setting: &'a Setting<'a>,
    pub(crate) suspect: &'a BTreeMap<ProjectId, String>,
    pub(crate) clusters: &'a BTreeMap<ClusterId, ClusterPlan>,
}

impl Context<'_> {
    /// When the present phase, or the tombstone, was committed.
    fn since(&self, id: &ClusterId) -> Option<Timestamp> {
        self.setting.said.phase_since.get(id).copied()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Decided {
    pub(crate) deletions: BTreeMap<ClusterId, Deleting>,
    pub(crate) frees: Vec<Free>,
    pub(crate) budget_left: u32,
}

/// What the lock of a live cluster says of its deletion: None where its definition does not confirm it (any more). A
/// definition that came back while its cluster was being deleted begins anew.
pub(crate) fn deletion_of(wanted: &Wanted, before: Option<&ClusterLock>, tip: Option<&CommitId>) -> Option<Deletion> {
    let wish = &wanted.effective.deletion;
    if !wish.is_confirmed {
        return None;
    }
    let before = before.and_then(|lock| lock.deletion.as_ref());
    // The commit in which it was seen stays the same: an unchanged definition changes no lock (I4).
    let confirmed_in = before.map(|deletion| deletion.confirmed_in.clone()).or_else(|| tip.cloned())?;
    let grace = wish.grace_period.value;
    Some(Deletion { confirmed_in, phase: DeletionPhase::Confirmed, grace_period: (grace.get() > 0).then_some(grace) })
}

/// The same of every live cluster. One that is blocked keeps what its lock says.
pub(crate) fn confirmed(want: &Want, setting: &Setting<'_>) -> BTreeMap<ClusterId, Deletion> {
    let of = |wanted: &Wanted| {
        let before = wanted.lock.as_deref();
        match wanted.blocked {
            Some(_) => before.and_then(|lock| lock.deletion.clone()),
            None => deletion_of(wanted, before, setting.tip),
        }
    };
    want.clusters.iter().filter_map(|(id, wanted)| Some((id.clone(), of(wanted)?))).collect()
}

pub(crate) fn decide(context: &Context<'_>) -> Decided {
    let mut budget = FreeBudget::new(context.fleet, context.setting.said);
    let mut decided = Decided { budget_left: budget.left(), ..Decided::default() };
    let locks = context.want.orphan_locks.iter().filter(|(_, orphan)| orphan.removed);
    let locks: Vec<_> =
        locks.filter_map(|(id, o)| o.lock.deletion.as_ref().map(|deletion| (id, &*o.lock, deletion))).collect();
    if locks.is_empty() && context.want.tombstones.is_empty() {
        return decided;
    }
    let taken = taken(context);
    // One cluster at a time loses its last files (R16).
    let mut is_entering = false;
    for (id, lock, deletion) in locks {
        let mut one = Deleting::new(&lock.identity.project, Some(deletion.phase));
        stop(context, id, &mut one);
        if one.may_go_on() {
            match deletion.phase {
                DeletionPhase::Confirmed => phases::confirmed(context, id, lock, &mut one),
                DeletionPhase::Removing => phases::removing(context, id, lock, &mut one, &mut is_entering),
                DeletionPhase::Freeing => {
                    let cluster = freeing::Cluster { context, id, taken: &taken };
                    cluster.lock(lock, deletion, &mut budget, &mut one, &mut decided.frees);
                }
            }
        }
        decided.deletions.insert(id.clone(), one);
    }
    for (id, (_, kept)) in &context.want.tombstones {
        // The lock of another life of the cluster: its own deletion frees all that is marked, or nobody confirmed one.
        if context.want.orphan_locks.contains_key(id) {
            continue;
        }
        let mut one = Deleting::new(&kept.identity.project, None);
        stop(context, id, &mut one);
        if one.may_go_on() {
            let cluster = freeing::Cluster { context, id, taken: &taken };
            tombstone::decide(&cluster, kept, &mut budget, &mut one, &mut decided.frees);
        }
        decided.deletions.insert(id.clone(), one);
    }
    decided
}

/// What stops a deletion before anything of it is looked at.
fn stop(context: &Context<'_>, id: &ClusterId, one: &mut Deleting) {
    let (fleet, said) = (&context.fleet.metadata.name, context.setting.said);
    if context.fleet.spec.paused {
        one.waits.push("the fleet is paused (fleet.yaml, paused)".to_owned());
        return;
    }
    if context.want.fleet_is_refused {
        one.waits.push("fleet.yaml has an error, and what it limits is not known".to_owned());
        return;
    }
    if let Some(words) = &said.rewritten {
        let reason = Reason::HistoryRewritten;
        if !said.is_acknowledged(reason, fleet) && !said.is_acknowledged(reason, id) {
            let message = format!("{words}; nothing is deleted until `ferrofleet ack {reason} {fleet}`");
            one.refuse(reason, message);
            return;
        }
    }
    let project = &one.project;
    if context.fleet.project(project).is_none() {
        let message = format!(
            "project {project} of this cluster is not listed (fleet.yaml, metal.projects), so nothing can be freed; list \
             it again"
        );
        one.refuse(Reason::ProjectNotListed, message);
    } else if let Some(words) = context.suspect.get(project).filter(|_| !said.is_acknowledged(Reason::Suspect, id)) {
        one.refuse(Reason::Suspect, words.clone());
    } else if !context.have.complete_for(project) {
        let gap = context.have.gaps_of(project).next();
        let words = gap.map_or_else(|| "it was not read".to_owned(), |gap| format!("{}: {}", gap.kind, gap.message));
        one.waits.push(format!("metal-api did not answer for project {project} ({words})"));
    }
    one.waits.extend(said.waits.get(id).cloned());
}

/// What clusters use that are not being deleted, by id, with the cluster: it is never freed, whatever its tags say.
fn taken(context: &Context<'_>) -> BTreeMap<String, ClusterId> {
    let mut taken = BTreeMap::new();
    for (id, wanted) in &context.want.clusters {
        let lock = wanted.lock.as_deref().map(|lock| named::named(&lock.values)).unwrap_or_default();
        taken.extend(lock.into_iter().map(|value| (value.target.to_string(), id.clone())));
    }
    for (id, orphan) in context.want.orphan_locks.iter().filter(|(_, o)| !(o.removed && o.lock.deletion.is_some())) {
        taken.extend(named::named(&orphan.lock.values).into_iter().map(|value| (value.target.to_string(), id.clone())));
    }
    for (id, cluster) in context.clusters {
        taken.extend(cluster.steps.iter().filter_map(Step::used).map(|resource| (resource.id(), id.clone())));
    }
    taken
}

/// The ids among these values that nobody here may free: adopted, delegated, or given in the definition.
pub(crate) fn kept(values: &model::lock::Values) -> BTreeSet<String> {
    let foreign = named::named(values).into_iter().filter(|value| !named::is_ours(value));
    foreign.map(|value| value.target.to_string()).collect()
}
