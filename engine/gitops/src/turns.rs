//! Turns of the loop: passes, started over while the tip moves, until nothing is left to do or the process is to end.

use crate::due::FIREWALL;
use crate::engine::Engine;
use crate::error::RunError;
use crate::outcome::Ran;
use crate::pass::Passed;
use crate::trigger::Triggers;
use git::Oid;
use metal_api::Metal;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A lost race is started over on the new tip this often, or for this long, whichever comes first.
const TRIES: u32 = 8;
const TRYING: Duration = Duration::from_secs(10);

/// How long a run that is to end waits for what is due again.
const DUE_WAIT: Duration = Duration::from_secs(15);

/// What the remotes are at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tips {
    definitions: Oid,
    /// None also where the output is beside the definitions.
    output: Option<Oid>,
}

/// The remote refused a commit on this tip: tried again when the tip moves, and at every reading of metal-api.
pub(crate) struct Stalled {
    tips: Tips,
    since: Instant,
    branch: String,
    refusal: git::Refusal,
}

/// What the last turn came to: nothing is left to do on this tip, or not yet.
pub(crate) struct Settled {
    tips: Tips,
    /// Something can change by itself: nothing is asked again before.
    due_at: Option<Instant>,
    /// What is due is seen in metal-api.
    reads_metal: bool,
    ran: Arc<Ran>,
}

impl Settled {
    fn of(ran: Arc<Ran>) -> Self {
        let due_at = ran.due.map(|due| Instant::now() + due.after);
        let reads_metal = ran.due.is_some_and(|due| due.reads_metal);
        let tips = Tips { definitions: ran.tip.unwrap_or(Oid([0; 20])), output: ran.output_tip };
        Self { tips, due_at, reads_metal, ran }
    }
}

impl<M: Metal + 'static> Engine<M> {
    /// Passes until nothing is left that does not wait for hardware, time or a person, at most `limit`, or until
    /// `stop`. The claim is released whatever comes.
    pub async fn run_once(&mut self, limit: Duration, stop: impl Future<Output = ()>) -> Result<Ran, RunError> {
        let ended = tokio::select! {
            ended = tokio::time::timeout(limit, self.until_done()) => ended.map_err(|_| RunError::TimedOut { limit }),
            () = stop => Err(RunError::Stopped),
        };
        self.release().await;
        match ended {
            Ok(ran) => ran,
            // What a pass came to says more than that there was no time for another.
            Err(why @ RunError::TimedOut { .. }) => self.settled.take().map(|s| Arc::unwrap_or_clone(s.ran)).ok_or(why),
            Err(why) => Err(why),
        }
    }

    async fn until_done(&mut self) -> Result<Ran, RunError> {
        let mut so_far = Ran::default();
        let mut waiting_since: Option<Instant> = None;
        loop {
            let ran = match self.turn().await {
                // The branch is busy, and the time that this run was given is not over.
                Err(RunError::Outraced { .. }) => continue,
                turned => turned?,
            };
            let due = ran.work;
            let pushed = !ran.commits.is_empty();
            so_far = so_far.then(ran);
            self.settled = Some(Settled::of(Arc::new(so_far.clone())));
            // Its own commit may have made duplicates visible, and a person may have pushed: look once more.
            if pushed {
                waiting_since = None;
                continue;
            }
            if self.calls.is_open() {
                // What a late answer brought is found by its tags.
                std::mem::take(&mut self.calls).ended().await;
                self.have = None;
                continue;
            }
            let since = *waiting_since.get_or_insert_with(Instant::now);
            match due {
                Some(due) if due.for_claim || since.elapsed() + due.after <= DUE_WAIT + Duration::from_secs(1) => {
                    tokio::time::sleep(due.after).await;
                }
                Some(_) | None => {
                    let is_free_now = !self.options.observe && self.sweep_claims().await?;
                    if !is_free_now || so_far.plan.frees.is_empty() {
                        return Ok(so_far);
                    }
                }
            }
            self.have = None;
        }
    }

    /// Waits until a claim that nobody renews ran out, and deletes it: true when it did. One that changes is somebody's
    /// at work.
    async fn sweep_claims(&mut self) -> Result<bool, RunError> {
        while self.held.is_none()
            && let Some(claim) = self.claims.others()
        {
            let Some(left) = self.claims.sweep().await? else { return Ok(true) };
            tokio::time::sleep(left).await;
            self.look().await?;
            if self.claims.others() != Some(claim) {
                break;
            }
        }
        Ok(false)
    }

    /// The branch's commit now; the claim is looked at in the same request, and so is the output's branch where it is
    /// in the same repository.
    async fn look(&mut self) -> Result<Tips, RunError> {
        let place = self.placed.as_ref().and_then(|(_, place)| place.clone());
        let beside = place.as_ref().filter(|place| place.is_beside()).map(|place| place.remote.branch_ref());
        let others = std::iter::once(self.claims.name()).chain(beside).collect();
        let (tip, others) = self.remote.tip_and(others).await?;
        let (claim, beside) = (others.first().copied().flatten(), others.get(1).copied().flatten());
        if self.held.is_none() {
            self.claims.note(claim);
        }
        let output = match place.filter(|place| !place.is_beside()) {
            Some(place) => place.remote.tip().await?,
            None => beside,
        };
        Ok(Tips { definitions: tip.ok_or_else(|| self.branch_missing())?, output })
    }

    /// Turns of the loop until `triggers` end; the claim is released between turns and at the end.
    pub async fn run(&mut self, mut triggers: Triggers) {
        loop {
            let result = tokio::select! {
                result = self.looked() => result,
                () = triggers.stopped() => break,
            };
            self.release().await;
            self.count_git().await;
            let due = self.report(result);
            let stopped = triggers.wait(self.jitter(self.options.git_interval), due).await;
            if stopped {
                break;
            }
        }
        self.release().await;
    }

    /// One turn of the long-running engine: nothing but a look at the tip when nothing is due (I4).
    async fn looked(&mut self) -> Result<Arc<Ran>, RunError> {
        let fresh = self.have.as_ref().is_some_and(|(_, at, _)| at.elapsed() < self.options.metal_interval);
        let tips = self.look().await?;
        if self.held.is_none() && !self.options.observe {
            self.claims.sweep().await?;
        }
        // What is replaced waits for no commit (R5): a remote that refuses ours does not stop that.
        let interval = if self.coming.replaces { FIREWALL } else { self.options.metal_interval };
        if let Some(stalled) = self.stalled.as_ref().filter(|s| s.tips == tips && s.since.elapsed() < interval) {
            let (branch, refusal) = (stalled.branch.clone(), stalled.refusal.clone());
            return Err(RunError::PushRefused { branch, refusal });
        }
        let now = Instant::now();
        let is_early = |s: &&Settled| s.tips == tips && s.due_at.is_none_or(|at| now < at);
        if let Some(settled) = self.settled.as_ref().filter(|_| fresh).filter(is_early) {
            self.counters.quiet += 1;
            return Ok(settled.ran.clone());
        }
        let is_due = self.settled.as_ref().is_some_and(|s| s.due_at.is_some_and(|at| at <= now));
        let is_due_in_metal = is_due && self.settled.as_ref().is_some_and(|s| s.reads_metal);
        if !fresh || is_due_in_metal || (self.stalled.is_some() && self.coming.replaces) {
            self.have = None;
        }
        let turned = self.turn_from(tips.definitions).await;
        self.stalled = match &turned {
            Err(RunError::PushRefused { branch, refusal }) => {
                let (branch, refusal) = (branch.clone(), refusal.clone());
                Some(Stalled { tips, since: Instant::now(), branch, refusal })
            }
            Ok(_) | Err(_) => None,
        };
        let mut ran = turned?;
        let mut pushed = !ran.commits.is_empty();
        // A lock that landed says which of two resources is a duplicate: look once more.
        while pushed {
            let next = self.turn().await?;
            pushed = !next.commits.is_empty();
            ran = ran.then(next);
        }
        let ran = Arc::new(ran);
        self.settled = Some(Settled::of(ran.clone()));
        Ok(ran)
    }

    /// One turn: a pass, started over while the tip moves.
    async fn turn(&mut self) -> Result<Ran, RunError> {
        let tips = self.look().await?;
        self.turn_from(tips.definitions).await
    }

    async fn turn_from(&mut self, tip: Oid) -> Result<Ran, RunError> {
        let began = Instant::now();
        self.landed.clear();
        let mut tip = tip;
        for tries in 1.. {
            let passed = match self.pass(tip).await {
                Err(RunError::Behind) => Passed::Stale,
                passed => passed?,
            };
            match passed {
                Passed::Ended(mut ran) => {
                    ran.commits.splice(..0, self.landed.drain(..));
                    return Ok(*ran);
                }
                Passed::Stale if tries >= TRIES || began.elapsed() > TRYING => {
                    return Err(RunError::Outraced { branch: self.options.branch.clone(), tries });
                }
                Passed::Stale => {
                    let window =
                        Duration::from_millis(50).saturating_mul(1 << tries.min(5)).min(Duration::from_secs(1));
                    tokio::time::sleep(window.mul_f64(fastrand::f64())).await;
                    tip = self.remote.tip().await?.ok_or_else(|| self.branch_missing())?;
                }
            }
        }
        Err(RunError::Outraced { branch: self.options.branch.clone(), tries: TRIES })
    }

    /// Publishes a turn's result; when to look again.
    fn report(&mut self, result: Result<Arc<Ran>, RunError>) -> Option<Duration> {
        self.counters.turns += 1;
        let now = self.clock.now();
        let counters = self.counters;
        match result {
            Ok(ran) => {
                let due_at = self.settled.as_ref().and_then(|s| s.due_at);
                let due = due_at.map(|at| at.saturating_duration_since(Instant::now()));
                self.status.send_modify(|status| {
                    status.last_success = Some(now);
                    status.last_turn = Some(now);
                    status.writing_since = None;
                    status.error = None;
                    status.counters = counters;
                    status.ran = Some(ran);
                });
                due
            }
            Err(error) => {
                let text = error.to_string();
                // Said once; the status goes on saying it.
                if self.status.borrow().error.as_ref() != Some(&text) {
                    tracing::warn!(error = text, "the turn failed");
                }
                self.settled = None;
                self.status.send_modify(|status| {
                    status.last_turn = Some(now);
                    status.writing_since = None;
                    status.error = Some(text);
                    status.counters = counters;
                });
                (self.stalled.is_some() && self.coming.replaces).then_some(FIREWALL)
            }
        }
    }
}
