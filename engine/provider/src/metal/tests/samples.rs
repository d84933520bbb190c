//! Resources and views made by hand.

use super::{ONE, id, start};
use crate::metal::View;
use model::metal::{Ip, IpKind, Machine, MachineRole, MachineState, Network, NetworkKind};
use model::{Allocation, Tags};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

pub(super) fn view(round: u64, seconds: i64) -> View {
    View {
        project: id(ONE),
        round,
        read_at: start() + jiff::SignedDuration::from_secs(seconds),
        machines: BTreeMap::new(),
        ips: BTreeMap::new(),
        networks: BTreeMap::new(),
        shared_networks: Arc::default(),
        partitions: Arc::new([id("muc-a")].into()),
        suspect: None,
    }
}

pub(super) fn address(n: u8) -> IpAddr {
    IpAddr::from([198, 18, 0, n])
}

pub(super) fn ip(n: u8, allocation: &str, tags: &[&str]) -> Ip {
    Ip {
        address: address(n),
        allocation: Allocation::parse(allocation).unwrap(),
        network: id("internet"),
        project: id(ONE),
        kind: IpKind::Static,
        name: String::new(),
        tags: Tags::from_strings(tags),
        created: None,
    }
}

pub(super) fn machine(allocation: &str, tags: &[&str]) -> Machine {
    Machine {
        id: id("00000000-0000-4000-8000-0000000000f1"),
        allocation: Allocation::parse(allocation).unwrap(),
        project: id(ONE),
        partition: id("muc-a"),
        size: id("n1"),
        image: id("ubuntu-24.4"),
        role: MachineRole::Machine,
        hostname: String::new(),
        rack: String::new(),
        state: MachineState::Available,
        state_description: String::new(),
        tags: Tags::from_strings(tags),
        created: None,
        networks: Vec::new(),
        alive: true,
        crash_loop: false,
        failed_reclaim: false,
        phoned_home: true,
        asn: None,
        last_event: None,
    }
}

pub(super) fn network(kind: NetworkKind, labels: &[&str]) -> Network {
    Network {
        id: id("node"),
        name: String::new(),
        kind,
        project: Some(id(ONE)),
        partition: Some(id("muc-a")),
        parent: Some(id("super")),
        prefixes: Vec::new(),
        destination_prefixes: Vec::new(),
        announceable: Vec::new(),
        labels: Tags::from_strings(labels),
        created: None,
    }
}
