//! The simulator as a metal-api of the same process: a request of the client is answered without a socket.

use crate::{
    dispatch::Request,
    sim::{Ending, Sim},
};
use metal_api::{Asked, Told};

impl Sim {
    /// Answers one request at once, faults aside: whoever carries it decides what becomes of it. It is logged as any.
    pub fn answer(&self, asked: &Asked) -> Told {
        let (date, salt) = asked.date_and_salt.clone().unzip();
        let json = || Some("application/json".to_owned());
        let request = Request {
            method: asked.method.clone(),
            path: asked.path.clone(),
            query: String::new(),
            authorization: Some(asked.authorization.clone()),
            date,
            salt,
            content_type: json().filter(|_| !asked.body.is_empty()),
            accept: json(),
            body: asked.body.clone(),
        };
        let time = self.clock().now;
        match self.handle(&request, None, time) {
            Ending::Answer(reply) => Told { status: reply.status, body: reply.body, time },
            // Only a fault ends a call so, and none is asked for.
            Ending::Close | Ending::Hang => Told { status: 500, body: Vec::new(), time },
        }
    }
}
