//! What the provider counts, and whether it is well: for `/metrics` and `/readyz`.

use super::caches::Caches;
use super::error::Error;
use crate::api::{Condition, ConditionStatus};
use crate::reason::ConditionType;
use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use metal_api::{Observe, Op};
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
    allocations: Family<Labels, Counter>,
    frees: Family<Labels, Counter>,
    denied: Counter,
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
            allocations: Family::default(),
            frees: Family::default(),
            denied: Counter::default(),
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

    /// Hears of the calls that allocate and free, and tells `next`.
    pub(super) fn heard(&self, next: Arc<dyn Observe>) -> Arc<dyn Observe> {
        Arc::new(Heard { telemetry: self.clone(), next })
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
        registry.register("provider_allocations", "Allocations by what and how they ended", self.0.allocations.clone());
        registry.register("provider_frees", "Frees by what and how they ended", self.0.frees.clone());
        registry.register("metal_denied", "Calls that metal-api refused to whoever asked", self.0.denied.clone());
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

struct Heard {
    telemetry: Telemetry,
    next: Arc<dyn Observe>,
}

impl Observe for Heard {
    fn call(&self, op: Op, code: &'static str, took: Duration) {
        let counts = &self.telemetry.0;
        if op.is_write() && op != Op::IpUpdate {
            let kind = op.as_str().split('_').next().unwrap_or_default();
            let family = if op.is_free() { &counts.frees } else { &counts.allocations };
            family.get_or_create(&vec![("kind", kind.to_owned()), ("result", code.to_owned())]).inc();
        }
        if code == "denied" {
            counts.denied.inc();
        }
        self.next.call(op, code, took);
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
