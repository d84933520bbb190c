//! Metrics: read from the status of the fleets when they are asked for, so that nothing is counted twice and a cluster
//! that is gone is gone here too. Only calls to metal-api are counted as they happen.

use crate::fleets::Handle;
use gitops::{Counters, FleetStatus, Ran};
use metal_api::{Observe, Op};
use model::condition::{ConditionStatus, ReasonKind};
use model::{ClusterLock, Origin, Timestamp};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// The labels of a fleet with more.
type With<'a> = dyn Fn(&[(&'static str, String)]) -> Labels + 'a;

/// Upper ends in seconds: a list of a big project takes seconds, a firewall's allocation up to ten.
const SECONDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Calls to metal-api since the process started.
#[derive(Debug)]
pub(crate) struct MetalCounters {
    requests: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
}

impl Default for MetalCounters {
    fn default() -> Self {
        Self { requests: Family::default(), seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)) }
    }
}

impl Observe for MetalCounters {
    fn call(&self, op: Op, code: &'static str, took: Duration) {
        let op = || ("op", op.as_str().to_owned());
        self.requests.get_or_create(&vec![op(), ("code", code.to_owned())]).inc();
        self.seconds.get_or_create(&vec![op()]).observe(took.as_secs_f64());
    }
}

/// What of the process itself is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process<'a> {
    pub(crate) metal: &'a MetalCounters,
    pub(crate) paused: bool,
    pub(crate) observing: bool,
    pub(crate) provider: Option<&'a provider::Telemetry>,
}

/// Everything, in the OpenMetrics text format.
pub(crate) fn text(fleets: &[Handle], process: Process<'_>, now: Timestamp) -> String {
    let Process { metal, paused, observing, provider } = process;
    let mut registry = Registry::with_prefix("ferrofleet");
    registry.register("build", "This program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    registry.register("metal_requests", "Calls to metal-api", metal.requests.clone());
    registry.register("metal_request_seconds", "How long calls to metal-api took", metal.seconds.clone());
    let states = [
        ("paused", "Whether a request paused this process", paused),
        ("observing", "Whether this process only looks (--observe)", observing),
    ];
    for (name, help, is_so) in states {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::from(is_so));
        registry.register(name, help, gauge);
    }
    let mut sheet = Sheet::default();
    for fleet in fleets {
        fleet_metrics(&mut sheet, &fleet.name, &fleet.status(), now);
    }
    sheet.register(&mut registry);
    if let Some(provider) = provider {
        provider.register(&mut registry);
    }
    let mut out = String::new();
    // Writing to a text cannot fail; what is there so far is what there is to show.
    if let Err(error) = encode(&mut out, &registry) {
        tracing::error!(%error, "metrics cannot be written");
    }
    out
}

/// Values by metric, collected over the fleets.
#[derive(Default)]
struct Sheet {
    gauges: BTreeMap<&'static str, Family<Labels, Gauge>>,
    counters: BTreeMap<&'static str, Family<Labels, Counter>>,
}

impl Sheet {
    fn set(&mut self, name: &'static str, labels: &Labels, value: i64) {
        self.gauges.entry(name).or_default().get_or_create(labels).set(value);
    }

    fn add(&mut self, name: &'static str, labels: &Labels, by: i64) {
        self.gauges.entry(name).or_default().get_or_create(labels).inc_by(by);
    }

    fn count(&mut self, name: &'static str, labels: &Labels, value: u64) {
        self.counters.entry(name).or_default().get_or_create(labels).inc_by(value);
    }

    fn register(self, registry: &mut Registry) {
        for (name, family) in self.gauges {
            registry.register(name, help(name), family);
        }
        for (name, family) in self.counters {
            registry.register(name, help(name), family);
        }
    }
}

fn help(name: &str) -> &'static str {
    match name {
        "last_success_timestamp_seconds" => "When a turn of the fleet's loop ended well last",
        "last_turn_timestamp_seconds" => "When a turn of the fleet's loop ended last",
        "clusters" => "Clusters by how far they are",
        "condition" => "Conditions that are not good, and slots that wait or stall",
        "slots" => "Committed values by slot and origin",
        "duplicates" => "Resources beside the one that fills a slot",
        "orphans" => "Marked resources that no definition and no lock names",
        "suspect_projects" => "Projects in which nothing is concluded or written",
        "findings" => "What is wrong with what people wrote",
        "lost" => "Committed values that metal-api does not have any more as they were committed",
        "missing" => "Committed values that the last reading of metal-api did not have; nothing is concluded yet",
        "budget_left" => "Resources that deletions may still free within this hour",
        "capacity_free" => "Machines that are free where clusters want some",
        "capacity_need" => "Machines that clusters want beside those that they have",
        "deletions_waiting_seconds" => "How long a deletion has been in its phase",
        "firewalls_live" => "Firewalls of the cluster: two while one is replaced",
        "firewall_healthy" => "Whether the cluster's firewall phoned home and is alive",
        "turns" => "Turns of the fleet's loop",
        "push" => "Pushes by outcome",
        "allocations" => "Resources allocated by this process",
        "frees" => "Resources freed by this process",
        "git_requests" => "Requests to the Git remote",
        "git_bytes" => "Bytes from and to the Git remote",
        _ => "",
    }
}

fn fleet_metrics(sheet: &mut Sheet, name: &str, status: &FleetStatus, now: Timestamp) {
    let FleetStatus { fleet, ran, last_success, last_turn, writing_since: _, error: _, counters } = status;
    let fleet = fleet.clone().unwrap_or_else(|| name.to_owned());
    let with = |more: &[(&'static str, String)]| {
        let mut labels = vec![("fleet", fleet.clone())];
        labels.extend_from_slice(more);
        labels
    };
    if let Some(at) = last_success {
        sheet.set("last_success_timestamp_seconds", &with(&[]), at.as_second());
    }
    if let Some(at) = last_turn {
        sheet.set("last_turn_timestamp_seconds", &with(&[]), at.as_second());
    }
    counted(sheet, *counters, &with);
    if let Some(ran) = ran {
        ran_metrics(sheet, ran, now, &with);
    }
}

fn counted(sheet: &mut Sheet, counters: Counters, with: &With<'_>) {
    let Counters {
        turns,
        quiet,
        pushes_landed,
        pushes_stale,
        pushes_refused,
        pushes_unknown,
        allocations,
        frees,
        git_requests,
        git_bytes,
    } = counters;
    let by = |key: &'static str, value: &str| with(&[(key, value.to_owned())]);
    sheet.count("turns", &by("work", "none"), quiet);
    sheet.count("turns", &by("work", "some"), turns.saturating_sub(quiet));
    let pushes =
        [("landed", pushes_landed), ("stale", pushes_stale), ("refused", pushes_refused), ("unknown", pushes_unknown)];
    for (outcome, value) in pushes {
        sheet.count("push", &by("outcome", outcome), value);
    }
    sheet.count("allocations", &with(&[]), allocations);
    sheet.count("frees", &with(&[]), frees);
    sheet.count("git_requests", &with(&[]), git_requests);
    sheet.count("git_bytes", &with(&[]), git_bytes);
}

fn ran_metrics(sheet: &mut Sheet, ran: &Ran, now: Timestamp, with: &With<'_>) {
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    sheet.set("duplicates", &with(&[]), number(ran.plan.duplicates.len() + ran.plan.frees.len()));
    sheet.set("orphans", &with(&[]), number(ran.plan.orphans.len()));
    sheet.set("suspect_projects", &with(&[]), number(ran.plan.suspect.len()));
    plan_metrics(sheet, &ran.plan, with);
    // Of deletions that are there; a clock that was set back makes no negative time.
    for (id, since) in ran.phase_since.iter().filter(|(id, _)| ran.plan.deletions.contains_key(*id)) {
        let waited = now.as_second().saturating_sub(since.as_second()).max(0);
        sheet.set("deletions_waiting_seconds", &with(&[("cluster", id.to_string())]), waited);
    }
    let errors = ran.findings.iter().filter(|f| f.is_error()).count();
    sheet.set("findings", &with(&[("severity", "error".to_owned())]), number(errors));
    sheet.set("findings", &with(&[("severity", "warning".to_owned())]), number(ran.findings.len() - errors));
    for (id, state) in &ran.clusters {
        let cluster = ("cluster", id.to_string());
        let condition = |kind: &str, reason: model::Reason| {
            with(&[cluster.clone(), ("type", kind.to_owned()), ("reason", reason.to_string())])
        };
        sheet.add("clusters", &with(&[("phase", format!("{:?}", state.phase))]), 1);
        let is_bad = |(reason, _): &&(model::Reason, String)| reason.kind() != ReasonKind::Good;
        if let Some((reason, _)) = state.problem.as_ref().filter(is_bad) {
            sheet.set("condition", &condition("Settled", *reason), 1);
        }
        for (reason, _) in state.notes.iter().filter(is_bad) {
            sheet.set("condition", &condition("Noted", *reason), 1);
        }
        if let Some(healthy) = state.firewall_ready {
            sheet.set("firewall_healthy", &with(std::slice::from_ref(&cluster)), i64::from(healthy));
        }
        let Some(lock) = &state.lock else { continue };
        if lock.values.firewall.is_some() {
            sheet.set("firewalls_live", &with(std::slice::from_ref(&cluster)), firewalls(lock));
        }
        for bad in lock.conditions.iter().filter(|c| c.status != ConditionStatus::True) {
            sheet.set("condition", &condition(&bad.kind, bad.reason), 1);
        }
        for (slot, origin) in slots(lock) {
            sheet.add("slots", &with(&[("slot", slot.to_owned()), ("origin", origin.to_owned())]), 1);
        }
    }
}

fn plan_metrics(sheet: &mut Sheet, plan: &plan::Plan, with: &With<'_>) {
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let (lost, missing): (Vec<_>, Vec<_>) = plan.losses.iter().partition(|loss| loss.is_concluded());
    sheet.set("lost", &with(&[]), number(lost.len()));
    sheet.set("missing", &with(&[]), number(missing.len()));
    sheet.set("budget_left", &with(&[]), plan.budget_left.into());
    for line in &plan.capacity {
        let place = [("partition", line.partition.to_string()), ("size", line.size.to_string())];
        sheet.set("capacity_free", &with(&place), line.free.into());
        sheet.set("capacity_need", &with(&place), line.need.into());
    }
}

/// The one that serves, and the one that is to take its place.
fn firewalls(lock: &ClusterLock) -> i64 {
    let firewall = lock.values.firewall.as_ref();
    firewall.map_or(0, |firewall| 1 + i64::from(firewall.successor.is_some()))
}

/// What a lock names. Networks of egress addresses stay out: labels are few.
fn slots(lock: &ClusterLock) -> Vec<(&'static str, &'static str)> {
    let values = &lock.values;
    let network = values.node_network.iter().map(|n| ("network", n.origin));
    let vip = values.vip.iter().map(|v| ("vip", v.origin));
    let egress = values.egress_ips.iter().map(|e| ("egress", e.origin));
    let firewall = values.firewall.iter().map(|f| ("firewall", f.origin));
    let name = |origin| match origin {
        Origin::Allocated => "allocated",
        Origin::Adopted => "adopted",
        Origin::Delegated => "delegated",
        Origin::Spec => "spec",
    };
    network.chain(vip).chain(egress).chain(firewall).map(|(slot, origin)| (slot, name(origin))).collect()
}
