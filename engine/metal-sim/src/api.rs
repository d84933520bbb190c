//! The routes of metal-api: what each handler is given, and what it answers.

mod address;
mod allocate;
mod capacity;
mod catalog;
mod find;
mod issues;
mod machine;
pub(crate) mod network;
mod routes;
mod rules;

pub(crate) use routes::{ROUTES, Route};

use crate::{auth::User, refusal::Refusal, table::Row, world::World};
use serde::{Serialize, de::DeserializeOwned};

/// One call, on its way through a handler.
pub(crate) struct Ctx<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) user: &'a User,
    /// The values of the pattern's braces, percent-decoded.
    pub(crate) params: Vec<String>,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
}

/// What goes out: a status and JSON.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

pub(crate) type Answer = Result<Reply, Refusal>;
pub(crate) type Handler = fn(&mut Ctx<'_>) -> Answer;

impl Reply {
    pub(crate) fn json(status: u16, value: &impl Serialize) -> Self {
        // The models are maps with string keys: they always serialize.
        Self { status, body: serde_json::to_vec(value).unwrap_or_default() }
    }

    pub(crate) fn ok(value: &impl Serialize) -> Answer {
        Ok(Self::json(200, value))
    }
}

impl Ctx<'_> {
    /// The body as a request; `null` and `[]` are an empty one, unknown fields are ignored.
    pub(crate) fn body<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        let request: Option<T> = serde_json::from_slice(self.body).map_err(|error| match self.body.is_empty() {
            true => Refusal::bad_request("EOF"),
            false => Refusal::bad_request(error.to_string()),
        })?;
        Ok(request.unwrap_or_default())
    }

    pub(crate) fn param(&self) -> &str {
        self.params.first().map_or("", String::as_str)
    }

    /// A parameter of the query, not decoded: the ones that are looked at are flags.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.query
            .split('&')
            .any(|pair| pair.split_once('=').is_some_and(|(key, value)| key == name && value == "true"))
    }

    pub(crate) fn network_reply(&mut self, status: u16, id: &str) -> Answer {
        let World { networks, rng, .. } = &mut *self.world;
        let body = networks.json(id, rng).ok_or_else(|| Refusal::no("network", id))?;
        Ok(Reply { status, body })
    }

    pub(crate) fn ip_reply(&mut self, status: u16, id: &str) -> Answer {
        let World { ips, rng, .. } = &mut *self.world;
        let body = ips.json(id, rng).ok_or_else(|| Refusal::no("ip", id))?;
        Ok(Reply { status, body })
    }

    pub(crate) fn machine_reply(&mut self, id: &str) -> Answer {
        let World { machines, rng, .. } = &mut *self.world;
        let body = machines.json(id, rng).ok_or_else(|| Refusal::no("machine", id))?;
        Ok(Reply { status: 200, body })
    }

    /// A list in no order.
    pub(crate) fn shuffled<T: Serialize>(&mut self, mut items: Vec<T>) -> Answer {
        self.world.rng.shuffle(&mut items);
        Reply::ok(&items)
    }
}

pub(crate) fn keys<'a, R: Row + 'a>(rows: impl Iterator<Item = &'a R>) -> Vec<String> {
    rows.map(|row| row.key().to_owned()).collect()
}
