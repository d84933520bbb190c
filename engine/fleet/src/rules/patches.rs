//! Patches as they are written. What they do to objects is judged where these are rendered.

use super::PATCH;
use crate::issue::Report;
use crate::resolve::Case;
use model::Patch;
use model::patch::{PatchOp, PatchOperation, PatchTarget};

/// Kinds whose objects belong to several clusters, or to no management cluster at all.
const NOT_OURS: [&str; 2] = ["Namespace", "Kustomization"];

pub(super) fn of_cluster(case: &mut Case<'_>) {
    patches(&case.definition.spec.patches, &mut case.report);
}

pub(super) fn patches(patches: &[Patch], report: &mut Report<'_>) {
    for (index, patch) in patches.iter().enumerate() {
        let Patch { target, json, merge, force: _ } = patch;
        let field = format!("spec.patches[{index}]");
        self::target(&format!("{field}.target"), target, report);
        match (json, merge) {
            (Some(operations), None) => {
                let field = format!("{field}.json");
                if operations.is_empty() {
                    report.error(PATCH, &field, "a patch without operations").mend("add one, or remove the patch");
                }
                for (i, operation) in operations.iter().enumerate() {
                    self::operation(&format!("{field}[{i}]"), operation, report);
                }
            }
            (None, Some(merge)) if merge.is_empty() => {
                report
                    .error(PATCH, &format!("{field}.merge"), "a patch that changes nothing")
                    .mend("add fields, or remove the patch");
            }
            (None, Some(_)) => {}
            (Some(_), Some(_)) => {
                report
                    .error(PATCH, &field, "a patch has `json` or `merge`, and this one has both")
                    .mend("make two patches of it: they are applied one after the other");
            }
            (None, None) => {
                report
                    .error(PATCH, &field, "a patch without `json` and `merge` changes nothing")
                    .mend("add `json` (RFC 6902) or `merge` (RFC 7386)");
            }
        }
    }
}

fn target(field: &str, target: &PatchTarget, report: &mut Report<'_>) {
    let PatchTarget { api_version, kind, name } = target;
    let at = |name: &str| format!("{field}.{name}");
    let is_kind = kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_kind {
        report
            .error(PATCH, &at("kind"), format!("`{kind}` is no kind of an object"))
            .mend("write it as manifests do, for example `MachineDeployment`");
    } else if NOT_OURS.contains(&kind.as_str()) {
        report
            .error(PATCH, &at("kind"), format!("a {kind} is not the cluster's own, and cannot be patched"))
            .mend("patch objects of the cluster");
    }
    if let Some(version) = api_version.as_deref().filter(|version| !is_api_version(version)) {
        report
            .error(PATCH, &at("apiVersion"), format!("`{version}` is no API version"))
            .mend("write it as manifests do, for example `cluster.x-k8s.io/v1beta2`, or leave it out");
    }
    if name.as_deref().is_some_and(str::is_empty) {
        report.error(PATCH, &at("name"), "an empty name fits no object").mend("leave it out, or write `*`");
    }
}

fn is_api_version(text: &str) -> bool {
    let (group, version) = text.split_once('/').map_or((None, text), |(group, version)| (Some(group), version));
    let is_label = |part: &str| model::ids::Label::parse(part).is_ok();
    let is_version = version.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    group.is_none_or(|group| group.split('.').all(is_label)) && is_version && is_label(version)
}

fn operation(field: &str, operation: &PatchOperation, report: &mut Report<'_>) {
    let PatchOperation { op, path, from, value } = operation;
    let name = format!("{op:?}").to_lowercase();
    pointer(&format!("{field}.path"), path, report);
    if let Some(from) = from {
        pointer(&format!("{field}.from"), from, report);
    }
    let (needs_from, needs_value) = match op {
        PatchOp::Add | PatchOp::Replace | PatchOp::Test => (false, true),
        PatchOp::Remove => (false, false),
        PatchOp::Move | PatchOp::Copy => (true, false),
    };
    for (what, needs, has) in [("from", needs_from, from.is_some()), ("value", needs_value, value.is_some())] {
        let field = format!("{field}.{what}");
        if needs && !has {
            report.error(PATCH, &field, format!("`{name}` without `{what}`")).mend(format!("add `{what}`"));
        } else if has && !needs {
            report.error(PATCH, &field, format!("`{name}` takes no `{what}`")).mend("remove it");
        }
    }
    if let (PatchOp::Move, Some(from)) = (op, from)
        && path != from
        && model::patch::is_below(path, from)
    {
        report
            .error(PATCH, &format!("{field}.path"), format!("`{from}` cannot be moved into itself"))
            .mend("move it elsewhere");
    }
}

/// RFC 6901. The whole object cannot be replaced: it would be another one.
fn pointer(field: &str, pointer: &str, report: &mut Report<'_>) {
    if !pointer.starts_with('/') {
        report
            .error(PATCH, field, format!("`{pointer}` is no JSON pointer: it does not begin with `/`"))
            .mend(format!("for example `/{}`", pointer.replace('.', "/")));
    } else if pointer.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
        report
            .error(PATCH, field, format!("`{pointer}` is no JSON pointer: after `~` comes 0 or 1"))
            .mend("write `~0` for `~` and `~1` for `/` inside a name");
    }
}
