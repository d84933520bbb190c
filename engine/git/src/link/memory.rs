//! A server in this process: the messages of Git's protocol, answered from a [`Hub`] as an HTTP server would. For
//! simulations, which draw what goes wrong with each request.

use super::{Body, Counters, Link, Service, protocol_error};
use crate::options::Deadline;
use crate::protocol::WireError;
use crate::protocol::pkt::{Pkt, PktReader, data, flush, line};
use crate::{Error, Hub, Oid};
use std::io::{self, Read};
use std::sync::Arc;

/// What goes into one line of band 1.
const BAND_BYTES: usize = 32 << 10;
/// A simulated fleet is small.
const REQUEST_BYTES_MAX: u64 = 1 << 20;

/// One request, before it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Where refs are.
    Refs,
    Fetch,
    /// The list of refs that a push begins with.
    Advert,
    Push {
        full_ref: String,
        /// None deletes it.
        new: Option<Oid>,
    },
}

/// What becomes of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    #[default]
    Serve,
    /// The connection broke; nothing happened.
    DropBefore,
    /// It happened; the answer was lost.
    DropAfter,
    /// Nothing happened, and nobody answered in time.
    Hang,
    /// It arrived twice; the second answer is what is heard.
    Twice,
    /// A push is refused in these words.
    Refuse(String),
}

/// The way to a [`Hub`].
pub(crate) struct MemoryLink {
    hub: Hub,
    /// As pushes are signed in the hub's list.
    by: String,
    remote: String,
    fates: Box<dyn FnMut(&Asked) -> Fate + Send>,
    counters: Arc<Counters>,
}

impl MemoryLink {
    pub(crate) fn new(
        hub: Hub,
        by: String,
        remote: String,
        fates: Box<dyn FnMut(&Asked) -> Fate + Send>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { hub, by, remote, fates, counters }
    }

    fn serve(&mut self, asked: Asked, answer: impl Fn(&Hub, &str) -> Result<Vec<u8>, String>) -> Served {
        self.counters.request();
        let broken = |why: &str| Error::Unreachable { remote: self.remote.clone(), why: why.to_owned() };
        let fate = (self.fates)(&asked);
        let answered = match (fate, asked) {
            (Fate::DropBefore, _) => return Err(broken("the connection broke")),
            (Fate::Hang, _) => {
                let limit = "a simulated one".to_owned();
                return Err(Error::Timeout { remote: self.remote.clone(), limit });
            }
            (Fate::DropAfter, _) => {
                // What it would have said is lost, too.
                let _ = answer(&self.hub, &self.by);
                return Err(broken("the connection broke before an answer came"));
            }
            (Fate::Refuse(words), Asked::Push { full_ref, .. }) => Ok(report(&full_ref, Err(&words))),
            (Fate::Twice, _) => {
                let _ = answer(&self.hub, &self.by);
                answer(&self.hub, &self.by)
            }
            (Fate::Serve | Fate::Refuse(_), _) => answer(&self.hub, &self.by),
        };
        let answered = answered.map_err(|why| Error::Remote { remote: self.remote.clone(), words: why })?;
        self.counters.add_bytes(answered.len() as u64);
        Ok(Box::new(io::Cursor::new(answered)))
    }

    fn malformed(&self, error: WireError) -> Error {
        protocol_error(&self.remote, error)
    }
}

type Served = Result<Box<dyn Read>, Error>;

impl Link for MemoryLink {
    fn begin(&mut self, _deadline: Deadline) {}

    fn advert(&mut self, service: Service) -> Result<Box<dyn Read + '_>, Error> {
        Ok(match service {
            Service::UploadPack => self.serve(Asked::Refs, |_, _| Ok(version_2()))?,
            Service::ReceivePack => self.serve(Asked::Advert, |hub, _| Ok(advert(&hub.refs())))?,
        })
    }

    fn exchange(&mut self, service: Service, mut body: Body) -> Result<Box<dyn Read + '_>, Error> {
        let mut request = Vec::new();
        body.read_to_end(&mut request).map_err(|e| self.malformed(WireError::Io(e)))?;
        let (lines, pack) = read(&request).map_err(|e| self.malformed(e))?;
        let served = match (service, lines.first().map(String::as_str)) {
            (Service::ReceivePack, Some(command)) => {
                let (old, new, full_ref) = parsed(command).map_err(|e| self.malformed(e))?;
                let asked = Asked::Push { full_ref: full_ref.to_owned(), new };
                self.serve(asked, |hub, by| {
                    let moved = hub.receive(by, full_ref, old, new, pack);
                    Ok(report(full_ref, moved.as_ref().copied().map_err(String::as_str)))
                })?
            }
            (Service::UploadPack, Some("command=ls-refs")) => {
                let prefixes: Vec<&str> = lines.iter().filter_map(|l| l.strip_prefix("ref-prefix ")).collect();
                self.serve(Asked::Refs, |hub, _| Ok(refs(&hub.refs(), &prefixes)))?
            }
            (Service::UploadPack, Some("command=fetch")) => {
                let ids = |word: &str| -> Vec<Oid> {
                    lines.iter().filter_map(|l| l.strip_prefix(word)?.strip_prefix(' ')?.parse().ok()).collect()
                };
                let (want, have) = (ids("want"), ids("have"));
                self.serve(Asked::Fetch, |hub, _| packed(hub, &want, &have))?
            }
            (Service::UploadPack, _) => {
                return Err(self.malformed(WireError::malformed("a request that the simulation does not know")));
            }
            (Service::ReceivePack, None) => return Err(self.malformed(WireError::malformed("an empty request"))),
        };
        Ok(served)
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn explain(&mut self, error: WireError) -> Error {
        protocol_error(&self.remote, error)
    }

    fn end(&mut self) {}
}

/// The lines up to the first flush, and what follows it.
fn read(request: &[u8]) -> Result<(Vec<String>, &[u8]), WireError> {
    let mut rest = request;
    let mut lines = Vec::new();
    let mut reader = PktReader::new(&mut rest, REQUEST_BYTES_MAX);
    loop {
        match reader.next()? {
            Pkt::Flush | Pkt::End => break,
            Pkt::Delim => {}
            line @ Pkt::Data(_) => lines.extend(line.text()),
        }
    }
    Ok((lines, rest))
}

/// `old new ref\0capabilities`; zero stands for absent.
fn parsed(command: &str) -> Result<(Option<Oid>, Option<Oid>, &str), WireError> {
    let malformed = || WireError::malformed("not a command of a push");
    let command = command.split('\0').next().unwrap_or(command);
    let mut parts = command.splitn(3, ' ');
    let mut id = || -> Result<Option<Oid>, WireError> {
        let id: Oid = parts.next().and_then(|p| p.parse().ok()).ok_or_else(malformed)?;
        Ok(Some(id).filter(|id| !id.is_zero()))
    };
    let (old, new) = (id()?, id()?);
    Ok((old, new, parts.next().ok_or_else(malformed)?))
}

fn version_2() -> Vec<u8> {
    let mut out = Vec::new();
    ["version 2\n", "ls-refs\n", "fetch\n"].into_iter().for_each(|words| line(&mut out, words));
    flush(&mut out);
    out
}

fn advert(refs: &[(String, Oid)]) -> Vec<u8> {
    const CAPABILITIES: &str = "report-status delete-refs ofs-delta";
    let mut out = Vec::new();
    if refs.is_empty() {
        line(&mut out, &format!("{} capabilities^{{}}\0{CAPABILITIES}\n", Oid::ZERO));
    }
    for (at, (name, id)) in refs.iter().enumerate() {
        let capabilities = if at == 0 { format!("\0{CAPABILITIES}") } else { String::new() };
        line(&mut out, &format!("{id} {name}{capabilities}\n"));
    }
    flush(&mut out);
    out
}

fn refs(refs: &[(String, Oid)], prefixes: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, id) in refs.iter().filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix))) {
        line(&mut out, &format!("{id} {name}\n"));
    }
    flush(&mut out);
    out
}

fn packed(hub: &Hub, want: &[Oid], have: &[Oid]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let Some(pack) = hub.pack(want, have).map_err(|e| e.to_string())? else {
        line(&mut out, "ERR upload-pack: not our ref");
        return Ok(out);
    };
    line(&mut out, "packfile\n");
    for bytes in pack.chunks(BAND_BYTES) {
        let mut band = vec![1];
        band.extend_from_slice(bytes);
        data(&mut out, &band);
    }
    flush(&mut out);
    Ok(out)
}

fn report(full_ref: &str, moved: Result<(), &str>) -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, "unpack ok\n");
    match moved {
        Ok(()) => line(&mut out, &format!("ok {full_ref}\n")),
        Err(why) => line(&mut out, &format!("ng {full_ref} {why}\n")),
    }
    flush(&mut out);
    out
}
