use super::*;
use crate::kit::{Branch, SHOP, id};
use model::metal::{MachineRole, MachineState};
use model::request::{Free, Request, Target};
use model::{Allocation, Attempt, FleetName, MachineId, NetworkId, ProjectId, tags};

const NOW: i64 = 1_760_000_000;

fn at(age: i64) -> Timestamp {
    Timestamp::from_second(NOW - age).unwrap()
}

fn firewall(generation: u32, phoned_home: bool, age: i64) -> Machine {
    let attempt = Attempt::parse("00000000-0000-4000-8000-00000000000a").unwrap();
    let fleet = FleetName::parse("example").unwrap();
    Machine {
        id: MachineId::parse(&format!("10000000-0000-4000-8000-00000000000{generation}")).unwrap(),
        allocation: Allocation::parse("a").unwrap(),
        project: ProjectId::parse(ProjectId::EXAMPLE).unwrap(),
        partition: model::PartitionId::parse("muc-a").unwrap(),
        size: model::SizeId::parse("n1-medium-x86").unwrap(),
        image: model::ImageId::parse("firewall-ubuntu-3.0.20251101").unwrap(),
        role: MachineRole::Firewall,
        hostname: String::new(),
        rack: String::new(),
        state: MachineState::Available,
        state_description: String::new(),
        tags: tags::allocation_tags(&id(SHOP), &fleet, &Slot::Firewall(generation), &attempt),
        created: Some(at(age)),
        networks: Vec::new(),
        alive: false,
        crash_loop: false,
        failed_reclaim: false,
        phoned_home,
        asn: None,
        last_event: None,
    }
}

fn coming(firewalls: Vec<Machine>, plan: &Plan) -> Coming {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    let mut have = Have { server_time: Some(at(0)), ..Have::default() };
    have.projects.entry(ProjectId::parse(ProjectId::EXAMPLE).unwrap()).or_default().firewalls = firewalls;
    Coming::of(&branch.view().want, &have, plan, Timestamp::UNIX_EPOCH)
}

#[test]
fn only_a_firewall_that_may_come_is_waited_for_by_seconds() {
    let (nothing, waits) = (Coming::default(), Coming { any: true, replaces: false });
    let replaces = Coming { any: true, replaces: true };
    let none = Plan::default();
    for (what, firewalls, expected) in [
        ("a healthy one", vec![firewall(1, true, 9000)], nothing),
        ("one that is dead", vec![firewall(1, true, 60)], nothing),
        ("the first one comes", vec![firewall(1, false, 60)], waits),
        ("it never came", vec![firewall(1, false, 1801)], nothing),
        ("the next one comes", vec![firewall(1, true, 9000), firewall(2, false, 1800)], replaces),
        ("the next one never came", vec![firewall(1, true, 9000), firewall(2, false, 1801)], nothing),
    ] {
        assert_eq!(coming(firewalls, &none), expected, "{what}");
    }
    let mut theirs = firewall(2, false, 60);
    theirs.tags = theirs.tags.with(tags::FLEET, "other");
    assert_eq!(coming(vec![theirs], &none), nothing);
}

#[test]
fn r5_one_that_is_to_go_is_gone_within_seconds() {
    let (network, project) = (NetworkId::parse("x").unwrap(), ProjectId::parse(ProjectId::EXAMPLE).unwrap());
    let free = |why| Free {
        cluster: id(SHOP),
        slot: Slot::Network,
        project: project.clone(),
        target: Target::Network(network.clone()),
        why,
    };
    let of = |why| coming(Vec::new(), &Plan { frees: vec![free(why)], ..Plan::default() }).replaces;
    assert!(of(FreeReason::Replaced { by: "x".to_owned() }));
    assert!(!of(FreeReason::Deletion));
}

/// A cluster whose firewall serves and whose next one is to be allocated.
fn plan_of(more: Option<Step>) -> Plan {
    let request = model::metal::IpRequest {
        project: ProjectId::parse(ProjectId::EXAMPLE).unwrap(),
        network: NetworkId::parse("internet").unwrap(),
        address: None,
        family: model::AddressFamily::V4,
        kind: model::metal::IpKind::Static,
        name: String::new(),
        description: String::new(),
        tags: model::Tags::new(),
    };
    let request = Box::new(Request::Ip(request));
    let mut steps = vec![Step::Keep { slot: Slot::Firewall(1) }, Step::Allocate { slot: Slot::Firewall(2), request }];
    steps.extend(more);
    let cluster = ClusterPlan {
        project: ProjectId::parse(ProjectId::EXAMPLE).unwrap(),
        steps,
        blocked: None,
        notes: Vec::new(),
        lost: Vec::new(),
        drops_successor: false,
        frees: Vec::new(),
    };
    Plan { clusters: BTreeMap::from([(id(SHOP), cluster)]), ..Plan::default() }
}

#[tokio::test(start_paused = true)]
async fn i4_a_refused_firewall_is_tried_at_a_pace_of_its_own() {
    let mut refusals = Refusals::default();
    let longest = Duration::from_secs(300);
    let mut tried = Vec::new();
    let began = Instant::now();
    // Something else makes a pass each second.
    for _ in 0..1200 {
        let mut plan = plan_of(None);
        refusals.postpone(&mut plan);
        if plan.writes_metal() {
            tried.push(began.elapsed().as_secs());
            refusals.refused(&id(SHOP), Reason::NoMachineAvailable, "none is free", longest);
            assert!(refusals.due().is_some_and(|due| due <= longest));
        } else {
            let note = &plan.clusters[&id(SHOP)].notes[0];
            assert!(note.message.contains("none is free"), "{}", note.message);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(tried, [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111]);
    refusals.filled(&id(SHOP));
    assert_eq!(refusals.due(), None);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_forgotten_with_its_wish_and_holds_up_no_other_slot() {
    let mut refusals = Refusals::default();
    refusals.refused(&id(SHOP), Reason::NoMachineAvailable, "none is free", Duration::from_secs(300));
    let Step::Allocate { request, .. } = plan_of(None).clusters[&id(SHOP)].steps[1].clone() else { unreachable!() };
    let mut plan = plan_of(Some(Step::Allocate { slot: Slot::Vip, request }));
    refusals.postpone(&mut plan);
    assert_eq!(plan.allocations().count(), 2);
    refusals.postpone(&mut Plan::default());
    assert_eq!(refusals.due(), None);
}
