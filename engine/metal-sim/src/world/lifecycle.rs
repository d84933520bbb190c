//! What happens by itself: machines go through their steps, fall silent, and give their addresses back.

use super::{IpRow, MACHINE_TAG, MachineRow, World};
use crate::events::{self, EventKind};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Silent for so long: Unknown when allocated, Dead when free.
const SILENCE: SignedDuration = SignedDuration::from_mins(5);
/// Dead for so long: freed again.
const RESURRECTION: SignedDuration = SignedDuration::from_hours(1);

/// Something that will happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Due {
    Step {
        machine: String,
        generation: u64,
        kind: EventKind,
        message: String,
    },
    /// The machine reported nothing for `SILENCE`.
    Silence {
        machine: String,
        generation: u64,
    },
    Resurrection {
        machine: String,
        generation: u64,
    },
    /// First half of the release of a freed machine's addresses: they leave the list.
    ReleaseIps {
        machine: String,
        ips: Vec<String>,
    },
    /// Second half: back to the address management.
    ReturnIp {
        network: String,
        prefix: IpNet,
        ip: IpAddr,
    },
}

/// In the order of their times, those of one time in the order they were planned in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Entry {
    at: Timestamp,
    n: u64,
    due: Due,
}

impl World {
    /// Lets happen what is due until `now`, each at its own time.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while self.due.first().is_some_and(|entry| entry.at <= now) {
            let Some(entry) = self.due.pop_first() else { break };
            self.now = self.now.max(entry.at);
            self.touch();
            self.happen(entry.due);
        }
        self.now = self.now.max(now);
    }

    fn plan(&mut self, after: SignedDuration, due: Due) {
        let at = self.now.checked_add(after.max(SignedDuration::ZERO)).unwrap_or(Timestamp::MAX);
        self.entries += 1;
        self.due.insert(Entry { at, n: self.entries, due });
    }

    /// An event of a machine, by itself or by hand. Steps that were under way are off.
    pub(crate) fn receive(&mut self, machine: &str, kind: EventKind, message: &str) {
        let now = self.now;
        self.machines.update(machine, |row| {
            events::receive(&mut row.wire.events, kind, message, now);
            row.wire.liveliness = "Alive".to_owned();
            row.wire.changed = now.into();
            if kind != EventKind::Alive {
                row.generation += 1;
                row.waiting = waits(row, kind);
                row.silent = kind == EventKind::Crashed;
            }
            finish_reinstall(row, kind);
        });
        if self.machines.get(machine).is_some_and(|row| row.silent) {
            self.silence(machine);
        }
    }

    /// The machine goes on by itself from its newest event.
    pub(crate) fn go_on(&mut self, machine: &str) {
        let Some(row) = self.machines.get(machine) else { return };
        let Some(kind) = events::state(&row.wire.events).and_then(|state| next(row, state)) else { return };
        let (generation, after) = (row.generation, self.duration(kind));
        let machine = machine.to_owned();
        self.plan(after, Due::Step { machine, generation, kind, message: String::new() });
    }

    /// Liveliness as somebody says, from now on without reports of its own unless Alive.
    pub(crate) fn set_liveliness(&mut self, machine: &str, liveliness: &str) {
        self.machines.update(machine, |row| {
            liveliness.clone_into(&mut row.wire.liveliness);
            row.silent = liveliness != "Alive";
            row.generation += 1;
        });
        match liveliness {
            "Alive" => self.go_on(machine),
            _ => self.plan_resurrection(machine),
        }
    }

    /// Stops reporting, as a machine that is switched off does.
    pub(crate) fn silence(&mut self, machine: &str) {
        self.machines.update(machine, |row| {
            row.silent = true;
            row.generation += 1;
        });
        self.plan_silence(machine);
    }

    /// The way of a freed machine back to the waiting ones.
    pub(crate) fn reclaim(&mut self, machine: &str) {
        self.receive(machine, EventKind::MachineReclaim, "free machine called");
        self.go_on(machine);
    }

    /// Gives addresses of a machine back in metal-api's two asynchronous halves.
    pub(crate) fn release_ips_later(&mut self, machine: &str, ips: Vec<String>) {
        let half = self.timing.async_ip_release / 2;
        self.plan(half, Due::ReleaseIps { machine: machine.to_owned(), ips });
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Step { machine, generation, kind, message } => {
                if self.is_current(&machine, generation) {
                    self.receive(&machine, kind, &message);
                    self.go_on(&machine);
                }
            }
            Due::Silence { machine, generation } => {
                if self.is_current(&machine, generation) {
                    self.machines.update(&machine, |row| {
                        let state = if row.wire.allocation.is_some() { "Unknown" } else { "Dead" };
                        state.clone_into(&mut row.wire.liveliness);
                    });
                    self.plan_resurrection(&machine);
                }
            }
            Due::Resurrection { machine, generation } => {
                if self.is_current(&machine, generation) {
                    self.reclaim(&machine);
                }
            }
            Due::ReleaseIps { machine, ips } => ips.iter().for_each(|ip| self.release_ip(&machine, ip)),
            Due::ReturnIp { network, prefix, ip } => self.return_ip(&network, prefix, ip),
        }
    }

    fn is_current(&self, machine: &str, generation: u64) -> bool {
        self.machines.get(machine).is_some_and(|row| row.generation == generation)
    }

    fn plan_silence(&mut self, machine: &str) {
        let Some(row) = self.machines.get(machine) else { return };
        let due = Due::Silence { machine: machine.to_owned(), generation: row.generation };
        self.plan(SILENCE, due);
    }

    /// Only free machines are resurrected.
    fn plan_resurrection(&mut self, machine: &str) {
        let Some(row) = self.machines.get(machine).filter(|row| row.wire.liveliness == "Dead") else { return };
        if row.wire.allocation.is_none() {
            let due = Due::Resurrection { machine: machine.to_owned(), generation: row.generation };
            self.plan(RESURRECTION, due);
        }
    }

    /// Takes a freed machine's tag off an address; a static one, or one that another machine uses, stays.
    fn release_ip(&mut self, machine: &str, ip: &str) {
        let tag = format!("{MACHINE_TAG}={machine}");
        let stays = self.ips.update(ip, |IpRow { wire, .. }| {
            wire.tags.retain(|known| *known != tag);
            wire.r#type == "static" || wire.tags.iter().any(|tag| tag.starts_with(MACHINE_TAG))
        });
        if stays != Some(false) {
            return;
        }
        let Some(IpRow { wire, prefix }) = self.ips.remove(ip) else { return };
        if let Ok(ip) = wire.ipaddress.parse() {
            let half = self.timing.async_ip_release / 2;
            self.plan(half, Due::ReturnIp { network: wire.networkid, prefix, ip });
        }
    }

    fn duration(&self, kind: EventKind) -> SignedDuration {
        use EventKind as E;
        match kind {
            E::Installing => self.timing.installing,
            E::BootingNewKernel => self.timing.booting_new_kernel,
            E::PhonedHome => self.timing.phoned_home,
            E::PxeBooting | E::Preparing | E::Registering | E::Waiting => self.timing.reclaim,
            E::Alive | E::Crashed | E::PlannedReboot | E::MachineReclaim => SignedDuration::ZERO,
        }
    }
}

/// What follows by itself.
fn next(row: &MachineRow, state: EventKind) -> Option<EventKind> {
    use EventKind as E;
    let allocation = row.wire.allocation.as_ref();
    let to_install = allocation.is_some_and(|allocation| allocation.reinstall);
    match state {
        E::PlannedReboot if allocation.is_some() && !to_install => Some(E::PhonedHome),
        E::PlannedReboot | E::MachineReclaim => Some(E::PxeBooting),
        E::PxeBooting => Some(E::Preparing),
        E::Preparing => Some(E::Registering),
        E::Registering if to_install => Some(E::Installing),
        E::Registering => Some(E::Waiting),
        E::Waiting => allocation.map(|_| E::Installing),
        E::Installing => Some(E::BootingNewKernel),
        E::BootingNewKernel => Some(E::PhonedHome),
        E::PhonedHome | E::Alive | E::Crashed => None,
    }
}

/// Whether the hammer waits for work after this event. A late phone-home of a former system changes nothing.
fn waits(row: &MachineRow, kind: EventKind) -> bool {
    match kind {
        EventKind::Waiting => row.wire.allocation.is_none(),
        EventKind::PhonedHome => row.waiting,
        _ => false,
    }
}

fn finish_reinstall(row: &mut MachineRow, kind: EventKind) {
    if let Some(allocation) = row.wire.allocation.as_mut().filter(|_| kind == EventKind::PhonedHome) {
        allocation.reinstall = false;
    }
}
