//! A reading made current for a few clusters: what names them is found by tag, instead of listing whole projects again.

use super::{OPEN_MAX, sort, why};
use crate::{Metal, Result};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use model::metal::{Gap, GapReason, Ip, Machine, MachineRole, Network};
use model::{ClusterId, Have, ProjectId, Tags, Timestamp, tags};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What one find brought.
enum Found {
    Networks(Vec<Network>),
    Ips(Vec<Ip>),
    Firewalls(Vec<Machine>),
}

type Answer<'a> = BoxFuture<'a, (&'a ProjectId, Result<Found, Gap>)>;

/// The reading with everything that names these clusters read again. `deadline` is for the whole; what does not answer
/// is a gap of its project. Machines are not read again: only whole lists know which of them live in a network.
pub async fn refresh<M: Metal>(
    metal: &M,
    have: &Have,
    clusters: &[(ProjectId, ClusterId)],
    now: Timestamp,
    deadline: Duration,
) -> Have {
    let until = Instant::now() + deadline;
    let mut have = Have { read_at: Some(now), ..have.clone() };
    let calls: Vec<_> = clusters.iter().flat_map(|(project, cluster)| finds(metal, project, cluster, until)).collect();
    for (project, cluster) in clusters {
        forget(&mut have, project, &cluster.to_string());
    }
    let mut answers = stream::iter(calls).buffer_unordered(OPEN_MAX);
    while let Some((project, answer)) = answers.next().await {
        match answer {
            Ok(found) => add(&mut have, project, found),
            Err(gap) => have.gaps.push(gap),
        }
    }
    sort(&mut have);
    have.server_time = metal.server_time();
    have
}

/// Every key under which a resource may name its cluster.
fn finds<'a, M: Metal>(metal: &'a M, project: &'a ProjectId, cluster: &ClusterId, until: Instant) -> Vec<Answer<'a>> {
    let tagged = |key| Tags::new().with(key, cluster);
    let (labels, firewalls) = (tagged(tags::CLUSTER_ID), tagged(tags::CLUSTER_RESOURCE));
    let networks = async move { metal.networks(project, &labels).await.map(Found::Networks) };
    let machines =
        async move { metal.machines(project, Some(MachineRole::Firewall), &firewalls).await.map(Found::Firewalls) };
    let mut calls = vec![ask(project, "networks", until, networks), ask(project, "firewalls", until, machines)];
    for key in [tags::CLUSTER_RESOURCE, tags::CLUSTER_ID, tags::EGRESS] {
        let wanted = tagged(key);
        let ips = async move { metal.ips(project, &wanted).await.map(Found::Ips) };
        calls.push(ask(project, "ips", until, ips));
    }
    calls
}

fn ask<'a>(
    project: &'a ProjectId,
    kind: &'static str,
    until: Instant,
    call: impl Future<Output = Result<Found>> + Send + 'a,
) -> Answer<'a> {
    let gap = move |why, message| Gap { project: Some(project.clone()), kind, why, message };
    async move {
        let answer = match timeout_at(until, call).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(gap(why(&error), error.to_string())),
            Err(_) => Err(gap(GapReason::Unreachable, format!("metal-api did not answer in time ({kind})"))),
        };
        (project, answer)
    }
    .boxed()
}

/// What named the cluster may be gone by now.
fn forget(have: &mut Have, project: &ProjectId, cluster: &str) {
    let Some(had) = have.projects.get_mut(project) else { return };
    let other = |tags: &Tags| tags.cluster() != Some(cluster);
    had.networks.retain(|n| other(&n.labels));
    had.ips.retain(|ip| other(&ip.tags));
    had.firewalls.retain(|m| other(&m.tags));
}

fn add(have: &mut Have, project: &ProjectId, found: Found) {
    let had = have.projects.entry(project.clone()).or_default();
    match found {
        Found::Networks(list) => put(&mut had.networks, list, |a, b| a.id == b.id),
        Found::Ips(list) => put(&mut had.ips, list, |a, b| a.address == b.address),
        Found::Firewalls(list) => put(&mut had.firewalls, list, |a, b| a.id == b.id),
    }
}

/// Adds what is found, in the place of what was there under the same id.
fn put<T>(had: &mut Vec<T>, found: Vec<T>, same: impl Fn(&T, &T) -> bool) {
    for one in found {
        had.retain(|other| !same(other, &one));
        had.push(one);
    }
}
