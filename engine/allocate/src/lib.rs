//! The one door for metal-api writes: carries out a plan, searches after an unknown outcome, frees only what was read
//! again just before. It decides nothing that is wanted.
#![forbid(unsafe_code)]

mod chain;
mod free;
mod search;
#[cfg(test)]
mod tests;

use metal_api::Metal;
use model::request::{Done, Free, FreeOutcome, FreeReason, Outcome};
use model::{Attempt, ClusterId, FleetName, Slot, Want};
use plan::{Plan, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// Held by every call while it is open; knows the clusters of which one is.
#[derive(Clone, Debug)]
pub struct CallGuard {
    clusters: Arc<Mutex<BTreeSet<ClusterId>>>,
    #[expect(dead_code, reason = "held, never sent through")]
    open: mpsc::Sender<()>,
}

impl Default for Calls {
    fn default() -> Self {
        let (open, ended) = mpsc::channel(1);
        Self { guard: CallGuard { clusters: Arc::default(), open }, ended }
    }
}

impl Calls {
    pub fn guard(&self) -> CallGuard {
        self.guard.clone()
    }

    /// Whether a call is still open that its run no longer waits for.
    pub fn is_open(&self) -> bool {
        !self.guard.lock().is_empty()
    }

    /// Waits until every call ended; each has a deadline of its own, so this ends.
    pub async fn ended(self) {
        let Self { guard, mut ended } = self;
        drop(guard);
        let nothing_is_ever_sent = ended.recv().await;
        debug_assert!(nothing_is_ever_sent.is_none());
    }
}

impl CallGuard {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<ClusterId>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None while an earlier call of the cluster is open: two at once could fill one slot twice (I1).
    fn begin(&self, cluster: &ClusterId) -> Option<Begun> {
        self.lock().insert(cluster.clone()).then(|| Begun { guard: self.clone(), cluster: cluster.clone() })
    }
}

/// The open calls of one cluster; ends with it.
struct Begun {
    guard: CallGuard,
    cluster: ClusterId,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.guard.lock().remove(&self.cluster);
    }
}

/// Whether a run still waits; when it does not, or is cut short, nothing new is begun for it.
#[derive(Clone, Default)]
struct Waits(Arc<AtomicBool>);

impl Waits {
    fn are_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn until_dropped(&self) -> Over {
        Over(self.clone())
    }
}

struct Over(Waits);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

type Answer = (ClusterId, Slot, Outcome);

impl<M: Metal + 'static> Executor<M> {
    /// Allocates what the plan wants, cluster by cluster in the order of slots, eight clusters at a time.
    pub async fn carry_out(&self, want: &Want, plan: &Plan) -> Done {
        let (answers, mut inbox) = mpsc::unbounded_channel::<Answer>();
        let (places, waits) = (Arc::new(Semaphore::new(PARALLEL)), Waits::default());
        let _over = waits.until_dropped();
        let mut open: BTreeMap<ClusterId, Vec<Slot>> = BTreeMap::new();
        let mut done = Done::default();
        for (id, cluster) in &plan.clusters {
            let slots: Vec<Slot> = cluster.steps.iter().filter_map(allocated).cloned().collect();
            let Some(wanted) = want.clusters.get(id).filter(|_| !slots.is_empty()) else { continue };
            let Some(begun) = self.calls.begin(id) else {
                done.slots.insert(id.clone(), unknown(slots, "an earlier call of this cluster is still open"));
                continue;
            };
            open.insert(id.clone(), slots);
            let (executor, steps) = (self.clone(), cluster.steps.clone());
            let chain = chain::Chain {
                executor,
                wanted: wanted.clone(),
                steps,
                answers: answers.clone(),
                waits: waits.clone(),
            };
            let places = places.clone();
            tokio::spawn(async move {
                let _begun = begun;
                let Ok(_place) = places.acquire().await else { return };
                chain.run().await;
            });
        }
        drop(answers);
        while let Ok(Some((id, slot, outcome))) = timeout(PATIENCE, inbox.recv()).await {
            if let Some(slots) = open.get_mut(&id) {
                slots.retain(|s| *s != slot);
            }
            done.slots.entry(id).or_default().push((slot, outcome));
        }
        let late = format!("no answer within {} s", PATIENCE.as_secs());
        for (id, slots) in open {
            done.slots.entry(id).or_default().extend(unknown(slots, &late));
        }
        done
    }

    /// Frees what the plan says, one after the other in its order. What this run tried already is not tried again: a
    /// free is never repeated blindly. Of a cluster that is deleted, other slots wait behind one that did not go.
    pub async fn free(&self, plan: &Plan, done: &mut Done) {
        for free in &plan.frees {
            if !self.gate.is_open() {
                return;
            }
            if done.frees.iter().any(|(tried, outcome)| is_same(tried, free) || stands_before(tried, outcome, free)) {
                continue;
            }
            let (executor, meant) = (self.clone(), free.clone());
            let task = tokio::spawn(async move { free::free(&*executor.metal, &executor.fleet, &meant).await });
            let outcome = task.await.unwrap_or_else(|e| FreeOutcome::Failed { message: e.to_string() });
            let (cluster, slot, target, why) = (&free.cluster, &free.slot, &free.target, &free.why);
            tracing::info!(%cluster, %slot, metal_id = %target, %why, ?outcome, "freeing");
            done.frees.push((free.clone(), outcome));
        }
    }
}

fn is_same(tried: &Free, free: &Free) -> bool {
    (&tried.project, &tried.target) == (&free.project, &free.target)
}

/// Whether something else of the same deletion was to go first, and did not.
fn stands_before(tried: &Free, outcome: &FreeOutcome, free: &Free) -> bool {
    let is_deletion = tried.why == FreeReason::Deletion && free.why == FreeReason::Deletion;
    let is_there = match outcome {
        FreeOutcome::Freed | FreeOutcome::Gone => false,
        FreeOutcome::NotYet { .. } | FreeOutcome::Changed { .. } | FreeOutcome::Failed { .. } => true,
    };
    is_deletion && is_there && tried.cluster == free.cluster && !tried.slot.same(&free.slot)
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

fn unknown(slots: Vec<Slot>, message: &str) -> Vec<(Slot, Outcome)> {
    slots.into_iter().map(|slot| (slot, Outcome::Unknown { message: message.to_owned() })).collect()
}

fn allocated(step: &Step) -> Option<&Slot> {
    match step {
        Step::Allocate { slot, .. } => Some(slot),
        Step::Keep { .. } | Step::Delegate { .. } | Step::Use { .. } | Step::Refuse { .. } => None,
    }
}
