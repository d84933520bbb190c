//! `overlays/*.yaml`: defaults and patches for the clusters that a label selector chooses. Written by people.

use crate::definition::{AddonsWish, ControlPlaneWish, FirewallWish, NetworkWish, VipWish};
use crate::fleet::ApiVersion;
use crate::ids::Label;
use crate::patch::Patch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A document of `overlays/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Overlay {
    pub api_version: ApiVersion,
    pub kind: OverlayKind,
    pub metadata: OverlayMetadata,
    pub spec: OverlaySpec,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OverlayKind {
    #[default]
    Overlay,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverlayMetadata {
    pub name: Label,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverlaySpec {
    /// Smaller ones first, equal ones by name: a later one goes before an earlier one, the definition before all.
    #[serde(default)]
    pub order: i32,
    /// As if the file were not there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// Which clusters, by `metadata.labels` of their definitions; every cluster where empty.
    #[serde(default)]
    pub selector: LabelSelector,
    /// Fields of `ClusterDefinition.spec` for definitions that leave them out.
    #[serde(default)]
    pub definition: OverlayDefinition,
    /// Applied before the definition's own patches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

/// Whom an overlay is for. All of it must hold. Beside the labels of the definition, `fleet.metal-stack.io/stage` is the
/// stage and `fleet.metal-stack.io/cluster` the name of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelRequirement>,
}

pub const STAGE_LABEL: &str = "fleet.metal-stack.io/stage";
pub const CLUSTER_LABEL: &str = "fleet.metal-stack.io/cluster";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelRequirement {
    pub key: String,
    pub operator: LabelOperator,
    /// Of `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl LabelSelector {
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let Self { match_labels, match_expressions } = self;
        match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && match_expressions.iter().all(|requirement| requirement.holds(labels))
    }
}

impl LabelRequirement {
    /// As Kubernetes has it: a key that is not there is not in any list.
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let Self { key, operator, values } = self;
        let value = labels.get(key);
        let is_in = || value.is_some_and(|v| values.contains(v));
        match operator {
            LabelOperator::In => is_in(),
            LabelOperator::NotIn => !is_in(),
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
        }
    }
}

/// What an overlay may give; identity, pools and versions are the definition's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverlayDefinition {
    #[serde(default)]
    pub network: NetworkWish,
    #[serde(default)]
    pub vip: VipWish,
    #[serde(default)]
    pub firewall: FirewallWish,
    #[serde(default)]
    pub control_plane: ControlPlaneWish,
    #[serde(default)]
    pub addons: AddonsWish,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_reads_labels_as_kubernetes_does() {
        let labels = BTreeMap::from([("team".to_owned(), "payments".to_owned())]);
        let requirement = |key: &str, operator, values: &[&str]| LabelSelector {
            match_labels: BTreeMap::new(),
            match_expressions: vec![LabelRequirement {
                key: key.to_owned(),
                operator,
                values: values.iter().map(|v| (*v).to_owned()).collect(),
            }],
        };
        use LabelOperator::{DoesNotExist, Exists, In, NotIn};
        assert!(LabelSelector::default().matches(&labels));
        assert!(requirement("team", In, &["payments", "x"]).matches(&labels));
        assert!(!requirement("team", NotIn, &["payments"]).matches(&labels));
        assert!(requirement("other", NotIn, &["payments"]).matches(&labels));
        assert!(requirement("team", Exists, &[]).matches(&labels));
        assert!(requirement("other", DoesNotExist, &[]).matches(&labels));
        assert!(!requirement("other", In, &["payments"]).matches(&labels));
    }
}
