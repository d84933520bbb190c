//! The deletion.

use super::fixture::*;
use crate::api::MetalStackMachineStatus;
use crate::machine::Action;
use crate::machine::decide::decide;
use crate::machine::identity::MACHINE_UID;
use crate::machine::observed::{Named, Observed, Reach, Search};
use crate::reason::Reason;
use crate::step::{Decision, Memory, Rest, Step};
use crate::{ConditionType, names};
use model::metal::{Machine, MachineRole, MachineState};
use model::{Allocation, ProjectId, Tags, tags};
use std::sync::Arc;
use std::time::Duration;

fn looked(o: &mut Observed, machine: Option<Machine>) {
    o.rooms[0].looked.insert(id(1), machine.map(Arc::new));
}

fn searched(o: &mut Observed, at_second: i64, mine: Vec<Machine>) {
    let mine = mine.into_iter().map(Arc::new).collect();
    o.rooms[0].searched = Some(Search { at: at(at_second), mine, control_planes: vec![] });
}

/// Deleted before its providerID was written.
fn unwritten() -> Observed {
    let mut o = ending();
    change(&mut o, |m| m.spec.provider_id = None);
    annotate(&mut o, names::ALLOCATION, None);
    o.rooms = vec![room(Named::Nothing)];
    o.memory = Memory { unsettled_since: Some(at(-60)), ..Memory::default() };
    o
}

fn free(n: u32) -> Action {
    let Machine { allocation, .. } = server(n);
    Action::Free {
        project: project(),
        id: id(n),
        allocation,
        proof: Tags::new().with(tags::MACHINE_RESOURCE, "default.shop-1"),
    }
}

fn waits(o: &Observed) -> (Reason, String) {
    deleting(&status(o))
}

fn deleting(said: &MetalStackMachineStatus) -> (Reason, String) {
    assert_eq!(condition(said, ConditionType::Ready).1, Reason::Deleting);
    let (_, reason, message) = condition(said, ConditionType::Deleting);
    (reason, message)
}

#[test]
fn d19_d20_a_machine_is_freed_when_nothing_but_its_object_is_left() {
    let mut o = ending();
    (o.owner, o.cluster, o.infrastructure) = (None, None, None);
    assert_eq!(act(&o), Action::Look { project: project(), id: id(1) });
    looked(&mut o, Some(server(1)));
    assert_eq!(act(&o), free(1));
    looked(&mut o, None);
    assert_eq!(act(&o), Action::RemoveFinalizer);
}

#[test]
fn what_capms_allocated_is_freed_as_well() {
    let mut o = ending();
    annotate(&mut o, names::ATTEMPT, None);
    annotate(&mut o, names::ALLOCATION, None);
    looked(&mut o, Some(by_capms(1)));
    assert_eq!(act(&o), free(1));
}

/// CAPMS 0.3.1 to 0.5 wrote `<namespace>/<name>`, and before that the UID of the object.
#[test]
fn what_capms_of_old_allocated_is_freed_by_what_it_says() {
    let forms = [
        (tags::MACHINE_RESOURCE, "default/shop-1", true),
        (MACHINE_UID, "u", true),
        (tags::MACHINE_RESOURCE, "default/shop-2", false),
        (MACHINE_UID, "another", false),
        (MACHINE_UID, "before the move", true),
    ];
    for (key, value, is_freed) in forms {
        let mut o = ending();
        annotate(&mut o, names::ATTEMPT, None);
        annotate(&mut o, names::ALLOCATION, None);
        let Machine { allocation, .. } = server(1);
        if value == "before the move" {
            annotate(&mut o, names::ALLOCATION, Some("allocation-1"));
        }
        looked(&mut o, Some(Machine { tags: Tags::new().with(key, value), ..server(1) }));
        let proof = Tags::new().with(key, value);
        let free = Action::Free { project: project(), id: id(1), allocation, proof };
        let step = decide(&o, at(0)).step;
        assert_eq!(step == Step::Act(free), is_freed, "{key}={value}: {step:?}");
    }
}

#[test]
fn never_allocated_goes_at_once() {
    let mut o = unwritten();
    annotate(&mut o, names::ATTEMPT, None);
    annotate(&mut o, names::PROJECT, None);
    closed(&mut o, Reason::MetalApiUnreachable);
    assert_eq!(act(&o), Action::RemoveFinalizer, "it needs no metal-api");
    (o.owner, o.cluster, o.infrastructure, o.rooms) = (None, None, None, vec![]);
    assert_eq!(act(&o), Action::RemoveFinalizer);
    change(&mut o, |m| m.metadata.finalizers = None);
    assert_eq!(decide(&o, at(0)), Decision::leave());
}

#[test]
fn d4_what_was_allocated_and_not_written_down_is_found_and_freed() {
    let mut o = unwritten();
    o.memory = Memory::default();
    assert_eq!(act(&o), Action::NoteAttempt);
    o.memory.unsettled_since = Some(at(0));
    assert_eq!(act(&o), Action::Search { project: project(), control_planes: false });
    searched(&mut o, 0, vec![server(1), server(2)]);
    assert_eq!(act(&o), free(1));
    looked(&mut o, None);
    assert_eq!(act(&o), free(2));
    o.rooms[0].looked.insert(id(2), None);
    assert_eq!(act(&o), Action::RemoveFinalizer);
}

#[test]
fn an_allocation_under_way_is_waited_for() {
    let mut o = unwritten();
    o.memory.unsettled_since = Some(at(0));
    for claimed in [vec![], vec![by_capms(1)]] {
        searched(&mut o, 0, claimed);
        let (rest, said) = rests(decide(&o, at(0)));
        assert_eq!(rest, Rest::After(SETTLE));
        assert_eq!(deleting(&said).0, Reason::WaitingForUnknownOutcome);
        searched(&mut o, 30, vec![]);
        assert_eq!(acts(decide(&o, at(30))), Action::RemoveFinalizer);
    }
}

#[test]
fn a_duplicate_that_came_late_is_freed_with_the_machine() {
    let mut o = ending();
    let mine = vec![Arc::new(server(1)), Arc::new(server(2))];
    o.rooms[0].reach = Reach::Open { named: Named::Here(Arc::new(server(1))), mine };
    looked(&mut o, None);
    assert_eq!(act(&o), free(2));
}

#[test]
fn d13_nothing_of_somebody_else_is_freed() {
    let engine = server(1).tags.with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE);
    let table = [
        Machine { project: ProjectId::parse(OTHER_PROJECT).unwrap(), ..server(1) },
        Machine { allocation: Allocation::parse("later").unwrap(), ..server(1) },
        Machine { tags: engine, ..server(1) },
        Machine { tags: Tags::new(), ..server(1) },
        Machine { tags: Tags::new().with(tags::MACHINE_RESOURCE, "default.shop-2"), ..server(1) },
        Machine { role: MachineRole::Firewall, ..server(1) },
    ];
    for machine in table {
        let mut o = ending();
        looked(&mut o, Some(machine.clone()));
        let decided = decide(&o, at(0));
        assert!(!matches!(decided.step, Step::Act(Action::Free { .. })), "{machine:?}");
        if matches!(decided.step, Step::Rest(_)) {
            say(&mut o, rests(decided).1);
        }
        assert_eq!(act(&o), Action::RemoveFinalizer, "{machine:?}");
    }
    let mut adopted = ending();
    annotate(&mut adopted, names::ORIGIN, Some(names::ADOPTED));
    looked(&mut adopted, Some(server(1)));
    assert_eq!(act(&adopted), free(1), "what we allocated is ours, whatever a template's annotations say");
    looked(&mut adopted, Some(by_capms(1)));
    assert_eq!(act(&adopted), Action::RemoveFinalizer);
    annotate(&mut adopted, names::ATTEMPT, None);
    adopted.rooms.clear();
    assert_eq!(act(&adopted), Action::RemoveFinalizer);
}

/// What stays although it may be the object's is told before the object goes.
#[test]
fn what_nothing_proves_to_be_ours_stays_and_a_person_hears_of_it() {
    let given = Machine { tags: Tags::new(), ..server(1) };
    let again = Machine { allocation: Allocation::parse("later").unwrap(), ..server(1) };
    let of_others = Tags::new().with(tags::MACHINE_RESOURCE, "default.shop-2");
    let of_engine = server(1).tags.with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE);
    let table = [
        (given, true),
        (again, true),
        (Machine { tags: of_others, ..server(1) }, false),
        (Machine { tags: of_engine, ..server(1) }, false),
    ];
    for (machine, is_told) in table {
        let mut o = ending();
        looked(&mut o, Some(machine.clone()));
        if is_told {
            let (rest, said) = rests(decide(&o, at(0)));
            let (reason, message) = deleting(&said);
            assert_eq!((rest, reason), (Rest::Soon, Reason::LeftBehind));
            assert!(message.contains(id(1).as_str()), "{message}");
            say(&mut o, said);
        }
        assert_eq!(act(&o), Action::RemoveFinalizer, "{machine:?}");
    }
    // Found by its name alone: D4, of CAPMS, whose objects have no attempt.
    let mut capms = unwritten();
    annotate(&mut capms, names::PROJECT, None);
    annotate(&mut capms, names::ATTEMPT, None);
    for mut o in [unwritten(), capms] {
        assert!(matches!(act(&o), Action::Search { .. }));
        searched(&mut o, 0, vec![by_capms(1)]);
        assert_eq!(waits(&o).0, Reason::LeftBehind);
    }
    // A control plane says it after its routes are gone, and only then goes.
    let mut o = unwritten();
    control_plane(&mut o);
    searched(&mut o, 0, vec![server(1), by_capms(2)]);
    assert_eq!(act(&o), free(1));
    looked(&mut o, None);
    for (second, reason) in [(0, Reason::WaitingForRouteConvergence), (30, Reason::LeftBehind)] {
        let said = rests(decide(&o, at(second))).1;
        assert_eq!(deleting(&said).0, reason);
        say(&mut o, said);
    }
    assert_eq!(acts(decide(&o, at(30))), Action::RemoveFinalizer);
}

#[test]
fn d14_a_machine_whose_provider_id_was_taken_out_is_freed_by_its_noted_allocation() {
    let mut o = ending();
    change(&mut o, |m| m.spec.provider_id = None);
    annotate(&mut o, names::ATTEMPT, None);
    o.rooms = vec![room(Named::Nothing)];
    assert!(matches!(act(&o), Action::Search { .. }));
    searched(&mut o, 0, vec![by_capms(1), by_capms(2)]);
    assert_eq!(act(&o), free(1));
    looked(&mut o, None);
    assert_eq!(waits(&o).0, Reason::LeftBehind);
    closed(&mut o, Reason::MetalApiUnreachable);
    assert_eq!(waits(&o).0, Reason::MetalApiUnreachable, "it had one");
}

#[test]
fn d21_a_machine_that_is_gone_already_is_no_obstacle() {
    let mut o = ending();
    looked(&mut o, None);
    assert_eq!(act(&o), Action::RemoveFinalizer);
}

#[test]
fn d25_a_locked_machine_is_said_and_waited_for() {
    let mut o = ending();
    looked(&mut o, Some(Machine { state: MachineState::Locked, state_description: "audit".into(), ..server(1) }));
    let (reason, message) = waits(&o);
    assert_eq!(reason, Reason::MachineLocked);
    assert!(message.contains("audit") && message.contains(id(1).as_str()), "{message}");
}

#[test]
fn what_cannot_be_read_is_not_freed_and_not_forgotten() {
    for reason in [Reason::MetalApiUnreachable, Reason::ProjectNotAllowed, Reason::CredentialsMissing] {
        let mut o = ending();
        closed(&mut o, reason);
        assert_eq!(waits(&o).0, reason);
    }
    let mut o = ending();
    o.rooms[0].reach = Reach::Suspect("another metal-api".into());
    assert_eq!(waits(&o).0, Reason::Suspect);
    let mut o = ending();
    o.memory.failed(failure(Reason::MetalApiBusy), at(0), Duration::from_secs(60));
    assert_eq!(waits(&o).0, Reason::MetalApiBusy);
}

#[test]
fn without_a_project_every_one_of_the_map_is_searched_else_a_person_is_asked() {
    let mut o = ending();
    o.infrastructure = None;
    annotate(&mut o, names::PROJECT, None);
    o.rooms = vec![];
    let (reason, message) = waits(&o);
    assert_eq!(reason, Reason::ProjectUnknown);
    assert!(message.contains(names::PROJECT), "{message}");

    let other = ProjectId::parse(OTHER_PROJECT).unwrap();
    let mut second = room(Named::Nothing);
    second.project = other.clone();
    o.rooms = vec![room(Named::Nothing), second];
    looked(&mut o, None);
    assert_eq!(act(&o), Action::Look { project: other.clone(), id: id(1) });
    let there = Machine { project: other.clone(), ..server(1) };
    o.rooms[1].looked.insert(id(1), Some(Arc::new(there)));
    assert!(matches!(act(&o), Action::Free { project, .. } if project == other));
    o.rooms[1].looked.insert(id(1), None);
    assert_eq!(act(&o), Action::RemoveFinalizer);
}

#[test]
fn r22_a_control_plane_outlives_its_server_until_routes_are_gone() {
    let mut o = ending();
    control_plane(&mut o);
    // Something else was waited for before: the clock begins when the server is freed.
    looked(&mut o, Some(Machine { state: MachineState::Locked, ..server(1) }));
    let locked = rests(decide(&o, at(-100))).1;
    say(&mut o, locked);
    looked(&mut o, None);
    let (rest, said) = rests(decide(&o, at(0)));
    assert_eq!(rest, Rest::After(GRACE));
    assert_eq!(deleting(&said).0, Reason::WaitingForRouteConvergence);
    say(&mut o, said.clone());
    // A restart forgets nothing of it.
    o.memory = Memory::default();
    assert_eq!(rests(decide(&o, at(10))), (Rest::After(Duration::from_secs(20)), said));
    // Nor does metal-api matter any more.
    closed(&mut o, Reason::MetalApiUnreachable);
    let as_said = o.object.status.clone().unwrap();
    assert_eq!(rests(decide(&o, at(10))), (Rest::After(Duration::from_secs(20)), as_said));
    assert_eq!(acts(decide(&o, at(30))), Action::RemoveFinalizer);
    // The clock of another process was ahead: it begins anew.
    o.rooms = vec![room(Named::Nothing)];
    looked(&mut o, None);
    let (rest, said) = rests(decide(&o, at(-1000)));
    assert_eq!(rest, Rest::After(GRACE));
    say(&mut o, said);
    assert_eq!(acts(decide(&o, at(-970))), Action::RemoveFinalizer);
}

#[test]
fn a_control_plane_that_never_had_a_server_does_not_wait() {
    let mut o = unwritten();
    control_plane(&mut o);
    searched(&mut o, 0, vec![]);
    assert_eq!(act(&o), Action::RemoveFinalizer);
}

#[test]
fn paused_while_deleting_nothing_happens() {
    let mut o = ending();
    Arc::make_mut(o.cluster.as_mut().unwrap()).spec.paused = Some(true);
    looked(&mut o, Some(server(1)));
    assert_eq!(rests(decide(&o, at(0))).0, Rest::Change);
}
