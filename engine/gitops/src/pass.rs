//! One pass: from a tip to a commit on it, or to nothing to do.

use crate::draft::Drafted;
use crate::engine::{Engine, RunError};
use crate::outcome::{Commit, Due, Ran, state, state_of_lock};
use crate::output::expected;
use crate::remote::Remote;
use crate::view::View;
use git::{Expect, Oid, Push};
use metal_api::Metal;
use model::request::{Done, FreeOutcome, Outcome};
use model::want::Blocked;
use model::{ClusterId, ClusterLock, Finding, Have, Reason, Want};
use plan::{Plan, Setting};
use render::Edited;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How a pass ended.
#[derive(Debug)]
pub(crate) enum Passed {
    Ended(Box<Ran>),
    /// The tip moved meanwhile: start over on the new one.
    Stale,
}

/// What was read and decided, up to the point where something is written.
pub(crate) struct Decided {
    pub(crate) view: Arc<View>,
    pub(crate) have: Arc<Have>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) plan: Plan,
}

impl<M: Metal + 'static> Engine<M> {
    pub(crate) async fn pass(&mut self, tip: Oid) -> Result<Passed, RunError> {
        let view = self.view(tip).await?;
        let have = self.have(&view, false).await?;
        let mut decided = self.decide(view, have).await?;
        // What looks like a copy's may be a cluster of a newer tip: somebody else resolved it after we read ours.
        if !decided.plan.suspect.is_empty() && self.remote.tip().await? != Some(tip) {
            return Ok(Passed::Stale);
        }
        let mut claim = Claimed::Ours;
        let mut done = Done::default();
        if decided.plan.writes_metal() {
            claim = self.claim(tip).await?;
            if let Claimed::Ours = claim {
                decided = self.decide_under_claim(&decided).await?;
                done = self.write_metal(&mut decided).await?;
            }
        }
        // Without the claim nothing is allocated; what else changed is committed all the same.
        self.commit(decided, done, claim).await
    }

    /// Plans from a view and what metal-api has; nothing is written.
    pub(crate) async fn decide(&mut self, view: Arc<View>, have: Arc<Have>) -> Result<Decided, RunError> {
        let mut view = view;
        let mut findings = view.findings.clone();
        let from_metal = fleet::metal_findings(&view.want, &have, self.clock.now());
        if !from_metal.is_empty() {
            let from_metal = self.placed(&view, from_metal).await?;
            let mut blocked = (*view).clone();
            block(&mut blocked.want, &from_metal);
            view = Arc::new(blocked);
            findings.extend(from_metal);
        }
        let mut known = self.known_clusters();
        let mut plan = self.plan_of(&view, &have, &known);
        if !plan.suspect.is_empty() {
            known.extend(self.clusters_of_history(view.tip).await?);
            plan = self.plan_of(&view, &have, &known);
        }
        Ok(Decided { view, have, findings, plan })
    }

    fn plan_of(&self, view: &View, have: &Have, known: &BTreeSet<ClusterId>) -> Plan {
        let landed = self.known_clusters();
        let (attempt, now) = (&self.options.attempt, self.clock.now());
        let (said, seen) = (plan::Said::default(), BTreeMap::new());
        let (unseen, tip) = (BTreeMap::new(), model::CommitId::parse(&view.tip.to_string()).ok());
        let setting = Setting {
            attempt,
            known_to_history: known,
            landed: &landed,
            now,
            watch: &self.watch,
            said: &said,
            seen: &seen,
            unseen: &unseen,
            tip: tip.as_ref(),
        };
        plan::plan(&view.want, have, &setting)
    }

    /// With the lines of the files they are about.
    async fn placed(&self, view: &View, findings: Vec<Finding>) -> Result<Vec<Finding>, RunError> {
        let tree = view.corrected.clone();
        Ok(self.remote.call(move |_| Ok(fleet::placed(findings, &tree))).await?)
    }

    /// Under the claim everything is read again: metal-api first, then the tip, so that a lock that says whose a
    /// resource is was read after the resource was.
    async fn decide_under_claim(&mut self, before: &Decided) -> Result<Decided, RunError> {
        let have = self.have_again(&before.view, &before.plan).await?;
        let tip = self.remote.tip().await?.ok_or_else(|| self.branch_missing())?;
        let view = self.view(tip).await?;
        self.decide(view, have).await
    }

    /// Allocates and frees, lists once more, and plans on what is there now.
    async fn write_metal(&mut self, decided: &mut Decided) -> Result<Done, RunError> {
        let Some(held) = self.held.as_ref().filter(|_| decided.plan.writes_metal()) else { return Ok(Done::default()) };
        let Some(fleet) = decided.view.want.fleet.as_deref() else { return Ok(Done::default()) };
        let executor = allocate::Executor {
            metal: Arc::new(self.door(&decided.view)?),
            gate: held.gate(),
            fleet: fleet.metadata.name.clone(),
            attempt: self.options.attempt.clone(),
            calls: self.calls.guard(),
        };
        let may_free = held.may_free();
        self.writing(true);
        let mut done = executor.carry_out(&decided.view.want, &decided.plan).await;
        if may_free && !decided.plan.frees.is_empty() && self.remote.tip().await? == Some(decided.view.tip) {
            executor.free(&decided.plan, &mut done).await;
        }
        self.writing(false);
        let unknown = |(_, outcome): &(model::Slot, Outcome)| matches!(outcome, Outcome::Unknown { .. });
        for (id, _) in done.slots.iter().filter(|(_, outcomes)| outcomes.iter().any(unknown)) {
            self.unknown.insert(id.clone(), Instant::now());
        }
        self.count(&done);
        let have = self.have_again(&decided.view, &decided.plan).await?;
        let listed = self.decide(decided.view.clone(), have).await?;
        // What this very run allocated is known even when the second list did not answer.
        let gap = |id: &ClusterId| listed.plan.clusters.get(id).is_none_or(|c| c.blocked.is_some());
        let lost_sight = done.slots.keys().any(gap);
        if !lost_sight {
            decided.plan = listed.plan;
        }
        decided.have = listed.have;
        Ok(done)
    }

    /// Writes locks and output as one commit on the tip that was read, or nothing.
    async fn commit(&mut self, decided: Decided, done: Done, claim: Claimed) -> Result<Passed, RunError> {
        let Decided { view, have, findings, plan } = decided;
        let locks = Arc::new(plan::settle(&view.want, &plan, &done));
        let Drafted { edited, paths: _, definitions, output } = self.draft(&view, &locks, &done).await?;
        let mut tips = (view.tip, view.output.as_ref().and_then(|at| at.tip));
        if let Some(commit) = definitions {
            let (remote, id) = (self.remote.clone(), commit.id);
            if let Landed::Stale = self.land(&remote, commit, Expect::Id(view.tip)).await? {
                return Ok(Passed::Stale);
            }
            tips.0 = id;
        }
        // After the locks, so that no file names a value before a lock does (I1).
        if let (Some(commit), Some(at)) = (output, &view.output) {
            let id = commit.id;
            if let Landed::Stale = self.land(&at.place.remote, commit, expected(at.tip)).await? {
                return Ok(Passed::Stale);
            }
            tips.1 = Some(id);
        }
        let facts =
            Ended { view: &view, have: &have, done: &done, locks: &locks, edited: &edited, claim: &claim, tips };
        Ok(Passed::Ended(Box::new(self.ran(&facts, findings, plan))))
    }

    /// Pushes a commit, and notes it where it landed.
    async fn land(&mut self, remote: &Remote, commit: Commit, expect: Expect) -> Result<Landed, RunError> {
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

    /// Paths that a commit would change with what is known now.
    pub(crate) async fn pending(&mut self, view: &Arc<View>, plan: &Plan) -> Result<Vec<String>, RunError> {
        let done = Done::default();
        let locks = Arc::new(plan::settle(&view.want, plan, &done));
        let mut files = self.draft(view, &locks, &done).await?.paths;
        files.sort();
        Ok(files)
    }

    async fn push(&mut self, remote: &Remote, commit: Oid, expect: Expect) -> Result<Landed, RunError> {
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

    /// What the pass came to.
    fn ran(&mut self, ended: &Ended<'_>, findings: Vec<Finding>, plan: Plan) -> Ran {
        let mut clusters = BTreeMap::new();
        for (id, cluster) in &plan.clusters {
            let Some(wanted) = ended.view.want.clusters.get(id) else { continue };
            let lock = ended.locks.get(id).cloned().map(Arc::new).or_else(|| wanted.lock.clone());
            let mut state = state(wanted, cluster, ended.done, ended.have, lock);
            if let (Claimed::Never(words), Some((reason @ Reason::ClaimHeld, message))) =
                (ended.claim, &mut state.problem)
            {
                *reason = Reason::ClaimRefused;
                *message = format!(
                    "the remote refuses claims, so nothing is allocated: {words}; allow refs/ferrofleet/claim/*, or say \
                     --single-writer if this engine is the only one"
                );
            }
            if let Some(path) = ended.edited.obstructed.get(id) {
                let message = format!("`{path}` lies where the engine must write a folder or the lock; move it away");
                state.problem = Some((Reason::InvalidDefinition, message));
            }
            if let (Some(kept), None) = (ended.edited.outdated.get(id), &state.problem) {
                state.problem = Some((Reason::RenderOutdated, format!("kept as committed: {}", kept.join(", "))));
            }
            state.commit = self.landed.iter().rfind(|commit| commit.clusters.contains(id)).map(|commit| commit.id);
            clusters.insert(id.clone(), state);
        }
        for (id, orphan) in ended.view.want.orphan_locks.iter().filter(|(_, orphan)| !orphan.removed) {
            clusters.entry(id.clone()).or_insert_with(|| state_of_lock(orphan, ended.have));
        }
        let (tip, output_tip) = ended.tips;
        let due = self.due(&plan, ended.done, &clusters, ended.claim);
        let incomplete = plan.incomplete;
        Ran { tip: Some(tip), output_tip, commits: Vec::new(), clusters, findings, plan, incomplete, due }
    }

    /// When to look again (design, "The engine's loop").
    fn due(
        &mut self,
        plan: &Plan,
        done: &Done,
        clusters: &BTreeMap<ClusterId, crate::ClusterState>,
        claim: &Claimed,
    ) -> Option<Due> {
        let outcomes = || done.slots.values().flatten().map(|(_, outcome)| outcome);
        let unknown = outcomes().any(|o| matches!(o, Outcome::Unknown { .. }));
        let waits = |reason: Reason| reason.kind() == model::condition::ReasonKind::Waiting;
        let refused = clusters.values().any(|c| c.problem.as_ref().is_some_and(|(reason, _)| waits(*reason)));
        let not_freed =
            done.frees.iter().any(|(_, o)| matches!(o, FreeOutcome::NotYet { .. } | FreeOutcome::Failed { .. }));
        let duplicates = !plan.frees.is_empty() || plan.duplicates.iter().any(|d| d.waits) || not_freed;
        let work = |after| Some(Due { after, is_work: true, for_claim: false });
        let may_not_free_yet = !plan.frees.is_empty() && self.held.as_ref().is_some_and(|held| !held.may_free());
        if matches!(claim, Claimed::Others) || may_not_free_yet {
            let after = self.jitter(Duration::from_secs(1).min(self.options.claim_time / 4));
            return Some(Due { after, is_work: true, for_claim: true });
        }
        if unknown {
            return work(self.options.unknown_wait());
        }
        if refused || duplicates {
            self.retries = self.retries.saturating_add(1);
            let doubled = Duration::from_secs(1).saturating_mul(1 << self.retries.saturating_sub(1).min(20));
            return work(self.jitter(doubled.min(self.options.metal_interval)));
        }
        self.retries = 0;
        let on_its_way = clusters.values().any(|c| c.firewall_ready == Some(false));
        on_its_way.then_some(Due { after: Duration::from_secs(5), is_work: false, for_claim: false })
    }
}

/// What came of asking for the claim.
#[derive(Debug)]
pub(crate) enum Claimed {
    Ours,
    Others,
    Never(String),
}

/// The values of one pass that its report is made of.
struct Ended<'a> {
    view: &'a View,
    have: &'a Have,
    done: &'a Done,
    locks: &'a BTreeMap<ClusterId, ClusterLock>,
    edited: &'a Edited,
    claim: &'a Claimed,
    /// Of the definitions and of the output's own branch, after the pass.
    tips: (Oid, Option<Oid>),
}

enum Landed {
    Yes,
    Stale,
}

/// What metal-api says against a cluster stops it, unless it has everything already.
pub fn block(want: &mut Want, findings: &[Finding]) {
    for finding in findings.iter().filter(|f| f.is_error()) {
        let Some(wanted) = finding.cluster.as_ref().and_then(|id| want.clusters.get_mut(id)) else { continue };
        let complete = wanted.lock.as_deref().is_some_and(|lock| render::complete(wanted, lock));
        if wanted.blocked.is_none() && !complete {
            let reason = finding.reason.unwrap_or(Reason::InvalidDefinition);
            wanted.blocked = Some(Blocked { reason, message: finding.message.clone() });
        }
    }
}
