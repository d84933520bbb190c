//! The provider under load, on a real API server and the simulator: `cargo bench -p ferrofleet-tests --bench provider`.
//!
//! Servers: 500 machines of one cluster, from the first apply to the last one provisioned. Steady: 1,000 clusters with
//! 5,000 machines that are all well; what an interval costs in requests, CPU time and memory. Fewer with
//! `FERROFLEET_BENCH_CLUSTERS`.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and ends where it cannot go on")]

use ferrofleet_tests::provider::objects::Role;
use ferrofleet_tests::provider::{Site, condition, landscape};
use ferrofleet_tests::usage::Usage;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SERVERS: usize = 500;
const MACHINES_PER_CLUSTER: usize = 5;
/// Who applies at the same time.
const WRITERS: usize = 8;
/// The defaults, but for the number of requests to the API server.
const FLAGS: [&str; 18] = [
    "--metal-interval",
    "1m",
    "--metal-haste",
    "5s",
    "--settle",
    "30s",
    "--backoff",
    "1m",
    "--kube-api-qps",
    "500",
    "--kube-api-burst",
    "1000",
    "--firewall-health-timeout",
    "20m",
    "--firewall-replacement-pause",
    "1h",
    "--concurrency",
    "10",
];

fn main() {
    // `cargo test --benches` only asks whether it starts.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    servers();
    let clusters = std::env::var("FERROFLEET_BENCH_CLUSTERS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    steady(clusters);
}

fn site(machines: usize) -> Site {
    let mut landscape = landscape();
    for group in &mut landscape.machines {
        group.count = u32::try_from(machines).expect("not so many");
    }
    Site::with(landscape).expect("the API server, see tests/harness/peers.rs")
}

fn servers() {
    let site = site(SERVERS + 10);
    let provider = site.provider_with(&FLAGS);
    site.cluster_with_firewall("load", &json!({}));
    site.until_core_knows("load");
    let began = Instant::now();
    let names: Vec<String> = (0..SERVERS).map(|n| format!("load-{n:04}")).collect();
    in_parallel(&names, |name| site.machine("load", name, Role::Worker));
    let applied = began.elapsed();
    let provisioned = until_provisioned(&site, "MetalStackMachine", SERVERS, began);
    let allocated = site.servers_of("machine").len();
    assert_eq!(allocated, SERVERS, "one server each");
    println!(
        "{SERVERS} machines: applied in {:.1} s, the last one provisioned after {:.1} s",
        secs(applied),
        secs(provisioned)
    );
    println!("{}", Usage::of(provider.pid()));
    drop(provider);
}

fn steady(clusters: usize) {
    let machines = clusters * MACHINES_PER_CLUSTER;
    let site = site(machines + clusters + 10);
    let provider = site.provider_with(&FLAGS);
    let began = Instant::now();
    let names: Vec<String> = (0..clusters).map(|n| format!("c{n:04}")).collect();
    in_parallel(&names, |name| site.cluster_with_firewall(name, &json!({})));
    until_provisioned(&site, "MetalStackCluster", clusters, began);
    in_parallel(&names, |name| site.until_core_knows(name));
    println!("{clusters} clusters provisioned after {:.0} s", secs(began.elapsed()));
    in_parallel(&names, |name| {
        for n in 0..MACHINES_PER_CLUSTER {
            site.machine(name, &format!("{name}-{n}"), if n == 0 { Role::ControlPlane } else { Role::Worker });
        }
    });
    until_provisioned(&site, "MetalStackMachine", machines, began);
    println!("{machines} machines provisioned after {:.0} s", secs(began.elapsed()));
    // What came last is looked at once more; then whole intervals without haste.
    until_lists(&site, 1);
    let (calls, cpu, at) = (last_call(&site), Usage::of(provider.pid()).cpu_seconds, Instant::now());
    let versions = site.versions();
    until_lists(&site, 2);
    let of = site.sim.calls_after(calls);
    let minutes = secs(at.elapsed()) / 60.0;
    let mut by_path: BTreeMap<String, usize> = BTreeMap::new();
    for call in &of {
        *by_path.entry(format!("{} {}", call.method, call.path)).or_default() += 1;
    }
    let written = site.versions().iter().zip(&versions).filter(|(a, b)| a != b).count();
    println!("over {minutes:.1} intervals of a minute: {} requests to metal-api, {written} objects written", of.len());
    for (path, n) in by_path {
        println!("  {n:>4} {path}");
    }
    println!("CPU time per interval: {:.2} s", (Usage::of(provider.pid()).cpu_seconds - cpu) / minutes);
    println!("{}", Usage::of(provider.pid()));
}

fn in_parallel(names: &[String], work: impl Fn(&str) + Sync) {
    std::thread::scope(|scope| {
        for chunk in names.chunks(names.len().div_ceil(WRITERS).max(1)) {
            scope.spawn(|| chunk.iter().for_each(|name| work(name)));
        }
    });
}

fn until_provisioned(site: &Site, kind: &str, wanted: usize, began: Instant) -> Duration {
    let end = Instant::now() + Duration::from_secs(1800);
    loop {
        let is = |object: &Value| {
            object["status"]["initialization"]["provisioned"] == true
                && condition(object, "Ready").is_some_and(|c| c["status"] == "True")
        };
        let provisioned = site.list(kind).iter().filter(|object| is(object)).count();
        if provisioned >= wanted {
            return began.elapsed();
        }
        assert!(Instant::now() < end, "{provisioned} of {wanted} {kind}s are provisioned");
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

/// Waits for so many readings more.
fn until_lists(site: &Site, times: usize) {
    let (from, end) = (last_call(site), Instant::now() + Duration::from_secs(900));
    while site.sim.calls_after(from).iter().filter(|call| call.path.ends_with("/machine/find")).count() < times {
        assert!(Instant::now() < end, "metal-api is not read any more");
        std::thread::park_timeout(Duration::from_millis(250));
    }
}

fn last_call(site: &Site) -> u64 {
    site.sim.calls().last().map_or(0, |call| call.n)
}

fn secs(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
