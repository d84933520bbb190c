//! Push to commit-back on a local remote and the simulator: `cargo bench -p ferrofleet-tests --bench commit_back`.
//! The engine runs as the real binary; the clock stops when the branch shows a commit whose parent is the push.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and ends where it cannot go on")]

mod fleet_of;

use ferrofleet_tests::bed::definition;
use ferrofleet_tests::binary::{Process, command};
use ferrofleet_tests::repo::Bare;
use std::time::{Duration, Instant};

const PUSHES: usize = 40;
const LIMIT: Duration = Duration::from_secs(120);

fn main() {
    // `cargo test --benches` only asks whether it starts.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    println!("{:>9} {:>10} {:>10} {:>10}", "clusters", "p50 ms", "p95 ms", "max ms");
    for clusters in [3, 1_000] {
        let mut took = measure(clusters);
        took.sort_by(f64::total_cmp);
        let [p50, p95, max] = [0.5, 0.95, 1.0].map(|q| quantile(&took, q));
        println!("{clusters:>9} {p50:>10.1} {p95:>10.1} {max:>10.1}");
    }
}

fn measure(clusters: usize) -> Vec<f64> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let remote = fleet_of::repository(dir.path(), clusters);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut landscape = metal_sim::Landscape::default();
    landscape.machines.iter_mut().for_each(|group| group.count = 2_000);
    let options = metal_sim::Options { landscape, ..metal_sim::Options::default() };
    let sim = runtime.block_on(metal_sim::start(options)).expect("the simulator");
    let cache = dir.path().join("cache").display().to_string();
    let url = remote.url();
    let mut engine = command(&dir.path().join("home"));
    engine.envs(sim.env()).args(["run", "--repo", &url, "--cache-dir", &cache]);
    let engine = Process::spawn(&mut engine);
    commit_after(&remote, &remote.tip());
    let ada = remote.person("ada", dir.path());
    let took = (0..PUSHES).map(|n| {
        let name = format!("new{n:03}");
        ada.pull().write(&format!("stages/development/clusters/{name}/cluster.yaml"), &definition(&name));
        let pushed = ada.push("One more");
        let began = Instant::now();
        commit_after(&remote, &pushed);
        began.elapsed().as_secs_f64() * 1000.0
    });
    let took = took.collect();
    engine.signal("TERM");
    let _ = engine.finish(LIMIT);
    took
}

/// Waits until the branch is at a child of `commit`.
fn commit_after(remote: &Bare, commit: &str) {
    let path = remote.path.join("refs/heads/main");
    let until = Instant::now() + LIMIT;
    loop {
        // A loose ref after every push; packed only before the first.
        if std::fs::read_to_string(&path).is_ok_and(|tip| tip.trim() != commit) {
            return;
        }
        assert!(Instant::now() < until, "no commit after {commit} within {LIMIT:?}");
        std::thread::park_timeout(Duration::from_micros(500));
    }
}

/// The q-th quantile of some durations in milliseconds.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = ((sorted.len() - 1) as f64 * q).round();
    sorted[at as usize]
}
