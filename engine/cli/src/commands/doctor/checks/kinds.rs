//! The provider's own kinds and the policy of its templates: there, with the contract label, with this binary's schema.

use super::{Check, some};
use crate::commands::doctor::facts::Plane;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use provider::api::VERSION;
use serde_json::Value;

const KINDS_NAME: &str = "kinds";
const POLICY_NAME: &str = "admission-policy";
pub(super) const NAMES: [&str; 2] = [KINDS_NAME, POLICY_NAME];

/// By it Cluster API finds the versions of a kind.
const CONTRACT: &str = "cluster.x-k8s.io/v1beta2";
const INSTALL: &str = "ferrofleet crds | kubectl apply --server-side --force-conflicts -f -";
const NEWER: &str = "run the binary that brought these kinds, or go back to those of this one: ferrofleet crds | kubectl \
    apply --server-side --force-conflicts -f -";

pub(super) fn checks(plane: &Plane) -> Vec<Check> {
    let ours = provider::crds();
    let mut checks: Vec<_> = ours
        .iter()
        .map(|ours| {
            let name = ours.metadata.name.as_deref().unwrap_or_default();
            let check = match plane.crds.get(name) {
                Some(Ok(Some(theirs))) => kind(ours, theirs),
                Some(Ok(None)) | None => Check::failed(KINDS_NAME, "is not there", INSTALL),
                Some(Err(unread)) => Check::unread(KINDS_NAME, name, unread),
            };
            check.about(&ours.spec.names.kind)
        })
        .collect();
    checks.push(policy(plane));
    checks
}

fn kind(ours: &CustomResourceDefinition, theirs: &CustomResourceDefinition) -> Check {
    let labels = theirs.metadata.labels.as_ref();
    let is_labelled = labels.and_then(|labels| labels.get(CONTRACT)).is_some_and(|versions| {
        // Several versions are written with a line between them.
        versions.split('_').any(|version| version == VERSION)
    });
    let of_version = |crd: &CustomResourceDefinition| crd.spec.versions.iter().find(|v| v.name == VERSION).cloned();
    let Some(found) = of_version(theirs).filter(|version| version.served) else {
        return Check::failed(KINDS_NAME, format!("{VERSION} is not served"), INSTALL);
    };
    if theirs.metadata.deletion_timestamp.is_some() {
        let mend = "stop whoever deletes it: all its objects go with it";
        return Check::failed(KINDS_NAME, "is being deleted", mend);
    }
    if !is_labelled {
        let why = format!("has no label {CONTRACT}={VERSION}: Cluster API does not find the kind");
        return Check::failed(KINDS_NAME, why, INSTALL);
    }
    let Some(wanted) = of_version(ours) else {
        return Check::failed(KINDS_NAME, format!("this binary has no {VERSION} of it"), NEWER);
    };
    let (lacking, more) = (fields(&wanted, &found), fields(&found, &wanted));
    match (&lacking[..], &more[..]) {
        ([], []) if same(&wanted, &found) => Check::ok(KINDS_NAME, "as this binary has it"),
        ([], []) => {
            let why = "differs from this binary's in rules, types or columns";
            Check::warning(KINDS_NAME, why, INSTALL)
        }
        ([], more) => {
            Check::warning(KINDS_NAME, format!("has fields that this binary does not know: {}", some(more)), NEWER)
        }
        (lacking, _) => {
            let why = format!("is older than this binary, as CAPMS's are; dropped are {}", some(lacking));
            Check::warning(KINDS_NAME, why, INSTALL)
        }
    }
}

/// But for prose.
fn same(a: &CustomResourceDefinitionVersion, b: &CustomResourceDefinitionVersion) -> bool {
    let plain = |version: &CustomResourceDefinitionVersion| {
        let mut value = serde_json::to_value(version).unwrap_or_default();
        without_prose(&mut value);
        value
    };
    plain(a) == plain(b)
}

/// A property may be named `description`: prose is a string.
fn without_prose(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, value| !(key == "description" && value.is_string()));
            fields.values_mut().for_each(without_prose);
        }
        Value::Array(items) => items.iter_mut().for_each(without_prose),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Fields of one schema that the other does not have; what is below a missing one is not named.
fn fields(of: &CustomResourceDefinitionVersion, not_of: &CustomResourceDefinitionVersion) -> Vec<String> {
    let schema = |version: &CustomResourceDefinitionVersion| {
        version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.clone()).unwrap_or_default()
    };
    let mut found = Vec::new();
    compare(&schema(of), &schema(not_of), "", &mut found);
    found
}

fn compare(of: &JSONSchemaProps, not_of: &JSONSchemaProps, path: &str, found: &mut Vec<String>) {
    for (name, property) in of.properties.iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match not_of.properties.as_ref().and_then(|known| known.get(name)) {
            Some(known) => compare(property, known, &path, found),
            None => found.push(path),
        }
    }
    if let (Some(JSONSchemaPropsOrArray::Schema(of)), Some(JSONSchemaPropsOrArray::Schema(not_of))) =
        (&of.items, &not_of.items)
    {
        compare(of, not_of, &format!("{path}[]"), found);
    }
}

/// The name of the policy and of its binding.
pub(in crate::commands::doctor) fn policy_name() -> String {
    let objects = provider::admission();
    let name = objects.first().and_then(|policy| policy["metadata"]["name"].as_str());
    name.unwrap_or_default().to_owned()
}

fn policy(plane: &Plane) -> Check {
    let (policy, binding) = match (&plane.policy, &plane.binding) {
        (Err(unread), _) | (_, Err(unread)) => return Check::unread(POLICY_NAME, "admission policies", unread),
        (Ok(policy), Ok(binding)) => (policy, binding),
    };
    let changeable = "a changed MetalStackMachineTemplate would reach some machines of a pool and not others";
    let (Some(policy), Some(binding)) = (policy, binding) else {
        let what = if policy.is_none() { "the policy" } else { "the binding of the policy" };
        return Check::warning(POLICY_NAME, format!("{what} of machine templates is not there: {changeable}"), INSTALL);
    };
    let denies = binding.spec.as_ref().and_then(|spec| spec.validation_actions.as_ref());
    if !denies.is_some_and(|actions| actions.iter().any(|action| action == "Deny")) {
        return Check::warning(
            POLICY_NAME,
            format!("the policy of machine templates denies nothing: {changeable}"),
            INSTALL,
        );
    }
    let ours = provider::admission().into_iter().next().unwrap_or_default();
    if rules(&serde_json::to_value(policy).unwrap_or_default()) == rules(&ours) {
        Check::ok(POLICY_NAME, "machine templates cannot be changed")
    } else {
        Check::warning(POLICY_NAME, "the policy of machine templates is another than this binary's", INSTALL)
    }
}

/// What decides; the API server fills in the rest.
fn rules(policy: &Value) -> [Value; 3] {
    let spec = &policy["spec"];
    [spec["validations"].clone(), spec["matchConditions"].clone(), spec["failurePolicy"].clone()]
}
