//! Tables and properties of the decision; no cluster, no metal-api.

mod deletion;
mod normal;
mod properties;
mod status;
mod world;
