//! The binary as people and scripts meet it: its words, its exit codes, its files.
//! Scenarios of the engine live in `tests/engine`; here is only what belongs to the command line.
#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

mod crds;
mod day_two;
mod demo;
mod diff;
mod explain;
mod help;
mod images;
mod init;
mod metal_sim;
mod plan;
mod render;
mod run;
mod schema;
mod support;
mod usage;
mod validate;
mod why;
