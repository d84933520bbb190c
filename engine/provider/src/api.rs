//! The kinds of the provider, one module each. What they mean is the controllers' business.
//!
//! CAPMS's names, types and defaults are kept, and whatever CAPMS admits can be read: its strings stay strings, and a
//! value that makes no sense is for a condition to say. The one exception is an object without a `spec`, which CAPMS
//! admits for three of the kinds and can do nothing with: lists of these kinds are read as
//! [`DeserializeGuard`](kube::core::DeserializeGuard), so that one such object does not hide the others.

#![allow(clippy::duplicated_attributes, reason = "each printer column says its type, and several have the same")]

mod cluster;
mod cluster_template;
mod common;
mod firewall_deployment;
mod firewall_template;
mod machine;
mod machine_template;

pub use cluster::{
    CredentialsRef, Endpoint, FailureDomain, FirewallDeploymentRef, MetalStackCluster, MetalStackClusterSpec,
    MetalStackClusterStatus,
};
pub use cluster_template::{ClusterTemplate, MetalStackClusterTemplate, MetalStackClusterTemplateSpec};
pub use common::{Condition, ConditionStatus, Initialization, TemplateMetadata};
pub use firewall_deployment::{
    AutoUpdate, FirewallTemplateRef, ManagedResourceRef, MetalStackFirewallDeployment,
    MetalStackFirewallDeploymentSpec, MetalStackFirewallDeploymentStatus,
};
pub use firewall_template::{
    AllowedNetworks, EgressRule, FirewallRules, IngressRule, KeyRef, MetalStackFirewallTemplate,
    MetalStackFirewallTemplateSpec, RateLimit, SourceNat, UserdataContent, UserdataSource,
};
pub use machine::{
    AdditionalNetwork, AddressType, MachineAddress, MetalStackMachine, MetalStackMachineSpec, MetalStackMachineStatus,
};
pub use machine_template::{
    MachineTemplate, MachineTemplateStatus, MetalStackMachineTemplate, MetalStackMachineTemplateSpec, NodeInfo,
};

/// The API group of all kinds.
pub const GROUP: &str = "infrastructure.cluster.x-k8s.io";

/// Their version: the one that CAPMS has, served and stored.
pub const VERSION: &str = "v1alpha1";
