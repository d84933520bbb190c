//! Cilium, experimental (R26): routed without encapsulation as Calico is, beside kube-proxy.

use super::charts::{Chart, KUBE_SYSTEM, Pulled, merged};
use crate::facts::{CNI_LABEL, Facts};
use model::want::CniSpec;
use serde_json::{Value, json};

pub(crate) const CHART: &str = "cilium";
const REPOSITORY: &str = "https://helm.cilium.io";

/// What the chart pulls with our values, and what people are likely to turn on.
pub(crate) const PULLED: [Pulled; 8] = [
    Pulled { versioned: true, ..image("/image/repository", "quay.io/cilium/cilium") },
    Pulled { versioned: true, suffix: "-generic", ..image("/operator/image/repository", "quay.io/cilium/operator") },
    image("/envoy/image/repository", "quay.io/cilium/cilium-envoy"),
    Pulled { switch: RELAY, ..image("/certgen/image/repository", "quay.io/cilium/certgen") },
    Pulled { versioned: true, switch: RELAY, ..image("/hubble/relay/image/repository", "quay.io/cilium/hubble-relay") },
    Pulled { switch: UI, ..image("/hubble/ui/backend/image/repository", "quay.io/cilium/hubble-ui-backend") },
    Pulled { switch: UI, ..image("/hubble/ui/frontend/image/repository", "quay.io/cilium/hubble-ui") },
    Pulled {
        switch: Some("/nodeinit/enabled"),
        ..image("/nodeinit/image/repository", "quay.io/cilium/startup-script")
    },
];
const RELAY: Option<&str> = Some("/hubble/relay/enabled");
const UI: Option<&str> = Some("/hubble/ui/enabled");

const fn image(place: &'static str, upstream: &'static str) -> Pulled {
    Pulled { place, upstream, suffix: "", versioned: false, switch: None }
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
