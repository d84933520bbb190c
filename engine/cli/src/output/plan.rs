//! A plan with all that belongs to it, for people, machines and pull requests.

mod files;
mod json;
mod markdown;
mod text;
pub(crate) mod words;

pub(crate) use json::View;
pub(crate) use markdown::markdown;
pub(crate) use text::text;

use crate::exit::Exit;
use ::plan::{Plan, Step};
use gitops::FileChange;
use model::condition::ReasonKind;
use model::{ClusterId, Finding, Reason};
use render::Impact;
use std::collections::BTreeMap;

/// What is known after planning, wherever the tree came from.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// None of a folder.
    pub(crate) tip: Option<git::Oid>,
    pub(crate) plan: Plan,
    /// What a commit would change now, by path; what follows from allocations is not among it.
    pub(crate) files: Vec<FileChange>,
    /// What the changed output does to machines.
    pub(crate) impacts: BTreeMap<ClusterId, Vec<Impact>>,
    pub(crate) findings: Vec<Finding>,
    /// What this source cannot tell, a sentence each.
    pub(crate) unknown: Vec<String>,
}

/// Its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    allocations: usize,
    frees: usize,
    /// Files that would be written or removed.
    files: usize,
    /// Machines that would be replaced.
    replaced: u32,
}

impl Report {
    pub(crate) fn of(planned: gitops::Planned) -> Self {
        let gitops::Planned { tip, findings, plan, files, impacts, .. } = planned;
        Self { tip: Some(tip), plan, files, impacts, findings, unknown: Vec::new() }
    }

    /// An error or something that only a person can mend goes before changes that are pending.
    pub(crate) fn exit(&self) -> Exit {
        match (self.has_failed(), self.is_pending()) {
            (true, _) => Exit::Failed,
            (false, true) => Exit::Pending,
            (false, false) => Exit::Done,
        }
    }

    /// Whether a run would change anything, now or as soon as what it waits for is there.
    pub(crate) fn is_pending(&self) -> bool {
        let plan = &self.plan;
        let waits = self.reasons().any(|reason| reason.kind() == ReasonKind::Waiting);
        let lacks = plan.capacity.iter().any(|line| !line.waiting.is_empty());
        plan.writes_metal() || !self.files.is_empty() || !plan.deletions.is_empty() || waits || lacks
    }

    fn has_failed(&self) -> bool {
        let plan = &self.plan;
        let is_stalled = self.reasons().any(|reason| reason.kind() == ReasonKind::Stalled);
        let is_lost = plan.losses.iter().any(::plan::Loss::is_concluded);
        let has_errors = self.findings.iter().any(Finding::is_error);
        plan.incomplete || !plan.suspect.is_empty() || has_errors || is_stalled || is_lost
    }

    /// Why slots, clusters and deletions are not acted on, and what is to be known of clusters.
    fn reasons(&self) -> impl Iterator<Item = Reason> {
        let of_cluster = |cluster: &::plan::ClusterPlan| {
            let refused = cluster.steps.iter().filter_map(|step| match step {
                Step::Refuse { reason, .. } => Some(*reason),
                Step::Keep { .. } | Step::Delegate { .. } | Step::Use { .. } | Step::Allocate { .. } => None,
            });
            let notes = cluster.notes.iter().map(|note| note.reason);
            cluster.blocked.iter().map(|blocked| blocked.reason).chain(refused).chain(notes).collect::<Vec<_>>()
        };
        let of_deletion = |deletion: &::plan::Deleting| deletion.refused.as_ref().map(|(reason, _)| *reason);
        let clusters = self.plan.clusters.values().flat_map(of_cluster);
        clusters.chain(self.plan.deletions.values().filter_map(of_deletion))
    }

    fn totals(&self) -> Totals {
        Totals {
            allocations: self.plan.allocations().count(),
            frees: self.plan.frees.len(),
            files: self.files.len(),
            replaced: self.impacts.values().flatten().map(|impact| impact.replaced).sum(),
        }
    }

    /// Warnings about clusters: what a change would do to a running one, as an add-on that it uninstalls (R13), is part
    /// of the plan.
    fn warnings(&self) -> BTreeMap<&ClusterId, Vec<&Finding>> {
        let mut warnings: BTreeMap<&ClusterId, Vec<&Finding>> = BTreeMap::new();
        for warning in self.findings.iter().filter(|finding| !finding.is_error()) {
            if let Some(cluster) = &warning.cluster {
                warnings.entry(cluster).or_default().push(warning);
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests;
