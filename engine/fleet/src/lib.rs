//! From the bytes of a tree to what is wanted, with findings instead of failures.
//! Pure: no file, no clock, no network; `now` and the tree are arguments.
#![forbid(unsafe_code)]

mod explain;
mod find;
pub mod init;
mod issue;
mod limits;
mod load;
mod memo;
mod metal;
mod mutability;
mod overlays;
mod place;
mod read;
mod resolve;
pub mod rules;
mod schema;
mod topology;
mod touched;
mod why;
mod yaml;

pub use load::{Loaded, load, placed, settings};
pub use memo::Memo;
pub use metal::metal_findings;
pub use mutability::{CHANGES, Change, Mutability, Replaced, mutability};
pub use schema::schemas;
pub use touched::touched;
pub use why::{Setting, Source, why};

#[cfg(test)]
mod tests;
