//! The watched objects: one watch per kind for all controllers, each object without what nobody reads.

use super::config::Scope;
use super::credentials::Credentials;
use super::due::Due;
use super::queues::Queues;
use super::secrets::Releases;
use super::watch::{Unread, api, watched, watched_with};
use crate::api::{
    MetalStackCluster, MetalStackFirewallDeployment, MetalStackFirewallTemplate, MetalStackMachine,
    MetalStackMachineTemplate,
};
use crate::capi::{Cluster, Machine};
use crate::names;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource, ResourceExt};
use std::future::Future;
use std::sync::Arc;

/// What the API server has, as it was told last. It may be behind: who writes compares the resourceVersion.
#[derive(Clone, Debug)]
pub(crate) struct Caches {
    pub clusters: Store<Cluster>,
    pub machines: Store<Machine>,
    pub metal_clusters: Store<MetalStackCluster>,
    pub metal_machines: Store<MetalStackMachine>,
    pub unread_machines: Unread,
    pub firewalls: Store<MetalStackFirewallDeployment>,
    pub firewall_templates: Store<MetalStackFirewallTemplate>,
    pub machine_templates: Store<MetalStackMachineTemplate>,
}

impl Caches {
    /// The object of this name, where it is there.
    pub(crate) fn get<K>(store: &Store<K>, namespace: &str, name: &str) -> Option<Arc<K>>
    where
        K: Resource<DynamicType = ()> + Clone + 'static,
    {
        store.get(&ObjectRef::new(name).within(namespace))
    }

    /// The Cluster that owns an object, by group and kind of the owner, or by the label that Cluster API puts there.
    pub(crate) fn owner_cluster(&self, object: &impl ResourceExt) -> Option<Arc<Cluster>> {
        let namespace = object.namespace()?;
        let owner = owner(object, "Cluster", "cluster.x-k8s.io");
        let name = owner.or_else(|| object.labels().get(names::CLUSTER_NAME_LABEL).cloned())?;
        Self::get(&self.clusters, &namespace, &name)
    }

    /// The infrastructure that a Cluster refers to.
    pub(crate) fn infrastructure(&self, cluster: &Cluster) -> Option<Arc<MetalStackCluster>> {
        let reference = cluster.spec.infrastructure_ref.as_ref().filter(|r| r.kind == "MetalStackCluster")?;
        Self::get(&self.metal_clusters, &cluster.namespace()?, &reference.name)
    }

    /// The machines of a cluster, by the label that Cluster API puts there.
    pub(crate) fn metal_machines_of(&self, namespace: &str, cluster: &str) -> Vec<Arc<MetalStackMachine>> {
        self.metal_machines.state_filter(|machine| is_of(machine, namespace, cluster))
    }

    /// Names of the machines of a cluster, also of those that cannot be read.
    pub(crate) fn machine_names_of(&self, namespace: &str, cluster: &str) -> Vec<String> {
        let read = self.metal_machines_of(namespace, cluster);
        let mut names: Vec<String> = read.iter().map(|machine| machine.name_any()).collect();
        names.extend(self.unread_machines.of(namespace, cluster));
        names.sort_unstable();
        names.dedup();
        names
    }

    pub(crate) async fn until_ready(&self) {
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

pub(super) fn is_of(object: &impl ResourceExt, namespace: &str, cluster: &str) -> bool {
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
    let unread_machines = Unread::default();
    let (clusters, watch_clusters) = watched::<Cluster>(client, scope, all());
    let (machines, watch_machines) = watched::<Machine>(client, scope, all());
    let (metal_clusters, watch_metal_clusters) = watched::<MetalStackCluster>(client, scope, ours());
    let (metal_machines, watch_metal_machines) = {
        let unread = unread_machines.clone();
        watched_with::<MetalStackMachine>(client, scope, ours(), unread)
    };
    let (firewalls, watch_firewalls) = watched::<MetalStackFirewallDeployment>(client, scope, ours());
    let (firewall_templates, watch_firewall_templates) = watched::<MetalStackFirewallTemplate>(client, scope, all());
    let (machine_templates, watch_machine_templates) = watched::<MetalStackMachineTemplate>(client, scope, ours());
    let caches = Caches {
        clusters,
        machines,
        metal_clusters,
        metal_machines,
        unread_machines,
        firewalls,
        firewall_templates,
        machine_templates,
    };
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
                Ok(watcher::Event::Init) => due.credentials.forget_all(),
                Ok(watcher::Event::InitDone) => {}
                Err(error) => tracing::warn!(%error, "the watch of Secrets failed and is taken up again"),
            }
        }
    }
}
