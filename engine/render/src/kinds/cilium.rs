//! Cilium, experimental (R26): routed without encapsulation as Calico is, beside kube-proxy.

use super::charts::{Chart, KUBE_SYSTEM, Pulled, merged};
use crate::facts::{CNI_LABEL, Facts};
use model::want::CniSpec;
use serde_json::{Value, json};

pub(crate) const CHART: &str = "cilium";
const REPOSITORY: &str = "https://helm.cilium.io";

/// What the chart pulls with our values, and what people are likely to turn on.
pub(crate) const PULLED: [Pulled; 8] = [
    image("/image/repository", "quay.io/cilium/cilium", true, None),
    // The chart puts `-generic` behind it.
    image("/operator/image/repository", "quay.io/cilium/operator", true, None),
    image("/envoy/image/repository", "quay.io/cilium/cilium-envoy", false, None),
    image("/certgen/image/repository", "quay.io/cilium/certgen", false, Some("/hubble/relay/enabled")),
    image("/hubble/relay/image/repository", "quay.io/cilium/hubble-relay", true, Some("/hubble/relay/enabled")),
    image("/hubble/ui/backend/image/repository", "quay.io/cilium/hubble-ui-backend", false, Some("/hubble/ui/enabled")),
    image("/hubble/ui/frontend/image/repository", "quay.io/cilium/hubble-ui", false, Some("/hubble/ui/enabled")),
    image("/nodeinit/image/repository", "quay.io/cilium/startup-script", false, Some("/nodeinit/enabled")),
];

const fn image(place: &'static str, upstream: &'static str, versioned: bool, switch: Option<&'static str>) -> Pulled {
    Pulled { place, upstream, versioned, switch }
}

pub(crate) fn chart(facts: Facts<'_>, spec: &CniSpec) -> Value {
    let CniSpec { kind: _, version, values } = spec;
    let ours = json!({
        // The node's FRR announces what the kernel routes: each node's part of the pods' CIDR, by way of its `cilium_host`.
        "routingMode": "native",
        "ipv4NativeRoutingCIDR": facts.effective().pods.value,
        "autoDirectNodeRoutes": false,
        // kubeadm has the controller manager allocate each node its part of the Cluster's pods CIDR.
        "ipam": {"mode": "kubernetes"},
        "k8s": {"requireIPv4PodCIDR": true},
        "kubeProxyReplacement": "false",
        // A node's address stands on its loopback interface, and is routed over unnumbered links.
        "devices": ["lan+", "lo"],
        "MTU": super::calico::MTU,
    });
    let chart = Chart {
        name: &facts.named("cilium-cni"),
        selector: &[(CNI_LABEL, "cilium")],
        release: "cilium",
        repository: REPOSITORY,
        chart: CHART,
        namespace: KUBE_SYSTEM,
        version: &version.value,
        values: Some(merged(facts, ours, values.as_ref(), &PULLED)),
    };
    chart.object(facts)
}
