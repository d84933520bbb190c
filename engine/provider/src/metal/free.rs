//! Frees one resource: read, compared, freed. metal-api's free has no precondition, so what an object names may be
//! somebody else's by now; and a free is never repeated blindly.

use super::{DoorError, Expected, ProjectDoor, expected::not_ours, ledger::Kept};
use metal_api::{Error, Guarded, HttpMetal, Metal as _, Result};
use model::metal::{Ip, Machine, Network};
use model::{MachineId, NetworkId, ProjectId};
use std::{future::Future, net::IpAddr};

/// What metal-api says when it refuses to free a locked machine.
const LOCKED: &str = "machine is locked";

/// What became of a free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FreeOutcome {
    Freed,
    /// The project does not have it any more.
    Gone,
    /// It is there and not what was expected; it was left alone.
    NotOurs {
        why: String,
    },
    /// Something is in it yet, or is being released: again later.
    InUse {
        text: String,
    },
    /// A person locked it: nothing happens until it is unlocked.
    Locked {
        text: String,
    },
}

#[cfg(test)]
impl FreeOutcome {
    /// Whether nothing of the object's is left there.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Freed | Self::Gone => true,
            Self::NotOurs { .. } | Self::InUse { .. } | Self::Locked { .. } => false,
        }
    }
}

/// What this door can read and free by its id.
pub(super) trait Freeable: Kept {
    fn get(
        metal: &Guarded<HttpMetal>,
        project: &ProjectId,
        id: &Self::Id,
    ) -> impl Future<Output = Result<Option<Self>>> + Send;

    fn free(metal: &Guarded<HttpMetal>, project: &ProjectId, id: &Self::Id) -> impl Future<Output = Result<()>> + Send;
}

pub(super) async fn free<K: Freeable>(
    door: &ProjectDoor,
    expected: &Expected<K::Id>,
) -> Result<FreeOutcome, DoorError> {
    // First the place, then the reading: between what is read and what is freed nobody waits.
    let _permit = door.writes().acquire().await;
    if expected.project != *door.project() {
        let why = format!("it is expected in project {}, and this is project {}", expected.project, door.project());
        return Ok(FreeOutcome::NotOurs { why });
    }
    let Some(found) = door.now::<K>(&expected.id).await? else {
        door.freed::<K>(&expected.id);
        return Ok(FreeOutcome::Gone);
    };
    if let Some(why) = not_ours(expected, &*found) {
        return Ok(FreeOutcome::NotOurs { why });
    }
    if let Some(text) = found.locked() {
        return Ok(FreeOutcome::Locked { text });
    }
    match door.call(K::free(&door.metal, door.project(), &expected.id)).await {
        Ok(()) => Ok(done::<K>(door, expected, FreeOutcome::Freed)),
        Err(DoorError::Metal(Error::NotFound { .. })) => Ok(done::<K>(door, expected, FreeOutcome::Gone)),
        Err(DoorError::Metal(Error::InUse { text, .. })) => Ok(FreeOutcome::InUse { text }),
        Err(DoorError::Metal(Error::Invalid { text, .. })) if text.contains(LOCKED) => Ok(FreeOutcome::Locked { text }),
        Err(error) if error.outcome_unknown() => after_unknown::<K>(door, expected, error).await,
        Err(error) => Err(error),
    }
}

fn done<K: Freeable>(door: &ProjectDoor, expected: &Expected<K::Id>, outcome: FreeOutcome) -> FreeOutcome {
    door.freed::<K>(&expected.id);
    outcome
}

/// The answer was lost: what is there now says what happened. Still there, it stays; whoever comes again reads first.
async fn after_unknown<K: Freeable>(
    door: &ProjectDoor,
    expected: &Expected<K::Id>,
    error: DoorError,
) -> Result<FreeOutcome, DoorError> {
    match door.now::<K>(&expected.id).await {
        Ok(None) => Ok(done::<K>(door, expected, FreeOutcome::Freed)),
        // Freed, and somebody's again: it stays in the view, as theirs.
        Ok(Some(found)) if not_ours(expected, &*found).is_some() => Ok(FreeOutcome::Freed),
        Ok(Some(_)) | Err(_) => Err(error),
    }
}

impl Freeable for Machine {
    async fn get(metal: &Guarded<HttpMetal>, project: &ProjectId, id: &MachineId) -> Result<Option<Self>> {
        metal.get_machine(project, id).await
    }

    async fn free(metal: &Guarded<HttpMetal>, project: &ProjectId, id: &MachineId) -> Result<()> {
        metal.free_machine(project, id).await
    }
}

impl Freeable for Ip {
    async fn get(metal: &Guarded<HttpMetal>, project: &ProjectId, id: &IpAddr) -> Result<Option<Self>> {
        metal.get_ip(project, *id).await
    }

    async fn free(metal: &Guarded<HttpMetal>, project: &ProjectId, id: &IpAddr) -> Result<()> {
        metal.free_ip(project, *id).await
    }
}

impl Freeable for Network {
    async fn get(metal: &Guarded<HttpMetal>, project: &ProjectId, id: &NetworkId) -> Result<Option<Self>> {
        metal.get_network(project, id).await
    }

    async fn free(metal: &Guarded<HttpMetal>, project: &ProjectId, id: &NetworkId) -> Result<()> {
        metal.free_network(project, id).await
    }
}
