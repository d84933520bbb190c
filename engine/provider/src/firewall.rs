//! The controller of `MetalStackFirewallDeployment`: the firewall of one cluster.
//!
//! It finds or allocates one, watches it, and replaces it when its template changed after the provider first saw it (R3),
//! or when it is dead (R4): create the next generation, wait for its phone-home, free the old one at once (R5). What the
//! engine allocates is observed only.

mod decide;
mod delete;
mod engine;
mod health;
mod observed;
mod replace;
mod template;

#[cfg(test)]
mod tests;
