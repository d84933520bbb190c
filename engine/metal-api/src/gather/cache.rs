//! The reading that is shared: one gather per interval, thrown away on demand.

use super::gather;
use crate::Metal;
use model::{Clock, Have, ProjectId, Timestamp};
use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Mutex;

/// Hands out one [`Have`] until its interval is over, it is invalidated, or somebody asks for more projects.
pub struct HaveCache {
    interval: Duration,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    /// Counts invalidations: a gather that was under way when one came is not kept.
    generation: AtomicU64,
    held: Mutex<Option<Held>>,
}

struct Held {
    generation: u64,
    read_at: Timestamp,
    projects: BTreeSet<ProjectId>,
    have: Arc<Have>,
}

impl HaveCache {
    /// `interval` is `metalInterval`; `deadline` is for one gather, [`crate::GATHER_DEADLINE`] but in tests.
    pub fn new(interval: Duration, deadline: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { interval, deadline, clock, generation: AtomicU64::new(0), held: Mutex::new(None) }
    }

    /// The reading, gathered anew when it is due. Who asks while one is gathered waits for it.
    pub async fn have<M: Metal>(&self, metal: &M, projects: &BTreeSet<ProjectId>) -> Arc<Have> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| self.serves(held, projects)) {
            return Arc::clone(&held.have);
        }
        let (generation, read_at) = (self.generation.load(Ordering::Acquire), self.clock.now());
        let list: Vec<ProjectId> = projects.iter().cloned().collect();
        let have = Arc::new(gather(metal, &list, read_at, self.deadline).await);
        *held = Some(Held { generation, read_at, projects: projects.clone(), have: Arc::clone(&have) });
        have
    }

    /// The next reading is a new one: after a write, or before one.
    pub fn invalidate(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the next [`Self::have`] for these projects would ask metal-api.
    pub async fn is_due(&self, projects: &BTreeSet<ProjectId>) -> bool {
        !self.held.lock().await.as_ref().is_some_and(|held| self.serves(held, projects))
    }

    fn serves(&self, held: &Held, projects: &BTreeSet<ProjectId>) -> bool {
        let age = self.clock.now().duration_since(held.read_at);
        // A clock that was set back makes the reading younger than nothing: due.
        let young = Duration::try_from(age).is_ok_and(|age| age < self.interval);
        young && held.generation == self.generation.load(Ordering::Acquire) && projects.is_subset(&held.projects)
    }
}

impl fmt::Debug for HaveCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HaveCache").field("interval", &self.interval).finish_non_exhaustive()
    }
}
