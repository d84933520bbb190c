//! What a decision looks at: from the caches, and from the reading of metal-api that all objects of a project share.

use super::deaths;
use super::health::{Health, is_on_its_way};
use super::observed::{Metal, Named, Observed, Project, Terms, allocation};
use crate::api::{GROUP, MetalStackCluster, MetalStackFirewallDeployment};
use crate::control::{Annotated, Caches, Context, Error, is_acknowledged, owner, suspicion};
use crate::metal::{DoorError, ProjectDoor, View};
use crate::names;
use crate::step::Memory;
use kube::ResourceExt as _;
use model::metal::{Have, Image, Machine, MachineRole};
use model::{ImageId, MachineId, ProjectId, Tags, tags};
use std::sync::Arc;

pub(super) async fn gather(
    context: &Context,
    deployment: Arc<MetalStackFirewallDeployment>,
    memory: Memory,
) -> Result<Observed, Error> {
    let (caches, config) = (&context.caches, &context.config);
    let namespace = deployment.namespace().unwrap_or_default();
    let infrastructure = infrastructure(caches, &namespace, &deployment);
    let of_infrastructure = infrastructure.as_ref().and_then(|i| caches.owner_cluster(&**i));
    let cluster = of_infrastructure.or_else(|| caches.owner_cluster(&*deployment));
    let template = Caches::get(&caches.firewall_templates, &namespace, &deployment.spec.firewall_template_ref.name);
    let name = cluster.as_ref().map(|cluster| cluster.name_any());
    let name = name.or_else(|| deployment.labels().get(names::CLUSTER_NAME_LABEL).cloned());
    let machines = name.map_or(0, |name| caches.machine_names_of(&namespace, &name).len());
    let terms = Terms {
        settle: config.settle,
        health_timeout: config.firewall_health_timeout,
        replacement_pause: config.firewall_replacement_pause,
        image_updates: config.firewall_image_updates,
    };
    let metal = Metal::NoProject;
    let mut observed = Observed { deployment, infrastructure, cluster, template, machines, metal, memory, terms };
    if observed.needs_metal() {
        observed.metal = metal_of(context, &mut observed).await;
    }
    Ok(observed)
}

/// The owner; before it is the owner, the one that refers to the deployment.
fn infrastructure(
    caches: &Caches,
    namespace: &str,
    deployment: &MetalStackFirewallDeployment,
) -> Option<Arc<MetalStackCluster>> {
    let name = deployment.name_any();
    let owner = owner(deployment, "MetalStackCluster", GROUP);
    let owner = owner.and_then(|owner| Caches::get(&caches.metal_clusters, namespace, &owner));
    owner.or_else(|| {
        let refers = |cluster: &MetalStackCluster| {
            cluster.namespace().as_deref() == Some(namespace)
                && cluster.spec.firewall_deployment_ref.as_ref().is_some_and(|r| r.name == name)
        };
        let mut all = caches.metal_clusters.state_filter(refers);
        // Two that want the same one are told so by their own conditions; here it is always the same of them.
        all.sort_by_key(|cluster| cluster.name_any());
        all.into_iter().next()
    })
}

async fn metal_of(context: &Context, observed: &mut Observed) -> Metal {
    let Some(project) = project_of(context, observed) else { return Metal::NoProject };
    let door = match context.door(&observed.namespace(), observed.credentials().as_deref(), &project).await {
        Ok(door) => door,
        Err(failure) => return Metal::Unread(failure),
    };
    let view = match door.reading().await {
        Ok(view) => view,
        Err(failure) => return Metal::Unread((&failure).into()),
    };
    let cluster = observed.infrastructure.as_deref().map(|i| i as &dyn Annotated);
    let trusted = is_acknowledged(cluster, &*observed.deployment, &view);
    if let Some(suspect) = view.suspect.as_ref().filter(|_| !trusted) {
        return Metal::Unread(suspicion(suspect));
    }
    let (named_is_gone, found) = look(context, observed, &door, (&view, trusted)).await;
    let mut firewalls: Vec<Arc<Machine>> = view.machines.values().filter(|m| observed.concerns(m)).cloned().collect();
    firewalls.extend(found.filter(|found| firewalls.iter().all(|f| f.id != found.id)));
    let now = context.clock.now();
    if firewalls.iter().any(|firewall| firewall.role == MachineRole::Firewall && is_on_its_way(firewall, now)) {
        door.hasten();
    }
    let newest_image = newest_image(observed, &door).await;
    let named = firewalls.iter().find(|f| observed.is_named(f)).cloned();
    let is_dead = named.as_ref().is_some_and(|f| Health::of(observed, f, now).is_dead());
    let dead_since =
        deaths::seen(&mut observed.memory, is_dead, view.read_at, context.config.metal_interval, &observed.terms);
    let is_outage = !trusted
        && named.is_some_and(|named| deaths::is_outage(view.machines.values().map(Arc::as_ref), &named.partition));
    Metal::Read(Project {
        id: project,
        firewalls,
        named_is_gone,
        dead_since,
        is_outage,
        newest_image,
        searched: None,
        freed: Vec::new(),
    })
}

/// Where the firewall was allocated; else where it would be. When it is deleted and nothing says where: the one project
/// that its namespace may use.
fn project_of(context: &Context, observed: &Observed) -> Option<ProjectId> {
    let annotated = observed.annotation(names::PROJECT).and_then(|id| ProjectId::parse(id).ok());
    let of_cluster = || ProjectId::parse(&observed.infrastructure.as_ref()?.spec.project_id).ok();
    let only = || {
        let map = context.metal.settings().map.as_ref().filter(|_| observed.is_deleted())?;
        let namespace = observed.namespace();
        let mut projects = map.projects(&namespace);
        projects.next().cloned().filter(|_| projects.next().is_none())
    };
    annotated.or_else(of_cluster).or_else(only)
}

/// Whether the named firewall, or the noted one where its name was lost, is gone as R15 concludes it; and itself, where a
/// direct look had it after all.
async fn look(
    context: &Context,
    observed: &mut Observed,
    door: &ProjectDoor,
    (view, trusted): (&View, bool),
) -> (bool, Option<Arc<Machine>>) {
    let sought = match (observed.named(), observed.noted()) {
        (Named::Firewall(id), _) => Sought::Id(id),
        (Named::Nothing, Some(noted)) => Sought::Allocation(noted.to_owned()),
        _ => {
            observed.memory.absences.clear();
            return (false, None);
        }
    };
    let is_there = view.machines.values().any(|machine| sought.is(machine));
    let absence = observed.memory.missed(sought.as_str(), is_there, view, context.config.metal_interval, trusted);
    if !absence.must_ask() {
        return (absence.is_concluded(), None);
    }
    // Where nobody answers it is asked again at the next pass.
    let Ok(found) = ask(door, &sought).await else { return (false, None) };
    observed.memory.asked(sought.as_str(), found.is_some());
    (found.is_none(), found)
}

/// By what a firewall is looked for.
enum Sought {
    Id(MachineId),
    Allocation(String),
}

impl Sought {
    fn as_str(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::Allocation(noted) => noted,
        }
    }

    fn is(&self, machine: &Machine) -> bool {
        match self {
            Self::Id(id) => machine.id == *id,
            Self::Allocation(noted) => allocation(machine) == Some(noted.as_str()),
        }
    }
}

async fn ask(door: &ProjectDoor, sought: &Sought) -> Result<Option<Arc<Machine>>, DoorError> {
    match sought {
        Sought::Id(id) => door.machine_now(id).await,
        Sought::Allocation(_) => {
            let all = door.find_machines(Some(MachineRole::Firewall), &Tags::new()).await?;
            Ok(all.into_iter().find(|machine| sought.is(machine)))
        }
    }
}

/// What the template's image stands for now; asked for only where it may be updated.
async fn newest_image(observed: &Observed, door: &ProjectDoor) -> Option<ImageId> {
    let wanted = observed.wants_newest_image().then_some(observed.template.as_ref()?)?;
    let wanted = ImageId::parse(&wanted.spec.image).ok()?;
    let images = door.images().await.ok()?;
    let images: Vec<Image> = images.iter().filter(|image| image.for_firewalls).cloned().collect();
    Have { images, ..Have::default() }.resolve_image(&wanted).map(|image| image.id.clone())
}

impl Observed {
    fn needs_metal(&self) -> bool {
        !self.is_paused() && (self.is_deleted() || self.infrastructure.is_some() && self.cluster.is_some())
    }

    /// The named one, the noted one, those with the deployment's tag, the cluster's, and those in its node network.
    fn concerns(&self, machine: &Machine) -> bool {
        let of_cluster = |cluster: String| {
            machine.role == MachineRole::Firewall && machine.tags.has(tags::CLUSTER_RESOURCE, &cluster)
        };
        self.named() == Named::Firewall(machine.id.clone())
            || machine.tags.has(tags::FIREWALL_DEPLOYMENT_RESOURCE, &self.deployment_tag())
            || self.noted().is_some_and(|noted| allocation(machine) == Some(noted))
            || self.cluster_tag().is_some_and(of_cluster)
            || self.is_in_node_network(machine)
    }
}
