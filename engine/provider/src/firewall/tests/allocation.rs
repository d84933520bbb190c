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
        (vec![namesake(9)], Reason::Claimed),
        (vec![firewall(1, 1), namesake(9)], Reason::Claimed),
        (vec![firewall(1, 1), firewall(2, 1)], Reason::Ambiguous),
    ];
    for (firewalls, reason) in cases {
        let is_ours = |f: &&Machine| reason == Reason::Claimed && f.tags.has(tags::ATTEMPT, ATTEMPT);
        let named: Vec<_> = firewalls.iter().filter(|f| !is_ours(f)).map(|f| f.id.to_string()).collect();
        let said = drawn().has(firewalls).searched(at(0)).decide(0);
        assert_eq!(said.says(Of::FirewallAllocated), (False, reason));
        for id in named {
            assert!(said.message(Of::FirewallAllocated).contains(&id), "{said:?}");
        }
    }
}

/// D14: the reference was lost in the middle of a replacement, which goes on from where it was.
#[test]
fn d14_of_two_generations_the_noted_one_is_taken_and_the_other_is_its_successor() {
    let newer = Machine { phoned_home: false, ..firewall(2, 2) };
    for second in [firewall(2, 2), newer] {
        let lost = drawn()
            .annotated(names::ALLOCATION, "allocation-1")
            .annotated(names::ATTEMPT, "11111111-0000-4000-8000-000000000002")
            .annotated(names::FIREWALL_BASELINE, "replace");
        let lost = lost.has([firewall(1, 1), second]);
        assert_eq!(lost.decide(0).action(), Action::Search);
        let Action::Name { firewall, baseline } = lost.searched(at(0)).decide(0).action() else { panic!() };
        assert_eq!((firewall.id.clone(), baseline.as_deref()), (id(1), Some("replace")));
    }
}

/// F13: Argo CD with Replace=true dropped managedResourceRef of a firewall that a person made and named.
#[test]
fn f13_a_lost_name_of_a_persons_firewall_is_found_again() {
    let by_hand = || Machine { tags: Tags::new(), ..firewall(1, 1) };
    let lost = drawn().annotated(names::ALLOCATION, "allocation-1").annotated(names::FIREWALL_BASELINE, "v1:before");
    let Action::Name { firewall, baseline } = lost.clone().has([by_hand()]).searched(at(0)).decide(0).action() else {
        panic!()
    };
    assert_eq!((firewall.id.clone(), baseline.as_deref()), (id(1), Some("v1:before")));
    // Nothing is allocated beside it while it is only not seen.
    let unseen = lost.clone().searched(at(0)).decide(0);
    assert_eq!(unseen.says(Of::FirewallAllocated), (False, Reason::NotAllocated));
    let mut gone = lost.searched(at(0));
    gone.project().named_is_gone = true;
    assert!(matches!(gone.decide(0).action(), Action::Allocate(_)), "R4, R15");
    let supplied = gone.annotated(names::ORIGIN, names::ADOPTED).decide(0);
    assert_eq!(supplied.says(Of::FirewallAllocated), (False, Reason::DeletedExternally));
}

/// F13: whoever it is of, two announce the same routes.
#[test]
fn f13_nothing_is_allocated_beside_a_firewall_of_the_node_network() {
    let by_hand = Machine { tags: Tags::new(), ..firewall(1, 1) };
    let tags = firewall(2, 1).tags.with(tags::FIREWALL_DEPLOYMENT_RESOURCE, "shop.former-fw");
    for (other, word) in [(by_hand, "managedResourceRef"), (Machine { tags, ..firewall(2, 1) }, "shop.former-fw")] {
        let id = other.id.to_string();
        let said = drawn().has([other.clone()]).searched(at(0)).decide(0);
        assert_eq!(said.says(Of::FirewallAllocated), (False, Reason::Claimed));
        let message = said.message(Of::FirewallAllocated);
        assert!(message.contains(&id) && message.contains(word), "{message}");
        let elsewhere = Machine { networks: in_another_network().networks, ..other };
        assert!(matches!(drawn().has([elsewhere]).searched(at(0)).decide(0).action(), Action::Allocate(_)));
    }
}

/// A copied manifest has the annotations of another deployment.
#[test]
fn what_was_noted_for_another_deployment_is_not_taken() {
    let tags = firewall(2, 1).tags.with(tags::FIREWALL_DEPLOYMENT_RESOURCE, "shop.original-fw");
    let original = Machine { tags, networks: in_another_network().networks, ..firewall(2, 1) };
    let copy = drawn().annotated(names::ALLOCATION, "allocation-2").has([original]).searched(at(0));
    assert!(matches!(copy.decide(0).action(), Action::Allocate(_)));
}

/// F11: a copied manifest names the network of another cluster, whose nodes would lose their way out.
#[test]
fn f11_the_clusters_controller_vouches_for_owner_and_network() {
    type Vary = fn(&mut Observed);
    let refused: Vary = |o| {
        let status = o.of_cluster().status.as_mut().unwrap();
        (status.conditions[0].status, status.conditions[0].message) = (False, "It is another's.".to_owned());
    };
    let cases: [(Vary, Reason); 5] = [
        (refused, Reason::WaitingForNodeNetwork),
        (|o| o.of_cluster().status = None, Reason::WaitingForNodeNetwork),
        (|o| o.of_cluster().metadata.generation = Some(4), Reason::WaitingForNodeNetwork),
        (|o| o.object().metadata.owner_references = None, Reason::WaitingForClusterInfrastructure),
        (|o| o.of_cluster().metadata.uid = Some("another".to_owned()), Reason::WaitingForClusterInfrastructure),
    ];
    for (vary, reason) in cases {
        let mut observed = drawn().searched(at(0));
        vary(&mut observed);
        assert_eq!(observed.decide(0).says(Of::FirewallAllocated), (False, reason));
        let annotations = observed.of_cluster().metadata.annotations.get_or_insert_default();
        annotations.insert(names::MANAGED_BY.to_owned(), "terraform".to_owned());
        assert!(matches!(observed.decide(0).action(), Action::Allocate(_)), "managed from outside");
    }
}

/// A machine with a firewall's tag, and firewalls of others in the same project.
#[test]
fn others_are_no_hits() {
    let machine = Machine { role: MachineRole::Machine, ..firewall(8, 1) };
    let other = Machine {
        tags: firewall(7, 1).tags.with(tags::FIREWALL_DEPLOYMENT_RESOURCE, "shop.other-fw"),
        networks: in_another_network().networks,
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

/// F30: what a person writes into managedResourceRef counts, though another one was noted before.
#[test]
fn f30_another_name_written_by_a_person_is_first_sight_again() {
    let by_hand = Machine { tags: Tags::new(), ..firewall(2, 1) };
    let edited = observed().running().names(2).has([firewall(1, 1), by_hand]);
    let Action::Note(notes) = edited.decide(0).action() else { panic!() };
    assert_eq!(notes, [(names::ALLOCATION, "allocation-2".to_owned())]);
    let noted = edited.annotated(names::ALLOCATION, "allocation-2").searched(at(0));
    assert_eq!(noted.decide(0).action(), Action::Free(Arc::new(firewall(1, 1))), "the one that it was before");
}

/// What stands for no allocation tells nothing.
#[test]
fn m10_no_allocation_is_never_noted() {
    let without = Machine { allocation: "none".parse().unwrap(), ..of_capms(1) };
    let Action::Note(notes) = observed().names(1).has([without]).decide(0).action() else { panic!() };
    assert!(notes.iter().all(|(key, _)| *key != names::ALLOCATION), "{notes:?}");
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
