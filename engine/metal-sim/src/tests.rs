//! The rules, tested through the same door as the server's: signed requests into `Sim`, on a clock driven by hand.

mod addresses;
mod allocation;
mod client;
mod conformance;
mod http_rules;
mod lifecycle;
mod networks;
mod saved;

use crate::{
    Clock, Landscape, Sim,
    dispatch::Request,
    sim::{Arrival, Ending},
};
use jiff::{SignedDuration, Timestamp};
use metal_api::auth::{render_date, signature};
use serde_json::{Value, json};

pub(crate) const SMALL: &str = include_str!("tests/small.yaml");
pub(crate) const PROJECT: &str = "00000000-0000-0000-0000-000000000001";
pub(crate) const OTHER: &str = "00000000-0000-0000-0000-000000000002";
pub(crate) const RESERVED: &str = "00000000-0000-0000-0000-00000000000a";
pub(crate) const LOCKED: &str = "00000000-0000-0000-0000-00000000000b";
pub(crate) const ODD: &str = "00000000-0000-0000-0000-00000000000c";

/// A client with one of the three keys.
pub(crate) struct Api {
    pub(crate) sim: Sim,
    user: &'static str,
}

pub(crate) fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A request of a user whose key is its lower-case name.
pub(crate) fn request(user: &str, method: &str, path: &str, body: Option<&Value>) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (date, salt) = (render_date(start()), "abcdefghijklmnopqrstuvwx");
    let mac = signature(user.to_lowercase().as_bytes(), &date, method, salt);
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        authorization: Some(format!("{user} {mac}")),
        date: Some(date),
        salt: Some(salt.to_owned()),
        content_type: body.map(|_| "application/json".to_owned()),
        accept: Some("application/json".to_owned()),
        body: body.map(|body| serde_json::to_vec(body).unwrap()).unwrap_or_default(),
    }
}

pub(crate) fn send(sim: &Sim, request: &Request) -> (u16, Value) {
    let Arrival::Handle { silence, .. } = sim.arrive(request) else { panic!("a fault") };
    match sim.handle(request, silence, start()) {
        Ending::Answer(reply) => (reply.status, serde_json::from_slice(&reply.body).unwrap()),
        other => panic!("no answer: {other:?}"),
    }
}

/// The message inside of an error body.
#[track_caller]
pub(crate) fn message(status: u16, body: &Value) -> String {
    let text = body.as_str().unwrap_or_else(|| panic!("{status}: no error body: {body}"));
    let inner: Value = serde_json::from_str(text).unwrap();
    assert_eq!(inner["statuscode"], status);
    inner["message"].as_str().unwrap().to_owned()
}

/// The elements of an array as strings, sorted: most arrays come in no order.
pub(crate) fn strings(array: &Value) -> Vec<String> {
    let mut strings: Vec<String> =
        array.as_array().unwrap().iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned)).collect();
    strings.sort();
    strings
}

impl Api {
    pub(crate) fn new() -> Self {
        Self::of(&Landscape::parse(SMALL, "small.yaml").unwrap())
    }

    pub(crate) fn of(landscape: &Landscape) -> Self {
        let sim = Sim::new(landscape, Clock::manual(start()), 1).unwrap();
        Self { sim, user: "Metal-Admin" }
    }

    pub(crate) fn as_user(&self, user: &'static str) -> Self {
        Self { sim: self.sim.clone(), user }
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        send(&self.sim, &request(self.user, method, path, body))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.ok(self.call("GET", path, None))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.ok(self.call("POST", path, Some(body)))
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> Value {
        self.ok(self.call("DELETE", path, None))
    }

    #[track_caller]
    pub(crate) fn refused(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
        let (status, body) = self.call(method, path, body);
        (status, message(status, &body))
    }

    #[track_caller]
    fn ok(&self, (status, body): (u16, Value)) -> Value {
        assert!(status < 300, "{status}: {body}");
        body
    }

    /// A node network of the first project in the first partition.
    #[track_caller]
    pub(crate) fn network(&self, family: &str) -> Value {
        let body = json!({"projectid": PROJECT, "partitionid": "mini-lab", "addressfamily": family});
        self.post("/v1/network/allocate", &body)
    }

    /// A machine in a network, with more fields laid over.
    pub(crate) fn machine_request(network: &Value, more: &Value) -> Value {
        let mut body = json!({
            "projectid": PROJECT, "partitionid": "mini-lab", "sizeid": "v1-small-x86", "imageid": "ubuntu-24.4",
            "networks": [{"networkid": network["id"]}],
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    #[track_caller]
    pub(crate) fn machine(&self, network: &Value, more: &Value) -> Value {
        self.post("/v1/machine/allocate", &Self::machine_request(network, more))
    }

    #[track_caller]
    pub(crate) fn firewall(&self, network: &Value, more: &Value) -> Value {
        let networks = json!([{"networkid": network["id"]}, {"networkid": "internet"}]);
        let mut body = Self::machine_request(network, &json!({"imageid": "firewall-ubuntu-3.0", "networks": networks}));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/v1/firewall/allocate", &body)
    }

    pub(crate) fn seconds(&self, seconds: i64) {
        self.sim.advance(SignedDuration::from_secs(seconds));
    }
}
