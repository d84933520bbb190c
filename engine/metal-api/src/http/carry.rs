//! A metal-api that is not behind a socket: the simulator in the same process. Everything but the connection is as over
//! HTTP, signatures and deadlines included.

use super::{HttpMetal, Options, OptionsError, Way, base_url, body::Body, send::Request};
use crate::auth::AuthHeaders;
use crate::error::{Error, classify, failed, tidy};
use crate::{Result, wire::ErrorText};
use jiff::Timestamp;
use model::Clock;
use secrecy::ExposeSecret;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError},
};

/// A request as it would go over the wire.
#[derive(Clone)]
pub struct Asked {
    pub method: String,
    /// From the root, with `/v1/`; no part of it needs escapes.
    pub path: String,
    pub authorization: String,
    /// Of an HMAC: the signed date and salt.
    pub date_and_salt: Option<(String, String)>,
    /// JSON; empty where there is none.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Told {
    pub status: u16,
    pub body: Vec<u8>,
    /// The server's clock.
    pub time: Timestamp,
}

/// Why none came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// No connection: nothing was sent.
    Refused(String),
    /// It broke: whether anything happened is unknown.
    Broken(String),
}

/// Carries requests to a metal-api in this process.
pub trait Carry: Send + Sync {
    fn carry(&self, asked: Asked) -> Pin<Box<dyn Future<Output = std::result::Result<Told, Lost>> + Send + '_>>;
}

impl HttpMetal {
    /// A client whose requests somebody else carries; the URL of the options is for people.
    pub fn carried(options: Options, clock: Arc<dyn Clock>, carry: Arc<dyn Carry>) -> Result<Self, OptionsError> {
        let Options { url, credentials, read_timeout, write_timeout } = options;
        Ok(Self {
            way: Way::Within(carry),
            base: base_url(&url)?,
            credentials,
            read_timeout,
            write_timeout,
            clock,
            server_time: Arc::default(),
        })
    }

    /// One request on its way within this process.
    pub(super) async fn within<B: Body>(
        &self,
        carry: &dyn Carry,
        request: &Request,
        auth: &AuthHeaders,
    ) -> Result<B::Out> {
        let call = &request.call;
        let asked = Asked {
            method: request.method.to_string(),
            path: format!("{}/v1/{}", self.base.path().trim_end_matches('/'), request.path.join("/")),
            authorization: auth.authorization.expose_secret().to_owned(),
            date_and_salt: auth.date_and_salt.clone(),
            body: request.body.clone().unwrap_or_default(),
        };
        let Told { status, body, time } = match carry.carry(asked).await {
            Ok(told) => told,
            Err(Lost::Refused(text)) => return Err(Error::Unreachable { call: call.clone(), text }),
            Err(Lost::Broken(text)) => return Err(failed(call.clone(), text)),
        };
        *self.server_time.lock().unwrap_or_else(PoisonError::into_inner) = Some(time);
        if !(200..300).contains(&status) {
            return Err(classify(call.clone(), status, &ErrorText::parse(&body), None));
        }
        let mut taken = B::default();
        let read = taken.push(&body).and_then(|()| taken.finish());
        read.map_err(|text| match call.op.is_write() {
            true => Error::Unknown { call: call.clone(), text: tidy(&text) },
            false => Error::Malformed { call: call.clone(), status, text: tidy(&text) },
        })
    }
}

/// Without its credentials and body (I7).
impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
