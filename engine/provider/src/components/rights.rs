//! What provider and engine may do in the management cluster, and why. Nothing else is allowed, and no wildcard.
//!
//! Cluster API needs nothing of ours: its managers have every right in this group. A group of our own would need roles
//! that aggregate to theirs.

use super::text::Manifest;
use super::{ENGINE, ENGINE_NAMESPACE, Options, PROVIDER, Part};
use crate::api::GROUP;
use crate::names;
use serde_json::{Value, json};

/// What may be done, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    why: &'static str,
    pub(super) group: &'static str,
    pub(super) resources: &'static [&'static str],
    /// Only objects of these names; empty for all.
    pub(super) names: &'static [&'static str],
    pub(super) verbs: &'static [&'static str],
}

const READ: &[&str] = &["get", "list", "watch"];
const READ_AND_PATCH: &[&str] = &["get", "list", "patch", "watch"];

/// In every namespace: clusters are where people put them.
pub(super) const EVERYWHERE: &[Rule] = &[
    Rule {
        why: "What is reconciled. Patched are finalizers, annotations of ours, owners, and the fields that the provider \
            fills (providerID, network, endpoint). Never created or replaced.",
        group: GROUP,
        resources: &["metalstackclusters", "metalstackfirewalldeployments", "metalstackmachines"],
        names: &[],
        verbs: READ_AND_PATCH,
    },
    Rule {
        why: "A cluster that is deleted takes its firewall with it before its network can be freed, and nobody else \
            deletes this kind.",
        group: GROUP,
        resources: &["metalstackfirewalldeployments"],
        names: &[],
        verbs: &["delete"],
    },
    Rule {
        why: "Read for what a firewall is made from.",
        group: GROUP,
        resources: &["metalstackfirewalltemplates"],
        names: &[],
        verbs: READ,
    },
    Rule {
        why: "Read for sizes, of which the status says what a machine has: autoscalers start from zero with it.",
        group: GROUP,
        resources: &["metalstackmachinetemplates"],
        names: &[],
        verbs: READ,
    },
    Rule {
        why: "What was found out: conditions, addresses, failure domains, capacity.",
        group: GROUP,
        resources: &[
            "metalstackclusters/status",
            "metalstackfirewalldeployments/status",
            "metalstackmachines/status",
            "metalstackmachinetemplates/status",
        ],
        names: &[],
        verbs: &["patch"],
    },
    Rule {
        why: "Asked by API servers with OwnerReferencesPermissionEnforcement of whoever makes a cluster the owner of its \
            firewall.",
        group: GROUP,
        resources: &["metalstackclusters/finalizers"],
        names: &[],
        verbs: &["update"],
    },
    Rule {
        why: "The owners: pause, deletion, the bootstrap data's name, the failure domain. Cluster API writes them.",
        group: "cluster.x-k8s.io",
        resources: &["clusters", "machines"],
        names: &[],
        verbs: READ,
    },
    Rule {
        why: "get: bootstrap data of a machine when it is allocated, and the credentials that a cluster names. list and \
            watch: metadata only, to see both come and change; rights know no difference. Their names are anybody's \
            choice, so they cannot be listed here.",
        group: "",
        resources: &["secrets"],
        names: &[],
        verbs: READ,
    },
    Rule {
        why: "create: the Secret <cluster>-metal-ccm of clusters that ask for it; it goes with its Cluster, by its owner. \
            patch: its rotation, and the finalizer on the Secrets of credentialsRef, so that they outlive what has to be \
            freed with them.",
        group: "",
        resources: &["secrets"],
        names: &[],
        verbs: &["create", "patch"],
    },
    Rule {
        why: "Said once when something changes; patched when it is said again.",
        group: "events.k8s.io",
        resources: &["events"],
        names: &[],
        verbs: &["create", "patch"],
    },
];

/// In the provider's own namespace: which replica acts, CAPMS's among them.
pub(super) const AT_HOME: &[Rule] = &[
    Rule {
        why: "The first replica makes the Lease. The right to create cannot be given for one name.",
        group: "coordination.k8s.io",
        resources: &["leases"],
        names: &[],
        verbs: &["create"],
    },
    Rule {
        why: "CAPMS's Lease, so that never both act.",
        group: "coordination.k8s.io",
        resources: &["leases"],
        names: &[names::LEASE],
        verbs: &["get", "patch"],
    },
];

/// What the engine looks at in a management cluster, where it may look at all (`managementClusters` of its
/// configuration). It never writes there: GitOps tools do.
pub(super) const LOOKS: &[Rule] = &[
    Rule {
        why: "Whether this is the management cluster of a cluster: its namespace is never pruned.",
        group: "",
        resources: &["namespaces"],
        names: &[],
        verbs: &["get"],
    },
    Rule {
        why: "Whether the Cluster is there and may be pruned, and what of it is left while it is deleted.",
        group: "cluster.x-k8s.io",
        resources: &["clusters", "machinedeployments", "machines", "machinesets"],
        names: &[],
        verbs: LOOK,
    },
    Rule {
        why: "The same of the control plane.",
        group: "controlplane.cluster.x-k8s.io",
        resources: &["kubeadmcontrolplanes"],
        names: &[],
        verbs: LOOK,
    },
    Rule {
        why: "The same of the infrastructure, and the values that the provider allocated where they are delegated to it.",
        group: GROUP,
        resources: &["metalstackclusters", "metalstackfirewalldeployments", "metalstackmachines"],
        names: &[],
        verbs: LOOK,
    },
];

const LOOK: &[&str] = &["get", "list"];

/// ClusterRole and ClusterRoleBinding of the engine.
pub(super) fn engine() -> [Manifest; 2] {
    let about = "For an engine that runs elsewhere, bind it to the user of its kubeconfig.";
    [
        Manifest::new(about, role(ENGINE, "ClusterRole", None, LOOKS)).with_rules(reasons(LOOKS)),
        Manifest::new("", binding(ENGINE, "ClusterRole", None, ENGINE_NAMESPACE)),
    ]
}

/// ClusterRole, ClusterRoleBinding, Role, RoleBinding.
pub(super) fn provider(options: &Options) -> [Manifest; 4] {
    let namespace = Some(options.namespace.as_str());
    [
        Manifest::new("", role(PROVIDER, "ClusterRole", None, EVERYWHERE)).with_rules(reasons(EVERYWHERE)),
        Manifest::new("", binding(PROVIDER, "ClusterRole", None, &options.namespace)),
        Manifest::new("", role(PROVIDER, "Role", namespace, AT_HOME)).with_rules(reasons(AT_HOME)),
        Manifest::new("", binding(PROVIDER, "Role", namespace, &options.namespace)),
    ]
}

fn reasons(rules: &[Rule]) -> Vec<&'static str> {
    rules.iter().map(|rule| rule.why).collect()
}

fn role(part: Part, kind: &str, namespace: Option<&str>, rules: &[Rule]) -> Value {
    let rule = |rule: &Rule| {
        let Rule { why: _, group, resources, names, verbs } = rule;
        let mut object = json!({"apiGroups": [group], "resources": resources});
        if !names.is_empty() {
            object["resourceNames"] = json!(names);
        }
        object["verbs"] = json!(verbs);
        object
    };
    json!({
        "apiVersion": API,
        "kind": kind,
        "metadata": metadata(part, namespace),
        "rules": rules.iter().map(rule).collect::<Vec<_>>(),
    })
}

fn binding(part: Part, role: &str, namespace: Option<&str>, home: &str) -> Value {
    json!({
        "apiVersion": API,
        "kind": format!("{role}Binding"),
        "metadata": metadata(part, namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": part.name},
        "subjects": [{"kind": "ServiceAccount", "name": part.name, "namespace": home}],
    })
}

const API: &str = "rbac.authorization.k8s.io/v1";

fn metadata(part: Part, namespace: Option<&str>) -> Value {
    let mut metadata = json!({"name": part.name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata["labels"] = part.labels();
    metadata
}
