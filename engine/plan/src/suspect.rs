//! Marked resources of clusters that this tree does not know: orphans, our own leftovers, or a sign that this is a copy.

use crate::duplicates::why_kept;
use crate::index::Index;
use crate::{Orphan, Setting};
use model::request::{Free, FreeReason};
use model::{ClusterId, FleetName, Have, ProjectId, Reason, Want};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Strays {
    pub(crate) suspect: BTreeMap<ProjectId, String>,
    pub(crate) orphans: Vec<Orphan>,
    /// Allocated by this very process for a cluster that is gone from the tip: freed before the run ends (design, "Why
    /// one of each holds" 4).
    pub(crate) own: Vec<Free>,
}

pub(crate) fn strays(want: &Want, have: &Have, index: &Index<'_>, fleet: &FleetName, setting: &Setting<'_>) -> Strays {
    let now = have.server_time.unwrap_or(setting.now);
    let mut strays = Strays::default();
    for (cluster, hit) in index.all() {
        let Some(mark) = hit.mark().filter(|m| m.is_of(fleet)) else { continue };
        let id = cluster.parse::<ClusterId>().ok();
        let in_tree = |id: &ClusterId| {
            let is_known = want.clusters.contains_key(id) || want.unresolved.naming(id).is_some();
            is_known || want.orphan_locks.contains_key(id) || want.tombstones.contains_key(id)
        };
        if id.as_ref().is_some_and(in_tree) {
            continue;
        }
        let is_accepted = || {
            let said = |subject: &dyn std::fmt::Display| setting.said.is_acknowledged(Reason::Suspect, subject);
            said(hit.project) || said(&cluster)
        };
        // Of this process, of no landed lock, young and empty: what a person's change of mind left behind.
        let leftover = |id: &&ClusterId| {
            mark.attempt == setting.attempt.as_str()
                && !setting.landed.contains(*id)
                && want.unresolved.of(id).is_none()
                && have.complete_for(hit.project)
                && why_kept(hit, &mark.slot, have, now).is_none()
        };
        let known = |id: &ClusterId| setting.known_to_history.contains(id) || mark.attempt == setting.attempt.as_str();
        if let Some(id) = id.as_ref().filter(leftover) {
            strays.own.push(Free {
                cluster: id.clone(),
                slot: mark.slot,
                project: hit.project.clone(),
                target: hit.resource.owned().target(),
                why: FreeReason::Leftover,
            });
        } else if id.as_ref().is_some_and(known) || is_accepted() {
            strays.orphans.push(Orphan {
                project: hit.project.clone(),
                cluster: cluster.to_owned(),
                slot: mark.slot,
                id: hit.resource.id(),
            });
        } else {
            let message = format!(
                "{} `{}` carries the mark of fleet `{fleet}` for cluster `{cluster}`, which neither this tree nor its \
                 history knows; this may be a copy of another fleet repository",
                mark.slot,
                hit.resource.id(),
            );
            strays.suspect.entry(hit.project.clone()).or_insert(message);
        }
    }
    strays.orphans.sort();
    strays
}
