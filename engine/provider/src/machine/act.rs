//! One step carried out. What metal-api refuses is remembered and decided upon; what the API server refuses ends the
//! pass.

use super::Action;
use super::bootstrap::usable;
use super::observed::{Bootstrap, Observed, Room, Search};
use crate::control::{Context, Error, annotate, attempt, finalizers, is_current, merge};
use crate::metal::{DoorError, Expected, FreeOutcome, ProjectDoor};
use crate::names;
use crate::reason::Reason;
use crate::step::{Failure, Memory};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use model::metal::{Machine, MachineRequest, MachineRole, MachineState};
use model::{Allocation, MachineId, ProjectId, Tags};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn act(context: &Context, o: &mut Observed, action: Action) -> Result<(), Error> {
    match action {
        Action::AddFinalizer => patch(context, o, finalizers(&*o.object, names::MACHINE_FINALIZER, true)).await,
        Action::RemoveFinalizer => {
            patch(context, o, finalizers(&*o.object, names::MACHINE_FINALIZER, false)).await?;
            o.memory = Memory::default();
            Ok(())
        }
        Action::Begin { project, credentials } => {
            patch(context, o, attempt(&project, credentials.as_deref())).await?;
            o.memory.attempt_is_mine = true;
            Ok(())
        }
        Action::NoteAttempt => {
            o.memory.unsettled_since = Some(context.clock.now());
            Ok(())
        }
        Action::ReadBootstrap(name) => {
            o.bootstrap = Some(read_bootstrap(context, o, &name).await?);
            Ok(())
        }
        Action::Search { project, control_planes } => {
            search(context, o, &project, control_planes).await;
            Ok(())
        }
        Action::Look { project, id } => {
            look(context, o, &project, id).await;
            Ok(())
        }
        Action::Allocate(request) => allocate(context, o, &request).await,
        Action::Persist { provider_id, allocation, project } => {
            let mut fields = annotate(&[
                (names::PROJECT, Some(project.as_str())),
                (names::ALLOCATION, Some(allocation.as_str())),
                (names::BLOCK_MOVE, None),
            ]);
            fields["spec"] = json!({"providerID": provider_id});
            patch(context, o, fields).await?;
            tracing::info!(machine = %o.resource().as_str(), %provider_id, "allocated");
            o.memory.unsettled_since = None;
            o.memory.succeeded();
            Ok(())
        }
        Action::Note { project, credentials, allocation } => {
            let mut annotations = vec![
                (names::PROJECT, Some(project.as_str())),
                (names::CREDENTIALS, credentials.as_deref()),
                (names::BLOCK_MOVE, None),
            ];
            annotations.extend(allocation.as_ref().map(|allocation| (names::ALLOCATION, Some(allocation.as_str()))));
            patch(context, o, annotate(&annotations)).await
        }
        Action::Unblock => patch(context, o, annotate(&[(names::BLOCK_MOVE, None)])).await,
        Action::Label(labels) => label(context, o, json!({"metadata": {"labels": labels}})).await,
        Action::Free { project, id, allocation, proof } => {
            is_current(&context.client, &*o.object).await?;
            free(context, o, &project, id, allocation, proof).await;
            Ok(())
        }
    }
}

async fn patch(context: &Context, o: &mut Observed, fields: Value) -> Result<(), Error> {
    o.object = Arc::new(merge(&context.client, &*o.object, fields).await?);
    Ok(())
}

/// Labels only tell people: an API server, or a policy of it, that refuses them holds up nothing else (D7).
async fn label(context: &Context, o: &mut Observed, fields: Value) -> Result<(), Error> {
    match patch(context, o, fields).await {
        Err(Error::Kube(error)) if is_refusal(&error) => {
            tracing::warn!(machine = %o.resource().as_str(), %error, "the labels were refused");
            o.labels_refused = true;
            Ok(())
        }
        other => {
            // Taken and dropped, which is how some policies refuse.
            o.labels_refused = true;
            other
        }
    }
}

fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422))
}

async fn read_bootstrap(context: &Context, o: &Observed, name: &str) -> Result<Bootstrap, Error> {
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &o.namespace());
    Ok(match api.get_opt(name).await? {
        Some(secret) => usable(name, &secret.data.unwrap_or_default()),
        None => Bootstrap::Unusable(format!(
            "the bootstrap Secret {name} is not there; it is written by the bootstrap provider, or by whoever set \
             dataSecretName"
        )),
    })
}

async fn search(context: &Context, o: &mut Observed, project: &ProjectId, control_planes: bool) {
    let at = context.clock.now();
    let Some(door) = door(context, o, project).await else { return };
    let searches = o.searches();
    let of_cluster = if control_planes { o.control_plane_searches() } else { Vec::new() };
    let found = async {
        let mut mine = Vec::new();
        for tags in searches {
            mine.extend(door.find_machines(None, &tags).await?);
        }
        let mut control_planes = Vec::new();
        for tags in of_cluster {
            control_planes.extend(door.find_machines(Some(MachineRole::Machine), &tags).await?);
        }
        control_planes.sort_by(|a, b| a.id.cmp(&b.id));
        control_planes.dedup_by(|a, b| a.id == b.id);
        Ok(Search { at, mine, control_planes })
    };
    match found.await {
        Ok(search) => with_room(o, project, |room| room.searched = Some(search)),
        Err(error) => read_failed(context, o, &error),
    }
}

async fn look(context: &Context, o: &mut Observed, project: &ProjectId, id: MachineId) {
    let Some(door) = door(context, o, project).await else { return };
    match door.machine_now(&id).await {
        Ok(found) => {
            let is_there = found.as_ref().is_some_and(|machine| o.recognise(machine, project).is_ok());
            o.memory.asked(id.as_str(), is_there);
            o.memory.succeeded();
            with_room(o, project, |room| {
                room.looked.insert(id, found);
            });
        }
        Err(error) => read_failed(context, o, &error),
    }
}

async fn allocate(context: &Context, o: &mut Observed, request: &MachineRequest) -> Result<(), Error> {
    is_current(&context.client, &*o.object).await?;
    let Some(door) = door(context, o, &request.project).await else { return Ok(()) };
    // From here on no other process can be allocating with it: that was waited for.
    o.memory.attempt_is_mine = true;
    // Should this process not come to write the id down, it searches, and waits, before it allocates again.
    o.memory.unsettled_since = Some(context.clock.now());
    match door.allocate_machine(request).await {
        Ok(machine) => {
            o.memory.unsettled_since = Some(context.clock.now());
            with_room(o, &request.project, |room| room.allocated = Some(machine));
        }
        Err(error) => {
            if !error.outcome_unknown() {
                o.memory.unsettled_since = None;
            }
            failed(context, o, (&error).into());
            with_room(o, &request.project, |room| room.searched = None);
        }
    }
    Ok(())
}

async fn free(
    context: &Context,
    o: &mut Observed,
    project: &ProjectId,
    id: MachineId,
    allocation: Allocation,
    proof: Tags,
) {
    let Some(door) = door(context, o, project).await else { return };
    let expected = Expected { allocation: Some(allocation), tags: proof, ..Expected::new(project, id.clone()) };
    let outcome = door.free_machine(&expected).await;
    match outcome {
        Ok(FreeOutcome::Freed | FreeOutcome::Gone) => {
            tracing::info!(machine = %o.resource().as_str(), %id, "freed");
            o.memory.succeeded();
            with_room(o, project, |room| {
                room.looked.insert(id, None);
            });
        }
        Ok(FreeOutcome::NotOurs { why }) => {
            tracing::warn!(machine = %o.resource().as_str(), %id, %why, "not freed: it is somebody else's");
            with_room(o, project, |room| {
                room.looked.insert(id, None);
            });
        }
        Ok(FreeOutcome::Locked { text }) => with_room(o, project, |room| locked(room, &id, text)),
        Ok(FreeOutcome::InUse { text }) => {
            failed(
                context,
                o,
                Failure { reason: Reason::WaitingForRelease, message: text, unknown_outcome: false, after: None },
            );
        }
        // Whatever became of it, it is read before it is freed again.
        Err(error) => read_failed(context, o, &error),
    }
}

/// What was read said otherwise: the lock came meanwhile.
fn locked(room: &mut Room, id: &MachineId, text: String) {
    let known = room.brought(id).flatten().cloned();
    if let Some(machine) = known {
        let machine = Machine { state: MachineState::Locked, state_description: text, ..(*machine).clone() };
        room.looked.insert(id.clone(), Some(Arc::new(machine)));
    }
}

/// `None`: it is remembered why there is none.
async fn door(context: &Context, o: &mut Observed, project: &ProjectId) -> Option<Arc<ProjectDoor>> {
    match context.door(&o.namespace(), o.credentials(), project).await {
        Ok(door) => Some(door),
        Err(failure) => {
            failed(context, o, failure);
            None
        }
    }
}

/// A call after which nothing is in doubt.
fn read_failed(context: &Context, o: &mut Observed, error: &DoorError) {
    failed(context, o, Failure { unknown_outcome: false, ..error.into() });
}

fn failed(context: &Context, o: &mut Observed, failure: Failure) {
    o.memory.failed(failure, context.clock.now(), context.config.backoff);
}

fn with_room(o: &mut Observed, project: &ProjectId, change: impl FnOnce(&mut Room)) {
    if let Some(room) = o.rooms.iter_mut().find(|room| room.project == *project) {
        change(room);
    }
}
