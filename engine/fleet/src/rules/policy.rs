//! What a policy must be by itself.

use super::addons::version_tag;
use super::{DUPLICATE_NAME, EMPTY_LIST, ONE_CIDR, OVERLAP, POLICY_IMAGE, POLICY_PARTITION, POLICY_VERSIONS};
use crate::issue::Report;
use crate::resolve::is_v4;
use model::policy::{Classification, MachineImage, OfferedVersion, PolicyDefaults, PolicySpec};
use model::want::image_version;
use model::{Cidr, ClusterPolicy};
use std::fmt::Display;

pub(crate) fn policy(policy: &ClusterPolicy, report: &mut Report<'_>) {
    let PolicySpec {
        kubernetes,
        machine_images,
        machine_types,
        regions,
        defaults,
        limits: _,
        images: _,
        allow_preview_for: _,
    } = &policy.spec;
    let partitions: Vec<_> = regions.iter().flat_map(|r| &r.partitions).collect();
    for (field, length) in [
        ("spec.kubernetes.versions", kubernetes.versions.len()),
        ("spec.machineImages", machine_images.len()),
        ("spec.machineTypes", machine_types.len()),
        ("spec.regions", partitions.len()),
    ] {
        if length == 0 {
            report.error(EMPTY_LIST, field, "the list is empty").mend("clusters choose from it: add an entry");
        }
    }
    versions(&kubernetes.versions, report);
    unique("spec.machineImages", "name", machine_images.iter().map(|i| &i.name), report);
    unique("spec.machineTypes", "name", machine_types.iter().map(|t| &t.name), report);
    unique("spec.regions", "name", regions.iter().map(|r| &r.name), report);
    for (index, image) in machine_images.iter().enumerate() {
        self::image(index, image, report);
    }
    self::partitions(policy, report);
    self::defaults(defaults, report);
}

pub(super) fn unique<T: Display + PartialEq>(
    list: &str,
    key: &str,
    names: impl IntoIterator<Item = T>,
    report: &mut Report<'_>,
) {
    let names: Vec<T> = names.into_iter().collect();
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = names[..index].iter().position(|n| n == name) {
            let message = format!("`{name}` is also {list}[{first}]");
            report
                .error(DUPLICATE_NAME, &format!("{list}[{index}].{key}"), message)
                .mend("rename or remove one of the two");
        }
    }
}

fn versions(versions: &[OfferedVersion], report: &mut Report<'_>) {
    const LIST: &str = "spec.kubernetes.versions";
    unique(LIST, "version", versions.iter().map(|v| &v.version), report);
    let supported = |v: &&OfferedVersion| v.classification == Classification::Supported;
    for (index, one) in versions.iter().enumerate().filter(|(_, v)| supported(v)) {
        let minor = one.version.minor();
        let earlier = versions[..index].iter().filter(supported).find(|v| v.version.minor() == minor);
        if let Some(other) = earlier.filter(|other| other.version != one.version) {
            let message = format!("{} and {} are both supported; one of a minor is", one.version, other.version);
            report
                .error(POLICY_VERSIONS, &format!("{LIST}[{index}].classification"), message)
                .mend("set the older one to deprecated");
        }
    }
    let highest = versions.iter().enumerate().max_by(|a, b| a.1.version.cmp(&b.1.version));
    if let Some((index, highest)) = highest.filter(|(_, v)| v.expiration_date.is_some()) {
        let message =
            format!("{} is the highest version and would expire: nothing would be left to go to", highest.version);
        report
            .error(POLICY_VERSIONS, &format!("{LIST}[{index}].expirationDate"), message)
            .mend("remove the date, or offer a newer version");
    }
}

/// R24: metal-api takes the newest patch for an id with patch 0.
fn image(index: usize, image: &MachineImage, report: &mut Report<'_>) {
    let field = format!("spec.machineImages[{index}]");
    let versions = format!("{field}.versions");
    if image.versions.is_empty() {
        report.error(EMPTY_LIST, &versions, format!("image `{}` has no version", image.name)).mend("add one");
    }
    unique(&versions, "version", image.versions.iter().map(|v| &v.version), report);
    if image.versions.len() > 1 && !image.id.contains("{{version}}") {
        let message = format!("`{}` gives the same id for all versions", image.id);
        report
            .error(POLICY_IMAGE, &format!("{field}.id"), message)
            .mend("write `{{version}}` where the version stands");
    }
    for (i, version) in image.versions.iter().enumerate() {
        let at = format!("{versions}[{i}].version");
        match image.image_id(version) {
            None => {
                let message = format!("`{}` and `{}` make no image id", image.id, version.version);
                report
                    .error(POLICY_IMAGE, &at, message)
                    .mend("ids have letters, digits, `-`, `_` and `.`, as in `capms-ubuntu-{{version}}`");
            }
            Some(id) if image_version(&id).is_some_and(|v| v.version.2 == 0) => {
                let message = format!("`{id}` names no patch: metal-api takes the newest one of its minor");
                report.error(POLICY_IMAGE, &at, message).mend("name an image with a patch above 0");
            }
            Some(_) => {}
        }
        version_tag(&format!("{versions}[{i}].kubeVip"), &version.kube_vip, report);
    }
}

fn partitions(policy: &ClusterPolicy, report: &mut Report<'_>) {
    let mut seen: Vec<(String, &model::PartitionId)> = Vec::new();
    for (r, region) in policy.spec.regions.iter().enumerate() {
        for (p, partition) in region.partitions.iter().enumerate() {
            let at = format!("spec.regions[{r}].partitions[{p}]");
            if let Some((first, name)) = seen.iter().find(|(_, name)| **name == partition.name) {
                let message = format!("partition `{name}` is also {first}");
                report.error(POLICY_PARTITION, &format!("{at}.name"), message).mend("remove one of the two");
            }
            for (i, size) in partition.unavailable_machine_types.iter().enumerate() {
                if policy.machine_type(size).is_none() {
                    let known = policy.spec.machine_types.iter().map(|t| t.name.as_str());
                    let message = format!("`{size}` is no machine type of this policy");
                    report
                        .error(POLICY_PARTITION, &format!("{at}.unavailableMachineTypes[{i}]"), message)
                        .mend(super::choice(size.as_str(), known));
                }
            }
            seen.push((at, &partition.name));
        }
    }
}

fn defaults(defaults: &PolicyDefaults, report: &mut Report<'_>) {
    let PolicyDefaults { pods, services, calico, ccm, cilium: _, metallb: _ } = defaults;
    for (name, cidrs) in [("pods", pods), ("services", services)] {
        if !matches!(&cidrs[..], [one] if is_v4(one)) {
            let list = cidrs.iter().map(Cidr::to_string).collect::<Vec<_>>().join(", ");
            let message = format!("[{list}] is not one IPv4 CIDR: dual stack is not built yet");
            report.error(ONE_CIDR, &format!("spec.defaults.{name}"), message).mend("write one IPv4 CIDR");
        }
    }
    if let (Some(pods), Some(services)) = (pods.first(), services.first())
        && pods.overlaps(services)
    {
        let message = format!("services {services} overlap pods {pods}");
        report.error(OVERLAP, "spec.defaults.services", message).mend("choose ranges apart from each other");
    }
    for (name, version) in [("calico", calico), ("ccm", ccm)] {
        if let Some(version) = version {
            version_tag(&format!("spec.defaults.{name}"), version, report);
        }
    }
}

/// The numbers of an image's version; leading zeros are tolerated, as metal-api does.
pub(crate) fn image_numbers(version: &str) -> Option<[u64; 3]> {
    let mut parts = version.strip_prefix('v').unwrap_or(version).split('.').map(|part| part.parse::<u64>().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}
