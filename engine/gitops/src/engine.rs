//! The engine of one fleet repository: turns of the loop, with retries, the claim's life, and status.

use crate::claim::{Claims, Held, Look};
use crate::history::{History, Holds};
use crate::live::{Blind, Live};
use crate::output::{Outputs, Place};
use crate::pass::{Claimed, Decided, Passed};
use crate::remote::Remote;
use crate::trigger::Triggers;
use crate::view::View;
use crate::{ClusterState, Commit, Counters, FleetStatus, Options, Ran};
use git::Oid;
use metal_api::{Metal, Observe};
use model::request::{Done, FreeOutcome, Outcome};
use model::{Clock, ClusterId, Finding, Have, ProjectId, Tree, Want};
use plan::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A lost race is started over on the new tip this often, or for this long, whichever comes first.
const TRIES: u32 = 8;
const TRYING: Duration = Duration::from_secs(10);

/// How long a run that is to end waits for what is due again.
const DUE_WAIT: Duration = Duration::from_secs(15);

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the remote has no branch `{branch}`; push a first commit to it (see `ferrofleet init`)")]
    BranchMissing { branch: String },
    #[error("{branch} moved {tries} times while the engine was pushing; it tries again at the next turn")]
    Outraced { branch: String, tries: u32 },
    #[error("the remote refused the commit to {branch}: {refusal}")]
    PushRefused { branch: String, refusal: git::Refusal },
    #[error("fleet.yaml names the metal-api `{name}`, which the engine was not told of; it knows: {known}")]
    MetalNotConfigured { name: String, known: String },
    #[error("fleet.yaml names the output repository `{repo}`, which the engine was not told of; it knows: {known}")]
    OutputNotConfigured { repo: String, known: String },
    #[error(
        "the output cannot go to branch `{branch}` beside `{own}`: Git has no branch below another one, and `ferrofleet-claim/` is the engine's"
    )]
    OutputBranch { branch: String, own: String },
    #[error("the branch moved while its output was read; it is read again at the next turn")]
    Behind,
    #[error("{place} holds the output of fleet `{fleet}`; give each fleet a branch of its own (spec.output)")]
    OutputTaken { place: String, fleet: String },
    #[error(
        "the output that was at {place} is gone or was rewritten, and rendering it anew could replace machines (R1); push \
         it back, or accept that with an empty commit on {branch} whose message ends with a paragraph `Fleet-Ack: \
         OutputLost {place}`"
    )]
    OutputLost { place: String, branch: String },
    #[error("not done within {limit:?}; the next run goes on from what is at the tip")]
    TimedOut { limit: Duration },
    #[error("ended by a signal before it was done; the next run goes on from what is at the tip")]
    Stopped,
    #[error(transparent)]
    Edit(#[from] render::EditError),
    #[error(transparent)]
    Remote(#[from] git::Error),
}

/// What is kept between passes. All of it can be lost at any time (I10).
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) history: History,
    /// Of the output's own branch.
    pub(crate) output_history: History,
    pub(crate) load: fleet::Memo,
    pub(crate) judged: render::Judged,
    pub(crate) render: render::Memo,
    pub(crate) old_clusters: Option<(Oid, BTreeSet<ClusterId>)>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            history: History::of(Holds::Definitions),
            output_history: History::of(Holds::Output(String::new())),
            load: fleet::Memo::default(),
            judged: render::Judged::default(),
            render: render::Memo::default(),
            old_clusters: None,
        }
    }
}

/// The metal-apis that the engine may use, by the names that `fleet.yaml` has for them (`spec.metal.credentials`).
pub type Metals<M> = BTreeMap<String, Arc<M>>;

/// What a run would do now. Nothing was written anywhere but in the cache.
#[derive(Clone, Debug)]
pub struct Planned {
    pub tip: Oid,
    pub findings: Vec<Finding>,
    pub plan: Plan,
    /// What a commit would change now, by path; what follows from allocations is not among it.
    pub files: Vec<FileChange>,
    /// What the changed output does to machines.
    pub impacts: BTreeMap<ClusterId, Vec<render::Impact>>,
    /// Where each cluster stands now.
    pub clusters: BTreeMap<ClusterId, ClusterState>,
    /// What the branch's history says.
    pub said: plan::Said,
}

/// One file before and after a commit; None where it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    pub path: String,
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
}

/// A fleet as its tip says it.
#[derive(Clone, Debug)]
pub struct Read {
    /// Definitions, locks and output.
    pub tree: Tree,
    pub want: Want,
    pub findings: Vec<Finding>,
}

/// One fleet repository and the metal-api it uses.
pub struct Engine<M> {
    pub(crate) options: Options,
    pub(crate) metals: Metals<M>,
    pub(crate) observe: Arc<dyn Observe>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) remote: Remote,
    pub(crate) run: String,
    pub(crate) memory: Arc<Mutex<Memory>>,
    pub(crate) outputs: Outputs,
    /// Where the output goes, as the tip that was read last says it.
    pub(crate) placed: Option<(Oid, Option<Place>)>,
    /// Its name, as that tip says it.
    pub(crate) fleet: String,
    /// What this turn pushed before it had to start over.
    pub(crate) landed: Vec<Commit>,
    claims: Claims,
    pub(crate) held: Option<Held>,
    pub(crate) calls: allocate::Calls,
    pub(crate) live: Arc<dyn Live>,
    /// What earlier readings of metal-api showed.
    pub(crate) watch: plan::Watch,
    pub(crate) have: Option<(BTreeSet<ProjectId>, Instant, Arc<Have>)>,
    pub(crate) viewed: Option<(Arc<View>, Instant)>,
    settled: Option<Settled>,
    stalled: Option<Stalled>,
    /// Clusters of which an allocation has an unknown outcome, since when: it may still complete.
    pub(crate) unknown: BTreeMap<ClusterId, Instant>,
    pub(crate) retries: u32,
    pub(crate) counters: Counters,
    pub(crate) status: watch::Sender<FleetStatus>,
}

/// What the remotes are at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tips {
    definitions: Oid,
    /// None also where the output is beside the definitions.
    output: Option<Oid>,
}

/// The remote refused a commit on this tip: tried again when the tip moves, and at every reading of metal-api.
struct Stalled {
    tips: Tips,
    since: Instant,
    branch: String,
    refusal: git::Refusal,
}

/// What the last turn came to: nothing is left to do on this tip, or not yet.
struct Settled {
    tips: Tips,
    /// Something can change by itself: nothing is asked again before.
    due_at: Option<Instant>,
    ran: Ran,
}

impl Settled {
    fn of(ran: Ran) -> Self {
        let due_at = ran.due.map(|due| Instant::now() + due.after);
        Self { tips: Tips { definitions: ran.tip.unwrap_or(Oid([0; 20])), output: ran.output_tip }, due_at, ran }
    }
}

impl<M: Metal + 'static> Engine<M> {
    /// `repo` and `claims` are two workers on the same remote: a renewal must not wait behind a fetch.
    pub fn new(
        options: Options,
        metals: Metals<M>,
        observe: Arc<dyn Observe>,
        clock: Arc<dyn Clock>,
        repo: git::Worker,
        claims: git::Worker,
    ) -> Self {
        let run = uuid::Uuid::new_v4().to_string();
        let author = git::Author { name: "Ferrofleet".to_owned(), email: "ferrofleet@localhost".to_owned() };
        Self {
            claims: Claims::new(claims, options.clone(), run.clone(), author),
            remote: Remote::new(repo, &options.branch),
            options,
            metals,
            observe,
            clock,
            run,
            memory: Arc::default(),
            outputs: Outputs::new(),
            placed: None,
            fleet: String::new(),
            landed: Vec::new(),
            held: None,
            calls: allocate::Calls::default(),
            live: Arc::new(Blind),
            watch: plan::Watch::default(),
            have: None,
            viewed: None,
            settled: None,
            stalled: None,
            unknown: BTreeMap::new(),
            retries: 0,
            counters: Counters::default(),
            status: watch::Sender::default(),
        }
    }

    /// Lets the output go to these repositories too, when `fleet.yaml` says so.
    #[must_use]
    pub fn with_outputs(self, outputs: Outputs) -> Self {
        Self { outputs, ..self }
    }

    /// Lets the engine look at management clusters.
    #[must_use]
    pub fn with_live(self, live: Arc<dyn Live>) -> Self {
        Self { live, ..self }
    }

    /// The last turn, for the dashboard, metrics and health.
    pub fn status(&self) -> watch::Receiver<FleetStatus> {
        self.status.subscribe()
    }

    /// What the tip says: its documents with the engine's files as they are, wherever the output lies. metal-api is not
    /// asked.
    pub async fn read(&mut self) -> Result<Read, RunError> {
        let tip = self.remote.tip().await?.ok_or_else(|| self.branch_missing())?;
        let view = self.view(tip).await?;
        Ok(Read { tree: view.corrected.clone(), want: view.want.clone(), findings: view.findings.clone() })
    }

    /// Reads and plans; writes nothing anywhere.
    pub async fn plan(&mut self) -> Result<Planned, RunError> {
        let tip = self.remote.tip().await?.ok_or_else(|| self.branch_missing())?;
        let view = self.view(tip).await?;
        let have = self.have(&view, true).await?;
        let Decided { view, have: _, findings, plan } = self.decide(view, have).await?;
        let files = self.pending(&view, &plan).await?;
        let files = files.into_iter().map(|path| FileChange { path, before: None, after: None }).collect();
        let (impacts, clusters, said) = (BTreeMap::new(), BTreeMap::new(), plan::Said::default());
        Ok(Planned { tip, findings, plan, files, impacts, clusters, said })
    }

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
            Err(why @ RunError::TimedOut { .. }) => self.settled.take().map(|s| s.ran).ok_or(why),
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
            let due = ran.due.filter(|d| d.is_work);
            let pushed = !ran.commits.is_empty();
            so_far = so_far.then(ran);
            self.settled = Some(Settled::of(so_far.clone()));
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
                    let is_free_now = self.sweep_claims().await?;
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
    async fn looked(&mut self) -> Result<Ran, RunError> {
        let fresh = self.have.as_ref().is_some_and(|(_, at, _)| at.elapsed() < self.options.metal_interval);
        let tips = self.look().await?;
        if self.held.is_none() {
            self.claims.sweep().await?;
        }
        let interval = self.options.metal_interval;
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
        if !fresh || is_due {
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

    pub(crate) fn branch_missing(&self) -> RunError {
        RunError::BranchMissing { branch: self.options.branch.clone() }
    }

    pub(crate) async fn claim(&mut self, tip: Oid) -> Result<Claimed, RunError> {
        if self.held.as_ref().is_some_and(|held| !held.is_lost()) {
            return Ok(Claimed::Ours);
        }
        self.held = None;
        let look = self.claims.look(tip, self.clock.now().as_second()).await?;
        Ok(match look {
            Look::Held(held) => {
                self.held = Some(held);
                Claimed::Ours
            }
            Look::Other => Claimed::Others,
            Look::Refused(_) if self.options.single_writer => {
                self.held = Some(self.claims.alone());
                Claimed::Ours
            }
            Look::Refused(words) => Claimed::Never(words),
        })
    }

    /// Keeps the claim until every open call ended, then deletes it.
    async fn release(&mut self) {
        std::mem::take(&mut self.calls).ended().await;
        match self.held.take() {
            Some(held) => held.release().await,
            None => self.claims.give_up().await,
        }
    }

    /// Of what a run did in metal-api.
    pub(crate) fn count(&mut self, done: &Done) {
        let fresh = |o: &&(model::Slot, Outcome)| matches!(o.1, Outcome::Filled { fresh: true, .. });
        self.counters.allocations += done.slots.values().flatten().filter(fresh).count() as u64;
        self.counters.frees += done.frees.iter().filter(|(_, o)| *o == FreeOutcome::Freed).count() as u64;
    }

    /// What the remote was asked since the process started; as it was where its thread is gone.
    async fn count_git(&mut self) {
        if let Ok((requests, bytes)) = self.remote.call(|repo| Ok((repo.requests(), repo.bytes()))).await {
            self.counters.git_requests = requests;
            self.counters.git_bytes = bytes;
        }
    }

    /// Says that a write is on its way, or that its outcome is known.
    pub(crate) fn writing(&self, is_writing: bool) {
        let since = is_writing.then(|| self.clock.now());
        self.status.send_modify(|status| status.writing_since = since);
    }

    /// Up to a tenth more, so that engines that started together do not stay together.
    pub(crate) fn jitter(&self, duration: Duration) -> Duration {
        duration.mul_f64(1.0 + fastrand::f64() / 10.0)
    }

    /// Publishes a turn's result; when to look again.
    fn report(&mut self, result: Result<Ran, RunError>) -> Option<Duration> {
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
                    status.ran = Some(Arc::new(ran));
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
                None
            }
        }
    }
}

impl<M> std::fmt::Debug for Engine<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("options", &self.options).finish_non_exhaustive()
    }
}
