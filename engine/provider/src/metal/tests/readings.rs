//! One reading for all.

use super::{Bed, ONE, TWO, id, ip_request, machine_request};
use crate::metal::{FailureClass, OpenError, ProjectMap, Settings};
use model::Tags;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const LISTS: [&str; 6] = [
    "GET partition",
    "GET project/00000000-0000-0000-0000-000000000001",
    "POST ip/find",
    "POST machine/find",
    "POST network/find",
    "POST network/find",
];

fn sorted(mut calls: Vec<String>) -> Vec<String> {
    calls.sort();
    calls
}

#[tokio::test]
async fn everybody_is_served_from_one_list_per_kind_and_interval() {
    let bed = Bed::new().await;
    let door = bed.door();
    let many = (0..50).map(|_| {
        let door = Arc::clone(&door);
        tokio::spawn(async move { door.reading().await.unwrap().round })
    });
    let mut rounds = BTreeSet::new();
    for reading in many.collect::<Vec<_>>() {
        rounds.insert(reading.await.unwrap());
    }
    assert_eq!((rounds.len(), sorted(bed.calls())), (1, LISTS.map(str::to_owned).to_vec()));
    bed.pass(59);
    let first = door.reading().await.unwrap();
    assert!(bed.calls().is_empty());
    bed.pass(1);
    let second = door.reading().await.unwrap();
    assert_eq!(sorted(bed.calls()), LISTS);
    assert!(second.round > first.round && second.read_at > first.read_at);
}

#[tokio::test]
async fn what_all_projects_share_is_read_once_per_credential() {
    let bed = Bed::new().await;
    let one = bed.door().reading().await.unwrap();
    bed.calls();
    let two = bed.door_of(TWO).reading().await.unwrap();
    let calls = bed.calls();
    assert!(calls.len() == 4 && !calls.contains(&"GET partition".to_owned()), "{calls:?}");
    assert!(two.round > one.round, "a number never comes twice");
    assert!(Arc::ptr_eq(&one.shared_networks, &two.shared_networks));
    assert!(two.network(&id("internet")).is_some() && two.super_network(&id("muc-a")).is_some());
}

#[tokio::test]
async fn who_waits_for_a_machine_gets_the_next_list_sooner_and_still_one() {
    let bed = Bed::new().await;
    let door = bed.door();
    door.reading().await.unwrap();
    bed.calls();
    for _ in 0..20 {
        door.hasten();
    }
    bed.pass(4);
    door.reading().await.unwrap();
    assert!(bed.calls().is_empty());
    bed.pass(1);
    for _ in 0..20 {
        door.reading().await.unwrap();
    }
    assert_eq!(bed.calls().len(), 4, "partitions and shared networks are not what anybody waits for");
    bed.pass(5);
    door.reading().await.unwrap();
    assert!(bed.calls().is_empty(), "asked for once, hastened once");
}

#[tokio::test]
async fn a_view_has_what_the_project_has_by_tag() {
    let bed = Bed::new().await;
    let (one, two) = (bed.door(), bed.door_of(TWO));
    let network = bed.network(&one, &["c=shop"]).await;
    let machine = one.allocate_machine(&machine_request(ONE, &network, &["c=shop"])).await.unwrap();
    let ip = one.allocate_ip(&ip_request(ONE, &["c=shop", "p=vip"])).await.unwrap();
    two.allocate_ip(&ip_request(TWO, &["c=shop"])).await.unwrap();
    let view = one.reading().await.unwrap();
    let (shop, vip) = (Tags::new().with("c", "shop"), Tags::new().with("c", "shop").with("p", "vip"));
    assert_eq!(view.machines_with(None, &shop).map(|m| &m.id).collect::<Vec<_>>(), [&machine.id]);
    let of_role = |role| view.machines_with(Some(role), &shop).count();
    assert_eq!((of_role(machine.role), of_role(model::metal::MachineRole::Firewall)), (1, 0));
    assert_eq!(view.ips_with(&vip).map(|ip| ip.address).collect::<Vec<_>>(), [ip.address]);
    assert_eq!(
        view.ips_with(&shop).count(),
        1,
        "the machine's own address has no such tag, the other project's is not here"
    );
    assert_eq!(view.networks_with(&shop).map(|n| &n.id).collect::<Vec<_>>(), [&network]);
}

#[tokio::test]
async fn a_failure_keeps_what_was_read_and_is_not_repeated_at_once() {
    let bed = Bed::new().await;
    let door = bed.door();
    let read = door.reading().await.unwrap();
    bed.pass(60);
    bed.calls();
    bed.fault(json!([{"path": "*/machine/find", "effect": {"status": 404, "message": "404: Page Not Found"}}]));
    let failure = door.reading().await.unwrap_err();
    assert_eq!(failure.class(), FailureClass::Refused);
    assert_eq!(failure.stale.unwrap().round, read.round);
    assert_eq!((failure.since, failure.retry_after.as_secs()), (bed.clock_now(), 3));
    bed.calls();
    bed.pass(2);
    let again = door.reading().await.unwrap_err();
    assert_eq!((again.since, again.retry_after.as_secs()), (failure.since, 1));
    assert!(bed.calls().is_empty());
    bed.pass(1);
    assert_eq!(door.reading().await.unwrap_err().since, failure.since);
    assert!(!bed.calls().is_empty());
    bed.fault(json!([]));
    bed.pass(6);
    assert!(door.reading().await.unwrap().round > read.round);
}

#[tokio::test]
async fn i6_a_hung_list_holds_up_one_caller() {
    let bed = Bed::new().await;
    let door = bed.door();
    let read = door.reading().await.unwrap();
    bed.pass(60);
    bed.calls();
    bed.fault(json!([{"path": "*/machine/find", "effect": "hang"}]));
    let hung = tokio::spawn({
        let door = Arc::clone(&door);
        async move { door.reading().await.map(|view| view.round) }
    });
    while !bed.sim.calls().iter().any(|call| call.path.ends_with("machine/find")) {
        tokio::task::yield_now().await;
    }
    assert_eq!(door.reading().await.unwrap().round, read.round, "what was there serves meanwhile");
    hung.abort();
}

#[tokio::test]
async fn r15_missing_at_once_is_suspect_until_it_is_there_again() {
    let bed = Bed::new().await;
    let door = bed.door();
    bed.known.lock().unwrap().ips = (1..5).map(super::samples::address).collect();
    let view = door.reading().await.unwrap();
    assert_eq!(view.suspect.as_ref().map(|suspect| (suspect.missing, suspect.of)), Some((4, 4)));
    bed.known.lock().unwrap().ips.clear();
    bed.pass(60);
    assert_eq!(door.reading().await.unwrap().suspect, None);
}

#[tokio::test]
async fn r15_an_unknown_project_is_suspect_and_has_nothing() {
    let bed = Bed::new().await;
    let view = bed.door_of("00000000-0000-0000-0000-0000000000ff").reading().await.unwrap();
    let words = "metal-api does not know the project 00000000-0000-0000-0000-0000000000ff";
    assert_eq!(view.suspect.as_ref().unwrap().why, words);
}

#[tokio::test]
async fn r16_the_map_keeps_namespaces_out_of_projects() {
    let map = ProjectMap::parse(&format!("namespaces: {{tenant: [{ONE}]}}"), Path::new("map.yaml")).unwrap();
    let bed = Bed::with(Settings { map: Some(map), ..Settings::default() }).await;
    assert!(bed.doors.open_default("tenant", &id(ONE)).is_ok());
    for (namespace, project) in [("tenant", TWO), ("other", ONE)] {
        let error = bed.doors.open_default(namespace, &id(project)).unwrap_err();
        assert!(matches!(&error, OpenError::NotAllowed { .. }) && error.to_string().contains(namespace), "{error}");
    }
    assert!(bed.calls().is_empty());
}
