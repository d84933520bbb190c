//! A thread that owns a repository, so that its blocking calls never hold up an async runtime.

use crate::{Error, Options, Repo};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, mpsc};

type Job = Box<dyn FnOnce(&mut Repo) + Send>;

/// A handle to a repository's thread; clones share it. The thread ends when the last handle is gone.
#[derive(Clone)]
pub struct Worker(Way);

#[derive(Clone)]
enum Way {
    Thread(mpsc::Sender<Job>),
    Here(Arc<Here>),
}

/// A repository whose calls run where they are asked for.
struct Here {
    repo: tokio::sync::Mutex<Repo>,
    pace: Box<dyn Pace>,
}

/// How long the calls of a [`Worker::here`] take, on the caller's clock. One that never ends is a process that was
/// killed.
pub trait Pace: Send + Sync {
    /// Before a call, and after it with its answer on the way.
    fn pause(&self, moment: Moment) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
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
        Ok(Self(Way::Thread(jobs)))
    }

    /// A worker without a thread: each call runs in the task that asks, one after the other, at the pace of a
    /// simulation. For repositories on a [`Hub`](crate::Hub), where nothing blocks.
    pub fn here(repo: Repo, pace: impl Pace + 'static) -> Self {
        Self(Way::Here(Arc::new(Here { repo: repo.into(), pace: Box::new(pace) })))
    }

    /// Runs `work` on the repository's thread, after what was asked before. Cancelling the future does not stop it.
    pub async fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Repo) -> R + Send + 'static,
    ) -> Result<R, WorkerGone> {
        let jobs = match &self.0 {
            Way::Thread(jobs) => jobs,
            Way::Here(here) => return Ok(here.call(work).await),
        };
        let (sender, answer) = tokio::sync::oneshot::channel();
        let job = move |repo: &mut Repo| {
            // Nobody waits any more when this fails.
            let _ = sender.send(work(repo));
        };
        jobs.send(Box::new(job)).map_err(|_| WorkerGone)?;
        answer.await.map_err(|_| WorkerGone)
    }
}

impl Here {
    async fn call<R>(&self, work: impl FnOnce(&mut Repo) -> R) -> R {
        let mut repo = self.repo.lock().await;
        self.pace.pause(Moment::Before).await;
        let answer = work(&mut repo);
        self.pace.pause(Moment::After).await;
        answer
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}
