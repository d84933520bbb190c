//! Which waiting machine it becomes (check 16): reservations, then racks, then chance.

use super::spec::Spec;
use crate::{
    refusal::Refusal,
    world::{MachineRow, World},
};
use std::collections::BTreeMap;

pub(super) fn elect(world: &mut World, spec: &Spec) -> Result<String, Refusal> {
    if let Some(uuid) = &spec.uuid {
        let row = world.machine(uuid)?;
        return match row.wire.allocation {
            Some(_) => Err(Refusal::unprocessable("machine is already allocated")),
            None => Ok(uuid.clone()),
        };
    }
    let none = || Refusal::unprocessable("no machine available");
    let terms = [format!("candidate={}/{}", spec.partition, spec.size)];
    let candidates: Vec<&MachineRow> = world.machines.with_terms(&terms).collect();
    if candidates.is_empty() || !admitted(world, spec, candidates.len()) {
        return Err(none());
    }
    let racks = racks(world, spec, &candidates);
    let mut ids: Vec<String> =
        candidates.into_iter().filter(|row| racks.contains(&row.wire.rackid)).map(|row| row.wire.id.clone()).collect();
    let chosen = world.rng.choice(0..ids.len()).ok_or_else(none)?;
    Ok(ids.swap_remove(chosen))
}

/// Machines that other projects reserved and do not use yet are not given away.
fn admitted(world: &World, spec: &Spec, candidates: usize) -> bool {
    let mut unused_of_others = 0;
    for (project, unused) in unused_reservations(world, &spec.partition, &spec.size) {
        if project == spec.project && unused > 0 {
            return true;
        }
        unused_of_others += unused;
    }
    unused_of_others < candidates
}

/// Per reserving project, what its machines do not use of its reservations.
pub(in crate::api) fn unused_reservations(world: &World, partition: &str, size: &str) -> BTreeMap<String, usize> {
    reservations(world, partition, size).into_iter().map(|(project, (amount, used))| (project, amount - used)).collect()
}

/// Per reserving project: amount, and how much of it is used.
pub(in crate::api) fn reservations(world: &World, partition: &str, size: &str) -> BTreeMap<String, (usize, usize)> {
    let mut reserved: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for reservation in &world.catalog.reservations {
        if reservation.size == size && reservation.partitions.iter().any(|known| known == partition) {
            reserved.entry(reservation.project.clone()).or_default().0 += reservation.amount as usize;
        }
    }
    for (project, (amount, used)) in &mut reserved {
        let terms = [format!("project={project}"), format!("kind={partition}/{size}")];
        *used = world.machines.with_terms(&terms).count().min(*amount);
    }
    reserved
}

/// The racks with the fewest of the project's machines of this role, among them those with the fewest that share a
/// placement tag; where the two exclude each other, the latter.
fn racks(world: &World, spec: &Spec, candidates: &[&MachineRow]) -> Vec<String> {
    let terms = [format!("project={}", spec.project), format!("partition={}", spec.partition)];
    let zero: BTreeMap<&str, usize> = candidates.iter().map(|row| (row.wire.rackid.as_str(), 0)).collect();
    let (mut by_role, mut by_tag) = (zero.clone(), zero);
    for row in world.machines.with_terms(&terms) {
        let rack = row.wire.rackid.as_str();
        let shares_tag = spec.placement_tags.iter().any(|tag| row.wire.tags.contains(tag));
        if row.role() == Some(spec.role) {
            by_role.entry(rack).and_modify(|count| *count += 1);
        }
        if shares_tag {
            by_tag.entry(rack).and_modify(|count| *count += 1);
        }
    }
    let fewest = |counts: &BTreeMap<&str, usize>| -> Vec<String> {
        let least = counts.values().min().copied().unwrap_or_default();
        counts.iter().filter(|(_, count)| **count == least).map(|(rack, _)| (*rack).to_owned()).collect()
    };
    let (by_role, by_tag) = (fewest(&by_role), fewest(&by_tag));
    let both: Vec<String> = by_tag.iter().filter(|rack| by_role.contains(rack)).cloned().collect();
    if both.is_empty() { by_tag } else { both }
}
