//! Labels and taints as Kubernetes has them.

use super::{LABEL, NODE_LABEL, TAINT};
use crate::resolve::Case;
use model::definition::{PoolWish, Taint};

pub(super) const KEY_MEND: &str =
    "keys are `name` or `domain/name`; names have at most 63 letters, digits, `-`, `_`, `.`";
pub(super) const VALUE_MEND: &str = "values have at most 63 letters, digits, `-`, `_`, `.`";

/// Labels that Ferrofleet sets on the Cluster: the add-ons' selectors (R13) hang on them.
const OURS: [&str; 3] =
    ["cluster.metal-stack.io/infrastructure-provider", "cluster.metal-stack.io/cni", "cluster.x-k8s.io/cluster-name"];

/// What kubelet lets a node say of itself below kubernetes.io and k8s.io (k8s.io/kubelet/pkg/apis/well_known_labels.go).
const OF_KUBELET: [&str; 12] = [
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.kubernetes.io/region",
    "failure-domain.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];
const OF_KUBELET_BELOW: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

pub(super) fn of_cluster(case: &mut Case<'_>) {
    for (key, value) in &case.definition.metadata.labels {
        let (why, mend) = if OURS.contains(&key.as_str()) {
            (format!("label `{key}` is set by Ferrofleet"), "remove it")
        } else if !is_key(key) {
            (format!("`{key}` is no label key"), KEY_MEND)
        } else if !is_value(value) {
            (format!("`{value}` is no label value"), VALUE_MEND)
        } else {
            continue;
        };
        case.report.error(LABEL, &format!("metadata.labels.{key}"), why).mend(mend);
    }
}

pub(super) fn of_nodes(case: &mut Case<'_>) {
    for (index, pool) in case.definition.spec.pools.iter().enumerate() {
        labels(index, pool, case);
        taints(index, &pool.taints, case);
    }
}

/// A kubelet that is asked to set a label it may not set does not start: the machine never becomes a node.
fn labels(index: usize, pool: &PoolWish, case: &mut Case<'_>) {
    for (key, value) in &pool.labels {
        let (why, mend) = if !is_key(key) {
            (format!("`{key}` is no label key"), KEY_MEND)
        } else if !is_value(value) {
            (format!("`{value}` is no label value"), VALUE_MEND)
        } else if is_reserved(key) {
            let why = format!("kubelet may not set label `{key}`, and would not start");
            (why, "use a domain of your own, or `node.kubernetes.io/…`")
        } else {
            continue;
        };
        case.report.error(NODE_LABEL, &format!("spec.pools[{index}].labels.{key}"), why).mend(mend);
    }
}

fn taints(index: usize, taints: &[Taint], case: &mut Case<'_>) {
    for (t, taint) in taints.iter().enumerate() {
        let Taint { key, value, effect } = taint;
        let field = format!("spec.pools[{index}].taints[{t}]");
        if !is_key(key) {
            let message = format!("`{key}` is no key of a taint");
            case.report.error(TAINT, &format!("{field}.key"), message).mend(KEY_MEND);
        }
        if let Some(value) = value.as_deref().filter(|value| !is_value(value)) {
            let message = format!("`{value}` is no value of a taint");
            case.report.error(TAINT, &format!("{field}.value"), message).mend(VALUE_MEND);
        }
        if taints[..t].iter().any(|other| other.key == *key && other.effect == *effect) {
            let message = format!("taint `{key}` is there twice with effect {effect:?}");
            case.report.error(TAINT, &field, message).mend("remove one");
        }
    }
}

fn is_reserved(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    let below = |parent: &str| domain.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let is_theirs = below("kubernetes.io") || below("k8s.io");
    is_theirs && !OF_KUBELET.contains(&key) && !OF_KUBELET_BELOW.iter().any(|parent| below(parent))
}

pub(super) fn is_key(key: &str) -> bool {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let is_domain = |d: &str| d.len() <= 253 && d.split('.').all(|part| model::ids::Label::parse(part).is_ok());
    domain.is_none_or(is_domain) && !name.is_empty() && is_value(name)
}

pub(super) fn is_value(value: &str) -> bool {
    let ends = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    value.len() <= 63 && bytes.iter().all(inner) && ends(bytes.first()) && ends(bytes.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_kubelet_refuses() {
        for key in
            ["kubernetes.io/x", "node-role.kubernetes.io/worker", "a.k8s.io/b", "node-restriction.kubernetes.io/x"]
        {
            assert!(is_reserved(key), "{key}");
        }
        for key in [
            "team",
            "example.com/x",
            "node.kubernetes.io/x",
            "a.node.kubernetes.io/x",
            "topology.kubernetes.io/zone",
            "mykubernetes.io/x",
        ] {
            assert!(!is_reserved(key), "{key}");
        }
    }
}
