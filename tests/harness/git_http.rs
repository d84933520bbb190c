//! A Git server over HTTP for tests: `git http-backend` behind a small server that counts, checks logins, and fails on
//! request.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A running server over the bare repositories below a folder. Ends when dropped.
#[derive(Debug)]
pub struct GitHttp {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

/// One request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    pub authorization: Option<String>,
    /// The `Git-Protocol` header.
    pub protocol: Option<String>,
    /// Of the body.
    pub bytes_in: u64,
    /// Of the answer's body.
    pub bytes_out: u64,
}

/// What a server may do instead of its work.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status, these headers, this body.
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Nothing happens, and the connection is closed.
    DropBefore,
    /// It happens, and the connection is closed without an answer.
    DropAfter,
    /// It happens, and the connection is closed in the middle of the answer.
    Cut,
    /// Nothing happens; the connection stays open without a byte.
    Hang,
}

type Script = Box<dyn Fn(&Seen) -> Option<Fault> + Send>;

struct Shared {
    root: PathBuf,
    /// What `Authorization` must be; None lets everybody in.
    login: Mutex<Option<String>>,
    script: Mutex<Option<Script>>,
    speaks_v2: AtomicBool,
    seen: Mutex<Vec<Seen>>,
    ended: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("root", &self.root).finish_non_exhaustive()
    }
}

impl GitHttp {
    /// Serves everything below `root` on a port of its own choice, without a login.
    pub fn start(root: &Path) -> Self {
        Self::start_with(root, None)
    }

    /// The same over TLS as `localhost`, by a certificate of its own, which is given in PEM.
    pub fn start_tls(root: &Path) -> (Self, String) {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key.into())
            .unwrap();
        (Self::start_with(root, Some(Arc::new(config))), certified.cert.pem())
    }

    fn start_with(root: &Path, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            login: Mutex::default(),
            script: Mutex::default(),
            speaks_v2: AtomicBool::new(true),
            seen: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = shared.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if server.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (server, tls) = (server.clone(), tls.clone());
                // A client that went away in the middle is its own business.
                std::thread::spawn(move || {
                    let stream = connection?;
                    stream.set_nodelay(true)?;
                    match tls.map(ServerConnection::new) {
                        None => serve(&server, stream),
                        Some(Ok(tls)) => serve(&server, StreamOwned::new(tls, stream)),
                        Some(Err(e)) => Err(std::io::Error::other(e)),
                    }
                });
            }
        });
        Self { address, scheme, shared }
    }

    /// The address of a repository, by its path below the root.
    pub fn url(&self, path: &str) -> String {
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}/{path}", self.scheme, self.address.port())
    }

    /// From now on exactly this `Authorization` header is let in.
    pub fn require(&self, authorization: &str) {
        *lock(&self.shared.login) = Some(authorization.to_owned());
    }

    /// From now on every request is shown to `script`, which may have something else done.
    pub fn script(&self, script: impl Fn(&Seen) -> Option<Fault> + Send + 'static) {
        *lock(&self.shared.script) = Some(Box::new(script));
    }

    /// Whether the server honours version 2 of the protocol; it does unless told otherwise.
    pub fn speaks_v2(&self, speaks: bool) {
        self.shared.speaks_v2.store(speaks, Ordering::SeqCst);
    }

    /// The requests since the last call.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *lock(&self.shared.seen))
    }
}

impl Drop for GitHttp {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection until the client has no more requests.
fn serve(shared: &Shared, stream: impl Read + Write) -> std::io::Result<()> {
    let mut input = BufReader::new(stream);
    while let Some((seen, headers, body)) = read_request(&mut input)? {
        let fault = lock(&shared.script).as_ref().and_then(|script| script(&seen));
        let answer = match &fault {
            Some(Fault::Answer { status, headers, body }) => {
                Answer { status: *status, headers: headers.clone(), body: body.clone() }
            }
            Some(Fault::DropBefore) => return record(shared, seen, 0),
            Some(Fault::Hang) => {
                record(shared, seen, 0)?;
                // Until the client gives up.
                let _ = input.read(&mut [0]);
                return Ok(());
            }
            Some(Fault::DropAfter | Fault::Cut) | None => answer(shared, &seen, &headers, &body)?,
        };
        record(shared, seen, answer.body.len() as u64)?;
        if matches!(fault, Some(Fault::DropAfter)) {
            return Ok(());
        }
        write_answer(input.get_mut(), &answer, matches!(fault, Some(Fault::Cut)))?;
        if matches!(fault, Some(Fault::Cut)) {
            return Ok(());
        }
    }
    Ok(())
}

fn record(shared: &Shared, seen: Seen, bytes_out: u64) -> std::io::Result<()> {
    lock(&shared.seen).push(Seen { bytes_out, ..seen });
    Ok(())
}

type Headers = BTreeMap<String, String>;

fn read_request<S: Read + Write>(input: &mut BufReader<S>) -> std::io::Result<Option<(Seen, Headers, Vec<u8>)>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut seen = Seen { method, path: path.to_owned(), query: query.to_owned(), ..Seen::default() };
    let mut headers = Headers::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    if headers.contains_key("expect") {
        input.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|e| e == "chunked") {
        read_chunks(input, &mut body)?;
    } else {
        let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        input.take(length).read_to_end(&mut body)?;
    }
    seen.authorization = headers.get("authorization").cloned();
    seen.protocol = headers.get("git-protocol").cloned();
    seen.bytes_in = body.len() as u64;
    Ok(Some((seen, headers, body)))
}

fn read_chunks(input: &mut impl BufRead, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut size = String::new();
        input.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim(), 16).unwrap_or(0);
        input.take(size).read_to_end(body)?;
        input.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(());
        }
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn answer(shared: &Shared, seen: &Seen, headers: &Headers, body: &[u8]) -> std::io::Result<Answer> {
    let login = lock(&shared.login).clone();
    if login.is_some() && seen.authorization != login {
        let sent = seen.authorization.as_deref().unwrap_or("nothing");
        // Some servers quote what they were sent; a client must not pass that on.
        let body = format!("Authentication failed, you sent {sent}").into_bytes();
        let headers = [("WWW-Authenticate", "Basic realm=\"git\""), ("Content-Type", "text/plain")];
        return Ok(Answer { status: 401, headers: headers.map(|(n, v)| (n.into(), v.into())).into(), body });
    }
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &shared.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", &seen.path)
        .env("QUERY_STRING", &seen.query)
        .env("REQUEST_METHOD", &seen.method)
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("CONTENT_TYPE", headers.get("content-type").map_or("", String::as_str))
        .env("REMOTE_USER", "tester")
        .env("REMOTE_ADDR", "127.0.0.1")
        .env_remove("GIT_PROTOCOL");
    if let Some(encoding) = headers.get("content-encoding") {
        command.env("HTTP_CONTENT_ENCODING", encoding);
    }
    if let Some(protocol) = seen.protocol.as_ref().filter(|_| shared.speaks_v2.load(Ordering::SeqCst)) {
        command.env("GIT_PROTOCOL", protocol);
    }
    run_cgi(command, body)
}

fn run_cgi(mut command: Command, body: &[u8]) -> std::io::Result<Answer> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut input = child.stdin.take().unwrap();
    let body = body.to_vec();
    // It may answer before it has read everything.
    let writer = std::thread::spawn(move || input.write_all(&body));
    let output = child.wait_with_output()?.stdout;
    let _ = writer.join();
    let end = output.windows(4).position(|w| w == b"\r\n\r\n").map_or(output.len(), |at| at + 4);
    let mut answer = Answer { status: 200, headers: Vec::new(), body: output[end..].to_vec() };
    if end == 0 || output.is_empty() {
        answer.status = 500;
    }
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name {
            "Status" => answer.status = value[..3].parse().unwrap_or(500),
            _ => answer.headers.push((name.to_owned(), value.to_owned())),
        }
    }
    Ok(answer)
}

fn write_answer(output: &mut impl Write, answer: &Answer, cut: bool) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Status\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    output.write_all(head.as_bytes())?;
    let body = if cut { &answer.body[..answer.body.len() / 2] } else { &answer.body };
    output.write_all(body)?;
    output.flush()
}
