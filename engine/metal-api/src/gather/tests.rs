use super::*;
use crate::stub::{Answer, Driven, Seen, Stub};
use model::Clock;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

fn project(n: u8) -> ProjectId {
    ProjectId::parse(&format!("00000000-0000-0000-0000-00000000000{n}")).unwrap()
}

/// A small metal-api: whatever project is asked for has one of each.
fn landscape(seen: &Seen) -> Answer {
    let asked = seen.json();
    let of = asked["projectid"].as_str().or(asked["allocation_project"].as_str()).unwrap_or_default().to_owned();
    let machine = |id: u8, role: &str| {
        json!({"id": format!("00000000-0000-0000-0000-0000000000f{id}"), "partition": {"id": "muc-a"},
               "size": {"id": "n1-medium-x86"}, "tags": [], "liveliness": "Alive",
               "allocation": {"project": of, "role": role, "image": {"id": "img-1.0"}, "allocationuuid": "u"}})
    };
    let body = match seen.path.trim_start_matches("/metal/v1/") {
        "network/find" if of.is_empty() => json!([{"id": "internet"}, {"id": "super", "privatesuper": true}]),
        "network/find" => json!([{"id": "z", "projectid": of}, {"id": "a", "projectid": of}]),
        "ip/find" => json!([{"ipaddress": "198.18.0.1", "networkid": "internet", "projectid": of, "type": "static"}]),
        "machine/find" => json!([machine(2, "firewall"), machine(1, "machine"), {"id": "free"}]),
        "partition/capacity" => {
            json!([{"id": "muc-a", "servers": [{"size": "n1-medium-x86", "total": 3, "free": 2}]}])
        }
        "image" | "size" | "partition" => json!([{"id": "some-1.0"}]),
        path => json!({"meta": {"id": path.trim_start_matches("project/")}}),
    };
    Answer::Plain(200, body.to_string())
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn each_project_and_kind_is_read_once() {
    let stub = Stub::start(|seen, _| landscape(seen)).await;
    let have = gather(&stub.client(), &[project(2), project(1)], now(), GATHER_DEADLINE).await;
    assert_eq!(have.gaps, []);
    assert!(have.complete_for(&project(1)) && have.complete_for(&project(2)));
    let one = &have.projects[&project(1)];
    assert_eq!(one.networks.iter().map(|n| n.id.as_str()).collect::<Vec<_>>(), ["a", "z"], "in order");
    assert_eq!((one.ips.len(), one.firewalls.len(), one.machines.len()), (1, 1, 1));
    assert_eq!((have.shared_networks.len(), have.images.len(), have.sizes.len(), have.partitions.len()), (2, 1, 1, 1));
    let free = one.capacity.iter().flatten().map(|c| (c.partition.as_str(), c.size.as_str(), c.free));
    assert_eq!(free.collect::<Vec<_>>(), [("muc-a", "n1-medium-x86", 2)]);
    assert!(have.server_time.is_some());
    let asked = || stub.seen().into_iter().map(|seen| (seen.line(), seen.body.to_vec()));
    assert_eq!(asked().count(), 4 + 2 * 5);
    assert_eq!(asked().collect::<BTreeSet<_>>().len(), 4 + 2 * 5, "nothing twice");
}

#[tokio::test]
async fn i6_what_hangs_or_refuses_is_a_gap_of_its_project_alone() {
    let hung = project(2).to_string();
    let stub = Stub::start(move |seen, _| {
        let about = |value: &Value| value.as_str() == Some(hung.as_str());
        let asked = seen.json();
        if about(&asked["allocation_project"]) {
            return Answer::Hang;
        }
        if about(&asked["projectid"]) && seen.path.ends_with("ip/find") {
            return Answer::Plain(403, "\"tenant  not allowed\"".into());
        }
        if seen.path.ends_with(&hung) {
            let unknown = crate::wire::HttpError { statuscode: 404, message: "NotFound no project".into() };
            return Answer::Plain(404, serde_json::to_string(&unknown).unwrap());
        }
        landscape(seen)
    })
    .await;
    let deadline = Duration::from_secs(1);
    let have = gather(&stub.client(), &[project(1), project(2)], now(), deadline).await;
    assert!(have.complete_for(&project(1)), "{:?}", have.gaps);
    assert!(!have.complete_for(&project(2)));
    let gaps: Vec<_> = have.gaps.iter().map(|g| (g.project.clone(), g.kind, g.why)).collect();
    let of = |kind, why| (Some(project(2)), kind, why);
    assert_eq!(
        gaps,
        [of("ips", GapReason::Denied), of("machines", GapReason::Unreachable), of("project", GapReason::Unknown)]
    );
    assert_eq!(have.projects[&project(2)].networks.len(), 2, "what answered is there");
}

#[tokio::test]
async fn a_gap_of_what_is_shared_is_everybodys() {
    let stub = Stub::start(|seen, _| match seen.path.ends_with("/image") {
        true => Answer::Plain(422, "\"{\\\"message\\\":\\\"database\\\"}\"".into()),
        false => landscape(seen),
    })
    .await;
    let have = gather(&stub.client(), &[project(1)], now(), GATHER_DEADLINE).await;
    assert!(!have.complete_for(&project(1)));
    assert_eq!((have.gaps[0].kind, have.gaps[0].why), ("images", GapReason::Failed));
    assert!(have.gaps[0].message.contains("database"));
}

#[tokio::test]
async fn unread_capacity_is_a_gap_that_stops_nothing() {
    let stub = Stub::start(|seen, _| match seen.path.ends_with("partition/capacity") {
        true => Answer::Plain(422, "\"{\\\"message\\\":\\\"database\\\"}\"".into()),
        false => landscape(seen),
    })
    .await;
    let have = gather(&stub.client(), &[project(1)], now(), GATHER_DEADLINE).await;
    assert!(have.complete_for(&project(1)));
    assert_eq!(have.projects[&project(1)].capacity, None);
    assert_eq!(have.gaps.iter().map(|gap| gap.kind).collect::<Vec<_>>(), [Gap::CAPACITY]);
}

#[tokio::test]
async fn i4_one_gather_per_interval_for_everybody() {
    let stub = Stub::start(|seen, _| landscape(seen)).await;
    let (metal, clock) = (stub.client(), Arc::new(Driven::default()));
    let interval = Duration::from_secs(300);
    let cache = HaveCache::new(interval, GATHER_DEADLINE, Arc::clone(&clock) as Arc<dyn Clock>);
    let (one, both) = (BTreeSet::from([project(1)]), BTreeSet::from([project(1), project(2)]));
    let calls = || stub.seen().len();

    assert!(cache.is_due(&both).await);
    let (first, same) = futures::join!(cache.have(&metal, &both), cache.have(&metal, &both));
    assert!(Arc::ptr_eq(&first, &same));
    clock.advance(interval - Duration::from_secs(1));
    assert!(Arc::ptr_eq(&first, &cache.have(&metal, &one).await), "a part of what was read");
    assert_eq!((calls(), cache.is_due(&both).await), (14, false));

    clock.advance(Duration::from_secs(1));
    assert!(cache.is_due(&both).await);
    let second = cache.have(&metal, &one).await;
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(calls(), 14 + 9);

    assert!(cache.is_due(&both).await, "a project more");
    cache.invalidate();
    assert!(cache.is_due(&one).await);
    cache.have(&metal, &one).await;
    assert_eq!((calls(), cache.is_due(&one).await), (23 + 9, false));
}
