//! Tests over whole clusters: what is rendered, what is kept, what an edit writes.

mod addons;
mod capms;
mod copies;
mod crds;
mod delivery;
mod editing;
mod fixtures;
mod health;
mod images;
mod keeping;
mod names;
mod patches;
mod pools;
mod properties;
mod random;
mod snapshots;
