//! What several readings showed: what is missing (R15), what is dead (R4). Lost with the process, and safe to lose (I10).

use crate::committed::{Committed, committed, successor};
use crate::index::{Index, ResourceRef};
use model::metal::Machine;
use model::request::Target;
use model::{Allocation, ClusterId, Have, MachineId, ProjectId, Seconds, Slot, Timestamp, Want};
use std::collections::BTreeMap;
use std::time::Duration;

/// Kept by the engine from reading to reading.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// When the newest reading was made.
    read_at: Option<Timestamp>,
    /// Committed values, and successors of firewalls, that the newest complete reading of their project did not show.
    absences: BTreeMap<(ClusterId, Slot), Absence>,
    /// Firewalls that every reading since had dead.
    deaths: BTreeMap<MachineId, Death>,
    /// When the firewalls that locks name were allocated, for when they are gone.
    allocated: BTreeMap<MachineId, (Allocation, Timestamp)>,
}

#[derive(Clone, Debug)]
struct Absence {
    project: ProjectId,
    target: Target,
    first: Timestamp,
    last: Timestamp,
    /// Two readings an interval apart did not show it.
    is_ripe: bool,
    is_gone: bool,
}

#[derive(Clone, Debug)]
struct Death {
    project: ProjectId,
    allocation: Allocation,
    first: Timestamp,
    last: Timestamp,
}

/// A committed value that is to be asked for by its id, the last proof of its absence. It is found where metal-api has
/// it in this project with the target's allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub cluster: ClusterId,
    pub slot: Slot,
    pub project: ProjectId,
    pub target: Target,
}

impl Watch {
    /// Takes a whole reading of metal-api (never one that was refreshed for a few clusters), made at least `interval`
    /// after the one before where nothing hurries. The same reading twice counts once; projects with gaps count not at
    /// all. Returns what is to be asked for by id; a question without answer comes again with the next reading.
    pub fn see(&mut self, want: &Want, have: &Have, interval: Duration) -> Vec<Question> {
        let Some(now) = have.read_at.filter(|now| self.read_at != Some(*now)) else { return Vec::new() };
        if self.read_at.is_some_and(|last| now < last) {
            // The clock was set back: what was not concluded begins anew.
            self.absences.retain(|_, absence| absence.is_gone);
            self.deaths.clear();
        }
        self.read_at = Some(now);
        let index = Index::new(have);
        self.absences = self.missing(want, &index, now, interval);
        self.deaths = self.dead(have, &index, now, interval);
        self.allocated = self.allocated(want, &index);
        let is_open = |absence: &Absence| absence.is_ripe && !absence.is_gone && absence.last == now;
        let open = self.absences.iter().filter(|(_, absence)| is_open(absence));
        open.map(|((cluster, slot), absence)| Question {
            cluster: cluster.clone(),
            slot: slot.clone(),
            project: absence.project.clone(),
            target: absence.target.clone(),
        })
        .collect()
    }

    /// The answer to a question of the newest reading. What was found is not missing: lists may lag.
    pub fn asked(&mut self, question: &Question, found: bool) {
        let key = (question.cluster.clone(), question.slot.clone());
        let is_asked = |absence: &&mut Absence| absence.is_ripe && absence.target == question.target;
        let Some(absence) = self.absences.get_mut(&key).filter(is_asked) else { return };
        if found {
            self.absences.remove(&key);
        } else {
            absence.is_gone = true;
        }
    }

    /// Whether it is concluded that this is gone (R15): absent in two complete readings an interval apart and when it was
    /// asked for by its id, and not seen since.
    pub fn is_gone(&self, cluster: &ClusterId, slot: &Slot, target: &Target) -> bool {
        let absence = self.absences.get(&(cluster.clone(), slot.clone()));
        absence.is_some_and(|absence| absence.is_gone && absence.target == *target)
    }

    /// Whether every reading had this firewall dead, not alive or in a crash loop, for so long (R4).
    pub fn is_dead_for(&self, firewall: &Machine, long: Seconds) -> bool {
        let death = self.deaths.get(&firewall.id).filter(|death| death.allocation == firewall.allocation);
        death.is_some_and(|death| passed(death.first, death.last, Duration::from_secs(long.get().into())))
    }

    /// When a firewall was allocated, as the last reading that showed it said.
    pub fn allocated_at(&self, id: &MachineId, allocation: &Allocation) -> Option<Timestamp> {
        self.allocated.get(id).filter(|(of, _)| of == allocation).map(|(_, created)| *created)
    }

    fn missing(
        &mut self,
        want: &Want,
        index: &Index<'_>,
        now: Timestamp,
        interval: Duration,
    ) -> BTreeMap<(ClusterId, Slot), Absence> {
        let mut before = std::mem::take(&mut self.absences);
        let mut missing = BTreeMap::new();
        for (cluster, project, value) in watched(want) {
            let is_read = index.is_complete(project);
            if is_read && index.get(project, &value.target).is_some() {
                continue;
            }
            let key = (cluster.clone(), value.slot);
            let known = before.remove(&key).filter(|a| a.target == value.target && a.project == *project);
            let absence = match known {
                Some(absence) if is_read => {
                    let is_ripe = absence.is_ripe || absence.first < now && passed(absence.first, now, interval);
                    Absence { last: now, is_ripe, ..absence }
                }
                Some(absence) => absence,
                None if is_read => {
                    let (project, target) = (project.clone(), value.target);
                    Absence { project, target, first: now, last: now, is_ripe: false, is_gone: false }
                }
                None => continue,
            };
            missing.insert(key, absence);
        }
        missing
    }

    /// A gap of several intervals (a pause, a downtime) begins anew.
    fn dead(
        &mut self,
        have: &Have,
        index: &Index<'_>,
        now: Timestamp,
        interval: Duration,
    ) -> BTreeMap<MachineId, Death> {
        let mut before = std::mem::take(&mut self.deaths);
        let mut dead = BTreeMap::new();
        for (project, had) in have.projects.iter().filter(|(project, _)| index.is_complete(project)) {
            for firewall in had.firewalls.iter().filter(|f| is_dead(f)) {
                let unbroken = |d: &Death| d.allocation == firewall.allocation && !passed(d.last, now, 3 * interval);
                let first = before.remove(&firewall.id).filter(unbroken).map_or(now, |d| d.first);
                let (project, allocation) = (project.clone(), firewall.allocation.clone());
                dead.insert(firewall.id.clone(), Death { project, allocation, first, last: now });
            }
        }
        dead.extend(before.into_iter().filter(|(_, death)| !index.is_complete(&death.project)));
        dead
    }

    fn allocated(&mut self, want: &Want, index: &Index<'_>) -> BTreeMap<MachineId, (Allocation, Timestamp)> {
        let mut before = std::mem::take(&mut self.allocated);
        let mut known = BTreeMap::new();
        for (_, project, value) in watched(want) {
            let Target::Machine { id, allocation } = value.target else { continue };
            let target = Target::Machine { id: id.clone(), allocation: allocation.clone() };
            let seen = index.get(project, &target).filter(|resource| resource.is_allocation(&target));
            let created = seen.and_then(ResourceRef::created);
            let remembered = || before.remove(&id).filter(|(of, _)| *of == allocation).map(|(_, created)| created);
            if let Some(created) = created.or_else(remembered) {
                known.insert(id, (allocation, created));
            }
        }
        known
    }
}

/// Whether a firewall is dead as this reading shows it.
pub(crate) fn is_dead(firewall: &Machine) -> bool {
    !firewall.alive || firewall.crash_loop
}

/// Every value of a lock whose cluster is not being deleted, and the successors of firewalls.
fn watched(want: &Want) -> impl Iterator<Item = (&ClusterId, &ProjectId, Committed)> {
    let live = want.clusters.iter().filter_map(|(id, wanted)| Some((id, wanted.lock.as_deref()?)));
    let broken = want.orphan_locks.iter().filter(|(_, orphan)| !orphan.removed).map(|(id, orphan)| (id, &*orphan.lock));
    live.chain(broken).flat_map(|(id, lock)| {
        let values = committed(&lock.values).into_iter().chain(successor(&lock.values));
        values.map(move |value| (id, &lock.identity.project, value))
    })
}

pub(crate) fn passed(since: Timestamp, now: Timestamp, much: Duration) -> bool {
    Duration::try_from(now.duration_since(since)).is_ok_and(|gone| gone >= much)
}
