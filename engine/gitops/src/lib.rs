//! The loop over one fleet repository.
#![forbid(unsafe_code)]
