//! A machine that providerID names.

use super::fixture::*;
use crate::api::{AddressType, ConditionStatus, Initialization, MetalStackMachineStatus};
use crate::machine::Action;
use crate::machine::decide::decide;
use crate::machine::identity::MACHINE_UID;
use crate::machine::observed::{Named, Observed, Reach};
use crate::reason::Reason;
use crate::step::Rest;
use crate::{ConditionType, names};
use model::metal::{Machine, MachineEvent, MachineNetwork, MachineNetworkKind, MachineState};
use model::{Allocation, NetworkId, ProjectId, Tags, tags};
use std::sync::Arc;

fn here(o: &mut Observed, machine: Machine) {
    o.rooms[0].reach = Reach::Open { named: Named::Here(Arc::new(machine)), mine: Vec::new() };
}

fn missing(o: &mut Observed, named: Named) {
    o.rooms[0].reach = Reach::Open { named, mine: Vec::new() };
}

fn ready_of(status: &MetalStackMachineStatus) -> (ConditionStatus, Reason) {
    let (is, reason, _) = condition(status, ConditionType::Ready);
    (is, reason)
}

#[test]
fn a_running_machine_is_ready_and_a_second_look_changes_nothing() {
    let mut o = running();
    let (rest, said) = rests(decide(&o, at(0)));
    assert_eq!(rest, Rest::Interval);
    assert_eq!(ready_of(&said), (ConditionStatus::True, Reason::Provisioned));
    assert_eq!((said.ready, said.initialization), (true, Some(Initialization { provisioned: Some(true) })));
    assert_eq!(said.failure_domain.as_deref(), Some("muc-a"));
    say(&mut o, said.clone());
    assert_eq!(rests(decide(&o, at(1000))).1, said);
}

#[test]
fn conditions_are_rebuilt_when_the_status_was_lost() {
    let mut o = running();
    let said = status(&o);
    o.object = {
        let mut object = (*o.object).clone();
        object.status = None;
        Arc::new(object)
    };
    assert_eq!(status(&o), said);
}

#[test]
fn the_health_of_a_machine() {
    type Spoil = fn(&mut Machine);
    let table: [(Reason, Spoil); 4] = [
        (Reason::NotAlive, |m| m.alive = false),
        (Reason::CrashLoop, |m| m.crash_loop = true),
        (Reason::ReclaimFailed, |m| m.failed_reclaim = true),
        (Reason::WaitingForPhoneHome, |m| m.phoned_home = false),
    ];
    for (reason, spoil) in table {
        let mut o = running();
        let mut machine = server(1);
        spoil(&mut machine);
        here(&mut o, machine);
        let said = status(&o);
        assert_eq!(condition(&said, ConditionType::MachineAllocated).0, ConditionStatus::True);
        let (is, why, message) = condition(&said, ConditionType::MachineHealthy);
        assert_eq!((is, why), (ConditionStatus::False, reason), "{message}");
        assert_eq!(ready_of(&said), (ConditionStatus::False, reason));
        assert_eq!((said.ready, said.initialization), (false, None), "never was provisioned");

        // Once provisioned it stays so.
        let mut o = running();
        let before = status(&o);
        say(&mut o, before);
        let mut machine = server(1);
        spoil(&mut machine);
        here(&mut o, machine);
        let said = status(&o);
        assert_eq!(ready_of(&said), (ConditionStatus::False, reason));
        assert_eq!((said.ready, said.initialization), (true, Some(Initialization { provisioned: Some(true) })));
    }
}

#[test]
fn a_machine_on_its_way_says_how_far_it_is_and_is_looked_at_soon() {
    let mut o = running();
    let last_event = Some(MachineEvent { event: "Installing".to_owned(), time: None });
    here(&mut o, Machine { phoned_home: false, last_event, ..server(1) });
    let (rest, said) = rests(decide(&o, at(3599)));
    assert_eq!(rest, Rest::Soon);
    assert_eq!(rests(decide(&o, at(3600))).0, Rest::Interval, "it will not come by looking");
    assert!(condition(&said, ConditionType::Ready).2.contains("Installing"));
}

#[test]
fn a_lock_is_said_and_is_no_illness() {
    let mut o = running();
    here(&mut o, Machine { state: MachineState::Locked, state_description: "audit".into(), ..server(1) });
    let (is, _, message) = condition(&status(&o), ConditionType::MachineHealthy);
    assert_eq!(is, ConditionStatus::True);
    assert!(message.contains("locked") && message.contains("audit"), "{message}");
}

#[test]
fn d61_addresses_of_all_kinds_of_networks() {
    let network = |kind, ips: &[&str]| MachineNetwork {
        network: NetworkId::parse("n").unwrap(),
        kind,
        ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
    };
    let networks = vec![
        network(MachineNetworkKind::External, &["198.18.0.2"]),
        network(MachineNetworkKind::PrivatePrimaryShared, &["10.0.0.9", "10.0.0.3"]),
        network(MachineNetworkKind::PrivateSecondaryShared, &["10.1.0.1"]),
        network(MachineNetworkKind::Underlay, &["172.16.0.1"]),
    ];
    let mut o = running();
    here(&mut o, Machine { networks, ..server(1) });
    let said: Vec<_> = status(&o).addresses.into_iter().map(|a| (a.type_, a.address)).collect();
    use AddressType::{ExternalIp, Hostname, InternalIp};
    let wanted = [(Hostname, "shop-1"), (InternalIp, "10.0.0.3"), (InternalIp, "10.0.0.9"), (ExternalIp, "198.18.0.2")];
    assert_eq!(said, wanted.map(|(type_, address)| (type_, address.to_owned())));
}

#[test]
fn d49_an_edit_of_a_live_machine_is_said_and_not_acted_on() {
    let mut o = running();
    change(&mut o, |m| (m.spec.image, m.spec.size) = ("capms-ubuntu-1.35.0".into(), "c1-large-x86".into()));
    let said = status(&o);
    let (is, _, message) = condition(&said, ConditionType::MachineAllocated);
    assert_eq!(is, ConditionStatus::True);
    assert!(message.contains("capms-ubuntu-1.35.0") && message.contains("c1-large-x86"), "{message}");
    assert_eq!(ready_of(&said).0, ConditionStatus::True);
    // The short form of an image means its newest patch, and a given machine has the size it has.
    let mut o = running();
    change(&mut o, |m| (m.spec.image, m.spec.size) = ("capms-ubuntu-1.34".into(), "x".into()));
    change(&mut o, |m| m.spec.machine_uuid = Some(id(1).to_string()));
    assert!(!condition(&status(&o), ConditionType::MachineAllocated).2.contains("spec"));
}

#[test]
fn what_capms_allocated_is_taken_over_by_notes_alone() {
    let mut o = running();
    here(&mut o, by_capms(1));
    for key in [names::PROJECT, names::ALLOCATION, names::ATTEMPT] {
        annotate(&mut o, key, None);
    }
    let allocation = Some(server(1).allocation);
    assert_eq!(act(&o), Action::Note { project: project(), credentials: None, allocation });
    annotate(&mut o, names::PROJECT, Some(PROJECT));
    annotate(&mut o, names::ALLOCATION, Some("allocation-1"));
    assert_eq!(ready_of(&status(&o)).0, ConditionStatus::True);
}

/// CAPMS 0.3.1 to 0.5, and before.
#[test]
fn what_capms_of_old_allocated_is_recognised() {
    for (key, value) in [(tags::MACHINE_RESOURCE, "default/shop-1"), (MACHINE_UID, "u")] {
        let mut o = running();
        here(&mut o, Machine { tags: Tags::new().with(key, value), ..server(1) });
        for key in [names::PROJECT, names::ALLOCATION, names::ATTEMPT] {
            annotate(&mut o, key, None);
        }
        let allocation = Some(server(1).allocation);
        assert_eq!(act(&o), Action::Note { project: project(), credentials: None, allocation });
        annotate(&mut o, names::PROJECT, Some(PROJECT));
        annotate(&mut o, names::ALLOCATION, Some("allocation-1"));
        assert_eq!(ready_of(&status(&o)).0, ConditionStatus::True);
    }
}

#[test]
fn a_machine_that_a_person_gave_is_used_and_its_allocation_is_not_ours() {
    let mut o = running();
    here(&mut o, Machine { tags: Tags::new(), ..server(1) });
    annotate(&mut o, names::ALLOCATION, None);
    assert_eq!(ready_of(&status(&o)).0, ConditionStatus::True);
}

#[test]
fn nothing_holds_up_a_move_once_the_machine_is_known() {
    let mut o = running();
    annotate(&mut o, names::BLOCK_MOVE, Some(""));
    assert!(matches!(act(&o), Action::Note { .. }));
}

#[test]
fn other_credentials_are_noted() {
    let mut o = running();
    infrastructure(&mut o, |i| i.spec.credentials_ref = Some(crate::api::CredentialsRef { name: "tenant".into() }));
    assert!(matches!(act(&o), Action::Note { credentials: Some(name), .. } if name == "tenant"));
}

#[test]
fn d7_labels_are_a_step_of_their_own_and_a_refusal_of_them_holds_up_nothing() {
    let mut o = running();
    here(&mut o, Machine { rack: "rack 7/left".into(), asn: None, ..server(1) });
    change(&mut o, |m| {
        m.metadata.labels.as_mut().unwrap().retain(|key, _| !key.starts_with("machine.metal-stack.io/"))
    });
    let Action::Label(labels) = act(&o) else { panic!() };
    let rack = ("machine.metal-stack.io/rack", "rack-7-left".to_owned());
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), [rack]);
    o.labels_refused = true;
    assert_eq!(ready_of(&status(&o)).0, ConditionStatus::True);
    // What a policy or a person made of them is theirs: two writers of one label never rest.
    let mut o = running();
    change(&mut o, |m| {
        m.metadata.labels.get_or_insert_default().insert("machine.metal-stack.io/rack".into(), "theirs".into());
    });
    assert_eq!(ready_of(&status(&o)).0, ConditionStatus::True);
}

#[test]
fn what_cannot_be_read_changes_nothing_that_was_said() {
    for reason in [Reason::MetalApiUnreachable, Reason::Unauthorized, Reason::CredentialsMissing] {
        let mut o = running();
        let before = status(&o);
        say(&mut o, before.clone());
        closed(&mut o, reason);
        assert_eq!(status(&o), before);

        let mut o = running();
        closed(&mut o, reason);
        assert_eq!(ready_of(&status(&o)), (ConditionStatus::False, reason), "never was ready");
    }
    // CAPMS said ready, and had no such condition: nothing says that it is not.
    let mut o = running();
    say(&mut o, MetalStackMachineStatus { ready: true, ..Default::default() });
    closed(&mut o, Reason::MetalApiUnreachable);
    assert!(!status(&o).conditions.iter().any(|c| c.type_ == "Ready"));
    let mut o = running();
    let before = status(&o);
    say(&mut o, before.clone());
    o.rooms[0].reach = Reach::Suspect("5 of 6".into());
    assert_eq!(status(&o), before);
}

#[test]
fn r15_absence_is_concluded_from_two_readings_and_a_direct_look_and_can_be_taken_back() {
    let mut o = running();
    let before = status(&o);
    say(&mut o, before.clone());
    missing(&mut o, Named::Missing);
    assert_eq!(rests(decide(&o, at(0))), (Rest::Interval, before));
    missing(&mut o, Named::MissingTwice);
    assert_eq!(act(&o), Action::Look { project: project(), id: id(1) });

    o.rooms[0].looked.insert(id(1), None);
    let lost = status(&o);
    assert_eq!(condition(&lost, ConditionType::MachineAllocated).1, Reason::DeletedExternally);
    assert_eq!(ready_of(&lost), (ConditionStatus::False, Reason::DeletedExternally));
    assert_eq!(lost.failure_reason.as_deref(), Some("UpdateError"));
    assert!(lost.failure_message.as_ref().unwrap().contains(id(1).as_str()));
    assert!(lost.ready, "provisioned once");

    // That is not asked again at every reading.
    o.rooms[0].looked.clear();
    missing(&mut o, Named::Gone(None));
    assert_eq!(status(&o), lost);

    // The next reading has it, unchanged.
    say(&mut o, lost);
    here(&mut o, server(1));
    let back = status(&o);
    assert_eq!(ready_of(&back), (ConditionStatus::True, Reason::Provisioned));
    assert_eq!((back.failure_reason, back.failure_message), (None, None));
}

/// The first start may be with the address of another metal-api: what CAPMS allocated must not fail for it.
#[test]
fn r15_a_machine_that_was_never_seen_is_not_said_to_be_lost() {
    for gone in [None, Some(Arc::new(Machine { project: ProjectId::parse(OTHER_PROJECT).unwrap(), ..server(1) }))] {
        let mut o = running();
        annotate(&mut o, names::ALLOCATION, None);
        say(&mut o, MetalStackMachineStatus { ready: true, ..Default::default() });
        missing(&mut o, Named::Gone(gone));
        let said = status(&o);
        assert_eq!(said.failure_reason, None);
        let (is, reason, message) = condition(&said, ConditionType::MachineAllocated);
        assert_eq!(is, ConditionStatus::Unknown);
        assert!(
            matches!(reason, Reason::DeletedExternally | Reason::BelongsToOther) && message.contains("METAL_API_URL")
        );
        say(&mut o, said.clone());
        assert_eq!(status(&o), said);
    }
}

#[test]
fn a_look_that_fails_concludes_nothing() {
    let mut o = running();
    let before = status(&o);
    say(&mut o, before.clone());
    missing(&mut o, Named::MissingTwice);
    o.memory.failed(failure(Reason::MetalApiUnreachable), at(0), std::time::Duration::from_secs(60));
    assert_eq!(status(&o), before);
}

#[test]
fn a_machine_of_somebody_else_is_not_ours_any_more() {
    let other_project = ProjectId::parse(OTHER_PROJECT).unwrap();
    let of_other = Tags::new().with(tags::MACHINE_RESOURCE, "default.shop-2");
    let of_engine = server(1).tags.with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE);
    let table = [
        Machine { allocation: Allocation::parse("later").unwrap(), ..server(1) },
        Machine { project: other_project, ..server(1) },
        Machine { tags: of_other, ..server(1) },
        Machine { tags: of_engine, ..server(1) },
        Machine { role: model::metal::MachineRole::Firewall, ..server(1) },
    ];
    for machine in table {
        let mut o = running();
        let before = status(&o);
        say(&mut o, before.clone());
        missing(&mut o, Named::Missing);
        assert_eq!(status(&o), before, "one reading says nothing");
        missing(&mut o, Named::MissingTwice);
        assert!(matches!(act(&o), Action::Look { .. }));
        o.rooms[0].looked.insert(id(1), Some(Arc::new(machine.clone())));
        let looked = status(&o);
        o.rooms[0].looked.clear();
        missing(&mut o, Named::Gone(Some(Arc::new(machine))));
        let said = status(&o);
        assert_eq!(said, looked);
        assert_eq!(condition(&said, ConditionType::MachineAllocated).1, Reason::BelongsToOther);
        assert!(said.failure_reason.is_some());
    }
}

#[test]
fn a_provider_id_that_names_nothing_is_said() {
    let mut o = running();
    change(&mut o, |m| m.spec.provider_id = Some("metal://muc-a/host-7".into()));
    let said = status(&o);
    assert_eq!(ready_of(&said), (ConditionStatus::False, Reason::InvalidSpec));
}

/// I1: an allocation that was given up and completed later.
#[test]
fn i1_another_machine_of_the_same_attempt_is_freed_while_it_is_young() {
    let both = |o: &mut Observed, other: Machine| {
        let mine = vec![Arc::new(server(1)), Arc::new(other)];
        o.rooms[0].reach = Reach::Open { named: Named::Here(Arc::new(server(1))), mine };
    };
    let mut o = running();
    both(&mut o, server(2));
    let proof = Tags::new().with(tags::MACHINE_RESOURCE, "default.shop-1");
    let free = Action::Free { project: project(), id: id(2), allocation: server(2).allocation, proof };
    assert_eq!(act(&o), free);
    o.rooms[0].looked.insert(id(2), None);
    assert_eq!(condition(&status(&o), ConditionType::MachineAllocated).1, Reason::Allocated);

    o.rooms[0].looked.clear();
    assert_eq!(acts(decide(&o, at(3599))), free);
    let old = rests(decide(&o, at(3600))).1;
    let (is, reason, message) = condition(&old, ConditionType::MachineAllocated);
    assert_eq!((is, reason), (ConditionStatus::True, Reason::Ambiguous));
    assert!(message.contains(id(2).as_str()), "{message}");
    assert_eq!(ready_of(&old).0, ConditionStatus::True);

    let locked = Machine { state: MachineState::Locked, ..server(2) };
    both(&mut o, locked);
    assert_eq!(condition(&status(&o), ConditionType::MachineAllocated).1, Reason::Ambiguous);
    // Another machine's, another attempt's, CAPMS's.
    let attempt = server(2).tags.with(tags::ATTEMPT, "00000000-93d4-4a51-9a3e-6c7c9d0f1b11");
    for other in [Machine { tags: attempt, ..server(2) }, by_capms(2)] {
        both(&mut o, other);
        assert_eq!(condition(&status(&o), ConditionType::MachineAllocated).1, Reason::Allocated);
    }
    both(&mut o, server(2));
    let resource = crate::machine::identity::Resource::of("default", "shop-2");
    o.siblings = vec![crate::machine::observed::Sibling { resource, id: Some(id(2)) }];
    assert_eq!(condition(&status(&o), ConditionType::MachineAllocated).1, Reason::Allocated);
}

#[test]
fn d14_a_provider_id_that_was_taken_out_comes_back_or_nothing_is_allocated() {
    let mut o = running();
    change(&mut o, |m| m.spec.provider_id = None);
    annotate(&mut o, names::ATTEMPT, None);
    o.rooms = vec![room(Named::Nothing)];
    assert!(matches!(act(&o), Action::Search { .. }));
    let searched = |mine: Vec<Machine>| {
        let mine = mine.into_iter().map(Arc::new).collect();
        Some(crate::machine::observed::Search { at: at(0), mine, control_planes: vec![] })
    };
    for mine in [vec![by_capms(1)], vec![by_capms(2), by_capms(1)]] {
        o.rooms[0].searched = searched(mine);
        assert!(matches!(act(&o), Action::Persist { provider_id: p, .. } if p == provider_id(1)));
    }
    o.rooms[0].searched = searched(vec![by_capms(2)]);
    assert_eq!(held(&o).0, Reason::Claimed);
    o.rooms[0].searched = searched(vec![]);
    assert_eq!(held(&o).0, Reason::DeletedExternally);
    // The same where only the status tells.
    annotate(&mut o, names::ALLOCATION, None);
    say(&mut o, MetalStackMachineStatus { ready: true, ..Default::default() });
    assert_eq!(held(&o).0, Reason::DeletedExternally);
}

#[test]
fn an_allocation_that_metal_api_does_not_tell_is_not_noted_and_not_compared() {
    let untold = || Machine { allocation: Allocation::parse("none").unwrap(), ..server(1) };
    for noted in [Some("allocation-1"), Some("none"), None] {
        let mut o = running();
        here(&mut o, untold());
        annotate(&mut o, names::ALLOCATION, noted);
        assert_eq!(ready_of(&status(&o)).0, ConditionStatus::True, "{noted:?}");
    }
    let mut o = running();
    annotate(&mut o, names::ALLOCATION, Some("none"));
    assert!(matches!(act(&o), Action::Note { allocation: Some(told), .. } if told == server(1).allocation));
}

#[test]
fn d6_a_cleared_provider_id_allocates_nothing_while_the_machine_is_there() {
    let mut o = running();
    change(&mut o, |m| m.spec.provider_id = Some(String::new()));
    o.memory.unsettled_since = Some(at(-100));
    o.rooms = vec![room(Named::Nothing)];
    o.rooms[0].searched =
        Some(crate::machine::observed::Search { at: at(0), mine: vec![Arc::new(server(1))], control_planes: vec![] });
    assert!(matches!(act(&o), Action::Persist { provider_id: p, .. } if p == provider_id(1)));
}
