//! MetalLB: announces the addresses of services. The cloud controller manager writes its pools, peers and advertisements.
//!
//! R26: each node's FRR owns port 179 and takes BGP sessions from other addresses than its own only, so that speakers run
//! in the pods' network, in native mode. The chart cannot do that (metallb/metallb#3005; its probes ask the node's
//! loopback too): its own speakers are scheduled nowhere, and ours run with the chart's service account and rights.

use super::charts::{Chart, Pulled, merged, references, set};
use super::manifests::Set;
use crate::facts::Facts;
use model::want::MetallbSpec;
use serde_json::{Value, json};

pub(crate) const CHART: &str = "metallb";
const REPOSITORY: &str = "https://metallb.github.io/metallb";
const NAMESPACE: &str = "metallb-system";
/// As the chart names it for a release of this name.
const SERVICE_ACCOUNT: &str = "metallb-speaker";
const SPEAKER: &str = "/speaker/image/repository";
const MEMBERLIST: &str = "/speaker/memberlist/enabled";

pub(crate) const PULLED: [Pulled; 2] =
    [image("/controller/image/repository", "quay.io/metallb/controller"), image(SPEAKER, "quay.io/metallb/speaker")];

const fn image(place: &'static str, upstream: &'static str) -> Pulled {
    Pulled { place, upstream, suffix: "", versioned: true, switch: None }
}

pub(crate) fn objects(facts: Facts<'_>, spec: &MetallbSpec) -> Vec<Value> {
    let MetallbSpec { version, values } = spec;
    let ours = json!({
        "speaker": {"frr": {"enabled": false}},
        "frrk8s": {"enabled": false},
    });
    let mut values = merged(facts, ours, values.as_ref(), &PULLED);
    // Whatever is written: two speakers of a node would announce the same addresses.
    set(&mut values, "/speaker/nodeSelector", json!({"fleet.metal-stack.io/speaker": "of-the-chart"}));
    // Without it the chart refuses a node selector.
    if values.pointer(MEMBERLIST) == Some(&json!(false)) {
        set(&mut values, MEMBERLIST, json!(true));
    }
    let found = references(&PULLED, &values, &version.value);
    let image = found.into_iter().find(|(place, _)| *place == SPEAKER).map(|(_, reference)| reference);
    let speakers = [namespace(), speaker(&image.unwrap_or_default(), &values)];
    let chart = Chart {
        name: &facts.named("metallb"),
        selector: &[],
        release: "metallb",
        repository: REPOSITORY,
        chart: CHART,
        namespace: NAMESPACE,
        version: &version.value,
        values: Some(values),
    };
    let mut objects = vec![chart.object(facts)];
    let set = Set {
        name: &facts.named("metallb-speaker"),
        selector: &[],
        data: Some(("speaker.yaml", &speakers)),
        secrets: &[],
    };
    objects.extend(set.objects(facts));
    objects
}

/// Speakers may open raw sockets, which the baseline of pod security forbids.
fn namespace() -> Value {
    let level = |mode: &str| (format!("pod-security.kubernetes.io/{mode}"), Value::from("privileged"));
    let labels: serde_json::Map<_, _> = ["enforce", "audit", "warn"].map(level).into_iter().collect();
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
}

/// As MetalLB's own manifests have it, in the pods' network, with what the values say of the chart's. Without probes: they
/// would ask the node's loopback.
fn speaker(image: &str, values: &Value) -> Value {
    let labels = json!({"app": "metallb", "component": "speaker"});
    let from_field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let written = |place: &str| values.pointer(place).cloned();
    let control_plane = "node-role.kubernetes.io/control-plane";
    let everywhere = || json!([{"key": control_plane, "operator": "Exists", "effect": "NoSchedule"}]);
    let mut pod = json!({
        "containers": [{
            "name": "speaker",
            "image": image,
            "args": ["--log-level=info"],
            "env": [
                from_field("METALLB_NODE_NAME", "spec.nodeName"),
                from_field("METALLB_POD_NAME", "metadata.name"),
                from_field("METALLB_HOST", "status.podIP"),
            ],
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"add": ["NET_RAW"], "drop": ["ALL"]},
            },
        }],
        "hostNetwork": false,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "serviceAccountName": written("/speaker/serviceAccount/name").unwrap_or_else(|| SERVICE_ACCOUNT.into()),
        "terminationGracePeriodSeconds": 2,
        "tolerations": written("/speaker/tolerations").unwrap_or_else(everywhere),
    });
    if let Some(secrets) = written("/imagePullSecrets") {
        pod["imagePullSecrets"] = secrets;
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "speaker", "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    })
}
