//! Replacement when the template was changed (R3, R5): create, phone home, free the old one, move the reference.

use super::fixture::*;
use crate::api::AutoUpdate;
use crate::api::ConditionStatus::*;
use crate::firewall::observed::{Action, Observed};
use crate::names;
use crate::reason::{ConditionType as Of, Reason};
use crate::step::Rest;
use model::metal::Machine;
use model::tags;
use std::sync::Arc;
use std::time::Duration;

/// The template was changed after the provider first saw it.
fn changed() -> Observed {
    let mut observed = observed().running().has([firewall(1, 1)]);
    observed.wanted().size = "c1-large-x86".to_owned();
    observed
}

fn new_digest() -> String {
    crate::firewall::template::baseline(&changed().wanted().clone())
}

/// The second generation, as the changed template has it.
fn second(phoned_home: bool) -> Machine {
    let one = firewall(2, 2);
    let tags = one.tags.clone().with(names::FIREWALL_BASELINE, new_digest());
    Machine { phoned_home, created: Some(at(0)), tags, size: "c1-large-x86".parse().unwrap(), ..one }
}

/// The attempt of its successor is drawn.
fn replaced(observed: Observed) -> Observed {
    observed.annotated(names::ATTEMPT, "11111111-0000-4000-8000-000000000002")
}

/// D65.
#[test]
fn d65_each_step_follows_from_what_is_there() {
    assert!(matches!(changed().decide(0).action(), Action::DrawAttempt { .. }), "the old attempt is spent");
    let mut drawn = changed().annotated(names::ATTEMPT, "22222222-0000-4000-8000-000000000002");
    drawn.memory.attempt_is_mine = true;
    assert_eq!(drawn.decide(0).action(), Action::Search);
    let Action::Allocate(blueprint) = drawn.searched(at(0)).decide(0).action() else { panic!() };
    assert_eq!(blueprint.generation, 2);
    let tags = &blueprint.request.tags;
    assert_eq!(tags.get(tags::SLOT), Some("firewall.2"));
    assert_eq!(tags.get(names::FIREWALL_BASELINE), Some(new_digest().as_str()));

    let said = replaced(changed()).has([second(false)]).decide(10);
    assert_eq!(said.says(Of::FirewallUpToDate), (False, Reason::Replacing));
    assert_eq!((said.says(Of::Ready).0, said.rest()), (True, Rest::Soon), "the old one serves");

    let ready = replaced(changed()).has([second(true)]);
    assert_eq!(ready.decide(10).action(), Action::Free(Arc::new(firewall(1, 1))));
    let mut freed = ready;
    freed.project().firewalls.remove(0);
    let Action::Name { firewall, baseline } = freed.decide(10).action() else { panic!() };
    assert_eq!((firewall.id.clone(), baseline), (id(2), Some(new_digest())));
}

#[test]
fn a_refusal_leaves_the_old_one_serving() {
    let mut observed = changed();
    observed.memory.failed(failure(Reason::NoMachineAvailable, false), at(0), Duration::from_secs(60));
    let said = observed.decide(0);
    assert_eq!(said.says(Of::FirewallUpToDate), (False, Reason::NoMachineAvailable));
    assert_eq!(said.says(Of::Ready), (True, Reason::Provisioned));
    let mut invalid = changed();
    invalid.wanted().initial_rule_set = None;
    let said = invalid.decide(0);
    assert_eq!(said.says(Of::FirewallUpToDate), (False, Reason::InvalidSpec));
    assert_eq!(said.says(Of::Ready), (True, Reason::Provisioned));
}

/// The wrong image was asked for: the successor of it is in nobody's way.
#[test]
fn a_second_change_frees_a_successor_that_nobody_uses_yet() {
    let mut again = replaced(changed()).has([second(false)]);
    again.wanted().size = "s3-tiny-x86".to_owned();
    assert_eq!(again.decide(10).action(), Action::Free(Arc::new(second(false))));
    let mut reverted = replaced(changed()).has([second(false)]);
    reverted.wanted().size = template().spec.size;
    assert_eq!(reverted.decide(10).action(), Action::Search);
    assert_eq!(reverted.searched(at(10)).decide(10).action(), Action::Free(Arc::new(second(false))));
    // One that phoned home goes on: its predecessor may be freed already.
    let mut ready = replaced(changed()).has([second(true)]);
    ready.wanted().size = "s3-tiny-x86".to_owned();
    assert_eq!(ready.decide(10).action(), Action::Free(Arc::new(firewall(1, 1))));
}

/// F8: its death was a mistake, or the change was taken back; what passes it now is not cut.
#[test]
fn f8_one_that_is_well_again_is_not_freed_for_its_successor() {
    for phoned_home in [false, true] {
        let again = replaced(observed().running()).has([firewall(1, 1), Machine { phoned_home, ..firewall(2, 2) }]);
        assert_eq!(again.decide(10).action(), Action::Search, "that it is well must be true of now");
        let Action::Free(freed) = again.searched(at(10)).decide(10).action() else { panic!() };
        assert_eq!(freed.id, id(2));
    }
    let image = |newest: Option<&str>| {
        let mut observed = replaced(observed().running()).has([firewall(1, 1), firewall(2, 2)]).searched(at(10));
        observed.terms.image_updates = true;
        observed.object().spec.auto_update = Some(AutoUpdate { machine_image: Some(true) });
        observed.project().newest_image = newest.map(|id| id.parse().unwrap());
        let Action::Free(freed) = observed.decide(10).action() else { panic!() };
        freed.id.clone()
    };
    assert_eq!(image(Some("firewall-ubuntu-3.0.20251101")), id(1), "it is replaced for its image");
    assert_eq!(image(None), id(1), "nobody knows that it is not");
    assert_eq!(image(Some("firewall-ubuntu-3.0.20251001")), id(2));
}

/// I11: another binary may write the digest in another way.
#[test]
fn f26_a_baseline_that_cannot_be_compared_is_taken_anew_and_replaces_nothing() {
    let of_another = changed().annotated(names::FIREWALL_BASELINE, "v0:something");
    let Action::Note(notes) = of_another.decide(0).action() else { panic!() };
    assert_eq!(notes, [(names::FIREWALL_BASELINE, digest())], "of the firewall's tag");
    let mut untold = changed().annotated(names::FIREWALL_BASELINE, "v0:something");
    let tags = firewall(1, 1).tags.with(names::FIREWALL_BASELINE, "v0:something");
    untold.project().firewalls = vec![Machine { tags, ..firewall(1, 1) }.into()];
    let Action::Note(notes) = untold.decide(0).action() else { panic!() };
    assert_eq!(notes, [(names::FIREWALL_BASELINE, new_digest())]);
}

#[test]
fn a_successor_that_never_phones_home_is_given_up() {
    let stuck = replaced(changed()).has([second(false)]);
    assert_eq!(stuck.decide(3599).says(Of::FirewallUpToDate).1, Reason::Replacing);
    assert_eq!(stuck.decide(3600).action(), Action::Free(Arc::new(second(false))));
}

#[test]
fn a_successor_that_phoned_home_and_died_does_not_take_over() {
    let dead = || Machine { alive: false, ..second(true) };
    let observed = replaced(changed()).has([dead()]);
    assert_eq!(observed.decide(10).says(Of::FirewallUpToDate).1, Reason::Replacing);
    assert_eq!(observed.decide(3600).action(), Action::Search, "whether the old one is there yet");
    assert_eq!(observed.searched(at(3600)).decide(3600).action(), Action::Free(Arc::new(dead())));
}

#[test]
fn what_is_not_ours_to_free_is_not_replaced() {
    let mut by_hand = changed();
    by_hand.project().firewalls = vec![Machine { tags: model::Tags::new(), ..firewall(1, 1) }.into()];
    let mut supplied = changed().annotated(names::ORIGIN, names::ADOPTED);
    supplied.project().firewalls = vec![of_capms(1).into()];
    for observed in [supplied, by_hand] {
        assert_eq!(observed.decide(0).says(Of::FirewallUpToDate), (False, Reason::FirewallOutdated));
    }
    let mut of_capms_ = changed();
    of_capms_.project().firewalls = vec![of_capms(1).into()];
    let of_capms_ = of_capms_.annotated(names::ATTEMPT, "22222222-0000-4000-8000-000000000002");
    assert_eq!(of_capms_.decide(0).action(), Action::AwaitAttempt);
}

/// R3, D64: on the day of the switch no firewall is replaced.
#[test]
fn r3_what_differs_at_first_sight_is_reported_only() {
    fn network(f: &mut Machine) {
        f.networks.remove(0);
    }
    type Vary = fn(&mut Machine);
    let cases: [(Vary, &str); 3] = [
        (|f| f.size = "old".parse().unwrap(), "size old instead of n1-medium-x86"),
        (|f| f.image = "firewall-ubuntu-2.0.1".parse().unwrap(), "image firewall-ubuntu-2.0.1 instead"),
        (network, "networks nodes-1 instead of internet, nodes-1"),
    ];
    for (change, what) in cases {
        let mut one = of_capms(1);
        change(&mut one);
        let mut observed = observed().running().has([one]);
        observed.object().spec.auto_update = Some(AutoUpdate { machine_image: Some(true) });
        let said = observed.decide(0);
        assert_eq!(said.says(Of::FirewallUpToDate), (False, Reason::FirewallOutdated));
        assert!(said.message(Of::FirewallUpToDate).contains(what), "{said:?}");
        assert_eq!(said.says(Of::Ready), (True, Reason::Provisioned));
        let asked = observed.annotated(names::FIREWALL_BASELINE, "replace");
        assert_eq!(asked.decide(0).action(), Action::AwaitAttempt, "the mend works");
    }
}

/// D64: only where the provider is told to, and the object asks for it.
#[test]
fn d64_a_newer_image_counts_only_where_it_is_asked_for() {
    let mut observed = observed().running().has([firewall(1, 1)]);
    observed.project().newest_image = Some("firewall-ubuntu-3.0.20251101".parse().unwrap());
    for (by_flag, by_object) in [(false, None), (false, Some(true)), (true, None), (true, Some(false))] {
        observed.terms.image_updates = by_flag;
        observed.object().spec.auto_update = Some(AutoUpdate { machine_image: by_object });
        assert_eq!(observed.decide(0).says(Of::FirewallUpToDate), (True, Reason::UpToDate));
    }
    observed.object().spec.auto_update = Some(AutoUpdate { machine_image: Some(true) });
    assert!(matches!(observed.decide(0).action(), Action::DrawAttempt { .. }));
    for not_newer in ["firewall-ubuntu-3.0.20251001", "firewall-ubuntu-3.0.20250901", "debian-12.0.20991231"] {
        observed.project().newest_image = Some(not_newer.parse().unwrap());
        assert_eq!(observed.decide(0).says(Of::FirewallUpToDate), (True, Reason::UpToDate), "{not_newer}");
    }
}

#[test]
fn a_template_that_is_gone_replaces_nothing() {
    let mut observed = observed().running().has([firewall(1, 1)]);
    observed.template = None;
    let said = observed.decide(0);
    assert_eq!(said.says(Of::FirewallUpToDate), (False, Reason::FirewallTemplateMissing));
    assert_eq!(said.says(Of::Ready), (True, Reason::Provisioned));
}

#[test]
fn what_a_replacement_left_behind_is_freed_once_the_present_one_is_well() {
    // Two of one attempt: a call that was given up completed late.
    let twin = Machine { tags: firewall(2, 2).tags, ..firewall(3, 2) };
    let left = || replaced(observed().running()).names(2).annotated(names::ALLOCATION, "allocation-2");
    assert_eq!(left().has([twin.clone(), firewall(2, 2)]).decide(0).action(), Action::Free(Arc::new(twin.clone())));
    let not_well = Machine { alive: false, ..firewall(2, 2) };
    assert_eq!(left().has([twin, not_well]).decide(0).says(Of::Ready).0, False);
}

#[test]
fn nothing_holds_up_a_move_once_the_attempt_is_spent() {
    let observed = observed().running().annotated(names::BLOCK_MOVE, "").has([firewall(1, 1)]);
    assert_eq!(observed.decide(0).action(), Action::Unblock);
}
