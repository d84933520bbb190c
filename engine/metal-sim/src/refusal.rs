//! A refusal in metal-api's shape: a status and a message.

use std::fmt;

/// Statuses as metal-api maps them: what is neither missing nor in conflict is mostly 422.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// The message begins with the word that metal-api's own not-found errors begin with.
    pub(crate) fn not_found(what: impl fmt::Display) -> Self {
        Self::new(404, format!("NotFound {what}"))
    }

    pub(crate) fn no(kind: &str, id: &str) -> Self {
        Self::not_found(format_args!("no {kind} with id {id:?} found"))
    }

    pub(crate) fn conflict(what: impl fmt::Display) -> Self {
        Self::new(409, format!("Conflict {what}"))
    }

    pub(crate) fn internal(what: impl fmt::Display) -> Self {
        Self::new(500, format!("Internal {what}"))
    }

    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, message)
    }

    /// Keeps the status, says where it happened.
    pub(crate) fn within(self, context: &str) -> Self {
        Self { message: format!("{context}{}", self.message), ..self }
    }
}
