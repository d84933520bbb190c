//! Frees against a metal-api that is a map: what is read decides, and nothing is freed that is not what was meant.

mod world;

use crate::{Calls, Executor, Gate};
use model::metal::IpKind;
use model::request::{Done, Free, FreeOutcome, FreeReason, Target};
use model::{Attempt, FleetName, Slot, Tags, tags};
use plan::Plan;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use world::*;

struct Claim(AtomicBool);

impl Gate for Claim {
    fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn executor(world: &Arc<World>, is_open: bool) -> Executor<World> {
    Executor {
        metal: Arc::clone(world),
        gate: Arc::new(Claim(AtomicBool::new(is_open))),
        fleet: FleetName::parse("example").unwrap(),
        attempt: Attempt::parse(Attempt::EXAMPLE).unwrap(),
        calls: Calls::default().guard(),
    }
}

fn free(slot: Slot, target: Target) -> Free {
    Free { cluster: "default.shop".parse().unwrap(), slot, project: project(), target, why: FreeReason::Deletion }
}

/// What becomes of frees in a world, and the writes that metal-api saw.
async fn freed(world: World, frees: Vec<Free>) -> (Vec<FreeOutcome>, Vec<String>) {
    let world = Arc::new(world);
    let (plan, mut done) = (Plan { frees, ..Plan::default() }, Done::default());
    executor(&world, true).free(&plan, &mut done).await;
    (done.frees.into_iter().map(|(_, outcome)| outcome).collect(), world.writes())
}

fn word(outcome: &FreeOutcome) -> &'static str {
    match outcome {
        FreeOutcome::Freed => "freed",
        FreeOutcome::Gone => "gone",
        FreeOutcome::NotYet { .. } => "not yet",
        FreeOutcome::Changed { .. } => "changed",
        FreeOutcome::Failed { .. } => "failed",
    }
}

#[tokio::test]
async fn what_is_as_it_was_read_is_freed() {
    for (slot, target, call) in [
        (Slot::Network, network_target("n1"), "free network n1"),
        (Slot::Vip, ip_target("198.18.0.1", "a1"), "free ip 198.18.0.1"),
        (Slot::Firewall(2), machine_target(1, "m1"), "free machine 00000000-0000-4000-8000-000000000001"),
    ] {
        let world = World::default()
            .network("n1", marked("default.shop", &Slot::Network))
            .ip("198.18.0.1", "a1", IpKind::Static, marked("default.shop", &Slot::Vip))
            .machine(1, "m1", marked("default.shop", &Slot::Firewall(2)));
        let (outcomes, writes) = freed(world, vec![free(slot, target)]).await;
        assert_eq!((outcomes, writes), (vec![FreeOutcome::Freed], vec![call.to_owned()]));
    }
}

#[tokio::test]
async fn what_is_not_there_is_gone_without_a_call() {
    let targets = [network_target("n1"), ip_target("198.18.0.1", "a1"), machine_target(1, "m1")];
    for (slot, target) in [Slot::Network, Slot::Vip, Slot::Firewall(1)].into_iter().zip(targets) {
        let (outcomes, writes) = freed(World::default(), vec![free(slot, target)]).await;
        assert_eq!((outcomes, writes), (vec![FreeOutcome::Gone], vec![]));
    }
}

#[tokio::test]
async fn i2_i12_what_is_somebody_elses_by_now_is_not_freed() {
    let own = || marked("default.shop", &Slot::Vip);
    for (case, allocation, found) in [
        ("allocated again", "a2", own()),
        ("of another cluster", "a1", marked("default.shop2", &Slot::Vip)),
        ("of another slot", "a1", marked("default.shop", &Slot::Network).with(tags::CLUSTER_RESOURCE, "default.shop")),
        ("of another fleet", "a1", own().with(tags::FLEET, "other")),
        ("the provider's", "a1", own().with(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER)),
        ("without mark", "a1", own().without(|key, _| key == tags::SLOT)),
        ("without tags", "a1", Tags::new()),
    ] {
        let world = World::default().ip("198.18.0.1", allocation, IpKind::Static, found);
        let (outcomes, writes) = freed(world, vec![free(Slot::Vip, ip_target("198.18.0.1", "a1"))]).await;
        assert_eq!((word(&outcomes[0]), writes), ("changed", vec![]), "{case}");
    }
    let old = World::default().machine(1, "m2", marked("default.shop", &Slot::Firewall(1)));
    let (outcomes, writes) = freed(old, vec![free(Slot::Firewall(1), machine_target(1, "m1"))]).await;
    assert_eq!((word(&outcomes[0]), writes), ("changed", vec![]));
}

#[tokio::test]
async fn r14_an_address_of_services_goes_only_where_nobody_else_needs_it() {
    let service = |cluster: &str| format!("{}={cluster}/web/front", tags::SERVICE);
    let of = |strings: &[String]| Tags::from_address_strings(strings);
    let (own, other) = (service("default.shop"), service("default.shop2"));
    for (case, kind, found, outcome, write) in [
        ("its own", IpKind::Ephemeral, of(std::slice::from_ref(&own)), "freed", Some("free ip 198.18.0.9".to_owned())),
        (
            "a static one",
            IpKind::Static,
            of(std::slice::from_ref(&own)),
            "freed",
            Some("tag ip 198.18.0.9: ".to_owned()),
        ),
        (
            "shared with another cluster",
            IpKind::Ephemeral,
            of(&[own.clone(), other.clone()]),
            "freed",
            Some(format!("tag ip 198.18.0.9: {other}")),
        ),
        (
            "with a tag of a person",
            IpKind::Ephemeral,
            of(&[own.clone(), "mine=yes".to_owned()]),
            "freed",
            Some("tag ip 198.18.0.9: mine=yes".to_owned()),
        ),
        ("of a cluster whose name only begins so", IpKind::Ephemeral, of(&[other]), "changed", None),
    ] {
        let world = World::default().ip("198.18.0.9", "a1", kind, found);
        let target = Target::Service { address: "198.18.0.9".parse().unwrap(), allocation: allocation("a1") };
        let (outcomes, writes) = freed(world, vec![free(Slot::Vip, target)]).await;
        assert_eq!((word(&outcomes[0]), writes), (outcome, Vec::from_iter(write)), "{case}");
    }
    let again = World::default().ip("198.18.0.9", "a2", IpKind::Ephemeral, of(&[own]));
    let target = Target::Service { address: "198.18.0.9".parse().unwrap(), allocation: allocation("a1") };
    assert_eq!(word(&freed(again, vec![free(Slot::Vip, target)]).await.0[0]), "changed");
}

#[tokio::test]
async fn what_metal_api_refuses_or_does_not_answer_is_told_apart() {
    for (fault, expected) in [
        (Fault::InUse, "not yet"),
        (Fault::Conflict, "not yet"),
        (Fault::Locked, "failed"),
        (Fault::Lost, "failed"),
        (Fault::NotFound, "gone"),
    ] {
        let world = World::default().network("n1", marked("default.shop", &Slot::Network)).with_fault("n1", fault);
        let (outcomes, _) = freed(world, vec![free(Slot::Network, network_target("n1"))]).await;
        assert_eq!(word(&outcomes[0]), expected, "{fault:?}");
    }
}

/// Two networks, of which the first cannot go.
fn stuck() -> World {
    World::default()
        .network("n1", marked("default.shop", &Slot::Network))
        .network("n2", marked("default.shop", &Slot::Network))
        .ip("198.18.0.1", "a1", IpKind::Static, marked("default.shop", &Slot::Vip))
        .with_fault("n1", Fault::Lost)
}

#[tokio::test]
async fn a_free_is_not_repeated_within_a_run() {
    let world = Arc::new(stuck());
    let plan = Plan { frees: vec![free(Slot::Network, network_target("n1"))], ..Plan::default() };
    let (executor, mut done) = (executor(&world, true), Done::default());
    executor.free(&plan, &mut done).await;
    executor.free(&plan, &mut done).await;
    assert_eq!((done.frees.len(), world.writes().len()), (1, 1));
}

#[tokio::test]
async fn r25_other_slots_of_a_deletion_wait_behind_what_did_not_go() {
    let mut other = free(Slot::Vip, ip_target("198.18.0.1", "a1"));
    let frees = vec![
        free(Slot::Network, network_target("n1")),
        free(Slot::Network, network_target("n2")),
        free(Slot::Vip, ip_target("198.18.0.1", "a1")),
    ];
    let (outcomes, writes) = freed(stuck(), frees).await;
    assert_eq!(outcomes.iter().map(word).collect::<Vec<_>>(), ["failed", "freed"]);
    assert_eq!(writes, ["free network n1", "free network n2"]);

    // A duplicate, and another cluster, have nothing to do with it.
    other.why = FreeReason::Duplicate { of: "198.18.0.2".to_owned() };
    let (outcomes, _) = freed(stuck(), vec![free(Slot::Network, network_target("n1")), other]).await;
    assert_eq!(outcomes.iter().map(word).collect::<Vec<_>>(), ["failed", "freed"]);
}

#[tokio::test]
async fn without_the_claim_nothing_is_freed() {
    let world = Arc::new(World::default().network("n1", marked("default.shop", &Slot::Network)));
    let plan = Plan { frees: vec![free(Slot::Network, network_target("n1"))], ..Plan::default() };
    let mut done = Done::default();
    executor(&world, false).free(&plan, &mut done).await;
    assert_eq!((done.frees.len(), world.writes()), (0, vec![]));
}
