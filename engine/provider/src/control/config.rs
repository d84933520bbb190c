//! How the provider is to behave; every value has a flag.

use std::time::Duration;

/// Which objects are reconciled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only this namespace.
    pub namespace: Option<String>,
    /// Only objects with the label `cluster.x-k8s.io/watch-filter` of this value.
    pub watch_filter: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub scope: Scope,
    /// Between two bulk readings of a project.
    pub metal_interval: Duration,
    /// The same while a server is on its way or something is released.
    pub metal_haste: Duration,
    /// Every object is looked at again after this long, whatever happened.
    pub resync: Duration,
    /// Objects of one kind in work at once.
    pub concurrency: u16,
    /// Longest that a write to metal-api may take.
    pub metal_write_timeout: Duration,
    /// Writes to one project in flight at once.
    pub metal_writes: usize,
    /// Decide, report in the log, and write nothing anywhere.
    pub observe: bool,
    /// Whether `provisioned` waits for the firewall's phone-home.
    pub wait_for_firewall: bool,
    /// How long a firewall may be dead before it is replaced (R4).
    pub firewall_health_timeout: Duration,
    /// Between two replacements of one cluster's dead firewall (R4).
    pub firewall_replacement_pause: Duration,
    /// Whether `autoUpdate.machineImage` is honoured (R3).
    pub firewall_image_updates: bool,
    /// How long an allocation without an answer can still complete: longer than any call may take.
    pub settle: Duration,
    /// How long a control plane's object outlives its server, so that routes converge (R22).
    pub control_plane_grace: Duration,
    /// The longest wait after calls that failed.
    pub backoff: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            scope: Scope::default(),
            metal_interval: Duration::from_secs(60),
            metal_haste: Duration::from_secs(5),
            resync: Duration::from_secs(600),
            concurrency: 50,
            metal_write_timeout: Duration::from_secs(20),
            metal_writes: 4,
            observe: false,
            wait_for_firewall: true,
            firewall_health_timeout: Duration::from_secs(20 * 60),
            firewall_replacement_pause: Duration::from_secs(60 * 60),
            firewall_image_updates: false,
            settle: Duration::from_secs(30),
            control_plane_grace: Duration::from_secs(30),
            backoff: Duration::from_secs(60),
        }
    }
}
