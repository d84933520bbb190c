//! A thread that owns a repository, so that its blocking calls never hold up an async runtime.

use crate::{Error, Options, Repo};
use std::fmt;
use std::sync::mpsc;

type Job = Box<dyn FnOnce(&mut Repo) + Send>;

/// A handle to a repository's thread; clones share it. The thread ends when the last handle is gone.
#[derive(Clone)]
pub struct Worker {
    jobs: mpsc::Sender<Job>,
}

/// The thread ended, by a panic in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the thread of a Git repository ended unexpectedly")]
pub struct WorkerGone;

impl Worker {
    /// Opens the repository and starts its thread.
    pub fn spawn(options: Options) -> Result<Self, Error> {
        let name = format!("git {}", options.branch);
        let mut repo = Repo::open(options)?;
        let (jobs, queue) = mpsc::channel::<Job>();
        let run = move || queue.iter().for_each(|job| job(&mut repo));
        let spawned = std::thread::Builder::new().name(name).spawn(run);
        spawned.map_err(|e| Error::Program { program: "a thread".to_owned(), why: e.to_string() })?;
        Ok(Self { jobs })
    }

    /// Runs `work` on the repository's thread, after what was asked before. Cancelling the future does not stop it.
    pub async fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Repo) -> R + Send + 'static,
    ) -> Result<R, WorkerGone> {
        let (sender, answer) = tokio::sync::oneshot::channel();
        let job = move |repo: &mut Repo| {
            // Nobody waits any more when this fails.
            let _ = sender.send(work(repo));
        };
        self.jobs.send(Box::new(job)).map_err(|_| WorkerGone)?;
        answer.await.map_err(|_| WorkerGone)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}
