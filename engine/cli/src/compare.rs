//! An object as it is in a management cluster against what applying our output would make of it. Pure: the API server
//! did the applying, in a dry run.

use crate::output::{diff, styles};
use serde::Serialize;
use serde_json::{Map, Value};

/// The label by which an object belongs to a cluster.
pub(crate) const CLUSTER_LABEL: &str = "cluster.x-k8s.io/cluster-name";
/// What keeps GitOps tools from pruning an object; only what we rendered carries both.
const GUARDS: [&str; 2] = ["argocd.argoproj.io/sync-options", "kustomize.toolkit.fluxcd.io/prune"];
/// What the API server keeps about an object; nobody renders it.
const KEPT_BY_SERVER: [&str; 6] =
    ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"];

/// What applying the output would do to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Effect {
    Add,
    Change,
    Remove,
}

/// An object and how it differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Difference {
    #[serde(flatten)]
    pub(crate) object: Name,
    pub(crate) change: Effect,
    /// Unified, with the management cluster's side first.
    pub(crate) diff: String,
}

/// What an object is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Name {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

impl Name {
    /// None for what is no object.
    pub(crate) fn of(object: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let metadata = &object["metadata"];
        Some(Self {
            api_version: text(&object["apiVersion"])?,
            kind: text(&object["kind"])?,
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"])?,
        })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { api_version, kind, namespace, name } = self;
        write!(f, "{api_version} {kind} ")?;
        namespace.iter().try_for_each(|namespace| write!(f, "{namespace}/"))?;
        f.write_str(name)
    }
}

/// An object that is not there yet.
pub(crate) fn added(name: &Name, rendered: &Value) -> Result<Difference, serde_yaml::Error> {
    difference(name, Effect::Add, None, Some(rendered))
}

/// An object of ours that is not rendered any more.
pub(crate) fn removed(name: &Name, live: &Value) -> Result<Difference, serde_yaml::Error> {
    let mut live = live.clone();
    strip(&mut live);
    difference(name, Effect::Remove, Some(&live), None)
}

/// What applying `rendered` changes: `applied` is the API server's answer to a dry run. Shown are the fields that are
/// rendered and those that would change; what others own stays out of sight.
pub(crate) fn changed(
    name: &Name,
    rendered: &Value,
    live: &Value,
    applied: &Value,
) -> Result<Option<Difference>, serde_yaml::Error> {
    let (mut live, mut applied) = (live.clone(), applied.clone());
    strip(&mut live);
    strip(&mut applied);
    if live == applied {
        return Ok(None);
    }
    let (before, after) = concerned(rendered, &live, &applied);
    difference(name, Effect::Change, Some(&before), Some(&after)).map(Some)
}

/// Whether an object that is not rendered was: it names the cluster and carries our guards.
pub(crate) fn is_ours(live: &Value) -> bool {
    // Of what a person's tools may prune nothing else is said; nobody else makes these for one cluster by its name.
    let is_unguarded =
        ["ClusterResourceSet", "MachineHealthCheck"].contains(&live["kind"].as_str().unwrap_or_default());
    let annotations = &live["metadata"]["annotations"];
    is_unguarded || GUARDS.iter().all(|guard| annotations[guard].is_string())
}

/// Who applied the object, so that a dry run in the same name also shows which fields would go: the manager that owns
/// the cluster's label, else `otherwise`.
pub(crate) fn manager(live: Option<&Value>, otherwise: &str) -> String {
    let entries = live.and_then(|live| live["metadata"]["managedFields"].as_array()).map(Vec::as_slice);
    let label = format!("f:{CLUSTER_LABEL}");
    let owns = |entry: &&Value| {
        let is_apply = entry["operation"] == "Apply" && entry["subresource"].is_null();
        is_apply && !entry["fieldsV1"]["f:metadata"]["f:labels"][&label].is_null()
    };
    let mut owners = entries.unwrap_or_default().iter().filter(owns).filter_map(|entry| entry["manager"].as_str());
    let first = owners.next().unwrap_or(otherwise);
    if owners.any(|owner| owner == otherwise) { otherwise.to_owned() } else { first.to_owned() }
}

fn strip(object: &mut Value) {
    let Value::Object(object) = object else { return };
    object.remove("status");
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.retain(|key, _| !KEPT_BY_SERVER.contains(&key.as_str()));
    }
}

/// Both sides without what is neither rendered nor different.
fn concerned(rendered: &Value, live: &Value, applied: &Value) -> (Value, Value) {
    match (rendered, live, applied) {
        (Value::Object(ours), Value::Object(live), Value::Object(applied)) => {
            let (mut before, mut after) = (Map::new(), Map::new());
            for key in applied.keys().chain(live.keys().filter(|key| !applied.contains_key(*key))) {
                let (was, will) = (live.get(key), applied.get(key));
                let (was, will) = match (ours.get(key), was, will) {
                    (None, was, will) if was == will => continue,
                    (Some(ours), Some(was), Some(will)) => {
                        let (was, will) = concerned(ours, was, will);
                        (Some(was), Some(will))
                    }
                    (_, was, will) => (was.cloned(), will.cloned()),
                };
                before.extend(was.map(|was| (key.clone(), was)));
                after.extend(will.map(|will| (key.clone(), will)));
            }
            (before.into(), after.into())
        }
        (Value::Array(ours), Value::Array(live), Value::Array(applied))
            if ours.len() == live.len() && live.len() == applied.len() =>
        {
            let sides = ours.iter().zip(live.iter().zip(applied)).map(|(o, (l, a))| concerned(o, l, a));
            let (before, after): (Vec<_>, Vec<_>) = sides.unzip();
            (before.into(), after.into())
        }
        (_, live, applied) => (live.clone(), applied.clone()),
    }
}

fn difference(
    name: &Name,
    change: Effect,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Result<Difference, serde_yaml::Error> {
    let text = |side: Option<&Value>| side.map_or(Ok(String::new()), serde_yaml::to_string);
    let (before, after) = (text(before)?, text(after)?);
    Ok(Difference { object: name.clone(), change, diff: diff::unified(&before, &after) })
}

impl Difference {
    /// As `diff -u` shows it, in colours.
    pub(crate) fn text(&self) -> String {
        let Self { object, change, diff } = self;
        let (from, to) = match change {
            Effect::Add => ("nothing", "rendered"),
            Effect::Change => ("live", "rendered"),
            Effect::Remove => ("live", "not rendered"),
        };
        let head = styles::bold(format!("--- {object} ({from})\n+++ {object} ({to})"));
        format!("{head}\n{}", diff::painted(diff))
    }
}

#[cfg(test)]
mod tests;
