//! Trees in memory: what is wanted of them, and what is wrong with them.

mod corpus;
mod example;
mod init;
mod kit;
mod metal;
mod overlays;
mod resolution;
mod schemas;
mod trees;
mod why;
