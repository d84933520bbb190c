//! One credential's way to metal-api: its client, its rest after denials, and what all projects share.

use super::{DoorError, error::clock_off, pause::Pause, shared::Shared};
use metal_api::{Error, HttpMetal, Metal as _};
use model::Clock;
use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

pub(super) struct Access {
    pub(super) metal: HttpMetal,
    pub(super) shared: Shared,
    clock: Arc<dyn Clock>,
    rest: Mutex<(Pause, Option<DoorError>)>,
}

impl Access {
    pub(super) fn new(metal: HttpMetal, clock: Arc<dyn Clock>) -> Self {
        Self { metal, shared: Shared::default(), clock, rest: Mutex::default() }
    }

    /// A call, unless the credential rests. The future is polled only then: nothing is sent.
    pub(super) async fn call<T>(
        &self,
        call: impl Future<Output = metal_api::Result<T>> + Send,
    ) -> Result<T, DoorError> {
        let began = self.clock.now();
        {
            let (pause, last) = &*self.rest.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(after), Some(DoorError::Denied { error, clock, .. })) = (pause.left(began), last) {
                return Err(DoorError::Denied { error: error.clone(), clock: *clock, after });
            }
        }
        let answer = call.await;
        let now = self.clock.now();
        let (pause, last) = &mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(value) => {
                (*last, *pause) = (None, Pause::default());
                Ok(value)
            }
            Err(error @ Error::Denied { .. }) => {
                pause.denied(began, now);
                let clock = self.metal.server_time().and_then(|theirs| clock_off(now, theirs));
                let denied = DoorError::Denied { error, clock, after: pause.left(now).unwrap_or_default() };
                *last = Some(denied.clone());
                Err(denied)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("metal", &self.metal).finish_non_exhaustive()
    }
}
