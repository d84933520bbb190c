//! Argo CD: an Application for each cluster, one for the namespaces of a management cluster.
//!
//! Inside of an Application the objects come in two waves. Argo CD waits until a wave is healthy, as long as it takes and
//! whatever is pushed meanwhile; only the last one is not waited for. So the first has only what others refer to and what
//! has no status, and everything that Argo CD, this version or a later one or its administrator, may have a health check
//! for stands in the last: a ClusterResourceSet is healthy when it was applied to a running cluster, a control plane not
//! before there is its Cluster. A sync ends when everything is applied, and a cluster in trouble never keeps a mend from
//! being synced. Inside of a wave objects go by name: a Cluster, its infrastructure, then `<cluster>-...`.
//!
//! What leaves Git with the Cluster (R2) is in one wave, too: what is pruned goes in the mirrored order of the waves, and
//! Argo CD would wait for the end of the Cluster before it looks at anything else.

use super::{Delivery, Present};
use crate::facts::object;
use serde_json::{Value, json};

pub(crate) const WAVE: &str = "argocd.argoproj.io/sync-wave";

/// A template that is not rendered any more stays in the management cluster, for MachineSets name it. Without this it
/// would make the Application `OutOfSync`, and be synced again and again, for ever.
pub(crate) const COMPARE: (&str, &str) = ("argocd.argoproj.io/compare-options", "IgnoreExtraneous");

/// Whether objects of a kind get another name when their content changes, and the old ones stay.
pub(crate) fn leaves_old_ones(kind: &str) -> bool {
    matches!(kind, "KubeadmConfigTemplate" | "MetalStackMachineTemplate")
}

/// The wave of an object of a cluster.
pub(crate) fn wave_of(kind: &str) -> i32 {
    match kind {
        "ConfigMap" | "KubeadmConfigTemplate" | "MetalStackMachineTemplate" => 0,
        _ => 1,
    }
}

pub(super) fn files(delivery: &Delivery<'_>) -> Vec<(String, Vec<u8>)> {
    let management = &delivery.management.name;
    let comment = format!("Written by Ferrofleet for management cluster {management}; changes are put right.");
    let file = |name: String, application: &Value| {
        (format!("{}/argocd/{name}.yaml", super::FOLDER), crate::emit::file(&comment, [application]))
    };
    let namespaces = format!("{management}.namespaces");
    // Before the clusters, for whoever applies this folder by an Application of its own.
    let first = application(delivery, &namespaces, -1, &delivery.namespaces(), None);
    let mut files = vec![file(namespaces, &first)];
    for present in delivery.clusters.keys() {
        let name = format!("{management}.{}.{}", present.namespace, present.name);
        let path = delivery.folder(present);
        files.push(file(name.clone(), &application(delivery, &name, 0, &path, Some(present))));
    }
    files
}

fn application(delivery: &Delivery<'_>, name: &str, wave: i32, path: &str, of: Option<&Present>) -> Value {
    let settings = &delivery.management.argocd;
    let mut destination = json!({"server": settings.server});
    // Pruned in the background (R2): else the garbage collector deletes what the Cluster owns at once, the infrastructure
    // below a living control plane, instead of Cluster API in its order.
    let mut options = vec!["ServerSideApply=true", "FailOnSharedResource=true", "PrunePropagationPolicy=background"];
    if let Some(present) = of {
        destination["namespace"] = present.namespace.as_str().into();
        // The other Application may come later; what it says of the namespace stays its own.
        options.push("CreateNamespace=true");
    }
    // Without a finalizer: whoever deletes an Application deletes nothing else.
    let metadata = json!({
        "name": name,
        "namespace": settings.namespace,
        "annotations": {WAVE: wave.to_string()},
    });
    let spec = json!({
        "project": settings.project,
        "source": {"repoURL": delivery.source_url, "targetRevision": delivery.branch, "path": path},
        "destination": destination,
        "syncPolicy": {
            // Empty too: the last of a cluster's output leaves a kustomization of nothing, and is pruned.
            "automated": {"prune": true, "selfHeal": true, "allowEmpty": true},
            "syncOptions": options,
            // Refreshed, else a mend that is pushed would wait behind retries of what it mends (Argo CD 3.2).
            "retry": {"limit": -1, "refresh": true, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
        },
    });
    object("argoproj.io/v1alpha1", "Application", metadata, spec)
}
