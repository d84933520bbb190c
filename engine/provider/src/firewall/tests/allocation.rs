//! The first firewall: found, taken or allocated.

use super::fixture::*;
use crate::api::ConditionStatus::*;
use crate::firewall::observed::{Action, Observed};
use crate::names;
use crate::reason::{ConditionType as Of, Reason};
use crate::step::Rest;
use model::Tags;
use model::metal::{Machine, MachineRole};
use model::tags;
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn drawn() -> Observed {
    let mut observed = observed().annotated(names::ATTEMPT, ATTEMPT).annotated(names::PROJECT, PROJECT);
    observed.memory.attempt_is_mine = true;
    observed
}

#[test]
fn an_attempt_is_drawn_then_searched_for_then_allocated_with() {
    let fresh = observed();
    let Action::DrawAttempt { project, credentials } = fresh.decide(0).action() else { panic!() };
    assert_eq!((project.as_str(), credentials), (PROJECT, None));
    assert_eq!(drawn().decide(0).action(), Action::Search);
    let Action::Allocate(blueprint) = drawn().searched(at(0)).decide(0).action() else { panic!() };
    assert_eq!(blueprint.generation, 1);
    assert_eq!(blueprint.request.tags.get(tags::ATTEMPT), Some(ATTEMPT));
    assert_eq!(blueprint.request.tags.get(tags::SLOT), Some("firewall.1"));
}

/// D5: whoever died between the allocation and the patch left one that is taken.
#[test]
fn d5_an_own_firewall_is_found_by_its_tags_and_taken() {
    let crashed = drawn().has([firewall(1, 1)]);
    assert_eq!(crashed.decide(0).action(), Action::Search, "never by what the bulk reading says");
    let Action::Name { firewall, baseline } = crashed.searched(at(0)).decide(0).action() else { panic!() };
    assert_eq!((firewall.id.clone(), baseline), (id(1), Some(digest())));
}

#[test]
fn the_attempt_of_another_process_settles_first() {
    let mut other = drawn();
    other.memory.attempt_is_mine = false;
    assert_eq!(other.decide(0).action(), Action::AwaitAttempt);
    other.memory.unsettled_since = Some(at(0));
    assert_eq!(other.decide(1).action(), Action::Search);
    let waits = other.clone().searched(at(19)).decide(30);
    assert_eq!(waits.says(Of::FirewallAllocated), (False, Reason::WaitingForUnknownOutcome));
    assert!(matches!(other.searched(at(20)).decide(20).action(), Action::Allocate(_)));
}

#[test]
fn an_unknown_outcome_waits_also_for_the_own_attempt() {
    let mut observed = drawn();
    observed.memory.failed(failure(Reason::MetalApiUnreachable, true), at(0), LONG);
    let said = observed.decide(1);
    assert_eq!(said.says(Of::FirewallAllocated), (False, Reason::MetalApiUnreachable));
    assert_eq!(said.rest(), Rest::After(Duration::from_secs(1)));
    assert_eq!(observed.decide(3).action(), Action::Search);
    let said = observed.searched(at(3)).decide(3);
    assert_eq!(said.says(Of::FirewallAllocated), (False, Reason::WaitingForUnknownOutcome));
}

/// And `clusterctl move` may go on.
#[test]
fn a_refusal_is_said_and_waited_for() {
    let mut observed = drawn().annotated(names::BLOCK_MOVE, "");
    observed.memory.failed(failure(Reason::NoMachineAvailable, false), at(0), LONG);
    assert_eq!(observed.decide(0).action(), Action::Unblock);
    observed.object().metadata.annotations.as_mut().unwrap().remove(names::BLOCK_MOVE);
    let said = observed.decide(0);
    assert_eq!(said.says(Of::Ready), (False, Reason::NoMachineAvailable));
    assert_eq!(said.message(Of::Ready), "as metal-api says.");
    assert_eq!(observed.decide(2).action(), Action::Search);
}

#[test]
fn what_is_not_clearly_ours_is_not_taken_and_nothing_is_allocated_beside_it() {
    let tagged = |change: fn(Tags) -> Tags| Machine { tags: change(capms_tags()), ..firewall(9, 1) };
    let cases = [
        (vec![of_capms(9)], Reason::Claimed),
        (vec![tagged(|tags| tags.with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE))], Reason::Claimed),
        (vec![tagged(|tags| tags.with(tags::MANAGED_BY, "somebody"))], Reason::Claimed),
        (vec![firewall(1, 1), firewall(2, 1)], Reason::Ambiguous),
    ];
    for (firewalls, reason) in cases {
        let named: Vec<_> = firewalls.iter().map(|f| f.id.to_string()).collect();
        let said = drawn().has(firewalls).searched(at(0)).decide(0);
        assert_eq!(said.says(Of::FirewallAllocated), (False, reason));
        for id in named {
            assert!(said.message(Of::FirewallAllocated).contains(&id), "{said:?}");
        }
    }
}

/// D14: the reference was lost in the middle of a replacement.
#[test]
fn d14_of_two_generations_the_one_that_phoned_home_is_taken() {
    let newer = Machine { phoned_home: false, ..firewall(2, 2) };
    for (second, taken) in [(firewall(2, 2), 2), (newer, 1)] {
        let lost = drawn().has([firewall(1, 1), second]).searched(at(0));
        let Action::Name { firewall, .. } = lost.decide(0).action() else { panic!() };
        assert_eq!(firewall.id, id(taken));
    }
}

/// A machine with a firewall's tag, and firewalls of others in the same project.
#[test]
fn others_are_no_hits() {
    let machine = Machine { role: MachineRole::Machine, ..firewall(8, 1) };
    let other = Machine {
        tags: firewall(7, 1).tags.with(tags::FIREWALL_DEPLOYMENT_RESOURCE, "shop.other-fw"),
        ..firewall(7, 1)
    };
    let observed = drawn().has([machine, other]).searched(at(0));
    assert!(matches!(observed.decide(0).action(), Action::Allocate(_)));
}

/// D6: where something is named, nothing is allocated before it is known to be gone.
#[test]
fn d6_a_named_firewall_that_is_not_seen_is_not_replaced_at_once() {
    let said = observed().running().decide(0);
    assert_eq!(said.says(Of::FirewallAllocated).0, Unknown);
    assert_eq!(said.rest(), Rest::Interval);
}

#[test]
fn what_is_there_is_noted_once_and_then_steady() {
    let mut taken_over = observed().names(1).has([of_capms(1)]);
    let Action::Note(notes) = taken_over.decide(0).action() else { panic!() };
    let expected = [
        (names::PROJECT, PROJECT.to_owned()),
        (names::ALLOCATION, "allocation-1".to_owned()),
        (names::FIREWALL_BASELINE, digest()),
    ];
    assert_eq!(notes, expected);
    for (key, value) in notes {
        taken_over = taken_over.annotated(key, &value);
    }
    let said = taken_over.decide(0);
    assert_eq!(said.says(Of::Ready), (True, Reason::Provisioned));
    assert_eq!(said.says(Of::FirewallAllocated), (True, Reason::Allocated));
    assert_eq!(said.rest(), Rest::Interval);
    let status = said.0.status.unwrap();
    assert!(status.ready && status.initialization.unwrap().provisioned.unwrap());
    taken_over.object().status = Some(status.clone());
    assert_eq!(taken_over.decide(5000).status(), &status, "I4: the same, with the same times");
}

#[test]
fn the_credentials_are_noted_where_the_cluster_has_its_own() {
    let mut observed = observed();
    observed.of_cluster().spec.credentials_ref = Some(crate::api::CredentialsRef { name: "tenant".to_owned() });
    let Action::DrawAttempt { credentials, .. } = observed.decide(0).action() else { panic!() };
    assert_eq!(credentials.as_deref(), Some("tenant"));
    let Action::Note(notes) = observed.names(1).has([firewall(1, 1)]).decide(0).action() else { panic!() };
    assert!(notes.contains(&(names::CREDENTIALS, "tenant".to_owned())));
}

#[test]
fn a_supplied_firewall_is_used_and_a_wrong_name_is_refused() {
    let by_hand = Machine { tags: Tags::new(), ..firewall(1, 1) };
    let supplied = observed().running().annotated(names::ORIGIN, names::ADOPTED).has([by_hand]);
    assert_eq!(supplied.decide(0).says(Of::FirewallAllocated), (True, Reason::Verified));
    let machine = Machine { role: MachineRole::Machine, tags: Tags::new(), ..firewall(1, 1) };
    let tags = capms_tags().with(tags::FIREWALL_DEPLOYMENT_RESOURCE, "shop.other-fw");
    for wrong in [machine, Machine { tags, ..firewall(1, 1) }] {
        let said = observed().names(1).has([wrong]).decide(0);
        assert_eq!(said.says(Of::FirewallAllocated), (False, Reason::BelongsToOther));
    }
}

#[test]
fn an_annotated_project_that_is_not_the_clusters_is_refused() {
    let mut observed = drawn();
    observed.project().id = "00000000-0000-0000-0000-000000000002".parse().unwrap();
    assert_eq!(observed.decide(0).says(Of::FirewallAllocated), (False, Reason::InvalidSpec));
}

#[test]
fn a_name_written_while_it_was_looked_for_is_what_counts() {
    let observed = drawn().names(1).has([firewall(1, 1), firewall(2, 1)]);
    assert!(matches!(observed.decide(0).action(), Action::Note(_)));
    let left = observed.running().has([]);
    assert_eq!(left.decide(0).action(), Action::Free(Arc::new(firewall(2, 1))), "the one that is not named");
}
