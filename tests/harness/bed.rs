//! A whole fleet on one machine: simulated metal-api, bare remote, people, and the real binary.

use crate::administrator;
use crate::binary::{Finished, Process, command};
use crate::repo::{Bare, Person};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest that anything under test may take before it counts as hanging.
pub const LIMIT: Duration = Duration::from_secs(90);

/// The engine's claim time in tests.
pub const CLAIM_TIME: &str = "1s";

/// Everything a scenario needs. Its parts end with it.
#[derive(Debug)]
pub struct Bed {
    pub sim: metal_sim::Running,
    pub remote: Bare,
    pub ada: Person,
    runtime: tokio::runtime::Runtime,
    dir: TempDir,
}

impl Bed {
    /// A fleet repository with `tests/fixtures/fleet` and no clusters.
    pub fn new() -> Self {
        Self::with_landscape(metal_sim::Landscape::default())
    }

    /// The same on another installation.
    pub fn with_landscape(landscape: metal_sim::Landscape) -> Self {
        let bed = Self::empty(metal_sim::Options { landscape, ..metal_sim::Options::default() });
        let ada = &bed.ada;
        for path in ["fleet.yaml", "policies/default.yaml"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fleet").join(path);
            ada.write(path, &std::fs::read_to_string(from).expect("a fixture"));
        }
        ada.push("A fleet");
        bed
    }

    /// An empty repository, and a metal-api that keeps its state in a file.
    pub fn with_state(state: &Path) -> Self {
        Self::empty(metal_sim::Options { state: Some(state.to_owned()), ..metal_sim::Options::default() })
    }

    fn empty(options: metal_sim::Options) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let dir = tempfile::tempdir().expect("a temporary folder");
        let home = dir.path().join("home");
        std::fs::create_dir(&home).expect("a home");
        let sim = runtime.block_on(metal_sim::start(options)).expect("the simulator");
        let remote = Bare::init(&dir.path().join("fleet.git"), &home);
        let ada = remote.person("ada", dir.path());
        Self { sim, remote, ada, runtime, dir }
    }

    /// Ends the simulator and writes its state.
    pub fn stop_sim(self) {
        let Self { sim, runtime, .. } = self;
        runtime.block_on(sim.shutdown()).expect("the state is written");
    }

    /// A POST of the API as an administrator, past the engine; the answer.
    #[track_caller]
    pub fn post(&self, path: &str, body: &serde_json::Value) -> serde_json::Value {
        administrator::call(&self.sim, "POST", path, body)
    }

    /// A DELETE as an administrator: frees what `path` names.
    #[track_caller]
    pub fn delete(&self, path: &str) {
        administrator::call(&self.sim, "DELETE", path, &serde_json::Value::Null);
    }

    /// Waits until every firewall has phoned home.
    #[track_caller]
    pub fn until_phoned_home(&self) {
        self.until("every firewall has phoned home", |bed| {
            let machines = bed.sim.state()["machines"].as_array().cloned().unwrap_or_default();
            let mut firewalls = machines.iter().filter(|m| m["allocation"]["role"] == "firewall");
            firewalls.all(|m| m["events"]["log"][0]["event"] == "Phoned Home")
        });
    }

    pub fn home(&self) -> std::path::PathBuf {
        self.dir.path().join("home")
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn person(&self, name: &str) -> Person {
        self.remote.person(name, self.dir.path())
    }

    /// Waits for a future of the simulator.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// The binary with this metal-api and an empty cache: what a process on another machine would know.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command(&self.home());
        for (name, value) in self.sim.env() {
            command.env(name, value);
        }
        command.args(args);
        command
    }

    /// `run --once` against the remote, with an empty cache.
    pub fn spawn_once(&self) -> Process {
        self.spawn_once_with(&[])
    }

    pub fn spawn_once_with(&self, more: &[&str]) -> Process {
        let cache = tempfile::tempdir_in(self.dir.path()).expect("a cache").keep();
        self.spawn_once_with_cache(&cache, more)
    }

    /// The same with a cache that another run may have filled.
    pub fn spawn_once_with_cache(&self, cache: &Path, more: &[&str]) -> Process {
        let cache = cache.display().to_string();
        let url = self.remote.url();
        let mut args = vec!["run", "--repo", &url, "--once", "--claim-time", CLAIM_TIME, "--cache-dir", &cache];
        args.extend(more);
        Process::spawn(&mut self.command(&args))
    }

    pub fn run_once(&self) -> Finished {
        self.spawn_once().finish(LIMIT)
    }

    /// Ids of what metal-api has for a slot of a cluster, by the tags.
    pub fn live(&self, cluster: &str, slot: &str) -> Vec<String> {
        let state = self.sim.state();
        let has = |tags: &[String], key: &str, value: &str| tags.iter().any(|t| t == &format!("{key}={value}"));
        let strings = |value: &serde_json::Value| -> Vec<String> {
            match value {
                serde_json::Value::Object(map) => {
                    map.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect()
                }
                serde_json::Value::Array(list) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
                _ => Vec::new(),
            }
        };
        let of = |kind: &str, tags: &str, id: &str| -> Vec<String> {
            let list = state[kind].as_array().cloned().unwrap_or_default();
            let ours = list.into_iter().filter(|r| {
                let tags = strings(&r[tags]);
                let names =
                    has(&tags, model::tags::CLUSTER_ID, cluster) || has(&tags, model::tags::CLUSTER_RESOURCE, cluster);
                let slot_tag = tags.iter().find_map(|t| t.strip_prefix(model::tags::SLOT)?.strip_prefix('='));
                names && slot_tag.is_some_and(|s| s.split('.').next() == Some(slot))
            });
            ours.filter_map(|r| r[id].as_str().map(str::to_owned)).collect()
        };
        match slot {
            "network" => of("networks", "labels", "id"),
            "vip" | "egress" => of("ips", "tags", "ipaddress"),
            "firewall" => of("machines", "tags", "id"),
            other => panic!("no slot {other}"),
        }
    }

    /// Calls that changed something or tried to, as `METHOD path`.
    pub fn writes(&self) -> Vec<String> {
        let is_write = |path: &str| path.contains("/allocate") || path.contains("/free");
        self.sim.calls().into_iter().filter(|c| is_write(&c.path)).map(|c| format!("{} {}", c.method, c.path)).collect()
    }

    /// I1 for a cluster: one of each in metal-api, and the lock at the tip names exactly these.
    #[track_caller]
    pub fn assert_one_of_each(&self, cluster: &str, dir: &str) {
        let lock: serde_json::Value =
            serde_yaml::from_str(&self.remote.read(&format!("{dir}/cluster.lock.yaml"))).expect("a lock is YAML");
        let values = &lock["values"];
        let named = [
            ("network", &values["nodeNetwork"]["id"]),
            ("vip", &values["vip"]["address"]),
            ("firewall", &values["firewall"]["id"]),
        ];
        for (slot, named) in named {
            let live = self.live(cluster, slot);
            assert_eq!(live, [named.as_str().unwrap_or("nothing in the lock")], "{slot} of {cluster}");
        }
    }

    /// Waits until something is so, at most `LIMIT`, looking again when the simulator or the remote may have changed.
    #[track_caller]
    pub fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + LIMIT;
        while !is_so(self) {
            assert!(Instant::now() < end, "not within {LIMIT:?}: {what}\ncalls: {:#?}", self.sim.calls());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Default for Bed {
    fn default() -> Self {
        Self::new()
    }
}

/// A definition with a name, a version and one pool: complete by the fixture's policy.
pub fn definition(name: &str) -> String {
    format!(
        "apiVersion: fleet.metal-stack.io/v1alpha1\nkind: ClusterDefinition\nmetadata: {{name: {name}}}\nspec:\n  \
         kubernetes: {{version: 1.34.2}}\n  pools: [{{name: general, replicas: 1}}]\n"
    )
}

/// Where the fixture's stage keeps a cluster.
pub fn folder(name: &str) -> String {
    format!("stages/development/clusters/{name}")
}
