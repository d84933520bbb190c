//! What is the engine's in rendered objects: values of the lock, what the policy admitted, and what ties objects together.

use super::{PatchFault, shown, text, title};
use crate::facts::{CLUSTER_NAME_LABEL, CNI_LABEL, PROVIDER_LABEL};
use crate::guards::guards;
use crate::kinds::infrastructure::ENGINE_SLOTS;
use crate::kinds::name_of;
use model::patch::is_below;
use serde_json::Value;

/// An object that had another one of these would be another object: not even with `force`.
/// The same for what has an object deleted behind everybody's back.
const FIXED: [&str; 6] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/ownerReferences",
    "/metadata/finalizers",
];

/// Annotations that tell Argo CD and Flux what to prune, to delete and to make anew (R2).
const TOOLS: [&str; 2] = ["argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/"];

/// A place, and the field of the definition that changes it, where there is one. `[key=value]` stands for the items of a
/// list that have this value.
type Place = (String, &'static str);

fn of_kind(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "Cluster" => &[
            ("/spec/clusterNetwork", "spec.network"),
            ("/spec/controlPlaneEndpoint", "spec.vip"),
            ("/spec/controlPlaneRef", ""),
            ("/spec/infrastructureRef", ""),
            ("/spec/paused", "spec.paused"),
            ("/spec/topology", ""),
        ],
        "MetalStackCluster" => &[
            ("/spec/projectID", "spec.metal.project"),
            ("/spec/partition", "spec.metal.partition"),
            ("/spec/nodeNetworkID", "spec.network.nodes"),
            ("/spec/controlPlaneIP", "spec.vip"),
            ("/spec/controlPlaneEndpoint", "spec.vip and spec.network.apiServerPort"),
            ("/spec/firewallDeploymentRef", ""),
        ],
        "MetalStackFirewallDeployment" => {
            &[("/spec/managedResourceRef", ""), ("/spec/firewallTemplateRef", ""), ("/spec/autoUpdate", "")]
        }
        // The engine allocates from the definition: a patched template would lie.
        "MetalStackFirewallTemplate" => &[("/spec", "spec.firewall")],
        "KubeadmControlPlane" => &[
            ("/spec/version", "spec.kubernetes.version"),
            ("/spec/replicas", "spec.controlPlane.replicas"),
            ("/spec/machineTemplate/spec/infrastructureRef", ""),
            ("/spec/kubeadmConfigSpec/clusterConfiguration/controlPlaneEndpoint", "spec.vip"),
            ("/spec/kubeadmConfigSpec/initConfiguration/localAPIEndpoint", "spec.network.apiServerPort"),
            ("/spec/kubeadmConfigSpec/joinConfiguration/controlPlane/localAPIEndpoint", "spec.network.apiServerPort"),
            ("/spec/kubeadmConfigSpec/files/[path=~1etc~1kubernetes~1manifests~1kubevip.yaml]", "spec.vip"),
        ],
        "MachineDeployment" => &[
            ("/spec/clusterName", ""),
            ("/spec/selector", ""),
            ("/spec/replicas", "spec.pools[].replicas, or min and max,"),
            ("/spec/template/metadata/labels/cluster.x-k8s.io~1cluster-name", ""),
            ("/spec/template/metadata/labels/nodepool", ""),
            ("/spec/template/spec/clusterName", ""),
            ("/spec/template/spec/version", "spec.kubernetes.version"),
            ("/spec/template/spec/bootstrap", ""),
            ("/spec/template/spec/infrastructureRef", ""),
            ("/metadata/annotations/cluster.x-k8s.io~1cluster-api-autoscaler-node-group-min-size", "spec.pools[].min"),
            ("/metadata/annotations/cluster.x-k8s.io~1cluster-api-autoscaler-node-group-max-size", "spec.pools[].max"),
        ],
        // What the policy admits.
        "MetalStackMachineTemplate" => &[
            ("/spec/template/spec/size", "the size of the pool or control plane"),
            ("/spec/template/spec/image", "the image of the pool or control plane"),
        ],
        "MachineHealthCheck" => &[("/spec/clusterName", ""), ("/spec/selector", "")],
        // R13, and the values, in which the CIDRs stand.
        "HelmChartProxy" => &[
            ("/spec/clusterSelector", ""),
            ("/spec/releaseName", ""),
            ("/spec/repoURL", ""),
            ("/spec/chartName", ""),
            ("/spec/namespace", ""),
            ("/spec/valuesTemplate", "the chart's values in the definition"),
        ],
        "ClusterResourceSet" => &[("/spec/strategy", ""), ("/spec/clusterSelector", "")],
        _ => &[],
    }
}

fn of(object: &Value) -> Vec<Place> {
    let kind = text(object, "kind");
    let mut places: Vec<Place> = of_kind(kind).iter().map(|(place, instead)| ((*place).to_owned(), *instead)).collect();
    let mut put = |folder: &str, key: &str| {
        places.push((format!("/metadata/{folder}/{}", key.replace('~', "~0").replace('/', "~1")), ""));
    };
    put("labels", CLUSTER_NAME_LABEL);
    guards().as_object().into_iter().flatten().for_each(|(key, _)| put("annotations", key));
    match kind {
        // The add-ons find the cluster by them.
        "Cluster" => [PROVIDER_LABEL, CNI_LABEL].iter().for_each(|key| put("labels", key)),
        "MetalStackCluster" => put("annotations", ENGINE_SLOTS),
        // CIDR, networks and project stand in the cloud controller manager's manifests.
        "ConfigMap" if is_cloud_controller_manager(object) => places.push(("/data".to_owned(), "spec.addons.ccm")),
        _ => {}
    }
    places
}

fn is_cloud_controller_manager(map: &Value) -> bool {
    let cluster = map["metadata"]["labels"][CLUSTER_NAME_LABEL].as_str();
    cluster.is_some_and(|cluster| name_of(map).strip_prefix(cluster) == Some("-metal-ccm"))
}

/// A pointer that an operation writes to or removes.
#[derive(Clone, Copy)]
pub(super) struct Touch<'a> {
    pub(super) path: &'a str,
    /// In a list the value comes in between; what is there moves, and stays what it is.
    pub(super) inserts: bool,
}

impl Touch<'_> {
    /// Above, at or below.
    fn hits(self, before: &Value, place: &str) -> bool {
        let Self { path, inserts } = self;
        let list = path
            .rsplit_once('/')
            .map(|(parent, _)| parent)
            .filter(|parent| inserts && before.pointer(parent).is_some_and(Value::is_array));
        match list {
            Some(list) => is_below(list, place),
            None => is_below(path, place) || is_below(place, path),
        }
    }
}

/// Refuses what is the engine's, without `force`, and what makes an object this object.
pub(super) fn allowed(before: &Value, after: &Value, touch: Touch<'_>, force: bool) -> Result<(), PatchFault> {
    let touched = |place: &str| {
        concrete(before, place).iter().any(|at| touch.hits(before, at)) || values(before, place) != values(after, place)
    };
    let (object, path) = (title(before), shown(touch.path).to_owned());
    if let Some(place) = FIXED.into_iter().find(|place| touched(place)) {
        return Err(PatchFault::Fixed { object, path, place });
    }
    if force {
        return Ok(());
    }
    if let Some(key) = changed_for_tools(before, after) {
        let place = format!("/metadata/annotations/{}", key.replace('~', "~0").replace('/', "~1"));
        return Err(PatchFault::Owned { object, path, place, instead: "" });
    }
    match of(before).into_iter().find(|(place, _)| touched(place)) {
        Some((place, instead)) => {
            let place = concrete(before, &place).into_iter().next().unwrap_or(place);
            Err(PatchFault::Owned { object, path, place, instead })
        }
        None => Ok(()),
    }
}

/// The first annotation for the GitOps tools that is not what it was.
fn changed_for_tools(before: &Value, after: &Value) -> Option<String> {
    let annotations = |object: &Value| object.pointer("/metadata/annotations").and_then(Value::as_object).cloned();
    let (before, after) = (annotations(before).unwrap_or_default(), annotations(after).unwrap_or_default());
    let of_tools = |key: &&String| TOOLS.iter().any(|tool| key.starts_with(tool));
    before.keys().chain(after.keys()).filter(of_tools).find(|key| before.get(*key) != after.get(*key)).cloned()
}

/// Whether a pointer leads to, above or below a value of the engine.
pub(super) fn holds(object: &Value, path: &str) -> bool {
    let touch = Touch { path, inserts: false };
    of(object).iter().any(|(place, _)| concrete(object, place).iter().any(|at| touch.hits(object, at)))
}

/// The pointers that a place stands for: one, or as many as there are fitting items.
fn concrete(object: &Value, place: &str) -> Vec<String> {
    let Some((list, rest)) = place.split_once("/[") else { return vec![place.to_owned()] };
    let Some((selector, rest)) = rest.split_once(']') else { return Vec::new() };
    let Some((key, wanted)) = selector.split_once('=') else { return Vec::new() };
    let wanted = wanted.replace("~1", "/").replace("~0", "~");
    let items = object.pointer(list).and_then(Value::as_array).into_iter().flatten();
    let fitting = items.enumerate().filter(|(_, item)| item[key] == wanted.as_str());
    fitting.map(|(i, _)| format!("{list}/{i}{rest}")).collect()
}

fn values<'a>(object: &'a Value, place: &str) -> Vec<Option<&'a Value>> {
    concrete(object, place).iter().map(|at| object.pointer(at)).collect()
}
