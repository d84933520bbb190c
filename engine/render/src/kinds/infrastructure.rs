//! `infrastructure.yaml`: Cluster, MetalStackCluster and the firewall's two objects.

use crate::facts::{
    CNI_LABEL, CONTROL_PLANE_GROUP, Facts, INFRASTRUCTURE_GROUP, PROVIDER, PROVIDER_LABEL, object, reference,
};
use model::fleet::ProviderKind;
use model::rules::Port;
use serde_json::{Map, Value, json};

pub(crate) const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io/v1alpha1";
/// Which slots the provider never fills (R7).
pub(crate) const ENGINE_SLOTS: &str = "fleet.metal-stack.io/engine-slots";
/// From which Secret the provider writes the cloud controller manager's (R12). CAPMS knows nothing of it.
const CCM_CREDENTIALS: &str = "fleet.metal-stack.io/ccm-credentials";

pub(crate) fn cluster(facts: Facts<'_>) -> Value {
    let effective = facts.effective();
    let mut metadata = facts.metadata(facts.name(), &[]);
    // Ours last: the addons find the cluster by them.
    let mut labels: Map<_, _> = effective.labels.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    labels.insert(crate::facts::CLUSTER_NAME_LABEL.to_owned(), facts.name().into());
    labels.insert(PROVIDER_LABEL.to_owned(), PROVIDER.into());
    if let Some(cni) = &effective.cni {
        labels.insert(CNI_LABEL.to_owned(), super::addons::cni_name(cni.kind).into());
    }
    metadata["labels"] = Value::Object(labels);

    let mut spec = Map::new();
    // R8: never rendered as false, which would resume what somebody paused.
    if effective.paused {
        spec.insert("paused".to_owned(), true.into());
    }
    let mut network = json!({
        "pods": {"cidrBlocks": [effective.pods.value]},
        "services": {"cidrBlocks": [effective.services.value]},
    });
    if facts.port() != Port::API {
        network["apiServerPort"] = json!(facts.port());
    }
    spec.insert("clusterNetwork".to_owned(), network);
    let control_plane = super::control_plane::name(facts);
    let control_plane = reference(CONTROL_PLANE_GROUP, "KubeadmControlPlane", &control_plane);
    spec.insert("controlPlaneRef".to_owned(), control_plane);
    let infrastructure = reference(INFRASTRUCTURE_GROUP, "MetalStackCluster", facts.name());
    spec.insert("infrastructureRef".to_owned(), infrastructure);
    object("cluster.x-k8s.io/v1beta2", "Cluster", metadata, Value::Object(spec))
}

pub(crate) fn metal_cluster(facts: Facts<'_>) -> Value {
    let slots = facts.engine_slots();
    let mut metadata = facts.metadata(facts.name(), &[]);
    if let Some(annotation) = slots.annotation() {
        metadata["annotations"][ENGINE_SLOTS] = annotation.into();
    }
    let effective = facts.effective();
    if let (ProviderKind::Ferrofleet, Some(ccm)) = (effective.provider.value, &effective.ccm) {
        metadata["annotations"][CCM_CREDENTIALS] = json!(ccm.credentials_ref);
    }
    let identity = &facts.wanted.identity;
    let mut spec = json!({"projectID": identity.project, "partition": identity.partition});
    // A delegated slot's field stays absent, never null: null is a value to some readers.
    if let (true, Some(network)) = (slots.network, &facts.values.node_network) {
        spec["nodeNetworkID"] = json!(network.id);
    }
    if let (true, Some(vip)) = (slots.vip, &facts.values.vip) {
        spec["controlPlaneIP"] = json!(vip.address);
        spec["controlPlaneEndpoint"] = json!({"host": vip.address, "port": facts.port()});
    }
    spec["firewallDeploymentRef"] = json!({"name": facts.name()});
    object(INFRASTRUCTURE, "MetalStackCluster", metadata, spec)
}

pub(crate) fn firewall_deployment(facts: Facts<'_>) -> Value {
    // R3: the firewall is replaced by its owner, never by an image's age.
    let mut spec = json!({
        "autoUpdate": {"machineImage": false},
        "firewallTemplateRef": {"name": facts.name()},
    });
    if let (true, Some(firewall)) = (facts.engine_slots().firewall, &facts.values.firewall) {
        let name = format!("metal://{}/{}", facts.wanted.identity.partition, firewall.id);
        spec["managedResourceRef"] = json!({"name": name});
    }
    object(INFRASTRUCTURE, "MetalStackFirewallDeployment", facts.metadata(facts.name(), &[]), spec)
}

pub(crate) fn firewall_template(facts: Facts<'_>) -> Value {
    let firewall = &facts.effective().firewall;
    let identity = &facts.wanted.identity;
    let image = facts.values.firewall.as_ref().map_or(&firewall.image.value, |f| &f.image);
    let rules = firewall.rules(facts.port());
    let spec = json!({
        "size": firewall.size.value,
        "image": image,
        "partition": identity.partition,
        "project": identity.project,
        "networks": firewall.networks.value,
        "initialRuleSet": {"egress": rules.egress, "ingress": rules.ingress},
    });
    object(INFRASTRUCTURE, "MetalStackFirewallTemplate", facts.metadata(facts.name(), &[]), spec)
}
