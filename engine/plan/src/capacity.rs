//! Whether metal-api has the machines that the clusters want. It is told and stops nothing: Cluster API and the provider
//! wait for machines by themselves.

use crate::{ClusterPlan, Note, Plan, Step};
use model::metal::{Capacity, Machine};
use model::want::{Effective, MachineSpec, Wanted, input_digests};
use model::{ClusterId, Digest, Have, ImageId, PartitionId, ProjectId, Reason, SizeId, Slot, Want, tags};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// Machines of one size in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CapacityLine {
    pub partition: PartitionId,
    pub size: SizeId,
    /// Beyond what is allocated already: replicas, and what a rollout takes for a while.
    pub need: u32,
    pub free: u32,
    /// What the policy wants to stay free.
    pub reserve: u32,
    /// Whose machines are short, in the order in which they would be served.
    pub waiting: Vec<ClusterId>,
}

/// What Cluster API's KubeadmControlPlane takes beside its replicas while it replaces them.
const CONTROL_PLANE_SURGE: u32 = 1;

/// Who is served first: without firewall no node comes up, without control plane no worker joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Firewall,
    ControlPlane,
    Pools,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Firewall => "firewall",
            Self::ControlPlane => "control plane",
            Self::Pools => "pools",
        })
    }
}

/// What one cluster still needs of one size.
struct Need<'a> {
    role: Role,
    cluster: &'a ClusterId,
    project: &'a ProjectId,
    partition: &'a PartitionId,
    size: &'a SizeId,
    machines: u32,
    reserve: u32,
}

/// Fills in the lines of the plan, and a note for each cluster whose machines are short.
pub(crate) fn tell(want: &Want, have: &Have, plan: &mut Plan) {
    let is_known = |project: &ProjectId| {
        have.complete_for(project)
            && !plan.suspect.contains_key(project)
            && have.projects.get(project).is_some_and(|had| had.capacity.is_some())
    };
    let machines = by_cluster(have);
    let mut needs: Vec<Need<'_>> = Vec::new();
    for (id, wanted) in &want.clusters {
        let Some(cluster) = plan.clusters.get(id).filter(|cluster| cluster.blocked.is_none()) else { continue };
        if is_known(&wanted.identity.project) {
            let had = machines.get(id.to_string().as_str()).map(Vec::as_slice).unwrap_or_default();
            needs.extend(needs_of(wanted, cluster, had));
        }
    }
    needs.sort_by(|a, b| (a.role, a.cluster).cmp(&(b.role, b.cluster)));
    let (lines, short) = serve(&needs, have);
    plan.capacity = lines;
    for (id, note) in short {
        plan.clusters.entry(id).and_modify(|cluster| cluster.notes.push(note));
    }
}

/// Machines by the cluster that they are tagged for.
fn by_cluster(have: &Have) -> HashMap<&str, Vec<&Machine>> {
    let mut all: HashMap<&str, Vec<&Machine>> = HashMap::new();
    for machine in have.projects.values().flat_map(|had| &had.machines) {
        if let Some(cluster) = machine.tags.cluster() {
            all.entry(cluster).or_default().push(machine);
        }
    }
    all
}

fn needs_of<'a>(wanted: &'a Wanted, plan: &ClusterPlan, had: &[&Machine]) -> Vec<Need<'a>> {
    let effective: &'a Effective = &wanted.effective;
    let replaced = replaced(wanted);
    let is_control_plane = |machine: &Machine| machine.tags.has(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
    let need = |role, size: &'a SizeId, machines: u32, reserve: u32| Need {
        role,
        cluster: &wanted.id,
        project: &wanted.identity.project,
        partition: &wanted.identity.partition,
        size,
        machines,
        reserve,
    };
    let mut needs = Vec::new();
    let allocates = |step: &&Step| matches!(step, Step::Allocate { slot: Slot::Firewall(_), .. });
    let firewalls = plan.steps.iter().filter(allocates).count();
    if firewalls > 0 {
        let machines = u32::try_from(firewalls).unwrap_or(u32::MAX);
        needs.push(need(Role::Firewall, &effective.firewall.size.value, machines, 0));
    }

    let MachineSpec { replicas, size, image, reserve } = &effective.control_plane;
    let present = || had.iter().filter(|m| is_control_plane(m) && m.size == size.value);
    let is_replaced = replaced.contains(&"controlPlane".to_owned()) || present().any(|m| m.image != image.id);
    let surge = if is_replaced { CONTROL_PLANE_SURGE } else { 0 };
    let machines = missing(replicas.value.saturating_add(surge), present().count());
    needs.push(need(Role::ControlPlane, &size.value, machines, *reserve));

    // Which pool a machine is of does not stand in metal-api: those of one size are counted together.
    let mut sizes: BTreeMap<&'a SizeId, OfSize<'_>> = BTreeMap::new();
    for pool in &effective.pools {
        let MachineSpec { replicas, size, image, reserve } = &pool.machines;
        let of = sizes.entry(&size.value).or_default();
        let replicas = pool.autoscale.map_or(replicas.value, |scale| scale.min);
        of.wanted = of.wanted.saturating_add(replicas);
        if replaced.contains(&format!("pool.{}", pool.name)) {
            of.wanted = of.wanted.saturating_add(pool.max_surge.value);
        } else {
            of.surge = of.surge.max(pool.max_surge.value);
        }
        of.reserve = of.reserve.max(*reserve);
        of.images.push(&image.id);
    }
    for (size, of) in sizes {
        let present = || had.iter().filter(|m| !is_control_plane(m) && m.size == *size);
        let is_under_way = present().any(|m| !of.images.contains(&&m.image));
        let wanted = of.wanted.saturating_add(if is_under_way { of.surge } else { 0 });
        needs.push(need(Role::Pools, size, missing(wanted, present().count()), of.reserve));
    }
    needs
}

/// The pools of one size.
#[derive(Default)]
struct OfSize<'a> {
    /// With what pools that are made anew take for a while.
    wanted: u32,
    reserve: u32,
    images: Vec<&'a ImageId>,
    /// What a rollout takes that is under way.
    surge: u32,
}

fn missing(wanted: u32, present: usize) -> u32 {
    wanted.saturating_sub(u32::try_from(present).unwrap_or(u32::MAX))
}

/// The objects that this tree makes anew, by the keys of the lock's `rendered`.
fn replaced(wanted: &Wanted) -> Vec<String> {
    // What people wrote is digested as a whole: the parts matter only where that changed.
    let Some(lock) = wanted.lock.as_deref().filter(|lock| lock.source.digest != wanted.digest) else {
        return Vec::new();
    };
    let now = input_digests(wanted.id.name(), &wanted.effective, &lock.values);
    let differs =
        |(key, digest): (String, Digest)| lock.rendered.get(&key).is_some_and(|was| *was != digest).then_some(key);
    now.into_iter().filter_map(differs).collect()
}

/// One after the other takes from what is free; who comes too late waits.
fn serve(needs: &[Need<'_>], have: &Have) -> (Vec<CapacityLine>, Vec<(ClusterId, Note)>) {
    let mut lines: BTreeMap<(&PartitionId, &SizeId), CapacityLine> = BTreeMap::new();
    let mut taken: HashMap<(&PartitionId, &SizeId), u32> = HashMap::new();
    let mut short = Vec::new();
    for need in needs {
        let Need { role, cluster, project, partition, size, machines, reserve } = need;
        let free = free_of(have, project, partition, size);
        let taken = taken.entry((partition, size)).or_default();
        let left = free.saturating_sub(*taken).saturating_sub(*reserve);
        *taken = taken.saturating_add((*machines).min(left));
        let line = lines.entry((partition, size)).or_insert_with(|| CapacityLine {
            partition: (*partition).clone(),
            size: (*size).clone(),
            need: 0,
            free,
            reserve: *reserve,
            waiting: Vec::new(),
        });
        line.need = line.need.saturating_add(*machines);
        // Reservations make the number differ between projects.
        (line.free, line.reserve) = (line.free.max(free), line.reserve.max(*reserve));
        if *machines <= left {
            continue;
        }
        if !line.waiting.contains(cluster) {
            line.waiting.push((*cluster).clone());
        }
        let kept = if *reserve > 0 { format!(", {reserve} of which the policy reserves") } else { String::new() };
        let message = format!(
            "{role}: {machines} more of size `{size}` are needed in partition `{partition}`, and {left} can be had \
             ({free} free{kept})"
        );
        short.push(((*cluster).clone(), Note::new(Reason::WaitingForCapacity, message)));
    }
    (lines.into_values().collect(), short)
}

/// What the project can allocate; metal-api names no size of which a partition has no machine.
fn free_of(have: &Have, project: &ProjectId, partition: &PartitionId, size: &SizeId) -> u32 {
    let known = have.projects.get(project).and_then(|had| had.capacity.as_deref()).unwrap_or_default();
    let of = |capacity: &&Capacity| capacity.partition == *partition && capacity.size == *size;
    known.iter().find(of).map_or(0, |capacity| capacity.free)
}
