//! The objects of one cluster, one module per file of its output.

pub(crate) mod addons;
pub(crate) mod calico;
pub(crate) mod ccm;
pub(crate) mod charts;
pub(crate) mod cilium;
pub(crate) mod control_plane;
pub(crate) mod health_checks;
pub(crate) mod infrastructure;
pub(crate) mod kube_vip;
pub(crate) mod manifests;
pub(crate) mod metallb;
pub(crate) mod pools;

use crate::facts::Facts;
use serde_json::{Value, json};

pub(crate) const ADDONS: &str = "addons.yaml";
pub(crate) const CONTROL_PLANE: &str = "control-plane.yaml";
pub(crate) const INFRASTRUCTURE: &str = "infrastructure.yaml";
pub(crate) const KUSTOMIZATION: &str = "kustomization.yaml";
pub(crate) const POOLS: &str = "pools.yaml";
pub(crate) const TEMPLATES: &str = "templates.yaml";

/// Everything rendered of one cluster, before what a new binary must not change is put back (R1).
pub(crate) struct Objects {
    pub(crate) cluster: Value,
    pub(crate) metal_cluster: Value,
    pub(crate) firewall_deployment: Value,
    pub(crate) firewall_template: Value,
    pub(crate) control_plane: Value,
    pub(crate) control_plane_template: Value,
    pub(crate) control_plane_health: Option<Value>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) addons: Vec<Value>,
}

/// The objects of one pool.
pub(crate) struct Pool {
    /// The pool's name in the definition.
    pub(crate) name: String,
    pub(crate) deployment: Value,
    pub(crate) machines: Value,
    pub(crate) bootstrap: Value,
    pub(crate) health: Option<Value>,
}

impl Objects {
    pub(crate) fn of(facts: Facts<'_>) -> Self {
        let control_plane_template = control_plane::machine_template(facts);
        Self {
            cluster: infrastructure::cluster(facts),
            metal_cluster: infrastructure::metal_cluster(facts),
            firewall_deployment: infrastructure::firewall_deployment(facts),
            firewall_template: infrastructure::firewall_template(facts),
            control_plane: control_plane::control_plane(facts, name_of(&control_plane_template)),
            control_plane_template,
            control_plane_health: health_checks::control_plane(facts),
            pools: facts.effective().pools.iter().map(|pool| pools::pool(facts, pool)).collect(),
            addons: addons::addons(facts),
        }
    }

    /// Every object, in the order of the files.
    pub(crate) fn all(&self) -> Vec<&Value> {
        let Self {
            cluster,
            metal_cluster,
            firewall_deployment,
            firewall_template,
            control_plane,
            control_plane_template,
            control_plane_health,
            pools,
            addons,
        } = self;
        let mut all: Vec<_> = addons.iter().chain([control_plane]).chain(control_plane_health).collect();
        all.extend([cluster, metal_cluster, firewall_deployment, firewall_template]);
        for Pool { name: _, deployment, machines: _, bootstrap: _, health } in pools {
            all.push(deployment);
            all.extend(health);
        }
        all.push(control_plane_template);
        for Pool { name: _, deployment: _, machines, bootstrap, health: _ } in pools {
            all.extend([machines, bootstrap]);
        }
        all
    }

    /// Every object, to be changed.
    pub(crate) fn all_mut(&mut self) -> Vec<&mut Value> {
        let Self {
            cluster,
            metal_cluster,
            firewall_deployment,
            firewall_template,
            control_plane,
            control_plane_template,
            control_plane_health,
            pools,
            addons,
        } = self;
        let mut all: Vec<_> = addons.iter_mut().collect();
        all.extend([
            control_plane,
            cluster,
            metal_cluster,
            firewall_deployment,
            firewall_template,
            control_plane_template,
        ]);
        all.extend(control_plane_health);
        for Pool { name: _, deployment, machines, bootstrap, health } in pools {
            all.extend([deployment, machines, bootstrap]);
            all.extend(health);
        }
        all
    }

    /// The files of the output folder, sorted by name; each begins with the comment.
    pub(crate) fn files(&self, comment: &str) -> Vec<(&'static str, Vec<u8>)> {
        let Self {
            cluster,
            metal_cluster,
            firewall_deployment,
            firewall_template,
            control_plane,
            control_plane_template,
            control_plane_health,
            pools,
            addons,
        } = self;
        let mut deployments = Vec::with_capacity(pools.len());
        let mut templates = vec![control_plane_template];
        for Pool { name: _, deployment, machines, bootstrap, health } in pools {
            deployments.push(deployment);
            deployments.extend(health);
            // A pool named `control-plane` of the same size and image has the same template.
            if templates.iter().all(|other| name_of(other) != name_of(machines)) {
                templates.push(machines);
            }
            templates.push(bootstrap);
        }
        let mut documents = vec![
            (ADDONS, addons.iter().collect()),
            (CONTROL_PLANE, std::iter::once(control_plane).chain(control_plane_health).collect()),
            (INFRASTRUCTURE, vec![cluster, metal_cluster, firewall_deployment, firewall_template]),
            (POOLS, deployments),
            (TEMPLATES, templates),
        ];
        documents.retain(|(_, documents)| !documents.is_empty());
        let kustomization = kustomization(documents.iter().map(|(name, _)| *name));
        documents.push((KUSTOMIZATION, vec![&kustomization]));
        documents.sort_by_key(|(name, _)| *name);
        documents.into_iter().map(|(name, documents)| (name, crate::emit::file(comment, documents))).collect()
    }
}

/// The name of an object; empty where it has none.
pub(crate) fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// The list of the folder's other files. Of nothing it is one too: the GitOps tool prunes what it applied before.
pub(crate) fn kustomization<'a>(names: impl IntoIterator<Item = &'a str>) -> Value {
    json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": names.into_iter().collect::<Vec<_>>(),
    })
}
