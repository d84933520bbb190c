//! A plan for people and machines: what `ferrofleet plan` shows.

use crate::{Plan, Step};
use model::request::Request;
use model::{ClusterId, Slot};
use serde::Serialize;

/// The whole plan, serializable, in a stable order.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    pub incomplete: bool,
    pub clusters: Vec<ClusterLine>,
    pub frees: Vec<String>,
    pub duplicates: Vec<String>,
    pub orphans: Vec<String>,
    /// Committed values that metal-api does not have as they were committed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<String>,
    pub suspect: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterLine {
    pub cluster: ClusterId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
    pub steps: Vec<StepLine>,
    /// What is to be known and nothing fails for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepLine {
    pub slot: Slot,
    /// `keep`, `delegate`, `use`, `allocate` or `refuse`.
    pub action: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl PlanView {
    /// What stands in metal-api beside what the locks name, a sentence each.
    pub fn leftovers(&self) -> impl Iterator<Item = String> {
        let duplicates = self.duplicates.iter().map(|line| format!("a duplicate: {line}"));
        let orphans = self.orphans.iter().map(|line| format!("no definition and no lock names {line}"));
        duplicates.chain(orphans).chain(self.suspect.iter().cloned())
    }
}

impl Plan {
    pub fn view(&self) -> PlanView {
        let cluster = |(id, plan): (&ClusterId, &crate::ClusterPlan)| ClusterLine {
            cluster: id.clone(),
            blocked: plan.blocked.as_ref().map(|b| format!("{}: {}", b.reason, b.message)),
            steps: plan.steps.iter().map(line).collect(),
            notes: plan.notes.iter().map(|note| format!("{}: {}", note.reason, note.message)).collect(),
        };
        PlanView {
            incomplete: self.incomplete,
            clusters: self.clusters.iter().map(cluster).collect(),
            frees: self
                .frees
                .iter()
                .map(|f| format!("{} of {}: `{}`, {}", f.slot, f.cluster, f.target, f.why))
                .collect(),
            duplicates: self
                .duplicates
                .iter()
                .map(|d| format!("{} of {}: `{}` stays, {}", d.slot, d.cluster, d.id, d.why_kept))
                .collect(),
            orphans: self
                .orphans
                .iter()
                .map(|o| format!("{} `{}` of {} in project {}", o.slot, o.id, o.cluster, o.project))
                .collect(),
            losses: self.losses.iter().map(|loss| format!("{loss}, of {}", loss.cluster)).collect(),
            suspect: self.suspect.iter().map(|(project, why)| format!("project {project}: {why}")).collect(),
        }
    }
}

fn line(step: &Step) -> StepLine {
    let slot = step.slot().clone();
    let (action, detail) = match step {
        Step::Keep { .. } => ("keep", String::new()),
        Step::Delegate { .. } => ("delegate", "the Cluster API provider allocates it".to_owned()),
        Step::Use { resource, origin, .. } => ("use", format!("{} ({origin:?})", resource.id()).to_lowercase()),
        Step::Allocate { request, .. } => ("allocate", asked(request)),
        Step::Refuse { reason, message, .. } => ("refuse", format!("{reason}: {message}")),
    };
    StepLine { slot, action, detail }
}

fn asked(request: &Request) -> String {
    match request {
        Request::Network(r) => {
            let length = r.length.map_or_else(|| "the default length".to_owned(), |l| format!("/{l}"));
            format!("{length} in partition {}, project {}", r.partition, r.project)
        }
        Request::Ip(r) => {
            let address = r.address.map_or_else(|| "an address".to_owned(), |a| a.to_string());
            format!("{:?} {address} of network {}, project {}", r.kind, r.network, r.project).to_lowercase()
        }
        Request::Firewall(r) => {
            format!("{} with {} in partition {}, project {}", r.size, r.image, r.partition, r.project)
        }
    }
}
