//! The edge: asks the API server, the metal-apis, and the endpoints of clusters. Writes nothing.

mod clusters;
mod metal;
mod plane;
mod rights;

use super::Metal;
use super::facts::{Facts, Read, Release, Unread};
use crate::kube::{self, Server};
use crate::wiring::SystemClock;
use model::Clock as _;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Requests and connections at the same time.
const PARALLEL: usize = 16;

pub(super) async fn facts(server: &Server, wanted: Option<&Metal>) -> Facts {
    let version = server.client.apiserver_version().await;
    let plane = match &version {
        // Who may not ask for the version may still ask for the rest.
        Ok(_) | Err(::kube::Error::Api(_)) => Some(plane::plane(server).await),
        Err(_) => None,
    };
    let clusters = plane.as_ref().map_or(&[][..], |plane| plane.clusters.as_deref().unwrap_or_default());
    let metals = metal::metals(server, plane.is_some(), wanted, clusters).await;
    let version = read(version).and_then(|info| {
        let text = info.git_version;
        let unknown = || Unread { forbidden: false, why: format!("its version is `{text}`") };
        Release::parse(&text).ok_or_else(unknown)
    });
    Facts { now: SystemClock.now(), url: server.url.clone(), version, plane, metals }
}

fn read<T>(answer: ::kube::Result<T>) -> Read<T> {
    answer.map_err(|error| Unread { forbidden: kube::is_forbidden(&error), why: kube::said(&error) })
}

/// A kind that is not there has no objects.
fn read_all<T>(answer: ::kube::Result<Vec<T>>) -> Read<Vec<T>> {
    match answer {
        Err(error) if kube::is_missing(&error) => Ok(Vec::new()),
        answer => read(answer),
    }
}

/// One answer per question, in any order, some at a time.
async fn each<Q, A, F>(questions: impl IntoIterator<Item = Q>, ask: impl Fn(Q) -> F) -> Vec<A>
where
    A: Send + 'static,
    F: Future<Output = A> + Send + 'static,
{
    let limit = Arc::new(Semaphore::new(PARALLEL));
    let mut tasks = JoinSet::new();
    for question in questions {
        let (limit, answer) = (limit.clone(), ask(question));
        tasks.spawn(async move {
            // Never closed.
            let _turn = limit.acquire_owned().await;
            answer.await
        });
    }
    tasks.join_all().await
}
