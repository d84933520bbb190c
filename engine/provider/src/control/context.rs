//! What the controllers share.

use super::caches::Caches;
use super::config::Config;
use super::credentials::Credentials;
use super::telemetry::Telemetry;
use crate::metal::Doors;
use crate::step::{Memory, Rest};
use kube::Client;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use model::Clock;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

pub(crate) struct Context {
    pub client: Client,
    pub caches: Caches,
    pub clock: Arc<dyn Clock>,
    pub config: Config,
    pub events: Recorder,
    pub metal: Doors,
    pub credentials: Arc<Credentials>,
    pub telemetry: Telemetry,
    paused: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
    /// Passes in a row whose object was older than the API server's, by UID.
    stale: Mutex<HashMap<String, u32>>,
    /// By the UID of the object.
    memories: Mutex<HashMap<String, Memory>>,
}

impl Context {
    #[expect(clippy::too_many_arguments, reason = "one place puts it together")]
    pub(crate) fn new(
        client: Client,
        caches: Caches,
        clock: Arc<dyn Clock>,
        config: Config,
        events: Recorder,
        metal: Doors,
        credentials: Arc<Credentials>,
        telemetry: Telemetry,
        paused: watch::Receiver<bool>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            client,
            caches,
            clock,
            config,
            events,
            metal,
            credentials,
            telemetry,
            paused,
            stop,
            stale: Mutex::default(),
            memories: Mutex::default(),
        }
    }

    /// By a request to this process.
    pub(crate) fn is_paused(&self) -> bool {
        *self.paused.borrow()
    }

    /// What is in work is brought to its end, and nothing is begun.
    pub(crate) fn is_ending(&self) -> bool {
        *self.stop.borrow()
    }

    /// How long to wait for a newer object: it is on the way, or cannot be read.
    pub(crate) fn stale(&self, uid: &str) -> Duration {
        let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        let times = stale.entry(uid.to_owned()).or_default();
        *times = times.saturating_add(1);
        Duration::from_millis(250 << (*times).min(10))
    }

    pub(crate) fn current(&self, uid: &str) {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    pub(crate) fn memory(&self, uid: &str) -> Memory {
        let memory = self.memories().get(uid).cloned().unwrap_or_default();
        memory.at(self.clock.now(), self.config.backoff.max(self.config.resync))
    }

    /// `None` forgets.
    pub(crate) fn remember(&self, uid: &str, memory: Option<Memory>) {
        match memory {
            Some(memory) if memory != Memory::default() => self.memories().insert(uid.to_owned(), memory),
            _ => self.memories().remove(uid),
        };
    }

    pub(crate) fn requeue(&self, rest: Rest) -> Action {
        match rest {
            Rest::Interval => Action::requeue(self.config.metal_interval.min(self.config.resync)),
            Rest::Soon => Action::requeue(self.config.metal_haste),
            Rest::After(duration) => Action::requeue(duration.max(Duration::from_millis(100))),
            Rest::Change => Action::requeue(self.config.resync),
        }
    }

    fn memories(&self) -> MutexGuard<'_, HashMap<String, Memory>> {
        // Each entry is whole at any time.
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("config", &self.config).finish_non_exhaustive()
    }
}
