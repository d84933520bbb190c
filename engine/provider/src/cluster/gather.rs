//! What is read for a decision: from the caches, and from the project's reading that all its objects share.

use super::observed::{Credentials, Found, Observed, Presence, Rules, Seen, address, cluster_name, owner};
use crate::api::{GROUP, MetalStackCluster, MetalStackFirewallDeployment};
use crate::capi::Cluster;
use crate::control::{Caches, Context, Error, is_acknowledged, suspicion};
use crate::metal::{Absence, DoorError, ProjectDoor, View};
use crate::names;
use crate::reason::Reason;
use crate::step::{Failure, Memory};
use kube::{Api, ResourceExt as _};
use model::metal::NetworkKind;
use model::{NetworkId, PartitionId, ProjectId};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// By this label CAPMS finds the network of VIPs.
const DEFAULT_NETWORK: &str = "network.metal-stack.io/default";

pub(super) async fn gather(
    context: &Context,
    object: Arc<MetalStackCluster>,
    mut memory: Memory,
) -> Result<Observed, Error> {
    if object.annotations().contains_key(names::ATTEMPT) && !memory.attempt_is_mine {
        // Whoever drew it may have a call under way yet.
        memory.unsettled_since.get_or_insert(context.clock.now());
    }
    let namespace = object.namespace().unwrap_or_default();
    let firewall = object.spec.firewall_deployment_ref.as_ref();
    let firewall = firewall.and_then(|r| Caches::get(&context.caches.firewalls, &namespace, &r.name));
    let mut observed = Observed {
        cluster: cluster(context, &object).await?,
        firewall,
        firewalls: firewalls(context, &object),
        machines: machines(context, &object),
        metal: Ok(Seen::default()),
        found: Found::default(),
        credentials: Credentials::Unasked,
        rules: Rules { settle: context.config.settle, wait_for_firewall: context.config.wait_for_firewall },
        object,
        memory,
    };
    // Of what is left alone, nothing is asked.
    let ours = observed.cluster.is_some() || observed.is_deleting();
    if ours && !observed.is_paused() && !observed.object.annotations().contains_key(names::MANAGED_BY) {
        look(context, &mut observed).await;
        // What the garbage collector takes with a Cluster is not written again.
        let is_going = |cluster: &Cluster| observed.is_deleting() || cluster.metadata.deletion_timestamp.is_some();
        if let Some(cluster) = observed.cluster.as_ref().filter(|cluster| !is_going(cluster)) {
            observed.credentials = crate::ccm::look(context, &observed.object, cluster).await?;
        }
    }
    Ok(observed)
}

/// Reads the project, or what was read of it a moment ago, and looks for what the object names.
pub(super) async fn look(context: &Context, observed: &mut Observed) {
    let door = match door(context, &observed.object).await {
        Ok(door) => door,
        Err(failure) => {
            observed.metal = Err(failure);
            return;
        }
    };
    let view = match door.reading().await {
        Ok(view) => view,
        Err(failure) => {
            observed.metal = Err(Failure::from(&failure));
            return;
        }
    };
    let interval = context.config.metal_interval;
    let Observed { object, memory, .. } = observed;
    let trusted = suspect(object, &view).is_none();
    let network = object.spec.node_network_id.as_deref().and_then(|id| NetworkId::parse(id).ok());
    let address = address(object);
    let named: Vec<String> =
        network.iter().map(ToString::to_string).chain(address.iter().map(ToString::to_string)).collect();
    memory.absences.retain(|id, _| named.contains(id));
    let seen_network = match &network {
        None => Presence::Missing,
        Some(id) => {
            let here = view.network(id).cloned();
            presence((&view, trusted), &door, memory, interval, id.as_str(), here, door.network_now(id)).await
        }
    };
    let seen_address = match &address {
        None => Presence::Missing,
        Some(address) => {
            let here = view.ips.get(address).cloned();
            presence((&view, trusted), &door, memory, interval, &address.to_string(), here, ip_now(&door, *address))
                .await
        }
    };
    observed.metal = Ok(Seen {
        suspect: suspect(object, &view),
        network: seen_network,
        address: seen_address,
        default_networks: default_networks(object, &view),
    });
}

async fn ip_now(door: &ProjectDoor, address: IpAddr) -> Result<Option<Arc<model::metal::Ip>>, DoorError> {
    door.ip_now(address).await
}

/// R15: two readings without it, and then a find by its id.
async fn presence<T>(
    (view, trusted): (&View, bool),
    door: &ProjectDoor,
    memory: &mut Memory,
    interval: Duration,
    id: &str,
    here: Option<Arc<T>>,
    ask: impl Future<Output = Result<Option<Arc<T>>, DoorError>>,
) -> Presence<Arc<T>> {
    if let Some(here) = here {
        memory.absences.remove(id);
        return Presence::Here(here);
    }
    let mut absence = memory.absences.get(id).copied().unwrap_or_default().seen(false, view, interval, trusted);
    if absence.must_ask() {
        match ask.await {
            Ok(Some(here)) => {
                memory.absences.remove(id);
                return Presence::Here(here);
            }
            Ok(None) => absence = absence.asked(false),
            Err(error) => tracing::debug!(%error, id, "what seems to be gone could not be looked for"),
        }
    }
    if absence != Absence::Present {
        memory.absences.insert(id.to_owned(), absence);
    }
    if absence.is_concluded() {
        return Presence::Gone;
    }
    // Looking again soon tells nothing while the project is suspect.
    if trusted {
        door.hasten();
    }
    Presence::Missing
}

/// The door to the project of the object.
pub(super) async fn door(context: &Context, object: &MetalStackCluster) -> Result<Arc<ProjectDoor>, Failure> {
    let project = ProjectId::parse(&object.spec.project_id).map_err(|error| Failure {
        reason: Reason::InvalidSpec,
        message: format!("spec.projectID: {error}."),
        unknown_outcome: false,
        after: None,
    })?;
    let credentials = object.spec.credentials_ref.as_ref().map(|r| r.name.as_str());
    context.door(&object.namespace().unwrap_or_default(), credentials, &project).await
}

fn suspect(object: &MetalStackCluster, view: &View) -> Option<Failure> {
    let suspect = view.suspect.as_ref()?;
    if is_acknowledged(None, object, view) {
        return None;
    }
    let knows_partition = PartitionId::parse(&object.spec.partition).is_ok_and(|id| view.partitions.contains(&id));
    let is_empty = view.machines.is_empty() && view.ips.is_empty() && view.networks.is_empty();
    let unknown = knows_partition && is_empty && suspect.missing == suspect.of;
    let failure = suspicion(suspect);
    Some(if unknown { Failure { reason: Reason::ProjectUnknown, ..failure } } else { failure })
}

fn default_networks(object: &MetalStackCluster, view: &View) -> Vec<NetworkId> {
    let networks = view.shared_networks.values().chain(view.networks.values());
    let fits = networks.filter(|network| {
        let elsewhere = network.partition.as_ref().is_some_and(|of| of.as_str() != object.spec.partition);
        network.kind == NetworkKind::External && network.labels.get(DEFAULT_NETWORK).is_some() && !elsewhere
    });
    fits.map(|network| network.id.clone()).collect()
}

/// The owner; for one that is being deleted also the Cluster that the label names, since it may pause the deletion. Then
/// it is gone only when the API server says so: the cache may be behind, or cannot read it.
async fn cluster(context: &Context, object: &MetalStackCluster) -> Result<Option<Arc<Cluster>>, Error> {
    let cached = context.caches.owner_cluster(object);
    if object.metadata.deletion_timestamp.is_none() {
        return Ok(cached.filter(|cluster| owner(object) == cluster.metadata.name.as_deref()));
    }
    if cached.is_some() {
        return Ok(cached);
    }
    let api: Api<Cluster> = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    Ok(api.get_opt(&cluster_name(object)).await?.map(Arc::new))
}

fn machines(context: &Context, object: &MetalStackCluster) -> Vec<String> {
    if object.metadata.deletion_timestamp.is_none() {
        return Vec::new();
    }
    let namespace = object.namespace().unwrap_or_default();
    context.caches.machine_names_of(&namespace, &cluster_name(object))
}

fn firewalls(context: &Context, object: &MetalStackCluster) -> Vec<Arc<MetalStackFirewallDeployment>> {
    if object.metadata.deletion_timestamp.is_none() {
        return Vec::new();
    }
    let (namespace, name) = (object.namespace(), object.name_any());
    let named = |object: &MetalStackCluster| object.spec.firewall_deployment_ref.as_ref().map(|r| r.name.clone());
    let others = context.caches.metal_clusters.state_filter(|o| o.namespace() == namespace && o.name_any() != name);
    let named = named(object).filter(|ours| !others.iter().any(|other| named(other).as_ref() == Some(ours)));
    let goes_along = |deployment: &MetalStackFirewallDeployment| {
        let group = format!("{GROUP}/");
        let is_owned = deployment.owner_references().iter().any(|owner| {
            owner.kind == "MetalStackCluster" && owner.api_version.starts_with(&group) && owner.name == name
        });
        deployment.namespace() == namespace && (is_owned || named.as_ref() == Some(&deployment.name_any()))
    };
    context.caches.firewalls.state_filter(goes_along)
}
