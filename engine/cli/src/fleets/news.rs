//! What a lasting engine logs of its clusters: findings and problems when they come and when they go, and nothing while
//! they stay (I4). An error is what a person must act on, a warning what is tried again.

use gitops::{FleetStatus, Ran};
use model::condition::ReasonKind;
use model::{ClusterId, Finding, Reason};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;

/// What was told of a fleet.
#[derive(Debug, Default)]
struct Told {
    findings: Vec<Finding>,
    problems: BTreeMap<ClusterId, (Reason, String)>,
    notes: BTreeSet<(ClusterId, Reason)>,
}

/// Until the engine is gone.
pub(super) async fn tell(fleet: Arc<str>, mut status: watch::Receiver<FleetStatus>) {
    let mut told = Told::default();
    while status.changed().await.is_ok() {
        let seen = status.borrow_and_update().ran.clone();
        if let Some(ran) = seen {
            told.news(&fleet, &ran);
        }
    }
}

impl Told {
    /// What fails nothing, when it comes and when it goes.
    fn noted(&mut self, fleet: &str, ran: &Ran) {
        let mut notes = BTreeSet::new();
        for (cluster, state) in &ran.clusters {
            for (reason, message) in &state.notes {
                let key = (cluster.clone(), *reason);
                if !self.notes.contains(&key) && !notes.contains(&key) {
                    tracing::info!(fleet, %cluster, %reason, "{message}");
                }
                notes.insert(key);
            }
        }
        for (cluster, reason) in self.notes.difference(&notes) {
            tracing::info!(fleet, %cluster, %reason, "over");
        }
        self.notes = notes;
    }

    fn news(&mut self, fleet: &str, ran: &Ran) {
        for finding in ran.findings.iter().filter(|f| !self.findings.contains(f)) {
            let Finding { severity: _, place, field: _, rule, message, mend, cluster: _, reason: _ } = finding;
            let place = format!("{}:{}:{}", place.file, place.line, place.column);
            if finding.is_error() {
                tracing::error!(fleet, place, rule, mend, "{message}");
            } else {
                tracing::warn!(fleet, place, rule, mend, "{message}");
            }
        }
        if ran.findings.is_empty() && !self.findings.is_empty() {
            tracing::info!(fleet, "no findings any more");
        }
        self.findings.clone_from(&ran.findings);
        let problems: BTreeMap<_, _> =
            ran.clusters.iter().filter_map(|(id, state)| Some((id.clone(), state.problem.clone()?))).collect();
        for (cluster, (reason, message)) in &problems {
            if self.problems.get(cluster).is_some_and(|(before, _)| before == reason) {
                continue;
            }
            match reason.kind() {
                ReasonKind::Stalled => tracing::error!(fleet, %cluster, %reason, "{message}"),
                ReasonKind::Waiting => tracing::warn!(fleet, %cluster, %reason, "{message}"),
                ReasonKind::Intended | ReasonKind::Good => tracing::info!(fleet, %cluster, %reason, "{message}"),
            }
        }
        for (cluster, (reason, _)) in self.problems.iter().filter(|(id, _)| !problems.contains_key(*id)) {
            tracing::info!(fleet, %cluster, %reason, "over");
        }
        self.problems = problems;
        self.noted(fleet, ran);
    }
}
