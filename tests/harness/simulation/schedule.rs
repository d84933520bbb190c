//! One seed from its first push to the quiet at its end.

use super::people::People;
use super::process::{METAL_INTERVAL, Process};
use super::weather::Weather;
use super::world::{MAIN, World};
use super::{Failure, Held};
use fastrand::Rng;
use std::time::Duration;

/// Nothing may happen any more for so many readings of metal-api.
const QUIET_INTERVALS: u32 = 3;
/// A dead firewall may wait an hour for its replacement.
const QUIET_INTERVALS_AFTER_INCIDENTS: u32 = 32;
/// Whatever waits for time has come by then.
const QUIET_WITHIN: Duration = Duration::from_secs(4 * 3600);

pub(super) async fn live(seed: u64) -> Result<Held, Box<Failure>> {
    let mut run = Run::new(seed);
    run.people.begin(&mut run.rng);
    run.engines.push(run.world.engine(&mut run.started));
    for _ in 0..run.rng.usize(5..16) {
        tokio::time::sleep(span(&mut run.rng)).await;
        run.revive();
        if run.world.is_over() {
            break;
        }
        run.event();
    }
    if !run.world.is_over() {
        run.end().await;
    }
    run.told(seed)
}

struct Run {
    world: World,
    people: People,
    rng: Rng,
    engines: Vec<Process>,
    started: usize,
    deaths: usize,
}

/// Between two events: mostly less than a turn takes, now and then long enough for everything to settle.
fn span(rng: &mut Rng) -> Duration {
    Duration::from_millis(match rng.u32(0..8) {
        0..=2 => rng.u64(10..2_000),
        3..=5 => rng.u64(2_000..30_000),
        6 => rng.u64(30_000..120_000),
        _ => rng.u64(120_000..400_000),
    })
}

impl World {
    fn engine(&self, started: &mut usize) -> Process {
        *started += 1;
        Process::start(self, &format!("engine {started}"))
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let people = People::new(world.clone());
        // Of its own, so that what the engines draw does not change what people do.
        let rng = Rng::with_seed(seed ^ 0x5eed);
        Self { world, people, rng, engines: Vec::new(), started: 0, deaths: 0 }
    }

    /// Processes that died are started again, as a supervisor would.
    fn revive(&mut self) {
        let (dead, alive): (Vec<_>, Vec<_>) = self.engines.drain(..).partition(Process::is_dead);
        self.engines = alive;
        for process in dead {
            self.deaths += 1;
            process.kill();
            self.engines.push(self.world.engine(&mut self.started));
        }
        for process in self.engines.iter().filter(|process| process.has_ended()) {
            self.world.fail(format!("{} ended by itself", process.name));
        }
    }

    fn event(&mut self) {
        let rng = &mut self.rng;
        match rng.u32(0..24) {
            0..=14 => self.people.act(rng),
            15 | 16 => {
                let weather = Weather::draw(rng);
                self.world.say(format_args!("{weather:?}"));
                self.world.state().weather = weather;
            }
            17..=19 => {
                let at = rng.usize(..self.engines.len());
                self.engines[at].dies_after(rng.u64(0..60));
                // So that there is something to die of.
                self.people.act(rng);
            }
            20 | 21 if self.engines.len() < 2 => {
                let engine = self.world.engine(&mut self.started);
                self.engines.push(engine);
            }
            20 | 21 => {
                self.deaths += 1;
                let at = rng.usize(..self.engines.len());
                self.engines.remove(at).kill();
            }
            22 => {
                let at = rng.usize(..self.engines.len());
                let seconds = if rng.bool() { rng.i64(-20..20) } else { rng.i64(-600..600) };
                self.world.say(format_args!("the clock of {} is {seconds} s off", self.engines[at].name));
                self.engines[at].skew(seconds);
            }
            _ => {
                self.people.act(rng);
                self.people.act(rng);
            }
        }
    }

    /// Faults end and time passes, until nothing happens any more.
    async fn end(&mut self) {
        self.world.say("from here on all goes well");
        self.world.state().weather = Weather::FAIR;
        self.engines.iter().for_each(|engine| engine.skew(0));
        self.revive();
        let excused = self.people.settle();
        let needed = if self.people.incidents > 0 { QUIET_INTERVALS_AFTER_INCIDENTS } else { QUIET_INTERVALS };
        let (mut quiet, mut before) = (0, self.counts());
        let began = tokio::time::Instant::now();
        while quiet < needed {
            tokio::time::sleep(METAL_INTERVAL).await;
            self.revive();
            if self.world.is_over() {
                return;
            }
            let now = self.counts();
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
            if began.elapsed() > QUIET_WITHIN {
                return self.world.fail("I4: it never got quiet".to_owned());
            }
        }
        self.world.look();
        let tip = self.world.hub.find(MAIN).expect("a branch");
        let (files, things) = (self.world.files(tip), self.world.things());
        let checked = self.world.state().checker.quiet(&files, &things, &excused);
        if let Err(violation) = checked {
            self.world.fail(format!("{violation} (at the end)"));
        }
    }

    /// What may not change any more: commits, and writes to metal-api.
    fn counts(&self) -> (usize, usize, Option<git::Oid>) {
        let state = self.world.state();
        (state.commits, state.writes, self.world.hub.find(MAIN))
    }

    fn told(self, seed: u64) -> Result<Held, Box<Failure>> {
        let seconds = self.world.seconds();
        let mut state = self.world.state();
        if let Some(why) = state.failed.take() {
            return Err(Box::new(Failure { seed, why, log: std::mem::take(&mut state.log) }));
        }
        let (commits, allocated, freed) = (state.commits, state.allocated, state.freed);
        let log = std::mem::take(&mut state.log);
        Ok(Held { commits, allocated, freed, deaths: self.deaths, seconds, log })
    }
}
