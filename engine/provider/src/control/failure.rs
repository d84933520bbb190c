//! What metal-api's refusals are called in conditions.

use crate::metal::{DoorError, FailureClass};
use crate::reason::Reason;
use crate::step::Failure;
use metal_api::{Error, Scarce};

impl From<&DoorError> for Failure {
    fn from(error: &DoorError) -> Self {
        let reason = match error.error() {
            Error::Exhausted { what, .. } => match what {
                Scarce::Machines => Reason::NoMachineAvailable,
                Scarce::Addresses | Scarce::Prefixes => Reason::AddressesExhausted,
                Scarce::AllocationLock => Reason::MetalApiBusy,
                Scarce::Quota => Reason::QuotaExceeded,
            },
            _ => match error.class() {
                FailureClass::Unknown => Reason::WaitingForUnknownOutcome,
                FailureClass::Unreachable => Reason::MetalApiUnreachable,
                FailureClass::Denied => Reason::Unauthorized,
                FailureClass::Busy | FailureClass::Conflict | FailureClass::Exhausted => Reason::MetalApiBusy,
                FailureClass::Refused => Reason::Refused,
            },
        };
        Self {
            reason,
            message: error.to_string(),
            unknown_outcome: error.outcome_unknown(),
            after: error.retry_after(),
        }
    }
}

/// A project that could not be read.
impl From<&crate::metal::Failure> for Failure {
    fn from(failure: &crate::metal::Failure) -> Self {
        // A read changes nothing: its outcome is never unknown.
        Self { unknown_outcome: false, ..Self::from(&failure.error) }
    }
}
