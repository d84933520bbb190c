//! Deletion needs nothing but the object and metal-api.

use super::fixture::*;
use crate::api::ConditionStatus::*;
use crate::firewall::observed::{Action, Metal, Observed};
use crate::names;
use crate::reason::{ConditionType as Of, Reason};
use crate::step::Rest;
use model::Tags;
use model::metal::{Machine, MachineState};
use std::sync::Arc;

fn deleted() -> Observed {
    observed().running().deleted()
}

/// Owner, cluster and template are gone.
fn alone(mut observed: Observed) -> Observed {
    (observed.infrastructure, observed.cluster, observed.template) = (None, None, None);
    observed
}

/// D17, D20: with or without what is around it; D22: without a node network.
#[test]
fn d17_d20_d22_it_is_freed_without_template_owner_or_network() {
    let mut no_network = deleted();
    no_network.of_cluster().spec.node_network_id = None;
    for observed in [deleted(), alone(deleted()), no_network] {
        assert_eq!(observed.decide(0).action(), Action::Search);
        let found = observed.clone().has([firewall(1, 1)]).searched(at(0));
        assert_eq!(found.decide(0).action(), Action::Free(Arc::new(firewall(1, 1))));
        let mut freed = found;
        let project = freed.project();
        project.freed = std::mem::take(&mut project.firewalls);
        assert_eq!(freed.decide(0).action(), Action::RemoveFinalizer);
    }
}

/// D8: by the reference and by the tag of the deployment, whatever else changed.
#[test]
fn d8_every_own_generation_is_freed() {
    let replaced = alone(deleted()).annotated(names::ATTEMPT, "11111111-0000-4000-8000-000000000002");
    let mut observed = replaced.has([firewall(1, 1), firewall(2, 2), of_engine(3, 3)]).searched(at(0));
    for n in [1, 2] {
        assert_eq!(observed.decide(0).action(), Action::Free(Arc::new(firewall(n, n))));
        let freed = observed.project().firewalls.remove(0);
        observed.project().freed.push(freed);
    }
    assert_eq!(observed.decide(0).action(), Action::RemoveFinalizer);
}

#[test]
fn only_what_is_ours_is_freed() {
    let by_hand = Machine { tags: Tags::new(), ..firewall(1, 1) };
    let tags = firewall(1, 1).tags.with(model::tags::FIREWALL_DEPLOYMENT_RESOURCE, "shop.other-fw");
    let of_other = Machine { tags, ..firewall(1, 1) };
    let adopted = || deleted().annotated(names::ORIGIN, names::ADOPTED);
    let again = Machine { allocation: "allocation-99".parse().unwrap(), ..namesake(1) };
    // What becomes of it: freed, told of, or nothing.
    let (freed, told, left) = (Some(true), Some(false), None);
    let cases = [
        (deleted().has([of_capms(1)]), freed),
        (deleted().has([of_capms(2)]), told),
        (deleted().has([by_hand.clone()]), told),
        (deleted().has([of_other]), left),
        (deleted().has([of_engine(1, 1)]), left),
        (adopted().has([of_capms(1)]), left),
        (adopted().has([by_hand]), left),
        // F27: whatever was adopted, this one was allocated here.
        (adopted().has([firewall(1, 1)]), freed),
        // F2: of another management cluster; also on a server that was ours before.
        (deleted().has([namesake(9)]), told),
        (deleted().has([again]), told),
        (observed().deleted().has([namesake(9)]), told),
        // F14: the engine owns it by now, and frees only what it allocated itself.
        (deleted().engines().has([firewall(1, 1)]), freed),
        (deleted().engines().has([of_capms(1)]), left),
    ];
    for (mut observed, becomes) in cases {
        observed.memory.unsettled_since = Some(at(-100));
        let observed = observed.searched(at(0));
        let said = observed.decide(0);
        if becomes == told {
            assert_eq!(said.says(Of::Deleting), (True, Reason::LeftBehind));
            let id = observed.clone().project().firewalls[0].id.to_string();
            assert!(said.message(Of::Deleting).contains(&id), "{said:?}");
            let mut once = observed;
            once.object().status = said.0.status;
            assert_eq!(once.decide(0).action(), Action::RemoveFinalizer);
            continue;
        }
        let action = said.action();
        assert_eq!(matches!(action, Action::Free(_)), becomes == freed, "{action:?}");
    }
}

#[test]
fn r3_the_engines_is_not_even_looked_for() {
    let mut engines = observed().names(1).engines().deleted().has([of_engine(1, 1)]);
    assert_eq!(engines.decide(0).action(), Action::RemoveFinalizer);
    engines.metal = Metal::Unread(failure(Reason::MetalApiUnreachable, false));
    assert_eq!(engines.decide(0).action(), Action::RemoveFinalizer);
}

/// F6: a mistyped project, or one that the namespace may not use.
#[test]
fn f6_what_never_allocated_goes_whatever_metal_api_says() {
    for reason in [Reason::ProjectNotAllowed, Reason::CredentialsMissing, Reason::MetalApiUnreachable] {
        let mut never = observed().deleted();
        never.metal = Metal::Unread(failure(reason, false));
        assert_eq!(never.decide(0).action(), Action::RemoveFinalizer);
        for begun in [never.clone().annotated(names::ATTEMPT, ATTEMPT), never.names(1)] {
            assert_eq!(begun.decide(0).says(Of::Deleting), (True, reason));
        }
    }
}

/// M6: it lives on in the other management cluster.
#[test]
fn m6_what_was_moved_away_is_left_alone() {
    let moved = deleted().annotated("clusterctl.cluster.x-k8s.io/delete-for-move", "");
    assert!(alone(moved.has([firewall(1, 1)]).searched(at(0))).decide(0).leaves());
}

#[test]
fn machines_go_first_as_long_as_the_cluster_is_there() {
    let mut observed = deleted();
    observed.machines = 2;
    let said = observed.decide(0);
    assert_eq!(said.says(Of::Deleting), (True, Reason::WaitingForMachines));
    assert_eq!((said.says(Of::Ready).0, said.rest()), (False, Rest::Soon));
    observed.infrastructure = None;
    assert_eq!(observed.decide(0).action(), Action::Search);
}

/// D25.
#[test]
fn d25_a_locked_firewall_is_named() {
    let locked =
        Machine { state: MachineState::Locked, state_description: "disk is examined".to_owned(), ..firewall(1, 1) };
    let said = deleted().has([locked]).searched(at(0)).decide(0);
    assert_eq!(said.says(Of::Deleting), (True, Reason::MachineLocked));
    assert!(
        said.message(Of::Deleting).contains("disk is examined") && said.message(Of::Deleting).contains(id(1).as_str())
    );
}

/// D18: a failure is said, and repeated.
#[test]
fn d18_failures_wait_and_are_said() {
    let mut observed = deleted().has([firewall(1, 1)]).searched(at(0));
    observed.memory.failed(failure(Reason::MetalApiBusy, false), at(0), std::time::Duration::from_secs(60));
    let said = observed.decide(0);
    assert_eq!(said.says(Of::Deleting), (True, Reason::MetalApiBusy));
    assert!(matches!(observed.decide(2).action(), Action::Free(_)));
    for reason in [Reason::Suspect, Reason::MetalApiUnreachable, Reason::ProjectNotAllowed] {
        observed.metal = Metal::Unread(failure(reason, false));
        assert_eq!(observed.decide(2).says(Of::Deleting), (True, reason));
    }
}

#[test]
fn a_project_that_nobody_knows_is_asked_for_unless_nothing_was_made() {
    let mut lost = alone(deleted());
    lost.metal = Metal::NoProject;
    let said = lost.decide(0);
    assert_eq!(said.says(Of::Deleting), (True, Reason::ProjectUnknown));
    assert!(said.message(Of::Deleting).contains(names::PROJECT));
    let mut fresh = alone(observed().deleted());
    fresh.metal = Metal::NoProject;
    assert_eq!(fresh.decide(0).action(), Action::RemoveFinalizer);
    fresh = fresh.annotated(names::ATTEMPT, ATTEMPT);
    assert_eq!(fresh.decide(0).says(Of::Deleting).1, Reason::ProjectUnknown);
}

#[test]
fn an_attempt_without_trace_settles_before_the_object_goes() {
    let mut observed = observed().deleted().annotated(names::ATTEMPT, ATTEMPT);
    assert_eq!(observed.decide(0).action(), Action::Search);
    observed = observed.searched(at(0));
    assert_eq!(observed.decide(0).action(), Action::AwaitAttempt);
    observed.memory.unsettled_since = Some(at(0));
    assert_eq!(observed.decide(0).says(Of::Deleting), (True, Reason::WaitingForUnknownOutcome));
    assert_eq!(observed.searched(at(20)).decide(20).action(), Action::RemoveFinalizer);
}

#[test]
fn without_the_finalizer_it_is_no_business_of_ours() {
    let mut observed = deleted();
    observed.object().metadata.finalizers = None;
    assert!(observed.decide(0).leaves());
}
