//! The simulator: world, clock, call log and faults behind one lock.

use crate::{
    api::Reply,
    calls::{Call, CallLog},
    clock::Clock,
    dispatch::{Outcome, Request, dispatch, error},
    events::EventKind,
    faults::{Fault, FaultEffect, FaultList, Faults, Silence},
    landscape::{Landscape, LandscapeError, build},
    reachability::{Reachability, reachability},
    refusal::Refusal,
    save::{SaveError, Saver},
    table::Row,
    world::World,
};
use jiff::{SignedDuration, Timestamp};
use metal_api::wire::{Ip, Machine, Network};
use serde::{Deserialize, Serialize};
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A simulated metal-api. Clones share one world.
#[derive(Clone, Debug)]
pub struct Sim {
    core: Arc<Mutex<Core>>,
    saver: Option<Arc<Saver>>,
}

#[derive(Debug)]
struct Core {
    world: World,
    clock: Clock,
    calls: CallLog,
    faults: Faults,
}

/// All resources, in the API's own models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    pub networks: Vec<Network>,
    pub ips: Vec<Ip>,
    /// Firewalls among them.
    pub machines: Vec<Machine>,
}

/// The simulator's time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockState {
    pub now: Timestamp,
    /// `real` or `manual`.
    pub mode: String,
    pub speed: f64,
}

/// What `POST /_sim/machines/{id}/events` takes: one of them or several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MachineIncident {
    /// An event's name, such as `Crashed`. Steps that were under way are off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Alive, Dead, Unknown; not Alive, it reports nothing by itself any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveliness: Option<String>,
    /// `""`, RESERVED, LOCKED, as metal-api has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Whether its last tenant's system went on after it was freed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_reclaim: Option<bool>,
    /// The machine is gone from metal-api; what it had stays.
    pub vanish: bool,
}

/// What `POST /_sim/clock` takes: one of them or several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ClockChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advance: Option<SignedDuration>,
    /// `real` or `manual`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ClockMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClockMode {
    Real,
    Manual,
}

/// Why the control interface refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ControlError {
    #[error("no machine has the id {0:?}")]
    UnknownMachine(String),
    #[error("{0:?} is no event; there are: {known}", known = event_names())]
    UnknownEvent(String),
    #[error("{0:?} is none of Alive, Dead, Unknown")]
    UnknownLiveliness(String),
    #[error("{0:?} is none of the states \"\", RESERVED, LOCKED")]
    UnknownState(String),
    #[error("the speed must be above zero and at most a million, not {0}")]
    Speed(f64),
}

/// The states of a machine, on the wire.
pub(crate) const MACHINE_STATES: [&str; 3] = ["", "RESERVED", "LOCKED"];

/// How a call ends on the connection.
#[derive(Debug)]
pub(crate) enum Ending {
    Answer(Reply),
    /// Closed without an answer.
    Close,
    /// Open without an answer.
    Hang,
}

/// What to do with a call that has just arrived.
#[derive(Debug)]
pub(crate) enum Arrival {
    Handle { after: Duration, silence: Option<Silence> },
    Ended(Ending),
}

impl Sim {
    /// A world after `landscape` at the time of `clock`. The same seed and calls make the same world.
    pub fn new(landscape: &Landscape, clock: Clock, seed: u64) -> Result<Self, LandscapeError> {
        let world = build(landscape, clock.now(), seed)?;
        Ok(Self::of(world, clock, None))
    }

    /// As `new`, with a state file: what it holds wins over the landscape, and every change is written to it.
    pub fn with_state(landscape: &Landscape, mut clock: Clock, seed: u64, file: &Path) -> Result<Self, SaveError> {
        let saver = Saver::new(file);
        let world = match saver.load()? {
            Some(world) => {
                // Time that was advanced or ran fast is ahead of a new clock's, and never goes back.
                clock.advance(world.now.duration_since(clock.now()));
                world
            }
            None => build(landscape, clock.now(), seed)?,
        };
        let sim = Self::of(world, clock, Some(Arc::new(saver)));
        sim.save()?;
        Ok(sim)
    }

    fn of(world: World, clock: Clock, saver: Option<Arc<Saver>>) -> Self {
        let core = Core { world, clock, calls: CallLog::default(), faults: Faults::default() };
        Self { core: Arc::new(Mutex::new(core)), saver }
    }

    /// What `GET /_sim/state` answers: `networks`, `ips`, `machines`.
    pub fn state(&self) -> serde_json::Value {
        serde_json::to_value(self.resources()).unwrap_or_default()
    }

    /// Every resource, as of now.
    pub fn resources(&self) -> Resources {
        fn all<R: Row<Wire: Clone>>(rows: &crate::table::Table<R>) -> Vec<R::Wire> {
            rows.iter().map(|row| row.wire().clone()).collect()
        }
        let core = self.core();
        Resources {
            networks: all(&core.world.networks),
            ips: all(&core.world.ips),
            machines: all(&core.world.machines),
        }
    }

    /// Every call since the start, or since they were forgotten.
    pub fn calls(&self) -> Vec<Call> {
        self.calls_after(0)
    }

    /// The calls after number `n`.
    pub fn calls_after(&self, n: u64) -> Vec<Call> {
        self.core().calls.after(n)
    }

    pub fn forget_calls(&self) {
        self.core().calls.forget();
    }

    /// Replaces the list. Takes `Fault`s, or the JSON that `PUT /_sim/faults` takes.
    pub fn set_faults(&self, faults: impl Into<FaultList>) {
        self.core().faults.set(faults.into().0);
    }

    /// The list, with what is left of each `times`.
    pub fn faults(&self) -> Vec<Fault> {
        self.core().faults.list()
    }

    pub fn clock(&self) -> ClockState {
        let core = self.core();
        let mode = if core.clock.is_manual() { "manual" } else { "real" };
        ClockState { now: core.clock.now(), mode: mode.to_owned(), speed: core.clock.speed() }
    }

    /// Moves the clock ahead; what becomes due happens, each at its own time.
    pub fn advance(&self, by: SignedDuration) {
        let mut core = self.core();
        core.clock.advance(by);
        core.world.touch();
        drop(core);
        drop(self.core());
    }

    /// Time stands still until `unfreeze` or `advance`.
    pub fn freeze(&self) {
        self.core().clock.set_manual();
    }

    /// Time goes on by itself.
    pub fn unfreeze(&self) {
        self.core().clock.set_real();
    }

    pub fn change_clock(&self, change: &ClockChange) -> Result<ClockState, ControlError> {
        if let Some(speed) = change.speed.filter(|speed| !(*speed > 0.0 && *speed <= 1e6)) {
            return Err(ControlError::Speed(speed));
        }
        let mut core = self.core();
        match change.mode {
            Some(ClockMode::Real) => core.clock.set_real(),
            Some(ClockMode::Manual) => core.clock.set_manual(),
            None => {}
        }
        change.speed.into_iter().for_each(|speed| core.clock.set_speed(speed));
        drop(core);
        change.advance.into_iter().for_each(|by| self.advance(by));
        Ok(self.clock())
    }

    /// Something happens to a machine.
    pub fn machine_incident(&self, id: &str, incident: &MachineIncident) -> Result<(), ControlError> {
        let kind = incident
            .event
            .as_ref()
            .map(|event| EventKind::parse(event).ok_or_else(|| ControlError::UnknownEvent(event.clone())));
        let kind = kind.transpose()?;
        let liveliness = incident.liveliness.as_deref();
        if let Some(unknown) = liveliness.filter(|text| !["Alive", "Dead", "Unknown"].contains(text)) {
            return Err(ControlError::UnknownLiveliness(unknown.to_owned()));
        }
        if let Some(unknown) = incident.state.as_ref().filter(|state| !MACHINE_STATES.contains(&state.as_str())) {
            return Err(ControlError::UnknownState(unknown.clone()));
        }
        let mut core = self.core();
        let world = &mut core.world;
        if !world.machines.contains(id) {
            return Err(ControlError::UnknownMachine(id.to_owned()));
        }
        if let Some(kind) = kind {
            world.receive(id, kind, "");
        }
        if let Some(liveliness) = liveliness {
            world.set_liveliness(id, liveliness);
        }
        world.machines.update(id, |row| {
            if let Some(state) = &incident.state {
                row.wire.state.value.clone_from(state);
                row.wire.state.description = if state.is_empty() { "" } else { "by the control interface" }.to_owned();
            }
            if let Some(failed) = incident.failed_reclaim {
                row.wire.events.failed_machine_reclaim = failed;
            }
        });
        if incident.vanish {
            world.machines.remove(id);
        }
        world.touch();
        Ok(())
    }

    pub fn reachability(&self) -> Vec<Reachability> {
        reachability(&self.core().world)
    }

    /// Writes the state file, if there is one and something changed since it was last written.
    pub fn save(&self) -> Result<(), SaveError> {
        let Some(saver) = &self.saver else { return Ok(()) };
        // The lock ends here: the snapshot takes it again.
        let revision = self.core().world.revision();
        saver.save(revision, || {
            let core = self.core();
            Ok((core.world.revision(), serde_json::to_vec(&core.world)?))
        })
    }

    /// The first half of a call: its fault. Calls that nothing happens to are logged here.
    pub(crate) fn arrive(&self, request: &Request) -> Arrival {
        let mut core = self.core();
        let handled = |after, silence| Arrival::Handle { after, silence };
        let Some(effect) = core.faults.strike(&request.method, &request.path) else {
            return handled(Duration::ZERO, None);
        };
        let mut log = |status| core.calls.push(&request.method, &request.path, status, request.user_name(), None);
        match effect {
            FaultEffect::Delay(delay) => handled(Duration::from_millis(delay.delay_ms), None),
            FaultEffect::Silent(silence @ (Silence::DropAfter | Silence::HangAfter)) => {
                handled(Duration::ZERO, Some(silence))
            }
            FaultEffect::Status(fault) => {
                log(fault.status);
                Arrival::Ended(Ending::Answer(error(&Refusal::new(fault.status, fault.message))))
            }
            FaultEffect::Silent(Silence::DropBefore) => {
                log(0);
                Arrival::Ended(Ending::Close)
            }
            FaultEffect::Silent(Silence::Hang) => {
                log(0);
                Arrival::Ended(Ending::Hang)
            }
        }
    }

    /// The second half: the effect, the log, and how the answer ends.
    pub(crate) fn handle(&self, request: &Request, silence: Option<Silence>, wall: Timestamp) -> Ending {
        let mut core = self.core();
        let Outcome { reply, user } = dispatch(&mut core.world, request, wall);
        let effect = core.world.take_effects();
        core.calls.push(&request.method, &request.path, reply.status, user.name(), effect);
        drop(core);
        if let Err(error) = self.save() {
            tracing::error!(%error, "the state file was not written");
        }
        match silence {
            None => Ending::Answer(reply),
            Some(Silence::HangAfter | Silence::Hang) => Ending::Hang,
            Some(Silence::DropAfter | Silence::DropBefore) => Ending::Close,
        }
    }

    pub(crate) fn admin_key(&self) -> String {
        self.core().world.auth.admin.clone()
    }

    /// Locks, and lets happen what is due.
    fn core(&self) -> MutexGuard<'_, Core> {
        // A panic of another call left a world that is whole: rows are replaced one at a time.
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let now = core.clock.now();
        core.world.advance(now);
        core
    }
}

fn event_names() -> String {
    EventKind::ALL.map(EventKind::as_str).join(", ")
}
