//! One step carried out, and what came of it.

use super::decide::Action;
use super::delete::without_services;
use super::gather::{door, look};
use super::observed::{Leftovers, Observed};
use super::search;
use crate::api::MetalStackFirewallDeployment;
use crate::control::{Context, Error, annotate, finalizers, is_current, merge, owned_by};
use crate::metal::{DoorError, Expected, FreeOutcome, ProjectDoor};
use crate::names;
use crate::reason::Reason;
use crate::step::{Failure, Memory};
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, ResourceExt as _};
use metal_api::Error as MetalError;
use model::{Tags, tags};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn act(context: &Context, observed: &mut Observed, action: Action) -> Result<(), Error> {
    match action {
        Action::AddFinalizer => {
            let fields = finalizers(&*observed.object, names::CLUSTER_FINALIZER, true);
            patch(context, observed, fields).await
        }
        Action::RemoveFinalizer => {
            // Nothing of it is left to remember, whoever else holds it up.
            observed.memory = Memory::default();
            let fields = finalizers(&*observed.object, names::CLUSTER_FINALIZER, false);
            patch(context, observed, fields).await
        }
        Action::Begin => begin(context, observed).await,
        Action::End => patch(context, observed, annotate(&[(names::BLOCK_MOVE, None)])).await,
        Action::KeepNetwork(id) => keep(context, observed, json!({"nodeNetworkID": id})).await,
        Action::KeepEndpoint { host, port } => {
            keep(context, observed, json!({"controlPlaneEndpoint": {"host": host, "port": port}})).await
        }
        Action::OwnFirewall { cluster } => own_firewall(context, observed, &cluster).await,
        Action::DeleteFirewall(name) => delete_firewall(context, observed, &name).await,
        Action::WriteCredentials => crate::ccm::write(context, observed).await,
        metal => {
            if metal.is_write() {
                is_current(&context.client, &*observed.object).await?;
            }
            if let Err(failure) = ask(context, observed, metal).await {
                let now = context.clock.now();
                observed.memory.failed(failure, now, context.config.backoff);
            }
            Ok(())
        }
    }
}

/// What goes to metal-api. Its refusals are for the decision.
async fn ask(context: &Context, observed: &mut Observed, action: Action) -> Result<(), Failure> {
    let door = door(context, &observed.object).await?;
    let allocating = |error: DoorError| Failure::from(&error);
    // A free, or a search, is repeated after reading again: nothing is waited for.
    let other = |error: DoorError| Failure { unknown_outcome: false, ..Failure::from(&error) };
    match action {
        Action::SearchNetworks => {
            // CAPMS's ids have had several forms, and the project one list.
            observed.found.networks = Some(door.find_networks(&Tags::new()).await.map_err(other)?);
        }
        Action::SearchVips => {
            let purpose = Tags::new().with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
            observed.found.vips = Some(door.find_ips(&purpose).await.map_err(other)?);
        }
        Action::AllocateNetwork(request) => {
            // Searched for again, should it fail.
            observed.found.networks = None;
            observed.found.networks = Some(vec![door.allocate_network(&request).await.map_err(allocating)?]);
            observed.memory.succeeded();
        }
        Action::AllocateVip(request) => {
            observed.found.vips = None;
            observed.found.vips = Some(vec![door.allocate_ip(&request).await.map_err(allocating)?]);
            observed.memory.succeeded();
        }
        Action::SearchLeftovers => {
            observed.found.leftovers = Some(leftovers(&door).await.map_err(other)?);
        }
        Action::FreeAddress { address, allocation, tags, without } => {
            let expected =
                Expected { allocation: Some(allocation), tags, without, ..Expected::new(door.project(), address) };
            let outcome = door.free_ip(&expected).await.map_err(other)?;
            freed(observed, &address.to_string(), outcome, |left| left.addresses.retain(|ip| ip.address != address))?;
        }
        Action::UntagAddress { address, .. } => {
            let id = observed.service_id();
            let stays = match door.update_ip(address, None, |ip| Some(without_services(&id, &ip.tags))).await {
                Ok(ip) => Some(ip),
                Err(DoorError::Metal(MetalError::NotFound { .. })) => None,
                Err(error) => return Err(other(error)),
            };
            observed.memory.succeeded();
            // Without the service's tag it may be the control plane's address, which is freed yet.
            if let Some(left) = &mut observed.found.leftovers {
                left.addresses.retain(|ip| ip.address != address);
                left.addresses.extend(stays);
                left.done += 1;
            }
        }
        Action::FreeNetwork { id, labels, without } => {
            let expected = Expected { tags: labels, without, ..Expected::new(door.project(), id.clone()) };
            let outcome = door.free_network(&expected).await.map_err(other)?;
            // metal-api releases addresses on its own time.
            if let FreeOutcome::InUse { text } = outcome {
                let message = format!("Network {id} is freed when nothing is in it any more: {text}");
                return Err(Failure {
                    reason: Reason::WaitingForRelease,
                    message,
                    unknown_outcome: false,
                    after: None,
                });
            }
            freed(observed, id.as_str(), outcome, |left| left.networks.retain(|n| n.id != id))?;
        }
        // Those of the API server, above.
        Action::AddFinalizer
        | Action::RemoveFinalizer
        | Action::Begin
        | Action::End
        | Action::KeepNetwork(_)
        | Action::KeepEndpoint { .. }
        | Action::OwnFirewall { .. }
        | Action::DeleteFirewall(_)
        | Action::WriteCredentials => {}
    }
    Ok(())
}

/// What is no longer there, or is no longer ours, is not looked at again in this pass.
fn freed(
    observed: &mut Observed,
    what: &str,
    outcome: FreeOutcome,
    drop: impl FnOnce(&mut Leftovers),
) -> Result<(), Failure> {
    match outcome {
        FreeOutcome::Freed | FreeOutcome::Gone => tracing::info!(what, cluster = observed.id(), "freed"),
        FreeOutcome::NotOurs { why } => {
            tracing::warn!(what, why, cluster = observed.id(), "left alone");
            if let Some(left) = &mut observed.found.leftovers {
                left.kept.push(format!("{what} ({why})"));
            }
        }
        FreeOutcome::InUse { text } | FreeOutcome::Locked { text } => {
            return Err(Failure { reason: Reason::Refused, message: text, unknown_outcome: false, after: None });
        }
    }
    observed.memory.succeeded();
    if let Some(left) = &mut observed.found.leftovers {
        left.done += 1;
        drop(left);
    }
    Ok(())
}

/// Not only what the object names: a crash may have left what nobody wrote down.
async fn leftovers(door: &ProjectDoor) -> Result<Leftovers, DoorError> {
    let networks = door.find_networks(&Tags::new()).await?;
    let addresses = door.find_ips(&Tags::new()).await?;
    Ok(Leftovers { networks, addresses, done: 0, kept: Vec::new() })
}

async fn begin(context: &Context, observed: &mut Observed) -> Result<(), Error> {
    let drawn = match observed.attempt() {
        Some(_) => None,
        None => Some(uuid::Uuid::new_v4().to_string()),
    };
    let block = (names::BLOCK_MOVE, Some(names::FIELD_MANAGER));
    match &drawn {
        None => patch(context, observed, annotate(&[block])).await,
        Some(attempt) => {
            patch(context, observed, annotate(&[block, (names::ATTEMPT, Some(attempt))])).await?;
            observed.memory.attempt_is_mine = true;
            // With the attempt written down, it is searched for once more.
            (observed.found.networks, observed.found.vips) = (None, None);
            Ok(())
        }
    }
}

async fn keep(context: &Context, observed: &mut Observed, spec: Value) -> Result<(), Error> {
    patch(context, observed, json!({"spec": spec})).await?;
    observed.memory.succeeded();
    look(context, observed).await;
    Ok(())
}

async fn patch(context: &Context, observed: &mut Observed, fields: Value) -> Result<(), Error> {
    observed.object = Arc::new(merge(&context.client, &*observed.object, fields).await?);
    Ok(())
}

async fn own_firewall(context: &Context, observed: &mut Observed, cluster: &str) -> Result<(), Error> {
    let (Some(deployment), Some(us)) = (observed.firewall.clone(), owned_by(&*observed.object, true)) else {
        return Ok(());
    };
    // The former reference may have the UID of an object that is gone (D24).
    let is_former = |kind: &str, api_version: &str, name: &str| {
        search::is_cluster_kind(kind, api_version) && name == observed.object.name_any()
    };
    let mut owners = deployment.owner_references().to_vec();
    owners.retain(|owner| !is_former(&owner.kind, &owner.api_version, &owner.name));
    owners.push(us);
    let labels = BTreeMap::from([(names::CLUSTER_NAME_LABEL, cluster)]);
    let fields = json!({"metadata": {"ownerReferences": owners, "labels": labels}});
    observed.firewall = match merge(&context.client, &*deployment, fields).await {
        Ok(deployment) => Some(Arc::new(deployment)),
        Err(Error::Gone) => None,
        Err(error) => return Err(error),
    };
    Ok(())
}

async fn delete_firewall(context: &Context, observed: &mut Observed, name: &str) -> Result<(), Error> {
    let Some(place) = observed.firewalls.iter().position(|deployment| deployment.name_any() == name) else {
        return Ok(());
    };
    let namespace = observed.object.namespace().unwrap_or_default();
    let api: Api<MetalStackFirewallDeployment> = Api::namespaced(context.client.clone(), &namespace);
    let uid = observed.firewalls[place].uid();
    let parameters =
        DeleteParams { preconditions: Some(Preconditions { uid, resource_version: None }), ..DeleteParams::default() };
    match api.delete(name, &parameters).await.map(|answer| answer.left()).map_err(Error::from) {
        // It stays until its firewall is gone.
        Ok(Some(deployment)) if deployment.metadata.deletion_timestamp.is_some() => {
            observed.firewalls[place] = Arc::new(deployment);
        }
        Ok(_) | Err(Error::Gone) => {
            observed.firewalls.remove(place);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
