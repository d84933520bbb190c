//! What a run came to, for people, exit codes and the dashboard.

use git::Oid;
use model::lock::Ending;
use model::request::{Done, Outcome};
use model::want::{OrphanLock, Wanted};
use model::{ClusterId, ClusterLock, Finding, Have, Reason, Timestamp, Want};
use plan::{ClusterPlan, Deleting, Plan, Step};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One pass over a fleet, or several when they were joined.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    pub tip: Option<Oid>,
    /// The output's own branch, where it has one.
    pub output_tip: Option<Oid>,
    /// What this engine pushed, oldest first.
    pub commits: Vec<Commit>,
    pub clusters: BTreeMap<ClusterId, ClusterState>,
    pub findings: Vec<Finding>,
    /// The last plan, as it was after everything was carried out.
    pub plan: Plan,
    /// When the present phases of deletions, and tombstones, were committed.
    pub phase_since: BTreeMap<ClusterId, Timestamp>,
    /// Part of metal-api did not answer.
    pub incomplete: bool,
    /// Something can change by itself: look again after this.
    pub due: Option<Due>,
    /// The first that a run which is to end may wait for.
    pub work: Option<Due>,
}

#[derive(Clone, Debug)]
pub struct Commit {
    pub id: Oid,
    pub title: String,
    pub clusters: Vec<ClusterId>,
}

/// When to look again, and whether a run that is to end may wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub after: Duration,
    /// False for hardware: nobody waits for a phone-home.
    pub is_work: bool,
    /// Waits for a claim to be free or for its time to pass, however long that takes.
    pub for_claim: bool,
    /// False where only a management cluster is looked at.
    pub reads_metal: bool,
}

/// Where one cluster stands.
#[derive(Clone, Debug)]
pub struct ClusterState {
    pub path: String,
    pub phase: Phase,
    pub lock: Option<Arc<ClusterLock>>,
    pub problem: Option<(Reason, String)>,
    /// What else there is to know; it fails nothing.
    pub notes: Vec<(Reason, String)>,
    /// Of the firewall that the lock names, where metal-api shows it; never in Git.
    pub firewall_ready: Option<bool>,
    /// The commit of this process that changed it last.
    pub commit: Option<Oid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Phase {
    /// Nothing is known yet.
    Defined,
    /// Some values are known.
    Resolving,
    /// All values are known; the output is not there yet.
    Resolved,
    /// Lock and output are at the tip.
    Rendered,
    /// Its deletion was confirmed and its definition is gone.
    Deleting,
}

impl ClusterState {
    /// Complete, or not meant to be.
    pub fn is_settled(&self) -> bool {
        use model::condition::ReasonKind;
        let intended = |reason: Reason| reason.kind() == ReasonKind::Intended;
        match &self.problem {
            Some((reason, _)) => intended(*reason),
            None => self.phase == Phase::Rendered,
        }
    }
}

impl Ran {
    /// What `run --once` exits 0 for: every definition has a complete lock and current output at the tip.
    pub fn is_complete(&self) -> bool {
        !self.findings.iter().any(Finding::is_error) && self.clusters.values().all(ClusterState::is_settled)
    }

    /// Takes what a later pass over the same fleet came to.
    pub fn then(self, later: Self) -> Self {
        let mut commits = self.commits;
        commits.extend(later.commits);
        let mut ran = Self { commits, ..later };
        for (id, state) in &mut ran.clusters {
            let before = self.clusters.get(id).and_then(|s| s.commit);
            state.commit = state.commit.or(before);
        }
        ran
    }
}

/// The state of one cluster after a pass whose commit, if it made one, landed.
pub(crate) fn state(
    wanted: &Wanted,
    plan: &ClusterPlan,
    done: &Done,
    have: &Have,
    lock: Option<Arc<ClusterLock>>,
) -> ClusterState {
    let problem = match &plan.blocked {
        Some(blocked) => Some((blocked.reason, blocked.message.clone())),
        None => plan.steps.iter().filter(|step| !plan.is_beside(step)).find_map(|step| open(wanted, step, done)),
    };
    let phase = match &lock {
        None => Phase::Defined,
        Some(lock) if !render::complete(wanted, lock) => Phase::Resolving,
        Some(_) if plan.blocked.is_none() => Phase::Rendered,
        Some(_) => Phase::Resolved,
    };
    let firewall_ready = lock.as_ref().and_then(|lock| firewall_ready(lock, have));
    let outcomes = done.slots.get(&wanted.id).map(Vec::as_slice).unwrap_or_default();
    let notes = plan.notes_with(outcomes).into_iter().map(|note| (note.reason, note.message)).collect();
    ClusterState { path: wanted.path.clone(), phase, lock, problem, notes, firewall_ready, commit: None }
}

/// The state of a cluster that is being deleted, or of which a tombstone is left.
pub(crate) fn state_of_deletion(
    want: &Want,
    id: &ClusterId,
    deleting: &Deleting,
    ending: Option<&Ending>,
) -> ClusterState {
    let orphan = want.orphan_locks.get(id);
    let (path, lock) = match ending {
        Some(Ending::Lock { path, lock }) => (path.clone(), Some(Arc::new((**lock).clone()))),
        Some(Ending::Tombstone(_) | Ending::Nothing) => (String::new(), None),
        None => (orphan.map(|orphan| orphan.path.clone()).unwrap_or_default(), orphan.map(|o| o.lock.clone())),
    };
    let of_tombstone = || want.tombstones.get(id).map(|(path, _)| path.clone()).unwrap_or_default();
    let path = if path.is_empty() { of_tombstone() } else { path };
    let waits = || match &deleting.waits[..] {
        [] => "it goes on by itself".to_owned(),
        waits => waits.join("; "),
    };
    let problem = deleting.refused.clone().unwrap_or_else(|| (Reason::Deleting, waits()));
    let (phase, problem) = (Phase::Deleting, Some(problem));
    ClusterState { path, phase, lock, problem, notes: Vec::new(), firewall_ready: None, commit: None }
}

/// The state of a cluster of which only the lock can be read.
pub(crate) fn state_of_lock(orphan: &OrphanLock, have: &Have) -> ClusterState {
    let message = "its definition cannot be read or resolved; the findings say why".to_owned();
    ClusterState {
        path: orphan.path.clone(),
        phase: Phase::Resolved,
        firewall_ready: firewall_ready(&orphan.lock, have),
        lock: Some(orphan.lock.clone()),
        problem: Some((Reason::InvalidDefinition, message)),
        notes: Vec::new(),
        commit: None,
    }
}

fn firewall_ready(lock: &ClusterLock, have: &Have) -> Option<bool> {
    let id = &lock.values.firewall.as_ref()?.id;
    let machine = have.projects.get(&lock.identity.project)?.firewalls.iter().find(|m| m.id == *id)?;
    Some(machine.phoned_home && machine.alive && !machine.crash_loop)
}

/// Why a slot is not filled.
fn open(wanted: &Wanted, step: &Step, done: &Done) -> Option<(Reason, String)> {
    let slot = match step {
        Step::Keep { .. } | Step::Delegate { .. } | Step::Use { .. } => return None,
        Step::Refuse { reason, message, .. } => return Some((*reason, message.clone())),
        Step::Allocate { slot, .. } => slot,
    };
    let outcomes = done.slots.get(&wanted.id).map(Vec::as_slice).unwrap_or_default();
    match outcomes.iter().find(|(s, _)| s.same(slot)).map(|(_, outcome)| outcome) {
        Some(Outcome::Filled { .. }) => None,
        Some(Outcome::Refused { reason, message }) => Some((*reason, format!("{slot}: {message}"))),
        Some(Outcome::Unknown { message }) => Some((Reason::OutcomeUnknown, format!("{slot}: {message}"))),
        Some(Outcome::Waiting { on }) => Some((Reason::MetalUnreachable, format!("{slot} waits for {on}"))),
        None => Some((Reason::ClaimHeld, format!("{slot} waits for the claim"))),
    }
}
