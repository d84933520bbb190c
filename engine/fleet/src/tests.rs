//! Trees in memory: what is wanted of them, and what is wrong with them.

mod changes;
mod corpus;
mod example;
mod init;
mod kit;
mod metal;
mod overlays;
mod presence;
mod resolution;
mod schemas;
mod tombstones;
mod trees;
mod upgrades;
mod why;
