//! What a pass reads: the tip with its output, metal-api through the one door, and what history knows. Each is kept as
//! long as nothing can have changed it.

use crate::engine::{Engine, Memory};
use crate::error::RunError;
use crate::view::{Memos, OutputAt, Side, View, output_side};
use git::Oid;
use metal_api::{Guarded, Metal};
use model::metal::Gap;
use model::{ClusterId, Have};
use plan::Plan;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What has not answered in this time is a gap of its clusters.
pub(crate) const GATHER: Duration = Duration::from_secs(5);

/// So many clusters are read again by their tags; more are cheaper as whole lists.
const REFRESH_MAX: usize = 4;

/// Whether every list was read that decides something.
pub(crate) fn lists_are_whole(have: &Have) -> bool {
    have.gaps.iter().all(|gap| gap.kind == Gap::CAPACITY)
}

impl<M: Metal + 'static> Engine<M> {
    /// What a tip says; read once while the tip stays.
    pub(crate) async fn view(&mut self, tip: Oid) -> Result<Arc<View>, RunError> {
        let place = self.place(tip).await?;
        let output = match place {
            Some(place) => Some(OutputAt { tip: place.remote.tip().await?, place }),
            None => None,
        };
        let output_tip = |at: &Option<OutputAt>| at.as_ref().map(|at| (at.place.name.clone(), at.tip));
        // Only the expiry of versions depends on time.
        let fresh = |(view, at): &&(Arc<View>, Instant)| {
            view.tip == tip
                && output_tip(&view.output) == output_tip(&output)
                && at.elapsed() < self.options.metal_interval
        };
        if let Some((view, _)) = self.viewed.as_ref().filter(fresh) {
            return Ok(view.clone());
        }
        let output = match output {
            None => None,
            Some(at) => Some((at.clone(), self.output_side(at).await?)),
        };
        let found = self.before(tip, output.as_ref()).await?;
        let (lost, accepted) = (found.lost.clone(), found.accepted);
        let (memory, now) = (self.memory.clone(), self.clock.now());
        let view = self.remote.call(move |repo| {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            let Memory { history, load, judged, .. } = &mut *memory;
            View::load(repo, history, &mut Memos { load, judged }, tip, output, &found, now)
        });
        let view = Arc::new(view.await?);
        let missing = view.output.as_ref().filter(|_| view.missing && !accepted).map(|at| at.place.name.clone());
        if let Some(place) = lost.filter(|_| view.was_rendered()).or(missing) {
            return Err(RunError::OutputLost { place, branch: self.options.branch.clone() });
        }
        let fleet = view.want.fleet.as_deref().map(|f| f.metadata.name.to_string());
        self.status.send_if_modified(|status| {
            status.fleet = fleet;
            false
        });
        self.viewed = Some((view.clone(), Instant::now()));
        Ok(view)
    }

    /// What the output's branch holds; None while there is no such branch.
    async fn output_side(&self, at: OutputAt) -> Result<Option<Side>, RunError> {
        let Some(tip) = at.tip else { return Ok(None) };
        let (memory, full_ref) = (self.memory.clone(), at.place.remote.branch_ref());
        let side = at.place.remote.call(move |repo| {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            let side = output_side(repo, &full_ref, &mut memory.output_history, tip)?;
            Ok((side, memory.output_history.taken_by.clone()))
        });
        let (side, taken_by) = side.await?;
        match taken_by {
            None => Ok(Some(side)),
            Some(fleet) => Err(RunError::OutputTaken { place: at.place.name, fleet }),
        }
    }

    /// What metal-api has for the fleet's projects; as read within the interval unless `fresh`.
    pub(crate) async fn have(&mut self, view: &View, fresh: bool) -> Result<Arc<Have>, RunError> {
        let projects: BTreeSet<_> = view.want.projects().into_iter().collect();
        if let Some((_, _, have)) = self
            .have
            .as_ref()
            .filter(|(of, at, _)| !fresh && *of == projects && at.elapsed() < self.options.metal_interval)
        {
            return Ok(have.clone());
        }
        let list: Vec<_> = projects.iter().cloned().collect();
        let door = self.door(view)?;
        let have = Arc::new(metal_api::gather(&door, &list, self.clock.now(), GATHER).await);
        self.watch(&door, &view.want, &have).await;
        self.have = Some((projects, Instant::now(), have.clone()));
        Ok(have)
    }

    /// The same, read again for what a plan writes: a few clusters by their tags, else everything.
    pub(crate) async fn have_again(&mut self, view: &View, plan: &Plan) -> Result<Arc<Have>, RunError> {
        let mut clusters: Vec<_> = plan.allocations().map(|(id, ..)| id.clone()).collect();
        clusters.dedup();
        let projects: BTreeSet<_> = view.want.projects().into_iter().collect();
        let known = self.have.as_ref().filter(|(of, _, have)| *of == projects && lists_are_whole(have));
        // Whether anything lives in what would be freed, only whole lists say.
        let Some((_, at, have)) = known.filter(|_| plan.frees.is_empty() && clusters.len() <= REFRESH_MAX) else {
            return self.have(view, true).await;
        };
        let (at, have) = (*at, have.clone());
        let project = |id: ClusterId| Some((plan.clusters.get(&id)?.project.clone(), id));
        let clusters: Vec<_> = clusters.into_iter().filter_map(project).collect();
        let have = metal_api::refresh(&self.door(view)?, &have, &clusters, self.clock.now(), GATHER).await;
        let have = Arc::new(have);
        self.have = Some((projects, at, have.clone()));
        Ok(have)
    }

    /// The one door to metal-api: no call outside of the projects that this tree lists (R16).
    pub(crate) fn door(&self, view: &View) -> Result<Guarded<Arc<M>>, RunError> {
        // A tree without a readable fleet lists no project: whichever door, nothing of a project goes through it.
        let named = view.want.fleet.as_deref().map(|f| f.spec.metal.credentials.as_str());
        let metal = named.map_or_else(|| self.metals.values().next(), |name| self.metals.get(name));
        let metal = metal.cloned().ok_or_else(|| RunError::MetalNotConfigured {
            name: named.unwrap_or("default").to_owned(),
            known: self.metals.keys().cloned().collect::<Vec<_>>().join(", "),
        })?;
        let door = Guarded::new(metal, view.want.projects(), self.observe.clone());
        Ok(if self.options.observe { door.read_only() } else { door })
    }

    pub(crate) fn known_clusters(&self) -> BTreeSet<ClusterId> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).history.clusters.clone()
    }

    /// Every cluster that a definition in the branch's history ever named; read once, and only when something is found
    /// that neither the tree nor an engine commit knows.
    pub(crate) async fn clusters_of_history(&self, tip: Oid) -> Result<BTreeSet<ClusterId>, RunError> {
        let (memory, now) = (self.memory.clone(), self.clock.now());
        let found = self.remote.call(move |repo| {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, known)) = memory.old_clusters.as_ref().filter(|(at, _)| *at == tip) {
                return Ok(known.clone());
            }
            let known = crate::history::defined_clusters(repo, &mut memory.load, tip, now)?;
            memory.old_clusters = Some((tip, known.clone()));
            Ok(known)
        });
        Ok(found.await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::metal::GapReason;

    #[test]
    fn unread_capacity_leaves_the_lists_whole() {
        let gap = |kind| Gap { project: None, kind, why: GapReason::Failed, message: String::new() };
        let is_whole = |gaps| lists_are_whole(&Have { gaps, ..Have::default() });
        assert!(is_whole(vec![]) && is_whole(vec![gap(Gap::CAPACITY)]));
        assert!(!is_whole(vec![gap("ips")]) && !is_whole(vec![gap(Gap::CAPACITY), gap("ips")]));
    }
}
