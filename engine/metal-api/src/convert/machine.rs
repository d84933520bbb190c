//! Machines as they are read: only the fields used, so that hardware, layouts, user data (which holds bootstrap
//! tokens) and 20 events of each machine never stay in memory.

use super::{Odd, Ours, address, allocation};
use crate::wire::Time;
use model::metal::{Machine, MachineEvent, MachineNetwork, MachineNetworkKind, MachineRole, MachineState};
use model::{ImageId, MachineId, NetworkId, PartitionId, ProjectId, SizeId, Tags, Timestamp};
use serde::Deserialize;

/// What is read of a machine on the wire.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LeanMachine {
    id: Option<String>,
    partition: Option<Id>,
    rackid: Option<String>,
    state: Option<LeanState>,
    size: Option<Id>,
    allocation: Option<LeanAllocation>,
    liveliness: Option<String>,
    events: Option<LeanEvents>,
    tags: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Id {
    id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LeanState {
    value: Option<String>,
    description: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LeanAllocation {
    allocationuuid: Option<String>,
    created: Time,
    project: Option<String>,
    role: Option<String>,
    hostname: Option<String>,
    image: Option<Id>,
    networks: Option<Vec<LeanNetwork>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LeanNetwork {
    networkid: Option<String>,
    networktype: Option<String>,
    ips: Option<Vec<String>>,
    asn: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LeanEvents {
    log: Option<Vec<LeanEvent>>,
    crash_loop: Option<bool>,
    failed_machine_reclaim: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LeanEvent {
    time: Time,
    event: Option<String>,
}

impl LeanEvents {
    /// Phoned home since the newest installation of this allocation. The log is newest first and outlives allocations:
    /// what is older than `allocated` says nothing about this one.
    fn phoned_home(&self, allocated: Option<Timestamp>) -> bool {
        let ours = |event: &&LeanEvent| match (event.time.0, allocated) {
            (Some(time), Some(allocated)) => time >= allocated,
            (None, _) | (_, None) => true,
        };
        let log = self.log.as_deref().unwrap_or_default();
        for event in log.iter().take_while(ours) {
            match event.event.as_deref() {
                Some("Phoned Home") => return true,
                Some("Installing" | "Waiting" | "Registering") => return false,
                _ => {}
            }
        }
        false
    }

    fn newest(self) -> Option<MachineEvent> {
        let LeanEvent { time, event } = self.log?.into_iter().next()?;
        Some(MachineEvent { event: event?, time: time.0 })
    }
}

impl TryFrom<LeanMachine> for Ours<Machine> {
    type Error = Odd;

    fn try_from(machine: LeanMachine) -> Result<Self, Odd> {
        // What stands behind an id may be gone from metal-api, which then shows a blank. The machine is there all the
        // same: left out, it would pass for vanished (R15).
        let of =
            |id: Option<Id>| id.and_then(|i| i.id).filter(|id| !id.is_empty()).unwrap_or_else(|| "none".to_owned());
        let text = |text: Option<String>| text.unwrap_or_default();
        let LeanMachine { id, partition, rackid, state, size, allocation: allocated, liveliness, events, tags } =
            machine;
        let LeanAllocation { allocationuuid, created, project, role, hostname, image, networks } =
            allocated.ok_or(Odd::Free)?;
        let events = events.unwrap_or_default();
        let LeanState { value, description } = state.unwrap_or_default();
        let networks = networks.unwrap_or_default();
        let primary = |network: &&LeanNetwork| kind_of(network.networktype.as_deref()).is_primary();
        let asn = networks.iter().find(primary).and_then(|network| network.asn);
        Ok(Self(Machine {
            id: MachineId::parse(&text(id))?,
            allocation: allocation(&text(allocationuuid))?,
            project: ProjectId::parse(&text(project))?,
            partition: PartitionId::parse(&of(partition))?,
            size: SizeId::parse(&of(size))?,
            image: ImageId::parse(&of(image))?,
            role: role_of(text(role))?,
            hostname: text(hostname),
            rack: text(rackid),
            state: state_of(value.as_deref()),
            state_description: text(description),
            tags: Tags::from_strings(tags.unwrap_or_default()),
            created: created.0,
            networks: networks.into_iter().filter_map(|n| network(n).ok()).collect(),
            alive: liveliness.as_deref() == Some("Alive"),
            crash_loop: events.crash_loop.unwrap_or_default(),
            failed_reclaim: events.failed_machine_reclaim.unwrap_or_default(),
            phoned_home: events.phoned_home(created.0),
            asn,
            last_event: events.newest(),
        }))
    }
}

fn role_of(role: String) -> Result<MachineRole, Odd> {
    match role.as_str() {
        // Rows of before roles existed are machines.
        "machine" | "" => Ok(MachineRole::Machine),
        "firewall" => Ok(MachineRole::Firewall),
        _ => Err(Odd::Role(role)),
    }
}

fn state_of(state: Option<&str>) -> MachineState {
    match state {
        None | Some("") => MachineState::Available,
        Some("LOCKED") => MachineState::Locked,
        Some(_) => MachineState::Reserved,
    }
}

fn kind_of(kind: Option<&str>) -> MachineNetworkKind {
    match kind {
        Some("privateprimaryunshared") => MachineNetworkKind::PrivatePrimaryUnshared,
        Some("privateprimaryshared") => MachineNetworkKind::PrivatePrimaryShared,
        Some("privatesecondaryshared") => MachineNetworkKind::PrivateSecondaryShared,
        Some("external") => MachineNetworkKind::External,
        Some("underlay") => MachineNetworkKind::Underlay,
        Some(_) | None => MachineNetworkKind::Other,
    }
}

fn network(network: LeanNetwork) -> Result<MachineNetwork, Odd> {
    Ok(MachineNetwork {
        network: NetworkId::parse(&network.networkid.unwrap_or_default())?,
        kind: kind_of(network.networktype.as_deref()),
        ips: network.ips.unwrap_or_default().iter().map(|ip| address(ip)).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ALLOCATED: &str = "2026-03-01T10:00:00Z";

    /// Events newest first, each with the minute of the hour.
    fn phoned(log: &[(&str, u8)]) -> bool {
        let event =
            |(name, minute): &(&str, u8)| json!({"event": name, "time": format!("2026-03-01T10:{minute:02}:00Z")});
        let events: LeanEvents =
            serde_json::from_value(json!({"log": log.iter().map(event).collect::<Vec<_>>()})).unwrap();
        events.phoned_home(Some("2026-03-01T10:10:00Z".parse().unwrap()))
    }

    #[test]
    fn phone_home_is_latched_for_this_allocation_alone() {
        let installed = [("Phoned Home", 20), ("Booting New Kernel", 19), ("Installing", 18), ("Waiting", 5)];
        assert!(phoned(&installed));
        assert!(phoned(&[&[("Planned Reboot", 30)], &installed[..]].concat()));
        assert!(phoned(&[&[("PXE Booting", 31), ("Planned Reboot", 30)], &installed[..]].concat()));
        assert!(!phoned(&installed[1..]));
        assert!(!phoned(&[("Installing", 40), ("Phoned Home", 20)]));
        // A late one of the tenant before, on a machine that was already free.
        assert!(!phoned(&[("Phoned Home", 9), ("Waiting", 5)]));
        assert!(!phoned(&[]));
    }

    #[test]
    fn nulls_and_unknown_fields_are_read() {
        let bare = json!({
            "id": "00000000-0000-0000-0000-000000000001", "unheard": [{"of": 1}], "hardware": {"memory": 1},
            "partition": {"id": "muc-a", "bootconfig": null}, "size": {"id": "n1-medium-x86"}, "liveliness": null,
            "events": null, "tags": null,
            "allocation": {
                "allocationuuid": "a", "created": ALLOCATED, "project": "00000000-0000-0000-0000-000000000001",
                "image": {"id": "ubuntu-24.4.20260601"}, "networks": null, "role": "firewall", "user_data": "secret",
            },
        });
        let machine: LeanMachine = serde_json::from_value(bare).unwrap();
        assert!(!format!("{machine:?}").contains("secret"));
        let Ours(machine) = Ours::<Machine>::try_from(machine).unwrap();
        assert_eq!((machine.role, machine.alive, machine.phoned_home), (MachineRole::Firewall, false, false));
        assert_eq!(machine.created.unwrap().to_string(), ALLOCATED);
    }

    #[test]
    fn where_a_machine_stands_and_what_it_last_said() {
        let wire = json!({
            "id": "00000000-0000-0000-0000-000000000001", "partition": {"id": "muc-a"}, "size": {"id": "n1"},
            "rackid": "rack-1", "state": {"value": "LOCKED", "description": "do not touch"},
            "events": {"log": [{"event": "Phoned Home", "time": ALLOCATED}, {"event": "Waiting", "time": ALLOCATED}],
                       "failed_machine_reclaim": true},
            "allocation": {
                "created": ALLOCATED, "project": "00000000-0000-0000-0000-000000000001",
                "image": {"id": "ubuntu-24.4"}, "networks": [
                    {"networkid": "internet", "networktype": "external", "asn": 7},
                    {"networkid": "node", "networktype": "privateprimaryunshared", "asn": 4_210_000_001_u32},
                    {"networkid": "new", "networktype": "of-tomorrow"}],
            },
        });
        let Ours(machine) = Ours::<Machine>::try_from(serde_json::from_value::<LeanMachine>(wire).unwrap()).unwrap();
        assert_eq!((machine.rack.as_str(), machine.state), ("rack-1", MachineState::Locked));
        assert_eq!((machine.state_description.as_str(), machine.failed_reclaim), ("do not touch", true));
        assert_eq!(machine.asn, Some(4_210_000_001));
        let last = machine.last_event.unwrap();
        assert_eq!((last.event.as_str(), last.time.unwrap().to_string().as_str()), ("Phoned Home", ALLOCATED));
        let kinds: Vec<MachineNetworkKind> = machine.networks.iter().map(|network| network.kind).collect();
        use MachineNetworkKind as K;
        assert_eq!(kinds, [K::External, K::PrivatePrimaryUnshared, K::Other]);
        assert_eq!((state_of(None), state_of(Some("TAINTED"))), (MachineState::Available, MachineState::Reserved));
    }

    #[test]
    fn r15_a_machine_of_an_image_that_is_gone_is_there() {
        let wire = json!({
            "id": "00000000-0000-0000-0000-000000000001", "partition": null, "size": {"id": ""},
            "allocation": {
                "project": "00000000-0000-0000-0000-000000000001", "image": null,
                "networks": [{"networkid": ""}, {"networkid": "node", "ips": ["nonsense"]}, {"networkid": "internet"}],
            },
        });
        let Ours(machine) = Ours::<Machine>::try_from(serde_json::from_value::<LeanMachine>(wire).unwrap()).unwrap();
        assert_eq!(
            (machine.image.as_str(), machine.size.as_str(), machine.partition.as_str()),
            ("none", "none", "none")
        );
        assert_eq!(machine.networks.iter().map(|n| n.network.as_str()).collect::<Vec<_>>(), ["internet"]);
    }

    #[test]
    fn a_free_machine_is_none() {
        let free: LeanMachine = serde_json::from_value(json!({"id": "x", "allocation": null})).unwrap();
        assert_eq!(Ours::<Machine>::try_from(free).err(), Some(Odd::Free));
    }
}
