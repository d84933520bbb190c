//! The end of a machine: freed by proof, then the object goes. It needs nothing but the object and metal-api. Pure.

use super::Action;
use super::decide::{Decided, failure, unsettled};
use super::observed::{Observed, Reach, Room};
use super::report;
use super::request::Refusal;
use crate::control::server;
use crate::names;
use crate::reason::Reason;
use crate::step::{Decision, Rest, passed};
use model::metal::{Machine, MachineState};
use model::{MachineId, Tags, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn delete(o: &Observed, now: Timestamp) -> Decided {
    if !o.has_finalizer() {
        return Decision::leave();
    }
    let id = o.provider_id().and_then(server);
    if o.is_adopted() && o.attempt().is_none() {
        return Decision::act(Action::RemoveFinalizer);
    }
    // It is freed, and only time is left to wait for.
    let converging = report::converging_since(o, now);
    let is_over = |since| passed(since, now, o.rules.control_plane_grace);
    if o.is_control_plane() && converging.is_some_and(|since| !is_over(since)) {
        return converge(o, now);
    }
    if let Some(wait) = o.memory.must_wait(now) {
        return report::deleting(o, failure(o), Rest::After(wait), now);
    }
    let begun = id.is_none() && o.attempt().is_some();
    if begun && !o.memory.attempt_is_mine && o.memory.unsettled_since.is_none() {
        return Decision::act(Action::NoteAttempt);
    }
    if o.rooms.is_empty() && o.may_have_machine() {
        let message = format!(
            "nothing says in which project of metal-stack the machine is; annotate the object with {}=<project id>",
            names::PROJECT
        );
        return report::deleting(o, Refusal::new(Reason::ProjectUnknown, message), Rest::Change, now);
    }
    let mut allocated = id.is_some();
    for room in &o.rooms {
        match empty(o, room, id.as_ref(), now) {
            Ok(had) => allocated |= had,
            Err(decided) => return *decided,
        }
    }
    if report::says(o, Reason::LeftBehind).is_some() {
        return Decision::act(Action::RemoveFinalizer);
    }
    if allocated && o.is_control_plane() && converging.is_none() {
        return converge(o, now);
    }
    if let Some(refusal) = left_behind(o) {
        return report::deleting(o, refusal, Rest::Soon, now);
    }
    Decision::act(Action::RemoveFinalizer)
}

/// A step on the way to a project without a machine of this object; else whether it had one.
fn empty(o: &Observed, room: &Room, id: Option<&MachineId>, now: Timestamp) -> Result<bool, Box<Decided>> {
    let is_optional = !o.may_have_machine() || report::converging_since(o, now).is_some();
    if is_optional && !matches!(room.reach, Reach::Open { .. }) {
        return Ok(false);
    }
    let wait = |refusal| Err(Box::new(report::deleting(o, refusal, Rest::Interval, now)));
    let act = |action| Err(Box::new(Decision::act(action)));
    let mine = match &room.reach {
        Reach::Closed(failure) => return wait(Refusal::new(failure.reason, failure.message.clone())),
        Reach::Suspect(why) => return wait(Refusal::new(Reason::Suspect, why.clone())),
        Reach::Open { mine, .. } => mine,
    };
    if let Some(id) = id.filter(|id| !room.looked.contains_key(*id)) {
        return act(Action::Look { project: room.project.clone(), id: id.clone() });
    }
    if id.is_none() && room.searched.is_none() {
        return act(Action::Search { project: room.project.clone(), control_planes: false });
    }
    let ours = there(room, mine).into_values().filter(|machine| o.frees(machine, &room.project));
    let (locked, free): (Vec<_>, Vec<_>) = ours.partition(|machine| machine.state == MachineState::Locked);
    if let Some(machine) = free.first() {
        return act(free_of(o, room, machine));
    }
    if let Some(machine) = locked.first() {
        return wait(unlock(machine));
    }
    let had = room.searched.iter().flat_map(|search| &search.mine).any(|machine| o.frees(machine, &room.project));
    let unfinished = room.searched.as_ref().filter(|_| !had).and_then(|search| unsettled(o, search, now));
    if let Some(left) = unfinished {
        let message = "an allocation may still be under way; what comes of it is freed";
        let refusal = Refusal::new(Reason::WaitingForUnknownOutcome, message);
        return Err(Box::new(report::deleting(o, refusal, Rest::After(left), now)));
    }
    Ok(had)
}

/// What is there, as far as this pass knows.
fn there<'a>(room: &'a Room, mine: &'a [Arc<Machine>]) -> BTreeMap<&'a MachineId, &'a Arc<Machine>> {
    let searched = room.searched.iter().flat_map(|search| &search.mine);
    let mut all: BTreeMap<_, _> = mine.iter().chain(searched).map(|machine| (&machine.id, machine)).collect();
    for (id, looked) in &room.looked {
        match looked {
            Some(machine) => all.insert(id, machine),
            None => all.remove(id),
        };
    }
    all
}

/// What the object names, or what says that it is the object's, and is not freed with it: a person must hear of it.
fn left_behind(o: &Observed) -> Option<Refusal> {
    let of_room = |room: &Room| {
        let left = there(room, &[]).into_values().filter(|machine| o.leaves(machine, &room.project));
        left.map(|machine| machine.id.to_string()).collect::<Vec<_>>()
    };
    let ids: Vec<String> = o.rooms.iter().flat_map(of_room).collect();
    (!ids.is_empty()).then(|| {
        let message = format!(
            "{} stays allocated: nothing proves that it was allocated for this object; look whose it is, and free it with \
             metalctl machine delete when nobody uses it",
            ids.join(" and ")
        );
        Refusal::new(Reason::LeftBehind, message)
    })
}

pub(super) fn free_of(o: &Observed, room: &Room, machine: &Machine) -> Action {
    let proof = o.own_tag(machine).into_iter().fold(Tags::new(), |proof, (key, value)| proof.with(key, value));
    Action::Free {
        project: room.project.clone(),
        id: machine.id.clone(),
        allocation: machine.allocation.clone(),
        proof,
    }
}

fn unlock(machine: &Machine) -> Refusal {
    let why = match machine.state_description.as_str() {
        "" => String::new(),
        why => format!(" ({why})"),
    };
    let mend = format!("unlock it with metalctl machine unlock {}", machine.id);
    Refusal::new(Reason::MachineLocked, format!("machine {} is locked{why} and cannot be freed; {mend}", machine.id))
}

/// The routes to a control plane outlive its server for a while (R22).
fn converge(o: &Observed, now: Timestamp) -> Decided {
    let grace = o.rules.control_plane_grace;
    let gone = report::converging_since(o, now)
        .map_or(Duration::ZERO, |s| Duration::try_from(now.duration_since(s)).unwrap_or_default());
    let message = "the server is freed; the object goes when routes to it are gone everywhere";
    let refusal = Refusal::new(Reason::WaitingForRouteConvergence, message);
    report::deleting(o, refusal, Rest::After(grace.saturating_sub(gone)), now)
}
