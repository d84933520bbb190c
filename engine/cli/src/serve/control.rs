//! Control: look now, pause, resume. From this machine, or with the token.

use super::Server;
use crate::fleets::Handle;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use std::net::SocketAddr;
use std::path::Path;
use subtle::ConstantTimeEq as _;

/// A token is a line.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

type Answer = (StatusCode, &'static str);
type From = ConnectInfo<SocketAddr>;

const FORBIDDEN: Answer =
    (StatusCode::FORBIDDEN, "only from this machine, or with the bearer token of --listen-token-file\n");

/// Every fleet looks at its branch now.
pub(crate) async fn reconcile(State(server): State<Server>, from: From, headers: HeaderMap) -> Answer {
    if !server.allows(from.0, &headers).await {
        return FORBIDDEN;
    }
    server.fleets.iter().for_each(Handle::wake);
    (StatusCode::ACCEPTED, "looking\n")
}

/// Nothing is read or written, in Git or metal-api, until `resume` or a restart.
pub(crate) async fn pause(State(server): State<Server>, from: From, headers: HeaderMap) -> Answer {
    if !server.allows(from.0, &headers).await {
        return FORBIDDEN;
    }
    tracing::warn!("paused by a request");
    server.paused.send_replace(true);
    (StatusCode::ACCEPTED, "paused\n")
}

pub(crate) async fn resume(State(server): State<Server>, from: From, headers: HeaderMap) -> Answer {
    if !server.allows(from.0, &headers).await {
        return FORBIDDEN;
    }
    tracing::warn!("resumed by a request");
    server.paused.send_replace(false);
    (StatusCode::ACCEPTED, "resumed\n")
}

impl Server {
    async fn allows(&self, from: SocketAddr, headers: &HeaderMap) -> bool {
        // A web page that a person here looks at, and a proxy here that forwards for others, are not this machine.
        let forwarded = [header::ORIGIN.as_str(), "forwarded", "x-forwarded-for"];
        let is_direct = !forwarded.iter().any(|name| headers.contains_key(*name));
        if is_direct && from.ip().to_canonical().is_loopback() {
            return true;
        }
        let Some(file) = &self.token_file else { return false };
        let shown = headers.get(header::AUTHORIZATION).and_then(|v| v.as_bytes().strip_prefix(b"Bearer "));
        let Some(shown) = shown else { return false };
        match token(file).await {
            Ok(token) => bool::from(token.as_bytes().ct_eq(shown)),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "the token of the server cannot be read");
                false
            }
        }
    }
}

/// An empty token lets nobody in.
async fn token(file: &Path) -> std::io::Result<String> {
    if tokio::fs::metadata(file).await?.len() > TOKEN_BYTES_MAX {
        return Err(std::io::Error::other("too long for a token"));
    }
    let text = tokio::fs::read_to_string(file).await?;
    match text.trim() {
        "" => Err(std::io::Error::other("the file is empty")),
        token => Ok(token.to_owned()),
    }
}
