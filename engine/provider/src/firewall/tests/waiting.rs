//! Before anything is allocated: pause, owners, what is missing.

use super::fixture::*;
use crate::api::ConditionStatus::*;
use crate::firewall::observed::{Action, Metal};
use crate::names;
use crate::reason::{ConditionType as Of, Reason};
use crate::step::{Rest, Step};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// capms.md 6.1, and D42: what is waited for stands in the object.
#[test]
fn what_is_missing_is_said_in_the_object() {
    type Vary = fn(&mut super::super::observed::Observed);
    let cases: &[(Vary, Reason)] = &[
        (|o| o.template = None, Reason::FirewallTemplateMissing),
        (|o| o.of_cluster().spec.node_network_id = None, Reason::WaitingForNodeNetwork),
        (|o| o.of_cluster().spec.node_network_id = Some(String::new()), Reason::WaitingForNodeNetwork),
        (|o| o.of_cluster().metadata.deletion_timestamp = Some(Time(at(0))), Reason::Deleting),
        (|o| o.wanted().initial_rule_set = None, Reason::InvalidSpec),
        (|o| o.wanted().size = "a/b".to_owned(), Reason::InvalidSpec),
        (|o| o.of_cluster().spec.partition = String::new(), Reason::InvalidSpec),
        (|o| o.metal = Metal::NoProject, Reason::InvalidSpec),
        (|o| o.metal = Metal::Unread(failure(Reason::CredentialsMissing, false)), Reason::CredentialsMissing),
        (|o| o.metal = Metal::Unread(failure(Reason::MetalApiUnreachable, false)), Reason::MetalApiUnreachable),
        (|o| o.metal = Metal::Unread(failure(Reason::Suspect, false)), Reason::Suspect),
    ];
    for (vary, reason) in cases {
        let mut observed = observed();
        vary(&mut observed);
        let said = observed.decide(0);
        assert_eq!(said.says(Of::Ready), (False, *reason), "{reason}");
        assert_eq!(said.says(Of::FirewallAllocated).1, *reason);
        assert_eq!(said.says(Of::Paused), (False, Reason::NotPaused), "D43");
        assert!(!said.status().ready && said.status().initialization.is_none(), "D41");
    }
}

#[test]
fn without_owners_nothing_happens() {
    let mut one = observed();
    one.infrastructure = None;
    assert!(one.decide(0).leaves());
    let mut other = observed();
    other.cluster = None;
    assert!(other.decide(0).leaves());
}

/// D28, D29: by any of the three; nothing else changes, also while it is deleted.
#[test]
fn paused_means_that_only_the_condition_changes() {
    let paused = || Some(BTreeMap::from([(names::PAUSED.to_owned(), String::new())]));
    let mut by_cluster = observed();
    Arc::make_mut(by_cluster.cluster.as_mut().unwrap()).spec.paused = Some(true);
    let mut by_infrastructure = observed();
    by_infrastructure.of_cluster().metadata.annotations = paused();
    let by_itself = observed().annotated(names::PAUSED, "");
    let deleted = observed().deleted().annotated(names::PAUSED, "").running().has([firewall(1, 1)]);
    for paused in [by_cluster, by_infrastructure, by_itself, deleted] {
        let paused = paused.says(Of::FirewallHealthy, True, Reason::Healthy, -50);
        let said = paused.decide(0);
        assert_eq!((said.rest(), said.says(Of::Paused)), (Rest::Change, (True, Reason::Paused)));
        assert_eq!(said.message(Of::FirewallHealthy), "as before");
        assert_eq!(said.status().conditions.len(), 2);
    }
}

/// M18, F23: `clusterctl move` pauses first, and then waits for what is under way.
#[test]
fn m18_an_attempt_that_settled_holds_up_no_move() {
    let paused = || observed().annotated(names::ATTEMPT, ATTEMPT).annotated(names::BLOCK_MOVE, "");
    let mut without = paused();
    without.template = None;
    for blocked in [paused().annotated(names::PAUSED, ""), without] {
        let mut blocked = blocked;
        assert_eq!(blocked.decide(0).action(), Action::AwaitAttempt, "of a process before this one");
        blocked.memory.unsettled_since = Some(at(0));
        assert!(matches!(blocked.decide(19).0.step, Step::Rest(_)));
        assert_eq!(blocked.decide(20).action(), Action::Unblock);
    }
}

#[test]
fn the_finalizer_comes_before_everything_else() {
    let mut fresh = observed();
    fresh.object().metadata.finalizers = Some(vec!["example.com/other".to_owned()]);
    assert_eq!(fresh.decide(0).action(), Action::AddFinalizer);
}

#[test]
fn a_name_that_is_no_firewall_is_never_replaced() {
    for name in ["11111111-0000-4000-8000-000000000001", "metal://muc-a", "metal://muc-a/fw", "metal://"] {
        let mut observed = observed();
        observed.object().spec.managed_resource_ref = Some(crate::api::ManagedResourceRef { name: name.to_owned() });
        assert_eq!(observed.decide(0).says(Of::FirewallAllocated), (False, Reason::InvalidSpec), "{name}");
    }
}

#[test]
fn ready_does_not_flap_while_metal_api_cannot_be_read() {
    let mut observed = observed().running().has([firewall(1, 1)]);
    let good = observed.decide(0).0.status.unwrap();
    observed.object().status = Some(good.clone());
    for reason in [Reason::MetalApiUnreachable, Reason::Unauthorized, Reason::Suspect] {
        observed.metal = Metal::Unread(failure(reason, false));
        assert_eq!(observed.decide(500).status(), &good);
    }
}
