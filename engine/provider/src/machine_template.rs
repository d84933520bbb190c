//! `MetalStackMachineTemplate`: what its machines would offer is written into its status once, so that Cluster API's
//! autoscaler can scale a pool up from nothing.

use crate::api::{Condition, MachineTemplateStatus, MetalStackMachineTemplate, NodeInfo};
use crate::control::{Context, Error, Kind, Reported};
use crate::names;
use crate::step::{Decision, Failure, Memory, Rest, Step};
use kube::ResourceExt as _;
use model::metal::SizeDetail;
use model::{ProjectId, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// The controller of MetalStackMachineTemplates.
pub(crate) struct Templates;

/// What is known of a template.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    object: Arc<MetalStackMachineTemplate>,
    paused: bool,
    /// Where its cluster is, whose credentials are asked with.
    place: Option<Place>,
    /// Brought in this pass.
    sizes: Option<Vec<SizeDetail>>,
    memory: Memory,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    project: ProjectId,
    credentials: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    ReadSizes(Place),
}

impl Kind for Templates {
    type Object = MetalStackMachineTemplate;
    type Status = MachineTemplateStatus;
    type Observed = Observed;
    type Action = Action;

    async fn gather(
        context: &Context,
        object: Arc<MetalStackMachineTemplate>,
        memory: Memory,
    ) -> Result<Observed, Error> {
        let caches = &context.caches;
        let cluster = caches.owner_cluster(&*object);
        let infrastructure = cluster.as_ref().and_then(|cluster| caches.infrastructure(cluster));
        let place = infrastructure.and_then(|infrastructure| {
            let credentials = infrastructure.spec.credentials_ref.as_ref().map(|r| r.name.clone());
            Some(Place { project: ProjectId::parse(&infrastructure.spec.project_id).ok()?, credentials })
        });
        let by_annotation = object.annotations().contains_key(names::PAUSED);
        let paused = by_annotation || cluster.is_some_and(|cluster| cluster.is_paused());
        Ok(Observed { object, paused, place, sizes: None, memory })
    }

    fn decide(observed: &Observed, now: Timestamp) -> Decision<Action, MachineTemplateStatus> {
        decide(observed, now)
    }

    async fn act(context: &Context, o: &mut Observed, action: Action) -> Result<(), Error> {
        let Action::ReadSizes(place) = action;
        let namespace = o.object.namespace().unwrap_or_default();
        let door = context.door(&namespace, place.credentials.as_deref(), &place.project).await;
        let sizes = match door {
            Ok(door) => door.size_details().await.map_err(|error| Failure::from(&error)),
            Err(failure) => Err(failure),
        };
        match sizes {
            Ok(sizes) => {
                o.memory.succeeded();
                o.sizes = Some(sizes);
            }
            Err(failure) => o.memory.failed(failure, context.clock.now(), context.config.resync),
        }
        Ok(())
    }

    fn object(observed: &Observed) -> &MetalStackMachineTemplate {
        &observed.object
    }

    fn status(object: &MetalStackMachineTemplate) -> Option<&MachineTemplateStatus> {
        object.status.as_ref()
    }

    fn memory(observed: &Observed) -> &Memory {
        &observed.memory
    }
}

impl Reported for MachineTemplateStatus {
    fn conditions(&self) -> &[Condition] {
        &[]
    }
}

/// The spec of a template does not change, and so what was written once stays.
fn decide(o: &Observed, now: Timestamp) -> Decision<Action, MachineTemplateStatus> {
    let is_said = o.object.status.as_ref().is_some_and(|status| !status.capacity.is_empty());
    let size = o.object.spec.template.spec.as_ref().map(|spec| spec.size.as_str()).filter(|size| !size.is_empty());
    let (Some(place), Some(size), false) = (&o.place, size, is_said) else { return Decision::leave() };
    if o.paused || o.object.metadata.deletion_timestamp.is_some() {
        return Decision::leave();
    }
    let Some(sizes) = &o.sizes else {
        return match o.memory.must_wait(now) {
            Some(wait) => Decision { step: Step::Rest(Rest::After(wait)), status: None },
            None => Decision::act(Action::ReadSizes(place.clone())),
        };
    };
    match sizes.iter().find(|detail| detail.id.as_str() == size).map(capacity) {
        Some(capacity) if !capacity.is_empty() => {
            let node_info = NodeInfo { architecture: None, operating_system: Some("linux".to_owned()) };
            Decision::rest(Rest::Change, MachineTemplateStatus { capacity, node_info: Some(node_info) })
        }
        _ => Decision::leave(),
    }
}

fn capacity(size: &SizeDetail) -> BTreeMap<String, String> {
    let memory = size.memory_bytes.map(|bytes| match bytes {
        _ if bytes.is_multiple_of(GIB) => format!("{}Gi", bytes / GIB),
        _ if bytes.is_multiple_of(MIB) => format!("{}Mi", bytes / MIB),
        _ => bytes.to_string(),
    });
    let all = [("cpu", size.cpu_cores.map(|cores| cores.to_string())), ("memory", memory)];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests;
