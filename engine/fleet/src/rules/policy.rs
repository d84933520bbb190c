//! What a policy must be by itself.

mod images;

pub(crate) use images::numbers as image_numbers;

use super::addons::{chart_version, version_tag};
use super::{DUPLICATE_NAME, EMPTY_LIST, LIMITS, ONE_CIDR, OVERLAP, POLICY_PARTITION, POLICY_VERSIONS, choice};
use crate::issue::Report;
use crate::resolve::is_v4;
use model::policy::{Classification, OfferedPartition, OfferedVersion, PolicyDefaults, PolicyLimits, PolicySpec};
use model::{Cidr, ClusterPolicy, NetworkId};
use std::fmt::Display;

pub(crate) fn policy(policy: &ClusterPolicy, report: &mut Report<'_>) {
    let PolicySpec {
        kubernetes,
        machine_images,
        machine_types,
        regions,
        defaults,
        limits,
        images,
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
    unique("spec.regions", "name", regions.iter().map(|r| &r.name), report);
    images::machine_images(machine_images, report);
    images::machine_types(machine_types, report);
    images::image_policy(images, report);
    self::partitions(policy, report);
    self::defaults(defaults, report);
    self::limits(limits, report);
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
                .error(DUPLICATE_NAME, format!("{list}[{index}].{key}").trim_end_matches('.'), message)
                .mend("rename or remove one of the two");
        }
    }
}

fn versions(versions: &[OfferedVersion], report: &mut Report<'_>) {
    const LIST: &str = "spec.kubernetes.versions";
    unique(LIST, "version", versions.iter().map(|v| &v.version), report);
    let classified = versions.iter().map(|v| Classified {
        classification: v.classification,
        minor: Some(v.version.minor()),
        version: v.version.to_string(),
    });
    let classified: Vec<_> = classified.collect();
    one_supported(LIST, &classified, report);
    let highest = versions.iter().enumerate().max_by(|a, b| a.1.version.cmp(&b.1.version));
    if let Some((index, highest)) = highest.filter(|(_, v)| v.expiration_date.is_some()) {
        let message =
            format!("{} is the highest version and would expire: nothing would be left to go to", highest.version);
        report
            .error(POLICY_VERSIONS, &format!("{LIST}[{index}].expirationDate"), message)
            .mend("remove the date, or offer a newer version");
    }
}

/// A version of Kubernetes or of an image.
struct Classified {
    classification: Classification,
    minor: Option<(u64, u64)>,
    version: String,
}

/// Which one of a minor is meant must be clear: a short version resolves to the supported one.
fn one_supported(list: &str, versions: &[Classified], report: &mut Report<'_>) {
    let supported = |v: &Classified| v.classification == Classification::Supported && v.minor.is_some();
    for (index, one) in versions.iter().enumerate().filter(|(_, v)| supported(v)) {
        let same = |other: &&Classified| supported(other) && other.minor == one.minor && other.version != one.version;
        if let Some(other) = versions[..index].iter().find(same) {
            let message = format!("{} and {} are both supported; one of a minor is", one.version, other.version);
            report
                .error(POLICY_VERSIONS, &format!("{list}[{index}].classification"), message)
                .mend("set the older one to deprecated");
        }
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
                        .mend(choice(size.as_str(), known));
                }
            }
            offered(&at, partition, report);
            seen.push((at, &partition.name));
        }
    }
}

fn offered(at: &str, partition: &OfferedPartition, report: &mut Report<'_>) {
    let OfferedPartition { name: _, unavailable_machine_types: _, firewall, default_network, networks } = partition;
    unique(&format!("{at}.networks"), "", networks, report);
    unique(&format!("{at}.firewall.types"), "", &firewall.types, report);
    unique(&format!("{at}.firewall.images"), "", &firewall.images, report);
    if !networks.is_empty() && !networks.contains(default_network) {
        let known = networks.iter().map(NetworkId::as_str);
        let message = format!("clusters may not use `{default_network}`: it is not among the partition's networks");
        report
            .error(POLICY_PARTITION, &format!("{at}.defaultNetwork"), message)
            .mend(choice(default_network.as_str(), known));
    }
}

/// What nobody could keep to is a mistake.
fn limits(limits: &PolicyLimits, report: &mut Report<'_>) {
    let PolicyLimits { control_plane_replicas, pools, pool_replicas, machines } = *limits;
    let all = [
        ("controlPlaneReplicas", control_plane_replicas),
        ("pools", pools),
        ("poolReplicas", pool_replicas),
        ("machines", machines),
    ];
    for (name, _) in all.into_iter().filter(|(_, limit)| *limit == Some(0)) {
        report
            .error(LIMITS, &format!("spec.limits.{name}"), "a limit of 0 admits no cluster")
            .mend("write at least 1, or leave it out");
    }
    let Some(machines) = machines.filter(|machines| *machines > 0) else { return };
    for (name, limit) in [("controlPlaneReplicas", control_plane_replicas), ("poolReplicas", pool_replicas)] {
        if let Some(limit) = limit.filter(|limit| *limit > machines) {
            let message = format!("{limit} is more than the {machines} machines that a cluster may have");
            report
                .error(LIMITS, &format!("spec.limits.{name}"), message)
                .mend("lower it, or raise spec.limits.machines");
        }
    }
}

fn defaults(defaults: &PolicyDefaults, report: &mut Report<'_>) {
    let PolicyDefaults { pods, services, calico, ccm, cilium, metallb } = defaults;
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
    for (name, version) in [("cilium", cilium), ("metallb", metallb)] {
        if let Some(version) = version {
            chart_version(&format!("spec.defaults.{name}"), version, report);
        }
    }
}
