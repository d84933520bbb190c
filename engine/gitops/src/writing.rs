//! What a pass writes: to metal-api under the claim, and to the remote.

use crate::coming::allocates_beside;
use crate::engine::Engine;
use crate::error::RunError;
use crate::outcome::Commit;
use crate::pass::Decided;
use crate::remote::Remote;
use git::{Expect, Oid, Push};
use metal_api::Metal;
use model::request::{Done, Free, FreeOutcome, Outcome};
use model::{ClusterId, Slot};
use plan::Plan;
use tokio::time::Instant;

/// A deletion frees kind after kind; more than there are kinds would be a mistake.
const ROUNDS_MAX: usize = 8;

/// What came of a push.
pub(crate) enum Landed {
    Yes,
    Stale,
}

impl<M: Metal + 'static> Engine<M> {
    /// Allocates and frees, lists once more, and plans on what is there now. What a free made possible is freed in the
    /// same run; nothing is allocated twice.
    pub(crate) async fn write_metal(&mut self, decided: &mut Decided) -> Result<Done, RunError> {
        let mut done = Done::default();
        for round in 0..ROUNDS_MAX {
            let Some(held) = self.held.as_ref().filter(|_| decided.plan.writes_metal()) else { break };
            let Some(fleet) = decided.view.want.fleet.as_deref() else { break };
            let executor = allocate::Executor {
                metal: std::sync::Arc::new(self.door(&decided.view)?),
                gate: held.gate(),
                fleet: fleet.metadata.name.clone(),
                attempt: self.options.attempt.clone(),
                calls: self.calls.guard(),
            };
            let may_free = held.may_free();
            self.writing(true);
            if round == 0 {
                done = executor.carry_out(&decided.view.want, &decided.plan).await;
                self.note_refusals(&decided.plan, &done);
            }
            let (tries, mut freed) = (untried(&decided.plan, &done), Done::default());
            if may_free && !tries.frees.is_empty() && self.is_at(decided.view.tip).await? {
                executor.free(&tries, &mut freed).await;
            }
            self.writing(false);
            let is_to_be_said = |(free, outcome): &&(Free, FreeOutcome)| free.why.is_counted() && is_freed(outcome);
            self.freed.extend(freed.frees.iter().filter(is_to_be_said).cloned());
            let is_gone = |outcome: &FreeOutcome| matches!(outcome, FreeOutcome::Freed | FreeOutcome::Gone);
            let goes_on = !freed.frees.is_empty() && freed.frees.iter().all(|(_, outcome)| is_gone(outcome));
            done.frees.extend(freed.frees);
            if round == 0 {
                let unknown = |(_, outcome): &(model::Slot, Outcome)| matches!(outcome, Outcome::Unknown { .. });
                for (id, _) in done.slots.iter().filter(|(_, outcomes)| outcomes.iter().any(unknown)) {
                    self.unknown.insert(id.clone(), Instant::now());
                }
            }
            let have = self.have_again(&decided.view, &decided.plan).await?;
            let listed = self.decide(decided.view.clone(), have).await?;
            // What this very run allocated is known even when the second list did not answer.
            let gap = |id: &ClusterId| listed.plan.clusters.get(id).is_none_or(|c| c.blocked.is_some());
            let lost_sight = done.slots.keys().any(gap);
            decided.have = listed.have;
            if lost_sight {
                break;
            }
            (decided.plan, decided.notes) = (listed.plan, listed.notes);
            if !goes_on || untried(&decided.plan, &done).frees.is_empty() {
                break;
            }
        }
        self.count(&done);
        Ok(done)
    }

    /// What was refused beside what serves is not tried in every pass (I4).
    fn note_refusals(&mut self, plan: &Plan, done: &Done) {
        let beside = |id: &&ClusterId| plan.clusters.get(*id).is_some_and(allocates_beside);
        for id in done.slots.keys().filter(beside) {
            let outcomes = done.slots[id].iter().filter(|(slot, _)| matches!(slot, Slot::Firewall(_)));
            for (_, outcome) in outcomes {
                match outcome {
                    Outcome::Refused { reason, message } => {
                        self.refusals.refused(id, *reason, message, self.options.metal_interval);
                    }
                    Outcome::Filled { .. } => self.refusals.filled(id),
                    Outcome::Unknown { .. } | Outcome::Waiting { .. } => {}
                }
            }
        }
    }

    async fn is_at(&self, tip: Oid) -> Result<bool, RunError> {
        Ok(self.remote.tip().await? == Some(tip))
    }

    /// Pushes a commit, and notes it where it landed.
    pub(crate) async fn land(&mut self, remote: &Remote, commit: Commit, expect: Expect) -> Result<Landed, RunError> {
        self.writing(true);
        let pushed = self.push(remote, commit.id, expect).await;
        self.writing(false);
        let landed = pushed?;
        if let Landed::Yes = landed {
            tracing::info!(commit = %commit.id, clusters = commit.clusters.len(), "{}", commit.title);
            self.landed.push(commit);
        }
        Ok(landed)
    }

    pub(crate) async fn push(&mut self, remote: &Remote, commit: Oid, expect: Expect) -> Result<Landed, RunError> {
        for retry in [true, false] {
            let name = remote.branch_ref();
            let pushed = remote.call(move |repo| Ok(repo.push(commit, &name, expect))).await?;
            match pushed {
                Push::Landed => {
                    self.counters.pushes_landed += 1;
                    return Ok(Landed::Yes);
                }
                Push::Stale { .. } => {
                    self.counters.pushes_stale += 1;
                    return Ok(Landed::Stale);
                }
                Push::Unknown(words) => {
                    self.counters.pushes_unknown += 1;
                    tracing::debug!(words, "the outcome of the push is unknown; reading the branch");
                    return self.landed(remote, commit).await;
                }
                // Credentials are read again at every try: they may just have been rotated.
                Push::Refused(refusal) if refusal.is_auth() && retry => {}
                Push::Refused(refusal) => {
                    self.counters.pushes_refused += 1;
                    let branch = remote.branch().to_owned();
                    return Err(RunError::PushRefused { branch, refusal });
                }
            }
        }
        Ok(Landed::Stale)
    }

    /// Ours or a descendant at the branch is success.
    async fn landed(&mut self, remote: &Remote, commit: Oid) -> Result<Landed, RunError> {
        let Some(tip) = remote.tip().await? else { return Ok(Landed::Stale) };
        let name = remote.branch_ref();
        let ours = remote.call(move |repo| repo.fetch_ref(&name, tip).and_then(|()| repo.is_ancestor(commit, tip)));
        Ok(if ours.await? { Landed::Yes } else { Landed::Stale })
    }
}

/// What a plan frees and this run did not try: metal-api may show for a while what was freed.
fn untried(plan: &Plan, done: &Done) -> Plan {
    let is_tried = |free: &&Free| done.frees.iter().any(|(tried, _)| tried.target == free.target);
    Plan { frees: plan.frees.iter().filter(|free| !is_tried(free)).cloned().collect(), ..Plan::default() }
}

fn is_freed(outcome: &FreeOutcome) -> bool {
    *outcome == FreeOutcome::Freed
}
