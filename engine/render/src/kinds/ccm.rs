//! metal-stack's cloud controller manager (metal-ccm), as it is installed in the workload cluster.

use crate::facts::Facts;
use model::NetworkId;
use model::want::CcmSpec;
use serde_json::{Value, json};

const NAME: &str = "cloud-controller-manager";
const NAMESPACE: &str = "kube-system";
const PORT: u16 = 10258;

pub(crate) fn manifests(facts: Facts<'_>, spec: &CcmSpec) -> [Value; 4] {
    let CcmSpec { version: _, credentials_ref: _, default_external_network: _ } = spec;
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
    });
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": NAME},
        "rules": rules(),
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    });
    [account, role, binding, deployment(facts, spec)]
}

fn rules() -> Value {
    let metallb = ["create", "delete", "get", "list", "patch", "update", "watch"];
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    json!([
        rule("", &["events"], &["create", "patch", "update"]),
        rule("", &["nodes"], &["*"]),
        rule("", &["nodes/status"], &["patch"]),
        rule("", &["services", "services/status", "endpoints"], &["get", "list", "patch", "update", "watch"]),
        rule("", &["serviceaccounts", "serviceaccounts/token"], &["create", "get", "list", "watch"]),
        rule("", &["secrets", "configmaps"], &["get", "list", "watch", "update", "create", "patch", "delete"]),
        rule("coordination.k8s.io", &["leases"], &["get", "create", "update"]),
        rule("metallb.io", &["bgppeers"], &metallb),
        rule("metallb.io", &["ipaddresspools"], &metallb),
        rule("metallb.io", &["bgpadvertisements"], &metallb),
    ])
}

fn deployment(facts: Facts<'_>, spec: &CcmSpec) -> Value {
    let labels = json!({"app": NAME});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [container(facts, spec)],
                    "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
                    "hostNetwork": true,
                    "serviceAccountName": NAME,
                    "tolerations": [
                        {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
                        // It is what initializes nodes: it must run on one that is not.
                        {
                            "key": "node.cloudprovider.kubernetes.io/uninitialized",
                            "value": "true",
                            "effect": "NoSchedule",
                        },
                    ],
                    "restartPolicy": "Always",
                    "volumes": [{"name": NAME, "secret": {"defaultMode": 420, "secretName": NAME}}],
                },
            },
        },
    })
}

fn container(facts: Facts<'_>, spec: &CcmSpec) -> Value {
    let image = format!("ghcr.io/metal-stack/metal-ccm:{}", spec.version.value);
    json!({
        "name": NAME,
        "image": facts.effective().images.reference(&image),
        "imagePullPolicy": "IfNotPresent",
        "command": [
            "./metal-cloud-controller-manager",
            format!("--cluster-cidr={}", facts.effective().pods.value),
            "--cluster-name=",
            "--concurrent-service-syncs=10",
            "--leader-elect=true",
            format!("--secure-port={PORT}"),
            "--use-service-account-credentials",
            "--v=2",
        ],
        "env": environment(facts, spec),
        "livenessProbe": {
            "failureThreshold": 2,
            "httpGet": {"path": "/healthz", "port": PORT, "scheme": "HTTPS"},
            "initialDelaySeconds": 15,
            "periodSeconds": 10,
            "successThreshold": 1,
            "timeoutSeconds": 15,
        },
        "resources": {
            "limits": {"cpu": "250m", "memory": "256Mi"},
            "requests": {"cpu": "100m", "memory": "64Mi"},
        },
    })
}

fn environment(facts: Facts<'_>, spec: &CcmSpec) -> Value {
    let from_secret =
        |name: &str, key: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"key": key, "name": NAME}}});
    let identity = &facts.wanted.identity;
    json!([
        from_secret("METAL_API_URL", "api-url"),
        from_secret("METAL_AUTH_HMAC", "api-hmac"),
        from_secret("METAL_AUTH_HMAC_AUTH_TYPE", "api-hmac-auth-type"),
        {"name": "METAL_PROJECT_ID", "value": identity.project},
        {"name": "METAL_PARTITION_ID", "value": identity.partition},
        // Addresses of services are tagged with it.
        {"name": "METAL_CLUSTER_ID", "value": facts.wanted.id},
        {"name": "METAL_DEFAULT_EXTERNAL_NETWORK_ID", "value": default_network(facts, spec)},
        {"name": "METAL_ADDITIONAL_NETWORKS", "value": networks(facts, spec).join(",")},
        {"name": "METAL_SSH_PUBLICKEY", "value": ""},
    ])
}

/// Where services that name no network get their addresses (R21).
fn default_network<'a>(facts: Facts<'a>, spec: &'a CcmSpec) -> &'a NetworkId {
    let effective = facts.effective();
    let first = || effective.firewall.networks.value.first().unwrap_or(&effective.vip.network.value);
    spec.default_external_network.as_ref().unwrap_or_else(first)
}

/// The external networks and the node network, each once, none empty.
fn networks<'a>(facts: Facts<'a>, spec: &'a CcmSpec) -> Vec<&'a str> {
    let external = std::iter::once(default_network(facts, spec)).chain(&facts.effective().firewall.networks.value);
    let mut networks: Vec<&str> = Vec::new();
    for network in external.chain(facts.values.node_network.as_ref().map(|n| &n.id)) {
        if !networks.contains(&network.as_str()) {
            networks.push(network.as_str());
        }
    }
    networks
}
