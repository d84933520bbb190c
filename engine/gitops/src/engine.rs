//! The engine of one fleet repository: what is kept from pass to pass, the claim's life, what it shows.

use crate::answer::Heard;
use crate::claim::{Claims, Held, Look};
use crate::coming::{Coming, Refusals};
use crate::draft::Settling;
pub(crate) use crate::error::RunError;
use crate::history::{History, Holds};
use crate::live::{Blind, Live};
use crate::output::{Outputs, Place};
use crate::pass::{Claimed, Decided};
use crate::remote::Remote;
use crate::report::{Ended, Mode};
use crate::seeing::Looks;
use crate::turns::{Settled, Stalled};
use crate::view::View;
use crate::{ClusterState, Commit, Counters, FleetStatus, Options};
use git::Oid;
use metal_api::{Metal, Observe};
use model::request::{Done, Free, FreeOutcome, Outcome};
use model::{Clock, ClusterId, Finding, Have, ProjectId, Tree, Want};
use plan::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

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
            history: History::of(Holds::Definitions(String::new())),
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
    /// Engine-owned files that people changed; a commit puts them right.
    pub put_right: Vec<String>,
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
    pub(crate) claims: Claims,
    pub(crate) held: Option<Held>,
    pub(crate) calls: allocate::Calls,
    pub(crate) looks: Looks,
    /// What earlier readings of metal-api showed.
    pub(crate) watch: plan::Watch,
    pub(crate) have: Option<(BTreeSet<ProjectId>, Instant, Arc<Have>)>,
    pub(crate) viewed: Option<(Arc<View>, Instant)>,
    pub(crate) settled: Option<Settled>,
    pub(crate) stalled: Option<Stalled>,
    /// What was freed and counts against the fleet's budget, until a commit says so.
    pub(crate) freed: Vec<(Free, FreeOutcome)>,
    /// Firewalls that are awaited.
    pub(crate) coming: Coming,
    /// Those that were refused beside one that serves.
    pub(crate) refusals: Refusals,
    /// What people answered, since when this process knows it, and what of it is over.
    pub(crate) heard: BTreeMap<Heard, Instant>,
    pub(crate) over: BTreeSet<Heard>,
    /// Clusters of which an allocation has an unknown outcome, since when: it may still complete.
    pub(crate) unknown: BTreeMap<ClusterId, Instant>,
    pub(crate) retries: u32,
    pub(crate) counters: Counters,
    pub(crate) status: watch::Sender<FleetStatus>,
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
            looks: Looks::new(Arc::new(Blind)),
            watch: plan::Watch::default(),
            have: None,
            viewed: None,
            settled: None,
            stalled: None,
            freed: Vec::new(),
            coming: Coming::default(),
            refusals: Refusals::default(),
            heard: BTreeMap::new(),
            over: BTreeSet::new(),
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
        Self { looks: Looks::new(live), ..self }
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
        let Decided { view, have, findings, plan, said, shown: _, notes } = self.decide(view, have).await?;
        let settling = Arc::new(Settling::of(view, plan, said, Done::default()));
        let (edited, changes) = self.changes(&settling).await?;
        let (claim, mode) = (Claimed::Ours, Mode::Plans);
        let ended = Ended { settling: &settling, have: &have, edited: &edited, claim: &claim, notes: &notes, mode };
        let clusters = self.states(&ended);
        let (tree, put_right) = (settling.view.tree.clone(), settling.view.put_right.clone());
        let files = self.remote.call(move |_| {
            let before = |path: &str| tree.entry(path).map(|entry| tree.read(&entry.id, usize::MAX)).transpose();
            let change =
                |(path, after): (String, Option<Vec<u8>>)| Ok(FileChange { before: before(&path)?, path, after });
            changes.into_iter().map(change).collect::<Result<Vec<_>, git::Error>>()
        });
        let (files, impacts) = (files.await?, edited.impacts);
        let Settling { plan, said, .. } = Arc::unwrap_or_clone(settling);
        Ok(Planned { tip, findings, plan, files, impacts, clusters, said, put_right })
    }

    pub(crate) fn branch_missing(&self) -> RunError {
        RunError::BranchMissing { branch: self.options.branch.clone() }
    }

    pub(crate) async fn claim(&mut self, tip: Oid) -> Result<Claimed, RunError> {
        if self.options.observe {
            return Ok(Claimed::Never("this engine only looks (--observe)".to_owned()));
        }
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
    pub(crate) async fn release(&mut self) {
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
    pub(crate) async fn count_git(&mut self) {
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
}

impl<M> std::fmt::Debug for Engine<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("options", &self.options).finish_non_exhaustive()
    }
}
