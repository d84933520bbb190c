//! The repository as its users see it: refs of the remote, history and trees of the cache, commits and pushes.

mod draft;
mod history;
mod hub;
mod push;
mod server;
mod trees;

pub use draft::Draft;
pub(crate) use history::ours;
pub use history::{CommitInfo, FirstParents};
pub use hub::{Hub, Moved};
pub use push::{Expect, Push, Refusal};

use crate::cache::{Cache, Store};
use crate::link::{self, Counters, Link};
use crate::{Author, Error, Oid, Options};
use model::{BlobId, ReadBlob, Tree};
use server::Server;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use trees::Memo;

/// Every fetch makes a pack; so many are made one.
const PACKS_UNTIDY_MAX: usize = 48;

/// One branch of one remote, with its cache. Every call that needs the network has a deadline.
pub struct Repo {
    options: Options,
    store: Arc<Store>,
    server: std::cell::RefCell<Server>,
    memo: std::cell::RefCell<Memo>,
    counters: Arc<Counters>,
}

impl Repo {
    /// Opens the cache; the network is not asked.
    pub fn open(options: Options) -> Result<Self, Error> {
        let counters = Arc::new(Counters::default());
        let link = link::open(&options.url, &options.credentials, counters.clone())?;
        Self::with_link(options, link, counters)
    }

    fn with_link(options: Options, link: Box<dyn Link>, counters: Arc<Counters>) -> Result<Self, Error> {
        crate::setup::once();
        let full_ref = format!("refs/heads/{}", options.branch);
        if !git2::Reference::is_valid_name(&full_ref) || options.branch.starts_with('-') {
            return Err(Error::BranchName { name: options.branch });
        }
        if let Some(path) = options.url.local_path() {
            refuse_work_tree(path)?;
        }
        let store = Arc::new(Store::open(Cache::open(&options.cache_dir, &options.url)?)?);
        let server = Server::new(options.url.clone(), options.timeouts, link);
        Ok(Self { options, store, server: server.into(), memo: Memo::default().into(), counters })
    }

    /// `refs/heads/<branch>`.
    pub fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.options.branch)
    }

    /// The id of exactly this ref on the remote now; None when it has none. One request where the server allows.
    pub fn ls_ref(&self, full_ref: &str) -> Result<Option<Oid>, Error> {
        Ok(self.ls_refs(&[full_ref])?.into_iter().next().flatten())
    }

    /// The same for several, in their order, in the same one request.
    pub fn ls_refs(&self, full_refs: &[&str]) -> Result<Vec<Option<Oid>>, Error> {
        self.server.borrow_mut().ls_refs(full_refs)
    }

    /// The branch's commit on the remote now; None when there is no such branch.
    pub fn tip(&self) -> Result<Option<Oid>, Error> {
        self.ls_ref(&self.branch_ref())
    }

    /// Brings the branch's commit and its whole history into the cache. Asks nobody when they are there.
    pub fn fetch(&mut self, tip: Oid) -> Result<(), Error> {
        self.fetch_ref(&self.branch_ref(), tip)
    }

    /// The same for another ref, a claim for example.
    pub fn fetch_ref(&mut self, full_ref: &str, id: Oid) -> Result<(), Error> {
        self.healing(full_ref, id, || self.bring(full_ref, id))
    }

    /// All paths of a commit that was fetched. Cheap for a commit that shares most folders with the one asked before.
    pub fn tree(&self, commit: Oid) -> Result<Tree, Error> {
        self.tree_in(&self.branch_ref(), commit)
    }

    /// The same for a commit that another ref has in its history.
    pub fn tree_in(&self, full_ref: &str, commit: Oid) -> Result<Tree, Error> {
        let read = || self.memo.borrow_mut().entries(&self.store, commit);
        let entries = self.healing(full_ref, commit, read)?;
        Ok(Tree::new(entries, self.store.clone()))
    }

    /// Runs `work`; when the cache turns out to be damaged it is filled anew, and `work` runs once more.
    fn healing<R>(&self, full_ref: &str, id: Oid, work: impl Fn() -> Result<R, Error>) -> Result<R, Error> {
        if !self.store.cache().is_damaged() {
            match work() {
                Err(Error::Cache { .. }) if self.store.cache().is_damaged() => {}
                other => return other,
            }
        }
        self.store.cache().start_over()?;
        self.bring(full_ref, id)?;
        work()
    }

    fn bring(&self, full_ref: &str, id: Oid) -> Result<(), Error> {
        if self.store.holds(id)? {
            return self.store.remember(full_ref, id);
        }
        let have = history::newest(&self.store)?;
        self.server.borrow_mut().fetch(self.store.cache(), full_ref, id, &have)?;
        if !self.store.holds(id)? {
            let why = format!("its pack does not hold {id}");
            return Err(Error::Protocol { remote: self.options.url.to_string(), why });
        }
        self.store.remember(full_ref, id)?;
        if let Err(error) = self.store.tidy(PACKS_UNTIDY_MAX) {
            tracing::debug!(%error, "the cache is not tidied");
        }
        Ok(())
    }

    /// The bytes of a blob, refused when there are more than `max_bytes`.
    pub fn read(&self, blob: BlobId, max_bytes: usize) -> Result<Vec<u8>, Error> {
        Ok(self.store.read(&blob, max_bytes)?)
    }

    /// Begins a commit on `parent`.
    pub fn draft(&self, parent: Oid) -> Draft {
        Draft::new(self.store.clone(), Some(parent))
    }

    /// Begins the first commit of a branch that is not there: pushed with [`Expect::Absent`] it can replace nothing.
    pub fn draft_root(&self) -> Draft {
        Draft::new(self.store.clone(), None)
    }

    /// Writes the draft as a commit into the cache. `now` is in seconds since the epoch.
    pub fn commit(&self, draft: Draft, message: &str, author: &Author, now: i64) -> Result<Oid, Error> {
        draft.commit(message, author, now)
    }

    /// Writes a commit that has its parent's tree, for refs that are only markers.
    pub fn commit_tree_of(&self, parent: Oid, message: &str, author: &Author, now: i64) -> Result<Oid, Error> {
        draft::commit_tree_of(&self.store, parent, message, author, now)
    }

    /// What went to and came from the network since the repository was opened: requests (over HTTP each, else each
    /// started program).
    pub fn requests(&self) -> u64 {
        self.counters.requests()
    }

    /// Bytes of messages both ways, headers left out.
    pub fn bytes(&self) -> u64 {
        self.counters.bytes()
    }
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repo").field("options", &self.options).finish_non_exhaustive()
    }
}

/// A push to a branch that is checked out changes no file there, and Git refuses it by default.
fn refuse_work_tree(path: &Path) -> Result<(), Error> {
    let has_dot_git = path.join(".git").exists();
    let is_dot_git = path.file_name().is_some_and(|n| n == ".git");
    if !has_dot_git && !is_dot_git {
        return Ok(());
    }
    let work_tree = if is_dot_git { path.parent().unwrap_or(path) } else { path };
    let bare = work_tree.with_extension("git");
    let hint = format!("git clone --bare {} {}", work_tree.display(), bare.display());
    Err(Error::NotBare { remote: path.display().to_string(), hint })
}

#[cfg(test)]
mod tests;
