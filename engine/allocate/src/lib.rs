//! The one door for metal-api writes.
#![forbid(unsafe_code)]
