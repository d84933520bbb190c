//! The binary `ferrofleet`.
#![forbid(unsafe_code)]

fn main() {}
