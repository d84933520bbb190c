//! Servers for tests on loopback: one that answers what a closure says, one that misbehaves at the socket.

use crate::{AuthType, Credentials, HttpMetal, Options, Secret};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use model::{Clock, Timestamp};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The key that must appear nowhere.
pub(crate) const CANARY: &str = "canary-key-3f9a";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Method and path, as `POST /v1/ip/find`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What a stub answers.
pub(crate) enum Answer {
    /// Status and body.
    Plain(u16, String),
    /// The same with one more header.
    With(u16, &'static str, String, String),
    /// Never.
    Hang,
}

pub(crate) struct Stub {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Stub {
    /// `answer` gets the request and how many came before it.
    pub(crate) async fn start(answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metal", listener.local_addr().unwrap());
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let log = Arc::clone(&seen);
        let handle = move |request: Request| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let request = read(request).await;
                let before = {
                    let mut log = log.lock().unwrap();
                    log.push(request.clone());
                    log.len() - 1
                };
                respond(answer(&request, before)).await
            }
        };
        let app = axum::Router::new().fallback(handle);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn client(&self) -> HttpMetal {
        client(&self.url, Duration::from_secs(5))
    }

    pub(crate) fn impatient(&self) -> HttpMetal {
        client(&self.url, Duration::from_millis(300))
    }
}

async fn read(request: Request) -> Seen {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    Seen { method: head.method.to_string(), path: head.uri.path().to_owned(), headers: head.headers, body }
}

async fn respond(answer: Answer) -> Response {
    let builder = Response::builder().header("Content-Type", "application/json");
    match answer {
        Answer::Plain(status, body) => builder.status(status).body(Body::from(body)).unwrap(),
        Answer::With(status, name, value, body) => {
            builder.status(status).header(name, value).body(Body::from(body)).unwrap()
        }
        Answer::Hang => std::future::pending().await,
    }
}

/// What happens at the socket once the request's head is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Socket {
    /// Closed without a word.
    Cut,
    /// Closed within the body.
    CutBody,
    /// No HTTP.
    Garbage,
}

/// A server that treats every connection so; the URL of it.
pub(crate) async fn misbehaving(socket: Socket) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(misbehave(stream, socket));
        }
    });
    url
}

async fn misbehave(mut stream: TcpStream, socket: Socket) {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head).await;
    let words: &[u8] = match socket {
        Socket::Cut => b"",
        Socket::CutBody => {
            b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n[{\"id\":"
        }
        Socket::Garbage => b"SSH-2.0-OpenSSH\r\n",
    };
    let _ = stream.write_all(words).await;
    let _ = stream.shutdown().await;
}

/// A URL where nobody listens.
pub(crate) async fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A client with the canary as key, and this long for every call.
pub(crate) fn client(url: &str, timeout: Duration) -> HttpMetal {
    let key = Secret::value(CANARY);
    let credentials = Credentials::Hmac { auth_type: AuthType::Edit, key };
    let options = Options { read_timeout: timeout, write_timeout: timeout, ..Options::new(url, credentials) };
    HttpMetal::new(options, Arc::new(Driven::default())).unwrap()
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct Driven(Mutex<Timestamp>);

impl Default for Driven {
    fn default() -> Self {
        Self(Mutex::new("2024-01-02T03:04:05Z".parse().unwrap()))
    }
}

impl Driven {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Driven {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}
