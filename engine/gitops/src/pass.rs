//! One pass: from a tip to a commit on it, or to nothing to do.

use crate::answer::{Heard, over, without_suspect};
use crate::coming::Coming;
use crate::draft::{Drafted, Settling};
use crate::engine::Engine;
use crate::error::RunError;
use crate::outcome::Ran;
use crate::output::expected;
use crate::reading::lists_are_whole;
use crate::report::{Ended, Mode};
use crate::seeing::{self, Shown};
use crate::view::View;
pub(crate) use crate::writing::Landed;
use git::{Expect, Oid};
use metal_api::Metal;
use model::request::{Done, Free};
use model::want::Blocked;
use model::{ClusterId, CommitId, Finding, Have, Reason, Want};
use plan::{Note, Plan, Said, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
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
    /// What the branch's history says.
    pub(crate) said: Said,
    /// What management clusters show.
    pub(crate) shown: Shown,
    /// Beside those of the plan.
    pub(crate) notes: BTreeMap<ClusterId, Note>,
}

/// What came of asking for the claim.
#[derive(Debug)]
pub(crate) enum Claimed {
    Ours,
    Others,
    Never(String),
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
        if decided.plan.writes_metal() && !self.options.observe {
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
        let (mut view, mut have) = (view, have);
        let mut findings = view.findings.clone();
        let from_metal = fleet::metal_findings(&view.want, &have, self.clock.now());
        if !from_metal.is_empty() {
            let from_metal = self.placed(&view, from_metal).await?;
            let mut blocked = (*view).clone();
            block(&mut blocked.want, &from_metal);
            view = Arc::new(blocked);
            findings.extend(from_metal);
        }
        let shown = self.looks.look(&seeing::targets(&view.want, self.options.metal_interval)).await;
        self.hear(&view);
        let mut said = view.said(&self.over, self.clock.now());
        // Freed by this process and not said in Git yet.
        let freed = u32::try_from(self.freed.len()).unwrap_or(u32::MAX);
        said.freed_within_hour = said.freed_within_hour.saturating_add(freed);
        let mut plan = self.planned(&view, &have, &said, &shown).await?;
        // Another engine's locks name what it allocated after our reading: that is no sign of another metal-api.
        if !plan.suspect.is_empty() && self.reads_before_tip() {
            have = self.have(&view, true).await?;
            plan = self.planned(&view, &have, &said, &shown).await?;
        }
        self.forget(&view, &have, &said, &plan, &shown).await?;
        let notes = crate::delegated::read_back(&mut plan, &view.want, &have, &shown.seen);
        self.unknown.retain(|_, since| since.elapsed() < self.options.unknown_wait());
        for id in self.unknown.keys() {
            let message = "an allocation of this cluster was not answered and may still complete";
            plan.postpone(id, Reason::OutcomeUnknown, message);
        }
        self.refusals.postpone(&mut plan);
        self.coming = Coming::of(&view.want, &have, &plan, self.clock.now());
        Ok(Decided { view, have, findings, plan, said, shown, notes })
    }

    /// Whether metal-api was read before the tip was.
    fn reads_before_tip(&self) -> bool {
        let read = self.have.as_ref().map(|(_, at, _)| *at);
        read.zip(self.viewed.as_ref()).is_some_and(|(read, (_, viewed))| read < *viewed)
    }

    async fn planned(&self, view: &View, have: &Have, said: &Said, shown: &Shown) -> Result<Plan, RunError> {
        let mut known = self.known_clusters();
        let plan = self.plan_of(view, have, &known, said, shown);
        if plan.suspect.is_empty() {
            return Ok(plan);
        }
        known.extend(self.clusters_of_history(view.tip).await?);
        Ok(self.plan_of(view, have, &known, said, shown))
    }

    /// Notes which answers there are, and since when.
    fn hear(&mut self, view: &View) {
        let heard = view.told.heard(self.clock.now());
        self.heard.retain(|answer, _| heard.contains(answer));
        self.over.retain(|answer| heard.contains(answer));
        for answer in heard {
            self.heard.entry(answer).or_insert_with(Instant::now);
        }
    }

    /// An answer is over when a whole reading of metal-api that is younger than it does not show what it answers.
    async fn forget(
        &mut self,
        view: &View,
        have: &Have,
        said: &Said,
        plan: &Plan,
        shown: &Shown,
    ) -> Result<(), RunError> {
        let Some(read) = self.have.as_ref().map(|(_, at, _)| *at).filter(|_| lists_are_whole(have)) else {
            return Ok(());
        };
        if self.heard.keys().all(|answer| self.over.contains(answer)) {
            return Ok(());
        }
        let bare = match without_suspect(said) {
            Some(said) => Some(self.planned(view, have, &said, shown).await?),
            None => None,
        };
        let over = over(said, plan, bare.as_ref());
        let is_over = |(answer, since): &(&Heard, &Instant)| **since < read && over.contains(&answer.1);
        self.over.extend(self.heard.iter().filter(is_over).map(|(answer, _)| answer.clone()));
        Ok(())
    }

    /// What is over, and was not said again since.
    fn over_by_name(&self) -> BTreeSet<String> {
        let counts: BTreeSet<_> =
            self.heard.keys().filter(|answer| !self.over.contains(answer)).map(|(_, key)| key).collect();
        self.over.iter().map(|(_, key)| key).filter(|key| !counts.contains(key)).cloned().collect()
    }

    fn plan_of(&self, view: &View, have: &Have, known: &BTreeSet<ClusterId>, said: &Said, shown: &Shown) -> Plan {
        let landed = self.known_clusters();
        let tip = CommitId::parse(&view.tip.to_string()).ok();
        let setting = Setting {
            attempt: &self.options.attempt,
            known_to_history: known,
            landed: &landed,
            now: self.clock.now(),
            watch: &self.watch,
            said,
            seen: &shown.seen,
            unseen: &shown.silent,
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
    pub(crate) async fn decide_under_claim(&mut self, before: &Decided) -> Result<Decided, RunError> {
        let have = self.have_again(&before.view, &before.plan).await?;
        let tip = self.remote.tip().await?.ok_or_else(|| self.branch_missing())?;
        let view = self.view(tip).await?;
        self.decide(view, have).await
    }

    /// Writes locks and output as one commit on the tip that was read, or nothing.
    async fn commit(&mut self, decided: Decided, done: Done, claim: Claimed) -> Result<Passed, RunError> {
        let Decided { view, have, findings, plan, said, shown, notes } = decided;
        // What an earlier try freed is said by the commit that lands (I8).
        let mut done = done;
        let is_said = |free: &Free| done.frees.iter().any(|(other, _)| other.target == free.target);
        let unsaid: Vec<_> = self.freed.iter().filter(|(free, _)| !is_said(free)).cloned().collect();
        done.frees.extend(unsaid);
        let over = self.over_by_name();
        let settling = Arc::new(Settling { over, ..Settling::of(view, plan, said, done) });
        let Drafted { edited, definitions, output } = self.draft(&settling).await?;
        let view = &settling.view;
        let mut tips = (view.tip, view.output.as_ref().and_then(|at| at.tip));
        let mode = if self.options.observe { Mode::Observes } else { Mode::Runs };
        let lands = mode == Mode::Runs;
        if let Some(commit) = definitions.filter(|_| lands) {
            let (remote, id) = (self.remote.clone(), commit.id);
            if let Landed::Stale = self.land(&remote, commit, Expect::Id(view.tip)).await? {
                return Ok(Passed::Stale);
            }
            tips.0 = id;
            self.remember(id).await;
            // Only what landed has said it.
            self.freed.clear();
        }
        // After the locks, so that no file names a value before a lock does (I1).
        if let (Some(commit), Some(at)) = (output.filter(|_| lands), &view.output) {
            let id = commit.id;
            if let Landed::Stale = self.land(&at.place.remote, commit, expected(at.tip)).await? {
                return Ok(Passed::Stale);
            }
            tips.1 = Some(id);
        }
        let ended = Ended { settling: &settling, have: &have, edited: &edited, claim: &claim, notes: &notes, mode };
        let clusters = self.states(&ended);
        let (due, work) = self.dues(&ended, &shown, &clusters);
        let (tip, output_tip) = tips;
        let Settling { plan, said, .. } = Arc::unwrap_or_clone(settling);
        let (tip, incomplete, phase_since) = (Some(tip), plan.incomplete, said.phase_since);
        let commits = Vec::new();
        let ran = Ran { tip, output_tip, commits, clusters, findings, plan, phase_since, incomplete, due, work };
        Ok(Passed::Ended(Box::new(ran)))
    }
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
