//! A metal-api of one project, as far as frees need one.

use metal_api::{Call, Capacity, Error, Health, Metal, Op, Project, Result, ServerVersion};
use model::metal::*;
use model::request::Target;
use model::tags::allocation_tags;
use model::{
    Allocation, Attempt, FleetName, ImageId, MachineId, NetworkId, PartitionId, ProjectId, SizeId, Slot, Tags,
    Timestamp,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

/// What comes of a free instead of a success.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    InUse,
    Conflict,
    Locked,
    /// It may have happened.
    Lost,
    NotFound,
}

#[derive(Default)]
pub(super) struct World {
    networks: Vec<Network>,
    ips: Vec<Ip>,
    machines: Vec<Machine>,
    faults: BTreeMap<String, Fault>,
    writes: Mutex<Vec<String>>,
}

pub(super) fn project() -> ProjectId {
    ProjectId::parse(ProjectId::EXAMPLE).unwrap()
}

pub(super) fn allocation(text: &str) -> Allocation {
    Allocation::parse(text).unwrap()
}

fn machine_id(n: u32) -> MachineId {
    MachineId::parse(&format!("00000000-0000-4000-8000-{n:012}")).unwrap()
}

pub(super) fn network_target(id: &str) -> Target {
    Target::Network(NetworkId::parse(id).unwrap())
}

pub(super) fn ip_target(address: &str, of: &str) -> Target {
    Target::Ip { address: address.parse().unwrap(), allocation: allocation(of) }
}

pub(super) fn machine_target(n: u32, of: &str) -> Target {
    Target::Machine { id: machine_id(n), allocation: allocation(of) }
}

pub(super) fn marked(cluster: &str, slot: &Slot) -> Tags {
    let (fleet, attempt) = (FleetName::parse("example").unwrap(), Attempt::parse(Attempt::EXAMPLE).unwrap());
    allocation_tags(&cluster.parse().unwrap(), &fleet, slot, &attempt)
}

impl World {
    pub(super) fn network(mut self, id: &str, labels: Tags) -> Self {
        self.networks.push(Network {
            id: NetworkId::parse(id).unwrap(),
            name: String::new(),
            kind: NetworkKind::Child,
            project: Some(project()),
            partition: None,
            parent: None,
            prefixes: vec![],
            destination_prefixes: vec![],
            announceable: vec![],
            labels,
            created: None,
        });
        self
    }

    pub(super) fn ip(mut self, address: &str, of: &str, kind: IpKind, tags: Tags) -> Self {
        self.ips.push(Ip {
            address: address.parse().unwrap(),
            allocation: allocation(of),
            network: NetworkId::parse("internet").unwrap(),
            project: project(),
            kind,
            name: String::new(),
            tags,
            created: None,
        });
        self
    }

    pub(super) fn machine(mut self, n: u32, of: &str, tags: Tags) -> Self {
        self.machines.push(Machine {
            id: machine_id(n),
            allocation: allocation(of),
            project: project(),
            partition: PartitionId::parse("muc-a").unwrap(),
            size: SizeId::parse("n1-medium-x86").unwrap(),
            image: ImageId::parse("firewall-ubuntu-3.0.20251101").unwrap(),
            role: MachineRole::Firewall,
            hostname: String::new(),
            rack: String::new(),
            state: MachineState::Available,
            state_description: String::new(),
            tags,
            created: None,
            networks: vec![],
            alive: true,
            crash_loop: false,
            failed_reclaim: false,
            phoned_home: true,
            asn: None,
            last_event: None,
        });
        self
    }

    /// What comes of freeing this one.
    pub(super) fn with_fault(mut self, id: &str, fault: Fault) -> Self {
        self.faults.insert(id.to_owned(), fault);
        self
    }

    pub(super) fn writes(&self) -> Vec<String> {
        self.writes.lock().unwrap().clone()
    }

    fn write(&self, op: Op, id: &str, words: String) -> Result<()> {
        self.writes.lock().unwrap().push(words);
        let (call, text) = (Call::of(op, &project()).about(id), "as the test wants it".to_owned());
        match self.faults.get(id) {
            None => Ok(()),
            Some(Fault::InUse) => Err(Error::InUse { call, text }),
            Some(Fault::Conflict) => Err(Error::Conflict { call, text }),
            Some(Fault::Locked) => Err(Error::Invalid { call, status: 422, text }),
            Some(Fault::Lost) => Err(Error::Unknown { call, text }),
            Some(Fault::NotFound) => Err(Error::NotFound { call, text }),
        }
    }
}

fn unasked<T>(op: Op) -> Result<T> {
    Err(Error::Unreachable { call: Call::new(op), text: "no test asks for it".to_owned() })
}

impl Metal for World {
    async fn health(&self) -> Result<Health> {
        unasked(Op::Health)
    }
    async fn version(&self) -> Result<ServerVersion> {
        unasked(Op::Version)
    }
    fn server_time(&self) -> Option<Timestamp> {
        None
    }
    async fn project(&self, _: &ProjectId) -> Result<Project> {
        unasked(Op::ProjectGet)
    }
    async fn networks(&self, _: &ProjectId, _: &Tags) -> Result<Vec<Network>> {
        unasked(Op::NetworkFind)
    }
    async fn shared_networks(&self) -> Result<Vec<Network>> {
        unasked(Op::NetworkFind)
    }
    async fn ips(&self, _: &ProjectId, _: &Tags) -> Result<Vec<Ip>> {
        unasked(Op::IpFind)
    }
    async fn machines(&self, _: &ProjectId, _: Option<MachineRole>, _: &Tags) -> Result<Vec<Machine>> {
        unasked(Op::MachineFind)
    }
    async fn images(&self) -> Result<Vec<Image>> {
        unasked(Op::ImageList)
    }
    async fn sizes(&self) -> Result<Vec<SizeId>> {
        unasked(Op::SizeList)
    }
    async fn size_details(&self) -> Result<Vec<SizeDetail>> {
        unasked(Op::SizeList)
    }
    async fn partitions(&self) -> Result<Vec<PartitionId>> {
        unasked(Op::PartitionList)
    }
    async fn capacity(&self, _: &ProjectId) -> Result<Vec<Capacity>> {
        unasked(Op::PartitionCapacity)
    }
    async fn get_network(&self, _: &ProjectId, id: &NetworkId) -> Result<Option<Network>> {
        Ok(self.networks.iter().find(|network| network.id == *id).cloned())
    }
    async fn get_ip(&self, _: &ProjectId, address: IpAddr) -> Result<Option<Ip>> {
        Ok(self.ips.iter().find(|ip| ip.address == address).cloned())
    }
    async fn get_machine(&self, _: &ProjectId, id: &MachineId) -> Result<Option<Machine>> {
        Ok(self.machines.iter().find(|machine| machine.id == *id).cloned())
    }
    async fn allocate_network(&self, _: &NetworkRequest) -> Result<Network> {
        unasked(Op::NetworkAllocate)
    }
    async fn allocate_ip(&self, _: &IpRequest) -> Result<Ip> {
        unasked(Op::IpAllocate)
    }
    async fn update_ip(&self, _: &ProjectId, update: &IpUpdate) -> Result<Ip> {
        let tags = update.tags.as_ref().map(|tags| tags.to_strings().join(", ")).unwrap_or_default();
        let id = update.address.to_string();
        self.write(Op::IpUpdate, &id, format!("tag ip {id}: {tags}"))?;
        let found = self.ips.iter().find(|ip| ip.address == update.address);
        Ok(found.cloned().unwrap())
    }
    async fn allocate_machine(&self, _: &MachineRequest) -> Result<Machine> {
        unasked(Op::MachineAllocate)
    }
    async fn allocate_firewall(&self, _: &FirewallRequest) -> Result<Machine> {
        unasked(Op::FirewallAllocate)
    }
    async fn free_network(&self, _: &ProjectId, id: &NetworkId) -> Result<()> {
        self.write(Op::NetworkFree, id.as_str(), format!("free network {id}"))
    }
    async fn free_ip(&self, _: &ProjectId, address: IpAddr) -> Result<()> {
        self.write(Op::IpFree, &address.to_string(), format!("free ip {address}"))
    }
    async fn free_machine(&self, _: &ProjectId, id: &MachineId) -> Result<()> {
        self.write(Op::MachineFree, id.as_str(), format!("free machine {id}"))
    }
}
