//! The default landscape: the names that demo, example fleet and `init` share.

use super::{
    Auth, DiskSpec, Feature, ImageSpec, Landscape, MachineGroup, NetworkSpec, PartitionSpec, ProjectSpec, SizeSpec,
    Timing,
};
use ipnet::IpNet;
use std::collections::BTreeMap;

/// Waiting machines per partition and size.
const MACHINES: u32 = 300;
const GIB: u64 = 1 << 30;

impl Default for Landscape {
    fn default() -> Self {
        Self {
            auth: Auth::default(),
            projects: vec![ProjectSpec {
                id: "00000000-0000-0000-0000-000000000001".into(),
                name: "example".into(),
                description: "The project of the example fleet".into(),
                ..ProjectSpec::default()
            }],
            partitions: ["muc-a", "muc-b"].map(partition).into(),
            sizes: vec![size("n1-medium-x86", 8, 64, 480), size("c1-large-x86", 24, 256, 1920)],
            images: images(),
            filesystemlayouts: Vec::new(),
            networks: vec![
                super_network("muc-a", "10.0.0.0/9", "2001:db8:0:10::/64"),
                super_network("muc-b", "10.128.0.0/10", "2001:db8:0:11::/64"),
                underlay("muc-a", "172.16.0.0/20"),
                underlay("muc-b", "172.16.16.0/20"),
                internet(),
                mpls(),
            ],
            ips: Vec::new(),
            machines: machines(),
            reservations: Vec::new(),
            timing: Timing::default(),
        }
    }
}

fn partition(id: &str) -> PartitionSpec {
    PartitionSpec { id: id.into(), description: format!("Munich, hall {id}"), ..PartitionSpec::default() }
}

fn size(id: &str, cores: u32, memory_gib: u64, disk_gb: u64) -> SizeSpec {
    SizeSpec {
        id: id.into(),
        description: format!("{cores} cores, {memory_gib} GiB, {disk_gb} GB"),
        cores,
        memory: memory_gib * GIB,
        disks: vec![DiskSpec { name: "/dev/sda".into(), size: disk_gb * 1_000_000_000 }],
    }
}

fn images() -> Vec<ImageSpec> {
    let image = |id: &str, feature| ImageSpec { id: id.into(), features: vec![feature], ..ImageSpec::default() };
    vec![
        image("capms-ubuntu-1.34.2", Feature::Machine),
        image("capms-ubuntu-1.33.6", Feature::Machine),
        image("capms-ubuntu-1.32.9", Feature::Machine),
        image("firewall-ubuntu-3.0.20251001", Feature::Firewall),
        image("firewall-ubuntu-3.0.20251101", Feature::Firewall),
    ]
}

fn super_network(partition: &str, v4: &str, v6: &str) -> NetworkSpec {
    NetworkSpec {
        id: format!("super-{partition}"),
        description: format!("Node networks of {partition}"),
        partition: Some(partition.into()),
        private_super: true,
        prefixes: nets(&[v4, v6]),
        default_child_prefix_length: BTreeMap::from([("IPv4".into(), 22), ("IPv6".into(), 96)]),
        additional_announcable_cidrs: nets(&["10.240.0.0/12"]),
        ..NetworkSpec::default()
    }
}

fn underlay(partition: &str, prefix: &str) -> NetworkSpec {
    NetworkSpec {
        id: format!("underlay-{partition}"),
        partition: Some(partition.into()),
        underlay: true,
        prefixes: nets(&[prefix]),
        ..NetworkSpec::default()
    }
}

fn internet() -> NetworkSpec {
    NetworkSpec {
        id: "internet".into(),
        description: "The internet".into(),
        nat: true,
        vrf: Some(104_009),
        prefixes: nets(&["198.18.0.0/20", "2001:db8:0:113::/64"]),
        destination_prefixes: nets(&["0.0.0.0/0", "::/0"]),
        labels: ["network.metal-stack.io/default", "network.metal-stack.io/default-external"]
            .map(|key| (key.to_owned(), String::new()))
            .into(),
        ..NetworkSpec::default()
    }
}

fn mpls() -> NetworkSpec {
    NetworkSpec {
        id: "mpls-muc-a".into(),
        description: "Company network".into(),
        partition: Some("muc-a".into()),
        vrf: Some(104_010),
        prefixes: nets(&["100.127.131.0/24"]),
        destination_prefixes: nets(&["100.127.0.0/16"]),
        ..NetworkSpec::default()
    }
}

fn machines() -> Vec<MachineGroup> {
    let group = |partition: &str, size: &str| MachineGroup {
        partition: partition.into(),
        size: size.into(),
        count: MACHINES,
        racks: (1..=4).map(|rack| format!("{partition}-rack-{rack}")).collect(),
        ..MachineGroup::default()
    };
    let sizes = ["n1-medium-x86", "c1-large-x86"];
    ["muc-a", "muc-b"].into_iter().flat_map(|partition| sizes.map(|size| group(partition, size))).collect()
}

/// Literals of this file.
fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}
