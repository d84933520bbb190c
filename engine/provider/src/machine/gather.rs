//! What a decision looks at: from the caches, and from the reading of metal-api that all objects of a project share.

use super::identity::Resource;
use super::observed::{Named, Observed, Reach, Room, Rules, Sibling};
use super::report::is_on_its_way;
use crate::api::MetalStackMachine;
use crate::capi::{Cluster, Machine as Owner};
use crate::control::{Annotated, Caches, Context, Error, is_acknowledged, owner, server, suspicion};
use crate::metal::View;
use crate::names;
use crate::step::Memory;
use kube::{Api, Resource as _, ResourceExt as _};
use model::{MachineId, ProjectId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn gather(
    context: &Context,
    object: Arc<MetalStackMachine>,
    memory: Memory,
) -> Result<Observed, Error> {
    let namespace = object.namespace().unwrap_or_default();
    let caches = &context.caches;
    let machine = owner(&*object, "Machine", "cluster.x-k8s.io");
    let machine = machine.and_then(|name| Caches::get(&caches.machines, &namespace, &name));
    let of_machine = || Caches::get(&caches.clusters, &namespace, &machine.as_ref()?.spec.cluster_name);
    let cluster = caches.owner_cluster(&*object).or_else(of_machine);
    let cluster = match cluster {
        None if object.meta().deletion_timestamp.is_some() => {
            unseen_cluster(context, &object, machine.as_deref()).await?
        }
        cluster => cluster,
    };
    let infrastructure = cluster.as_ref().and_then(|cluster| caches.infrastructure(cluster));
    let rules = Rules { settle: context.config.settle, control_plane_grace: context.config.control_plane_grace };
    let mut observed = Observed {
        object,
        owner: machine,
        cluster,
        infrastructure,
        siblings: Vec::new(),
        rooms: Vec::new(),
        bootstrap: None,
        labels_refused: false,
        memory,
        rules,
    };
    if observed.needs_metal() {
        for project in projects(context, &observed) {
            let room = room(context, &mut observed, project).await;
            observed.rooms.push(room);
        }
    }
    // Who names the only server that says it is its own is not compared with the others, at every pass of each.
    let id = observed.provider_id().and_then(server);
    let is_one = |room: &Room| match &room.reach {
        Reach::Open { mine, .. } => mine.iter().all(|machine| Some(&machine.id) == id.as_ref()),
        Reach::Closed(_) | Reach::Suspect(_) => true,
    };
    if id.is_none() || !observed.rooms.iter().all(is_one) {
        let cluster = observed.cluster.as_ref().map(|cluster| cluster.name_any());
        observed.siblings =
            cluster.map(|name| siblings(caches, &namespace, &name, &observed.object)).unwrap_or_default();
    }
    Ok(observed)
}

/// A Cluster that the cache does not have. That it is gone is believed of the API server alone: a pause must not be
/// overlooked before a server is freed.
async fn unseen_cluster(
    context: &Context,
    object: &MetalStackMachine,
    machine: Option<&Owner>,
) -> Result<Option<Arc<Cluster>>, Error> {
    let label = || object.labels().get(names::CLUSTER_NAME_LABEL).cloned();
    let name = machine.map(|machine| machine.spec.cluster_name.clone()).filter(|name| !name.is_empty()).or_else(label);
    let Some(name) = name else { return Ok(None) };
    let api: Api<Cluster> = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    Ok(api.get_opt(&name).await?.map(Arc::new))
}

/// Where its machine is. When it is deleted and nothing says where: everywhere that its namespace may use.
fn projects(context: &Context, o: &Observed) -> Vec<ProjectId> {
    match o.project() {
        Some(project) => vec![project],
        None if o.is_deleted() && o.may_have_machine() => {
            let map = context.metal.settings().map.as_ref();
            map.map(|map| map.projects(&o.namespace()).cloned().collect()).unwrap_or_default()
        }
        None => Vec::new(),
    }
}

async fn room(context: &Context, o: &mut Observed, project: ProjectId) -> Room {
    let reach = reach(context, o, &project).await;
    Room { project, reach, searched: None, looked: BTreeMap::new(), allocated: None }
}

async fn reach(context: &Context, o: &mut Observed, project: &ProjectId) -> Reach {
    let door = match context.door(&o.namespace(), o.credentials(), project).await {
        Ok(door) => door,
        Err(failure) => return Reach::Closed(failure),
    };
    let view = match door.reading().await {
        Ok(view) => view,
        Err(failure) => return Reach::Closed((&failure).into()),
    };
    let trusted = is_acknowledged(o.infrastructure.as_deref().map(|i| i as &dyn Annotated), &*o.object, &view);
    if let Some(suspect) = view.suspect.as_ref().filter(|_| !trusted) {
        return Reach::Suspect(suspicion(suspect).message);
    }
    let named = named(o, &view, context.config.metal_interval, trusted);
    if matches!(&named, Named::Here(machine) if is_on_its_way(machine, context.clock.now())) {
        door.hasten();
    }
    let mine = view.machines.values().filter(|machine| o.own_tag(machine).is_some()).cloned().collect();
    Reach::Open { named, mine }
}

/// What providerID names, in this reading and in those before.
fn named(o: &mut Observed, view: &View, interval: Duration, trusted: bool) -> Named {
    let id: Option<MachineId> = o.provider_id().and_then(server);
    let Some(id) = id else {
        o.memory.absences.clear();
        return Named::Nothing;
    };
    // What is somebody else's there is missed as what is not there at all: a restored database shows both.
    let there = view.machines.get(&id);
    let found = there.filter(|machine| o.recognise(machine, &view.project).is_ok());
    let absence = o.memory.missed(id.as_str(), found.is_some(), view, interval, trusted);
    match found {
        Some(machine) => Named::Here(Arc::clone(machine)),
        None if absence.is_concluded() => Named::Gone(there.cloned()),
        None if absence.must_ask() => Named::MissingTwice,
        None => Named::Missing,
    }
}

fn siblings(caches: &Caches, namespace: &str, cluster: &str, object: &MetalStackMachine) -> Vec<Sibling> {
    let others = caches.metal_machines_of(namespace, cluster).into_iter();
    let others = others.filter(|other| other.metadata.uid != object.metadata.uid);
    let sibling = |other: Arc<MetalStackMachine>| Sibling {
        resource: Resource::of(namespace, &other.name_any()),
        id: other.spec.provider_id.as_deref().and_then(server),
    };
    let mut all: Vec<Sibling> = others.map(sibling).collect();
    // One that cannot be read is there all the same.
    let unread = caches.unread_machines.of(namespace, cluster).into_iter().filter(|name| *name != object.name_any());
    all.extend(unread.map(|name| Sibling { resource: Resource::of(namespace, &name), id: None }));
    all
}
