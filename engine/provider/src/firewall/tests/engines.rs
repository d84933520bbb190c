//! Firewalls of the engine: looked at, and nothing else (R3, R5).

use super::fixture::*;
use crate::api::ConditionStatus::*;
use crate::firewall::observed::{Action, Observed};
use crate::names;
use crate::reason::{ConditionType as Of, Reason};
use model::metal::Machine;

fn named() -> Observed {
    observed().engines().names(1).annotated(names::PROJECT, PROJECT)
}

#[test]
fn r7_an_empty_slot_of_the_engine_is_waited_for() {
    let mut observed = observed().engines();
    assert_eq!(observed.decide(0).says(Of::FirewallAllocated), (False, Reason::WaitingForEngine));
    observed.template = None;
    observed.of_cluster().spec.node_network_id = None;
    assert_eq!(observed.decide(0).says(Of::Ready), (False, Reason::WaitingForEngine));
}

#[test]
fn r3_it_is_observed_whatever_its_template_says() {
    let mut observed = named().has([of_engine(1, 1)]);
    observed.wanted().size = "other".to_owned();
    let said = observed.decide(0);
    assert_eq!(said.says(Of::Ready), (True, Reason::Provisioned));
    assert_eq!(said.says(Of::FirewallAllocated), (True, Reason::Verified));
    assert_eq!(said.says(Of::FirewallUpToDate), (True, Reason::Observing));
    let dead = named().has([Machine { alive: false, ..of_engine(1, 1) }]).says(
        Of::FirewallHealthy,
        False,
        Reason::NotAlive,
        -50_000,
    );
    assert_eq!(dead.decide(0).says(Of::Ready), (False, Reason::NotAlive));
}

/// F14: it was the provider's before.
#[test]
fn f14_what_the_provider_left_beside_it_is_named() {
    let left = named().annotated(names::ATTEMPT, ATTEMPT).has([of_engine(1, 1), firewall(2, 1)]).decide(0);
    assert_eq!(left.says(Of::FirewallUpToDate), (False, Reason::Ambiguous));
    assert!(left.message(Of::FirewallUpToDate).contains(id(2).as_str()));
    assert_eq!(left.says(Of::Ready), (True, Reason::Provisioned));
}

/// With it the object can be deleted when nothing else is left.
#[test]
fn only_the_project_is_noted() {
    let Action::Note(notes) = observed().engines().names(1).has([of_engine(1, 1)]).decide(0).action() else { panic!() };
    assert_eq!(notes, [(names::PROJECT, PROJECT.to_owned())]);
}

#[test]
fn r5_a_freed_id_is_fine_while_a_later_one_lives() {
    let other_cluster =
        Machine { tags: of_engine(3, 3).tags.with(model::tags::CLUSTER_RESOURCE, "shop.other"), ..of_engine(3, 3) };
    let said = named().has([of_engine(2, 2), other_cluster]).decide(0);
    assert_eq!(said.says(Of::Ready), (True, Reason::Provisioned));
    assert!(said.message(Of::FirewallAllocated).contains(id(2).as_str()));
}

#[test]
fn one_that_is_gone_is_said_to_be_and_nothing_is_done() {
    assert_eq!(named().decide(0).says(Of::FirewallAllocated).0, Unknown);
    let mut gone = named();
    gone.project().named_is_gone = true;
    assert_eq!(gone.decide(0).says(Of::FirewallAllocated), (False, Reason::DeletedExternally));
}
