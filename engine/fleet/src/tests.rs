//! Trees in memory: what is wanted of them, and what is wrong with them.

mod example;
mod kit;
