//! One step carried out. What metal-api refuses is remembered and decided upon; what the API server refuses ends the
//! pass.

use super::observed::{Action, Metal, Named, Observed, Project, Whose, allocation, reference};
use super::template::Blueprint;
use crate::control::{Context, Error, annotate, attempt, finalizers, is_current, merge};
use crate::metal::{DoorError, Expected, FreeOutcome, ProjectDoor};
use crate::names;
use crate::reason::Reason;
use crate::step::{Failure, Memory};
use model::metal::{Machine, MachineRole};
use model::{MachineId, ProjectId, Tags, tags};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn act(context: &Context, observed: &mut Observed, action: Action) -> Result<(), Error> {
    match action {
        Action::AddFinalizer => {
            let fields = finalizers(&*observed.deployment, names::FIREWALL_FINALIZER, true);
            patch(context, observed, fields).await
        }
        Action::RemoveFinalizer => {
            let fields = finalizers(&*observed.deployment, names::FIREWALL_FINALIZER, false);
            patch(context, observed, fields).await?;
            observed.memory = Memory::default();
            Ok(())
        }
        Action::DrawAttempt { project, credentials } => {
            patch(context, observed, attempt(&project, credentials.as_deref())).await?;
            observed.memory.attempt_is_mine = true;
            Ok(())
        }
        Action::AwaitAttempt => {
            observed.memory.unsettled_since = Some(context.clock.now());
            Ok(())
        }
        Action::Search => {
            search(context, observed).await;
            Ok(())
        }
        Action::Allocate(blueprint) => allocate(context, observed, &blueprint).await,
        Action::Name { firewall, baseline } => name(context, observed, &firewall, baseline.as_deref()).await,
        Action::Note(notes) => {
            let annotations: Vec<_> = notes.iter().map(|(key, value)| (*key, Some(value.as_str()))).collect();
            patch(context, observed, annotate(&annotations)).await
        }
        Action::Unblock => patch(context, observed, annotate(&[(names::BLOCK_MOVE, None)])).await,
        Action::Free(firewall) => free(context, observed, &firewall).await,
    }
}

async fn patch(context: &Context, observed: &mut Observed, fields: Value) -> Result<(), Error> {
    observed.deployment = Arc::new(merge(&context.client, &*observed.deployment, fields).await?);
    Ok(())
}

/// The named firewall and those with the deployment's tag, as they are now.
async fn search(context: &Context, observed: &mut Observed) {
    let at = context.clock.now();
    let Some(door) = door(context, observed).await else { return };
    let tags = Tags::new().with(tags::FIREWALL_DEPLOYMENT_RESOURCE, observed.deployment_tag());
    let named = observed.named();
    let found = async {
        let mut found = door.find_machines(Some(MachineRole::Firewall), &tags).await?;
        if let Named::Firewall(id) = &named
            && found.iter().all(|f| f.id != *id)
        {
            found.extend(door.machine_now(id).await?);
        }
        Ok::<_, DoorError>(found)
    };
    let tag = observed.deployment_tag();
    match found.await {
        Ok(found) => with_project(observed, |project| {
            let is_there = |id: &MachineId| found.iter().any(|f| f.id == *id);
            project.named_is_gone &= !matches!(&named, Named::Firewall(id) if is_there(id));
            // Those of the cluster and of its network were not looked for.
            let is_sought = |f: &Machine| {
                f.tags.has(tags::FIREWALL_DEPLOYMENT_RESOURCE, &tag) || named == Named::Firewall(f.id.clone())
            };
            project.firewalls.retain(|f| !is_sought(f) && !is_there(&f.id));
            project.firewalls.extend(found);
            project.searched = Some(at);
        }),
        Err(error) => read_failed(context, observed, &error),
    }
}

async fn allocate(context: &Context, observed: &mut Observed, blueprint: &Blueprint) -> Result<(), Error> {
    is_current(&context.client, &*observed.deployment).await?;
    let Some(door) = door(context, observed).await else { return Ok(()) };
    // Should this process not come to write the id down, it searches, and waits, before it allocates again.
    observed.memory.unsettled_since = Some(context.clock.now());
    match door.allocate_firewall(&blueprint.request).await {
        Ok(firewall) => {
            tracing::info!(
                deployment = %observed.deployment_tag(),
                firewall = %firewall.id,
                generation = blueprint.generation,
                "allocated"
            );
            observed.memory.succeeded();
            observed.memory.unsettled_since = Some(context.clock.now());
            observed.memory.attempt_is_mine = false;
            door.hasten();
            with_project(observed, |project| project.firewalls.push(firewall));
        }
        Err(error) => {
            if !error.outcome_unknown() {
                observed.memory.unsettled_since = None;
            }
            failed(context, observed, (&error).into());
            with_project(observed, |project| project.searched = None);
        }
    }
    Ok(())
}

async fn name(
    context: &Context,
    observed: &mut Observed,
    firewall: &Machine,
    baseline: Option<&str>,
) -> Result<(), Error> {
    let mut fields = annotate(&[
        (names::PROJECT, Some(firewall.project.as_str())),
        (names::ALLOCATION, allocation(firewall)),
        (names::FIREWALL_BASELINE, baseline),
        (names::BLOCK_MOVE, None),
    ]);
    let reference = reference(&firewall.partition, &firewall.id);
    fields["spec"] = json!({"managedResourceRef": {"name": reference}});
    patch(context, observed, fields).await?;
    tracing::info!(deployment = %observed.deployment_tag(), firewall = %reference, "this is its firewall now");
    // What came of another attempt is as unknown as before.
    let is_settled = observed.annotation(names::ATTEMPT).is_some_and(|mine| firewall.tags.has(tags::ATTEMPT, mine));
    let memory = &mut observed.memory;
    memory.absences.clear();
    memory.unsettled_since = memory.unsettled_since.filter(|_| !is_settled);
    memory.succeeded();
    with_project(observed, |project| project.named_is_gone = false);
    Ok(())
}

async fn free(context: &Context, observed: &mut Observed, firewall: &Arc<Machine>) -> Result<(), Error> {
    is_current(&context.client, &*observed.deployment).await?;
    let Some(door) = door(context, observed).await else { return Ok(()) };
    let outcome = door.free_machine(&proof(observed, firewall)).await;
    let (deployment, id) = (observed.deployment_tag(), &firewall.id);
    match outcome {
        Ok(FreeOutcome::Freed | FreeOutcome::Gone) => {
            tracing::info!(%deployment, firewall = %id, "freed");
            observed.memory.succeeded();
            with_project(observed, |project| {
                project.firewalls.retain(|f| f.id != *id);
                project.freed.push(Arc::clone(firewall));
            });
        }
        Ok(FreeOutcome::NotOurs { why }) => {
            tracing::warn!(%deployment, firewall = %id, %why, "not freed: it is somebody else's");
            with_project(observed, |project| project.firewalls.retain(|f| f.id != *id));
        }
        Ok(FreeOutcome::Locked { text }) => {
            let message = format!("Firewall {id} cannot be freed: {text}; unlock it: metalctl machine unlock {id}.");
            failed(
                context,
                observed,
                Failure { reason: Reason::MachineLocked, message, unknown_outcome: false, after: None },
            );
        }
        Ok(FreeOutcome::InUse { text }) => {
            let message = format!("Firewall {id} cannot be freed yet: {text}.");
            failed(
                context,
                observed,
                Failure { reason: Reason::WaitingForRelease, message, unknown_outcome: false, after: None },
            );
        }
        // Whatever became of it, it is read before it is freed again.
        Err(error) => read_failed(context, observed, &error),
    }
    Ok(())
}

/// What must be true of a firewall at the moment it is freed.
pub(super) fn proof(observed: &Observed, firewall: &Machine) -> Expected<MachineId> {
    let deployment = Tags::new().with(tags::FIREWALL_DEPLOYMENT_RESOURCE, observed.deployment_tag());
    let (tags, without) = match observed.whose(firewall) {
        Whose::Ours => {
            let marked = deployment.with(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER);
            let attempt = firewall.tags.get(tags::ATTEMPT);
            (attempt.into_iter().fold(marked, |tags, attempt| tags.with(tags::ATTEMPT, attempt)), Tags::new())
        }
        _ => (
            deployment.with(tags::FIREWALL_MANAGED_BY, tags::FIREWALL_MANAGED_BY_CAPMS),
            Tags::new().with(tags::MANAGED_BY, ""),
        ),
    };
    let allocation = Some(firewall.allocation.clone());
    Expected { allocation, tags, without, ..Expected::new(&firewall.project, firewall.id.clone()) }
}

/// `None`: it is remembered why there is none.
async fn door(context: &Context, observed: &mut Observed) -> Option<Arc<ProjectDoor>> {
    let project: ProjectId = match &observed.metal {
        Metal::Read(project) => project.id.clone(),
        Metal::NoProject | Metal::Unread(_) => return None,
    };
    match context.door(&observed.namespace(), observed.credentials().as_deref(), &project).await {
        Ok(door) => Some(door),
        Err(failure) => {
            failed(context, observed, failure);
            None
        }
    }
}

/// A call after which nothing is in doubt.
fn read_failed(context: &Context, observed: &mut Observed, error: &DoorError) {
    failed(context, observed, Failure { unknown_outcome: false, ..error.into() });
}

fn failed(context: &Context, observed: &mut Observed, failure: Failure) {
    observed.memory.failed(failure, context.clock.now(), context.config.backoff);
}

fn with_project(observed: &mut Observed, change: impl FnOnce(&mut Project)) {
    if let Metal::Read(project) = &mut observed.metal {
        change(project);
    }
}
