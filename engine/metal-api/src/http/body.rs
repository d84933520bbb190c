//! Answers as they arrive: one document, a list taken apart on the way, or nothing we read.

use crate::wire::ListDecoder;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// What takes an answer's body piece by piece.
pub(super) trait Body: Default + Send {
    type Out: Send;
    /// A longer answer is not metal-api's.
    const BYTES_MAX: usize;
    fn push(&mut self, chunk: &[u8]) -> Result<(), String>;
    fn finish(self) -> Result<Self::Out, String>;
}

/// One JSON value, read when it is whole.
pub(super) struct Document<T> {
    bytes: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T> Default for Document<T> {
    fn default() -> Self {
        Self { bytes: Vec::new(), of: PhantomData }
    }
}

impl<T: DeserializeOwned + Send> Body for Document<T> {
    type Out = T;
    /// A machine with everything in it has 15 KB, user data of some hundred KB at worst.
    const BYTES_MAX: usize = 4 << 20;

    fn push(&mut self, chunk: &[u8]) -> Result<(), String> {
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    fn finish(self) -> Result<T, String> {
        serde_json::from_slice(&self.bytes).map_err(|e| e.to_string())
    }
}

impl<T: DeserializeOwned + Send> Body for ListDecoder<T> {
    type Out = Vec<T>;
    /// Some 17,000 machines of 15 KB in one project.
    const BYTES_MAX: usize = 256 << 20;

    fn push(&mut self, chunk: &[u8]) -> Result<(), String> {
        Self::push(self, chunk).map_err(|e| e.to_string())
    }

    fn finish(self) -> Result<Vec<T>, String> {
        Self::finish(self).map_err(|e| e.to_string())
    }
}

/// The body of a free: what was freed, as it was.
#[derive(Default)]
pub(super) struct Ignored;

impl Body for Ignored {
    type Out = ();
    const BYTES_MAX: usize = 4 << 20;

    fn push(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn finish(self) -> Result<(), String> {
        Ok(())
    }
}
