//! The repository as the loop uses it: one worker thread for the run, calls as futures, errors in one type.

use git::{Oid, Repo, Worker};

/// A handle to the thread that owns the repository.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    worker: Worker,
    branch: String,
}

impl Remote {
    pub(crate) fn new(worker: Worker, branch: &str) -> Self {
        Self { worker, branch: branch.to_owned() }
    }

    pub(crate) fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    pub(crate) async fn tip(&self) -> Result<Option<Oid>, git::Error> {
        self.call(|repo| repo.tip()).await
    }

    /// The branch's commit and another ref, in one request.
    pub(crate) async fn tip_and(&self, other: String) -> Result<(Option<Oid>, Option<Oid>), git::Error> {
        let branch = self.branch_ref();
        let found = self.call(move |repo| repo.ls_refs(&[&branch, &other])).await?;
        Ok((found.first().copied().flatten(), found.get(1).copied().flatten()))
    }

    /// Runs on the repository's own thread, where blocking is allowed.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Repo) -> Result<R, git::Error> + Send + 'static,
    ) -> Result<R, git::Error> {
        self.worker.call(work).await?
    }
}
