//! The watched objects: one watch per kind for all controllers, each object without what nobody reads.

use super::config::Scope;
use super::credentials::Credentials;
use super::queues::Queues;
use super::secrets::Releases;
use crate::api::{
    MetalStackCluster, MetalStackFirewallDeployment, MetalStackFirewallTemplate, MetalStackMachine,
    MetalStackMachineTemplate,
};
use crate::capi::{Cluster, Machine};
use crate::names;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

/// What the API server has, as it was told last. It may be behind: who writes compares the resourceVersion.
#[derive(Clone, Debug)]
pub(crate) struct Caches {
    pub clusters: Store<Cluster>,
    pub machines: Store<Machine>,
    pub metal_clusters: Store<MetalStackCluster>,
    pub metal_machines: Store<MetalStackMachine>,
    pub firewalls: Store<MetalStackFirewallDeployment>,
    pub firewall_templates: Store<MetalStackFirewallTemplate>,
    pub machine_templates: Store<MetalStackMachineTemplate>,
}

impl Caches {
    /// The object of this name, where it is there.
    pub fn get<K>(store: &Store<K>, namespace: &str, name: &str) -> Option<Arc<K>>
    where
        K: Resource<DynamicType = ()> + Clone + 'static,
    {
        store.get(&ObjectRef::new(name).within(namespace))
    }

    /// The Cluster that owns an object, by group and kind of the owner, or by the label that Cluster API puts there.
    pub fn owner_cluster(&self, object: &impl ResourceExt) -> Option<Arc<Cluster>> {
        let namespace = object.namespace()?;
        let owner = owner(object, "Cluster", "cluster.x-k8s.io");
        let name = owner.or_else(|| object.labels().get(names::CLUSTER_NAME_LABEL).cloned())?;
        Self::get(&self.clusters, &namespace, &name)
    }

    /// The infrastructure that a Cluster refers to.
    pub fn infrastructure(&self, cluster: &Cluster) -> Option<Arc<MetalStackCluster>> {
        let reference = cluster.spec.infrastructure_ref.as_ref().filter(|r| r.kind == "MetalStackCluster")?;
        Self::get(&self.metal_clusters, &cluster.namespace()?, &reference.name)
    }

    /// The machines of a cluster, by the label that Cluster API puts there.
    pub fn metal_machines_of(&self, namespace: &str, cluster: &str) -> Vec<Arc<MetalStackMachine>> {
        self.metal_machines.state_filter(|machine| is_of(machine, namespace, cluster))
    }

    pub async fn until_ready(&self) {
        // An error says that the watch ended, which only the end of the process does.
        let _ = self.clusters.wait_until_ready().await;
        let _ = self.machines.wait_until_ready().await;
        let _ = self.metal_clusters.wait_until_ready().await;
        let _ = self.metal_machines.wait_until_ready().await;
        let _ = self.firewalls.wait_until_ready().await;
        let _ = self.firewall_templates.wait_until_ready().await;
        let _ = self.machine_templates.wait_until_ready().await;
    }
}

/// The name of the owner of this kind and group, whatever its version.
pub(crate) fn owner(object: &impl ResourceExt, kind: &str, group: &str) -> Option<String> {
    let is = |api_version: &str| api_version.split_once('/').is_some_and(|(of, _)| of == group);
    let owner = object.owner_references().iter().find(|o| o.kind == kind && is(&o.api_version));
    owner.map(|o| o.name.clone())
}

fn is_deleted(object: &impl ResourceExt) -> bool {
    object.meta().deletion_timestamp.is_some()
}

fn is_of(object: &impl ResourceExt, namespace: &str, cluster: &str) -> bool {
    object.namespace().as_deref() == Some(namespace)
        && object.labels().get(names::CLUSTER_NAME_LABEL).is_some_and(|name| name == cluster)
}

/// Caches and what fills them. The future runs as long as the process.
pub(super) fn start(
    client: &Client,
    scope: &Scope,
    queues: &Queues,
    credentials: &Arc<Credentials>,
    releases: &Releases,
) -> (Caches, impl Future<Output = ()> + Send + use<>) {
    let all = watcher::Config::default;
    let ours = || match &scope.watch_filter {
        Some(value) => all().labels(&format!("{}={value}", names::WATCH_FILTER_LABEL)),
        None => all(),
    };
    let (clusters, watch_clusters) = watched::<Cluster>(client, scope, all());
    let (machines, watch_machines) = watched::<Machine>(client, scope, all());
    let (metal_clusters, watch_metal_clusters) = watched::<MetalStackCluster>(client, scope, ours());
    let (metal_machines, watch_metal_machines) = watched::<MetalStackMachine>(client, scope, ours());
    let (firewalls, watch_firewalls) = watched::<MetalStackFirewallDeployment>(client, scope, ours());
    let (firewall_templates, watch_firewall_templates) = watched::<MetalStackFirewallTemplate>(client, scope, all());
    let (machine_templates, watch_machine_templates) = watched::<MetalStackMachineTemplate>(client, scope, ours());
    let caches =
        Caches { clusters, machines, metal_clusters, metal_machines, firewalls, firewall_templates, machine_templates };
    let due = Arc::new(Due {
        caches: caches.clone(),
        queues: queues.clone(),
        credentials: Arc::clone(credentials),
        releases: releases.clone(),
    });
    let secrets = secrets(client, scope, Arc::clone(&due));
    let on = |due: &Arc<Due>| Arc::clone(due);
    let (a, b, c, d, e, f, g) = (on(&due), on(&due), on(&due), on(&due), on(&due), on(&due), on(&due));
    let run = async move {
        tokio::join!(
            watch_clusters(Box::new(move |o| a.cluster(o))),
            watch_machines(Box::new(move |o| b.machine(o))),
            watch_metal_clusters(Box::new(move |o| c.metal_cluster(o))),
            watch_metal_machines(Box::new(move |o| d.metal_machine(o))),
            watch_firewalls(Box::new(move |o| e.firewall(o))),
            watch_firewall_templates(Box::new(move |o| f.firewall_template(o))),
            watch_machine_templates(Box::new(move |o| g.queues.machine_templates.add_object(o))),
            secrets,
        );
    };
    (caches, run)
}

type OnChange<K> = Box<dyn Fn(&K) + Send + Sync>;
type Watch<K> = Box<dyn FnOnce(OnChange<K>) -> futures::future::BoxFuture<'static, ()> + Send>;

/// A store, and what keeps it: a watch that never ends and tells of every object that came, changed or went.
fn watched<K>(client: &Client, scope: &Scope, config: watcher::Config) -> (Store<K>, Watch<K>)
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let (store, mut writer) = reflector::store::<K>();
    let api = api::<DeserializeGuard<K>>(client, scope);
    let reader = store.clone();
    let watch: Watch<K> = Box::new(move |changed| {
        Box::pin(async move {
            let mut events = Box::pin(watcher(api, config).default_backoff());
            while let Some(event) = events.next().await {
                let event = match event {
                    Ok(event) => event,
                    Err(error) => {
                        tracing::warn!(kind = %K::kind(&()), %error, "a watch failed and is taken up again");
                        continue;
                    }
                };
                let Some(event) = readable(event) else { continue };
                writer.apply_watcher_event(&event);
                match &event {
                    watcher::Event::Apply(object) | watcher::Event::Delete(object) => changed(object),
                    // What went away while nothing was watched is told by its absence: all are looked at.
                    watcher::Event::InitDone => reader.state().iter().for_each(|object| changed(object)),
                    watcher::Event::Init | watcher::Event::InitApply(_) => {}
                }
            }
        })
    });
    (store, watch)
}

fn api<K>(client: &Client, scope: &Scope) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    match &scope.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// An event of an object that can be read, without its managed fields, which are most of its bytes.
fn readable<K: Resource<DynamicType = ()>>(event: watcher::Event<DeserializeGuard<K>>) -> Option<watcher::Event<K>> {
    let lean = |DeserializeGuard(object): DeserializeGuard<K>| match object {
        Ok(mut object) => {
            object.meta_mut().managed_fields = None;
            Some(object)
        }
        Err(invalid) => {
            let (name, namespace) = (invalid.metadata.name.as_deref(), invalid.metadata.namespace.as_deref());
            tracing::warn!(kind = %K::kind(&()), name, namespace, error = %invalid.error, "an object that cannot be read is left alone");
            None
        }
    };
    Some(match event {
        watcher::Event::Apply(object) => watcher::Event::Apply(lean(object)?),
        watcher::Event::Delete(object) => watcher::Event::Delete(lean(object)?),
        watcher::Event::InitApply(object) => watcher::Event::InitApply(lean(object)?),
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitDone => watcher::Event::InitDone,
    })
}

/// Secrets are watched by name only; what is in them is read on demand.
fn secrets(client: &Client, scope: &Scope, due: Arc<Due>) -> impl Future<Output = ()> + Send + use<> {
    let api = api::<PartialObjectMeta<Secret>>(client, scope);
    async move {
        let mut events = Box::pin(watcher(api, watcher::Config::default()).default_backoff());
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Apply(secret) | watcher::Event::Delete(secret)) => due.secret(&secret),
                // What changed while nothing was watched is not told of.
                Ok(watcher::Event::InitApply(secret)) => due.secret(&secret),
                Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
                Err(error) => tracing::warn!(%error, "the watch of Secrets failed and is taken up again"),
            }
        }
    }
}

/// What is due when something changed.
struct Due {
    caches: Caches,
    queues: Queues,
    credentials: Arc<Credentials>,
    releases: Releases,
}

impl Due {
    fn cluster(&self, cluster: &Cluster) {
        let Some(namespace) = cluster.namespace() else { return };
        if let Some(reference) = cluster.spec.infrastructure_ref.as_ref().filter(|r| r.kind == "MetalStackCluster") {
            self.queues.clusters.add(&namespace, &reference.name);
        }
        self.members(&namespace, &cluster.name_any());
    }

    fn machine(&self, machine: &Machine) {
        let Some(namespace) = machine.namespace() else { return };
        if let Some(reference) = machine.spec.infrastructure_ref.as_ref().filter(|r| r.kind == "MetalStackMachine") {
            self.queues.machines.add(&namespace, &reference.name);
        }
    }

    fn metal_cluster(&self, infrastructure: &MetalStackCluster) {
        self.queues.clusters.add_object(infrastructure);
        self.may_release(infrastructure, infrastructure.spec.credentials_ref.as_ref().map(|r| &r.name));
        let Some(namespace) = infrastructure.namespace() else { return };
        let owner = owner(infrastructure, "Cluster", "cluster.x-k8s.io");
        if let Some(cluster) = owner.or_else(|| infrastructure.labels().get(names::CLUSTER_NAME_LABEL).cloned()) {
            self.members(&namespace, &cluster);
        }
        if let Some(reference) = &infrastructure.spec.firewall_deployment_ref {
            self.queues.firewalls.add(&namespace, &reference.name);
        }
    }

    fn metal_machine(&self, machine: &MetalStackMachine) {
        self.queues.machines.add_object(machine);
        self.may_release(machine, machine.annotations().get(names::CREDENTIALS));
        self.infrastructure_of(machine);
    }

    fn firewall(&self, firewall: &MetalStackFirewallDeployment) {
        self.queues.firewalls.add_object(firewall);
        self.may_release(firewall, firewall.annotations().get(names::CREDENTIALS));
        let (namespace, name) = (firewall.namespace(), firewall.name_any());
        let refers = |cluster: &MetalStackCluster| {
            cluster.namespace() == namespace
                && cluster.spec.firewall_deployment_ref.as_ref().is_some_and(|r| r.name == name)
        };
        for cluster in self.caches.metal_clusters.state_filter(refers) {
            self.queues.clusters.add_object(&cluster);
        }
    }

    fn firewall_template(&self, template: &MetalStackFirewallTemplate) {
        let (namespace, name) = (template.namespace(), template.name_any());
        let uses = |firewall: &MetalStackFirewallDeployment| {
            firewall.namespace() == namespace && firewall.spec.firewall_template_ref.name == name
        };
        for firewall in self.caches.firewalls.state_filter(uses) {
            self.queues.firewalls.add_object(&firewall);
        }
    }

    fn secret(&self, secret: &PartialObjectMeta<Secret>) {
        let (namespace, name) = (secret.namespace(), secret.name_any());
        self.credentials.forget(namespace.as_deref().unwrap_or_default(), &name);
        if secret.finalizers().iter().any(|f| f == names::CREDENTIALS_FINALIZER) && is_deleted(secret) {
            self.releases.look(namespace.as_deref().unwrap_or_default(), &name);
        }
        let uses = |cluster: &MetalStackCluster| {
            let annotated = cluster.annotations().get(names::CCM_CREDENTIALS).is_some_and(|of| *of == name);
            let written = owner(secret, "Cluster", "cluster.x-k8s.io");
            let written = written.is_some_and(|of| owner(cluster, "Cluster", "cluster.x-k8s.io") == Some(of));
            let referred = cluster.spec.credentials_ref.as_ref().is_some_and(|r| r.name == name);
            cluster.namespace() == namespace && (annotated || referred || written)
        };
        for cluster in self.caches.metal_clusters.state_filter(uses) {
            self.queues.clusters.add_object(&cluster);
        }
    }

    /// The Secret of an object that goes, or went, may be one that nothing else needs.
    fn may_release(&self, object: &impl ResourceExt, secret: Option<&String>) {
        if let (true, Some(namespace), Some(secret)) = (is_deleted(object), object.namespace(), secret) {
            self.releases.look(&namespace, secret);
        }
    }

    /// Machines and firewall of a Cluster.
    fn members(&self, namespace: &str, cluster: &str) {
        for machine in self.caches.metal_machines_of(namespace, cluster) {
            self.queues.machines.add_object(&machine);
        }
        for firewall in self.caches.firewalls.state_filter(|firewall| is_of(firewall, namespace, cluster)) {
            self.queues.firewalls.add_object(&firewall);
        }
    }

    fn infrastructure_of(&self, member: &impl ResourceExt) {
        let (Some(namespace), Some(name)) = (member.namespace(), member.labels().get(names::CLUSTER_NAME_LABEL)) else {
            return;
        };
        let cluster = Caches::get(&self.caches.clusters, &namespace, name);
        if let Some(infrastructure) = cluster.and_then(|cluster| self.caches.infrastructure(&cluster)) {
            self.queues.clusters.add_object(&infrastructure);
        }
    }
}
