//! What the provider counts, and whether it is well: for `/metrics` and `/readyz`.

use super::caches::Caches;
use super::error::Error;
use crate::api::{Condition, ConditionStatus};
use crate::reason::ConditionType;
use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

type Labels = Vec<(&'static str, String)>;

/// Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Telemetry(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    passes: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    /// There once this process leads.
    caches: OnceLock<Caches>,
    reconciles: AtomicBool,
}

impl Default for Counts {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 8));
        Self {
            passes: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            caches: OnceLock::new(),
            reconciles: AtomicBool::new(false),
        }
    }
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    Stale,
    Failed,
}

impl Outcome {
    pub(super) fn of(outcome: &Result<Action, Error>) -> Self {
        match outcome {
            Ok(_) => Self::Ok,
            Err(Error::Conflict | Error::Gone) => Self::Stale,
            Err(Error::Kube(_) | Error::Restless(..)) => Self::Failed,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

impl Telemetry {
    pub(super) fn leads(&self, caches: Caches) {
        // A process leads once: it ends when it is deposed.
        let _ = self.0.caches.set(caches);
    }

    pub(super) fn reconciles(&self) {
        self.0.reconciles.store(true, Ordering::Release);
    }

    pub(super) fn passed(&self, kind: &str, outcome: Outcome, took: Duration) {
        let of = || ("kind", kind.to_owned());
        self.0.passes.get_or_create(&vec![of(), ("outcome", outcome.as_str().to_owned())]).inc();
        self.0.seconds.get_or_create(&vec![of()]).observe(took.as_secs_f64());
    }

    /// Whether this process reconciles: a replica that waits for the lease does not.
    pub fn is_leader(&self) -> bool {
        self.0.caches.get().is_some()
    }

    /// Why it is not ready. Who waits for the lease is: its turn comes.
    pub fn unready(&self) -> Option<&'static str> {
        let waits = self.is_leader() && !self.0.reconciles.load(Ordering::Acquire);
        waits.then_some("provider: the API server has not told of all objects yet")
    }

    /// Adds the provider's metrics; the registry has the prefix.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("provider_passes", "Passes over objects, by how they ended", self.0.passes.clone());
        registry.register("provider_pass_seconds", "How long passes took", self.0.seconds.clone());
        let leader = Gauge::<i64>::default();
        leader.set(i64::from(self.is_leader()));
        registry.register("provider_leader", "Whether this process holds the lease, or needs none", leader);
        let Some(caches) = self.0.caches.get() else { return };
        registry.register("machines", "MetalStackMachines by state", machines(caches));
        registry.register("provider_condition", "Objects by conditions that are not good", conditions(caches));
        registry.register(
            "provider_firewall_healthy",
            "Whether the cluster's firewall phoned home and is alive",
            firewalls(caches),
        );
    }
}

fn machines(caches: &Caches) -> Family<Labels, Gauge> {
    let machines = Family::<Labels, Gauge>::default();
    for machine in caches.metal_machines.state() {
        let conditions = machine.status.as_ref().map(|s| &s.conditions[..]).unwrap_or_default();
        let state = match ready(conditions) {
            _ if machine.metadata.deletion_timestamp.is_some() => "Deleting",
            Some(condition) if condition.status == ConditionStatus::True => "Ready",
            Some(condition) => &condition.reason,
            None => "New",
        };
        machines.get_or_create(&vec![("state", state.to_owned())]).inc();
    }
    machines
}

fn conditions(caches: &Caches) -> Family<Labels, Gauge> {
    let family = Family::<Labels, Gauge>::default();
    let count = |kind: &str, conditions: &[Condition]| {
        let bad = |c: &&Condition| {
            let inverse =
                matches!(ConditionType::parse(&c.type_), Some(ConditionType::Paused | ConditionType::Deleting));
            (c.status == ConditionStatus::True) == inverse
        };
        for condition in conditions.iter().filter(bad) {
            let labels = vec![
                ("kind", kind.to_owned()),
                ("type", condition.type_.clone()),
                ("reason", condition.reason.clone()),
            ];
            family.get_or_create(&labels).inc();
        }
    };
    for object in caches.metal_clusters.state() {
        count("MetalStackCluster", object.status.as_ref().map(|s| &s.conditions[..]).unwrap_or_default());
    }
    for object in caches.metal_machines.state() {
        count("MetalStackMachine", object.status.as_ref().map(|s| &s.conditions[..]).unwrap_or_default());
    }
    for object in caches.firewalls.state() {
        count("MetalStackFirewallDeployment", object.status.as_ref().map(|s| &s.conditions[..]).unwrap_or_default());
    }
    family
}

fn firewalls(caches: &Caches) -> Family<Labels, Gauge> {
    let family = Family::<Labels, Gauge>::default();
    for firewall in caches.firewalls.state() {
        let name = format!("{}.{}", firewall.namespace().unwrap_or_default(), firewall.name_any());
        let conditions = firewall.status.as_ref().map(|s| &s.conditions[..]).unwrap_or_default();
        let healthy = conditions
            .iter()
            .any(|c| c.type_ == ConditionType::FirewallHealthy.as_str() && c.status == ConditionStatus::True);
        family.get_or_create(&vec![("cluster", name)]).set(i64::from(healthy));
    }
    family
}

fn ready(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == ConditionType::Ready.as_str())
}
