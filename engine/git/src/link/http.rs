//! Git over HTTP: one GET per advertisement, one POST per message, over pooled connections.

mod agent;
mod answer;

use super::{Body, Counters, Link, Service, protocol_error};
use crate::credentials::Secrets;
use crate::options::Deadline;
use crate::protocol::WireError;
use crate::{Credentials, CredentialsError, Error};
use answer::{Counted, after_preamble};
use secrecy::ExposeSecret;
use std::io::{self, Read};
use std::sync::Arc;
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use ureq::http::{HeaderValue, Request, Response, StatusCode, request};
use ureq::{Agent, SendBody};
use url::Url;

/// A renamed repository is one redirect, a forge behind a proxy two.
const REDIRECTS_MAX: usize = 3;

/// A remote that is asked over HTTP.
pub(super) struct HttpLink {
    /// As it was given; whoever redirects us elsewhere gets no credentials.
    base: Url,
    /// Where reads were redirected to, while that works.
    moved: Option<Url>,
    remote: String,
    credentials: Credentials,
    /// Of the last try, for redaction.
    secrets: Secrets,
    counters: Arc<Counters>,
    deadline: Deadline,
    agent: Option<Agent>,
}

impl HttpLink {
    pub(super) fn new(base: Url, credentials: Credentials, counters: Arc<Counters>) -> Self {
        Self {
            remote: base.to_string(),
            base,
            moved: None,
            credentials,
            secrets: Secrets { username: None, password: None },
            counters,
            deadline: Deadline::start(Default::default()),
            agent: None,
        }
    }

    fn agent(&mut self) -> Result<Agent, Error> {
        if self.agent.is_none() {
            self.agent = Some(agent::build(&self.base, &self.credentials)?);
        }
        self.agent.clone().ok_or_else(|| self.protocol("no client"))
    }

    fn base_for(&self, service: Service) -> Url {
        match service {
            Service::UploadPack => self.moved.clone().unwrap_or_else(|| self.base.clone()),
            Service::ReceivePack => self.base.clone(),
        }
    }

    fn protocol(&self, why: impl Into<String>) -> Error {
        Error::Protocol { remote: self.remote.clone(), why: why.into() }
    }

    /// One request. Credentials go to the host that was configured, over TLS or loopback, and nowhere else.
    fn send(
        &mut self,
        mut request: request::Builder,
        url: &Url,
        body: SendBody<'_>,
    ) -> Result<Response<ureq::Body>, Error> {
        request = request.header("User-Agent", super::user_agent());
        if url.origin() == self.base.origin() {
            self.secrets = self.credentials.secrets()?;
            if let Some(value) = authorization(&self.secrets)? {
                if !is_private(url) {
                    return Err(CredentialsError::PlainHttp.into());
                }
                request = request.header(AUTHORIZATION, value);
            }
        }
        let request = request.uri(url.as_str()).body(body).map_err(|e| self.protocol(e.to_string()))?;
        let agent = self.agent()?;
        let request = agent::timed(&agent, request, &self.deadline);
        self.counters.request();
        let response = agent.run(request).map_err(|e| self.failed(e))?;
        Ok(response)
    }

    fn failed(&self, error: ureq::Error) -> Error {
        let remote = self.remote.clone();
        match error {
            ureq::Error::Timeout(which) => Error::Timeout { remote, limit: which.to_string() },
            other => Error::Unreachable { remote, why: self.secrets.redact(&other.to_string()) },
        }
    }

    /// What a status that is no success means, in the server's words.
    fn refused(&self, response: Response<ureq::Body>) -> Error {
        answer::refused(&self.remote, &self.secrets, response)
    }

    fn discover(&mut self, service: Service) -> Result<Response<ureq::Body>, Error> {
        let mut base = self.base_for(service);
        for _ in 0..=REDIRECTS_MAX {
            let url = endpoint(&base, "/info/refs", Some(service)).map_err(|why| self.protocol(why))?;
            let mut request = Request::get("/").header(ACCEPT, "*/*");
            if service == Service::UploadPack {
                request = request.header("Git-Protocol", "version=2");
            }
            let response = self.send(request, &url, SendBody::none())?;
            if !response.status().is_redirection() {
                return self.discovered(service, base, response);
            }
            base = self.redirected(service, &url, &response)?;
        }
        Err(self.protocol("it redirects in circles"))
    }

    fn discovered(
        &mut self,
        service: Service,
        base: Url,
        response: Response<ureq::Body>,
    ) -> Result<Response<ureq::Body>, Error> {
        self.moved = None;
        if response.status() != StatusCode::OK {
            return Err(self.refused(response));
        }
        if service == Service::UploadPack && base != self.base {
            self.moved = Some(base);
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if kind.split(';').next() != Some(&format!("application/x-git-{}-advertisement", service.name())) {
            return Err(self.protocol(format!("content type {kind:?}; is this the address of a repository?")));
        }
        Ok(response)
    }

    fn redirected(&self, service: Service, from: &Url, response: &Response<ureq::Body>) -> Result<Url, Error> {
        let to = location(from, response).ok_or_else(|| self.protocol("a redirect without a usable address"))?;
        let shown = shown(&to);
        let suffix = "/info/refs";
        let same = to.path().ends_with(suffix) && to.query() == from.query();
        let safe = to.scheme() == from.scheme() || to.scheme() == "https";
        if service == Service::ReceivePack || !same || !safe || !matches!(to.scheme(), "http" | "https") {
            return Err(Error::Moved { remote: self.remote.clone(), to: shown });
        }
        let mut base = to;
        let path = base.path().strip_suffix(suffix).unwrap_or_default().to_owned();
        base.set_path(&path);
        base.set_query(None);
        tracing::debug!(remote = %self.remote, to = %shown, "reading was redirected");
        Ok(base)
    }
}

impl Link for HttpLink {
    fn begin(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    fn advert(&mut self, service: Service) -> Result<Box<dyn Read + '_>, Error> {
        let response = self.discover(service)?;
        let reader = Counted::new(response, self.counters.clone());
        after_preamble(reader, service).map_err(|e| self.explain(e))
    }

    fn exchange(&mut self, service: Service, mut body: Body) -> Result<Box<dyn Read + '_>, Error> {
        let base = self.base_for(service);
        let url = endpoint(&base, &format!("/git-{}", service.name()), None).map_err(|why| self.protocol(why))?;
        let result = format!("application/x-git-{}-result", service.name());
        let bytes = body.length();
        let mut request = Request::post("/")
            .header(CONTENT_TYPE, format!("application/x-git-{}-request", service.name()))
            .header(ACCEPT, &result)
            .header(CONTENT_LENGTH, bytes);
        if service == Service::UploadPack {
            request = request.header("Git-Protocol", "version=2");
        }
        let response = self.send(request, &url, SendBody::from_reader(&mut body))?;
        self.counters.add_bytes(bytes);
        if response.status().is_redirection() {
            let to = location(&url, &response).map_or_else(|| "another address".to_owned(), |to| shown(&to));
            return Err(Error::Moved { remote: self.remote.clone(), to });
        }
        if response.status() != StatusCode::OK {
            self.moved = None;
            return Err(self.refused(response));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if kind.split(';').next() != Some(&result) {
            return Err(self.protocol(format!("content type {kind:?} in an answer")));
        }
        Ok(Box::new(Counted::new(response, self.counters.clone())))
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn explain(&mut self, error: WireError) -> Error {
        match error {
            WireError::Io(e) => {
                let wrapped = e.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
                if let Some(ureq::Error::Timeout(which)) = wrapped {
                    return Error::Timeout { remote: self.remote.clone(), limit: which.to_string() };
                }
                // `read_exact` found the end of a complete body; a connection that broke off has an error within.
                if e.kind() == io::ErrorKind::UnexpectedEof && e.get_ref().is_none() {
                    return self.protocol("its answer ends early");
                }
                let why = match e.kind() {
                    io::ErrorKind::UnexpectedEof => "the connection was closed in the middle of an answer".to_owned(),
                    _ => self.secrets.redact(&e.to_string()),
                };
                Error::Unreachable { remote: self.remote.clone(), why }
            }
            WireError::Remote(words) => protocol_error(&self.remote, WireError::Remote(self.secrets.redact(&words))),
            other @ WireError::Malformed(_) => protocol_error(&self.remote, other),
        }
    }

    fn end(&mut self) {}
}

/// Where an answer sends us.
fn location(from: &Url, response: &Response<ureq::Body>) -> Option<Url> {
    response.headers().get(LOCATION)?.to_str().ok().and_then(|to| from.join(to).ok())
}

/// An address without what may be a secret in it.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path().trim_end_matches("/info/refs"))
}

fn endpoint(base: &Url, path: &str, service: Option<Service>) -> Result<Url, String> {
    let mut url = base.clone();
    let joined = format!("{}{path}", base.path().trim_end_matches('/'));
    url.set_path(&joined);
    url.set_query(service.map(|s| format!("service=git-{}", s.name())).as_deref());
    Ok(url)
}

fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || agent::is_loopback(url)
}

/// Basic with a user name, bearer without.
fn authorization(secrets: &Secrets) -> Result<Option<HeaderValue>, Error> {
    use base64::Engine;
    if secrets.is_empty() {
        return Ok(None);
    }
    let exposed =
        |s: &Option<secrecy::SecretString>| s.as_ref().map_or(String::new(), |s| s.expose_secret().to_owned());
    let (username, password) = (exposed(&secrets.username), exposed(&secrets.password));
    let text = if username.is_empty() {
        format!("Bearer {password}")
    } else {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}")))
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| CredentialsError::Env {
        name: "of the password".to_owned(),
        why: "holds a character that no header may",
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}
