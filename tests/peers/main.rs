//! Other people's programs, run for real. What is missing is built or named: see `tests/harness/peers.rs`.

mod forge;
mod gitea;
mod metal_go;
