//! The world of one seed: its clock, its remote, its metal-api, its log, and the checker that sees every change.

use super::checker::{Checker, Thing};
use super::facts::Files;
use super::weather::{Fate, Weather, latency, of_git, of_metal};
use fastrand::Rng;
use git::{Hub, Oid};
use metal_sim::{Clock, Landscape, Sim};
use model::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;
use tokio::time::Instant;

pub(super) const MAIN: &str = "refs/heads/main";
pub(super) const PROJECT: &str = "00000000-0000-0000-0000-000000000001";
/// When every simulation begins.
const EPOCH: &str = "2026-11-01T08:00:00Z";
/// A person's, free to adopt.
pub(super) const ADOPTABLE: &str = "198.18.0.77";
/// What no life needs: an engine that takes more steps never rests.
const STEPS_MAX: usize = 40_000;
/// A file is read up to this size.
const FILE_BYTES_MAX: usize = 4 << 20;

/// A handle; clones are the same world.
#[derive(Clone)]
pub(super) struct World(Arc<Shared>);

pub(super) struct Shared {
    pub(super) hub: Hub,
    pub(super) sim: Sim,
    pub(super) dir: TempDir,
    began: Instant,
    epoch: Timestamp,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) rng: Rng,
    pub(super) weather: Weather,
    pub(super) log: Vec<String>,
    pub(super) checker: Checker,
    /// The first thing that did not hold.
    pub(super) failed: Option<String>,
    pub(super) commits: usize,
    pub(super) allocated: usize,
    pub(super) freed: usize,
    /// Writes that metal-api was asked for.
    pub(super) writes: usize,
    steps: usize,
    moves_seen: usize,
    calls_seen: u64,
}

impl std::ops::Deref for World {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let dir = temporary();
        let epoch: Timestamp = EPOCH.parse().expect("a time");
        let sim = Sim::new(&landscape(), Clock::manual(epoch), seed).expect("a landscape");
        let hub = Hub::open(&dir.path().join("hub")).expect("an empty server");
        let mut checker = Checker::default();
        for thing in things(&sim) {
            checker.found(thing);
        }
        let state = State {
            rng: Rng::with_seed(seed),
            weather: Weather::FAIR,
            log: Vec::new(),
            checker,
            failed: None,
            commits: 0,
            allocated: 0,
            freed: 0,
            writes: 0,
            steps: 0,
            moves_seen: 0,
            calls_seen: 0,
        };
        Self(Arc::new(Shared { hub, sim, dir, began: Instant::now(), epoch, state: Mutex::new(state) }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The true time.
    pub(super) fn now(&self) -> Timestamp {
        self.epoch + self.began.elapsed()
    }

    pub(super) fn seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    pub(super) fn say(&self, words: impl std::fmt::Display) {
        let at = self.began.elapsed().as_secs_f64();
        self.state().log.push(format!("[{at:9.3}] {words}"));
    }

    pub(super) fn fail(&self, why: String) {
        self.say(format_args!("VIOLATED {why}"));
        self.state().failed.get_or_insert(why);
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().failed.is_some()
    }

    pub(super) async fn pause(&self) {
        let (wait, steps) = {
            let mut state = self.state();
            state.steps += 1;
            (latency(&mut state.rng), state.steps)
        };
        if steps == STEPS_MAX {
            self.fail("I4: the engines never rest".to_owned());
        }
        // Nothing that happens after a violation says more.
        if self.is_over() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(wait).await;
    }

    pub(super) fn fate_of_metal(&self) -> Fate {
        let mut state = self.state();
        let weather = state.weather;
        of_metal(&mut state.rng, weather)
    }

    pub(super) fn fate_of_git(&self) -> git::Fate {
        let mut state = self.state();
        let weather = state.weather;
        of_git(&mut state.rng, weather)
    }

    /// metal-api at the true time.
    pub(super) fn sim(&self) -> &Sim {
        let behind = self.now().duration_since(self.0.sim.clock().now);
        self.0.sim.advance(behind);
        &self.0.sim
    }

    /// The branch's files now.
    pub(super) fn files(&self, commit: Oid) -> Files {
        let tree = self.hub.tree(commit).expect("a commit of the hub");
        let ids = tree.entries().iter().map(|entry| (entry.path.clone(), entry.id.0)).collect();
        Files::new(ids, move |path| {
            let entry = tree.entry(path).expect("a path of the tree");
            tree.read(&entry.id, FILE_BYTES_MAX).expect("a blob of the hub")
        })
    }

    /// Shows the checker what happened since it last looked.
    pub(super) fn look(&self) {
        self.look_at_metal();
        let moves = self.hub.moves(self.state().moves_seen);
        for moved in moves {
            self.state().moves_seen += 1;
            if moved.full_ref != MAIN {
                continue;
            }
            let is_engine = moved.by.starts_with("engine");
            let (Some(new), old) = (moved.new, moved.old) else { continue };
            let title = self.hub.info(new).expect("a commit").message.lines().next().unwrap_or_default().to_owned();
            self.say(format_args!("{} pushed: {title}", moved.by));
            let descends = old.is_none_or(|old| self.hub.is_ancestor(old, new).expect("two commits"));
            let files = self.files(new);
            let seconds = self.seconds();
            let mut state = self.state();
            let seen = if is_engine {
                state.commits += 1;
                state.checker.engine_pushed(&files, descends)
            } else {
                state.checker.people_pushed(&files, seconds);
                Ok(())
            };
            drop(state);
            if let Err(violation) = seen {
                self.fail(format!("{violation} (commit {title:?} by {})", moved.by));
            }
        }
    }

    fn look_at_metal(&self) {
        let seen = self.state().calls_seen;
        let calls = self.0.sim.calls_after(seen);
        for call in calls {
            self.state().calls_seen = call.n;
            let is_write = call.path.contains("/allocate") || call.path.contains("/free");
            if is_write {
                self.state().writes += 1;
                let effect = call.effect.as_deref().unwrap_or("nothing");
                self.say(format_args!("{} {}: {} {effect}", call.method, call.path, call.status));
            }
            for effect in call.effect.iter().flat_map(|effects| effects.split(", ")) {
                self.effect(effect);
            }
        }
    }

    fn effect(&self, effect: &str) {
        let mut words = effect.split(' ');
        let (Some(verb), Some(kind), Some(id)) = (words.next(), words.next(), words.next()) else { return };
        let seconds = self.seconds();
        match verb {
            "created" => {
                let found = things(&self.0.sim).into_iter().find(|thing| thing.id == id);
                let mut state = self.state();
                state.allocated += 1;
                if let Some(thing) = found {
                    state.checker.found(thing);
                }
            }
            "freed" => {
                let phoned_home = phoned_home(&self.0.sim);
                let mut state = self.state();
                state.freed += 1;
                let freed = state.checker.freed(kind, id, seconds, &phoned_home);
                drop(state);
                if let Err(violation) = freed {
                    self.fail(violation.to_string());
                }
            }
            _ => {}
        }
    }

    /// What metal-api has now, for the last look.
    pub(super) fn things(&self) -> Vec<Thing> {
        things(self.sim())
    }
}

/// In memory where there is such a place: a run writes many small files.
fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.or_else(|_| tempfile::tempdir()).expect("a temporary folder")
}

/// The default landscape with few machines, some of which belong to somebody else.
fn landscape() -> Landscape {
    let mut landscape = Landscape::default();
    landscape.machines.iter_mut().for_each(|group| group.count = if group.size.starts_with("n1") { 16 } else { 2 });
    let ip = |address: &str, tags: Vec<String>| metal_sim::IpSpec {
        address: address.parse().expect("an address"),
        network: "internet".into(),
        project: PROJECT.into(),
        name: "somebody's".into(),
        ephemeral: false,
        tags,
    };
    landscape.ips.push(ip(ADOPTABLE, Vec::new()));
    // Of another fleet, for a cluster that has one of ours' name.
    let marks = ["managed-by=engine", "fleet=other", "slot=vip", "attempt=0d6f2b1e-4c4e-4b44-9f58-0f5f6d3a0001"];
    let mut tags: Vec<String> = marks.iter().map(|mark| format!("fleet.metal-stack.io/{mark}")).collect();
    tags.push("metal-stack.infrastructure.cluster.x-k8s.io/cluster-resource=default.c9".to_owned());
    landscape.ips.push(ip("198.18.0.78", tags));
    let network = |id: &str, name: &str| metal_sim::NetworkSpec {
        id: id.into(),
        description: "CAPMS made it".into(),
        partition: Some("muc-a".into()),
        project: Some(PROJECT.into()),
        parent: Some("super-muc-a".into()),
        labels: BTreeMap::from([("cluster.metal-stack.io/id".to_owned(), name.to_owned())]),
        ..metal_sim::NetworkSpec::default()
    };
    // A new definition of this name finds its network claimed (R6).
    landscape.networks.push(network("0d6f2b1e-4c4e-4b44-9f58-0f5f6d3a0002", "default.c8"));
    landscape.networks.push(network("0d6f2b1e-4c4e-4b44-9f58-0f5f6d3a0003", "default.unknown"));
    landscape
}

/// Everything of the project.
fn things(sim: &Sim) -> Vec<Thing> {
    let all = sim.resources();
    let labels = |labels: BTreeMap<String, String>| labels.into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    let networks = all.networks.into_iter().filter(|n| n.projectid == PROJECT).map(|n| Thing {
        kind: "network".to_owned(),
        allocation: n.id.clone(),
        id: n.id,
        tags: labels(n.labels),
    });
    let ips = all.ips.into_iter().filter(|ip| ip.projectid == PROJECT).map(|ip| Thing {
        kind: "ip".to_owned(),
        id: ip.ipaddress,
        allocation: ip.allocationuuid,
        tags: ip.tags,
    });
    let machines = all.machines.into_iter().filter_map(|m| {
        let allocation = m.allocation.filter(|a| a.project == PROJECT)?;
        Some(Thing { kind: allocation.role, id: m.id, allocation: allocation.allocationuuid, tags: m.tags })
    });
    networks.chain(ips).chain(machines).collect()
}

/// Firewalls that work.
fn phoned_home(sim: &Sim) -> Vec<String> {
    let has = |m: &metal_api::wire::Machine| m.events.log.iter().any(|event| event.event == "Phoned Home");
    sim.resources().machines.into_iter().filter(|m| m.allocation.is_some() && has(m)).map(|m| m.id).collect()
}

/// The hook of a process: what its calls of metal-api come to.
pub(super) fn answer(world: &World, asked: &metal_api::Asked) -> metal_api::Told {
    let told = world.sim().answer(asked);
    world.look();
    told
}
