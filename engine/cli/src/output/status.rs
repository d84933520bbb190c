//! Where clusters stand, as data, as a table, and one of them as a tree.

mod mend;
mod tree;

pub(crate) use mend::mend;
pub(crate) use tree::tree;

use super::clusters::{Cells, short};
use super::table::Table;
use super::{plain, styles};
use crate::output::plan::words;
use crate::source::Standing;
use ::plan::Deleting;
use gitops::{ClusterState, LogEntry, Phase};
use model::condition::ReasonKind;
use model::lock::{ClusterTombstone, Deletion, Values};
use model::{ClusterId, Condition, Reason, Timestamp};
use serde::Serialize;
use std::collections::BTreeSet;

/// A fleet, for machines.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FleetStatus {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tip: Option<git::Oid>,
    /// False where only Git was asked: what metal-api has may differ.
    pub(crate) metal: bool,
    pub(crate) incomplete: bool,
    pub(crate) suspect: Vec<String>,
    pub(crate) clusters: Vec<ClusterStatus>,
}

/// One cluster.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterStatus {
    pub(crate) cluster: ClusterId,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    /// Of the definition, else of the lock or tombstone.
    path: String,
    phase: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Values>,
    #[serde(skip_serializing_if = "Option::is_none")]
    firewall_ready: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<CommitStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Said>,
    notes: Vec<Said>,
    conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion: Option<DeletionStatus>,
    #[serde(skip)]
    cells: Cells,
}

/// The last commit that names a cluster.
#[derive(Clone, Debug, Serialize)]
struct CommitStatus {
    id: git::Oid,
    time: Timestamp,
    title: String,
}

/// A reason with what it means and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Said {
    reason: Reason,
    message: String,
    meaning: &'static str,
    /// What a person does; empty where nothing is to be done.
    mend: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeletionStatus {
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_in: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    waits: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Said>,
}

impl Said {
    fn new(cluster: &ClusterId, (reason, message): &(Reason, String)) -> Self {
        let mend = for_cluster(*reason, cluster);
        Self { reason: *reason, message: message.clone(), meaning: reason.doc(), mend }
    }
}

/// What to do, to be copied.
fn for_cluster(reason: Reason, cluster: &ClusterId) -> String {
    mend(reason).replace("CLUSTER", &cluster.to_string())
}

impl FleetStatus {
    /// Sorted by cluster; a tombstone is a cluster that is being deleted.
    pub(crate) fn new(standing: &Standing) -> Self {
        let Standing { want, states, report, log: _ } = standing;
        let ids: BTreeSet<&ClusterId> = states.keys().chain(want.tombstones.keys()).collect();
        let suspect =
            report.iter().flat_map(|r| &r.plan.suspect).map(|(project, why)| format!("project {project}: {why}"));
        Self {
            tip: report.as_ref().and_then(|report| report.tip),
            metal: report.is_some(),
            incomplete: report.as_ref().is_some_and(|report| report.plan.incomplete),
            suspect: suspect.collect(),
            clusters: ids.into_iter().filter_map(|id| ClusterStatus::new(id, standing)).collect(),
        }
    }

    /// A row per cluster.
    pub(crate) fn table(&self) -> Table {
        let headings = ["CLUSTER", "STAGE", "PHASE", "NETWORK", "VIP", "FIREWALL", "VERSION", "COMMIT", "PROBLEM"];
        let mut table = Table::new(headings);
        for status in &self.clusters {
            table.row(status.row());
        }
        // What a narrow terminal can do without: `status CLUSTER` has it.
        table.expendable(["VERSION", "COMMIT", "FIREWALL", "STAGE", "NETWORK"])
    }

    /// Problems and what is waited for in full, a line each.
    pub(crate) fn problems(&self) -> String {
        let mut out = String::new();
        for status in &self.clusters {
            let problem = status.problem.iter().chain(status.deletion.iter().flat_map(|d| &d.refused));
            for Said { reason, message, .. } in problem {
                out += &line(status, &format!("{reason}: {message}"));
            }
            for Said { reason, message, .. } in &status.notes {
                out += &line(status, &format!("{reason}: {message}"));
            }
            let said = status.problem.as_ref().map(|problem| problem.message.as_str()).unwrap_or_default();
            let waits = status.deletion.iter().flat_map(|deletion| &deletion.waits);
            for wait in waits.filter(|wait| !said.contains(wait.as_str())) {
                out += &line(status, &format!("waits: {}", words::wait(wait)));
            }
        }
        out
    }
}

fn line(status: &ClusterStatus, text: &str) -> String {
    format!("{}: {}\n", status.cluster, plain(text.trim_end_matches([':', ' '])))
}

impl ClusterStatus {
    fn new(id: &ClusterId, standing: &Standing) -> Option<Self> {
        let Standing { want, states, report, log } = standing;
        let deleting = report.as_ref().and_then(|report| report.plan.deletions.get(id));
        let commit = log.iter().find(|entry| entry.clusters.contains(id)).map(CommitStatus::of);
        let Some(state) = states.get(id) else {
            let (path, tombstone) = want.tombstones.get(id)?;
            return Some(Self::of_tombstone(id, path, tombstone, deleting, commit));
        };
        let wanted = want.clusters.get(id);
        let ClusterState { path, phase, lock, problem, notes, firewall_ready, commit: _ } = state;
        let lock = lock.as_deref();
        let resolved = lock.and_then(|lock| lock.values.kubernetes.as_ref()).map(|k| k.version.to_string());
        let recorded = lock.and_then(|lock| lock.deletion.as_ref());
        Some(Self {
            cluster: id.clone(),
            stage: wanted.map(|wanted| wanted.effective.stage.to_string()),
            path: path.clone(),
            phase: *phase,
            version: resolved.or_else(|| wanted.map(|wanted| wanted.effective.version.to_string())),
            values: lock.map(|lock| lock.values.clone()),
            firewall_ready: *firewall_ready,
            commit,
            problem: problem.as_ref().map(|problem| Said::new(id, problem)),
            notes: notes.iter().map(|note| Said::new(id, note)).collect(),
            conditions: lock.map(|lock| lock.conditions.clone()).unwrap_or_default(),
            deletion: DeletionStatus::new(id, recorded, deleting),
            cells: Cells::of(state),
        })
    }

    fn of_tombstone(
        id: &ClusterId,
        path: &str,
        tombstone: &ClusterTombstone,
        deleting: Option<&Deleting>,
        commit: Option<CommitStatus>,
    ) -> Self {
        let mut deletion = DeletionStatus::new(id, Some(&tombstone.deletion), deleting);
        deletion.iter_mut().for_each(|deletion| deletion.phase = "tombstone");
        let message = "deleted; network and VIP are kept for its grace period".to_owned();
        Self {
            cluster: id.clone(),
            stage: None,
            path: path.to_owned(),
            phase: Phase::Deleting,
            version: None,
            values: Some(tombstone.values.clone()),
            firewall_ready: None,
            commit,
            problem: Some(Said::new(id, &(Reason::Deleting, message))),
            notes: Vec::new(),
            conditions: Vec::new(),
            deletion,
            cells: Cells::of_values(&tombstone.values, None),
        }
    }

    fn row(&self) -> [String; 9] {
        let Cells { network, vip, firewall } = &self.cells;
        let problem = self.problem.iter().chain(&self.notes).next().map(|said| match said.reason.kind() {
            ReasonKind::Stalled => styles::bad(said.reason),
            ReasonKind::Waiting => styles::warn(said.reason),
            ReasonKind::Good | ReasonKind::Intended => said.reason.to_string(),
        });
        let phase = match (&self.phase, &self.deletion) {
            (Phase::Deleting, Some(deletion)) => format!("Deleting ({})", deletion.phase),
            (Phase::Rendered, _) => styles::good("Rendered"),
            (phase, _) => format!("{phase:?}"),
        };
        [
            self.cluster.to_string(),
            self.stage.clone().unwrap_or_default(),
            phase,
            network.clone(),
            vip.clone(),
            firewall.clone(),
            self.version.clone().unwrap_or_default(),
            self.commit.as_ref().map(|commit| short(commit.id)).unwrap_or_default(),
            problem.unwrap_or_default(),
        ]
    }
}

impl CommitStatus {
    fn of(entry: &LogEntry) -> Self {
        Self { id: entry.id, time: entry.time, title: entry.title.clone() }
    }
}

impl DeletionStatus {
    /// None where nobody confirmed one.
    fn new(id: &ClusterId, recorded: Option<&Deletion>, deleting: Option<&Deleting>) -> Option<Self> {
        let phase = deleting.map(words::stage).or_else(|| recorded.map(|deletion| words::phase(deletion.phase)))?;
        Some(Self {
            phase,
            confirmed_in: recorded.map(|deletion| deletion.confirmed_in.to_string()),
            next: deleting.map(words::next),
            waits: deleting.map(|deleting| deleting.waits.clone()).unwrap_or_default(),
            refused: deleting.and_then(|deleting| deleting.refused.as_ref()).map(|refused| Said::new(id, refused)),
        })
    }
}

#[cfg(test)]
mod tests;
