//! Lives of fleets.

use ferrofleet_tests::simulation::run;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SEEDS: u64 = 300;
/// A slow or busy machine lives fewer lives, and says so.
const LIMIT: Duration = Duration::from_secs(90);
const SEEDS_MIN: u64 = 60;
const THREADS: usize = 2;
/// More failures than these say nothing new.
const FAILURES_MAX: usize = 3;

#[test]
fn every_seed_holds() {
    if let Some(seed) = one_seed() {
        match run(seed) {
            Ok(held) => println!("{}\nseed {seed} holds", held.log.join("\n")),
            Err(failure) => panic!("{failure}"),
        }
        return;
    }
    let (next, began) = (AtomicU64::new(0), Instant::now());
    let work = || {
        let mut failures = Vec::new();
        while failures.len() < FAILURES_MAX {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS || (seed >= SEEDS_MIN && began.elapsed() > LIMIT) {
                break;
            }
            failures.extend(run(seed).err());
        }
        failures
    };
    let failures: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic outside of an engine")).collect()
    });
    for failure in &failures {
        eprintln!("{failure}\n");
    }
    println!("{} seeds in {:.0?}", next.into_inner().min(SEEDS), began.elapsed());
    assert!(failures.is_empty(), "{} seeds did not hold", failures.len());
}

#[test]
fn a_seed_lives_the_same_life_again() {
    for seed in [11, 31] {
        let life = || run(seed).map_or_else(|failure| failure.log, |held| held.log);
        assert_eq!(life(), life());
    }
}

fn one_seed() -> Option<u64> {
    let text = std::env::var("FERROFLEET_SEED").ok()?;
    Some(text.parse().expect("FERROFLEET_SEED is a number"))
}
