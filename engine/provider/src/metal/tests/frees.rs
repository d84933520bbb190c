//! What becomes of frees, and what they leave.

use super::{Bed, ONE, TWO, id, ip_request, machine_request};
use crate::metal::{Expected, FailureClass, FreeOutcome, ProjectDoor};
use metal_sim::MachineIncident;
use model::metal::{Ip, Machine};
use model::{MachineId, Tags};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;

fn of_machine(machine: &Machine) -> Expected<MachineId> {
    Expected {
        allocation: Some(machine.allocation.clone()),
        tags: Tags::new().with("c", "shop"),
        ..Expected::new(&id(ONE), machine.id.clone())
    }
}

fn of_ip(ip: &Ip) -> Expected<IpAddr> {
    Expected { allocation: Some(ip.allocation.clone()), ..Expected::new(&id(ONE), ip.address) }
}

struct Shop {
    bed: Bed,
    door: Arc<ProjectDoor>,
    network: model::NetworkId,
    machine: Arc<Machine>,
}

async fn shop() -> Shop {
    let bed = Bed::new().await;
    let door = bed.door();
    let network = bed.network(&door, &["c=shop"]).await;
    let machine = door.allocate_machine(&machine_request(ONE, &network, &["c=shop"])).await.unwrap();
    door.reading().await.unwrap();
    bed.calls();
    Shop { bed, door, network, machine }
}

#[tokio::test]
async fn a_cluster_is_freed_from_the_machine_to_the_network() {
    let Shop { bed, door, network, machine } = shop().await;
    let ip = door.allocate_ip(&ip_request(ONE, &["c=shop"])).await.unwrap();
    let expected = Expected { tags: Tags::new().with("c", "shop"), ..Expected::new(&id(ONE), network.clone()) };
    bed.calls();
    assert!(matches!(door.free_network(&expected).await.unwrap(), FreeOutcome::InUse { .. }));
    assert_eq!(door.free_machine(&of_machine(&machine)).await.unwrap(), FreeOutcome::Freed);
    assert_eq!(door.free_ip(&of_ip(&ip)).await.unwrap(), FreeOutcome::Freed);
    bed.pass(1);
    assert_eq!(door.free_network(&expected).await.unwrap(), FreeOutcome::Freed);
    let view = door.last().unwrap();
    assert!(view.machines.is_empty() && view.networks.is_empty());
    assert!(!view.ips.contains_key(&ip.address));
    let frees = |calls: Vec<String>| calls.into_iter().filter(|call| call.starts_with("DELETE")).count();
    assert_eq!(frees(bed.calls()), 4);
    assert_eq!(door.free_machine(&of_machine(&machine)).await.unwrap(), FreeOutcome::Gone);
    assert_eq!(door.free_ip(&of_ip(&ip)).await.unwrap(), FreeOutcome::Gone);
    assert_eq!(door.free_network(&expected).await.unwrap(), FreeOutcome::Gone);
    assert_eq!(frees(bed.calls()), 0, "what is gone is not freed again: the machine may be somebody's");
}

#[tokio::test]
async fn r15_what_was_freed_here_is_not_missed() {
    let Shop { bed, door, network, machine } = shop().await;
    let mut ids = vec![machine.id.clone()];
    for _ in 0..3 {
        ids.push(door.allocate_machine(&machine_request(ONE, &network, &["c=shop"])).await.unwrap().id.clone());
    }
    bed.known.lock().unwrap().machines = ids.iter().cloned().collect();
    for id in &ids {
        let expected = Expected { tags: Tags::new().with("c", "shop"), ..Expected::new(door.project(), id.clone()) };
        assert!(door.free_machine(&expected).await.unwrap().is_done());
    }
    bed.pass(60);
    assert_eq!(door.reading().await.unwrap().suspect, None);
}

#[tokio::test]
async fn what_is_not_as_expected_is_left_alone() {
    let Shop { bed, door, machine, .. } = shop().await;
    let fine = of_machine(&machine);
    for expected in [
        Expected { project: id(TWO), ..fine.clone() },
        Expected { allocation: Some(id("another")), ..fine.clone() },
        Expected { tags: Tags::new().with("c", "other"), ..fine.clone() },
        Expected { without: Tags::new().with("c", "shop"), ..fine.clone() },
        Expected { allocation: None, tags: Tags::new(), ..fine.clone() },
    ] {
        let outcome = door.free_machine(&expected).await.unwrap();
        assert!(matches!(outcome, FreeOutcome::NotOurs { .. }), "{expected:?}: {outcome:?}");
    }
    assert!(bed.calls().iter().all(|call| call == "POST machine/find"));
    assert!(door.last().unwrap().machines.contains_key(&machine.id));
    assert_eq!(door.free_machine(&fine).await.unwrap(), FreeOutcome::Freed);
}

#[tokio::test]
async fn a_machine_that_is_somebody_else_s_by_now_is_gone_for_us() {
    let Shop { bed, door, machine, .. } = shop().await;
    assert!(door.free_machine(&of_machine(&machine)).await.unwrap().is_done());
    bed.pass(10);
    let two = bed.door_of(TWO);
    let network = bed.network(&two, &[]).await;
    let theirs = two
        .allocate_machine(&model::metal::MachineRequest {
            uuid: Some(machine.id.clone()),
            ..machine_request(TWO, &network, &["c=shop"])
        })
        .await
        .unwrap();
    bed.calls();
    assert_eq!(door.free_machine(&of_machine(&machine)).await.unwrap(), FreeOutcome::Gone);
    assert_eq!(bed.calls(), ["POST machine/find"]);
    assert!(two.machine_now(&theirs.id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_locked_machine_is_not_even_tried() {
    let Shop { bed, door, machine, .. } = shop().await;
    let state = |state: &str| MachineIncident { state: Some(state.into()), ..MachineIncident::default() };
    bed.sim.machine_incident(machine.id.as_str(), &state("LOCKED")).unwrap();
    let outcome = door.free_machine(&of_machine(&machine)).await.unwrap();
    assert_eq!(outcome, FreeOutcome::Locked { text: "machine is locked: by the control interface".into() });
    assert_eq!(bed.calls(), ["POST machine/find"]);
    bed.sim.machine_incident(machine.id.as_str(), &state("")).unwrap();
    // Locked between the reading and the free.
    bed.fault(json!([{"path": "*/free", "times": 1, "effect": {"status": 422, "message": "machine is locked"}}]));
    let outcome = door.free_machine(&of_machine(&machine)).await.unwrap();
    assert_eq!(outcome, FreeOutcome::Locked { text: "machine is locked".into() });
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_the_free_never_repeated_blindly() {
    let Shop { bed, door, machine, .. } = shop().await;
    bed.fault(json!([{"path": "*/free", "times": 1, "effect": "dropBefore"}]));
    let error = door.free_machine(&of_machine(&machine)).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Unknown);
    assert_eq!(bed.calls().iter().filter(|call| call.starts_with("DELETE")).count(), 1);
    assert!(door.last().unwrap().machines.contains_key(&machine.id));
    bed.fault(json!([{"path": "*/free", "times": 1, "effect": "dropAfter"}]));
    assert_eq!(door.free_machine(&of_machine(&machine)).await.unwrap(), FreeOutcome::Freed);
    let calls = bed.calls();
    assert!(calls[0] == "POST machine/find" && calls[2] == "POST machine/find" && calls.len() == 3, "{calls:?}");
    assert!(!door.last().unwrap().machines.contains_key(&machine.id));
}

#[tokio::test]
async fn what_another_process_freed_meanwhile_is_gone() {
    let Shop { bed, door, machine, .. } = shop().await;
    bed.fault(json!([{"path": "*/free", "times": 1, "effect": {"status": 404, "message": "NotFound no machine"}}]));
    assert_eq!(door.free_machine(&of_machine(&machine)).await.unwrap(), FreeOutcome::Gone);
}
