//! What a pass came to: where each cluster stands, and when to look again.

use crate::draft::Settling;
use crate::due::{Open, RETRY, Waiting, soonest};
use crate::engine::Engine;
use crate::outcome::{ClusterState, Due, Phase, state, state_of_deletion, state_of_lock};
use crate::pass::Claimed;
use crate::seeing::Shown;
use metal_api::Metal;
use model::condition::ReasonKind;
use model::lock::Ending;
use model::request::{FreeOutcome, FreeReason};
use model::{ClusterId, ClusterLock, Have, Reason, Wanted};
use plan::{Loss, LossKind, Note};
use render::Edited;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What becomes of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is committed.
    Runs,
    /// It stays undone, which is said of each cluster (`--observe`).
    Observes,
    /// It is shown as a plan.
    Plans,
}

/// The values of one pass that its report is made of.
pub(crate) struct Ended<'a> {
    pub(crate) settling: &'a Settling,
    pub(crate) have: &'a Have,
    pub(crate) edited: &'a Edited,
    pub(crate) claim: &'a Claimed,
    pub(crate) notes: &'a BTreeMap<ClusterId, Note>,
    pub(crate) mode: Mode,
}

impl<M: Metal + 'static> Engine<M> {
    /// Where each cluster stands after the pass, whose commit, if it made one, landed.
    pub(crate) fn states(&self, ended: &Ended<'_>) -> BTreeMap<ClusterId, ClusterState> {
        let Settling { view, plan, done, locks, endings, .. } = ended.settling;
        let mut losses: BTreeMap<&ClusterId, Vec<&Loss>> = BTreeMap::new();
        for loss in &plan.losses {
            losses.entry(&loss.cluster).or_default().push(loss);
        }
        let mut clusters = BTreeMap::new();
        for (id, cluster) in &plan.clusters {
            let Some(wanted) = view.want.clusters.get(id) else { continue };
            let landed = locks.get(id).filter(|_| ended.mode == Mode::Runs).cloned().map(Arc::new);
            let lock = landed.or_else(|| wanted.lock.clone());
            let mut state = state(wanted, cluster, done, ended.have, lock);
            state.problem = state.problem.take().and_then(|problem| ended.problem(problem));
            ended.add_edit(id, &mut state);
            state.notes.extend(ended.notes.get(id).map(|note| (note.reason, note.message.clone())));
            state
                .notes
                .extend(confirmed(wanted, state.lock.as_deref()).map(|words| (Reason::DeletionConfirmed, words)));
            add_losses(&mut state, losses.get(id).map(Vec::as_slice).unwrap_or_default());
            clusters.insert(id.clone(), state);
        }
        for (id, orphan) in view.want.orphan_locks.iter().filter(|(_, orphan)| !orphan.removed) {
            clusters.entry(id.clone()).or_insert_with(|| state_of_lock(orphan, ended.have));
        }
        for (id, deleting) in &plan.deletions {
            let ending = endings.get(id).filter(|_| ended.mode == Mode::Runs);
            if !matches!(ending, Some(Ending::Nothing)) {
                let mut state = state_of_deletion(&view.want, id, deleting, ending);
                ended.add_edit(id, &mut state);
                if ended.mode == Mode::Observes && deleting.waits.is_empty() && deleting.refused.is_none() {
                    state.problem = Some((Reason::Observing, "its deletion would go on".to_owned()));
                }
                clusters.entry(id.clone()).or_insert(state);
            }
        }
        for (id, state) in &mut clusters {
            state.commit = self.landed.iter().rfind(|commit| commit.clusters.contains(id)).map(|commit| commit.id);
        }
        clusters
    }

    /// When to look again (design, "The engine's loop"): at all, and as a run that is to end.
    pub(crate) fn dues(
        &mut self,
        ended: &Ended<'_>,
        shown: &Shown,
        clusters: &BTreeMap<ClusterId, ClusterState>,
    ) -> (Option<Due>, Option<Due>) {
        let Settling { plan, done, .. } = ended.settling;
        let mut open = Open::default();
        let may_not_free_yet = !plan.frees.is_empty() && self.held.as_ref().is_some_and(|held| !held.may_free());
        if matches!(ended.claim, Claimed::Others) || may_not_free_yet {
            open.claim = Some(self.jitter(Duration::from_secs(1).min(self.options.claim_time / 4)));
        }
        let left = |since: &tokio::time::Instant| self.options.unknown_wait().saturating_sub(since.elapsed());
        open.unknown = self.unknown.values().map(left).min();
        let waits = |(reason, _): &(Reason, String)| match reason {
            Reason::OutcomeUnknown => self.unknown.is_empty(),
            reason => reason.kind() == ReasonKind::Waiting,
        };
        let refused = clusters.values().any(|c| c.problem.as_ref().is_some_and(waits));
        let not_freed =
            done.frees.iter().any(|(_, o)| matches!(o, FreeOutcome::NotYet { .. } | FreeOutcome::Failed { .. }));
        let duplicates = !plan.frees.is_empty() || plan.duplicates.iter().any(|d| d.waits) || not_freed;
        let observes = ended.mode == Mode::Observes;
        if (refused || duplicates) && !observes {
            self.retries = self.retries.saturating_add(1);
            let doubled = RETRY.saturating_mul(1 << self.retries.saturating_sub(1).min(20));
            open.retry = Some(self.jitter(doubled.min(self.options.metal_interval)));
        } else {
            self.retries = 0;
        }
        open.firewall = self.coming.any || self.coming.replaces;
        open.beside = self.refusals.due().filter(|_| !observes).map(|after| self.jitter(after));
        let (now, is_freed) = (self.clock.now(), |id: &ClusterId| {
            let of = |(free, outcome): &(model::request::Free, FreeOutcome)| {
                free.cluster == *id && free.why == FreeReason::Deletion && *outcome == FreeOutcome::Freed
            };
            done.frees.iter().any(of)
        });
        let due = |(id, deleting)| {
            let has_cluster = shown.seen.get(id).map(|seen| seen.has_cluster).or(shown.silent.get(id).map(|_| true));
            Waiting { deleting, has_cluster, freed: is_freed(id) }.due(now)
        };
        open.deletions = plan.deletions.iter().filter_map(due).collect();
        let dues = open.dues();
        (soonest(dues.iter().copied()), soonest(dues.into_iter().filter(|due| due.is_work)))
    }
}

impl Ended<'_> {
    /// A problem as this engine has it: whoever only looks waits for no claim.
    fn problem(&self, problem: (Reason, String)) -> Option<(Reason, String)> {
        let (reason, message) = problem;
        match (reason, self.mode, self.claim) {
            (Reason::ClaimHeld, Mode::Observes, _) => {
                Some((Reason::Observing, message.replace("waits for the claim", "would be allocated")))
            }
            (Reason::ClaimHeld, Mode::Plans, _) => None,
            (Reason::ClaimHeld, Mode::Runs, Claimed::Never(words)) => {
                let message = format!(
                    "the remote refuses claims, so nothing is allocated: {words}; allow refs/ferrofleet/claim/*, or say \
                     --single-writer if this engine is the only one"
                );
                Some((Reason::ClaimRefused, message))
            }
            _ => Some((reason, message)),
        }
    }

    /// What the edit says of the cluster.
    fn add_edit(&self, id: &ClusterId, state: &mut ClusterState) {
        if let Some(path) = self.edited.obstructed.get(id) {
            let message = format!("`{path}` lies where the engine must write a folder or the lock; move it away");
            state.problem = Some((Reason::InvalidDefinition, message));
        }
        if let (Some(kept), None) = (self.edited.outdated.get(id), &state.problem) {
            state.problem = Some((Reason::RenderOutdated, format!("kept as committed: {}", kept.join(", "))));
        }
        if self.mode == Mode::Runs || self.edited.changed.binary_search(id).is_err() {
            return;
        }
        if state.phase == Phase::Rendered {
            state.phase = Phase::Resolved;
        }
        if self.mode == Mode::Observes && state.problem.is_none() {
            state.problem = Some((Reason::Observing, "its files would be committed".to_owned()));
        }
    }
}

/// What a confirmed deletion means now: only what the lock says, too, deletes the cluster.
fn confirmed(wanted: &Wanted, lock: Option<&ClusterLock>) -> Option<String> {
    let path = &wanted.path;
    wanted.effective.deletion.is_confirmed.then(|| match lock.and_then(|lock| lock.deletion.as_ref()) {
        Some(_) => format!("removing `{path}` deletes the cluster"),
        None => {
            format!("`{path}` confirms the deletion and the lock does not say so yet: removing it now deletes nothing")
        }
    })
}

/// What is concluded is a problem; what is merely missing is a note.
fn add_losses(state: &mut ClusterState, losses: &[&Loss]) {
    for Loss { slot, id, kind, .. } in losses {
        let concluded = match kind {
            LossKind::Missing => {
                let message =
                    format!("{slot} `{id}` is not in the last reading of metal-api; nothing is concluded yet");
                state.notes.push((Reason::Lost, message));
                continue;
            }
            LossKind::Gone => "is not in metal-api any more".to_owned(),
            LossKind::Reallocated => "was freed and allocated again, by whom is not known".to_owned(),
            LossKind::ClaimedBy(other) => format!("is tagged for {other} now"),
        };
        let message = format!("{slot} `{id}` {concluded}; `ferrofleet recover` answers that");
        match &state.problem {
            None => state.problem = Some((Reason::Lost, message)),
            Some(_) => state.notes.push((Reason::Lost, message)),
        }
    }
}

#[cfg(test)]
mod tests;
