//! Flux: a GitRepository, and a Kustomization for each part of a cluster, each after the part before.
//!
//! A Kustomization applies a folder, and a part is some files of a cluster's folder: hence a folder of its own for each
//! part, which only refers to those files. `gitops/flux/<management cluster>` is the one to point a first Kustomization
//! at. Only the last part has a health check: what waits for health holds up what depends on it, also its own mend.

use super::{Delivery, PARTS, Present};
use crate::facts::object;
use crate::kinds::INFRASTRUCTURE;
use model::Digest;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const KUSTOMIZATION: &str = "kustomize.toolkit.fluxcd.io/v1";
/// Names become labels of everything that is applied.
const NAME_MAX: usize = 63;

pub(super) fn files(delivery: &Delivery<'_>) -> Vec<(String, Vec<u8>)> {
    let management = &delivery.management.name;
    let comment = format!("Written by Ferrofleet for management cluster {management}; changes are put right.");
    let folder = format!("{}/flux", super::FOLDER);
    let mut files = Vec::new();
    let mut flat = Vec::new();
    let mut put_flat = |files: &mut Vec<_>, name: String, objects: &[Value]| {
        files.push((format!("{folder}/{name}.yaml"), crate::emit::file(&comment, objects)));
        flat.push(format!("../{name}.yaml"));
    };
    // Two fleets may share a Flux.
    let namespaces = named(delivery.fleet, "namespaces");
    let first = kustomization(delivery, &namespaces, &delivery.namespaces(), None, None);
    put_flat(&mut files, management.to_string(), &[repository(delivery), first]);
    for (present, there) in delivery.clusters {
        let id = format!("{}.{}", present.namespace, present.name);
        let mut objects = Vec::new();
        let mut before = namespaces.clone();
        for (part, part_files) in PARTS {
            // A part without files stays: one that goes leaves behind what it applied, one of nothing prunes it.
            let resources: Vec<_> = part_files.iter().filter(|file| there.contains(**file)).collect();
            // From gitops/flux/<management cluster>/<id>/<part> to the root.
            let up = |file: &&&str| format!("../../../../../{}/{file}", delivery.folder(present));
            let path = format!("{folder}/{management}/{id}/{part}");
            let resources: Vec<_> = resources.iter().map(up).collect();
            files.push((format!("{path}/kustomization.yaml"), crate::emit::file(&comment, [&list(&resources)])));
            let name = named(&id, part);
            // Where the Cluster is to go, there is nothing to wait for.
            let has_cluster = there.contains(INFRASTRUCTURE);
            let checked = (part == "pools" && has_cluster).then_some(present);
            objects.push(kustomization(delivery, &name, &path, Some(&before), checked));
            before = name;
        }
        put_flat(&mut files, format!("{management}.{id}"), &objects);
    }
    files.push((format!("{folder}/{management}/kustomization.yaml"), crate::emit::file(&comment, [&list(&flat)])));
    files
}

/// `<id>-<part>`, cut where it is too long for a label.
fn named(id: &str, part: &str) -> String {
    let whole = format!("{id}-{part}");
    if whole.len() <= NAME_MAX {
        return whole;
    }
    let end = format!("-{part}-{}", Digest::of(&whole).short());
    let kept = id[..NAME_MAX - end.len()].trim_end_matches(['-', '.']);
    format!("{kept}{end}")
}

fn list(resources: &[String]) -> Value {
    let resources: BTreeSet<_> = resources.iter().collect();
    json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources})
}

fn repository(delivery: &Delivery<'_>) -> Value {
    let metadata = json!({"name": delivery.fleet, "namespace": delivery.management.flux.namespace});
    let mut spec =
        json!({"interval": "1m", "url": delivery.source_url, "ref": {"branch": delivery.branch}, "timeout": "60s"});
    if let Some(secret) = delivery.secret {
        spec["secretRef"] = json!({"name": secret});
    }
    object("source.toolkit.fluxcd.io/v1", "GitRepository", metadata, spec)
}

fn kustomization(
    delivery: &Delivery<'_>,
    name: &str,
    path: &str,
    after: Option<&str>,
    checked: Option<&Present>,
) -> Value {
    let metadata = json!({"name": name, "namespace": delivery.management.flux.namespace});
    let mut spec = json!({
        "interval": "10m",
        "retryInterval": "1m",
        "timeout": "2m",
        "sourceRef": {"kind": "GitRepository", "name": delivery.fleet},
        "path": format!("./{path}"),
        "prune": true,
        "wait": false,
        "force": false,
        // Whoever deletes a Kustomization deletes nothing else.
        "deletionPolicy": "Orphan",
    });
    if let Some(after) = after {
        spec["dependsOn"] = json!([{"name": after}]);
    }
    if let Some(present) = checked {
        let cluster = json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster"});
        let mut check = cluster.clone();
        check["name"] = present.name.as_str().into();
        check["namespace"] = present.namespace.as_str().into();
        spec["healthChecks"] = json!([check]);
        // Cluster API says Available where others say Ready. What is not is said to have failed, so that the check ends at
        // once and is tried again after `retryInterval`: waiting would take one of the controller's four workers for each
        // unfinished cluster.
        let available =
            "has(status.conditions) && status.conditions.exists(c, c.type == 'Available' && c.status == 'True')";
        let mut expression = cluster;
        expression["current"] = available.into();
        expression["failed"] = format!("!({available})").into();
        spec["healthCheckExprs"] = json!([expression]);
    }
    object(KUSTOMIZATION, "Kustomization", metadata, spec)
}
