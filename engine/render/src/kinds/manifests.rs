//! Objects of the workload cluster: wrapped into ConfigMaps, applied by ClusterResourceSets of Cluster API.

use crate::facts::{CLUSTER_NAME_LABEL, Facts, object};
use crate::guards::prunable;
use crate::images;
use model::Digest;
use model::definition::ManifestsWish;
use serde_json::{Value, json};

/// What one ClusterResourceSet applies.
pub(crate) struct Set<'a> {
    /// Of the ConfigMap; the ClusterResourceSet has a hash behind it.
    pub(crate) name: &'a str,
    /// Labels of the Cluster, beside its name.
    pub(crate) selector: &'a [(&'a str, &'a str)],
    /// A key, and the objects below it.
    pub(crate) data: Option<(&'a str, &'a [Value])>,
    /// Secrets of the cluster's namespace.
    pub(crate) secrets: &'a [&'a str],
}

impl Set<'_> {
    /// The ClusterResourceSet and its ConfigMap. Without Secrets neither is guarded against pruning: renaming a set must
    /// not leave the old one behind, and a set that goes takes nothing along that it applied. One with Secrets is:
    /// Cluster API makes the set their owner and never takes that back, so that people's Secrets would go with it.
    pub(crate) fn objects(&self, facts: Facts<'_>) -> Vec<Value> {
        let Self { name, selector, data, secrets } = self;
        let mut labels = serde_json::Map::new();
        labels.extend(selector.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
        labels.insert(CLUSTER_NAME_LABEL.to_owned(), facts.name().into());
        let mut spec = json!({"strategy": "Reconcile", "clusterSelector": {"matchLabels": labels}});
        // R13: these two fields are immutable, so that another value needs another object. What the set installs is not
        // in the name: two sets of one cluster would install both versions.
        let set_name = format!("{name}-{}", Digest::of(&spec).short());
        let map = data.map(|_| json!({"kind": "ConfigMap", "name": name}));
        let secrets = secrets.iter().map(|secret| json!({"kind": "Secret", "name": secret}));
        spec["resources"] = map.into_iter().chain(secrets).collect();
        let metadata = |name: &str| match self.secrets {
            [] => prunable(facts.metadata(name, &[])),
            _ => facts.metadata(name, &[]),
        };
        let mut objects =
            vec![object("addons.cluster.x-k8s.io/v1beta2", "ClusterResourceSet", metadata(&set_name), spec)];
        objects.extend(data.map(|(key, manifests)| {
            json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata(name),
                "data": {key: crate::emit::text(manifests)},
            })
        }));
        objects
    }
}

/// A set of the definition; nothing where it is empty.
pub(crate) fn extra(facts: Facts<'_>, wish: &ManifestsWish) -> Vec<Value> {
    let ManifestsWish { name, objects, secret_refs } = wish;
    if objects.is_empty() && secret_refs.is_empty() {
        return Vec::new();
    }
    let mut manifests: Vec<_> = objects.iter().cloned().map(Value::Object).collect();
    for manifest in &mut manifests {
        images::rewrite(&facts.effective().images, manifest);
    }
    let secrets: Vec<_> = secret_refs.iter().map(|secret| secret.as_str()).collect();
    let set = Set {
        name: &facts.named(name),
        selector: &[],
        data: (!manifests.is_empty()).then_some(("objects.yaml", manifests.as_slice())),
        secrets: &secrets,
    };
    set.objects(facts)
}
