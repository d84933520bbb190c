//! How the firewall does (D41), and what follows when it is dead (R4) or gone (R15).

use super::fixture::*;
use crate::api::ConditionStatus::{self, *};
use crate::firewall::observed::{Action, Observed};
use crate::names;
use crate::reason::{ConditionType as Of, Reason};
use crate::step::{Rest, Step};
use model::metal::Machine;
use model::tags;

fn with(change: fn(&mut Machine)) -> Observed {
    let mut one = firewall(1, 1);
    change(&mut one);
    observed().running().has([one])
}

/// D41: allocated is not ready.
#[test]
fn d41_ready_begins_with_the_phone_home_and_stays() {
    let on_its_way = with(|f| (f.phoned_home, f.alive, f.created) = (false, false, Some(at(-60))));
    let said = on_its_way.decide(0);
    assert_eq!(said.says(Of::FirewallHealthy), (Unknown, Reason::WaitingForPhoneHome));
    assert_eq!(said.says(Of::Ready), (False, Reason::WaitingForPhoneHome));
    assert_eq!(said.rest(), Rest::Soon);
    assert!(!said.status().ready);
    let changes: [fn(&mut Machine); 3] = [|f| f.alive = false, |f| f.crash_loop = true, |f| f.phoned_home = false];
    for change in changes {
        let said = with(change).says(Of::FirewallHealthy, True, Reason::Healthy, -10).decide(0);
        assert_eq!(said.says(Of::Ready).0, False, "R4: health checks of machines are suspended by it");
        assert!(said.status().ready && said.status().initialization.unwrap().provisioned.unwrap());
    }
}

#[test]
fn every_state_has_its_reason() {
    type Vary = fn(&mut Machine);
    let cases: [(Vary, ConditionStatus, Reason); 4] = [
        (|_| (), True, Reason::Healthy),
        (|f| f.alive = false, False, Reason::NotAlive),
        (|f| f.crash_loop = true, False, Reason::CrashLoop),
        (|f| f.phoned_home = false, False, Reason::FirewallNotReady),
    ];
    for (change, status, reason) in cases {
        let said = with(change).says(Of::FirewallHealthy, True, Reason::Healthy, -10).decide(0);
        assert_eq!(said.says(Of::FirewallHealthy), (status, reason));
    }
}

fn dead(since: i64) -> Observed {
    let mut dead = with(|f| f.alive = false).says(Of::FirewallHealthy, False, Reason::NotAlive, since);
    dead.project().dead_since = Some(at(since));
    dead
}

/// F9: the disk broke while it was installed.
#[test]
fn f9_one_that_never_comes_up_is_dead_in_the_end() {
    let mut never = observed().running().has([Machine {
        created: Some(at(0)),
        phoned_home: false,
        alive: false,
        ..firewall(1, 1)
    }]);
    assert_eq!(never.decide(2699).says(Of::FirewallHealthy), (Unknown, Reason::WaitingForPhoneHome));
    let said = never.decide(2700);
    assert_eq!((said.says(Of::FirewallHealthy), said.rest()), ((False, Reason::NotAlive), Rest::Interval));
    never.object().status = said.0.status;
    never.project().dead_since = Some(at(2700));
    assert!(matches!(never.decide(3900).action(), Action::DrawAttempt { .. }));
    // Alive, and not heard of: R4 names no such death, so a person looks.
    let silent = with(|f| f.phoned_home = false).decide(0);
    assert_eq!((silent.says(Of::FirewallHealthy), silent.rest()), ((False, Reason::FirewallNotReady), Rest::Interval));
}

/// F10: neither a pause nor a downtime is time of death.
#[test]
fn f10_only_what_this_process_saw_all_along_counts() {
    let mut paused = dead(0);
    for (seen, is_due) in [(None, false), (Some(4001), false), (Some(4000), true)] {
        paused.project().dead_since = seen.map(at);
        let said = paused.decide(5200);
        assert_eq!(matches!(said.0.step, Step::Act(Action::DrawAttempt { .. })), is_due, "{seen:?}");
    }
}

/// F8: metal-stack's own outage.
#[test]
fn f8_many_deaths_at_once_are_not_believed() {
    let mut outage = dead(0);
    outage.project().is_outage = true;
    let said = outage.decide(5000);
    assert_eq!(said.says(Of::FirewallUpToDate), (False, Reason::Suspect));
    assert_eq!(said.says(Of::FirewallHealthy), (False, Reason::NotAlive));
}

/// D66.
#[test]
fn r4_a_dead_firewall_is_replaced_after_the_timeout() {
    assert_eq!(dead(0).decide(1199).says(Of::FirewallUpToDate), (True, Reason::UpToDate));
    assert!(matches!(dead(0).decide(1200).action(), Action::DrawAttempt { .. }));
    let healed = with(|_| ()).says(Of::FirewallHealthy, False, Reason::NotAlive, 0);
    assert_eq!(healed.decide(5000).says(Of::FirewallHealthy), (True, Reason::Healthy));
    let reinstalled = with(|f| f.phoned_home = false).says(Of::FirewallHealthy, False, Reason::NotAlive, 0);
    assert_eq!(reinstalled.decide(5000).says(Of::FirewallHealthy).1, Reason::FirewallNotReady, "not dead");
}

#[test]
fn r4_at_most_once_an_hour_by_the_age_of_the_present_one() {
    let mut young = dead(0);
    let born = Machine { created: Some(at(0)), alive: false, ..firewall(1, 1) };
    young.project().firewalls = vec![born.into()];
    let said = young.decide(3599);
    assert_eq!(said.says(Of::FirewallUpToDate), (False, Reason::WaitingForNextReplacement));
    assert_eq!(said.says(Of::FirewallHealthy), (False, Reason::NotAlive));
    assert!(matches!(young.decide(3600).action(), Action::DrawAttempt { .. }));
}

#[test]
fn a_dead_firewall_of_a_person_is_reported_only() {
    let mut supplied = dead(0).annotated(names::ORIGIN, names::ADOPTED);
    supplied.project().firewalls = vec![Machine { alive: false, ..of_capms(1) }.into()];
    let said = supplied.decide(5000);
    assert_eq!(said.says(Of::FirewallUpToDate), (False, Reason::FirewallOutdated));
    assert_eq!(said.says(Of::Ready), (False, Reason::NotAlive));
}

fn gone() -> Observed {
    let mut observed = observed().running().says(Of::FirewallAllocated, True, Reason::Allocated, -4000);
    observed.project().named_is_gone = true;
    observed
}

#[test]
fn r4_a_firewall_that_vanished_is_replaced_with_nothing_to_free() {
    let gone = gone();
    assert_eq!(gone.decide(0).action(), Action::AwaitAttempt, "its attempt can be that of a lost call");
    let mut settled = gone.searched(at(21));
    settled.memory.unsettled_since = Some(at(0));
    let Action::Allocate(blueprint) = settled.decide(21).action() else { panic!() };
    assert_eq!(blueprint.request.tags.get(tags::ATTEMPT), Some(ATTEMPT));
    let on_its_way = Machine { phoned_home: false, created: Some(at(21)), ..firewall(2, 1) };
    let said = settled.clone().has([on_its_way]).decide(30);
    assert_eq!(said.says(Of::FirewallAllocated), (False, Reason::Replacing));
    assert_eq!(said.says(Of::Ready), (False, Reason::Replacing));
    let Action::Name { firewall, .. } = settled.has([firewall(2, 1)]).decide(30).action() else { panic!() };
    assert_eq!(firewall.id, id(2));
}

#[test]
fn r4_one_that_vanishes_soon_after_another_waits() {
    let mut soon = observed().running().says(Of::FirewallAllocated, True, Reason::Allocated, -600);
    soon.project().named_is_gone = true;
    let said = soon.decide(0);
    assert_eq!(said.says(Of::FirewallAllocated), (False, Reason::WaitingForNextReplacement));
    soon.object().status = said.0.status;
    assert_eq!(soon.decide(3599).says(Of::FirewallAllocated), (False, Reason::WaitingForNextReplacement));
    assert_eq!(soon.decide(3600).action(), Action::AwaitAttempt);
    // What is said while it is under way does not begin the wait anew.
    soon.memory.unsettled_since = Some(at(3600));
    let said = soon.clone().searched(at(3601)).decide(3601);
    assert_eq!(said.says(Of::FirewallAllocated), (False, Reason::WaitingForUnknownOutcome));
    soon.object().status = said.0.status;
    assert!(matches!(soon.searched(at(3620)).decide(3620).action(), Action::Allocate(_)));
}

#[test]
fn one_that_a_person_supplied_is_not_made_up_for() {
    let said = gone().annotated(names::ORIGIN, names::ADOPTED).decide(0);
    assert_eq!(said.says(Of::FirewallAllocated), (False, Reason::DeletedExternally));
}

/// The server was freed and is somebody else's now: the same project, another allocation.
#[test]
fn a_server_that_was_allocated_again_is_not_ours_any_more() {
    let mut again = firewall(1, 1);
    again.allocation = "allocation-99".parse().unwrap();
    again.tags = model::Tags::new();
    again.networks = in_another_network().networks;
    let mut observed = observed().running().has([again]);
    observed.memory.unsettled_since = Some(at(0));
    assert!(matches!(observed.searched(at(30)).decide(30).action(), Action::Allocate(_)));
}
