//! The one door for metal-api writes: carries out a plan, searches after an unknown outcome, frees only what was read
//! again just before. It decides nothing that is wanted.
#![forbid(unsafe_code)]

mod chain;
mod free;
mod search;

use metal_api::Metal;
use model::request::{Done, Outcome};
use model::{Attempt, ClusterId, FleetName, Slot, Want};
use plan::{Plan, Step};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Clusters that are carried out at a time.
const PARALLEL: usize = 8;

/// After the last answer, calls still open count as unknown for this long: what is known is committed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a metal-api write may begin now: the claim is held and not half through its time.
pub trait Gate: Send + Sync {
    fn is_open(&self) -> bool;
}

/// What is needed beside the plan.
pub struct Executor<M> {
    pub metal: Arc<M>,
    pub gate: Arc<dyn Gate>,
    pub fleet: FleetName,
    pub attempt: Attempt,
}

/// Calls that were open when patience ended. The claim is kept until each ended or timed out.
#[must_use]
#[derive(Debug)]
pub struct Open(JoinSet<()>);

impl Open {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for all of them; every call has a deadline of its own, so this ends.
    pub async fn ended(mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

type Answer = (ClusterId, Slot, Outcome);

impl<M: Metal + 'static> Executor<M> {
    /// Allocates what the plan wants, cluster by cluster in the order of slots, eight clusters at a time.
    pub async fn carry_out(&self, want: &Want, plan: &Plan) -> (Done, Open) {
        let (answers, mut inbox) = mpsc::unbounded_channel::<Answer>();
        let places = Arc::new(Semaphore::new(PARALLEL));
        let mut tasks = JoinSet::new();
        let mut open: BTreeMap<ClusterId, Vec<Slot>> = BTreeMap::new();
        for (id, cluster) in &plan.clusters {
            let wanted_slots: Vec<Slot> = cluster.steps.iter().filter_map(allocated).cloned().collect();
            let Some(wanted) = want.clusters.get(id).filter(|_| !wanted_slots.is_empty()) else { continue };
            open.insert(id.clone(), wanted_slots);
            let chain = chain::Chain::new(self.clone(), wanted.clone(), cluster.steps.clone(), answers.clone());
            let places = places.clone();
            tasks.spawn(async move {
                let Ok(_place) = places.acquire().await else { return };
                chain.run().await;
            });
        }
        drop(answers);
        let mut done = Done::default();
        while let Ok(Some((id, slot, outcome))) = timeout(PATIENCE, inbox.recv()).await {
            if let Some(slots) = open.get_mut(&id) {
                slots.retain(|s| *s != slot);
            }
            done.slots.entry(id).or_default().push((slot, outcome));
        }
        for (id, slots) in open {
            let late = slots.into_iter().map(|slot| {
                let message = format!("no answer within {} s", PATIENCE.as_secs());
                (slot, Outcome::Unknown { message })
            });
            done.slots.entry(id).or_default().extend(late);
        }
        (done, Open(tasks))
    }

    /// Frees duplicates, one after the other in the order of the plan.
    pub async fn free(&self, plan: &Plan, done: &mut Done) {
        for free in &plan.frees {
            if !self.gate.is_open() {
                return;
            }
            let outcome = free::free(&*self.metal, &self.fleet, free).await;
            tracing::info!(cluster = %free.cluster, slot = %free.slot, outcome = ?outcome, "freed a duplicate");
            done.frees.push((free.clone(), outcome));
        }
    }
}

/// By hand: `M` itself need not be cloned.
impl<M> Clone for Executor<M> {
    fn clone(&self) -> Self {
        let Self { metal, gate, fleet, attempt } = self;
        Self { metal: metal.clone(), gate: gate.clone(), fleet: fleet.clone(), attempt: attempt.clone() }
    }
}

impl<M> std::fmt::Debug for Executor<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor").field("fleet", &self.fleet).finish_non_exhaustive()
    }
}

fn allocated(step: &Step) -> Option<&Slot> {
    match step {
        Step::Allocate { slot, .. } => Some(slot),
        Step::Keep { .. } | Step::Delegate { .. } | Step::Use { .. } | Step::Refuse { .. } => None,
    }
}
