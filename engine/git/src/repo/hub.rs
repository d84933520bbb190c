//! A server in this process, for simulations: refs in memory, objects in a cache's repository that nobody else uses. An
//! engine reaches it through the protocol, as any server; people move refs at once.

use super::{Repo, draft};
use crate::link::memory::MemoryLink;
use crate::link::{Counters, Link, Service};
use crate::options::Deadline;
use crate::protocol::WireError;
use crate::{Asked, Author, CommitInfo, Credentials, Draft, Error, Fate, Oid, Options, RemoteUrl, Timeouts};
use model::{Sink, Tree};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of the objects' folder; nobody asks it for anything.
const NOWHERE: &str = "https://hub.invalid/objects";
/// What clients call the server.
const ADDRESS: &str = "https://hub.invalid/fleet";
/// A pack begins with `PACK`, its version, and how many objects it holds.
const PACK_HEADER_BYTES: usize = 12;

/// A server without a socket. Clones are the same one.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    repo: Repo,
    refs: BTreeMap<String, Oid>,
    moves: Vec<Moved>,
}

/// One move of one ref, as the server did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub full_ref: String,
    pub old: Option<Oid>,
    pub new: Option<Oid>,
    /// Who moved it, in the words of whoever opened the way.
    pub by: String,
}

impl Hub {
    /// An empty server whose objects are below `folder`.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let repo = Repo::with_link(options(NOWHERE, folder)?, Box::new(Nobody), Arc::default())?;
        Ok(Self { inner: Arc::new(Mutex::new(Inner { repo, refs: BTreeMap::new(), moves: Vec::new() })) })
    }

    /// A client with a cache of its own, whose requests meet `fates`.
    pub fn client(
        &self,
        by: &str,
        branch: &str,
        cache: &Path,
        fates: impl FnMut(&Asked) -> Fate + Send + 'static,
    ) -> Result<Repo, Error> {
        let options = Options { branch: branch.to_owned(), ..options(ADDRESS, cache)? };
        let counters = Arc::new(Counters::default());
        let remote = options.url.to_string();
        let link = MemoryLink::new(self.clone(), by.to_owned(), remote, Box::new(fates), counters.clone());
        Repo::with_link(options, Box::new(link), counters)
    }

    /// Every ref, sorted by name.
    pub fn refs(&self) -> Vec<(String, Oid)> {
        self.inner().refs.iter().map(|(name, id)| (name.clone(), *id)).collect()
    }

    pub fn find(&self, full_ref: &str) -> Option<Oid> {
        self.inner().refs.get(full_ref).copied()
    }

    /// The moves after the first `seen`.
    pub fn moves(&self, seen: usize) -> Vec<Moved> {
        self.inner().moves.get(seen..).unwrap_or_default().to_vec()
    }

    /// Sets a ref whatever it is, as a person with every right does.
    pub fn set(&self, by: &str, full_ref: &str, new: Option<Oid>) {
        self.inner().set(by, full_ref, new);
    }

    /// Writes a commit on `parent`; None for a file removes it. Without a change it has the parent's tree. No ref moves.
    pub fn commit(
        &self,
        parent: Option<Oid>,
        changes: &BTreeMap<String, Option<Vec<u8>>>,
        message: &str,
        author: &Author,
        now: i64,
    ) -> Result<Oid, Error> {
        let inner = self.inner();
        let mut draft = Draft::new(inner.repo.store.clone(), parent);
        for (path, bytes) in changes {
            match bytes {
                Some(bytes) => draft.put(path, bytes)?,
                None => draft.remove(path)?,
            }
        }
        match parent {
            Some(parent) if draft.is_empty() => draft::commit_tree_of(&inner.repo.store, parent, message, author, now),
            Some(_) | None => inner.repo.commit(draft, message, author, now),
        }
    }

    pub fn tree(&self, commit: Oid) -> Result<Tree, Error> {
        self.inner().repo.tree(commit)
    }

    pub fn info(&self, commit: Oid) -> Result<CommitInfo, Error> {
        self.inner().repo.commit_info(commit)
    }

    pub fn is_ancestor(&self, ancestor: Oid, descendant: Oid) -> Result<bool, Error> {
        self.inner().repo.is_ancestor(ancestor, descendant)
    }

    /// The paths in which two commits differ.
    pub fn diff(&self, a: Oid, b: Oid) -> Result<Vec<String>, Error> {
        self.inner().repo.diff_paths(a, b)
    }

    /// What `want` has beyond `have`; None when it is not there.
    pub(crate) fn pack(&self, want: &[Oid], have: &[Oid]) -> Result<Option<Vec<u8>>, Error> {
        let inner = self.inner();
        let store = &inner.repo.store;
        for id in want {
            if !store.holds(*id)? {
                return Ok(None);
            }
        }
        let pack = store.with_known(|repo| {
            let mut walk = repo.revwalk()?;
            for id in want {
                walk.push(crate::oid::raw(&id.0)?)?;
            }
            for id in have {
                let id = crate::oid::raw(&id.0)?;
                if repo.find_commit(id).is_ok() {
                    walk.hide(id)?;
                }
            }
            let mut builder = repo.packbuilder()?;
            builder.set_threads(1);
            builder.insert_walk(&mut walk)?;
            let mut pack = Vec::new();
            builder.foreach(|bytes| {
                pack.extend_from_slice(bytes);
                true
            })?;
            Ok(pack)
        })?;
        Ok(Some(pack))
    }

    /// A push: takes the objects in, then compares and swaps. The reason is in the words of `git`.
    pub(crate) fn receive(
        &self,
        by: &str,
        full_ref: &str,
        old: Option<Oid>,
        new: Option<Oid>,
        pack: &[u8],
    ) -> Result<(), String> {
        let mut inner = self.inner();
        if pack.get(8..PACK_HEADER_BYTES).is_some_and(|count| count != [0; 4]) {
            let taken = inner.repo.store.with_known(|repo| {
                let odb = repo.odb()?;
                let mut writer = odb.packwriter()?;
                writer.write_all(pack).map_err(|e| git2::Error::from_str(&e.to_string()))?;
                writer.commit()?;
                Ok(())
            });
            taken.map_err(|e| format!("index-pack failed: {e}"))?;
        }
        if inner.refs.get(full_ref).copied() != old {
            return Err("incorrect old value provided".to_owned());
        }
        inner.set(by, full_ref, new);
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn set(&mut self, by: &str, full_ref: &str, new: Option<Oid>) {
        let old = match new {
            Some(new) => self.refs.insert(full_ref.to_owned(), new),
            None => self.refs.remove(full_ref),
        };
        self.moves.push(Moved { full_ref: full_ref.to_owned(), old, new, by: by.to_owned() });
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("refs", &self.inner().refs).finish_non_exhaustive()
    }
}

fn options(url: &str, folder: &Path) -> Result<Options, Error> {
    Ok(Options {
        url: RemoteUrl::parse(url)?,
        branch: "main".to_owned(),
        cache_dir: folder.to_owned(),
        credentials: Credentials::default(),
        timeouts: Timeouts::default(),
    })
}

/// The way from the server to elsewhere: none.
struct Nobody;

impl Nobody {
    fn refused<T>() -> Result<T, Error> {
        Err(Error::Unreachable { remote: NOWHERE.to_owned(), why: "a hub asks nobody".to_owned() })
    }
}

impl Link for Nobody {
    fn begin(&mut self, _deadline: Deadline) {}

    fn advert(&mut self, _service: Service) -> Result<Box<dyn Read + '_>, Error> {
        Self::refused()
    }

    fn exchange(&mut self, _service: Service, _body: crate::link::Body) -> Result<Box<dyn Read + '_>, Error> {
        Self::refused()
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn explain(&mut self, error: WireError) -> Error {
        Error::Protocol { remote: NOWHERE.to_owned(), why: format!("{error:?}") }
    }

    fn end(&mut self) {}
}
