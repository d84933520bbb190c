//! What an overlay must be by itself. What it gives is judged with the clusters that it selects.

use super::labels::{KEY_MEND, VALUE_MEND, is_key, is_value};
use super::{OVERLAY_UNUSED, SELECTOR};
use crate::issue::{Issue, Report};
use crate::load::Cluster;
use crate::overlays::Overlays;
use model::Overlay;
use model::Severity;
use model::overlay::{LabelOperator, LabelRequirement, LabelSelector, OverlaySpec};
use std::collections::BTreeSet;

pub(crate) fn overlay(overlay: &Overlay, report: &mut Report<'_>) {
    let OverlaySpec { order: _, disabled: _, selector, definition: _, patches } = &overlay.spec;
    self::selector(selector, report);
    super::patches::patches(patches, report);
}

fn selector(selector: &LabelSelector, report: &mut Report<'_>) {
    let LabelSelector { match_labels, match_expressions } = selector;
    for (key, value) in match_labels {
        let field = format!("spec.selector.matchLabels.{key}");
        label_key(&field, key, report);
        label_value(&field, value, report);
    }
    for (index, requirement) in match_expressions.iter().enumerate() {
        let LabelRequirement { key, operator, values } = requirement;
        let field = format!("spec.selector.matchExpressions[{index}]");
        label_key(&format!("{field}.key"), key, report);
        for (i, value) in values.iter().enumerate() {
            label_value(&format!("{field}.values[{i}]"), value, report);
        }
        let takes_values = match operator {
            LabelOperator::In | LabelOperator::NotIn => true,
            LabelOperator::Exists | LabelOperator::DoesNotExist => false,
        };
        if takes_values && values.is_empty() {
            let message = format!("{operator:?} without values");
            report.error(SELECTOR, &format!("{field}.values"), message).mend("name the values, or use Exists");
        } else if !takes_values && !values.is_empty() {
            let message = format!("{operator:?} looks at the key only, and has values");
            report.error(SELECTOR, &format!("{field}.values"), message).mend("remove them, or use In or NotIn");
        }
    }
}

fn label_key(field: &str, key: &str, report: &mut Report<'_>) {
    if !is_key(key) {
        report.error(SELECTOR, field, format!("`{key}` is no label key")).mend(KEY_MEND);
    }
}

fn label_value(field: &str, value: &str, report: &mut Report<'_>) {
    if !is_value(value) {
        report.error(SELECTOR, field, format!("`{value}` is no label value")).mend(VALUE_MEND);
    }
}

/// A selector with a typing error selects nobody, and nothing else would say so. `is_all` is false where clusters may be
/// missing.
pub(crate) fn unused(overlays: &Overlays, clusters: &[Cluster<'_>], is_all: bool, issues: &mut Vec<Issue>) {
    let used: BTreeSet<&str> = clusters.iter().flat_map(|cluster| cluster.overlays.iter().copied()).collect();
    if !is_all || clusters.is_empty() {
        return;
    }
    for layer in overlays.layers.iter().filter(|layer| !used.contains(layer.path.as_str())) {
        let message = "no cluster has the labels that this overlay selects";
        let mut issue = Issue::error(OVERLAY_UNUSED, &layer.path, "spec.selector", message);
        issue.severity = Severity::Warning;
        issue.mend =
            "compare it with metadata.labels of the definitions; `fleet.metal-stack.io/stage` is the stage".to_owned();
        issues.push(issue);
    }
}
