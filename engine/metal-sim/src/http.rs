//! The server: one TCP listener on loopback for the API and the control interface.

mod connection;

use crate::{
    clock::Clock,
    control,
    dispatch::Request,
    landscape::{Landscape, LandscapeError},
    save::SaveError,
    sim::{Arrival, Ending, Sim},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use connection::{Connections, Cutter};
use jiff::Timestamp;
use std::{
    future::IntoFuture,
    net::{Ipv4Addr, SocketAddr},
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// A request body may be as large; user data of a machine is at most some ten KB.
const BODY_BYTES_MAX: usize = 16 << 20;
/// A connection that is in the middle of something at the end gets so long.
const GRACE: Duration = Duration::from_secs(1);

/// What `ferrofleet metal-sim` is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Loopback only: the control interface asks for no credentials.
    pub listen: SocketAddr,
    pub landscape: Landscape,
    /// Read at the start, if it exists, and written on each change and at the end.
    pub state: Option<PathBuf>,
    pub clock: Clock,
    pub seed: u64,
}

impl Default for Options {
    /// The default landscape on a free port, in real time, with a random seed.
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            landscape: Landscape::default(),
            state: None,
            clock: Clock::real(1.0),
            seed: fastrand::u64(..),
        }
    }
}

/// Why the simulator does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0} is not a loopback address: the control interface asks for no credentials")]
    NotLoopback(SocketAddr),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Landscape(#[from] LandscapeError),
    #[error(transparent)]
    State(#[from] SaveError),
}

/// A simulator on a port. It ends with `shutdown`, or when this is dropped; control goes through [`Sim`].
#[derive(Debug)]
pub struct Running {
    sim: Sim,
    address: SocketAddr,
    admin_key: String,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

/// What every request needs.
#[derive(Clone)]
struct Service {
    sim: Sim,
    stop: watch::Receiver<bool>,
}

/// Builds the simulator of `options` and serves it.
pub async fn start(options: Options) -> Result<Running, ServeError> {
    let Options { listen, landscape, state, clock, seed } = options;
    let sim = match state {
        Some(file) => Sim::with_state(&landscape, clock, seed, &file)?,
        None => Sim::new(&landscape, clock, seed)?,
    };
    serve(sim, listen).await
}

/// Serves on a loopback address; port 0 takes a free one.
pub async fn serve(sim: Sim, address: SocketAddr) -> Result<Running, ServeError> {
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (stop, stopped) = watch::channel(false);
    let service = Service { sim: sim.clone(), stop: stopped.clone() };
    let router = Router::new().fallback(respond).with_state(service);
    let connections = Connections::new(listener);
    let server = axum::serve(connections, router.into_make_service_with_connect_info::<Cutter>())
        .with_graceful_shutdown(wait(stopped))
        .into_future();
    let server = tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the simulator's server ended");
        }
    });
    let admin_key = sim.admin_key();
    Ok(Running { sim, address, admin_key, stop, server })
}

impl Sim {
    /// Serves on a free port of 127.0.0.1.
    pub async fn serve(&self) -> Result<Running, ServeError> {
        serve(self.clone(), (Ipv4Addr::LOCALHOST, 0).into()).await
    }
}

impl Running {
    /// The default landscape in real time on a free port.
    pub async fn start_default() -> Result<Self, ServeError> {
        start(Options::default()).await
    }

    /// The landscape of a file, in real time on a free port.
    pub async fn start_file(landscape: &Path) -> Result<Self, ServeError> {
        start(Options { landscape: Landscape::read(landscape)?, ..Options::default() }).await
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `METAL_API_URL` takes, with the base path `/metal`.
    pub fn url(&self) -> String {
        format!("http://{}/metal", self.address)
    }

    /// Where the control interface is.
    pub fn control_url(&self) -> String {
        format!("http://{}{}", self.address, control::PREFIX)
    }

    /// The three `METAL_API_*` variables of a client with administrator's rights.
    pub fn env(&self) -> [(&'static str, String); 3] {
        [
            ("METAL_API_URL", self.url()),
            ("METAL_API_HMAC", self.admin_key.clone()),
            ("METAL_API_HMAC_AUTH_TYPE", "Metal-Admin".to_owned()),
        ]
    }

    /// What goes to stdout at the start, line by line.
    pub fn banner(&self) -> Vec<String> {
        let listening = format!("listening on {}", self.url());
        let exports = self.env().into_iter().map(|(name, value)| format!("export {name}={value}"));
        std::iter::once(listening).chain(exports).collect()
    }

    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// Ends it: hanging calls are cut, the state file is written.
    pub async fn shutdown(mut self) -> Result<(), SaveError> {
        self.stop.send_replace(true);
        if tokio::time::timeout(GRACE, &mut self.server).await.is_err() {
            self.server.abort();
        }
        self.sim.save()
    }
}

impl Deref for Running {
    type Target = Sim;

    fn deref(&self) -> &Sim {
        &self.sim
    }
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    // An error says that the sender is gone: then it has stopped, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn respond(
    State(service): State<Service>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: axum::extract::Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let (method, path, query) = (parts.method.as_str(), parts.uri.path(), parts.uri.query().unwrap_or_default());
    if path == control::PREFIX || path.starts_with("/_sim/") {
        let reply = control::control(&service.sim, method, path, query, &body);
        return json(&service.sim, reply.status, reply.body);
    }
    let request = read(method, path, query, &parts.headers, body.to_vec());
    let sim = service.sim.clone();
    // A task of its own: the effect happens even when the caller hangs up while it is delayed.
    let call = tokio::spawn(async move {
        match sim.arrive(&request) {
            Arrival::Ended(ending) => ending,
            Arrival::Handle { after, silence } => {
                if !after.is_zero() {
                    tokio::time::sleep(after).await;
                }
                sim.handle(&request, silence, Timestamp::now())
            }
        }
    });
    match call.await.unwrap_or(Ending::Close) {
        Ending::Answer(reply) => json(&service.sim, reply.status, reply.body),
        Ending::Close => cut(&cutter),
        Ending::Hang => {
            wait(service.stop).await;
            cut(&cutter)
        }
    }
}

fn read(method: &str, path: &str, query: &str, headers: &HeaderMap, body: Vec<u8>) -> Request {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        authorization: header("authorization"),
        date: header("x-date"),
        salt: header("x-data-salt"),
        content_type: header("content-type"),
        accept: header("accept"),
        body,
    }
}

/// With the simulator's own time as `Date`: the ages of what it holds are by that clock.
fn json(sim: &Sim, status: u16, body: Vec<u8>) -> Response<Body> {
    let mut response = plain(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    *response.body_mut() = Body::from(body);
    let date = sim.clock().now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut set = |name: HeaderName, value: Result<HeaderValue, _>| {
        if let Ok(value) = value {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, HeaderValue::from_str("application/json"));
    set(header::DATE, HeaderValue::from_str(&date));
    response
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Nothing of this response reaches the caller: the connection ends instead.
fn cut(cutter: &Cutter) -> Response<Body> {
    cutter.cut();
    plain(StatusCode::OK)
}

#[cfg(test)]
mod tests;
