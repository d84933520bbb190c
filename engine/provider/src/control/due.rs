//! Who has to be looked at when something changed.

use super::caches::{Caches, is_of, owner};
use super::credentials::Credentials;
use super::queues::Queues;
use super::secrets::Releases;
use crate::api::{MetalStackCluster, MetalStackFirewallDeployment, MetalStackFirewallTemplate, MetalStackMachine};
use crate::capi::{Cluster, Machine};
use crate::names;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use std::sync::Arc;

/// What is due when something changed.
pub(super) struct Due {
    pub(super) caches: Caches,
    pub(super) queues: Queues,
    pub(super) credentials: Arc<Credentials>,
    pub(super) releases: Releases,
}

impl Due {
    pub(super) fn cluster(&self, cluster: &Cluster) {
        let Some(namespace) = cluster.namespace() else { return };
        if let Some(reference) = cluster.spec.infrastructure_ref.as_ref().filter(|r| r.kind == "MetalStackCluster") {
            self.queues.clusters.add(&namespace, &reference.name);
        }
        self.members(&namespace, &cluster.name_any());
    }

    pub(super) fn machine(&self, machine: &Machine) {
        let Some(namespace) = machine.namespace() else { return };
        if let Some(reference) = machine.spec.infrastructure_ref.as_ref().filter(|r| r.kind == "MetalStackMachine") {
            self.queues.machines.add(&namespace, &reference.name);
        }
    }

    pub(super) fn metal_cluster(&self, infrastructure: &MetalStackCluster) {
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

    pub(super) fn metal_machine(&self, machine: &MetalStackMachine) {
        self.queues.machines.add_object(machine);
        self.may_release(machine, machine.annotations().get(names::CREDENTIALS));
        self.infrastructure_of(machine);
    }

    pub(super) fn firewall(&self, firewall: &MetalStackFirewallDeployment) {
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

    pub(super) fn firewall_template(&self, template: &MetalStackFirewallTemplate) {
        let (namespace, name) = (template.namespace(), template.name_any());
        let uses = |firewall: &MetalStackFirewallDeployment| {
            firewall.namespace() == namespace && firewall.spec.firewall_template_ref.name == name
        };
        for firewall in self.caches.firewalls.state_filter(uses) {
            self.queues.firewalls.add_object(&firewall);
        }
    }

    pub(super) fn secret(&self, secret: &PartialObjectMeta<Secret>) {
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

fn is_deleted(object: &impl ResourceExt) -> bool {
    object.meta().deletion_timestamp.is_some()
}
