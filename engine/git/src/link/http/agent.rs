//! The HTTP client: rustls with ring, the system's roots or the given ones, proxies from the environment, no redirects.

use crate::options::Deadline;
use crate::{Credentials, CredentialsError, Error};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::Request;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, SendBody};
use url::Url;

/// Certificates of a company's authorities; the system's bundle has a quarter of this.
const CA_BYTES_MAX: u64 = 4 << 20;
/// Shorter than what proxies usually cut, so that a push does not begin on a dead connection.
const CONNECTION_IDLE_MAX: Duration = Duration::from_secs(10);

pub(super) fn build(base: &Url, credentials: &Credentials) -> Result<Agent, Error> {
    let roots = match &credentials.ca_file {
        Some(path) => RootCerts::Specific(Arc::new(certificates(path)?)),
        None => RootCerts::PlatformVerifier,
    };
    let tls = TlsConfig::builder()
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let mut config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_age(CONNECTION_IDLE_MAX)
        .max_idle_connections_per_host(1);
    if is_loopback(base) {
        // Credentials go there without TLS: not through somebody's proxy.
        config = config.proxy(None);
    }
    Ok(Agent::new_with_config(config.build()))
}

/// The request with what is left of its call's time.
pub(super) fn timed<'a>(agent: &Agent, request: Request<SendBody<'a>>, deadline: &Deadline) -> Request<SendBody<'a>> {
    agent
        .configure_request(request)
        .timeout_global(Some(deadline.left()))
        .timeout_connect(Some(deadline.timeouts.connect))
        .timeout_resolve(Some(deadline.timeouts.connect))
        .timeout_per_read(Some(deadline.timeouts.idle))
        .timeout_per_write(Some(deadline.timeouts.idle))
        .build()
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, CredentialsError> {
    let fail = |why: String| CredentialsError::File { path: path.to_owned(), why };
    let bytes = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
    if bytes > CA_BYTES_MAX {
        return Err(fail(format!("{bytes} bytes of certificates are more than are read")));
    }
    let pem = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(e) => return Err(fail(format!("not PEM: {e}"))),
        }
    }
    if found.is_empty() { Err(fail("it holds no certificate".to_owned())) } else { Ok(found) }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
