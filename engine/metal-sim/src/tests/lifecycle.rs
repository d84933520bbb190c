//! Machines in time: installation, reboot, freeing, silence, incidents, and what reachability makes of it.

use super::{Api, LOCKED, PROJECT, RESERVED};
use crate::{ClockChange, ClockMode, ControlError, MachineIncident};
use jiff::SignedDuration;
use serde_json::{Value, json};

fn incident(event: &str) -> MachineIncident {
    MachineIncident { event: Some(event.into()), ..MachineIncident::default() }
}

struct Installed {
    api: Api,
    network: Value,
    id: String,
}

impl Installed {
    fn new() -> Self {
        let api = Api::new();
        let network = api.network("IPv4");
        let id = api.machine(&network, &json!({}))["id"].as_str().unwrap().to_owned();
        api.seconds(3);
        Self { api, network, id }
    }

    fn machine(&self) -> Value {
        self.api.get(&format!("/v1/machine/{}", self.id))
    }

    fn newest(&self) -> String {
        self.machine()["events"]["log"][0]["event"].as_str().unwrap().to_owned()
    }

    fn power(&self, what: &str) {
        self.api.post(&format!("/v1/machine/{}/power/{what}", self.id), &json!([]));
    }
}

#[test]
fn an_allocated_machine_is_installed_step_by_step() {
    let api = Api::new();
    let network = api.network("IPv4");
    let machine = api.machine(&network, &json!({}));
    let path = format!("/v1/machine/{}", machine["id"].as_str().unwrap());
    for newest in ["Waiting", "Installing", "Booting New Kernel", "Phoned Home", "Phoned Home"] {
        let machine = api.get(&path);
        assert_eq!((&machine["events"]["log"][0]["event"], &machine["liveliness"]), (&json!(newest), &json!("Alive")));
        api.seconds(1);
    }
    let log = api.get(&path)["events"]["log"].clone();
    assert_eq!((&log[0]["time"], &log[1]["time"]), (&json!("2026-01-01T00:00:03Z"), &json!("2026-01-01T00:00:02Z")));
    api.seconds(86_400);
    assert_eq!(api.get(&path)["liveliness"], "Alive", "it goes on reporting");
}

#[test]
fn a_power_command_makes_planned_reboot_the_newest_until_the_system_is_back() {
    let bed = Installed::new();
    for how in ["reset", "cycle"] {
        bed.power(how);
        assert_eq!(bed.newest(), "Planned Reboot");
        bed.api.seconds(1);
        assert_eq!(bed.newest(), "Phoned Home");
    }
    bed.power("off");
    bed.api.seconds(301);
    assert_eq!((bed.newest().as_str(), &bed.machine()["liveliness"]), ("Planned Reboot", &json!("Unknown")));
    bed.power("on");
    bed.api.seconds(1);
    assert_eq!((bed.newest().as_str(), &bed.machine()["liveliness"]), ("Phoned Home", &json!("Alive")));
    bed.power("chassis-identify-led-on");
    assert_eq!(bed.machine()["ledstate"]["value"], "LED-ON");
}

#[test]
fn a_freed_machine_comes_back_and_its_addresses_asynchronously() {
    let bed = Installed::new();
    let network = format!("/v1/network/free/{}", bed.network["id"].as_str().unwrap());
    let free = format!("/v1/machine/{}/free", bed.id);
    let freed = bed.api.delete(&free);
    assert_eq!((&freed["allocation"], &freed["tags"]), (&Value::Null, &json!([])));
    assert_eq!(freed["events"]["log"][0]["message"], "free machine called");
    assert_eq!(bed.api.refused("DELETE", &network, None).0, 422, "has ips");
    assert_eq!(bed.api.call("GET", "/v1/ip/10.0.4.1", None).0, 200);
    bed.api.sim.advance(SignedDuration::from_millis(150));
    assert_eq!(bed.api.call("GET", "/v1/ip/10.0.4.1", None).0, 404);
    assert_eq!(bed.api.refused("DELETE", &network, None).0, 422, "still in the address management");
    bed.api.sim.advance(SignedDuration::from_millis(100));
    bed.api.delete(&network);
    let candidates = || {
        bed.api.post("/v1/partition/capacity", &json!({"id": "mini-lab", "sizeid": "v1-small-x86"}))[0]["servers"][0]["allocatable"].clone()
    };
    assert_eq!(candidates(), 5);
    bed.api.seconds(4);
    assert_eq!((bed.newest().as_str(), candidates()), ("Waiting", json!(6)));
    assert_eq!(bed.api.delete(&free)["allocation"], Value::Null, "works on a machine that nobody has");
    assert_eq!(candidates(), 5);
}

#[test]
fn a_shared_address_stays_until_its_last_machine_is_freed() {
    let api = Api::new();
    let network = api.network("IPv4");
    let ip =
        api.post("/v1/ip/allocate", &json!({"networkid": network["id"], "projectid": PROJECT}))["ipaddress"].clone();
    let machines = [0, 1].map(|_| api.machine(&network, &json!({"ips": [ip]}))["id"].as_str().unwrap().to_owned());
    let path = format!("/v1/ip/{}", ip.as_str().unwrap());
    assert_eq!(api.get(&path)["tags"].as_array().unwrap().len(), 2);
    api.delete(&format!("/v1/machine/{}/free", machines[0]));
    api.seconds(1);
    assert_eq!(api.get(&path)["tags"].as_array().unwrap().len(), 1);
    api.delete(&format!("/v1/machine/{}/free", machines[1]));
    api.seconds(1);
    assert_eq!(api.call("GET", &path, None).0, 404);
}

#[test]
fn reinstall_takes_exact_ids() {
    let bed = Installed::new();
    let path = format!("/v1/machine/{}/reinstall", bed.id);
    let body = |image: &str| json!({"id": bed.id, "imageid": image});
    assert_eq!(bed.api.refused("POST", &path, Some(&body("ubuntu-24.4"))).0, 404, "no shorthand");
    let (status, text) = bed.api.refused("POST", &path, Some(&body("debian-13.0")));
    assert_eq!((status, text.as_str()), (422, "filesystemlayout:default is not reinstallable, abort reinstallation"));
    let (status, text) =
        bed.api.refused("POST", &format!("/v1/machine/{RESERVED}/reinstall"), Some(&body("debian-13.0")));
    assert_eq!(
        (status, text.as_str()),
        (400, "machine either locked, not allocated yet or invalid image ID specified")
    );

    let mut landscape = crate::Landscape::parse(super::SMALL, "small.yaml").unwrap();
    landscape.filesystemlayouts[0].wipe_on_reinstall = true;
    let api = Api::of(&landscape);
    let network = api.network("IPv4");
    let machine = api.machine(&network, &json!({}));
    let id = machine["id"].as_str().unwrap();
    api.seconds(3);
    let again = api.post(&format!("/v1/machine/{id}/reinstall"), &json!({"imageid": "debian-13.0"}));
    assert_eq!(
        (&again["allocation"]["image"]["id"], &again["allocation"]["reinstall"]),
        (&json!("debian-13.0"), &json!(true))
    );
    api.seconds(6);
    let done = api.get(&format!("/v1/machine/{id}"));
    assert_eq!(
        (&done["events"]["log"][0]["event"], &done["allocation"]["reinstall"]),
        (&json!("Phoned Home"), &json!(false))
    );
    assert_eq!(done["allocation"]["allocationuuid"], machine["allocation"]["allocationuuid"]);
}

#[test]
fn a_state_needs_a_description() {
    let api = Api::new();
    let path = format!("/v1/machine/{LOCKED}/state");
    assert_eq!(api.refused("POST", &path, Some(&json!({"value": "RESERVED"}))).0, 400);
    assert_eq!(api.refused("POST", &path, Some(&json!({"value": "BROKEN", "description": "d"}))).0, 400);
    let body = json!({"value": "RESERVED", "description": "d", "metal_hammer_version": null});
    let state = api.post(&path, &body)["state"].clone();
    assert_eq!((&state["value"], &state["issuer"]), (&json!("RESERVED"), &json!("metal-admin@metal-stack.io")));
    assert_eq!(api.post(&path, &json!({"value": ""}))["state"]["value"], "");
}

#[test]
fn incidents_happen_to_machines() {
    let bed = Installed::new();
    let sim = &bed.api.sim;
    sim.machine_incident(&bed.id, &incident("PXE Booting")).unwrap();
    let machine = bed.machine();
    assert_eq!(
        (&machine["events"]["crash_loop"], &machine["events"]["log"][0]["event"]),
        (&json!(true), &json!("PXE Booting"))
    );
    let issues =
        bed.api.post("/v1/machine/issues/evaluate", &json!({"severity": "major", "last_error_threshold": null}));
    assert_eq!(issues, json!([{"machineid": bed.id, "issues": ["crash-loop"]}]));

    let elsewhere = json!({"id": LOCKED, "severity": "minor"});
    assert_eq!(bed.api.post("/v1/machine/issues/evaluate", &elsewhere), Value::Null, "find fields count");

    let dead = MachineIncident { liveliness: Some("Dead".into()), ..MachineIncident::default() };
    sim.machine_incident(&bed.id, &dead).unwrap();
    bed.api.seconds(7200);
    assert_eq!(bed.machine()["liveliness"], "Dead", "allocated ones are not resurrected");
    let free = "10000000-0000-4000-8000-000000000009";
    assert_eq!(sim.machine_incident(free, &dead), Err(ControlError::UnknownMachine(free.into())));
    assert!(matches!(sim.machine_incident(&bed.id, &incident("Exploded")), Err(ControlError::UnknownEvent(_))));

    sim.machine_incident(&bed.id, &MachineIncident { vanish: true, ..MachineIncident::default() }).unwrap();
    let path = format!("/v1/machine/{}", bed.id);
    assert_eq!(bed.api.refused("GET", &path, None).0, 404);
    assert_eq!(bed.api.post("/v1/machine/find", &json!({"id": bed.id})), json!([]));
    assert_eq!(bed.api.call("GET", "/v1/ip/10.0.4.1", None).0, 200, "what it had stays");
}

#[test]
fn a_crashed_installation_stops_and_a_dead_free_machine_is_resurrected() {
    let api = Api::new();
    let network = api.network("IPv4");
    let id = api.machine(&network, &json!({}))["id"].as_str().unwrap().to_owned();
    let machine = || api.get(&format!("/v1/machine/{id}"));
    api.seconds(1);
    api.sim.machine_incident(&id, &incident("Crashed")).unwrap();
    api.seconds(299);
    assert_eq!(
        (&machine()["events"]["log"][0]["event"], &machine()["liveliness"]),
        (&json!("Crashed"), &json!("Alive"))
    );
    api.seconds(1);
    assert_eq!(machine()["liveliness"], "Unknown");

    let free = api.post("/v1/machine/find", &json!({"state_value": "TAINTED"}))[0]["id"].as_str().unwrap().to_owned();
    let dead = MachineIncident { liveliness: Some("Dead".into()), ..MachineIncident::default() };
    api.sim.machine_incident(&free, &dead).unwrap();
    api.seconds(3599);
    assert_eq!(api.get(&format!("/v1/machine/{free}"))["liveliness"], "Dead");
    api.seconds(10);
    let back = api.get(&format!("/v1/machine/{free}"));
    assert_eq!((&back["events"]["log"][0]["event"], &back["liveliness"]), (&json!("Waiting"), &json!("Alive")));
}

#[test]
fn the_clock_is_changed_by_hand() {
    let api = Api::new();
    let advance = ClockChange { advance: Some("1m30s".parse().unwrap()), ..ClockChange::default() };
    let state = api.sim.change_clock(&advance).unwrap();
    assert_eq!((state.now.to_string().as_str(), state.mode.as_str()), ("2026-01-01T00:01:30Z", "manual"));
    let real = ClockChange { mode: Some(ClockMode::Real), speed: Some(60.0), ..ClockChange::default() };
    assert_eq!(api.sim.change_clock(&real).unwrap().mode, "real");
    let speed = ClockChange { speed: Some(0.0), ..ClockChange::default() };
    assert_eq!(api.sim.change_clock(&speed), Err(ControlError::Speed(0.0)));
}

#[test]
fn reachability_follows_network_machines_and_firewall() {
    let api = Api::new();
    let labels = json!({"cluster.metal-stack.io/id": "a.b"});
    let network = json!({"projectid": PROJECT, "partitionid": "mini-lab", "labels": labels, "addressfamily": "IPv4"});
    let network = api.post("/v1/network/allocate", &network);
    let one = || api.sim.reachability().into_iter().find(|found| found.cluster == "a.b").unwrap();
    let found = one();
    assert!(!found.pods_routed && !found.egress && found.vip_speakers == 0);
    assert_eq!(found.reasons.len(), 3, "{:?}", found.reasons);
    let prefix = "metal-stack.infrastructure.cluster.x-k8s.io";
    let tags = json!({"tags": [format!("{prefix}/cluster-resource=a.b"), format!("{prefix}/purpose=control-plane")]});
    api.machine(&network, &tags);
    api.firewall(&network, &json!({}));
    let found = one();
    assert!(found.pods_routed && !found.egress && found.vip_speakers == 0);
    api.seconds(3);
    let found = one();
    assert!(found.pods_routed && found.egress && found.vip_speakers == 1);
    assert_eq!(found.reasons, [""; 0]);
}
