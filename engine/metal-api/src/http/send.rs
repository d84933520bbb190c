//! One request on its way: signed, bounded in time and bytes, repeated only when it is a read.

use super::{HttpMetal, OptionsError, Way, body::Body, headers, is_loopback};
use crate::auth::{AuthHeaders, DATE_HEADER, SALT_HEADER};
use crate::error::{Call, Error, classify, failed, tidy};
use crate::{Result, wire::ErrorText};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use secrecy::ExposeSecret;
use serde::Serialize;
use std::{error::Error as _, sync::PoisonError, time::Duration};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use url::Url;

/// Tries of a read within its deadline: a restarting server is met again, a dead one is left alone.
const TRIES_MAX: u32 = 3;
/// Upper bound of the first pause between tries; it doubles. The pause is drawn between 0 and the bound.
const PAUSE: Duration = Duration::from_millis(100);
/// What is read of an error's body; its words are cut further.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// A connection that is not there by then will not be; what is refused this early has not been sent.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(3);
/// Shorter than the idle timeouts of servers and proxies, so that writes do not meet a closed connection.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// A call with its method, its path below `/v1` and its JSON.
pub(super) struct Request {
    pub(super) call: Call,
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) body: Option<Vec<u8>>,
}

impl Request {
    pub(super) fn get<const N: usize>(call: Call, path: [&str; N]) -> Self {
        Self { call, method: Method::GET, path: path.map(str::to_owned).into(), body: None }
    }

    pub(super) fn delete<const N: usize>(call: Call, path: [&str; N]) -> Self {
        Self { call, method: Method::DELETE, path: path.map(str::to_owned).into(), body: None }
    }

    pub(super) fn post<const N: usize>(call: Call, path: [&str; N], body: &impl Serialize) -> Result<Self> {
        match serde_json::to_vec(body) {
            Ok(body) => Ok(Self { call, method: Method::POST, path: path.map(str::to_owned).into(), body: Some(body) }),
            Err(e) => Err(Error::Unreachable { call, text: format!("the request cannot be written: {e}") }),
        }
    }
}

/// The pooled client: no redirects, which would carry the signature elsewhere, and no repeats of its own.
pub(super) fn client(base: &Url, write_timeout: Duration) -> Result<reqwest::Client, OptionsError> {
    // Fails only when somebody installed one before, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("ferrofleet/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT_MAX.min(write_timeout))
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true);
    let builder = if is_loopback(base) { builder.no_proxy() } else { builder };
    builder.build().map_err(|e| OptionsError::Client(words(&e)))
}

impl HttpMetal {
    /// A read: repeated with full jitter, all within the read timeout.
    pub(super) async fn read<B: Body>(&self, request: &Request) -> Result<B::Out> {
        let deadline = Instant::now() + self.read_timeout;
        timeout_at(deadline, self.tries::<B>(request, deadline)).await.unwrap_or_else(|_| {
            let text = format!("no answer within {:?}", self.read_timeout);
            Err(Error::Unreachable { call: request.call.clone(), text })
        })
    }

    /// A write: sent once. When the time is over it may have happened.
    pub(super) async fn write<B: Body>(&self, request: &Request) -> Result<B::Out> {
        timeout(self.write_timeout, self.once::<B>(request)).await.unwrap_or_else(|_| {
            let text = format!("no answer within {:?}", self.write_timeout);
            Err(Error::Unknown { call: request.call.clone(), text })
        })
    }

    async fn tries<B: Body>(&self, request: &Request, deadline: Instant) -> Result<B::Out> {
        let mut tried = 0;
        loop {
            let error = match self.once::<B>(request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tried += 1;
            match pause(&error, tried).filter(|pause| Instant::now() + *pause < deadline) {
                Some(pause) if tried < TRIES_MAX => {
                    tracing::debug!(%error, tried, ?pause, "again");
                    sleep(pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    async fn once<B: Body>(&self, request: &Request) -> Result<B::Out> {
        let call = &request.call;
        let auth = self
            .credentials
            .headers(request.method.as_str(), self.clock.now())
            .await
            .map_err(|e| Error::Denied { call: call.clone(), skew: false, text: e.to_string() })?;
        let client = match &self.way {
            Way::Http(client) => client,
            Way::Within(carry) => return self.within::<B>(&**carry, request, &auth).await,
        };
        let refused = |text| Error::Unreachable { call: call.clone(), text };
        let built = self.build(client, request, &auth).map_err(|text| refused(auth.redact(&text)))?;
        let response = match client.execute(built).await {
            Ok(response) => response,
            Err(e) if e.is_connect() || e.is_builder() => return Err(refused(auth.redact(&words(&e)))),
            Err(e) => return Err(failed(call.clone(), auth.redact(&words(&e)))),
        };
        if let Some(time) = headers::server_time(response.headers()) {
            *self.server_time.lock().unwrap_or_else(PoisonError::into_inner) = Some(time);
        }
        tracing::debug!(%call, status = response.status().as_u16(), "answered");
        // An unhealthy server says so with 500 and the body of a healthy one.
        let unwell = call.op == crate::Op::Health && response.status() == StatusCode::INTERNAL_SERVER_ERROR;
        if response.status().is_success() || unwell {
            return take::<B>(call, response, &auth).await;
        }
        let status = response.status().as_u16();
        let after = headers::retry_after(response.headers(), self.clock.now());
        let text = auth.redact(&String::from_utf8_lossy(&error_body(response).await));
        Err(classify(call.clone(), status, &ErrorText::parse(text.as_bytes()), after))
    }

    fn build(
        &self,
        client: &reqwest::Client,
        request: &Request,
        auth: &AuthHeaders,
    ) -> Result<reqwest::Request, String> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| "the URL has no path".to_owned())?
            .pop_if_empty()
            .push("v1")
            .extend(&request.path);
        let mut builder = client.request(request.method.clone(), url).header(ACCEPT, "application/json");
        builder = builder.header(AUTHORIZATION, sensitive(auth.authorization.expose_secret())?);
        if let Some((date, salt)) = &auth.date_and_salt {
            builder = builder.header(DATE_HEADER, sensitive(date)?).header(SALT_HEADER, sensitive(salt)?);
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        builder.build().map_err(|e| words(&e))
    }
}

/// How long to wait before this read may be tried again; `None`: it would end the same.
fn pause(error: &Error, tried: u32) -> Option<Duration> {
    let bound = PAUSE.saturating_mul(1 << tried.min(8));
    let jitter = bound.mul_f64(fastrand::f64());
    match error {
        Error::Unreachable { .. } => Some(jitter),
        Error::Busy { after, .. } => Some(after.unwrap_or_default() + jitter),
        Error::NotFound { .. }
        | Error::Conflict { .. }
        | Error::Invalid { .. }
        | Error::Exhausted { .. }
        | Error::InUse { .. }
        | Error::Denied { .. }
        | Error::Unknown { .. }
        | Error::Malformed { .. }
        | Error::Outside { .. }
        | Error::ReadOnly { .. } => None,
    }
}

/// Reads a success. A body that breaks off says nothing about a read and leaves a write unknown.
async fn take<B: Body>(call: &Call, mut response: Response, auth: &AuthHeaders) -> Result<B::Out> {
    let status = response.status().as_u16();
    let unreadable = |text: String| {
        let text = auth.redact(&tidy(&text));
        if call.op.is_write() {
            Error::Unknown { call: call.clone(), text: format!("status {status}, but: {text}") }
        } else {
            Error::Malformed { call: call.clone(), status, text }
        }
    };
    let (mut body, mut length) = (B::default(), 0_usize);
    while let Some(chunk) = response.chunk().await.map_err(|e| failed(call.clone(), auth.redact(&words(&e))))? {
        length += chunk.len();
        if length > B::BYTES_MAX {
            return Err(unreadable(format!("the answer has more than {} bytes", B::BYTES_MAX)));
        }
        body.push(&chunk).map_err(unreadable)?;
    }
    body.finish().map_err(unreadable)
}

/// As much of an error's body as is kept; what breaks off is kept as far as it came.
async fn error_body(mut response: Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk[..chunk.len().min(ERROR_BYTES_MAX - bytes.len())]);
        if bytes.len() >= ERROR_BYTES_MAX {
            break;
        }
    }
    bytes
}

/// Never shown by the HTTP stack's own logs.
fn sensitive(value: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value).map_err(|_| "the credential is no header text".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// A transport error with its causes; the URL is in the call's own words.
fn words(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { String::new() };
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = if text.is_empty() { cause_text } else { format!("{text}: {cause_text}") };
        }
        source = cause.source();
    }
    if text.is_empty() { tidy("the connection failed") } else { tidy(&text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Op;

    #[test]
    fn only_what_may_end_otherwise_is_tried_again() {
        let call = || Call::new(Op::IpFind);
        let unreachable = Error::Unreachable { call: call(), text: String::new() };
        for tried in [1, 2, 40] {
            assert!(pause(&unreachable, tried).unwrap() <= PAUSE * 256);
        }
        let busy = |after| Error::Busy { call: call(), status: 503, after, text: String::new() };
        let seven = Duration::from_secs(7);
        assert!(pause(&busy(Some(seven)), 1).unwrap() >= seven);
        assert!(pause(&busy(None), 1).unwrap() <= PAUSE * 2);
        let denied = Error::Denied { call: call(), skew: false, text: String::new() };
        assert_eq!(pause(&denied, 1), None);
    }
}
