//! One reading of metal-api: every project and kind once, at the same time, within one deadline. It never fails: what
//! did not answer is a gap (I6).

mod cache;
mod refresh;

pub use cache::HaveCache;
pub use refresh::refresh;

use crate::{Error, Metal, Result};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use model::metal::{Capacity, Gap, GapReason, Image, Ip, Machine, MachineRole, Network};
use model::{Have, PartitionId, ProjectId, SizeId, Tags, Timestamp};
use std::{future::Future, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Lists open at once. A hung one holds its place for no longer than the deadline, which all of them share.
const OPEN_MAX: usize = 64;

/// One answer of a gather.
enum Part {
    Project(ProjectId),
    Networks(ProjectId, Vec<Network>),
    Ips(ProjectId, Vec<Ip>),
    Machines(ProjectId, Vec<Machine>),
    Capacity(ProjectId, Vec<Capacity>),
    SharedNetworks(Vec<Network>),
    Images(Vec<Image>),
    Sizes(Vec<SizeId>),
    Partitions(Vec<PartitionId>),
}

/// What has not answered by then is a gap.
pub const GATHER_DEADLINE: Duration = Duration::from_secs(5);

/// Reads what the projects have and what they share. `now` is when it is read; `deadline` is for the whole,
/// [`GATHER_DEADLINE`] but in tests.
pub async fn gather<M: Metal>(metal: &M, projects: &[ProjectId], now: Timestamp, deadline: Duration) -> Have {
    let until = Instant::now() + deadline;
    let mut calls = shared(metal, until);
    for project in projects {
        calls.extend(of_project(metal, project, until));
    }
    let mut have = Have { read_at: Some(now), ..Have::default() };
    let mut answers = stream::iter(calls).buffer_unordered(OPEN_MAX);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(part) => add(&mut have, part),
            Err(gap) => have.gaps.push(gap),
        }
    }
    sort(&mut have);
    have.server_time = metal.server_time();
    have
}

type Answer<'a> = BoxFuture<'a, Result<Part, Gap>>;

fn shared<M: Metal>(metal: &M, until: Instant) -> Vec<Answer<'_>> {
    vec![
        ask(None, "networks", until, metal.shared_networks(), Part::SharedNetworks),
        ask(None, "images", until, metal.images(), Part::Images),
        ask(None, "sizes", until, metal.sizes(), Part::Sizes),
        ask(None, "partitions", until, metal.partitions(), Part::Partitions),
    ]
}

fn of_project<'a, M: Metal>(metal: &'a M, project: &'a ProjectId, until: Instant) -> Vec<Answer<'a>> {
    let known = move |_| Part::Project(project.clone());
    let networks = async { metal.networks(project, &Tags::new()).await };
    let ips = async { metal.ips(project, &Tags::new()).await };
    // Firewalls are machines: one list has both, and each list costs the server a scan of all machines.
    let machines = async { metal.machines(project, None, &Tags::new()).await };
    let capacity = metal.capacity(project);
    vec![
        ask(Some(project), "project", until, metal.project(project), known),
        ask(Some(project), "networks", until, networks, move |list| Part::Networks(project.clone(), list)),
        ask(Some(project), "ips", until, ips, move |list| Part::Ips(project.clone(), list)),
        ask(Some(project), "machines", until, machines, move |list| Part::Machines(project.clone(), list)),
        ask(Some(project), Gap::CAPACITY, until, capacity, move |list| Part::Capacity(project.clone(), list)),
    ]
}

/// One call with its deadline, as a part or as a gap.
fn ask<'a, T: 'a>(
    project: Option<&'a ProjectId>,
    kind: &'static str,
    until: Instant,
    call: impl Future<Output = Result<T>> + Send + 'a,
    part: impl FnOnce(T) -> Part + Send + 'a,
) -> Answer<'a> {
    let gap = move |why, message| Gap { project: project.cloned(), kind, why, message };
    async move {
        match timeout_at(until, call).await {
            Ok(Ok(answer)) => Ok(part(answer)),
            Ok(Err(error)) => Err(gap(why(&error), error.to_string())),
            Err(_) => Err(gap(GapReason::Unreachable, format!("metal-api did not answer in time ({kind})"))),
        }
    }
    .boxed()
}

fn why(error: &Error) -> GapReason {
    match error {
        Error::Denied { .. } | Error::Outside { .. } | Error::ReadOnly { .. } => GapReason::Denied,
        Error::NotFound { .. } => GapReason::Unknown,
        Error::Unreachable { .. } | Error::Busy { .. } => GapReason::Unreachable,
        Error::Conflict { .. }
        | Error::Invalid { .. }
        | Error::Exhausted { .. }
        | Error::InUse { .. }
        | Error::Unknown { .. }
        | Error::Malformed { .. } => GapReason::Failed,
    }
}

fn add(have: &mut Have, part: Part) {
    match part {
        Part::Project(project) => {
            have.projects.entry(project).or_default();
        }
        Part::Networks(project, list) => have.projects.entry(project).or_default().networks = list,
        Part::Ips(project, list) => have.projects.entry(project).or_default().ips = list,
        Part::Machines(project, list) => {
            let (firewalls, machines) = list.into_iter().partition(|m| m.role == MachineRole::Firewall);
            let of = have.projects.entry(project).or_default();
            (of.firewalls, of.machines) = (firewalls, machines);
        }
        Part::Capacity(project, list) => have.projects.entry(project).or_default().capacity = Some(list),
        Part::SharedNetworks(list) => have.shared_networks = list.into_iter().map(|n| (n.id.clone(), n)).collect(),
        Part::Images(list) => have.images = list,
        Part::Sizes(list) => have.sizes = list.into_iter().collect(),
        Part::Partitions(list) => have.partitions = list.into_iter().collect(),
    }
}

/// metal-api answers in no order; equal readings are equal here.
fn sort(have: &mut Have) {
    for project in have.projects.values_mut() {
        project.networks.sort_by(|a, b| a.id.cmp(&b.id));
        project.ips.sort_by_key(|ip| ip.address);
        project.firewalls.sort_by(|a, b| a.id.cmp(&b.id));
        project.machines.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(list) = &mut project.capacity {
            list.sort_by(|a, b| (&a.partition, &a.size).cmp(&(&b.partition, &b.size)));
        }
    }
    have.images.sort_by(|a, b| a.id.cmp(&b.id));
    have.gaps.sort_by(|a, b| (&a.project, a.kind).cmp(&(&b.project, b.kind)));
}

#[cfg(test)]
mod tests;
