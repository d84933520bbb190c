//! Add-ons as they are written. That installed ones stay is judged by `installed`.

use super::{ADDON, ADDON_NAME, CCM_OFF, CILIUM, CNI_OFF, SECRET_IN_GIT, VERSION_TAG};
use crate::issue::Report;
use crate::place::shown;
use crate::resolve::Case;
use model::definition::{ChartWish, CniKind, ManifestsWish};
use model::ids::Label;
use model::want::{Flavor, InstalledCni, Origin};
use serde_json::{Map, Value};

/// What Ferrofleet installs itself.
const OURS: [&str; 4] = ["calico", "cilium", "metallb", "metal-ccm"];
/// Helm takes no longer names of releases.
const RELEASE_CHARS_MAX: usize = 53;

/// Only what people wrote for the cluster: the policy's own are judged with the policy.
pub(super) fn versions(case: &mut Case<'_>) {
    let Case { effective, report, .. } = case;
    if let Some(cni) = effective.cni.as_ref().filter(|cni| cni.version.from != Origin::Policy) {
        let check = match cni.kind {
            InstalledCni::Calico => version_tag,
            InstalledCni::Cilium => chart_version,
        };
        check("spec.network.cni.version", &cni.version.value, report);
    }
    if let Some(ccm) = effective.ccm.as_ref().filter(|c| c.version.from != Origin::Policy) {
        version_tag("spec.addons.ccm.version", &ccm.version.value, report);
    }
    if let Some(metallb) = effective.metallb.as_ref().filter(|m| m.version.from != Origin::Policy) {
        chart_version("spec.addons.metallb.version", &metallb.version.value, report);
    }
}

pub(super) fn version_tag(field: &str, value: &str, report: &mut Report<'_>) {
    let is_version = value.strip_prefix('v').is_some_and(|bare| semver::Version::parse(bare).is_ok());
    if !is_version {
        report.error(VERSION_TAG, field, format!("`{value}` does not read like `v1.2.3`")).mend("write it with a `v`");
    }
}

/// Of charts whose versions are written without a `v`, or with one.
pub(super) fn chart_version(field: &str, value: &str, report: &mut Report<'_>) {
    if semver::Version::parse(value.strip_prefix('v').unwrap_or(value)).is_err() {
        report
            .error(VERSION_TAG, field, format!("`{}` is no version of a chart", shown(value)))
            .mend("write all three numbers, as `1.18.3`");
    }
}

/// What a person may want and should know of.
pub(super) fn choices(case: &mut Case<'_>) {
    let Case { effective, definition, report, .. } = case;
    let installs_all = effective.flavor.value == Flavor::Calico;
    let written = definition.spec.network.cni.as_ref().and_then(|cni| cni.kind);
    if effective.cni.as_ref().is_some_and(|cni| cni.kind == InstalledCni::Cilium) {
        report
            .error(
                CILIUM,
                "spec.network.cni.type",
                "Cilium is experimental: nobody runs it on metal-stack with this yet",
            )
            .mend("use calico where you depend on it")
            .warning();
    }
    if installs_all && written == Some(CniKind::None) {
        report
            .error(CNI_OFF, "spec.network.cni.type", "no CNI is installed: nodes stay NotReady until you install one")
            .mend("install one, for example by addons.extra, or use flavor default, which expects it")
            .warning();
    }
    if installs_all && effective.ccm.is_none() {
        report
            .error(
                CCM_OFF,
                "spec.addons.ccm.enabled",
                "kubelet waits for a cloud controller manager, and none is installed: nodes stay uninitialised",
            )
            .mend("install it yourself, or use flavor default, which expects that")
            .warning();
    }
}

pub(super) fn extra(case: &mut Case<'_>) {
    let (charts, manifests) = (&case.effective.charts, &case.effective.manifests);
    names("spec.addons.extra", charts.iter().map(|chart| &chart.name), &mut case.report);
    names("spec.addons.manifests", manifests.iter().map(|set| &set.name), &mut case.report);
    for (index, one) in charts.iter().enumerate() {
        chart(&format!("spec.addons.extra[{index}]"), one, &mut case.report);
    }
    for (index, set) in manifests.iter().enumerate() {
        self::manifests(&format!("spec.addons.manifests[{index}]"), set, &mut case.report);
    }
}

fn names<'a>(list: &str, names: impl Iterator<Item = &'a Label>, report: &mut Report<'_>) {
    let names: Vec<_> = names.collect();
    super::policy::unique(list, "name", &names, report);
    for (index, name) in names.iter().enumerate().filter(|(_, name)| OURS.contains(&name.as_str())) {
        report
            .error(
                ADDON_NAME,
                &format!("{list}[{index}].name"),
                format!("`{name}` is a name that Ferrofleet uses itself"),
            )
            .mend("choose another name");
    }
}

fn chart(field: &str, chart: &ChartWish, report: &mut Report<'_>) {
    let ChartWish { name, repo_url, chart, version, namespace: _, values: _ } = chart;
    if name.as_str().len() > RELEASE_CHARS_MAX {
        let message = format!("the name of a Helm release has at most {RELEASE_CHARS_MAX} characters");
        report.error(ADDON_NAME, &format!("{field}.name"), message).mend("choose a shorter name");
    }
    chart_version(&format!("{field}.version"), version, report);
    let is_chart = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if chart.is_empty() || !chart.chars().all(is_chart) {
        report
            .error(ADDON, &format!("{field}.chart"), format!("`{}` is no name of a chart", shown(chart)))
            .mend("write its name alone; where it lies is said by repoURL");
    }
    let rest = repo_url.strip_prefix("https://").or_else(|| repo_url.strip_prefix("oci://"));
    let field = format!("{field}.repoURL");
    match rest {
        Some(rest) if rest.contains('@') => {
            report
                .error(SECRET_IN_GIT, &field, "credentials in a URL would be readable in Git")
                .mend("remove them; the Helm add-on provider takes them from a Secret in the management cluster");
        }
        Some(rest) if is_plain(rest) => {}
        _ => {
            let text = shown(repo_url.rsplit('@').next().unwrap_or_default());
            report
                .error(ADDON, &field, format!("`{text}` is no repository of charts"))
                .mend("write `https://charts.example.com` or `oci://registry.example.com/charts`");
        }
    }
}

fn is_plain(rest: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '"' | '\'' | '\\' | '<' | '>' | '{' | '}');
    !rest.starts_with('/') && !rest.is_empty() && rest.chars().all(plain)
}

fn manifests(field: &str, set: &ManifestsWish, report: &mut Report<'_>) {
    let ManifestsWish { name: _, objects, secret_refs } = set;
    if objects.is_empty() && secret_refs.is_empty() {
        report.error(ADDON, field, "a set of manifests with nothing in it").mend("add objects or secretRefs");
    }
    super::policy::unique(&format!("{field}.secretRefs"), "", secret_refs, report);
    for (index, object) in objects.iter().enumerate() {
        self::object(&format!("{field}.objects[{index}]"), object, report);
    }
}

fn object(field: &str, object: &Map<String, Value>, report: &mut Report<'_>) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let metadata = object.get("metadata").and_then(Value::as_object);
    let has = [
        ("apiVersion", text(object.get("apiVersion"))),
        ("kind", text(object.get("kind"))),
        ("metadata.name", text(metadata.and_then(|metadata| metadata.get("name")))),
    ];
    for (name, _) in has.into_iter().filter(|(_, has)| !has) {
        report
            .error(ADDON, &format!("{field}.{name}"), format!("an object without `{name}`"))
            .mend("write whole Kubernetes objects");
    }
    let is_secret = |object: &Map<String, Value>| object.get("kind").and_then(Value::as_str) == Some("Secret");
    let items = object.get("items").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    if is_secret(object) || items.into_iter().any(is_secret) {
        report
            .error(SECRET_IN_GIT, &format!("{field}.kind"), "a Secret would be readable in Git")
            .mend("put a Secret of type addons.cluster.x-k8s.io/resource-set into the cluster's namespace of the management cluster, and name it in secretRefs");
    }
}
