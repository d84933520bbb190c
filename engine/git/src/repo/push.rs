//! Pushing by compare-and-swap: the caller says what the ref is now, the server changes it only if it is.

use super::Repo;
use crate::cache::Store;
use crate::protocol::receive::Report;
use crate::words::{Meaning, classify};
use crate::{Error, Oid, RefusalKind};
use std::fmt;
use std::io::Write;
use tempfile::SpooledTempFile;

/// A pack of a commit is small; a bigger one goes to a file.
const PACK_IN_MEMORY_BYTES: usize = 4 << 20;

/// What the ref must be for a push to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Absent,
    Id(Oid),
}

impl Expect {
    pub(super) fn id(self) -> Option<Oid> {
        match self {
            Self::Absent => None,
            Self::Id(id) => Some(id),
        }
    }
}

/// One move of one ref.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) full_ref: &'a str,
    pub(super) expect: Expect,
    /// None deletes it.
    pub(super) new: Option<Oid>,
    /// Whether no server can take it for a rewrite.
    pub(super) descends: bool,
}

/// How a push ended.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// The server confirmed it.
    Landed,
    /// The ref is not what was expected; `found` is what it was when it was last seen, None for absent.
    Stale { found: Option<Oid> },
    /// The server refused, and the ref is as it was.
    Refused(Refusal),
    /// No confirmation came: it happened or not. The caller reads the ref.
    Unknown(String),
}

/// A refused push, in the server's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub kind: RefusalKind,
    pub words: String,
}

impl Refusal {
    /// Another login may help; credentials are read anew at every try.
    pub fn is_auth(&self) -> bool {
        self.kind == RefusalKind::Auth
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Push {
    pub(super) fn policy(words: &str) -> Self {
        Self::refused(RefusalKind::Policy, words)
    }

    fn refused(kind: RefusalKind, words: impl Into<String>) -> Self {
        Self::Refused(Refusal { kind, words: words.into() })
    }

    /// What a server reported, or did not.
    pub(super) fn from_report(report: Report, broken: Option<String>, descends: bool) -> Self {
        match report {
            Report::Done => Self::Landed,
            Report::Refused { reason, words } => {
                // The reason is the server's own; what hooks said beside it decides only when it says nothing.
                let meaning = match classify(&reason) {
                    Meaning::Refused(RefusalKind::Other) => classify(&words),
                    known => known,
                };
                // `receive.denyNonFastForwards` uses a lost race's words; only a commit that descends cannot mean it.
                let is_rewrite = !descends && reason.contains("non-fast-forward");
                let text = if words.is_empty() { reason } else { format!("{reason}: {words}") };
                match meaning {
                    _ if is_rewrite => Self::refused(RefusalKind::Policy, text),
                    Meaning::LostRace => Self::Stale { found: None },
                    Meaning::Refused(kind) => Self::refused(kind, text),
                }
            }
            Report::None { words, error } => {
                let parts = [Some("the push was not confirmed".to_owned()), error, broken, Some(words)];
                let parts: Vec<String> = parts.into_iter().flatten().filter(|p| !p.is_empty()).collect();
                Self::Unknown(parts.join(": "))
            }
        }
    }

    /// What a failed request means: a refused login is an answer, anything else may have come too late to undo it.
    pub(super) fn from_error(error: Error) -> Self {
        match error {
            Error::Auth { words, .. } => Self::refused(RefusalKind::Auth, words),
            Error::Credentials(error) => Self::refused(RefusalKind::Auth, error.to_string()),
            Error::Status { status: 429, words, .. } => Self::refused(RefusalKind::Busy, words),
            Error::Status { status: 413, words, .. } => Self::refused(RefusalKind::Policy, words),
            Error::NotFound { .. } | Error::Moved { .. } => Self::refused(RefusalKind::Other, error.to_string()),
            other => Self::Unknown(other.to_string()),
        }
    }
}

impl Repo {
    /// Moves a ref to a commit that descends from what it is now.
    pub fn push(&self, commit: Oid, full_ref: &str, expect: Expect) -> Push {
        if let Expect::Id(old) = expect {
            match self.is_ancestor(old, commit) {
                Ok(true) => {}
                Ok(false) => return Push::policy("the new commit does not descend from what the ref is now"),
                Err(error) => return Push::refused(RefusalKind::Other, error.to_string()),
            }
        }
        self.push_any(commit, full_ref, expect, true)
    }

    /// Moves a ref to any commit, still only from what is expected: for refs that nobody else's work hangs on.
    pub fn push_forced(&self, commit: Oid, full_ref: &str, expect: Expect) -> Push {
        self.push_any(commit, full_ref, expect, false)
    }

    /// Deletes a ref, if it is what is expected.
    pub fn delete_ref(&self, full_ref: &str, expect: Oid) -> Push {
        let step = Step { full_ref, expect: Expect::Id(expect), new: None, descends: true };
        let pushed = self.server.borrow_mut().push(step, || Ok(SpooledTempFile::new(0)));
        let pushed = self.settled(pushed, full_ref);
        if pushed == Push::Landed
            && let Err(error) = self.store.forget(full_ref)
        {
            tracing::debug!(%error, full_ref, "a deleted ref is still remembered");
        }
        pushed
    }

    fn push_any(&self, commit: Oid, full_ref: &str, expect: Expect, descends: bool) -> Push {
        if expect == Expect::Absent
            && let Err(error) = self.store.forget(full_ref)
        {
            // What the ref held when it was there may be gone from the server with it.
            tracing::debug!(%error, full_ref, "a ref that is gone is still remembered");
        }
        let step = Step { full_ref, expect, new: Some(commit), descends };
        let pushed = self.server.borrow_mut().push(step, || pack(&self.store, commit, expect));
        let pushed = self.settled(pushed, full_ref);
        if pushed == Push::Landed
            && let Err(error) = self.store.remember(full_ref, commit)
        {
            tracing::debug!(%error, full_ref, "a pushed ref is not remembered");
        }
        tracing::debug!(remote = %self.options.url, full_ref, %commit, outcome = ?pushed, "pushed");
        pushed
    }

    /// Fills in what a lost race found.
    fn settled(&self, pushed: Result<Push, Error>, full_ref: &str) -> Push {
        match pushed {
            Ok(Push::Stale { found: None }) => match self.ls_ref(full_ref) {
                Ok(found) => Push::Stale { found },
                Err(_) => Push::Stale { found: None },
            },
            Ok(other) => other,
            Err(error) => Push::from_error(error),
        }
    }
}

/// What the server lacks of a commit: everything but what it is known to have.
fn pack(store: &Store, commit: Oid, expect: Expect) -> Result<SpooledTempFile, Error> {
    let known = store.remembered()?;
    let mut file = SpooledTempFile::new(PACK_IN_MEMORY_BYTES);
    let mut failed = None;
    store
        .with_known(|repo| {
            let mut walk = repo.revwalk()?;
            walk.push(crate::oid::raw(&commit.0)?)?;
            let expected = expect.id().map(|id| crate::oid::raw(&id.0)).transpose()?;
            for id in known.into_iter().chain(expected) {
                // An expected id that we never fetched hides nothing.
                if repo.find_commit(id).is_ok() {
                    walk.hide(id)?;
                }
            }
            let mut builder = repo.packbuilder()?;
            builder.set_threads(1);
            builder.insert_walk(&mut walk)?;
            builder.foreach(|bytes| match file.write_all(bytes) {
                Ok(()) => true,
                Err(e) => {
                    failed = Some(e);
                    false
                }
            })
        })
        .map_err(|error| match failed {
            Some(e) => Error::Cache { dir: std::env::temp_dir(), why: e.to_string() },
            None => error,
        })?;
    Ok(file)
}
