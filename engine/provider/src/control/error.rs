//! What stops a pass; waiting is never an error.

/// A pass that could not go on. It is repeated: nothing is lost by it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the API server: {0}")]
    Kube(#[source] Box<kube::Error>),
    /// Somebody else wrote the object meanwhile, or the cache is behind.
    #[error("the object was changed meanwhile")]
    Conflict,
    /// The object went away meanwhile.
    #[error("the object is gone")]
    Gone,
    #[error("{0} steps without an end: {1}")]
    Restless(usize, String),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.code == 409 => Self::Conflict,
            kube::Error::Api(status) if status.code == 404 => Self::Gone,
            _ => Self::Kube(Box::new(error)),
        }
    }
}
