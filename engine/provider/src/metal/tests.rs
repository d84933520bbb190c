//! The door against the simulator, in-process, on a clock that is driven by hand.

mod denials;
mod frees;
mod hostile;
mod ledger;
mod readings;
mod samples;
mod table;
mod writes;

use super::{CredentialName, CredentialValues, Doors, Known, ProjectDoor, Settings};
use metal_api::{Observe, Unobserved};
use metal_sim::{Landscape, Running, Sim};
use model::metal::{IpKind, IpRequest, MachineRequest, NetworkRequest, RequestNetwork};
use model::{AddressFamily, Clock, NetworkId, ProjectId, Tags, Timestamp};
use std::{
    fmt::Debug,
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};

const LANDSCAPE: &str = r#"
projects:
  - {id: 00000000-0000-0000-0000-000000000001, name: one}
  - {id: 00000000-0000-0000-0000-000000000002, name: two}
partitions: [{id: muc-a}]
sizes: [{id: n1, cores: 4, memory: 2147483648, disks: [{name: /dev/sda, size: 10000000000}]}]
images: [{id: ubuntu-24.4.20260601, features: [machine]}, {id: firewall-ubuntu-3.0, features: [firewall]}]
filesystemlayouts: [{id: default, sizes: [n1], images: {ubuntu: "*", firewall-ubuntu: "*"}, disks: [/dev/sda]}]
networks:
  - id: super
    privateSuper: true
    partition: muc-a
    prefixes: [10.0.0.0/16]
    defaultChildPrefixLength: {IPv4: 22}
  - {id: underlay, underlay: true, partition: muc-a, prefixes: [10.1.0.0/24]}
  - {id: internet, nat: true, prefixes: [198.18.0.0/20], destinationPrefixes: [0.0.0.0/0]}
machines: [{count: 12, partition: muc-a, size: n1, racks: [rack-1, rack-2]}]
"#;

const ONE: &str = "00000000-0000-0000-0000-000000000001";
const TWO: &str = "00000000-0000-0000-0000-000000000002";
const KEY: &str = "metal-admin";

fn id<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A clock that is moved by hand.
struct Driven(Mutex<Timestamp>);

impl Clock for Driven {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A simulator, the doors to it, and what the objects are said to know.
struct Bed {
    sim: Running,
    doors: Arc<Doors>,
    clock: Arc<Driven>,
    known: Arc<Mutex<Known>>,
}

impl Bed {
    async fn new() -> Self {
        Self::with(Settings { write_timeout: Duration::from_secs(5), ..Settings::default() }).await
    }

    async fn with(settings: Settings) -> Self {
        let landscape = Landscape::parse(LANDSCAPE, "landscape").unwrap();
        let sim = Sim::new(&landscape, metal_sim::Clock::manual(start()), 1).unwrap().serve().await.unwrap();
        let (clock, known) = (Arc::new(Driven(Mutex::new(start()))), Arc::<Mutex<Known>>::default());
        let tell = Arc::clone(&known);
        let tell = Arc::new(move |_: &ProjectId| tell.lock().unwrap().clone());
        let own = values(&sim, KEY);
        let observe: Arc<dyn Observe> = Arc::new(Unobserved);
        let doors = Arc::new(Doors::new(settings, Some(own), tell, observe, Arc::clone(&clock) as Arc<dyn Clock>));
        Self { sim, doors, clock, known }
    }

    /// The same metal-api for somebody else.
    fn second(&self) -> CredentialValues {
        CredentialValues::new(&self.sim.url(), "metal-edit", Some("Metal-Edit")).unwrap()
    }

    fn door(&self) -> Arc<ProjectDoor> {
        self.door_of(ONE)
    }

    fn door_of(&self, project: &str) -> Arc<ProjectDoor> {
        self.doors.open_default("tenant", &id(project)).unwrap()
    }

    fn pass(&self, seconds: u64) {
        *self.clock.0.lock().unwrap() += Duration::from_secs(seconds);
        self.sim.advance(jiff::SignedDuration::from_secs(seconds.try_into().unwrap()));
    }

    /// Calls since the last time, as `POST ip/find`.
    fn calls(&self) -> Vec<String> {
        let line = |call: metal_sim::Call| {
            format!("{} {}", call.method, call.path.trim_start_matches("/metal").trim_start_matches("/v1/"))
        };
        let lines = self.sim.calls().into_iter().map(line).collect();
        self.sim.forget_calls();
        lines
    }

    fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    fn fault(&self, faults: serde_json::Value) {
        self.sim.set_faults(faults);
    }

    async fn network(&self, door: &ProjectDoor, labels: &[&str]) -> NetworkId {
        let request = NetworkRequest {
            project: door.project().clone(),
            partition: id("muc-a"),
            name: "node".into(),
            description: String::new(),
            family: AddressFamily::V4,
            length: None,
            labels: Tags::from_strings(labels),
        };
        door.allocate_network(&request).await.unwrap().id.clone()
    }
}

fn values(sim: &Running, key: &str) -> CredentialValues {
    CredentialValues::new(&sim.url(), key, Some("Metal-Admin")).unwrap()
}

fn name(name: &str) -> CredentialName {
    CredentialName { namespace: "tenant".into(), name: name.into() }
}

fn ip_request(project: &str, tags: &[&str]) -> IpRequest {
    IpRequest {
        project: id(project),
        network: id("internet"),
        address: None,
        family: AddressFamily::V4,
        kind: IpKind::Ephemeral,
        name: "vip".into(),
        description: String::new(),
        tags: Tags::from_strings(tags),
    }
}

fn machine_request(project: &str, network: &NetworkId, tags: &[&str]) -> MachineRequest {
    MachineRequest {
        project: id(project),
        partition: id("muc-a"),
        name: "m".into(),
        hostname: "m".into(),
        description: String::new(),
        size: id("n1"),
        image: id("ubuntu-24.4"),
        networks: vec![RequestNetwork { network: network.clone(), autoacquire: true }],
        ips: Vec::new(),
        ssh_public_keys: Vec::new(),
        user_data: None,
        tags: Tags::from_strings(tags),
        placement_tags: Vec::new(),
        uuid: None,
        filesystem_layout: None,
        dns_servers: Vec::new(),
        ntp_servers: Vec::new(),
    }
}
