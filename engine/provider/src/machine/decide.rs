//! What is done next for one machine. Pure: from what was observed, and the time.

use super::Action;
use super::identity::{is_marked, provider_id};
use super::observed::{Bootstrap, Named, Observed, Reach, Room, Search};
use super::request::{Refusal, wanted};
use super::{delete, report};
use crate::api::MetalStackMachineStatus;
use crate::control::server;
use crate::names;
use crate::reason::Reason;
use crate::step::{Decision, Rest, passed};
use kube::ResourceExt as _;
use model::metal::Machine;
use model::{MachineId, Timestamp, tags};
use std::sync::Arc;
use std::time::Duration;

pub(super) type Decided = Decision<Action, MetalStackMachineStatus>;

pub(crate) fn decide(o: &Observed, now: Timestamp) -> Decided {
    if o.is_paused() {
        return Decision::rest(Rest::Change, report::paused(o, now));
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

/// The machine that providerID names: as it is, or gone.
fn watch(o: &Observed, room: &Room, id: &MachineId, now: Timestamp) -> Decided {
    let named = match &room.reach {
        Reach::Closed(failure) => return unreadable(o, failure.reason, &failure.message, now),
        Reach::Suspect(why) => return unreadable(o, Reason::Suspect, why, now),
        Reach::Open { named, .. } => named,
    };
    match (room.brought(id), named) {
        (Some(Some(machine)), _) | (None, Named::Here(machine)) => known(o, room, machine, now),
        (Some(None), _) | (None, Named::Gone) => {
            report::lost(o, Reason::DeletedExternally, &format!("machine {id} was freed by somebody else"), now)
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

fn known(o: &Observed, room: &Room, machine: &Machine, now: Timestamp) -> Decided {
    if let Err(why) = o.recognise(machine, &room.project) {
        return report::lost(o, Reason::BelongsToOther, &why, now);
    }
    if let Some(note) = note(o, room, machine) {
        return Decision::act(note);
    }
    let labels = report::labels(machine);
    let has = |(key, value): (&&str, &String)| o.object.labels().get(*key) == Some(value);
    if !o.labels_refused && !labels.iter().all(has) {
        return Decision::act(Action::Label(labels));
    }
    report::seen(o, machine, now)
}

/// What deletion needs when no other object is left; written once, also for what CAPMS allocated. Nothing holds up a
/// move any more.
fn note(o: &Observed, room: &Room, machine: &Machine) -> Option<Action> {
    let ours = o.own_tag(machine).is_some();
    let lacks = |key| o.annotation(key).is_none();
    let credentials = o.credentials() != o.annotation(names::CREDENTIALS);
    let blocked = o.object.annotations().contains_key(names::BLOCK_MOVE);
    let note = lacks(names::PROJECT) || (ours && lacks(names::ALLOCATION)) || credentials || blocked;
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
    match &room.reach {
        Reach::Closed(failure) => {
            let refusal = Refusal::new(failure.reason, failure.message.clone());
            return report::held(o, refusal, Rest::Interval, now);
        }
        Reach::Suspect(why) => {
            return report::held(o, Refusal::new(Reason::Suspect, why.clone()), Rest::Interval, now);
        }
        Reach::Open { .. } => {}
    }
    if let Some(wait) = o.memory.must_wait(now) {
        return failed(o, wait, now);
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
        return Decision::act(Action::Search { project: room.project.clone(), control_planes: o.is_control_plane() });
    };
    match found(o, attempt, search) {
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

/// What a search for this object's name found: only one with our mark is taken (R6).
fn found(o: &Observed, attempt: &str, search: &Search) -> Found {
    let (name, resource) = (o.object.name_any(), o.resource());
    let taken = |machine: &Machine| o.siblings.iter().any(|sibling| sibling.id.as_ref() == Some(&machine.id));
    match search.mine.as_slice() {
        [] => Found::Nothing,
        [one] if is_marked(one, &resource, attempt) && !taken(one) => Found::Ours(Arc::clone(one)),
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
    let gone = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    Some(if passed(since, now, o.rules.settle) { Duration::ZERO } else { o.rules.settle.saturating_sub(gone) })
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
