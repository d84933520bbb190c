//! Ten thousand lives of a fleet: `cargo bench -p ferrofleet-tests --bench simulation`. `SEEDS=n` and `FROM=n` choose
//! others.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and ends where it cannot go on")]

use ferrofleet_tests::simulation::{Held, run};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const SEEDS: u64 = 10_000;

fn main() {
    // `cargo test --benches` only asks whether it starts.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let number = |name: &str, default| std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"));
    let (from, seeds) = (number("FROM", 0), number("SEEDS", SEEDS));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(from);
    let (sum, failed) = (Mutex::new(Held::default()), AtomicU64::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        break;
                    }
                    match run(seed) {
                        Ok(held) => {
                            let mut sum = sum.lock().expect("no panic while it is held");
                            sum.commits += held.commits;
                            sum.allocated += held.allocated;
                            sum.freed += held.freed;
                            sum.deaths += held.deaths;
                            sum.seconds += held.seconds;
                        }
                        Err(failure) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            println!("seed {seed}: {}", failure.why);
                        }
                    }
                }
            });
        }
    });
    let (took, failed) = (began.elapsed(), failed.into_inner());
    let Held { commits, allocated, freed, deaths, seconds, log: _ } =
        sum.into_inner().expect("no panic while it was held");
    println!("{seeds} seeds in {took:.1?} on {threads} threads: {failed} did not hold");
    println!(
        "{commits} commits, {allocated} allocated, {freed} freed, {deaths} deaths, {} simulated hours",
        seconds / 3600
    );
    assert_eq!(failed, 0, "each seed that did not hold says why above");
}
