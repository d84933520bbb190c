//! `addons.yaml`: Calico by the Helm add-on provider, the cloud controller manager by a ClusterResourceSet.

use super::ccm;
use crate::facts::{CLUSTER_NAME_LABEL, CNI_LABEL, Facts, PROVIDER, PROVIDER_LABEL, object};
use model::Digest;
use serde_json::{Value, json};

/// Of the nodes' interfaces: 1500 less what the fabric's VXLAN takes.
const MTU: u32 = 1440;

pub(crate) fn addons(facts: Facts<'_>) -> Vec<Value> {
    let effective = facts.effective();
    let calico = effective.cni.iter().map(|cni| calico(facts, &cni.version.value));
    let ccm = effective.ccm.iter().flat_map(|spec| resource_set(facts, spec));
    calico.chain(ccm).collect()
}

/// R13: name, release name, namespace, chart, repository and selector stay for life. A change of one uninstalls the CNI.
fn calico(facts: Facts<'_>, version: &str) -> Value {
    let values = json!({
        "installation": {
            "enabled": true,
            "calicoNetwork": {
                "bgp": "Disabled",
                "ipPools": [{
                    "name": "default-ipv4-ippool",
                    "blockSize": 26,
                    "cidr": facts.effective().pods.value,
                    "encapsulation": "None",
                }],
                "mtu": MTU,
            },
            "cni": {"type": "Calico", "ipam": {"type": "HostLocal"}},
        },
        "goldmane": {"enabled": false},
        "whisker": {"enabled": false},
    });
    let spec = json!({
        "clusterSelector": {"matchLabels": {CNI_LABEL: "calico", CLUSTER_NAME_LABEL: facts.name()}},
        "releaseName": "calico",
        "repoURL": "https://docs.tigera.io/calico/charts",
        "chartName": "tigera-operator",
        "namespace": "kube-system",
        "version": version,
        "valuesTemplate": crate::emit::text(&[values]),
    });
    let metadata = facts.metadata(&facts.named("calico-cni"), &[]);
    object("addons.cluster.x-k8s.io/v1alpha1", "HelmChartProxy", metadata, spec)
}

/// The ClusterResourceSet and its ConfigMap. The Secret is named only (R12, I7).
fn resource_set(facts: Facts<'_>, spec: &model::want::CcmSpec) -> [Value; 2] {
    let name = facts.named("metal-ccm");
    let fixed = json!({
        "strategy": "Reconcile",
        "clusterSelector": {"matchLabels": {PROVIDER_LABEL: PROVIDER, CLUSTER_NAME_LABEL: facts.name()}},
    });
    // R13: these two fields are immutable, so that another value needs another object. What the set installs is not in
    // the name: two sets of one cluster would install both versions.
    let set_name = format!("{name}-{}", Digest::of(&fixed).short());
    let mut set = fixed;
    set["resources"] = json!([{"kind": "ConfigMap", "name": name}, {"kind": "Secret", "name": name}]);
    let set = object("addons.cluster.x-k8s.io/v1beta2", "ClusterResourceSet", facts.metadata(&set_name, &[]), set);
    let manifests = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": facts.metadata(&name, &[]),
        "data": {"deploy.yaml": crate::emit::text(&ccm::manifests(facts, spec))},
    });
    [set, manifests]
}
