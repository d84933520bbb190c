//! What not every cluster can take: a PodMonitor, NetworkPolicies. Without a namespace: that of what they are added to.

use super::pods::PORT;
use super::text::Manifest;
use super::{ENGINE, PROVIDER, Part};
use serde_json::{Value, json};

/// For the Prometheus operator.
pub(super) fn pod_monitor() -> Manifest {
    let object = json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "ferrofleet", "labels": {"app.kubernetes.io/name": "ferrofleet"}},
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": "ferrofleet"}},
            "podMetricsEndpoints": [{"port": "http", "path": "/metrics", "interval": "30s"}],
        },
    });
    Manifest::new("Whatever of Ferrofleet runs in this namespace.", object)
}

/// One for each part; that of a part which is not there selects nothing.
pub(super) fn network_policies() -> [Manifest; 2] {
    [
        Manifest::new(
            "In: metrics, from namespaces labelled metrics=enabled. Out: DNS, the API server, metal-api. \
            Where they listen on other ports, patch these.",
            network_policy(PROVIDER, &[443, 6443]),
        ),
        Manifest::new(
            "In: metrics, from namespaces labelled metrics=enabled. Out: DNS, metal-api, Git over HTTPS and SSH, \
            the API server. Where they listen on other ports, patch these.",
            network_policy(ENGINE, &[22, 443, 6443]),
        ),
    ]
}

fn network_policy(part: Part, out: &[u16]) -> Value {
    let port = |protocol: &str, port: u16| json!({"protocol": protocol, "port": port});
    let servers: Vec<_> = out.iter().map(|&number| port("TCP", number)).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": part.name, "labels": part.selector()},
        "spec": {
            "podSelector": {"matchLabels": part.selector()},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{
                "from": [{"namespaceSelector": {"matchLabels": {"metrics": "enabled"}}}],
                "ports": [port("TCP", PORT)],
            }],
            "egress": [{"ports": [port("UDP", 53), port("TCP", 53)]}, {"ports": servers}],
        },
    })
}
