//! What is done next for one machine. Pure: from what was observed, and the time.

use super::Action;
use super::identity::{NO_ALLOCATION, provider_id};
use super::observed::{Bootstrap, Named, Observed, Reach, Room, Search};
use super::request::{Refusal, wanted};
use super::{delete, report};
use crate::api::MetalStackMachineStatus;
use crate::control::server;
use crate::names;
use crate::reason::Reason;
use crate::step::{Decision, Rest, passed};
use kube::ResourceExt as _;
use model::metal::{Machine, MachineState};
use model::{MachineId, Timestamp, tags};
use std::sync::Arc;
use std::time::Duration;

/// An older one may be in use by now, however that came about: a person decides.
const SPARE_FREED_UNTIL: Duration = Duration::from_secs(60 * 60);

pub(super) type Decided = Decision<Action, MetalStackMachineStatus>;

pub(crate) fn decide(o: &Observed, now: Timestamp) -> Decided {
    if o.is_moved_away() {
        return Decision::leave();
    }
    if o.is_paused() {
        return paused(o, now);
    }
    if o.is_deleted() {
        return delete::delete(o, now);
    }
    let (Some(owner), Some(cluster), Some(infrastructure)) = (&o.owner, &o.cluster, &o.infrastructure) else {
        return Decision::leave();
    };
    if !o.has_finalizer() {
        return Decision::act(Action::AddFinalizer);
    }
    let Some(named) = o.provider_id() else {
        return match wanted(o, owner, cluster, infrastructure) {
            Ok(wanted) => allocate(o, wanted, now),
            Err(refusal) => report::held(o, refusal, Rest::Change, now),
        };
    };
    match (server(named), o.rooms.first()) {
        (Some(id), Some(room)) => watch(o, room, &id, now),
        (None, _) => {
            let what = format!("providerID `{named}` names no machine; it is metal://<partition>/<machine id>");
            report::unread(o, &Refusal::new(Reason::InvalidSpec, what), Rest::Change, now)
        }
        (_, None) => {
            let what = format!("projectID `{}` of the MetalStackCluster is no project", infrastructure.spec.project_id);
            report::unread(o, &Refusal::new(Reason::InvalidSpec, what), Rest::Change, now)
        }
    }
}

/// Nothing is done. Only what we put there to hold up a move goes when nothing is under way any more: `clusterctl` pauses
/// first and waits for that then.
fn paused(o: &Observed, now: Timestamp) -> Decided {
    let rest = |rest| Decision::rest(rest, report::paused(o, now));
    if o.attempt().is_none() || !o.object.annotations().contains_key(names::BLOCK_MOVE) {
        return rest(Rest::Change);
    }
    match o.memory.unsettled_since {
        None if !o.memory.attempt_is_mine => Decision::act(Action::NoteAttempt),
        Some(since) if o.memory.is_unsettled(now, o.rules.settle) => {
            rest(Rest::After(left(since, o.rules.settle, now)))
        }
        _ => Decision::act(Action::Unblock),
    }
}

/// The machine that providerID names: as it is, or gone.
fn watch(o: &Observed, room: &Room, id: &MachineId, now: Timestamp) -> Decided {
    let (named, mine) = match &room.reach {
        Reach::Closed(failure) => return unreadable(o, failure.reason, &failure.message, now),
        Reach::Suspect(why) => return unreadable(o, Reason::Suspect, why, now),
        Reach::Open { named, mine } => (named, mine),
    };
    match (room.brought(id), named) {
        (Some(Some(machine)), _) | (None, Named::Here(machine) | Named::Gone(Some(machine))) => {
            match o.recognise(machine, &room.project) {
                Ok(()) => known(o, room, machine, mine, now),
                Err(why) => lost(o, Reason::BelongsToOther, &why, now),
            }
        }
        (Some(None), _) | (None, Named::Gone(None)) => {
            lost(o, Reason::DeletedExternally, &format!("machine {id} was freed by somebody else"), now)
        }
        (None, Named::MissingTwice) => match o.memory.must_wait(now) {
            Some(wait) => failed(o, wait, now),
            None => Decision::act(Action::Look { project: room.project.clone(), id: id.clone() }),
        },
        (None, Named::Missing | Named::Nothing) => {
            let what = format!("machine {id} is not among those of metal-api; it is looked for once more");
            report::unread(o, &Refusal::new(Reason::WaitingForUnknownOutcome, what), Rest::Interval, now)
        }
    }
}

/// Of an object whose machine was never seen nothing is concluded: this may be another metal-api, or providerID is wrong.
fn lost(o: &Observed, reason: Reason, what: &str, now: Timestamp) -> Decided {
    if o.was_seen() {
        return report::lost(o, reason, what, now);
    }
    let what = format!("{what}, or never was there; look at spec.providerID and at METAL_API_URL");
    report::unread(o, &Refusal::new(reason, what), Rest::Interval, now)
}

fn known(o: &Observed, room: &Room, machine: &Machine, mine: &[Arc<Machine>], now: Timestamp) -> Decided {
    if let Some(note) = note(o, room, machine) {
        return Decision::act(note);
    }
    let spare = spare(o, room, machine, mine);
    let fresh = |machine: &&Arc<Machine>| {
        let is_old = machine.created.is_none_or(|created| passed(created, now, SPARE_FREED_UNTIL));
        machine.state != MachineState::Locked && !is_old
    };
    if let Some(machine) = spare.iter().copied().find(fresh).filter(|_| o.memory.must_wait(now).is_none()) {
        return Decision::act(delete::free_of(o, room, machine));
    }
    let mut labels = report::labels(machine);
    // One that somebody else set is theirs.
    labels.retain(|key, _| !o.object.labels().contains_key(*key));
    if !o.labels_refused && !labels.is_empty() {
        return Decision::act(Action::Label(labels));
    }
    report::seen(o, machine, &spare, now)
}

/// Other machines of this object's attempt: an allocation that completed after it was given up. Nobody knows them.
fn spare<'a>(o: &Observed, room: &Room, machine: &Machine, mine: &'a [Arc<Machine>]) -> Vec<&'a Arc<Machine>> {
    let is_freed = |id: &MachineId| matches!(room.looked.get(id), Some(None));
    let is_taken = |id: &MachineId| o.siblings.iter().any(|sibling| sibling.id.as_ref() == Some(id));
    let is_spare = |other: &&Arc<Machine>| {
        other.id != machine.id && !is_freed(&other.id) && !is_taken(&other.id) && o.frees(other, &room.project)
    };
    mine.iter().filter(is_spare).collect()
}

/// What deletion needs when no other object is left; written once, also for what CAPMS allocated. Nothing holds up a
/// move any more.
fn note(o: &Observed, room: &Room, machine: &Machine) -> Option<Action> {
    let ours = o.own_tag(machine).is_some() && machine.allocation.as_str() != NO_ALLOCATION;
    let credentials = o.credentials() != o.annotation(names::CREDENTIALS);
    let blocked = o.object.annotations().contains_key(names::BLOCK_MOVE);
    let lacks = o.annotation(names::PROJECT).is_none() || (ours && o.allocation().is_none());
    let note = lacks || credentials || blocked;
    note.then(|| Action::Note {
        project: room.project.clone(),
        credentials: o.credentials().map(str::to_owned),
        allocation: ours.then(|| machine.allocation.clone()),
    })
}

/// Finds the machine of an earlier try, or allocates one.
fn allocate(o: &Observed, wanted: super::request::Wanted, now: Timestamp) -> Decided {
    let Some(room) = o.rooms.first().filter(|room| room.project == wanted.request.project) else {
        let what = "the project of the cluster has changed just now".to_owned();
        return report::held(o, Refusal::new(Reason::WaitingForClusterInfrastructure, what), Rest::Soon, now);
    };
    if let Some(machine) = &room.allocated {
        return persist(machine, room);
    }
    let mine = match &room.reach {
        Reach::Closed(failure) => {
            let refusal = Refusal::new(failure.reason, failure.message.clone());
            return report::held(o, refusal, Rest::Interval, now);
        }
        Reach::Suspect(why) => {
            return report::held(o, Refusal::new(Reason::Suspect, why.clone()), Rest::Interval, now);
        }
        Reach::Open { mine, .. } => mine,
    };
    if let Some(wait) = o.memory.must_wait(now) {
        return failed(o, wait, now);
    }
    if o.had_machine() {
        return regain(o, room, now);
    }
    let Some(attempt) = o.attempt() else {
        return match &o.bootstrap {
            None => Decision::act(Action::ReadBootstrap(wanted.secret)),
            Some(Bootstrap::Unusable(why)) => unusable(o, why, now),
            Some(Bootstrap::Data(_)) => Decision::act(Action::Begin {
                project: room.project.clone(),
                credentials: o.credentials().map(str::to_owned),
            }),
        };
    };
    if !o.memory.attempt_is_mine && o.memory.unsettled_since.is_none() {
        return Decision::act(Action::NoteAttempt);
    }
    let Some(search) = &room.searched else {
        // What the bulk reading tells, and what the Secret has, costs metal-api no question.
        return match (found(o, room, mine), &o.bootstrap) {
            (Found::Stop(refusal), _) => report::held(o, refusal, Rest::Interval, now),
            (Found::Nothing, None) => Decision::act(Action::ReadBootstrap(wanted.secret)),
            (Found::Nothing, Some(Bootstrap::Unusable(why))) => unusable(o, why, now),
            _ => Decision::act(Action::Search { project: room.project.clone(), control_planes: o.is_control_plane() }),
        };
    };
    match found(o, room, &search.mine) {
        Found::Ours(machine) => return persist(&machine, room),
        Found::Stop(refusal) => return report::held(o, refusal, Rest::Interval, now),
        Found::Nothing => {}
    }
    if let Some(refusal) = foreign_control_plane(o, search) {
        return report::held(o, refusal, Rest::Interval, now);
    }
    if let Some(wait) = unsettled(o, search, now) {
        let what = "an allocation may still be under way; nothing else is allocated before it is known to have failed";
        return report::held(o, Refusal::new(Reason::WaitingForUnknownOutcome, what), Rest::After(wait), now);
    }
    match &o.bootstrap {
        None => Decision::act(Action::ReadBootstrap(wanted.secret)),
        Some(Bootstrap::Unusable(why)) => unusable(o, why, now),
        Some(Bootstrap::Data(data)) => Decision::act(Action::Allocate(Box::new(wanted.with(attempt, data.clone())))),
    }
}

/// Its providerID was taken out: its machine is looked for, and no other one is allocated (R15).
fn regain(o: &Observed, room: &Room, now: Timestamp) -> Decided {
    let Some(search) = &room.searched else {
        return Decision::act(Action::Search { project: room.project.clone(), control_planes: false });
    };
    let refusal = match found(o, room, &search.mine) {
        Found::Ours(machine) => return persist(&machine, room),
        Found::Stop(refusal) => refusal,
        Found::Nothing => Refusal::new(
            Reason::DeletedExternally,
            "spec.providerID was taken out, and no machine says that it is this object's; put providerID back, or delete \
             the Machine and let another be made",
        ),
    };
    report::held(o, refusal, Rest::Interval, now)
}

fn persist(machine: &Machine, room: &Room) -> Decided {
    Decision::act(Action::Persist {
        provider_id: provider_id(&machine.partition, &machine.id),
        allocation: machine.allocation.clone(),
        project: room.project.clone(),
    })
}

enum Found {
    Nothing,
    Ours(Arc<Machine>),
    Stop(Refusal),
}

/// What says that it is this object's: only one with our mark, or of the allocation that the object noted, is
/// taken (R6).
fn found(o: &Observed, room: &Room, mine: &[Arc<Machine>]) -> Found {
    let name = o.object.name_any();
    let taken = |machine: &Machine| o.siblings.iter().any(|sibling| sibling.id.as_ref() == Some(&machine.id));
    let mut noted = mine.iter().filter(|machine| o.names(machine));
    if let (Some(one), None) = (noted.next().filter(|one| o.frees(one, &room.project) && !taken(one)), noted.next()) {
        return Found::Ours(Arc::clone(one));
    }
    match mine {
        [] => Found::Nothing,
        [one] if o.frees(one, &room.project) && !taken(one) => Found::Ours(Arc::clone(one)),
        [one] => Found::Stop(Refusal::new(
            Reason::Claimed,
            format!(
                "machine {0} says that it is {name}'s and was not allocated for this object; to take it set \
                 spec.providerID to {1}, else free it with metalctl machine delete {0}",
                one.id,
                provider_id(&one.partition, &one.id)
            ),
        )),
        several => {
            let ids: Vec<&str> = several.iter().map(|machine| machine.id.as_str()).collect();
            let ids = ids.join(" and ");
            let what = format!("machines {ids} all say that they are {name}'s; free those that are not needed");
            Found::Stop(Refusal::new(Reason::Ambiguous, what))
        }
    }
}

/// Control planes of the cluster that run without an object here, while none has one: this management cluster does not
/// know the cluster's past, and would begin a second one on the same address (R8).
fn foreign_control_plane(o: &Observed, search: &Search) -> Option<Refusal> {
    if !o.is_control_plane() {
        return None;
    }
    let claims = |machine: &Machine| {
        let resource = machine.tags.get(tags::MACHINE_RESOURCE).unwrap_or_default();
        o.siblings.iter().any(|s| s.id.as_ref() == Some(&machine.id) || s.resource.is(resource))
    };
    let (claimed, foreign): (Vec<_>, Vec<_>) = search.control_planes.iter().partition(|machine| claims(machine));
    if foreign.is_empty() || !claimed.is_empty() {
        return None;
    }
    let ids: Vec<&str> = foreign.iter().map(|machine| machine.id.as_str()).collect();
    Some(Refusal::new(
        Reason::ControlPlaneExists,
        format!(
            "control planes of this cluster already run and no MetalStackMachine here is theirs ({}); restore the \
             management cluster from its backup, or free them if the old cluster is not needed any more",
            ids.join(", ")
        ),
    ))
}

/// How long an allocation without an answer can still complete, seen from the last search.
pub(super) fn unsettled(o: &Observed, search: &Search, now: Timestamp) -> Option<Duration> {
    let since = o.memory.unsettled_since.filter(|_| o.memory.is_unsettled(search.at, o.rules.settle))?;
    Some(left(since, o.rules.settle, now))
}

fn left(since: Timestamp, settle: Duration, now: Timestamp) -> Duration {
    settle.saturating_sub(Duration::try_from(now.duration_since(since)).unwrap_or_default())
}

fn unusable(o: &Observed, why: &str, now: Timestamp) -> Decided {
    report::held(o, Refusal::new(Reason::InvalidBootstrapData, why), Rest::Soon, now)
}

/// metal-api refused, a moment ago.
fn failed(o: &Observed, wait: Duration, now: Timestamp) -> Decided {
    let refusal = failure(o);
    match o.provider_id() {
        Some(_) => report::unread(o, &refusal, Rest::After(wait), now),
        None => report::held(o, refusal, Rest::After(wait), now),
    }
}

pub(super) fn failure(o: &Observed) -> Refusal {
    match &o.memory.failure {
        Some(failure) => Refusal::new(failure.reason, failure.message.clone()),
        None => Refusal::new(Reason::MetalApiBusy, "metal-api is asked again in a moment"),
    }
}

fn unreadable(o: &Observed, reason: Reason, message: &str, now: Timestamp) -> Decided {
    report::unread(o, &Refusal::new(reason, message), Rest::Interval, now)
}
