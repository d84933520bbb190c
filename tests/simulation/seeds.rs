//! Lives of fleets.

use ferrofleet_tests::simulation::run;
use std::sync::atomic::{AtomicU64, Ordering};

/// As many as a minute or so allows in a debug build.
const SEEDS: u64 = 300;
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
    let next = AtomicU64::new(0);
    let work = || {
        let mut failures = Vec::new();
        while failures.len() < FAILURES_MAX {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
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
    assert!(failures.is_empty(), "{} seeds did not hold", failures.len());
}

#[test]
fn a_seed_lives_the_same_life_again() {
    let lives = || run(11).map_err(|failure| failure.to_string());
    assert_eq!(lives(), lives());
}

fn one_seed() -> Option<u64> {
    let text = std::env::var("FERROFLEET_SEED").ok()?;
    Some(text.parse().expect("FERROFLEET_SEED is a number"))
}
