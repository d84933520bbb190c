//! Typed client of metal-api v1.
#![forbid(unsafe_code)]
