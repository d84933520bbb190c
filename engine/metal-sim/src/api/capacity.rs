//! What a partition still has, per size.

use super::{Answer, Ctx, Reply, allocate, issues};
use crate::{
    events::{self, EventKind},
    refusal::Refusal,
    world::World,
};
use metal_api::wire::{CapacityQuery, Partition, PartitionCapacity, ServerCapacity};

pub(super) fn capacity(ctx: &mut Ctx<'_>) -> Answer {
    let request: CapacityQuery = ctx.body()?;
    let world = &*ctx.world;
    if let Some(id) = request.id.as_ref().filter(|id| !world.catalog.partitions.contains_key(*id)) {
        return Err(Refusal::bad_request(format!("NotFound no partition with id {id:?} found")));
    }
    let partitions = world.catalog.partitions.values();
    let wanted = partitions.filter(|partition| request.id.as_ref().is_none_or(|id| *id == partition.id));
    let capacities = wanted.map(|partition| of_partition(world, partition, &request)).collect::<Vec<_>>();
    match request.id {
        Some(_) => Reply::ok(&capacities),
        None => ctx.shuffled(capacities),
    }
}

fn of_partition(world: &World, partition: &Partition, request: &CapacityQuery) -> PartitionCapacity {
    let sizes = world.catalog.sizes.keys().filter(|size| request.sizeid.as_ref().is_none_or(|id| id == *size));
    let project = request.projectid.as_deref();
    let servers = sizes.map(|size| of_size(world, &partition.id, size, project)).filter(|server| server.total > 0);
    PartitionCapacity {
        id: partition.id.clone(),
        name: partition.name.clone(),
        description: partition.description.clone(),
        servers: servers.collect(),
    }
}

fn of_size(world: &World, partition: &str, size: &str, project: Option<&str>) -> ServerCapacity {
    let mut server = ServerCapacity { size: size.to_owned(), ..ServerCapacity::default() };
    let terms = [format!("kind={partition}/{size}")];
    for row in world.machines.with_terms(&terms) {
        server.total += 1;
        match events::state(&row.wire.events) {
            Some(EventKind::PhonedHome) => server.phoned_home += 1,
            Some(EventKind::Waiting) => server.waiting += 1,
            _ => {
                server.other += 1;
                server.othermachines.push(row.wire.id.clone());
            }
        }
        if issues::of(row).next().is_some() {
            server.faulty += 1;
            server.faultymachines.push(row.wire.id.clone());
        }
        if row.wire.allocation.is_some() {
            server.allocated += 1;
        } else if row.is_candidate() {
            server.allocatable += 1;
        } else {
            server.unavailable += 1;
        }
    }
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut kept = 0;
    for (owner, (amount, used)) in allocate::reservations(world, partition, size) {
        server.reservations += count(amount);
        server.usedreservations += count(used);
        if project != Some(owner.as_str()) {
            kept += count(amount - used);
        }
    }
    server.remainingreservations = server.reservations - server.usedreservations;
    server.free = server.allocatable.saturating_sub(kept);
    server
}
