//! What the user of the kubeconfig may do, of what the provider's own ClusterRole allows it.

use super::{each, read};
use crate::commands::doctor::facts::{Read, Right};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::Value;
use std::collections::BTreeSet;

/// What the provider does and this user may not.
pub(super) async fn denied(client: &Client) -> Read<Vec<Right>> {
    let api = Api::<SelfSubjectAccessReview>::all(client.clone());
    let answers = each(needed(), |right: Right| {
        let api = api.clone();
        async move {
            let reviewed = api.create(&PostParams::default(), &review(&right)).await;
            let allowed = reviewed.map(|review| review.status.is_some_and(|status| status.allowed));
            read(allowed).map(|allowed| (!allowed).then_some(right))
        }
    });
    let mut denied = BTreeSet::new();
    for answer in answers.await {
        denied.extend(answer?);
    }
    Ok(denied.into_iter().collect())
}

/// In all namespaces.
fn review(right: &Right) -> SelfSubjectAccessReview {
    let Right { group, resource, verb } = right;
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (resource.as_str(), None),
    };
    let attributes = ResourceAttributes {
        group: Some(group.clone()),
        resource: Some(resource.to_owned()),
        subresource,
        verb: Some(verb.clone()),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() }
}

/// Of the role that is installed with the provider, so that the two cannot differ.
fn needed() -> BTreeSet<Right> {
    let components = provider::components::yaml(&provider::components::Options::default());
    let roles = components.split("---\n").filter(|document| document.contains("\nkind: ClusterRole\n"));
    let roles = roles.filter_map(|document| serde_yaml::from_str::<Value>(document).ok());
    let mut needed = BTreeSet::new();
    for role in roles {
        for rule in role["rules"].as_array().into_iter().flatten() {
            let words = |field: &str| {
                let words = rule[field].as_array().cloned().unwrap_or_default();
                words.into_iter().filter_map(|word| word.as_str().map(str::to_owned)).collect::<Vec<_>>()
            };
            for group in words("apiGroups") {
                for resource in words("resources") {
                    let right = |verb| Right { group: group.clone(), resource: resource.clone(), verb };
                    needed.extend(words("verbs").into_iter().map(right));
                }
            }
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rights_are_those_of_the_role() {
        let needed = needed();
        let has = |group: &str, resource: &str, verb: &str| {
            let right = Right { group: group.to_owned(), resource: resource.to_owned(), verb: verb.to_owned() };
            needed.contains(&right)
        };
        assert!(has("", "secrets", "get") && has("cluster.x-k8s.io", "machines", "watch"), "{needed:?}");
        assert!(has(provider::api::GROUP, "metalstackmachines/status", "patch"), "{needed:?}");
        assert!(!has("", "secrets", "delete"), "{needed:?}");
        let status = needed.iter().find(|right| right.resource == "metalstackmachines/status").unwrap();
        let attributes = review(status).spec.resource_attributes.unwrap();
        assert_eq!(
            (attributes.resource.as_deref(), attributes.subresource.as_deref()),
            (Some("metalstackmachines"), Some("status"))
        );
    }
}
