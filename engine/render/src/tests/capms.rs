//! The output means what the templates of CAPMS mean, filled with the same values, save for the differences named here.

use super::crds::shared_data;
use super::fixtures::*;
use model::rules::Port;
use model::want::Flavor;
use serde_json::{Value, json};

/// A template with its variables filled in.
fn template(file: &str, version: &str) -> Option<Vec<Value>> {
    let mut text = std::fs::read_to_string(shared_data()?.join("capms-templates").join(file)).ok()?;
    let values = [
        ("CLUSTER_NAME", "billing"),
        ("NAMESPACE", "payments"),
        ("POD_CIDR", "[\"10.240.0.0/12\"]"),
        ("METAL_PROJECT_ID", "00000000-0000-0000-0000-000000000001"),
        ("METAL_PARTITION", "muc-a"),
        ("METAL_NODE_NETWORK_ID", NODE_NETWORK),
        ("CONTROL_PLANE_IP", "198.18.0.5"),
        ("FIREWALL_MACHINE_IMAGE", "firewall-ubuntu-3.0.20251101"),
        ("FIREWALL_MACHINE_SIZE", "n1-medium-x86"),
        ("FIREWALL_EXTERNAL_NETWORKS", "[internet]"),
        ("CONTROL_PLANE_MACHINE_SIZE", "c1-large-x86"),
        ("CONTROL_PLANE_MACHINE_COUNT", "3"),
        ("WORKER_MACHINE_SIZE", "n1-medium-x86"),
        ("WORKER_MACHINE_COUNT", "4"),
        ("METAL_API_URL", "x"),
        ("METAL_API_HMAC", "x"),
        ("METAL_API_HMAC_AUTH_TYPE", "x"),
    ];
    let image = format!("capms-ubuntu-{version}");
    let version = format!("v{version}");
    let own =
        [("KUBERNETES_VERSION", &version), ("CONTROL_PLANE_MACHINE_IMAGE", &image), ("WORKER_MACHINE_IMAGE", &image)];
    for (name, value) in values.into_iter().chain(own.map(|(name, value)| (name, value.as_str()))) {
        text = text.replace(&format!("${{{name}}}"), value);
        while let Some(start) = text.find(&format!("${{{name}:=")) {
            let end = start + text[start..].find('}').unwrap();
            text.replace_range(start..=end, value);
        }
    }
    assert!(!text.contains("${"), "every variable has a value");
    Some(documents(text.as_bytes()))
}

/// Without the values at these places.
fn without(value: &Value, places: &[&str]) -> Value {
    let mut value = value.clone();
    for place in places {
        let (parent, key) = place.rsplit_once('/').unwrap();
        let parent = value.pointer_mut(parent).and_then(Value::as_object_mut);
        assert!(parent.is_some_and(|parent| parent.remove(key).is_some()), "{place} is there");
    }
    value
}

fn nested(value: &Value, place: &str) -> Vec<Value> {
    documents(value.pointer(place).and_then(Value::as_str).unwrap().as_bytes())
}

fn check(flavor: Flavor, file: &str) {
    let wanted = with(wanted("billing", flavor), |e| {
        e.pods.value = cidr("10.240.0.0/12");
        e.control_plane.replicas.value = 3;
        e.pools = vec![pool("md-0", 4, &e.version.to_string())];
        // The templates do not know the metal-api as nodes see it.
        e.firewall.node_api_cidrs.clear();
    });
    let Some(theirs) = template(file, &wanted.effective.version.to_string()) else {
        return eprintln!("skipped {file}: no templates (FERROFLEET_SHARED_DATA)");
    };
    let ours = objects(&rendered(&wanted));
    let pair = |kind: &str, name: &str, their_name: &str| {
        (find(&ours, kind, name)["spec"].clone(), find(&theirs, kind, their_name)["spec"].clone())
    };

    let (our, their) = pair("Cluster", "billing", "billing");
    let named = ["/controlPlaneRef/name"];
    assert_eq!(without(&without(&our, &named), &["/clusterNetwork/services"]), without(&their, &named));
    let (our, their) = pair("MetalStackCluster", "billing", "billing");
    assert_eq!(our["controlPlaneEndpoint"], json!({"host": "198.18.0.5", "port": Port::API}));
    assert_eq!(without(&our, &["/controlPlaneEndpoint"]), their);
    // R3: the engine owns the firewall.
    let (our, their) = pair("MetalStackFirewallDeployment", "billing", "billing");
    assert_eq!(without(&our, &["/autoUpdate", "/managedResourceRef"]), without(&their, &["/autoUpdate"]));
    let (our, their) = pair("MetalStackFirewallTemplate", "billing", "billing");
    assert_eq!(our, their);
    for (name, their_name) in [("billing-control-plane", "billing-controlplane"), ("billing-md-0", "billing-worker")] {
        let (our, their) = pair("MetalStackMachineTemplate", name, their_name);
        assert_eq!(our, their);
    }
    let (our, their) = pair("KubeadmConfigTemplate", "billing-md-0", "billing-md-0");
    assert_eq!(our, their);

    let (our, their) = pair("KubeadmControlPlane", "billing", "billing");
    let own = ["/machineTemplate/spec/infrastructureRef/name", "/kubeadmConfigSpec/files/0/content"];
    assert_eq!(without(&without(&our, &own), &["/rollout"]), without(&their, &own));
    assert_eq!(nested(&our, own[1]), nested(&their, own[1]));
    let (our, their) = pair("MachineDeployment", "billing-md-0", "billing-md-0");
    let own = [
        "/template/spec/infrastructureRef/name",
        "/template/spec/bootstrap/configRef/name",
        "/selector/matchLabels/nodepool",
        "/template/metadata/labels/nodepool",
    ];
    assert_eq!(without(&without(&our, &own), &["/rollout"]), without(&their, &own));

    if flavor == Flavor::Calico {
        let (our, their) = pair("HelmChartProxy", "billing", "billing");
        assert_eq!(without(&our, &["/valuesTemplate"]), without(&their, &["/valuesTemplate"]));
        assert_eq!(nested(&our, "/valuesTemplate"), nested(&their, "/valuesTemplate"));
        let (our, their) = pair("ClusterResourceSet", "billing", "billing");
        assert_eq!(without(&our, &["/resources"]), without(&their, &["/resources"]));
        let manifests = |objects| nested(find(objects, "ConfigMap", "billing"), "/data/deploy.yaml");
        assert_eq!(manifests(&ours), manifests(&theirs));
    }
}

#[test]
fn calico_means_the_same() {
    check(Flavor::Calico, "cluster-template-calico.yaml");
}

#[test]
fn default_means_the_same() {
    check(Flavor::Default, "cluster-template.yaml");
}

#[test]
fn pre_v1_33_means_the_same() {
    check(Flavor::PreV133, "cluster-template-pre-v1.33.yaml");
}
