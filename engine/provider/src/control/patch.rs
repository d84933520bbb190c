//! Patches of own fields only: what others wrote in the same object stays as it is.

use super::error::Error;
use crate::names;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt as _};
use model::ProjectId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Merges these fields into the object as it was read: somebody else's change meanwhile is a conflict. The object as
/// it then stands.
pub(crate) async fn merge<K>(client: &Client, object: &K, mut fields: Value) -> Result<K, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    fields["metadata"]["resourceVersion"] = json!(object.resource_version());
    let api: Api<K> = of(client, object);
    let params = PatchParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    Ok(lean(api.patch(&object.name_any(), &params, &Patch::Merge(&fields)).await?))
}

/// The same for the status.
pub(crate) async fn merge_status<K>(client: &Client, object: &K, status: Value) -> Result<K, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let fields = json!({"metadata": {"resourceVersion": object.resource_version()}, "status": status});
    let api: Api<K> = of(client, object);
    let params = PatchParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    Ok(lean(api.patch_status(&object.name_any(), &params, &Patch::Merge(&fields)).await?))
}

/// Whether the object is still as it was read; else a conflict. Asked before anything is allocated or freed: the cache may
/// be behind by a pause, a move or the very patch that wrote an id down, and whoever is cut off from the API server may
/// no longer be the one that acts.
pub(crate) async fn is_current<K>(client: &Client, object: &K) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = of(client, object);
    let now = api.get_metadata(&object.name_any()).await?;
    let same = now.metadata.uid == object.meta().uid && now.resource_version() == object.resource_version();
    if same { Ok(()) } else { Err(Error::Conflict) }
}

/// Annotations to set, or with `None` to remove.
pub(crate) fn annotate(annotations: &[(&str, Option<&str>)]) -> Value {
    let map: Map<String, Value> = annotations.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({"metadata": {"annotations": map}})
}

/// What is written into an object before anything is allocated for it: a new attempt, where it is made, and that a move
/// must wait.
pub(crate) fn attempt(project: &ProjectId, credentials: Option<&str>) -> Value {
    let attempt = uuid::Uuid::new_v4().to_string();
    annotate(&[
        (names::ATTEMPT, Some(&attempt)),
        (names::PROJECT, Some(project.as_str())),
        (names::CREDENTIALS, credentials),
        (names::BLOCK_MOVE, Some("")),
    ])
}

/// The finalizers of an object with or without this one: a merge patch replaces the list.
pub(crate) fn finalizers(object: &impl kube::ResourceExt, finalizer: &str, present: bool) -> Value {
    let mut list: Vec<&str> = object.finalizers().iter().map(String::as_str).filter(|f| *f != finalizer).collect();
    if present {
        list.push(finalizer);
    }
    json!({"metadata": {"finalizers": list}})
}

/// An owner reference to this object.
pub(crate) fn owned_by<K: Resource<DynamicType = ()>>(owner: &K, controller: bool) -> Option<OwnerReference> {
    let mut reference = owner.owner_ref(&())?;
    reference.controller = controller.then_some(true);
    reference.block_owner_deletion = controller.then_some(true);
    Some(reference)
}

/// The fields in which two statuses differ, as a merge patch; `None` when there are none.
pub(super) fn difference<S: Serialize>(before: Option<&S>, after: &S) -> Option<Value> {
    let fields = |status: Option<&S>| match status.map(serde_json::to_value) {
        Some(Ok(Value::Object(fields))) => fields,
        _ => Map::new(),
    };
    let (before, after) = (fields(before), fields(Some(after)));
    let mut patch: Map<String, Value> = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for gone in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(gone.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

fn of<K>(client: &Client, object: &K) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(client.clone(), &object.namespace().unwrap_or_default())
}

fn lean<K: Resource<DynamicType = ()>>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Initialization, MetalStackClusterStatus, MetalStackFirewallDeployment};

    #[test]
    fn equal_statuses_cost_no_patch_and_others_only_what_differs() {
        let before = MetalStackClusterStatus { ready: true, failure_reason: Some("x".into()), ..Default::default() };
        assert_eq!(difference(Some(&before), &before), None);
        let provisioned = Some(Initialization { provisioned: Some(true) });
        let after = MetalStackClusterStatus { ready: true, initialization: provisioned, ..Default::default() };
        let patch = difference(Some(&before), &after).unwrap();
        assert_eq!(patch, json!({"initialization": {"provisioned": true}, "failureReason": null}));
        assert!(difference(None, &before).is_some());
    }

    #[test]
    fn finalizers_of_others_stay() {
        let mut object = MetalStackFirewallDeployment::new("shop", Default::default());
        object.metadata.finalizers = Some(vec!["example.com/backup".to_owned()]);
        let list = |present| finalizers(&object, names::FIREWALL_FINALIZER, present)["metadata"]["finalizers"].clone();
        assert_eq!(list(true), json!(["example.com/backup", names::FIREWALL_FINALIZER]));
        assert_eq!(list(false), json!(["example.com/backup"]));
    }
}
