//! `control-plane.yaml`: the KubeadmControlPlane, and its machine template.

use super::infrastructure::INFRASTRUCTURE;
use super::{health_checks, kube_vip};
use crate::facts::{Facts, INFRASTRUCTURE_GROUP, object, reference};
use model::Digest;
use model::want::{Flavor, MachineSpec, kube_vip_image};
use serde_json::{Value, json};

pub(crate) fn name(facts: Facts<'_>) -> String {
    facts.named("control-plane")
}

pub(crate) fn control_plane(facts: Facts<'_>, template: &str) -> Value {
    let effective = facts.effective();
    let name = name(facts);
    let port = facts.port();
    // kubeadm takes a loopback address as "the address of the loopback interface that is routed", which is where
    // metal-stack machines have theirs.
    let endpoint = json!({"advertiseAddress": "127.0.0.1", "bindPort": port});
    let mut config = json!({
        "format": "ignition",
        "clusterConfiguration": cluster_configuration(effective.flavor.value),
        "initConfiguration": {"localAPIEndpoint": endpoint, "nodeRegistration": node_registration()},
        "joinConfiguration": {
            "controlPlane": {"localAPIEndpoint": endpoint},
            "nodeRegistration": node_registration(),
        },
    });
    if let Some(vip) = &facts.values.vip {
        let image = effective.images.reference(&kube_vip_image(&effective.control_plane.image.kube_vip));
        let pod = kube_vip::pod(vip.address, port, &image);
        config["files"] = json!([{
            "path": "/etc/kubernetes/manifests/kubevip.yaml",
            "owner": "root:root",
            "permissions": "0644",
            "content": crate::emit::text(&[pod]),
        }]);
    }
    let mut spec = json!({
        "replicas": effective.control_plane.replicas.value,
        "version": format!("v{}", effective.version),
        "machineTemplate": {"spec": {
            "infrastructureRef": reference(INFRASTRUCTURE_GROUP, "MetalStackMachineTemplate", template),
            "deletion": {"nodeDrainTimeoutSeconds": effective.control_plane_drain.value.get()},
        }},
        "rollout": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
        "kubeadmConfigSpec": config,
    });
    if let Some(remediation) = health_checks::control_plane_remediation(facts) {
        spec["remediation"] = remediation;
    }
    let metadata = facts.metadata(&name, &[]);
    object("controlplane.cluster.x-k8s.io/v1beta2", "KubeadmControlPlane", metadata, spec)
}

pub(crate) fn machine_template(facts: Facts<'_>) -> Value {
    template_of(facts, "control-plane", &facts.effective().control_plane)
}

/// A MetalStackMachineTemplate named by its content: Cluster API replaces machines when the name changes, and never when
/// only the content does.
pub(crate) fn template_of(facts: Facts<'_>, role: &str, machines: &MachineSpec) -> Value {
    let spec = json!({"template": {"spec": {"size": machines.size.value, "image": machines.image.id}}});
    let name = by_content(facts, role, &spec);
    object(INFRASTRUCTURE, "MetalStackMachineTemplate", facts.metadata(&name, &[]), spec)
}

/// `<cluster>-<role>-<8 hex digits of the content>`.
pub(crate) fn by_content(facts: Facts<'_>, role: &str, spec: &Value) -> String {
    facts.named(format_args!("{role}-{}", Digest::of(spec).short()))
}

/// Before 1.33 the API server needs the flag as well; from then on it does not know it any more.
pub(crate) fn cluster_configuration(flavor: Flavor) -> Value {
    let external = json!({"extraArgs": [cloud_provider()]});
    match flavor {
        Flavor::PreV133 => json!({"apiServer": external, "controllerManager": external}),
        Flavor::Default | Flavor::Calico => json!({"controllerManager": external}),
    }
}

pub(crate) fn node_registration() -> Value {
    json!({"kubeletExtraArgs": [cloud_provider()]})
}

fn cloud_provider() -> Value {
    json!({"name": "cloud-provider", "value": "external"})
}
