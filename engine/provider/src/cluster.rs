//! The controller of MetalStackClusters: node network, control plane's address, firewall's ownership, and their end.

mod decide;
mod delete;
mod observed;
mod search;

#[cfg(test)]
mod tests;
