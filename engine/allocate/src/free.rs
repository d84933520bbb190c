//! Frees one resource: read, compared, freed. metal-api's free has no precondition, so what was read may be somebody
//! else's by now; a free is never repeated blindly.

use metal_api::{Error, Metal};
use model::request::{Free, FreeOutcome, Target};
use model::{Allocation, FleetName, ProjectId, Tags};

pub(crate) async fn free<M: Metal>(metal: &M, fleet: &FleetName, free: &Free) -> FreeOutcome {
    let read = match &free.target {
        Target::Network(id) => {
            metal.network(id).await.map(|n| changed(free, fleet, n.project.as_ref(), &n.labels, None))
        }
        Target::Ip { address, allocation } => {
            let read = metal.ip(*address).await;
            read.map(|ip| changed(free, fleet, Some(&ip.project), &ip.tags, Some((allocation, &ip.allocation))))
        }
        Target::Machine { id, allocation } => match metal.machine(id).await {
            Ok(Some(m)) => Ok(changed(free, fleet, Some(&m.project), &m.tags, Some((allocation, &m.allocation)))),
            // Not allocated any more: freeing it again would power-cycle a machine that somebody may just have got.
            Ok(None) => return FreeOutcome::Gone,
            Err(error) => Err(error),
        },
    };
    match read {
        Ok(None) => {}
        Ok(Some(message)) => return FreeOutcome::Changed { message },
        Err(Error::NotFound { .. }) => return FreeOutcome::Gone,
        Err(error) => return FreeOutcome::Failed { message: error.to_string() },
    }
    let freed = match &free.target {
        Target::Network(id) => metal.free_network(&free.project, id).await,
        Target::Ip { address, .. } => metal.free_ip(&free.project, *address).await,
        Target::Machine { id, .. } => metal.free_machine(&free.project, id).await,
    };
    match freed {
        Ok(()) => FreeOutcome::Freed,
        Err(Error::NotFound { .. }) => FreeOutcome::Gone,
        Err(error @ (Error::Invalid { .. } | Error::Conflict { .. })) => {
            FreeOutcome::NotYet { message: error.to_string() }
        }
        Err(error) => FreeOutcome::Failed { message: error.to_string() },
    }
}

/// What is not as the plan saw it; None when all of project, cluster, slot, fleet and allocation are.
fn changed(
    free: &Free,
    fleet: &FleetName,
    project: Option<&ProjectId>,
    tags: &Tags,
    allocation: Option<(&Allocation, &Allocation)>,
) -> Option<String> {
    let cluster = free.cluster.to_string();
    let mark = tags.mark();
    if project != Some(&free.project) {
        return Some("it is in another project".to_owned());
    }
    if tags.cluster() != Some(cluster.as_str()) {
        return Some(format!("its tags name {} and not `{cluster}`", tags.cluster().unwrap_or("no cluster")));
    }
    if !mark.is_some_and(|m| m.is_of(fleet) && m.slot == free.slot) {
        return Some("it does not carry our mark for this slot any more".to_owned());
    }
    allocation.filter(|(meant, is)| meant != is).map(|_| "it was freed and allocated again".to_owned())
}
