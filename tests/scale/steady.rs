//! A large fleet on a quiet day: `cargo bench -p ferrofleet-tests --bench steady`. The engine runs as the real binary on
//! a bare remote and the simulator over HTTP; what whole intervals cost in requests, writes, CPU time and memory.
//! Another number of clusters with `FERROFLEET_BENCH_CLUSTERS`.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and ends where it cannot go on")]

mod fleet_of;

use ferrofleet_tests::binary::{Process, command};
use ferrofleet_tests::repo::Bare;
use ferrofleet_tests::usage::Usage;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often metal-api is read; the tip is looked at every second.
const INTERVAL: &str = "5s";
/// Readings that are measured.
const READINGS: usize = 6;
const LIMIT: Duration = Duration::from_secs(1_800);

fn main() {
    // `cargo test --benches` only asks whether it starts.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let only = std::env::var("FERROFLEET_BENCH_CLUSTERS").ok().and_then(|n| n.parse().ok());
    for clusters in only.map_or_else(|| vec![100, 1_000, 5_000], |n| vec![n]) {
        measure(clusters);
    }
}

fn measure(clusters: usize) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let remote = fleet_of::repository(dir.path(), clusters);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = metal_sim::Options { landscape: landscape(clusters), ..metal_sim::Options::default() };
    let sim = runtime.block_on(metal_sim::start(options)).expect("the simulator");
    let (cache, url) = (dir.path().join("cache").display().to_string(), remote.url());
    let mut engine = command(&dir.path().join("home"));
    engine.envs(sim.env()).args(["run", "--repo", &url, "--cache-dir", &cache]);
    engine.args(["--metal-interval", INTERVAL, "--git-interval", "1s"]);
    let engine = Process::spawn(&mut engine);
    let began = Instant::now();
    until("every cluster is rendered", || rendered(&remote) == clusters);
    println!("{clusters} clusters resolved and rendered after {:.1} s", began.elapsed().as_secs_f64());
    until("every firewall has phoned home", || all_phoned_home(&sim.state()));
    // What is looked at often while firewalls come up ends with the reading after the last one did.
    let readings = || sim.calls().iter().filter(|call| call.path.ends_with("/ip/find")).count();
    let quiet_from = readings() + 2;
    until("it is quiet", || readings() >= quiet_from);

    let (tip, before, cpu, at) = (remote.tip(), sim.calls().len(), Usage::of(engine.pid()).cpu_seconds, Instant::now());
    let last = readings() + READINGS;
    until("the readings to be measured", || readings() >= last);
    let (took, calls) = (at.elapsed(), sim.calls().split_off(before));
    let mut by_path: BTreeMap<String, usize> = BTreeMap::new();
    for call in &calls {
        *by_path.entry(format!("{} {}", call.method, call.path)).or_default() += 1;
    }
    let written = calls.iter().filter(|call| call.effect.is_some()).count();
    let commits = usize::from(remote.tip() != tip);
    let per_reading = calls.len() as f64 / READINGS as f64;
    println!("  {per_reading:.1} requests to metal-api per reading, {written} writes, {commits} commits");
    for (path, n) in by_path {
        println!("    {:>4.1} {path}", n as f64 / READINGS as f64);
    }
    let cpu = (Usage::of(engine.pid()).cpu_seconds - cpu) * 1000.0 / READINGS as f64;
    println!(
        "  CPU time {cpu:.0} ms per reading ({:.1} s apart), {}",
        took.as_secs_f64() / READINGS as f64,
        Usage::of(engine.pid())
    );
    engine.signal("TERM");
    let _ = engine.finish(LIMIT);
}

/// Room for so many clusters.
fn landscape(clusters: usize) -> metal_sim::Landscape {
    let mut landscape = metal_sim::Landscape::default();
    for group in &mut landscape.machines {
        group.count = u32::try_from(clusters + 10).expect("not so many");
    }
    for network in landscape.networks.iter_mut().filter(|network| network.id == "internet") {
        for prefix in network.prefixes.iter_mut().filter(|prefix| prefix.addr().is_ipv4()) {
            *prefix = "198.18.0.0/15".parse().expect("a prefix");
        }
    }
    landscape
}

fn rendered(remote: &Bare) -> usize {
    remote.paths().iter().filter(|path| path.ends_with("/control-plane.yaml")).count()
}

fn all_phoned_home(state: &serde_json::Value) -> bool {
    let machines = state["machines"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut firewalls = machines.iter().filter(|machine| machine["allocation"]["role"] == "firewall");
    firewalls.all(|machine| machine["events"]["log"][0]["event"] == "Phoned Home")
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(200));
    }
}
