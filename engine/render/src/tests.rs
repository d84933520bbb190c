//! Tests over whole clusters: what is rendered, what is kept, what an edit writes.

mod addons;
mod capms;
mod copies;
mod crds;
mod deleting;
mod delivery;
mod editing;
mod empty_pools;
mod fixtures;
mod health;
mod images;
mod impacts;
mod keeping;
mod names;
mod patches;
mod pools;
mod properties;
mod random;
mod snapshots;
