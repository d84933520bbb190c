//! The fleets of a lasting process: each in a task of its own, with what others may know of it and do to it.

mod news;

use crate::wiring::{Common, FleetSettings};
use anyhow::Context as _;
use gitops::{Engine, FleetStatus, Triggers, Waker};
use metal_api::HttpMetal;
use model::Timestamp;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// How long an engine that cannot be opened (a cache that cannot be written, a remote with a work tree) is left alone.
const OPEN_AGAIN: Duration = Duration::from_secs(60);

/// A fleet as the server and signals see it. Clones are the same fleet.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    /// The remote and its branch.
    pub(crate) name: Arc<str>,
    /// A turn that takes longer is stuck: every wait in it has a deadline.
    pub(crate) turn_bound: Duration,
    /// A write that was begun is confirmed or given up by then.
    pub(crate) write_bound: Duration,
    local: Option<PathBuf>,
    waker: Waker,
    status: Arc<OnceLock<watch::Receiver<FleetStatus>>>,
    /// When the engine could not be opened last, and why.
    refused: Arc<watch::Sender<Option<(Timestamp, String)>>>,
}

impl Handle {
    pub(crate) fn new(fleet: &FleetSettings, common: &Common) -> Self {
        let git = git::Timeouts::default().total;
        Self {
            name: format!("{}#{}", fleet.url, fleet.branch).into(),
            turn_bound: fleet.git_interval * 2 + git * 5,
            write_bound: git * 2 + common.claim_time,
            local: fleet.url.local_path().map(PathBuf::from),
            waker: Waker::default(),
            status: Arc::default(),
            refused: Arc::new(watch::Sender::new(None)),
        }
    }

    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// As the last turn left it; default values before the first.
    pub(crate) fn status(&self) -> FleetStatus {
        self.status.get().map(|status| status.borrow().clone()).unwrap_or_default()
    }

    #[cfg(test)]
    pub(crate) fn with_status(self, status: watch::Receiver<FleetStatus>) -> Self {
        self.status.get_or_init(|| status);
        self
    }

    /// When a turn ended last, or could not begin.
    pub(crate) fn last_turn(&self) -> Option<Timestamp> {
        self.status().last_turn.max(self.refused.borrow().as_ref().map(|(at, _)| *at))
    }
}

/// Keeps a fleet's engine running until `stop`. While `paused` it stands, its claim released. `alone`: an engine that
/// cannot be opened ends the process, because nobody else is kept from working by that.
pub(crate) async fn keep(
    handle: Handle,
    open: impl Fn() -> anyhow::Result<Engine<HttpMetal>>,
    alone: bool,
    stop: watch::Receiver<bool>,
    paused: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut engine = loop {
        match open() {
            Ok(engine) => break engine,
            Err(error) if alone => return Err(error),
            Err(error) => {
                tracing::error!(fleet = %handle.name, "{error:#}");
                handle.refused.send_replace(Some((Timestamp::now(), format!("{error:#}"))));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(OPEN_AGAIN) => {}
            () = crate::life::asked_to_end(stop.clone()) => return Ok(()),
        }
    };
    handle.status.get_or_init(|| engine.status());
    tracing::info!(fleet = %handle.name, "watching");
    let telling = tokio::spawn(news::tell(handle.name.clone(), engine.status()));
    while wait_until(paused.clone(), false, &stop).await {
        let (halt, halted) = watch::channel(false);
        let run = engine.run(triggers(&handle, halted));
        let halts = async {
            wait_until(paused.clone(), true, &stop).await;
            halt.send_replace(true);
        };
        tokio::join!(run, halts);
    }
    // What came last is told before it ends: its channel closes with the engine.
    drop((engine, handle));
    telling.await.context("telling the news of a fleet ended unexpectedly")
}

/// Waits until `paused` is as wanted; false when the process is to end before that.
async fn wait_until(mut paused: watch::Receiver<bool>, wanted: bool, stop: &watch::Receiver<bool>) -> bool {
    tokio::select! {
        biased;
        () = crate::life::asked_to_end(stop.clone()) => false,
        seen = paused.wait_for(|paused| *paused == wanted) => seen.is_ok(),
    }
}

/// The interval, signals and requests; on this machine also the refs themselves.
fn triggers(handle: &Handle, halted: watch::Receiver<bool>) -> Triggers {
    let plain = |halted| Triggers::new(handle.waker.clone(), halted);
    let Some(path) = &handle.local else { return plain(halted) };
    plain(halted.clone()).watching(path).unwrap_or_else(|error| {
        tracing::warn!(fleet = %handle.name, %error, "the repository cannot be watched; it is looked at at each interval");
        plain(halted)
    })
}
