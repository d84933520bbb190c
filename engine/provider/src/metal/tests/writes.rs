//! Writes, and what they leave in the view.

use super::{Bed, ONE, TWO, id, ip_request, machine_request};
use crate::metal::{FailureClass, Settings};
use model::Tags;
use model::metal::IpKind;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn what_was_allocated_is_in_the_view_at_once() {
    let bed = Bed::new().await;
    let door = bed.door();
    let before = door.reading().await.unwrap();
    let ip = door.allocate_ip(&ip_request(ONE, &["c=shop"])).await.unwrap();
    let network = bed.network(&door, &[]).await;
    let machine = door.allocate_machine(&machine_request(ONE, &network, &[])).await.unwrap();
    bed.calls();
    let view = door.reading().await.unwrap();
    assert!(bed.calls().is_empty());
    assert_eq!(view.round, before.round);
    assert!(view.ips.contains_key(&ip.address) && view.machines.contains_key(&machine.id));
    assert!(view.networks.contains_key(&network));
    assert!(!before.ips.contains_key(&ip.address), "who holds the older view keeps it");
}

#[tokio::test]
async fn what_is_asked_directly_is_in_the_view_too() {
    let bed = Bed::new().await;
    let (door, other) =
        (bed.door(), bed.doors.open("tenant", &super::name("second"), &bed.second(), &id(ONE)).unwrap());
    door.reading().await.unwrap();
    let ip = other.allocate_ip(&ip_request(ONE, &["c=shop"])).await.unwrap();
    assert!(!door.last().unwrap().ips.contains_key(&ip.address));
    let found = door.find_ips(&Tags::new().with("c", "shop")).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(door.last().unwrap().ips.contains_key(&ip.address));
    let network = bed.network(&other, &["c=shop"]).await;
    assert_eq!(door.find_networks(&Tags::new().with("c", "shop")).await.unwrap()[0].id, network);
    let machine = other.allocate_machine(&machine_request(ONE, &network, &["c=shop"])).await.unwrap();
    assert_eq!(door.find_machines(None, &Tags::new().with("c", "shop")).await.unwrap()[0].id, machine.id);
    bed.sim
        .machine_incident(machine.id.as_str(), &metal_sim::MachineIncident { vanish: true, ..Default::default() })
        .unwrap();
    assert_eq!(door.machine_now(&machine.id).await.unwrap(), None);
    assert!(!door.last().unwrap().machines.contains_key(&machine.id));
    assert!(door.network_now(&network).await.unwrap().is_some() && door.ip_now(ip.address).await.unwrap().is_some());
}

#[tokio::test]
async fn r16_another_project_is_refused_before_anything_is_sent() {
    let bed = Bed::new().await;
    let error = bed.door().allocate_ip(&ip_request(TWO, &[])).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Denied);
    assert!(bed.calls().is_empty());
}

#[tokio::test]
async fn an_address_is_changed_from_what_it_is_now_and_only_where_that_changes_something() {
    let bed = Bed::new().await;
    let door = bed.door();
    let ip = door.allocate_ip(&ip_request(ONE, &["a=1"])).await.unwrap();
    let add = |ip: &model::metal::Ip| Some(ip.tags.clone().with("b", "2"));
    bed.calls();
    bed.fault(
        json!([{"method": "POST", "path": "*/v1/ip", "times": 2, "effect": {"status": 409, "message": "Conflict x"}}]),
    );
    let changed = door.update_ip(ip.address, Some(IpKind::Static), add).await.unwrap();
    assert_eq!((changed.kind, changed.tags.to_strings()), (IpKind::Static, vec!["a=1".to_owned(), "b=2".to_owned()]));
    assert_eq!(bed.calls(), ["POST ip/find", "POST ip"].repeat(3));
    let same = door.update_ip(ip.address, Some(IpKind::Static), add).await.unwrap();
    assert_eq!((same, bed.calls()), (changed, vec!["POST ip/find".to_owned()]), "I4");
    bed.fault(json!([{"path": "*/v1/ip", "effect": {"status": 409, "message": "Conflict x"}}]));
    let error = door.update_ip(ip.address, None, |_| Some(Tags::new())).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Conflict);
    let error = door.update_ip(super::samples::address(99), None, |_| None).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Refused);
}

#[tokio::test]
async fn only_so_many_writes_are_under_way_at_once() {
    let bed = Bed::with(Settings { writes_per_project: 2, ..Settings::default() }).await;
    let door = bed.door();
    bed.fault(json!([{"path": "*/ip/allocate", "times": 2, "effect": "hang"}]));
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let door = Arc::clone(&door);
            tokio::spawn(async move { door.allocate_ip(&ip_request(ONE, &[])).await.map(|ip| ip.address) })
        })
        .collect();
    while bed.sim.calls().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!((door.writes().available_permits(), bed.sim.calls().len()), (0, 2));
    for task in &tasks[..2] {
        task.abort();
    }
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.is_ok(), n == 2, "the third had its turn after the others");
    }
}
