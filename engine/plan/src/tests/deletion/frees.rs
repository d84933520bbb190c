//! The last phase: what goes, in which order, and what never does.

use super::super::samples::*;
use super::bed::*;
use crate::Next;
use model::lock::{DeletionPhase, Ending, Successor};
use model::metal::{HaveProject, IpKind, MachineState};
use model::request::{FreeOutcome, FreeReason, Target};
use model::{Origin, Reason, Slot, Tags, tags};
use std::sync::Arc;

const FIREWALL: &str = "firewall.1 00000000-0000-4000-8000-000000000001";

fn freeing() -> Bed {
    Bed::new(DeletionPhase::Freeing)
}

/// Without its firewall, as after the first stage.
fn unguarded() -> Bed {
    let mut bed = freeing();
    project(&mut bed.have).firewalls.clear();
    bed.values().firewall = None;
    bed
}

#[test]
fn r25_one_kind_after_the_other_and_each_is_seen_gone_first() {
    let mut bed = freeing().egress("198.18.0.2").service("198.18.0.9", IpKind::Ephemeral, "default.shop");
    let mut order = Vec::new();
    while let Ending::Lock { lock, .. } = {
        let plan = bed.plan();
        assert!(plan.frees.iter().all(|free| free.why == FreeReason::Deletion));
        order.push(bed.frees().join(", "));
        assert!(order.len() < 9, "{order:?}");
        let gone: Vec<_> = plan.frees.iter().map(|free| free.target.to_string()).collect();
        let ending = bed.ending(vec![FreeOutcome::Freed; gone.len()]);
        let had = project(&mut bed.have);
        had.networks.retain(|network| !gone.contains(&network.id.to_string()));
        had.ips.retain(|ip| !gone.contains(&ip.address.to_string()));
        had.firewalls.retain(|machine| !gone.contains(&machine.id.to_string()));
        ending
    } {
        bed.orphan().lock = Arc::new(*lock);
    }
    assert_eq!(
        order,
        [FIREWALL, "vip 198.18.0.9", "egress.internet 198.18.0.2", "vip 198.18.0.1", "network n1"],
        "with each commit one kind less"
    );
}

#[test]
fn i2_what_was_adopted_delegated_or_given_is_never_freed_whatever_its_tags_say() {
    for origin in [Origin::Adopted, Origin::Delegated, Origin::Spec] {
        let bed = freeing().network_of(origin).vip_of(origin).firewall_of(origin);
        let one = bed.one();
        let stays_in_the_network = origin == Origin::Delegated;
        assert_eq!(bed.plan().frees, [], "{origin:?}");
        if stays_in_the_network {
            // The provider has not freed its firewall yet: it may not have freed its network either.
            assert_eq!(one.next, Next::Wait);
            continue;
        }
        assert_eq!((one.next, one.ends), (Next::End, true), "{origin:?}: {:?}", one.waits);
        assert_eq!(bed.ending(vec![]), Ending::Nothing);
    }
    let mixed = unguarded().network_of(Origin::Adopted);
    assert_eq!(mixed.frees(), ["vip 198.18.0.1"]);
    assert_eq!(mixed.ending(vec![FreeOutcome::Freed]), Ending::Nothing);
}

#[test]
fn i2_every_generation_and_every_duplicate_goes_too() {
    let mut bed = freeing();
    let had = project(&mut bed.have);
    had.firewalls.push(firewall(2, "default.shop", 2, 100));
    had.firewalls.push(firewall(3, "default.shop", 2, 9_000));
    had.networks.push(network("n2", "default.shop", 9_000));
    had.ips.push(vip("198.18.0.2", "default.shop", 9_000));
    let expected = [
        FIREWALL,
        "firewall.2 00000000-0000-4000-8000-000000000002",
        "firewall.2 00000000-0000-4000-8000-000000000003",
    ];
    let mut frees = bed.frees();
    frees.sort();
    assert_eq!(frees, expected);
    project(&mut bed.have).firewalls.clear();
    assert_eq!(bed.frees()[1..], ["vip 198.18.0.1", "vip 198.18.0.2"], "the firewall is looked for by its id");
    bed.values().firewall = None;
    project(&mut bed.have).ips.clear();
    bed.values().vip = None;
    let mut frees = bed.frees();
    frees.sort();
    assert_eq!(frees, ["network n1", "network n2"]);
    assert!(matches!(bed.ending(vec![FreeOutcome::Freed]), Ending::Lock { .. }), "one is left");
    assert_eq!(bed.ending(vec![FreeOutcome::Freed; 2]), Ending::Nothing);
}

#[test]
fn what_a_run_freed_and_could_not_commit_leaves_the_lock_when_its_id_is_not_found() {
    let mut bed = freeing();
    project(&mut bed.have).firewalls.clear();
    assert_eq!(bed.frees(), [FIREWALL, "vip 198.18.0.1"]);
    let Ending::Lock { lock, .. } = bed.ending(vec![FreeOutcome::Gone]) else { panic!("there is more") };
    assert_eq!(lock.values.firewall, None);
    assert!(lock.values.vip.is_some() && lock.values.node_network.is_some());
}

#[test]
fn what_was_allocated_again_leaves_the_lock_and_is_not_freed() {
    let mut bed = freeing();
    let had = project(&mut bed.have);
    had.firewalls[0].tags = Tags::new();
    had.firewalls[0].allocation = model::Allocation::parse("other").unwrap();
    had.firewalls[0].networks.clear();
    let one = bed.one();
    assert_eq!((one.gone, one.refused), (vec![Slot::Firewall(1)], None));
    assert_eq!(bed.frees(), ["vip 198.18.0.1"]);
    let Ending::Lock { lock, .. } = bed.ending(vec![]) else { panic!("there is more") };
    assert_eq!(lock.values.firewall, None);
}

#[test]
fn i12_what_lost_our_mark_is_refused_with_the_mend_and_holds_up_what_stands_behind_it() {
    let reallocate = |had: &mut HaveProject| had.firewalls.clear();
    type Change = fn(&mut HaveProject);
    let cases: [(&str, Change, &str); 5] = [
        ("no tags", |had| had.firewalls[0].tags = Tags::new(), "does not carry the fleet's mark any more"),
        (
            "another cluster",
            |had| had.firewalls[0].tags = marked("default.b", &Slot::Firewall(1)),
            "is tagged for `default.b`",
        ),
        (
            "another fleet",
            |had| had.firewalls[0].tags = marked("default.shop", &Slot::Firewall(1)).with(tags::FLEET, "other"),
            "carries the mark of engine `other` for firewall.1",
        ),
        ("a network", |had| had.networks[0].labels = Tags::new(), "network `n1` does not carry"),
        ("an address", |had| had.ips[0].tags = Tags::new(), "vip `198.18.0.1` does not carry"),
    ];
    for (case, change, words) in cases {
        let mut bed = freeing();
        let had = project(&mut bed.have);
        if matches!(case, "a network" | "an address") {
            reallocate(had);
            bed.values().firewall = None;
        }
        if case == "a network" {
            project(&mut bed.have).ips.clear();
            bed.values().vip = None;
        }
        change(project(&mut bed.have));
        bed.want.clusters.extend(want(&["default.b"]).clusters);
        let one = bed.one();
        let (reason, message) = one.refused.unwrap_or_else(|| panic!("{case}: {:?}", one.waits));
        assert_eq!(reason, Reason::Claimed, "{case}");
        assert!(message.contains(words) && message.contains("or free it by hand"), "{case}: {message}");
        let of_shop = bed.plan().frees.into_iter().filter(|free| free.cluster == shop()).count();
        assert_eq!((of_shop, one.ends), (0, false), "{case}");
    }
}

#[test]
fn i2_what_a_living_cluster_uses_is_not_freed() {
    let mut bed = unguarded();
    let mut other = want(&["default.b"]);
    lock(&mut other, "default.b", values("n9", "198.18.0.1", 9));
    bed.want.clusters = other.clusters;
    stock(&mut bed.have, "default.b", &values("n9", "198.18.0.99", 9));
    let (reason, message) = bed.one().refused.unwrap();
    assert_eq!(reason, Reason::Claimed);
    assert!(message.contains("named by cluster default.b"), "{message}");
    assert_eq!(bed.plan().frees, []);
}

#[test]
fn r25_waits_before_something_is_freed() {
    type Change = fn(&mut Bed);
    let cases: [(&str, Change, &str); 6] = [
        ("a new machine", |bed| *bed = freeing().machine("default.shop", "n1"), "machines of the cluster"),
        ("a foreign one", |bed| *bed = freeing().machine("default.b", "n1"), "(tagged for `default.b`)"),
        (
            "a locked firewall",
            |bed| {
                *bed = freeing();
                let firewall = &mut project(&mut bed.have).firewalls[0];
                (firewall.state, firewall.state_description) = (MachineState::Locked, "being looked at".to_owned());
            },
            "is locked (being looked at) and cannot be freed: metalctl machine unlock",
        ),
        (
            "an egress address of its firewall",
            |bed| {
                *bed = unguarded().egress("198.18.0.2");
                let ip = &mut project(&mut bed.have).ips[1];
                ip.tags = ip.tags.clone().with(tags::MACHINE_ID, machine_id(1));
            },
            "address 198.18.0.2 is still in use by machine",
        ),
        (
            "the VIP's time",
            |bed| *bed = unguarded().since(Some(NOW - 3_599)),
            "198.18.0.1 is kept until 1970-01-01T02:46:41Z",
        ),
        (
            "an adopted firewall in the network",
            |bed| {
                *bed = freeing().firewall_of(Origin::Adopted);
                project(&mut bed.have).ips.clear();
                bed.values().vip = None;
            },
            "machines stand in node network n1",
        ),
    ];
    for (case, change, words) in cases {
        let mut bed = freeing();
        change(&mut bed);
        let one = bed.one();
        assert!(one.waits.join(" ").contains(words), "{case}: {:?}", one.waits);
        assert_eq!((one.next, one.ends, one.refused), (Next::Wait, false, None), "{case}");
        assert_eq!(bed.plan().frees, [], "{case}");
        assert!(matches!(bed.ending(vec![]), Ending::Lock { .. }), "{case}");
    }
    let held = unguarded().since(Some(NOW - 3_600));
    assert_eq!(held.frees(), ["vip 198.18.0.1"], "its time is over");
}

#[test]
fn r14_addresses_of_services_are_told_by_the_slash_and_by_their_owner() {
    let service = |kind, cluster| unguarded().service("198.18.0.9", kind, cluster);
    assert_eq!(service(IpKind::Ephemeral, "default.shop").frees(), ["vip 198.18.0.9"]);
    assert_eq!(service(IpKind::Static, "default.shop").frees(), ["vip 198.18.0.9"], "it only loses its tag");
    assert_eq!(service(IpKind::Ephemeral, "default.shop2").frees(), ["vip 198.18.0.1"]);
    let bed = service(IpKind::Ephemeral, "default.shop");
    assert!(matches!(bed.plan().frees[0].target, Target::Service { .. }));

    // The manager took the address that a person supplied for the control plane: only a static one is touched.
    for (kind, expected) in [(IpKind::Static, vec!["vip 198.18.0.1"]), (IpKind::Ephemeral, vec!["network n1"])] {
        let mut bed = unguarded().vip_of(Origin::Adopted);
        let ip = &mut project(&mut bed.have).ips[0];
        (ip.kind, ip.tags) = (kind, Tags::new().with(tags::SERVICE, "default.shop/web/front"));
        assert_eq!(bed.frees(), expected, "{kind:?}");
    }
}

#[test]
fn r16_the_hours_budget_is_kept_or_acknowledged() {
    for (freed, ack, expected) in [
        (7, "", 3),
        (8, "", 2),
        (10, "", 0),
        (99, "", 0),
        (10, "BudgetExceeded default.shop", 3),
        (10, "BudgetExceeded 00000000-0000-0000-0000-000000000001", 3),
        (10, "BudgetExceeded default.other", 0),
    ] {
        let mut bed = freeing();
        bed.said.freed_within_hour = freed;
        bed.said.acknowledged.insert(ack.to_owned());
        let had = project(&mut bed.have);
        had.firewalls.push(firewall(2, "default.shop", 2, 100));
        had.firewalls.push(firewall(3, "default.shop", 3, 100));
        let (plan, one) = (bed.plan(), bed.one());
        assert_eq!(plan.frees.len(), expected, "{freed} {ack}");
        assert_eq!(plan.budget_left, 10_u32.saturating_sub(freed));
        let refused = one.refused.map(|(reason, _)| reason);
        assert_eq!(refused, (expected < 3).then_some(Reason::BudgetExceeded), "{freed} {ack}");
        assert!(!one.ends);
    }
}

#[test]
fn only_what_is_gone_leaves_the_lock() {
    let message = || "no".to_owned();
    for (outcome, leaves) in [
        (Some(FreeOutcome::Freed), true),
        (Some(FreeOutcome::Gone), true),
        (Some(FreeOutcome::NotYet { message: message() }), false),
        (Some(FreeOutcome::Changed { message: message() }), false),
        (Some(FreeOutcome::Failed { message: message() }), false),
        (None, false),
    ] {
        let ending = freeing().ending(outcome.clone().into_iter().collect());
        let Ending::Lock { lock, .. } = ending else { panic!("there is more") };
        assert_eq!(lock.values.firewall.is_none(), leaves, "{outcome:?}");

        let mut last = unguarded();
        project(&mut last.have).ips.clear();
        last.values().vip = None;
        assert_eq!(last.frees(), ["network n1"]);
        let ending = last.ending(outcome.clone().into_iter().collect());
        assert_eq!(ending == Ending::Nothing, leaves, "{outcome:?}");
    }
}

#[test]
fn a_successor_takes_the_place_of_the_firewall_that_went_first() {
    let mut bed = freeing();
    let had = project(&mut bed.have);
    had.firewalls.push(firewall(2, "default.shop", 2, 100));
    had.firewalls.sort_by(|a, b| a.id.cmp(&b.id));
    let next = had.firewalls[1].clone();
    bed.values().firewall.as_mut().unwrap().successor = Some(Successor {
        id: next.id.clone(),
        allocation: next.allocation.clone(),
        generation: 2,
        image: next.image,
        inputs: None,
    });
    assert_eq!(bed.frees().len(), 2);
    let index = bed.plan().frees.iter().position(|free| free.slot == Slot::Firewall(1)).unwrap();
    let failed = FreeOutcome::Failed { message: "no".to_owned() };
    let mut outcomes = vec![failed; 2];
    outcomes[index] = FreeOutcome::Freed;
    let Ending::Lock { lock, .. } = bed.ending(outcomes) else { panic!("there is more") };
    let left = lock.values.firewall.unwrap();
    assert_eq!((left.id, left.generation, left.successor), (next.id, 2, None));
}

#[test]
fn r25_an_older_life_in_another_project_is_not_cut_off() {
    let other = model::ProjectId::parse("00000000-0000-0000-0000-000000000009").unwrap();
    let elsewhere = |bed: &mut Bed, machine: Option<&str>| {
        let mut had = HaveProject::default();
        let mut firewall = firewall(7, "default.shop", 1, 1);
        firewall.networks = vec![in_network("n7")];
        had.firewalls.push(firewall);
        had.networks.push(network("n7", "default.shop", 1));
        had.ips.push(vip("198.18.0.7", "default.shop", 1));
        had.machines.extend(machine.map(|cluster| {
            let mut machine = machine_in("n7");
            machine.tags = Tags::new().with(tags::CLUSTER_RESOURCE, cluster);
            machine
        }));
        bed.have.projects.insert(other.clone(), had);
    };
    for cluster in ["default.shop", "default.other"] {
        let mut bed = freeing();
        elsewhere(&mut bed, Some(cluster));
        assert_eq!(bed.frees(), [] as [String; 0], "{cluster}");
        assert_eq!(bed.one().waits.len(), 1, "{:?}", bed.one());
    }
    let mut bed = freeing();
    elsewhere(&mut bed, None);
    assert_eq!(bed.frees().len(), 2, "nobody lives there: both firewalls go");
    project(&mut bed.have).firewalls.clear();
    bed.have.projects.get_mut(&other).unwrap().firewalls.clear();
    bed.values().firewall = None;
    let mut held = bed.since(Some(NOW - 60));
    assert_eq!(held.frees(), [] as [String; 0], "vipHold is for every VIP");
    held = held.since(Some(0));
    assert_eq!(held.frees(), ["vip 198.18.0.1", "vip 198.18.0.7"]);
}

#[test]
fn r15_a_suspect_project_is_acknowledged_for_one_cluster() {
    let mut bed = freeing();
    project(&mut bed.have).networks.push(network("n8", "default.stranger", 1));
    assert_eq!(bed.one().refused.map(|(reason, _)| reason), Some(Reason::Suspect));
    bed.said.acknowledged.insert("Suspect default.shop".to_owned());
    assert!(!bed.plan().suspect.is_empty());
    assert_eq!(bed.frees(), [FIREWALL]);
}
