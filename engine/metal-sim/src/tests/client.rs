//! What our own client asks of metal-api, through HTTP and back.

use super::{PROJECT, SMALL, start};
use crate::{Clock, Landscape, MachineIncident, Running, Sim};
use jiff::{SignedDuration, Timestamp};
use metal_api::{AuthType, Credentials, Error, HttpMetal, Metal, Options, Secret};
use model::metal::{
    FirewallRequest, IpKind, IpRequest, IpUpdate, Machine, MachineNetworkKind, MachineRequest, MachineRole,
    MachineState, NetworkRequest, RequestNetwork, UserData,
};
use model::rules::{IngressRule, Port, Protocol};
use model::{AddressFamily, NetworkId, ProjectId, Tags};
use std::{fmt::Debug, str::FromStr, sync::Arc};

struct Wall;

impl model::Clock for Wall {
    fn now(&self) -> Timestamp {
        start()
    }
}

struct Bed {
    sim: Running,
    metal: HttpMetal,
}

fn id<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

impl Bed {
    async fn new() -> Self {
        let landscape = Landscape::parse(SMALL, "small.yaml").unwrap();
        let sim = Sim::new(&landscape, Clock::manual(start()), 1).unwrap().serve().await.unwrap();
        let key = Secret::value("metal-admin");
        let credentials = Credentials::Hmac { auth_type: AuthType::Admin, key };
        let metal = HttpMetal::new(Options::new(sim.url(), credentials), Arc::new(Wall)).unwrap();
        Self { sim, metal }
    }

    fn project() -> ProjectId {
        id(PROJECT)
    }

    async fn network(&self) -> NetworkId {
        let request = NetworkRequest {
            project: Self::project(),
            partition: id("mini-lab"),
            name: "node".into(),
            description: String::new(),
            family: AddressFamily::V4,
            length: None,
            labels: Tags::new(),
        };
        self.metal.allocate_network(&request).await.unwrap().id
    }

    async fn machine(&self) -> Machine {
        let request = MachineRequest {
            networks: vec![RequestNetwork { network: self.network().await, autoacquire: true }],
            ..request("shop-cp-0")
        };
        self.metal.allocate_machine(&request).await.unwrap()
    }

    async fn again(&self, machine: &Machine) -> Machine {
        self.metal.get_machine(&Self::project(), &machine.id).await.unwrap().unwrap()
    }
}

fn request(name: &str) -> MachineRequest {
    MachineRequest {
        project: Bed::project(),
        partition: id("mini-lab"),
        name: name.into(),
        hostname: name.into(),
        description: String::new(),
        size: id("v1-small-x86"),
        image: id("ubuntu-24.4"),
        networks: Vec::new(),
        ips: Vec::new(),
        ssh_public_keys: Vec::new(),
        user_data: Some(UserData::new(*b"#cloud-config")),
        tags: Tags::from_strings(["k=v", "bare"]),
        placement_tags: vec!["k=v".into()],
        uuid: None,
        filesystem_layout: None,
        dns_servers: Vec::new(),
        ntp_servers: Vec::new(),
    }
}

#[tokio::test]
async fn a_machine_is_allocated_and_read_with_all_that_is_known_of_it() {
    let bed = Bed::new().await;
    let machine = bed.machine().await;
    assert_eq!((machine.hostname.as_str(), machine.role), ("shop-cp-0", MachineRole::Machine));
    assert!(machine.rack.starts_with("rack-"), "{}", machine.rack);
    assert_eq!((machine.state, machine.failed_reclaim), (MachineState::Available, false));
    assert_eq!(machine.networks[0].kind, MachineNetworkKind::PrivatePrimaryUnshared);
    assert!(machine.asn.is_some_and(|asn| asn >= 4_200_000_000), "{:?}", machine.asn);
    assert_eq!(machine.last_event.as_ref().unwrap().event, "Waiting");
    assert!(machine.tags.has("k", "v") && machine.tags.has("bare", ""));
    let stored = bed.sim.resources().machines.into_iter().find(|row| row.id == machine.id.as_str()).unwrap();
    assert_eq!(stored.allocation.unwrap().user_data.as_deref(), Some("I2Nsb3VkLWNvbmZpZw=="));
    bed.sim.advance(SignedDuration::from_secs(3));
    let installed = bed.again(&machine).await;
    assert!(installed.phoned_home);
    assert_eq!(installed.last_event.unwrap().event, "Phoned Home");
}

#[tokio::test]
async fn a_locked_machine_is_said_and_not_freed() {
    let bed = Bed::new().await;
    let machine = bed.machine().await;
    let incident = |state: &str, failed| MachineIncident {
        state: Some(state.into()),
        failed_reclaim: Some(failed),
        ..MachineIncident::default()
    };
    assert!(bed.sim.machine_incident(machine.id.as_str(), &incident("TAINTED", false)).is_err());
    bed.sim.machine_incident(machine.id.as_str(), &incident("LOCKED", true)).unwrap();
    let locked = bed.again(&machine).await;
    assert_eq!((locked.state, locked.failed_reclaim), (MachineState::Locked, true));
    assert_eq!(locked.state_description, "by the control interface");
    let refused = bed.metal.free_machine(&Bed::project(), &machine.id).await.unwrap_err();
    assert_eq!((refused.code(), refused.text()), ("invalid", "machine is locked"));
    bed.sim.machine_incident(machine.id.as_str(), &incident("", false)).unwrap();
    bed.metal.free_machine(&Bed::project(), &machine.id).await.unwrap();
}

#[tokio::test]
async fn an_address_gets_other_tags_and_becomes_static_for_good() {
    let bed = Bed::new().await;
    let request = IpRequest {
        project: Bed::project(),
        network: id("internet"),
        address: None,
        family: AddressFamily::V4,
        kind: IpKind::Ephemeral,
        name: "vip".into(),
        description: String::new(),
        tags: Tags::new().with("a", "1").with("b", "2"),
    };
    let address = bed.metal.allocate_ip(&request).await.unwrap().address;
    let update = |kind, tags| IpUpdate { address, kind, tags };
    let project = Bed::project();
    let kept = bed.metal.update_ip(&project, &update(Some(IpKind::Static), None)).await.unwrap();
    assert_eq!((kept.kind, kept.tags), (IpKind::Static, request.tags));
    let tagged = bed.metal.update_ip(&project, &update(None, Some(Tags::new().with("c", "3")))).await.unwrap();
    assert_eq!((tagged.kind, tagged.tags), (IpKind::Static, Tags::new().with("c", "3")));
    let back = bed.metal.update_ip(&project, &update(Some(IpKind::Ephemeral), None)).await.unwrap_err();
    assert!(matches!(back, Error::Invalid { status: 400, .. }), "{back}");
}

#[tokio::test]
async fn a_firewall_keeps_its_keys_and_where_its_rules_lead() {
    let bed = Bed::new().await;
    let autoacquire = |network| RequestNetwork { network, autoacquire: true };
    let request = FirewallRequest {
        project: Bed::project(),
        partition: id("mini-lab"),
        name: "fw".into(),
        hostname: "fw".into(),
        description: String::new(),
        size: id("v1-small-x86"),
        image: id("firewall-ubuntu-3.0"),
        networks: vec![autoacquire(bed.network().await), autoacquire(id("internet"))],
        ips: Vec::new(),
        egress: Vec::new(),
        ingress: vec![IngressRule {
            comment: None,
            ports: vec![Port::API],
            protocol: Protocol::Tcp,
            from: vec![id("0.0.0.0/0")],
            to: vec![id("203.0.113.0/24")],
        }],
        ssh_public_keys: vec![super::allocation::KEY.into()],
        tags: Tags::new(),
    };
    let firewall = bed.metal.allocate_firewall(&request).await.unwrap();
    let stored = bed.sim.resources().machines.into_iter().find(|row| row.id == firewall.id.as_str()).unwrap();
    let allocation = stored.allocation.unwrap();
    assert_eq!(allocation.ssh_pub_keys, Some(request.ssh_public_keys));
    assert_eq!(allocation.firewall_rules.unwrap().ingress[0].to, ["203.0.113.0/24"]);
}

#[tokio::test]
async fn sizes_say_what_their_machines_have() {
    let bed = Bed::new().await;
    let details = bed.metal.size_details().await.unwrap();
    let small = details.iter().find(|detail| detail.id.as_str() == "v1-small-x86").unwrap();
    assert_eq!((small.cpu_cores, small.memory_bytes), (Some(4), Some(2_147_483_648)));
}
