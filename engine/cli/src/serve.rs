//! The HTTP server of a lasting process: health, readiness, metrics, control. Nothing listens unless it was asked for.

mod control;
mod health;
mod metrics;

pub(crate) use metrics::MetalCounters;

use crate::fleets::Handle;
use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What requests may see and do. Clones are the same server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    fleets: Arc<[Handle]>,
    metal: Arc<MetalCounters>,
    paused: Arc<watch::Sender<bool>>,
    /// Nothing is written anywhere.
    observing: bool,
    /// Read again at each request that needs it, so that a rotated token is taken up.
    token_file: Option<PathBuf>,
    /// The Cluster API provider, where this process is one.
    provider: Option<provider::Telemetry>,
}

impl Server {
    pub(crate) fn new(
        fleets: Arc<[Handle]>,
        metal: Arc<MetalCounters>,
        paused: Arc<watch::Sender<bool>>,
        token_file: Option<PathBuf>,
    ) -> Self {
        Self { fleets, metal, paused, observing: false, token_file, provider: None }
    }

    pub(crate) fn observing(self, observing: bool) -> Self {
        Self { observing, ..self }
    }

    pub(crate) fn with_provider(self, provider: provider::Telemetry) -> Self {
        Self { provider: Some(provider), ..self }
    }
}

/// Serves until `stop`. The address is logged, for whoever asked for port 0.
pub(crate) async fn start(
    address: SocketAddr,
    server: Server,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "listening");
    let service = router(server).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(crate::life::asked_to_end(stop));
    Ok(tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the server ended");
        }
    }))
}

fn router(server: Server) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/reconcile", post(control::reconcile))
        .route("/pause", post(control::pause))
        .route("/resume", post(control::resume))
        .with_state(server)
}

async fn ready(State(server): State<Server>) -> (StatusCode, String) {
    // Whoever paused it knows that no turn ends; the metrics say so.
    if *server.paused.borrow() {
        return (StatusCode::OK, "paused\n".to_owned());
    }
    let mut stuck = health::stuck(&server.fleets, model::Timestamp::now());
    stuck.extend(server.provider.as_ref().and_then(provider::Telemetry::unready).map(str::to_owned));
    if stuck.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, stuck.join("\n") + "\n")
}

async fn metrics(State(server): State<Server>) -> impl IntoResponse {
    let process = metrics::Process {
        metal: &server.metal,
        paused: *server.paused.borrow(),
        observing: server.observing,
        provider: server.provider.as_ref(),
    };
    let text = metrics::text(&server.fleets, process, model::Timestamp::now());
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}

#[cfg(test)]
mod tests;
