//! A simulated metal-api, served over HTTP.
#![forbid(unsafe_code)]
