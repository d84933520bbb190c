//! Tests over whole clusters: what is rendered, what is kept, what an edit writes.

mod capms;
mod copies;
mod crds;
mod delivery;
mod editing;
mod fixtures;
mod keeping;
mod names;
mod patches;
mod snapshots;
