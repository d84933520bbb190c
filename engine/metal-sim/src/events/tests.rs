use super::*;
use EventKind as E;

const INSTALL: [E; 7] =
    [E::PxeBooting, E::Preparing, E::Registering, E::Waiting, E::Installing, E::BootingNewKernel, E::PhonedHome];

/// One event per second, `(event, seconds to wait before it)`.
fn run(sequence: impl IntoIterator<Item = (E, i64)>) -> Events {
    let mut now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut events = Events::default();
    for (kind, wait) in sequence {
        now = now.checked_add(SignedDuration::from_secs(wait)).unwrap();
        receive(&mut events, kind, "", now);
    }
    events
}

fn soon(kinds: &[E]) -> Vec<(E, i64)> {
    kinds.iter().map(|kind| (*kind, 1)).collect()
}

fn after_install(kinds: &[E]) -> Events {
    run([soon(&INSTALL), soon(kinds)].concat())
}

fn newest(events: &Events) -> &str {
    &events.log[0].event
}

#[test]
fn an_installation_is_logged_newest_first_without_errors() {
    let events = run(soon(&INSTALL));
    let shown: Vec<&str> = events.log.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(
        shown,
        ["Phoned Home", "Booting New Kernel", "Installing", "Waiting", "Registering", "Preparing", "PXE Booting"]
    );
    assert!(events.last_error_event.is_none() && !events.crash_loop);
}

#[test]
fn repeated_phone_homes_are_swallowed_and_alive_is_an_error_event() {
    let events = after_install(&[E::PhonedHome, E::Alive]);
    assert_eq!(events.log.iter().filter(|event| event.event == "Phoned Home").count(), 1);
    assert!(!events.crash_loop);
    assert_eq!(events.last_error_event.unwrap().event, "Alive");
}

#[test]
fn after_a_planned_reboot_the_system_phones_home_a_second_time() {
    let events = after_install(&[E::PlannedReboot]);
    assert_eq!((newest(&events), events.crash_loop), ("Planned Reboot", false));
    let events = after_install(&[E::PlannedReboot, E::PhonedHome]);
    assert_eq!((newest(&events), events.crash_loop), ("Phoned Home", false));
    assert_eq!(events.log.iter().filter(|event| event.event == "Phoned Home").count(), 2);
}

#[test]
fn a_phone_home_after_pxe_booting_is_swallowed() {
    let events = after_install(&[E::PlannedReboot, E::PxeBooting, E::PhonedHome]);
    assert_eq!((newest(&events), events.crash_loop), ("PXE Booting", false));
    let events = after_install(&[E::PxeBooting, E::PhonedHome]);
    assert_eq!((newest(&events), events.crash_loop), ("PXE Booting", true));
    assert_eq!(events.last_error_event.unwrap().message, "[unexpectedly received in phoned home]");
}

#[test]
fn a_late_phone_home_after_a_reclaim_means_it_failed() {
    let events = after_install(&[E::MachineReclaim, E::PhonedHome]);
    assert_eq!((newest(&events), events.failed_machine_reclaim), ("Machine Reclaim", false));
    let late = [soon(&INSTALL), vec![(E::MachineReclaim, 1), (E::PhonedHome, 301)]].concat();
    let events = run(late.clone());
    assert_eq!((newest(&events), events.failed_machine_reclaim), ("Machine Reclaim", true));
    assert!(!events.crash_loop);
    assert!(!run([late, soon(&[E::PxeBooting])].concat()).failed_machine_reclaim);
}

#[test]
fn a_crash_loop_lasts_until_the_next_phone_home() {
    let crashed = [&INSTALL[..5], &[E::Crashed], &INSTALL[..4]].concat();
    let events = run(soon(&crashed));
    assert_eq!((newest(&events), events.crash_loop), ("Waiting", true));
    let events = run(soon(&[&crashed[..], &INSTALL[4..]].concat()));
    assert_eq!((newest(&events), events.crash_loop), ("Phoned Home", false));
}

#[test]
fn a_waiting_machine_may_phone_home_late() {
    let events = run([soon(&INSTALL[..4]), vec![(E::PhonedHome, 301)]].concat());
    assert_eq!((newest(&events), events.crash_loop), ("Phoned Home", false));
    let events = run([soon(&INSTALL[..4]), vec![(E::PhonedHome, 299)]].concat());
    assert_eq!(newest(&events), "Waiting");
}

#[test]
fn at_most_twenty_are_shown() {
    let reboots = [E::PlannedReboot; 30];
    assert_eq!(after_install(&reboots).log.len(), 20);
}
