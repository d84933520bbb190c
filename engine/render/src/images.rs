//! The bill of images: every container image and chart that the output of a cluster names, and where a policy has it come
//! from. What kubeadm pulls is not in it: those images lie in the OS image under their upstream names (R24).

mod written;

use crate::facts::Facts;
use crate::kinds::{Objects, calico, charts, cilium, metallb, name_of};
use crate::patch;
use crate::probe::placeholder_lock;
use model::images::host;
use model::policy::{ImagePolicy, ImageRewrite};
use model::want::{Effective, Wanted};
use model::{ClusterLock, Finding, Place};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
pub(crate) use written::rewrite;

/// One image or chart that is fetched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BillEntry {
    pub kind: Fetched,
    /// As rendered. Of a chart: its repository, its name and version. Without a tag where only the chart knows it.
    pub reference: String,
    /// As it would be without the policy's rules.
    pub upstream: String,
    /// `Kind/name` of the rendered object that names it.
    pub object: String,
    /// What fetches it: a chart, or a place in the object.
    pub from: String,
    /// Whether it comes from a host that a rule of the policy leads to.
    pub mapped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fetched {
    Image,
    Chart,
}

/// Everything that the output of a cluster with this lock names, patches included, in the order of the output.
pub fn images(wanted: &Wanted, lock: &ClusterLock) -> Vec<BillEntry> {
    let has_rules = !wanted.effective.images.rewrite.is_empty();
    let upstream = if has_rules { without_rules(wanted, lock) } else { BTreeMap::new() };
    bill(wanted, lock, &upstream)
}

/// What an air-gapped cluster would fetch from hosts that no rule leads to.
pub fn unmapped(wanted: &Wanted, lock: &ClusterLock) -> Vec<BillEntry> {
    images(wanted, lock).into_iter().filter(|entry| !entry.mapped).collect()
}

/// Upstream names that are not among these are the rendered ones.
fn bill(wanted: &Wanted, lock: &ClusterLock, upstream: &BTreeMap<Key, String>) -> Vec<BillEntry> {
    // A host alone would read as an image's name.
    let target = |rule: &ImageRewrite| host(&format!("{}/", rule.to.trim_end_matches('/')));
    let targets: BTreeSet<_> = wanted.effective.images.rewrite.iter().map(target).collect();
    let mut seen = BTreeSet::new();
    let mut bill = Vec::new();
    for (key, found) in named(&objects(wanted, lock)) {
        let Named { kind, reference, object, from } = found;
        let upstream = upstream.get(&key).unwrap_or(&reference).clone();
        let mapped = targets.contains(&host(&reference));
        if seen.insert((reference.clone(), object.clone())) {
            bill.push(BillEntry { kind, reference, upstream, object, from, mapped });
        }
    }
    bill
}

/// The findings of a policy that says air-gapped, before a lock exists too.
pub(crate) fn image_findings(wanted: &Wanted) -> Vec<Finding> {
    let effective = &wanted.effective;
    if !effective.images.airgapped {
        return Vec::new();
    }
    let mut refused: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let bill = bill(wanted, &placeholder_lock(wanted), &BTreeMap::new());
    for entry in bill.into_iter().filter(|entry| !entry.mapped) {
        let BillEntry { kind, reference, upstream: _, object, from: _, mapped: _ } = entry;
        let field = field_of(effective, wanted.id.name().as_str(), &object, kind);
        refused.entry((field, host(&reference))).or_default().push(reference);
    }
    let finding = |((field, host), references): ((String, String), Vec<String>)| {
        let (first, more) = references.split_first().map_or(("", 0), |(first, more)| (first, more.len()));
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let policy = &effective.policy;
        let message =
            format!("{first}{more}: policy `{policy}` is air-gapped, and none of its rules leads to `{host}`");
        Finding::error("airgapped-host", Place::file(&wanted.path), message)
            .field(field)
            .mend(format!("add a rule `from: {host}` to spec.images.rewrite of policy `{policy}`"))
            .cluster(&wanted.id)
    };
    refused.into_iter().map(finding).collect()
}

/// The field of the definition that an entry comes from, as near as it can be told.
fn field_of(effective: &Effective, cluster: &str, object: &str, kind: Fetched) -> String {
    let Some((object_kind, name)) = object.split_once('/') else { return String::new() };
    let role = name.strip_prefix(cluster).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
    match (object_kind, role) {
        ("HelmChartProxy", "calico-cni" | "cilium-cni") => "spec.network.cni".to_owned(),
        ("HelmChartProxy", "metallb") | ("ConfigMap", "metallb-speaker") => "spec.addons.metallb".to_owned(),
        ("ConfigMap", "metal-ccm") => "spec.addons.ccm".to_owned(),
        ("KubeadmControlPlane", _) => "spec.controlPlane.image".to_owned(),
        ("HelmChartProxy", role) => match effective.charts.iter().position(|chart| chart.name.as_str() == role) {
            Some(i) if kind == Fetched::Chart => format!("spec.addons.extra[{i}].repoURL"),
            Some(i) => format!("spec.addons.extra[{i}].values"),
            None => "spec.patches".to_owned(),
        },
        ("ConfigMap", role) => match effective.manifests.iter().position(|set| set.name.as_str() == role) {
            Some(i) => format!("spec.addons.manifests[{i}].objects"),
            None => "spec.patches".to_owned(),
        },
        _ => "spec.patches".to_owned(),
    }
}

/// The objects as they are rendered now. Patches that cannot be applied are left out: they are findings of their own.
fn objects(wanted: &Wanted, lock: &ClusterLock) -> Objects {
    let facts = Facts { wanted, values: &lock.values };
    let mut objects = Objects::of(facts);
    if patch::apply(&mut objects, &wanted.effective.patches).is_err() {
        objects = Objects::of(facts);
    }
    objects
}

/// What each place would name without the policy's rules.
fn without_rules(wanted: &Wanted, lock: &ClusterLock) -> BTreeMap<Key, String> {
    let mut effective = Effective::clone(&wanted.effective);
    effective.images = ImagePolicy::default();
    let wanted = Wanted { effective: effective.into(), ..wanted.clone() };
    named(&objects(&wanted, lock)).into_iter().map(|(key, found)| (key, found.reference)).collect()
}

/// The number of an object in the output, and a place in it.
type Key = (usize, String);

struct Named {
    kind: Fetched,
    reference: String,
    object: String,
    from: String,
}

fn named(objects: &Objects) -> Vec<(Key, Named)> {
    let mut found = Vec::new();
    for (i, object) in objects.all().into_iter().enumerate() {
        let kind = object["kind"].as_str().unwrap_or_default();
        let title = format!("{kind}/{}", name_of(object));
        if kind == "HelmChartProxy" {
            found.extend(chart(object, &title).into_iter().map(|(at, named)| ((i, at), named)));
            continue;
        }
        for written::Written { at, reference, .. } in written::references(object) {
            let from = at.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
            found.push(((i, at), Named { kind: Fetched::Image, reference, object: title.clone(), from }));
        }
    }
    found
}

/// A chart, and the images that it pulls with its values.
fn chart(object: &Value, title: &str) -> Vec<(String, Named)> {
    let spec = &object["spec"];
    let text = |key: &str| spec[key].as_str().unwrap_or_default();
    let (name, version) = (text("chartName"), text("version"));
    let version_part = if version.is_empty() { String::new() } else { format!(":{version}") };
    let reference = format!("{}/{name}{version_part}", text("repoURL").trim_end_matches('/'));
    let from = format!("chart {name}{version_part}");
    let named =
        |kind, reference, from: &str| Named { kind, reference, object: title.to_owned(), from: from.to_owned() };
    let mut found = vec![("/spec/repoURL".to_owned(), named(Fetched::Chart, reference, "spec.repoURL"))];

    let documents = written::documents(&charts::unescaped(text("valuesTemplate")));
    let mut values = documents.into_iter().next().unwrap_or_default();
    let known = match name {
        calico::CHART => calico::references(&values, version),
        cilium::CHART => charts::references(&cilium::PULLED, &values, version),
        metallb::CHART => charts::references(&metallb::PULLED, &values, version),
        _ => Vec::new(),
    };
    for (n, (place, reference)) in known.into_iter().enumerate() {
        // Not once more as an image of the values.
        remove(&mut values, place);
        found.push((format!("pulled {n}"), named(Fetched::Image, reference, &from)));
    }
    for written::Written { at, reference, .. } in written::references(&values) {
        found.push((format!("values {at}"), named(Fetched::Image, reference, &from)));
    }
    found
}

/// Takes the object out in which a place lies that a chart's images were read from.
fn remove(values: &mut Value, place: &str) {
    let owner = place.strip_suffix("/repository").unwrap_or(place);
    let Some((above, key)) = owner.rsplit_once('/') else { return };
    if let Some(above) = values.pointer_mut(above).and_then(Value::as_object_mut) {
        above.shift_remove(key);
    }
}
