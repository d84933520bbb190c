//! Looks at management clusters (R2, delegation). Each look is a task of its own: one that does not answer holds nobody
//! up (I6).

use crate::live::Live;
use model::definition::SlotMode;
use model::ids::Label;
use model::live::Seen;
use model::lock::DeletionPhase;
use model::want::Wanted;
use model::{ClusterId, Want};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// For one look.
const DEADLINE: Duration = Duration::from_secs(5);

/// A pass waits for the looks that it began; what takes longer is seen by the next one.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks at one management cluster at a time.
const OPEN_MAX: usize = 8;

/// One cluster that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) cluster: ClusterId,
    pub(crate) access: Label,
    /// The fleet names this access: then it is waited for, and time does not do instead.
    pub(crate) is_named: bool,
    pub(crate) every: Duration,
}

/// What is known of management clusters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) seen: BTreeMap<ClusterId, Seen>,
    /// There is access, and no answer (yet), in its words.
    pub(crate) silent: BTreeMap<ClusterId, String>,
}

/// Kept from pass to pass.
pub(crate) struct Looks {
    live: Arc<dyn Live>,
    known: Arc<Mutex<BTreeMap<ClusterId, Known>>>,
    places: BTreeMap<Label, Arc<Semaphore>>,
}

#[derive(Clone, Debug)]
struct Known {
    access: Label,
    is_named: bool,
    began: Instant,
    is_open: bool,
    answer: Answer,
}

#[derive(Clone, Debug)]
enum Answer {
    /// Of a first look.
    NotYet,
    NoAccess,
    Seen(Seen),
    Failed(String),
}

impl Looks {
    pub(crate) fn new(live: Arc<dyn Live>) -> Self {
        Self { live, known: Arc::default(), places: BTreeMap::new() }
    }

    /// Looks at what is due, and says what is known then.
    pub(crate) async fn look(&mut self, targets: &[Target]) -> Shown {
        let mut begun = Vec::new();
        {
            let mut known = lock(&self.known);
            known.retain(|id, _| targets.iter().any(|target| target.cluster == *id));
            let failed = |k: &Known| matches!(k.answer, Answer::Failed(_));
            let silent: Vec<_> = known.values().filter(|k| failed(k)).map(|k| k.access.clone()).collect();
            for target in targets {
                let before = known.get(&target.cluster).filter(|k| k.access == target.access);
                if before.is_some_and(|k| k.is_open || k.began.elapsed() < target.every) {
                    continue;
                }
                let answer = before.map_or(Answer::NotYet, |k| k.answer.clone());
                let access = target.access.clone();
                let is_named = target.is_named;
                let entry = Known { access, is_named, began: Instant::now(), is_open: true, answer };
                known.insert(target.cluster.clone(), entry);
                begun.push((target, !silent.contains(&target.access)));
            }
        }
        let tasks: Vec<_> = begun.into_iter().map(|(target, waits)| (self.begin(target), waits)).collect();
        let answered = async {
            for (task, _) in tasks.into_iter().filter(|(_, waits)| *waits) {
                // One that panicked has said so where it is known.
                let _ = task.await;
            }
        };
        // What is late answers into the memory, for the next pass.
        let _ = timeout(PATIENCE, answered).await;
        self.shown()
    }

    fn begin(&mut self, target: &Target) -> tokio::task::JoinHandle<()> {
        let places = self.places.entry(target.access.clone()).or_insert_with(|| Arc::new(Semaphore::new(OPEN_MAX)));
        let (live, known, places) = (self.live.clone(), self.known.clone(), places.clone());
        let (cluster, access) = (target.cluster.clone(), target.access.clone());
        tokio::spawn(async move {
            let mut open = OpenLook { known, cluster, access, answer: Answer::Failed("the look broke off".to_owned()) };
            let Ok(_place) = places.acquire().await else { return };
            open.answer = match timeout(DEADLINE, live.look(&open.access, &open.cluster)).await {
                Ok(None) => Answer::NoAccess,
                Ok(Some(Ok(seen))) => Answer::Seen(seen),
                Ok(Some(Err(words))) => Answer::Failed(words),
                Err(_) => Answer::Failed(format!("no answer within {} s", DEADLINE.as_secs())),
            };
        })
    }

    fn shown(&self) -> Shown {
        let mut shown = Shown::default();
        for (id, known) in lock(&self.known).iter() {
            let silent = match &known.answer {
                Answer::NoAccess if !known.is_named => continue,
                Answer::NoAccess => "fleet.yaml names it (kubeconfig), and this engine has no such access",
                Answer::Seen(seen) => {
                    shown.seen.insert(id.clone(), seen.clone());
                    continue;
                }
                Answer::NotYet => "it was not seen yet",
                Answer::Failed(words) => words,
            };
            shown.silent.insert(id.clone(), format!("management cluster access `{}`: {silent}", known.access));
        }
        shown
    }
}

/// A look on its way; whatever becomes of it, it is known that it ended.
struct OpenLook {
    known: Arc<Mutex<BTreeMap<ClusterId, Known>>>,
    cluster: ClusterId,
    access: Label,
    answer: Answer,
}

impl Drop for OpenLook {
    fn drop(&mut self) {
        if let Some(entry) = lock(&self.known).get_mut(&self.cluster).filter(|entry| entry.access == self.access) {
            (entry.is_open, entry.answer) = (false, self.answer.clone());
        }
    }
}

impl std::fmt::Debug for Looks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Looks").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Clusters that are being deleted, and those of which the provider fills a slot that the lock does not have yet.
pub(crate) fn targets(want: &Want, interval: Duration) -> Vec<Target> {
    let Some(fleet) = want.fleet.as_deref() else { return Vec::new() };
    let access = |management_cluster: &Label| {
        let found = fleet.spec.management_clusters.iter().find(|m| m.name == *management_cluster)?;
        Some((found.kubeconfig.clone().unwrap_or_else(|| found.name.clone()), found.kubeconfig.is_some()))
    };
    let target = |cluster: &ClusterId, management_cluster: &Label, every| {
        let (access, is_named) = access(management_cluster)?;
        Some(Target { cluster: cluster.clone(), access, is_named, every })
    };
    let is_left = |phase: DeletionPhase| match phase {
        DeletionPhase::Confirmed | DeletionPhase::Removing => true,
        // Nothing of it is in Git any more.
        DeletionPhase::Freeing => false,
    };
    let deleted = want.orphan_locks.iter().filter(|(_, orphan)| {
        orphan.removed && orphan.lock.deletion.as_ref().is_some_and(|deletion| is_left(deletion.phase))
    });
    let mut targets: Vec<_> = deleted
        .filter_map(|(id, orphan)| target(id, &orphan.lock.identity.management_cluster, crate::due::DELETION))
        .collect();
    let delegated = want.clusters.values().filter(|wanted| has_open_delegation(wanted));
    targets.extend(delegated.filter_map(|w| target(&w.id, &w.identity.management_cluster, interval)));
    targets
}

fn has_open_delegation(wanted: &Wanted) -> bool {
    let Some(lock) = wanted.lock.as_deref() else { return false };
    let effective = &wanted.effective;
    let is_open = |mode: SlotMode, is_known: bool| mode == SlotMode::Delegate && !is_known;
    is_open(effective.nodes.mode.value, lock.values.node_network.is_some())
        || is_open(effective.vip.mode.value, lock.values.vip.is_some())
}

#[cfg(test)]
mod tests;
