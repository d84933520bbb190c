//! Namespaces, ServiceAccounts and Deployments.

use super::text::Manifest;
use super::{CREDENTIALS, ENGINE, ENGINE_NAMESPACE, Options, PROVIDER, Part, SECRET};
use serde_json::{Value, json};

/// `/healthz`, `/readyz` and `/metrics` of either.
pub(super) const PORT: u16 = 9440;

/// The image's user. It has an entry in its passwd: ssh asks for one.
const USER: u32 = 65532;

/// What a pod has longest to end: one call of metal-api, and its outcome written down.
const GRACE_SECONDS: u32 = 60;

const CONFIG: &str = "/etc/ferrofleet";
const CACHE: &str = "/var/cache/ferrofleet";

pub(super) fn namespace(name: &str, part: Part) -> Value {
    let mut labels = part.labels();
    for mode in ["enforce", "audit", "warn"] {
        labels[format!("pod-security.kubernetes.io/{mode}")] = json!("restricted");
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// Its token is mounted only where the pod says so.
pub(super) fn service_account(namespace: &str, part: Part) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": part.name, "namespace": namespace, "labels": part.labels()},
        "automountServiceAccountToken": false,
    })
}

pub(super) fn provider(options: &Options) -> Manifest {
    let variable = |(key, variable): &(&str, &str)| json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": key}}});
    let container = json!({
        // clusterctl looks for this name.
        "name": "manager",
        "image": options.image,
        "args": ["provider", "--leader-elect", format!("--listen=0.0.0.0:{PORT}")],
        "env": CREDENTIALS.iter().map(variable).collect::<Vec<_>>(),
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
    });
    let about = "The provider of Cluster API. Give it more replicas for a shorter pause when a node fails: one acts, the \
        others wait for its Lease. No limit for the processor: a throttled one loses its Lease.";
    let pod = json!({"automountServiceAccountToken": true});
    Manifest::new(about, deployment(PROVIDER, &options.namespace, container, pod))
}

/// With what people bring: the ConfigMap and the Secrets named here.
pub(super) fn engine(image: &str) -> Manifest {
    let container = json!({
        "name": "engine",
        "image": image,
        "args": ["run", format!("--config={CONFIG}/ferrofleet.yaml"), format!("--listen=0.0.0.0:{PORT}")],
        "env": [{"name": "FERROFLEET_CACHE_DIR", "value": CACHE}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG, "readOnly": true},
            {"name": "cache", "mountPath": CACHE},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    });
    // One folder, as paths in ferrofleet.yaml are taken from its own.
    let config = json!({
        "name": "config",
        // ssh refuses keys that others may read.
        "projected": {"defaultMode": 0o440, "sources": [
            {"configMap": {"name": "ferrofleet-engine-config"}},
            {"secret": {"name": "ferrofleet-engine-metal"}},
            {"secret": {"name": "ferrofleet-engine-git", "optional": true}},
        ]},
    });
    let pod = json!({
        "automountServiceAccountToken": false,
        "volumes": [config, {"name": "cache", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
    });
    let about = "The engine. It waits for the ConfigMap ferrofleet-engine-config (ferrofleet.yaml) and the Secret \
        ferrofleet-engine-metal (api-hmac); the Secret ferrofleet-engine-git is for repositories that ask who is there. \
        All their keys are files in /etc/ferrofleet. Caches may go at any time.";
    Manifest::new(about, deployment(ENGINE, ENGINE_NAMESPACE, container, pod))
}

/// One container, hardened as the restricted profile asks, and more: nothing of it is writable but what is mounted.
fn deployment(part: Part, namespace: &str, mut container: Value, mut pod: Value) -> Value {
    container["imagePullPolicy"] = json!("IfNotPresent");
    container["ports"] = json!([{"name": "http", "containerPort": PORT, "protocol": "TCP"}]);
    container["livenessProbe"] =
        json!({"httpGet": {"path": "/healthz", "port": "http"}, "initialDelaySeconds": 15, "periodSeconds": 20});
    container["readinessProbe"] =
        json!({"httpGet": {"path": "/readyz", "port": "http"}, "initialDelaySeconds": 5, "periodSeconds": 10});
    container["securityContext"] = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
    });
    container["terminationMessagePolicy"] = json!("FallbackToLogsOnError");
    pod["serviceAccountName"] = json!(part.name);
    // Else Services of the namespace become environment variables, of which some could be options.
    pod["enableServiceLinks"] = json!(false);
    pod["terminationGracePeriodSeconds"] = json!(GRACE_SECONDS);
    pod["securityContext"] = json!({
        "runAsNonRoot": true,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    // Management clusters may have no other nodes.
    pod["tolerations"] = json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]);
    pod["containers"] = json!([container]);
    let mut labels = part.labels();
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": part.name, "namespace": namespace, "labels": labels.clone()},
        "spec": {
            "replicas": 1,
            // The old one ends and lets go before the new one begins: two versions never wait for each other.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": part.selector()},
            "template": {
                "metadata": {
                    "labels": labels.take(),
                    "annotations": {"kubectl.kubernetes.io/default-container": pod["containers"][0]["name"]},
                },
                "spec": pod,
            },
        },
    })
}
