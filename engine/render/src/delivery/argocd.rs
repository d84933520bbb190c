//! Argo CD: an Application for each cluster, one for the namespaces of a management cluster.
//!
//! Inside of an Application the objects come in waves. Argo CD waits until a wave is healthy, and for some kinds of
//! Cluster API that takes hours, or a control plane that comes in a later wave (a ClusterResourceSet is healthy when it
//! was applied to a running cluster). What Argo CD has a health check for therefore stands in the last wave, which
//! nothing waits for: a sync ends when everything is applied, and a cluster in trouble never keeps a mend from being
//! synced. The Cluster itself is there too, so that Cluster API begins when everything it refers to is in place.

use super::{Delivery, Present};
use crate::facts::object;
use serde_json::{Value, json};

pub(crate) const WAVE: &str = "argocd.argoproj.io/sync-wave";

/// The wave of an object of a cluster: add-ons, infrastructure, control plane, pools and what completes them.
pub(crate) fn wave_of(kind: &str) -> i32 {
    match kind {
        "ConfigMap" | "HelmChartProxy" => 1,
        "KubeadmControlPlane" => 3,
        "Cluster" | "ClusterResourceSet" | "MachineDeployment" | "MachineHealthCheck" => 4,
        _ => 2,
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
    let mut options = vec!["ServerSideApply=true", "FailOnSharedResource=true"];
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
            "automated": {"prune": true, "selfHeal": true},
            "syncOptions": options,
            // Refreshed, else a mend that is pushed would wait behind retries of what it mends (Argo CD 3.2).
            "retry": {"limit": -1, "refresh": true, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
        },
    });
    object("argoproj.io/v1alpha1", "Application", metadata, spec)
}
