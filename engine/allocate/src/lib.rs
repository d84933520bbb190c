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
    pub calls: CallGuard,
}

/// The calls of one run. They are tasks of their own: a run that is cut short leaves them to end by themselves, and the
/// claim is kept until they did.
#[derive(Debug)]
pub struct Calls {
    guard: CallGuard,
    ended: mpsc::Receiver<()>,
}

/// Held by every call while it is open.
#[derive(Clone, Debug)]
pub struct CallGuard(#[expect(dead_code, reason = "held, never sent through")] mpsc::Sender<()>);

impl Default for Calls {
    fn default() -> Self {
        let (sender, ended) = mpsc::channel(1);
        Self { guard: CallGuard(sender), ended }
    }
}

impl Calls {
    pub fn guard(&self) -> CallGuard {
        self.guard.clone()
    }

    /// Waits until every call ended; each has a deadline of its own, so this ends.
    pub async fn ended(self) {
        let Self { guard, mut ended } = self;
        drop(guard);
        let nothing_is_ever_sent = ended.recv().await;
        debug_assert!(nothing_is_ever_sent.is_none());
    }
}

type Answer = (ClusterId, Slot, Outcome);

impl<M: Metal + 'static> Executor<M> {
    /// Allocates what the plan wants, cluster by cluster in the order of slots, eight clusters at a time.
    pub async fn carry_out(&self, want: &Want, plan: &Plan) -> Done {
        let (answers, mut inbox) = mpsc::unbounded_channel::<Answer>();
        let places = Arc::new(Semaphore::new(PARALLEL));
        let mut open: BTreeMap<ClusterId, Vec<Slot>> = BTreeMap::new();
        for (id, cluster) in &plan.clusters {
            let slots: Vec<Slot> = cluster.steps.iter().filter_map(allocated).cloned().collect();
            let Some(wanted) = want.clusters.get(id).filter(|_| !slots.is_empty()) else { continue };
            open.insert(id.clone(), slots);
            let chain = chain::Chain::new(self.clone(), wanted.clone(), cluster.steps.clone(), answers.clone());
            let places = places.clone();
            tokio::spawn(async move {
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
            let message = || format!("no answer within {} s", PATIENCE.as_secs());
            let late = slots.into_iter().map(|slot| (slot, Outcome::Unknown { message: message() }));
            done.slots.entry(id).or_default().extend(late);
        }
        done
    }

    /// Frees duplicates, one after the other in the order of the plan.
    pub async fn free(&self, plan: &Plan, done: &mut Done) {
        for free in &plan.frees {
            if !self.gate.is_open() {
                return;
            }
            let (executor, meant) = (self.clone(), free.clone());
            let task = tokio::spawn(async move { free::free(&*executor.metal, &executor.fleet, &meant).await });
            let outcome = task.await.unwrap_or_else(|e| model::request::FreeOutcome::Failed { message: e.to_string() });
            tracing::info!(cluster = %free.cluster, slot = %free.slot, outcome = ?outcome, "freeing a duplicate");
            done.frees.push((free.clone(), outcome));
        }
    }
}

/// By hand: `M` itself need not be cloned.
impl<M> Clone for Executor<M> {
    fn clone(&self) -> Self {
        let Self { metal, gate, fleet, attempt, calls } = self;
        Self {
            metal: metal.clone(),
            gate: gate.clone(),
            fleet: fleet.clone(),
            attempt: attempt.clone(),
            calls: calls.clone(),
        }
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
