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

    /// Without `refs/heads/`.
    pub(crate) fn branch(&self) -> &str {
        &self.branch
    }

    pub(crate) fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// Another branch of the same repository.
    pub(crate) fn beside(&self, branch: &str) -> Self {
        Self::new(self.worker.clone(), branch)
    }

    pub(crate) async fn tip(&self) -> Result<Option<Oid>, git::Error> {
        let branch = self.branch_ref();
        self.call(move |repo| repo.ls_ref(&branch)).await
    }

    /// The branch's commit and other refs, in one request.
    pub(crate) async fn tip_and(&self, others: Vec<String>) -> Result<(Option<Oid>, Vec<Option<Oid>>), git::Error> {
        let branch = self.branch_ref();
        let names = move |repo: &mut Repo| {
            let names: Vec<_> = std::iter::once(&branch).chain(&others).map(String::as_str).collect();
            repo.ls_refs(&names)
        };
        let mut found = self.call(names).await?.into_iter();
        Ok((found.next().flatten(), found.collect()))
    }

    /// Runs on the repository's own thread, where blocking is allowed.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Repo) -> Result<R, git::Error> + Send + 'static,
    ) -> Result<R, git::Error> {
        self.worker.call(work).await?
    }
}
