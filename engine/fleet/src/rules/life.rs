//! Purpose and labels of a cluster.

use super::{LABEL, SHARED_PRODUCTION};
use crate::resolve::Case;
use model::fleet::{ManagementRole, Purpose};

/// Labels that Ferrofleet sets on the Cluster: the add-ons' selectors (R13) hang on them.
const OURS: [&str; 3] =
    ["cluster.metal-stack.io/infrastructure-provider", "cluster.metal-stack.io/cni", "cluster.x-k8s.io/cluster-name"];

/// Whoever loses such a management cluster loses metal-api with it.
pub(super) fn shared_production(case: &mut Case<'_>) {
    let name = &case.identity.management_cluster;
    let role = case.around.fleet.management_cluster(name.as_str()).map(|m| m.role);
    if role == Some(ManagementRole::Shared) && case.effective.purpose.value == Purpose::Production {
        let message = format!("a production cluster managed by `{name}`, which also runs metal-api");
        case.report
            .error(SHARED_PRODUCTION, "spec.purpose", message)
            .mend("manage it by a cluster of role kclm")
            .warning();
    }
}

pub(super) fn labels(case: &mut Case<'_>) {
    for (key, value) in &case.definition.metadata.labels {
        let why = if OURS.contains(&key.as_str()) {
            format!("label `{key}` is set by Ferrofleet")
        } else if !is_key(key) {
            format!("`{key}` is no label key")
        } else if !is_value(value) {
            format!("`{value}` is no label value")
        } else {
            continue;
        };
        case.report
            .error(LABEL, &format!("metadata.labels.{key}"), why)
            .mend("keys are `name` or `domain/name`; names and values have at most 63 letters, digits, `-`, `_`, `.`");
    }
}

fn is_key(key: &str) -> bool {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let is_domain = |d: &str| d.len() <= 253 && d.split('.').all(|part| model::ids::Label::parse(part).is_ok());
    domain.is_none_or(is_domain) && !name.is_empty() && is_value(name)
}

fn is_value(value: &str) -> bool {
    let ends = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    value.len() <= 63 && bytes.iter().all(inner) && ends(bytes.first()) && ends(bytes.last())
}
