//! Where each cluster of a fleet stands after a run: as a table, and as data.

use super::{plain, styles, table::Table};
use gitops::{ClusterState, Ran};
use model::condition::ReasonKind;
use model::{ClusterId, Finding};
use serde::Serialize;

/// What a run came to, for machines.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RanView<'a> {
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tip: Option<git::Oid>,
    commits: Vec<CommitView<'a>>,
    clusters: Vec<ClusterView<'a>>,
    findings: &'a [Finding],
    /// Duplicates that stay, orphans, and why projects are suspect.
    leftovers: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CommitView<'a> {
    id: git::Oid,
    title: &'a str,
    clusters: &'a [ClusterId],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterView<'a> {
    cluster: &'a ClusterId,
    path: &'a str,
    phase: gitops::Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<&'a model::lock::Values>,
    #[serde(skip_serializing_if = "Option::is_none")]
    firewall_ready: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<git::Oid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemView<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<ProblemView<'a>>,
}

#[derive(Debug, Serialize)]
struct ProblemView<'a> {
    reason: model::Reason,
    message: &'a str,
}

impl<'a> ProblemView<'a> {
    fn of((reason, message): &'a (model::Reason, String)) -> Self {
        Self { reason: *reason, message }
    }
}

impl<'a> RanView<'a> {
    pub(crate) fn new(ran: &'a Ran) -> Self {
        let commit = |c: &'a gitops::Commit| CommitView { id: c.id, title: &c.title, clusters: &c.clusters };
        Self {
            complete: ran.is_complete(),
            tip: ran.tip,
            commits: ran.commits.iter().map(commit).collect(),
            clusters: ran.clusters.iter().map(|(id, state)| ClusterView::new(id, state)).collect(),
            findings: &ran.findings,
            leftovers: ran.plan.view().leftovers().collect(),
        }
    }
}

impl<'a> ClusterView<'a> {
    fn new(cluster: &'a ClusterId, state: &'a ClusterState) -> Self {
        let ClusterState { path, phase, lock, problem, notes, firewall_ready, commit } = state;
        Self {
            cluster,
            path,
            phase: *phase,
            values: lock.as_deref().map(|lock| &lock.values),
            firewall_ready: *firewall_ready,
            commit: *commit,
            problem: problem.as_ref().map(ProblemView::of),
            notes: notes.iter().map(ProblemView::of).collect(),
        }
    }
}

/// A row per cluster.
pub(crate) fn table(ran: &Ran) -> Table {
    let mut table = Table::new(["CLUSTER", "PHASE", "NETWORK", "VIP", "FIREWALL", "COMMIT", "PROBLEM"]);
    for (id, state) in &ran.clusters {
        let Cells { network, vip, firewall } = Cells::of(state);
        let commit = state.commit.map(short).unwrap_or_default();
        let problem = state.problem.iter().chain(&state.notes).next().map(|(reason, _)| match reason.kind() {
            ReasonKind::Stalled => styles::bad(reason),
            ReasonKind::Waiting => styles::warn(reason),
            ReasonKind::Good | ReasonKind::Intended => reason.to_string(),
        });
        let phase = format!("{:?}", state.phase);
        let phase = if state.phase == gitops::Phase::Rendered { styles::good(phase) } else { phase };
        table.row([id.to_string(), phase, network, vip, firewall, commit, problem.unwrap_or_default()]);
    }
    table
}

/// Problems and notes in full, a line each.
pub(crate) fn problems(ran: &Ran) -> String {
    let lines = |(id, state): (&ClusterId, &ClusterState)| {
        let line = |(reason, message): &(model::Reason, String)| format!("{id}: {reason}: {}\n", plain(message));
        state.problem.iter().chain(&state.notes).map(line).collect::<String>()
    };
    ran.clusters.iter().map(lines).collect()
}

/// A cluster's values as short as they can be recognised by.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cells {
    pub(crate) network: String,
    pub(crate) vip: String,
    pub(crate) firewall: String,
}

impl Cells {
    pub(crate) fn of(state: &ClusterState) -> Self {
        state.lock.as_ref().map(|lock| Self::of_values(&lock.values, state.firewall_ready)).unwrap_or_default()
    }

    pub(crate) fn of_values(values: &model::lock::Values, firewall_ready: Option<bool>) -> Self {
        let prefixes =
            |n: &model::lock::NodeNetwork| n.prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let network = values.node_network.as_ref().map(prefixes).unwrap_or_default();
        let vip = values.vip.as_ref().map(|v| format!("{}:{}", v.address, v.port.get())).unwrap_or_default();
        let firewall = values.firewall.as_ref().map(|f| {
            // What machines' ids have in common stands at the front, where vendors put it.
            let id = format!("…{}", f.id.as_str().rsplit('-').next().unwrap_or_default());
            match firewall_ready {
                Some(true) => format!("{id} {}", styles::good("ready")),
                Some(false) => format!("{id} {}", styles::warn("starting")),
                None => id,
            }
        });
        Self { network, vip, firewall: firewall.unwrap_or_default() }
    }
}

/// A commit as people name it.
pub(crate) fn short(id: git::Oid) -> String {
    id.to_string().chars().take(7).collect()
}
