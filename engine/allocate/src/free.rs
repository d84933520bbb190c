//! Frees one resource: read, compared, freed. metal-api's free has no precondition, so what was read may be somebody
//! else's by now; a free is never repeated blindly.

use metal_api::{Error, Metal, Result};
use model::FleetName;
use model::metal::{Ip, IpKind, IpUpdate};
use model::request::{Free, FreeOutcome, Resource, Target};
use model::tags::is_service_of;

pub(crate) async fn free<M: Metal>(metal: &M, fleet: &FleetName, free: &Free) -> FreeOutcome {
    let found = match read(metal, free).await {
        // Not in the project any more. For a machine: a second free would power-cycle what somebody may just have got.
        Ok(None) => return FreeOutcome::Gone,
        Ok(Some(resource)) => {
            if let Some(message) = changed(free, fleet, &resource) {
                return FreeOutcome::Changed { message };
            }
            resource
        }
        Err(error) => return FreeOutcome::Failed { message: error.to_string() },
    };
    let freed = match &free.target {
        Target::Network(id) => metal.free_network(&free.project, id).await,
        Target::Ip { address, .. } => metal.free_ip(&free.project, *address).await,
        Target::Machine { id, .. } => metal.free_machine(&free.project, id).await,
        Target::Service { address, .. } => match (&found, untagged(free, &found)) {
            (Resource::Ip(ip), Some(tags)) => {
                let update = IpUpdate { address: ip.address, kind: None, tags: Some(tags) };
                metal.update_ip(&free.project, &update).await.map(|_| ())
            }
            _ => metal.free_ip(&free.project, *address).await,
        },
    };
    match freed {
        Ok(()) => FreeOutcome::Freed,
        Err(Error::NotFound { .. }) => FreeOutcome::Gone,
        Err(error @ (Error::InUse { .. } | Error::Conflict { .. })) => {
            FreeOutcome::NotYet { message: error.to_string() }
        }
        Err(error) => FreeOutcome::Failed { message: error.to_string() },
    }
}

async fn read<M: Metal>(metal: &M, free: &Free) -> Result<Option<Resource>> {
    Ok(match &free.target {
        Target::Network(id) => metal.get_network(&free.project, id).await?.map(Resource::Network),
        Target::Ip { address, .. } | Target::Service { address, .. } => {
            metal.get_ip(&free.project, *address).await?.map(Resource::Ip)
        }
        Target::Machine { id, .. } => metal.get_machine(&free.project, id).await?.map(Resource::Machine),
    })
}

/// What is not as the plan saw it; None when cluster, slot, fleet and allocation are. The project was part of the read.
fn changed(free: &Free, fleet: &FleetName, found: &Resource) -> Option<String> {
    let tags = found.tags();
    let cluster = free.cluster.to_string();
    if let (Target::Service { allocation, .. }, Resource::Ip(ip)) = (&free.target, found) {
        let is_reallocated = *allocation != ip.allocation;
        let is_used = tags.iter().any(|(key, value)| is_service_of(&cluster, key, value));
        return (is_reallocated || !is_used).then(|| format!("no service of `{cluster}` uses it any more"));
    }
    if tags.cluster() != Some(cluster.as_str()) {
        return Some(format!("its tags name {} and not `{cluster}`", tags.cluster().unwrap_or("no cluster")));
    }
    if !tags.mark().is_some_and(|m| m.is_of(fleet) && m.slot == free.slot) {
        return Some("it does not carry our mark for this slot any more".to_owned());
    }
    let reallocated = match (&free.target, found) {
        (Target::Network(_), Resource::Network(_)) => false,
        (Target::Ip { allocation, .. }, Resource::Ip(ip)) => *allocation != ip.allocation,
        (Target::Machine { allocation, .. }, Resource::Machine(machine)) => *allocation != machine.allocation,
        (Target::Network(_) | Target::Ip { .. } | Target::Machine { .. } | Target::Service { .. }, _) => true,
    };
    reallocated.then(|| "it was freed and allocated again".to_owned())
}

/// What stays on an address that somebody else uses too, or that is static; None where it may be freed (R14).
fn untagged(free: &Free, found: &Resource) -> Option<model::Tags> {
    let Resource::Ip(Ip { kind, tags, .. }) = found else { return None };
    let cluster = free.cluster.to_string();
    let rest = tags.without(|key, value| is_service_of(&cluster, key, value));
    (*kind == IpKind::Static || !rest.is_empty()).then_some(rest)
}
