//! Frees what no definition and no lock names, when a person asks for one cluster's by name (I2).

use crate::engine::Engine;
use crate::error::RunError;
use crate::pass::{Claimed, Decided};
use metal_api::Metal;
use model::metal::HaveProject;
use model::request::{Done, Free, FreeOutcome, FreeReason, Resource};
use model::{ClusterId, Have, Slot};
use plan::{Orphan, Plan};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// So long the claim is waited for, and what metal-api still holds.
const WAIT: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_secs(1);

type Freed = Vec<(Orphan, FreeOutcome)>;

impl<M: Metal + 'static> Engine<M> {
    /// Frees the orphans of exactly this cluster, all of them or those with these ids, in the order in which they can
    /// go (R25); each with what came of it. One that is not among the plan's orphans is not freed.
    pub async fn free_orphans(&mut self, cluster: &str, ids: Option<&[String]>) -> Result<Freed, RunError> {
        let freed = self.orphans_freed(cluster, ids).await;
        self.release().await;
        freed
    }

    async fn orphans_freed(&mut self, cluster: &str, ids: Option<&[String]>) -> Result<Freed, RunError> {
        let began = Instant::now();
        let mut decided = self.decided_anew().await?;
        let mut freed = Freed::new();
        while !frees(&decided.plan, &decided.have, cluster, ids).is_empty() {
            match self.claim(decided.view.tip).await? {
                Claimed::Ours => {}
                Claimed::Never(words) => return Err(RunError::ClaimRefused { words }),
                Claimed::Others if began.elapsed() > WAIT => return Err(RunError::ClaimHeld),
                Claimed::Others => {
                    sleep(PAUSE).await;
                    continue;
                }
            }
            // Under the claim all is read again: metal-api first, then the tip.
            decided = self.decided_anew().await?;
            self.free_these(&decided, frees(&decided.plan, &decided.have, cluster, ids), &mut freed).await?;
            let waits = |(_, outcome): &(Orphan, FreeOutcome)| matches!(outcome, FreeOutcome::NotYet { .. });
            let may_free = self.held.as_ref().is_some_and(crate::claim::Held::may_free);
            if (may_free && !freed.iter().any(waits)) || began.elapsed() > WAIT {
                break;
            }
            sleep(PAUSE).await;
            decided = self.decided_anew().await?;
        }
        Ok(freed)
    }

    async fn decided_anew(&mut self) -> Result<Decided, RunError> {
        let tip = self.remote.tip().await?.ok_or_else(|| self.branch_missing())?;
        let view = self.view(tip).await?;
        let have = self.have(&view, true).await?;
        // A definition that was pushed meanwhile has what looked like an orphan.
        let tip = self.remote.tip().await?.ok_or_else(|| self.branch_missing())?;
        let view = self.view(tip).await?;
        self.decide(view, have).await
    }

    /// Each outcome takes the place of an earlier one. What answered is not asked again.
    async fn free_these(
        &mut self,
        decided: &Decided,
        frees: Vec<(Orphan, Free)>,
        freed: &mut Freed,
    ) -> Result<(), RunError> {
        let (Some(held), Some(fleet)) = (self.held.as_ref(), decided.view.want.fleet.as_deref()) else { return Ok(()) };
        if !held.may_free() {
            return Ok(());
        }
        let executor = allocate::Executor {
            metal: Arc::new(self.door(&decided.view)?),
            gate: held.gate(),
            fleet: fleet.metadata.name.clone(),
            attempt: self.options.attempt.clone(),
            calls: self.calls.guard(),
        };
        let is_answered = |orphan: &Orphan| {
            freed.iter().any(|(other, outcome)| other == orphan && !matches!(outcome, FreeOutcome::NotYet { .. }))
        };
        let frees: Vec<_> = frees.into_iter().filter(|(orphan, _)| !is_answered(orphan)).collect();
        let (orphans, frees): (Vec<_>, Vec<_>) = frees.into_iter().unzip();
        let mut done = Done::default();
        self.writing(true);
        executor.free(&Plan { frees, ..Plan::default() }, &mut done).await;
        self.writing(false);
        self.count(&done);
        for (orphan, (_, outcome)) in orphans.into_iter().zip(done.frees) {
            freed.retain(|(other, _)| *other != orphan);
            freed.push((orphan, outcome));
        }
        Ok(())
    }
}

/// What of the plan's orphans is meant, in the order in which it can go. Nothing of a project in doubt.
fn frees(plan: &Plan, have: &Have, cluster: &str, ids: Option<&[String]>) -> Vec<(Orphan, Free)> {
    let is_meant = |orphan: &&Orphan| {
        orphan.cluster == cluster
            && ids.is_none_or(|ids| ids.contains(&orphan.id))
            && !plan.suspect.contains_key(&orphan.project)
            && have.complete_for(&orphan.project)
    };
    let free = |orphan: &Orphan| {
        let resource = resource(have.projects.get(&orphan.project)?, orphan)?;
        let free = Free {
            cluster: cluster.parse::<ClusterId>().ok()?,
            slot: orphan.slot.clone(),
            project: orphan.project.clone(),
            target: resource.target(),
            why: FreeReason::Orphan,
        };
        Some((orphan.clone(), free))
    };
    let mut frees: Vec<_> = plan.orphans.iter().filter(is_meant).filter_map(free).collect();
    // What stands in a network goes before the network.
    frees.sort_by(|(_, a), (_, b)| b.slot.cmp(&a.slot));
    frees
}

fn resource(had: &HaveProject, orphan: &Orphan) -> Option<Resource> {
    let is_it = |resource: &Resource| resource.id() == orphan.id;
    match &orphan.slot {
        Slot::Network => had.networks.iter().cloned().map(Resource::Network).find(is_it),
        Slot::Vip | Slot::Egress(_) => had.ips.iter().cloned().map(Resource::Ip).find(is_it),
        Slot::Firewall(_) => had.firewalls.iter().cloned().map(Resource::Machine).find(is_it),
    }
}
