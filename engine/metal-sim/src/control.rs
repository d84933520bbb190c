//! The control interface `/_sim`: state, calls, faults, clock, machine events. Without authentication, not logged.

use crate::{
    api::Reply,
    faults::Fault,
    sim::{ClockChange, ControlError, MachineIncident, Sim},
};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) const PREFIX: &str = "/_sim";

#[derive(Serialize)]
struct ErrorBody {
    error: String,
}

/// A request below `/_sim`; errors are `{"error": "…"}`.
pub(crate) fn control(sim: &Sim, method: &str, path: &str, query: &str, body: &[u8]) -> Reply {
    let path = path.trim_start_matches(PREFIX).trim_matches('/');
    let segments: Vec<&str> = path.split('/').collect();
    match (method, &segments[..]) {
        ("GET", ["state"]) => Reply::json(200, &sim.resources()),
        ("GET", ["calls"]) => match after(query) {
            Some(after) => Reply::json(200, &sim.calls_after(after)),
            None => failed(400, format!("{query:?}: after must be a number")),
        },
        ("DELETE", ["calls"]) => {
            sim.forget_calls();
            empty()
        }
        ("GET", ["faults"]) => Reply::json(200, &sim.faults()),
        ("PUT", ["faults"]) => read(body, |faults: Vec<Fault>| {
            sim.set_faults(faults);
            Reply::json(200, &sim.faults())
        }),
        ("GET", ["clock"]) => Reply::json(200, &sim.clock()),
        ("POST", ["clock"]) => read(body, |change: ClockChange| answer(sim.change_clock(&change))),
        ("GET", ["reachability"]) => Reply::json(200, &sim.reachability()),
        ("POST", ["machines", id, "events"]) => {
            read(body, |incident: MachineIncident| answer(sim.machine_incident(id, &incident).map(|()| Empty {})))
        }
        (_, ["state" | "calls" | "faults" | "clock" | "reachability"] | ["machines", _, "events"]) => {
            failed(405, format!("{method} is not for this path"))
        }
        _ => failed(404, format!("nothing is at {path:?}")),
    }
}

/// `{}`
#[derive(Serialize)]
struct Empty {}

fn empty() -> Reply {
    Reply::json(200, &Empty {})
}

fn after(query: &str) -> Option<u64> {
    match query.split('&').find_map(|pair| pair.strip_prefix("after=")) {
        Some(text) => text.parse().ok(),
        None => Some(0),
    }
}

fn read<T: DeserializeOwned>(body: &[u8], act: impl FnOnce(T) -> Reply) -> Reply {
    match serde_json::from_slice(body) {
        Ok(value) => act(value),
        Err(error) => failed(400, error.to_string()),
    }
}

fn answer(result: Result<impl Serialize, ControlError>) -> Reply {
    match result {
        Ok(value) => Reply::json(200, &value),
        Err(error @ ControlError::UnknownMachine(_)) => failed(404, error.to_string()),
        Err(error) => failed(400, error.to_string()),
    }
}

fn failed(status: u16, error: String) -> Reply {
    Reply::json(status, &ErrorBody { error })
}
