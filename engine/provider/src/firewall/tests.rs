//! Tables of decisions, and what must hold in any world.

mod allocation;
mod deaths;
mod deletion;
mod engines;
mod fixture;
mod health;
mod replacement;
mod template;
mod waiting;
mod world;
