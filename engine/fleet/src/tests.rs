//! Trees in memory: what is wanted of them, and what is wrong with them.

mod corpus;
mod example;
mod kit;
mod metal;
mod resolution;
mod trees;
