//! A landscape becomes a world: rows, addresses and machines that have been waiting for a while.

use super::{Feature, Landscape, LandscapeError, LayoutSpec, MachineGroup, NetworkSpec, StateSpec, check::check};
use crate::{
    api::network::{ChildSpec, create_child, create_root},
    events::{self, EventKind},
    refusal::Refusal,
    world::{Catalog, IpRow, MachineRow, World},
};
use jiff::{SignedDuration, Timestamp};
use metal_api::wire::{
    Bios, BlockDevice, BootConfig, Cpu, Disk, DiskPartition, DnsServer, Filesystem, FilesystemLayout, FsConstraints,
    Hardware, Image, Ip, LedState, Machine, MachineState, Meta, NetworkCreateRequest, Nic, NtpServer, Partition,
    Project, Quota, QuotaSet, Size, SizeConstraint, Time,
};
use std::collections::BTreeMap;

const EXPIRY_DAYS: i32 = 90;
const HAMMER: &str = "v0.14.3";

/// Checks and builds. The same landscape, time and seed make the same world.
pub(crate) fn build(landscape: &Landscape, now: Timestamp, seed: u64) -> Result<World, LandscapeError> {
    check(landscape)?;
    let catalog = catalog(landscape, now);
    let mut world = World::new(now, seed, landscape.auth.clone(), landscape.timing.clone(), catalog);
    let (children, roots): (Vec<_>, Vec<_>) = landscape.networks.iter().partition(|network| network.parent.is_some());
    for network in roots.into_iter().chain(children) {
        let place = || format!("networks {:?}", network.id);
        add_network(&mut world, network).map_err(|refusal| invalid(place(), &refusal))?;
    }
    for ip in &landscape.ips {
        add_ip(&mut world, ip).map_err(|refusal| invalid(format!("ips {}", ip.address), &refusal))?;
    }
    for group in &landscape.machines {
        add_machines(&mut world, landscape, group);
    }
    world.take_effects();
    Ok(world)
}

fn invalid(place: String, refusal: &Refusal) -> LandscapeError {
    LandscapeError::Invalid { place, problem: refusal.message.clone() }
}

fn catalog(landscape: &Landscape, now: Timestamp) -> Catalog {
    let created = Time::from(now);
    Catalog {
        projects: landscape.projects.iter().map(|spec| (spec.id.clone(), project(spec, created))).collect(),
        partitions: landscape.partitions.iter().map(|spec| (spec.id.clone(), partition(spec, created))).collect(),
        sizes: landscape.sizes.iter().map(|spec| (spec.id.clone(), size(spec, created))).collect(),
        images: landscape.images.iter().map(|spec| (spec.id.clone(), image(spec, now))).collect(),
        layouts: layouts(landscape),
        reservations: landscape.reservations.clone(),
    }
}

fn project(spec: &super::ProjectSpec, created: Time) -> Project {
    let quota = |quota: Option<i32>| Some(Quota { quota, used: None });
    Project {
        meta: Some(Meta {
            id: spec.id.clone(),
            kind: "Project".into(),
            apiversion: "v1".into(),
            created_time: Some(created),
            updated_time: Some(created),
            ..Meta::default()
        }),
        name: spec.name.clone(),
        description: spec.description.clone(),
        tenant_id: spec.tenant.clone().unwrap_or_else(|| "metal-stack".into()),
        quotas: Some(QuotaSet { machine: quota(spec.machine_quota), ip: quota(spec.ip_quota), ..QuotaSet::default() }),
    }
}

fn partition(spec: &super::PartitionSpec, created: Time) -> Partition {
    Partition {
        id: spec.id.clone(),
        name: spec.id.clone(),
        description: spec.description.clone(),
        bootconfig: BootConfig {
            imageurl: "https://images.example.com/metal-hammer-initrd.img.lz4".into(),
            kernelurl: "https://images.example.com/metal-kernel".into(),
            commandline: "console=ttyS1,115200n8 ip=dhcp".into(),
        },
        labels: spec.labels.clone(),
        dns_servers: spec.dns_servers.iter().map(|ip| DnsServer { ip: ip.to_string() }).collect(),
        ntp_servers: spec.ntp_servers.iter().map(|address| NtpServer { address: address.clone() }).collect(),
        created,
        changed: created,
        ..Partition::default()
    }
}

fn size(spec: &super::SizeSpec, created: Time) -> Size {
    let constraint =
        |kind: &str, amount| SizeConstraint { r#type: kind.into(), min: amount, max: amount, identifier: None };
    Size {
        id: spec.id.clone(),
        name: spec.id.clone(),
        description: spec.description.clone(),
        constraints: vec![
            constraint("cores", u64::from(spec.cores)),
            constraint("memory", spec.memory),
            constraint("storage", spec.disks.iter().map(|disk| disk.size).sum()),
        ],
        labels: BTreeMap::new(),
        created,
        changed: created,
    }
}

fn image(spec: &super::ImageSpec, now: Timestamp) -> Image {
    let days = i64::from(spec.expires_in_days.unwrap_or(EXPIRY_DAYS));
    let expires = now.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
    let feature = |feature: &Feature| match feature {
        Feature::Machine => "machine".to_owned(),
        Feature::Firewall => "firewall".to_owned(),
    };
    Image {
        id: spec.id.clone(),
        name: spec.id.clone(),
        url: format!("https://images.example.com/{}.img.lz4", spec.id),
        features: spec.features.iter().map(feature).collect(),
        expiration_date: expires.into(),
        classification: spec.classification.clone().unwrap_or_else(|| "supported".into()),
        created: now.into(),
        changed: now.into(),
        ..Image::default()
    }
}

fn layouts(landscape: &Landscape) -> Vec<FilesystemLayout> {
    if !landscape.filesystemlayouts.is_empty() {
        return landscape.filesystemlayouts.iter().map(layout).collect();
    }
    let os = |image: &super::ImageSpec| image.id.rsplit_once('-').map_or(image.id.clone(), |(os, _)| os.to_owned());
    vec![layout(&LayoutSpec {
        id: "default".into(),
        sizes: landscape.sizes.iter().map(|size| size.id.clone()).collect(),
        images: landscape.images.iter().map(|image| (os(image), "*".to_owned())).collect(),
        disks: landscape
            .sizes
            .first()
            .and_then(|size| size.disks.first())
            .map(|disk| disk.name.clone())
            .into_iter()
            .collect(),
        wipe_on_reinstall: true,
    })]
}

fn layout(spec: &LayoutSpec) -> FilesystemLayout {
    let part = |number, label: &str, size, gpttype: &str| DiskPartition {
        number,
        label: Some(label.into()),
        size,
        gpttype: Some(gpttype.into()),
    };
    let disk = |device: &String| Disk {
        device: device.clone(),
        wipeonreinstall: spec.wipe_on_reinstall,
        partitions: vec![part(1, "efi", 500, "ef00"), part(2, "root", 0, "8300")],
    };
    let filesystem = |(number, label, path, format): (u8, &str, &str, &str)| Filesystem {
        device: format!("{}{number}", spec.disks.first().map_or("/dev/sda", String::as_str)),
        format: format.into(),
        label: Some(label.into()),
        path: Some(path.into()),
        ..Filesystem::default()
    };
    FilesystemLayout {
        id: spec.id.clone(),
        name: spec.id.clone(),
        constraints: FsConstraints { sizes: spec.sizes.clone(), images: spec.images.clone() },
        disks: spec.disks.iter().map(disk).collect(),
        filesystems: [(1, "efi", "/boot/efi", "vfat"), (2, "root", "/", "ext4")].map(filesystem).into(),
        ..FilesystemLayout::default()
    }
}

fn add_network(world: &mut World, spec: &NetworkSpec) -> Result<(), Refusal> {
    let texts = |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
    if let Some(parent) = &spec.parent {
        let parent = world.network(parent)?.clone();
        let child = ChildSpec {
            id: Some(spec.id.clone()),
            name: spec.id.clone(),
            description: spec.description.clone(),
            project: spec.project.clone().unwrap_or_default(),
            labels: spec.labels.clone(),
            destination_prefixes: texts(&spec.destination_prefixes),
            nat: spec.nat,
            shared: spec.shared,
            lengths: parent.wire.defaultchildprefixlength.clone().unwrap_or_default(),
        };
        return create_child(world, &parent, child).map(|_| ());
    }
    let request = NetworkCreateRequest {
        id: Some(spec.id.clone()),
        name: Some(spec.id.clone()),
        description: Some(spec.description.clone()),
        partitionid: spec.partition.clone(),
        projectid: spec.project.clone(),
        labels: Some(spec.labels.clone()),
        shared: Some(spec.shared),
        prefixes: Some(texts(&spec.prefixes)),
        destinationprefixes: Some(texts(&spec.destination_prefixes)),
        defaultchildprefixlength: Some(spec.default_child_prefix_length.clone()),
        nat: Some(spec.nat),
        privatesuper: Some(spec.private_super),
        underlay: Some(spec.underlay),
        vrf: spec.vrf.map(u64::from),
        additional_announcable_cidrs: Some(texts(&spec.additional_announcable_cidrs)),
        ..NetworkCreateRequest::default()
    };
    create_root(world, request).map(|_| ())
}

fn add_ip(world: &mut World, spec: &super::IpSpec) -> Result<(), Refusal> {
    let row = world.network(&spec.network)?.clone();
    let prefix = row.prefixes.iter().find(|prefix| prefix.contains(&spec.address));
    let prefix = *prefix.ok_or_else(|| Refusal::unprocessable("it lies in no prefix of the network"))?;
    world.ipam.acquire_specific(prefix, spec.address).map_err(|error| Refusal::unprocessable(error.to_string()))?;
    let wire = Ip {
        ipaddress: spec.address.to_string(),
        allocationuuid: world.uuid(),
        networkid: spec.network.clone(),
        projectid: spec.project.clone(),
        r#type: if spec.ephemeral { "ephemeral" } else { "static" }.into(),
        tags: spec.tags.clone(),
        name: spec.name.clone(),
        created: world.now.into(),
        changed: world.now.into(),
        ..Ip::default()
    };
    world.ips.insert(IpRow { wire, prefix });
    world.refresh_usage(&spec.network);
    Ok(())
}

fn add_machines(world: &mut World, landscape: &Landscape, group: &MachineGroup) {
    let Some(size) = landscape.sizes.iter().find(|size| size.id == group.size) else { return };
    for n in 0..group.count {
        let number = world.machines.len() + 1;
        let id = group.id.map_or_else(|| format!("10000000-0000-4000-8000-{number:012}"), |id| id.to_string());
        let rack = match group.racks.len() {
            0 => format!("{}-rack-1", group.partition),
            racks => group.racks[n as usize % racks].clone(),
        };
        let wire = Machine {
            id,
            partition: world.catalog.partitions.get(&group.partition).cloned(),
            size: world.catalog.sizes.get(&group.size).cloned(),
            hardware: hardware(size, number, &rack),
            rackid: rack,
            bios: Bios { version: "3.7".into(), vendor: "American Megatrends Inc.".into(), date: "2024-11-05".into() },
            state: state(group.state),
            ledstate: LedState { value: "LED-OFF".into(), description: "Machine registered".into() },
            created: world.now.into(),
            changed: world.now.into(),
            ..Machine::default()
        };
        let mut row = MachineRow { wire, waiting: true, chassis: format!("C{number:08}"), ..MachineRow::default() };
        boot(&mut row, world.now);
        row.wire.events.crash_loop = group.crash_loop;
        world.machines.insert(row);
    }
}

fn state(state: StateSpec) -> MachineState {
    let (value, description) = match state {
        StateSpec::Available => ("", ""),
        StateSpec::Reserved => ("RESERVED", "reserved by the landscape"),
        StateSpec::Locked => ("LOCKED", "locked by the landscape"),
    };
    MachineState {
        value: value.into(),
        description: description.into(),
        issuer: None,
        metal_hammer_version: HAMMER.into(),
    }
}

/// Up to `Waiting`, in the seconds before the start.
fn boot(row: &mut MachineRow, now: Timestamp) {
    use EventKind as E;
    for (kind, ago) in [(E::PxeBooting, 4), (E::Preparing, 3), (E::Registering, 2), (E::Waiting, 1)] {
        let at = now.checked_sub(SignedDuration::from_secs(ago)).unwrap_or(now);
        events::receive(&mut row.wire.events, kind, "", at);
    }
    row.wire.liveliness = "Alive".into();
}

fn hardware(size: &super::SizeSpec, number: usize, rack: &str) -> Hardware {
    let nic = |lan: usize| {
        let mac = |kind: usize| {
            format!("02:{kind:02x}:{:02x}:{:02x}:{:02x}:{lan:02x}", number >> 16 & 255, number >> 8 & 255, number & 255)
        };
        let neighbor = Nic {
            mac: mac(1),
            name: format!("swp{number}s{lan}"),
            identifier: format!("{rack}-leaf-{lan}"),
            neighbors: Vec::new(),
        };
        Nic { mac: mac(0), name: format!("lan{lan}"), identifier: mac(0), neighbors: vec![neighbor] }
    };
    Hardware {
        memory: size.memory,
        disks: size.disks.iter().map(|disk| BlockDevice { name: disk.name.clone(), size: disk.size }).collect(),
        cpus: vec![Cpu {
            vendor: "GenuineIntel".into(),
            model: "Intel(R) Xeon(R) E-2388G CPU @ 3.20GHz".into(),
            cores: size.cores,
            threads: size.cores * 2,
        }],
        nics: vec![nic(0), nic(1)],
        ..Hardware::default()
    }
}
