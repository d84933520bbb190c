//! What must hold in a landscape before it is built, each with the place it stands.

use super::{Landscape, LandscapeError, LayoutSpec, NetworkSpec};
use crate::image::{ImageVersion, VersionRule};
use std::collections::BTreeSet;

/// More machines than this is a slip of the finger.
const MACHINES_MAX: u32 = 100_000;

type Checked = Result<(), LandscapeError>;

pub(super) fn check(landscape: &Landscape) -> Checked {
    catalog(landscape)?;
    for layout in &landscape.filesystemlayouts {
        check_layout(landscape, layout)?;
    }
    for network in &landscape.networks {
        check_network(landscape, network)?;
    }
    rest(landscape)
}

fn catalog(landscape: &Landscape) -> Checked {
    unique("projects", landscape.projects.iter().map(|project| project.id.as_str()))?;
    unique("partitions", landscape.partitions.iter().map(|partition| partition.id.as_str()))?;
    unique("sizes", landscape.sizes.iter().map(|size| size.id.as_str()))?;
    unique("images", landscape.images.iter().map(|image| image.id.as_str()))?;
    unique("filesystemlayouts", landscape.filesystemlayouts.iter().map(|layout| layout.id.as_str()))?;
    unique("networks", landscape.networks.iter().map(|network| network.id.as_str()))?;
    for image in &landscape.images {
        let place = format!("images {:?}", image.id);
        need(&place, ImageVersion::parse(&image.id).is_some(), "the id is no <os>-<version>, for example ubuntu-24.4")?;
    }
    for key in [&landscape.auth.view, &landscape.auth.edit, &landscape.auth.admin] {
        need("auth", !key.is_empty(), "a key must not be empty")?;
    }
    Ok(())
}

fn check_layout(landscape: &Landscape, layout: &LayoutSpec) -> Checked {
    let place = format!("filesystemlayouts {:?}", layout.id);
    for size in &layout.sizes {
        known(&place, "size", size, landscape.sizes.iter().map(|size| &size.id))?;
    }
    for rule in layout.images.values() {
        need(&place, VersionRule::parse(rule).is_some(), &format!("{rule:?} is neither `*` nor like `>= 1.33`"))?;
    }
    Ok(())
}

fn check_network(landscape: &Landscape, network: &NetworkSpec) -> Checked {
    let place = format!("networks {:?}", network.id);
    let partition = network.partition.as_ref();
    if let Some(partition) = partition {
        known(&place, "partition", partition, landscape.partitions.iter().map(|partition| &partition.id))?;
    }
    if let Some(project) = &network.project {
        known(&place, "project", project, landscape.projects.iter().map(|project| &project.id))?;
    }
    for family in network.default_child_prefix_length.keys() {
        need(&place, ["IPv4", "IPv6"].contains(&family.as_str()), &format!("{family:?} is neither IPv4 nor IPv6"))?;
    }
    if let Some(parent) = &network.parent {
        let supers = landscape.networks.iter().filter(|other| other.private_super);
        known(&place, "super network", parent, supers.map(|other| &other.id))?;
        need(&place, network.prefixes.is_empty(), "a network with a parent gets its prefixes from there")?;
        return need(&place, network.project.is_some(), "a network with a parent needs a project");
    }
    need(&place, !network.prefixes.is_empty(), "prefixes must not be empty")?;
    let alone = !(network.private_super || network.underlay) || partition.is_some();
    need(&place, alone, "a super or underlay network needs a partition")?;
    for prefix in &network.prefixes {
        let family = if prefix.addr().is_ipv4() { "IPv4" } else { "IPv6" };
        let length = network.default_child_prefix_length.get(family);
        let fits = length.is_some_and(|length| *length > prefix.prefix_len() && *length <= prefix.max_prefix_len());
        let text = format!("{prefix} needs a longer defaultChildPrefixLength.{family}");
        need(&place, !network.private_super || fits, &text)?;
        need(&place, prefix.addr() == prefix.network(), &format!("{prefix} has host bits"))?;
    }
    Ok(())
}

fn rest(landscape: &Landscape) -> Checked {
    for ip in &landscape.ips {
        let place = format!("ips {}", ip.address);
        known(&place, "network", &ip.network, landscape.networks.iter().map(|network| &network.id))?;
    }
    let mut machines = 0u32;
    for group in &landscape.machines {
        let place = format!("machines of {} in {}", group.size, group.partition);
        known(&place, "partition", &group.partition, landscape.partitions.iter().map(|partition| &partition.id))?;
        known(&place, "size", &group.size, landscape.sizes.iter().map(|size| &size.id))?;
        need(&place, group.id.is_none() || group.count == 1, "an id goes with a count of 1")?;
        machines = machines.saturating_add(group.count);
        need(&place, machines <= MACHINES_MAX, &format!("more than {MACHINES_MAX} machines in all"))?;
    }
    for reservation in &landscape.reservations {
        let place = format!("reservations of {}", reservation.size);
        known(&place, "size", &reservation.size, landscape.sizes.iter().map(|size| &size.id))?;
        known(&place, "project", &reservation.project, landscape.projects.iter().map(|project| &project.id))?;
        for partition in &reservation.partitions {
            known(&place, "partition", partition, landscape.partitions.iter().map(|partition| &partition.id))?;
        }
    }
    Ok(())
}

fn unique<'a>(place: &str, ids: impl Iterator<Item = &'a str>) -> Checked {
    let mut seen = BTreeSet::new();
    for id in ids {
        need(place, !id.is_empty(), "an id is empty")?;
        need(place, seen.insert(id), &format!("{id:?} stands there twice"))?;
    }
    Ok(())
}

fn known<'a>(place: &str, kind: &str, id: &str, ids: impl Iterator<Item = &'a String>) -> Checked {
    let ids: Vec<&str> = ids.map(String::as_str).collect();
    need(place, ids.contains(&id), &format!("no {kind} {id:?}; there are: {}", ids.join(", ")))
}

fn need(place: &str, holds: bool, problem: &str) -> Checked {
    match holds {
        true => Ok(()),
        false => Err(LandscapeError::Invalid { place: place.to_owned(), problem: problem.to_owned() }),
    }
}
