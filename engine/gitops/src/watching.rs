//! Feeds the memory of readings (R4, R15): each complete reading once, and the finds by id that prove an absence.

use crate::engine::Engine;
use crate::reading::GATHER;
use metal_api::{Guarded, Metal};
use model::request::Target;
use model::{Have, Want};
use plan::Question;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Finds after one reading: a lost database is no reason to ask for everything one by one.
const QUESTIONS_MAX: usize = 20;

impl<M: Metal + 'static> Engine<M> {
    /// Takes note of a reading. What did not answer concludes nothing.
    pub(crate) async fn watch(&mut self, door: &Guarded<Arc<M>>, want: &Want, have: &Have) {
        let mut questions = self.watch.see(want, have, self.options.metal_interval);
        questions.truncate(QUESTIONS_MAX);
        let mut finds = JoinSet::new();
        for question in questions {
            let door = door.clone();
            finds.spawn(async move {
                let found = timeout(GATHER, is_there(&door, &question)).await;
                (question, found)
            });
        }
        while let Some(answer) = finds.join_next().await {
            if let Ok((question, Ok(Ok(found)))) = answer {
                self.watch.asked(&question, found);
            }
        }
    }
}

/// Whether it is in its project, as it was allocated.
async fn is_there<M: Metal>(metal: &M, question: &Question) -> metal_api::Result<bool> {
    let Question { cluster: _, slot: _, project, target } = question;
    Ok(match target {
        Target::Network(id) => metal.get_network(project, id).await?.is_some(),
        Target::Ip { address, allocation } | Target::Service { address, allocation } => {
            metal.get_ip(project, *address).await?.is_some_and(|ip| ip.allocation == *allocation)
        }
        Target::Machine { id, allocation } => {
            metal.get_machine(project, id).await?.is_some_and(|machine| machine.allocation == *allocation)
        }
    })
}
