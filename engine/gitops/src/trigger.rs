//! What wakes the loop: the interval, a change of a local remote, a signal, or a request.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Whether a file's change can move a branch of people: not our own claims, not the locks of a push that is under way.
fn is_branch(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = path.to_string_lossy();
    name == "packed-refs"
        || text.contains("/refs/heads/") && !text.contains("/refs/heads/ferrofleet-claim/") && !name.ends_with(".lock")
}

/// Wakes a loop from anywhere. Wakes that come during a turn are one more turn.
#[derive(Clone, Debug, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// What one loop waits for.
#[derive(Debug)]
pub struct Triggers {
    waker: Waker,
    stop: watch::Receiver<bool>,
    /// Keeps the watch of a local remote alive.
    _watch: Option<notify::RecommendedWatcher>,
}

impl Triggers {
    /// `stop` ends the loop when it becomes true, or when its sender is gone.
    pub fn new(waker: Waker, stop: watch::Receiver<bool>) -> Self {
        Self { waker, stop, _watch: None }
    }

    /// Also wakes when the refs of a repository on this machine change.
    pub fn watching(mut self, repository: &Path) -> Result<Self, notify::Error> {
        use notify::{RecursiveMode, Watcher};
        let waker = self.waker.clone();
        let mut watcher = notify::recommended_watcher(move |event: Result<notify::Event, notify::Error>| {
            if event.is_ok_and(|e| !e.kind.is_access() && e.paths.iter().any(|path| is_branch(path))) {
                waker.wake();
            }
        })?;
        watcher.watch(&repository.join("refs").join("heads"), RecursiveMode::Recursive)?;
        // A packed branch changes in `packed-refs`, which is replaced by a rename in the repository's folder.
        watcher.watch(repository, RecursiveMode::NonRecursive)?;
        self._watch = Some(watcher);
        Ok(self)
    }

    /// Until the loop is to end.
    pub(crate) async fn stopped(&mut self) {
        // An error: the sender is gone, and so is the process's main task.
        let _ = self.stop.wait_for(|stop| *stop).await;
    }

    /// Waits for the interval, what is due, or a wake; true when the loop is to end.
    pub(crate) async fn wait(&mut self, interval: Duration, due: Option<Duration>) -> bool {
        let pause = due.map_or(interval, |due| due.min(interval));
        let waker = self.waker.clone();
        tokio::select! {
            () = self.stopped() => true,
            () = waker.0.notified() => false,
            () = tokio::time::sleep(pause) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_branches_of_people_wake() {
        for wakes in ["/r/refs/heads/main", "/r/refs/heads/a/b", "/r/packed-refs"] {
            assert!(is_branch(Path::new(wakes)), "{wakes}");
        }
        for sleeps in
            ["/r/packed-refs.lock", "/r/refs/heads/main.lock", "/r/refs/heads/ferrofleet-claim/main", "/r/HEAD"]
        {
            assert!(!is_branch(Path::new(sleeps)), "{sleeps}");
        }
    }
}
