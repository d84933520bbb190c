//! metal-api's provisioning state machine: which event follows which, and what it does to crash loop and liveliness.

use jiff::{SignedDuration, Timestamp};
use metal_api::wire::{Event, Events, Time};
use serde::{Deserialize, Serialize};

/// As many are shown; more are kept nowhere, since nothing else looks at them.
const SHOWN_MAX: usize = 20;
/// A phone-home of the former system may come as late as this without meaning anything.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// What a machine reports, or metal-api about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum EventKind {
    PxeBooting,
    Preparing,
    Registering,
    Waiting,
    Installing,
    BootingNewKernel,
    PhonedHome,
    Alive,
    Crashed,
    PlannedReboot,
    MachineReclaim,
}

impl EventKind {
    pub(crate) const ALL: [Self; 11] = [
        Self::PxeBooting,
        Self::Preparing,
        Self::Registering,
        Self::Waiting,
        Self::Installing,
        Self::BootingNewKernel,
        Self::PhonedHome,
        Self::Alive,
        Self::Crashed,
        Self::PlannedReboot,
        Self::MachineReclaim,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PxeBooting => "PXE Booting",
            Self::Preparing => "Preparing",
            Self::Registering => "Registering",
            Self::Waiting => "Waiting",
            Self::Installing => "Installing",
            Self::BootingNewKernel => "Booting New Kernel",
            Self::PhonedHome => "Phoned Home",
            Self::Alive => "Alive",
            Self::Crashed => "Crashed",
            Self::PlannedReboot => "Planned Reboot",
            Self::MachineReclaim => "Machine Reclaim",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What the state machine does with an event.
enum Verdict {
    Logged,
    /// Bumps time and liveliness only.
    Swallowed,
    FailedReclaim,
    Unexpected,
}

/// The newest entry of the log.
pub(crate) fn state(events: &Events) -> Option<EventKind> {
    events.log.first().and_then(|event| EventKind::parse(&event.event))
}

/// Takes an event in. The caller sets liveliness to Alive: any event does.
pub(crate) fn receive(events: &mut Events, kind: EventKind, message: &str, now: Timestamp) {
    let state = state(events);
    let event = Event { time: now.into(), event: kind.as_str().to_owned(), message: message.to_owned() };
    match judge(state, kind, events.last_event_time, now) {
        Verdict::Swallowed => {}
        Verdict::FailedReclaim => events.failed_machine_reclaim = true,
        Verdict::Logged => {
            clear(events, state, kind);
            log(events, event);
        }
        Verdict::Unexpected => unexpected(events, state, kind, event),
    }
    events.last_event_time = Some(now.into());
}

fn judge(state: Option<EventKind>, kind: EventKind, last: Option<Time>, now: Timestamp) -> Verdict {
    use EventKind as E;
    let booting = || matches!(state, Some(E::PxeBooting | E::Preparing | E::Registering | E::Waiting));
    let restarting = || matches!(state, None | Some(E::PlannedReboot | E::MachineReclaim | E::Crashed));
    let late = || last.and_then(|last| last.0).is_some_and(|last| now.duration_since(last) > LATE);
    let (expected, swallowed) = match kind {
        E::PlannedReboot | E::MachineReclaim => (true, false),
        E::PxeBooting => (restarting(), state == Some(E::PxeBooting)),
        E::Preparing => (restarting() || state == Some(E::PxeBooting), false),
        E::Registering => (state == Some(E::Preparing), false),
        E::Waiting => (state == Some(E::Registering), false),
        E::Installing => (matches!(state, Some(E::Registering | E::Waiting)), false),
        E::BootingNewKernel => (state == Some(E::Installing), false),
        E::Crashed => (booting() || matches!(state, Some(E::Installing | E::BootingNewKernel)), false),
        E::Alive => (false, !matches!(state, Some(E::PhonedHome | E::PlannedReboot | E::MachineReclaim))),
        E::PhonedHome => match state {
            Some(E::MachineReclaim) if late() => return Verdict::FailedReclaim,
            Some(E::MachineReclaim | E::PhonedHome) => (false, true),
            Some(E::BootingNewKernel | E::PlannedReboot) => (true, false),
            _ if booting() => (late(), !late()),
            _ => (false, false),
        },
    };
    match (expected, swallowed) {
        (true, _) => Verdict::Logged,
        (false, true) => Verdict::Swallowed,
        (false, false) => Verdict::Unexpected,
    }
}

fn clear(events: &mut Events, state: Option<EventKind>, kind: EventKind) {
    match kind {
        EventKind::PlannedReboot | EventKind::MachineReclaim => events.crash_loop = false,
        EventKind::PhonedHome if state == Some(EventKind::BootingNewKernel) => events.crash_loop = false,
        EventKind::PxeBooting | EventKind::Preparing => events.failed_machine_reclaim = false,
        EventKind::Crashed => events.crash_loop = true,
        _ => {}
    }
}

fn unexpected(events: &mut Events, state: Option<EventKind>, kind: EventKind, event: Event) {
    let state = state.map_or_else(|| "initial".to_owned(), |state| state.as_str().to_lowercase());
    let separator = if event.message.is_empty() { "" } else { ": " };
    let event = Event { message: format!("[unexpectedly received in {state}]{separator}{}", event.message), ..event };
    if matches!(kind, EventKind::PxeBooting | EventKind::Preparing | EventKind::Crashed) {
        events.crash_loop = true;
    }
    if matches!(kind, EventKind::PxeBooting | EventKind::Preparing) {
        events.failed_machine_reclaim = false;
    }
    events.last_error_event = Some(event.clone());
    if kind != EventKind::Alive {
        log(events, event);
    }
}

fn log(events: &mut Events, event: Event) {
    events.log.insert(0, event);
    events.log.truncate(SHOWN_MAX);
}

#[cfg(test)]
mod tests;
