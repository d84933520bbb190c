//! The calls to a server: look at a ref, fetch, push. Knows which protocol version and how many requests it takes.

use super::push::{Push, Step};
use crate::cache::Cache;
use crate::link::{Body, Link, Service};
use crate::options::Deadline;
use crate::protocol::advert::{self, Advert};
use crate::protocol::{WireError, fetch, ls_refs, receive};
use crate::{Error, Oid, RemoteUrl, Timeouts};
use git2::{ErrorCode, Repository};
use std::io::Write;
use std::path::Path;
use tempfile::SpooledTempFile;

/// A remote's server, and what was learnt of it.
pub(super) struct Server {
    url: RemoteUrl,
    timeouts: Timeouts,
    link: Box<dyn Link>,
    /// Whether it answers version 2 without being asked for its capabilities first; None until known.
    direct: Option<bool>,
}

impl Server {
    pub(super) fn new(url: RemoteUrl, timeouts: Timeouts, link: Box<dyn Link>) -> Self {
        Self { url, timeouts, link, direct: None }
    }

    fn remote(&self) -> String {
        self.url.to_string()
    }

    /// Runs one call between `begin` and `end`.
    fn call<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        self.link.begin(Deadline::start(self.timeouts));
        let result = work(self);
        self.link.end();
        result
    }

    /// The ids of these refs, in their order.
    pub(super) fn ls_refs(&mut self, full_refs: &[&str]) -> Result<Vec<Option<Oid>>, Error> {
        if let Some(path) = self.url.local_path()
            && let Some(found) = full_refs.iter().map(|name| read_local(path, name)).collect()
        {
            return Ok(found);
        }
        self.call(|server| server.ask_for_refs(full_refs))
    }

    fn ask_for_refs(&mut self, full_refs: &[&str]) -> Result<Vec<Option<Oid>>, Error> {
        if self.link.is_stateless() && self.direct != Some(false) {
            match self.ask_v2(full_refs) {
                Ok(found) => {
                    self.direct = Some(true);
                    return Ok(found);
                }
                Err(error) if !self.may_need_discovery(&error) => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, remote = %self.url, "no answer to a direct ls-refs; asking what it can do");
                    let found = self.discover_refs(full_refs)?;
                    // After a redirect the new place may well answer directly.
                    if !matches!(error, Error::Moved { .. }) {
                        self.direct = Some(false);
                    }
                    return Ok(found);
                }
            }
        }
        self.discover_refs(full_refs)
    }

    /// A server that cannot do version 2 takes the request for nonsense, each in its own way.
    fn may_need_discovery(&self, error: &Error) -> bool {
        let odd = match error {
            Error::Status { status, .. } => ![429, 503].contains(status),
            Error::Protocol { .. } | Error::Remote { .. } | Error::Moved { .. } | Error::NotFound { .. } => true,
            _ => false,
        };
        odd && (self.direct.is_none() || matches!(error, Error::Moved { .. }))
    }

    fn discover_refs(&mut self, full_refs: &[&str]) -> Result<Vec<Option<Oid>>, Error> {
        let mut found = vec![None; full_refs.len()];
        let advert = self.advert(Service::UploadPack, |name, id| {
            if let Some(at) = full_refs.iter().position(|asked| *asked == name) {
                found[at] = Some(id);
            }
        })?;
        match advert {
            Advert::Refs(_) => Ok(found),
            Advert::V2(_) => self.ask_v2(full_refs),
        }
    }

    fn ask_v2(&mut self, full_refs: &[&str]) -> Result<Vec<Option<Oid>>, Error> {
        let answer = self.link.exchange(Service::UploadPack, Body::lines(ls_refs::request(full_refs)))?;
        let found = ls_refs::answer(answer, full_refs);
        found.map_err(|e| self.link.explain(e))
    }

    fn advert(&mut self, service: Service, visit: impl FnMut(&str, Oid)) -> Result<Advert, Error> {
        let input = self.link.advert(service)?;
        let advert = advert::read(input, visit);
        advert.map_err(|e| self.link.explain(e))
    }

    /// Brings `want` and its history into the cache; `have` is what is there.
    pub(super) fn fetch(&mut self, cache: &Cache, full_ref: &str, want: Oid, have: &[Oid]) -> Result<(), Error> {
        self.call(|server| server.fetch_within(cache, full_ref, want, have))
    }

    fn fetch_within(&mut self, cache: &Cache, full_ref: &str, want: Oid, have: &[Oid]) -> Result<(), Error> {
        let missing = Error::Missing { remote: self.remote(), id: want };
        let (request, framing) = if self.link.is_stateless() && self.direct == Some(true) {
            (fetch::request_v2(want, have), fetch::Framing::V2)
        } else {
            let mut is_offered = false;
            match self.advert(Service::UploadPack, |_, id| is_offered |= id == want)? {
                Advert::V2(_) => (fetch::request_v2(want, have), fetch::Framing::V2),
                // It moved on since we looked; only what stands in the list may be wanted.
                Advert::Refs(_) if !is_offered => return Err(missing),
                Advert::Refs(capabilities) => fetch::request_v0(&capabilities, want, have),
            }
        };
        tracing::debug!(remote = %self.url, full_ref, %want, "fetching");
        let input = self.link.exchange(Service::UploadPack, Body::lines(request))?;
        match write_pack(cache, |pack| fetch::answer(input, framing, pack)) {
            Ok(()) => Ok(()),
            Err(PackError::Wire(WireError::Remote(words))) if words.contains("not our ref") => Err(missing),
            Err(PackError::Wire(error)) => Err(self.link.explain(error)),
            Err(PackError::Local(error)) => {
                // A thin pack on objects that are not there after all, for example: begin with nothing.
                cache.mark_damaged();
                Err(error)
            }
        }
    }

    /// Makes one step. `pack` makes what the server lacks, once the ref is known to be what is expected.
    pub(super) fn push(
        &mut self,
        step: Step<'_>,
        pack: impl FnOnce() -> Result<SpooledTempFile, Error>,
    ) -> Result<Push, Error> {
        self.call(|server| server.push_within(step, pack))
    }

    fn push_within(
        &mut self,
        step: Step<'_>,
        pack: impl FnOnce() -> Result<SpooledTempFile, Error>,
    ) -> Result<Push, Error> {
        let Step { full_ref, expect, new, descends } = step;
        let mut found = None;
        let advert = self.advert(Service::ReceivePack, |name, id| {
            if name == full_ref {
                found = Some(id);
            }
        })?;
        let Advert::Refs(capabilities) = advert else {
            return Err(Error::Protocol { remote: self.remote(), why: "version 2 knows no push".to_owned() });
        };
        if found != expect.id() {
            return Ok(Push::Stale { found });
        }
        if new.is_none() && !capabilities.has("delete-refs") {
            return Ok(Push::policy("the server deletes no refs"));
        }
        let command =
            receive::Command { old: expect.id().unwrap_or(Oid::ZERO), new: new.unwrap_or(Oid::ZERO), full_ref };
        let lines = receive::request(&capabilities, command);
        let body = match new {
            Some(_) => Body::with_pack(lines, pack()?),
            None => Ok(Body::lines(lines)),
        };
        let local = |e: std::io::Error| Error::Cache { dir: std::env::temp_dir(), why: e.to_string() };
        // From here on it may have happened, whatever goes wrong.
        let answer = match self.link.exchange(Service::ReceivePack, body.map_err(local)?) {
            Ok(answer) => answer,
            Err(error) => return Ok(Push::from_error(error)),
        };
        let (report, broken) = receive::answer(answer, &capabilities, full_ref);
        let broken = broken.map(|e| self.link.explain(e).to_string());
        Ok(Push::from_report(report, broken, descends))
    }
}

/// Reads a ref of a local repository without a process. None where that does not work: `git` will say why.
fn read_local(path: &Path, full_ref: &str) -> Option<Option<Oid>> {
    let repo = Repository::open_bare(path).ok()?;
    match repo.find_reference(full_ref).and_then(|found| found.resolve()) {
        Ok(found) => found.target().and_then(|id| id.try_into().ok()).map(Some),
        Err(e) if e.code() == ErrorCode::NotFound => Some(None),
        Err(_) => None,
    }
}

enum PackError {
    Wire(WireError),
    Local(Error),
}

/// Indexes a pack as it comes. Uses a handle of its own, so that readers of the cache do not wait for the network.
fn write_pack(
    cache: &Cache,
    receive: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), WireError>) -> Result<(), WireError>,
) -> Result<(), PackError> {
    let local = |why: String| PackError::Local(Error::Cache { dir: cache.repository().to_owned(), why });
    let failed = |e: git2::Error| local(e.message().to_owned());
    let repo = cache.open_repository().map_err(PackError::Local)?;
    let entered = cache.enter();
    let odb = repo.odb().map_err(failed)?;
    let mut writer = odb.packwriter().map_err(failed)?;
    let mut refused = None;
    let received = receive(&mut |bytes| {
        writer.write_all(bytes).map_err(|e| {
            refused = Some(e.to_string());
            WireError::malformed("a pack that cannot be indexed")
        })
    });
    if let Some(why) = refused {
        return Err(local(why));
    }
    received.map_err(PackError::Wire)?;
    writer.commit().map_err(failed)?;
    drop(entered);
    Ok(())
}
