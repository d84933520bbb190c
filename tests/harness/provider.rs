//! Sites: a namespace of a real API server, a simulated metal-api of its own, and the real provider between them.
//!
//! No manager of Cluster API runs: what it would write is written here, as it writes it.

pub mod objects;
mod running;
mod world;

pub use running::Provider;

use crate::peers::control_plane::{ApiError, Apply, Client, ControlPlane, ObjectRef, manifests};
use crate::peers::{Peer, Skip, installed, need};
use metal_sim::{Landscape, Running};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest that anything may take. A hundred times what it takes alone: others run beside it.
pub const LIMIT: Duration = Duration::from_secs(90);

/// Times that are seconds to minutes in production.
pub const SHORT: [&str; 12] = [
    "--metal-interval",
    "1s",
    "--metal-haste",
    "200ms",
    "--settle",
    "2s",
    "--control-plane-grace",
    "1s",
    "--backoff",
    "1s",
    "--firewall-health-timeout",
    "2s",
];

/// The project of the sites, and somebody else's.
pub const PROJECT: &str = "00000000-0000-0000-0000-000000000001";
pub const FOREIGN: &str = "00000000-0000-0000-0000-000000000002";
pub const PARTITION: &str = "muc-a";

/// Everything of one scenario. Its parts end with it.
#[derive(Debug)]
pub struct Site {
    pub namespace: String,
    pub sim: Arc<Running>,
    client: &'static Client,
    kubeconfig: PathBuf,
    dir: TempDir,
}

/// An API server with the kinds of Cluster API and of the provider, and no managers.
pub fn api_server() -> Result<ControlPlane, Skip> {
    let core = installed(Peer::CapiCore)?;
    let plane = ControlPlane::start()?;
    let wanted = ["clusters.cluster.x-k8s.io", "machines.cluster.x-k8s.io"];
    let mut core: Vec<Value> = manifests(&core.share.join("core/config/crd/bases"));
    core.retain(|crd| wanted.iter().any(|name| crd["metadata"]["name"] == *name));
    for version in core.iter_mut().filter_map(|crd| crd["spec"]["versions"].as_array_mut()).flatten() {
        // Nobody converts here.
        version["served"] = json!(version["name"] == "v1beta2");
    }
    plane.client().apply_crds(&core);
    install_kinds(plane.client());
    Ok(plane)
}

/// Our CRDs and the policy, as a user installs them.
pub fn install_kinds(client: &Client) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
    client.install_crds(&dir);
    for object in manifests(&dir).iter().filter(|object| object["kind"] != "CustomResourceDefinition") {
        client.apply(object, Apply::by("ada")).unwrap_or_else(|e| panic!("{}: {e}", ObjectRef::of(object)));
    }
}

/// The API server that the sites of this test process share.
fn shared() -> Option<&'static ControlPlane> {
    static SHARED: OnceLock<Result<ControlPlane, Skip>> = OnceLock::new();
    let started = SHARED.get_or_init(api_server);
    need(started.as_ref().map_err(|skip| Skip { name: skip.name, why: skip.why.clone() }))
}

/// Where simulators and their calls live.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().expect("a runtime"))
}

/// Few machines, quick ones, and a project of somebody else.
pub fn landscape() -> Landscape {
    let mut landscape = Landscape::default();
    let step = "PT0.1S".parse().expect("a duration");
    landscape.timing.installing = step;
    landscape.timing.booting_new_kernel = step;
    landscape.timing.phoned_home = step;
    landscape.timing.reclaim = step;
    landscape.machines.iter_mut().for_each(|group| group.count = 10);
    let foreign = metal_sim::ProjectSpec { id: FOREIGN.into(), name: "foreign".into(), ..Default::default() };
    landscape.projects.push(foreign);
    landscape
}

pub fn simulator(landscape: Landscape) -> Running {
    started(metal_sim::Options { landscape, ..metal_sim::Options::default() })
}

pub fn started(options: metal_sim::Options) -> Running {
    runtime().block_on(metal_sim::start(options)).expect("the simulator")
}

impl Site {
    /// `None` where the API server cannot be had.
    #[track_caller]
    pub fn new() -> Option<Self> {
        Self::with(landscape())
    }

    #[track_caller]
    pub fn with(landscape: Landscape) -> Option<Self> {
        let plane = shared()?;
        Some(Self::on(plane.client(), plane.kubeconfig(), landscape))
    }

    /// A namespace of this API server, which lives as long as the process.
    pub fn on(client: &'static Client, kubeconfig: PathBuf, landscape: Landscape) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let namespace = format!("site-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self::named(&namespace, client, kubeconfig, Arc::new(simulator(landscape)))
    }

    /// The namespace of the same name of another API server, with the same metal-api.
    pub fn beside(&self, client: &'static Client, kubeconfig: PathBuf) -> Self {
        Self::named(&self.namespace, client, kubeconfig, Arc::clone(&self.sim))
    }

    /// The same objects, and a metal-api that knows none of their resources.
    pub fn beside_another_metal_api(&self) -> Self {
        Self::named(&self.namespace, self.client, self.kubeconfig.clone(), Arc::new(simulator(landscape())))
    }

    pub fn named(namespace: &str, client: &'static Client, kubeconfig: PathBuf, sim: Arc<Running>) -> Self {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        client.apply(&object, Apply::by("ada")).expect("a namespace");
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("home")).expect("a home");
        Self { namespace: namespace.to_owned(), sim, client, kubeconfig, dir }
    }

    pub fn client(&self) -> &'static Client {
        self.client
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The provider of this namespace, with short times.
    pub fn provider(&self) -> Provider {
        self.provider_with(&[])
    }

    /// The same with more flags; of those given twice the last counts.
    pub fn provider_with(&self, more: &[&str]) -> Provider {
        let mut args: Vec<&str> = SHORT.to_vec();
        args.extend(["--namespace", &self.namespace]);
        for pair in more.chunks(2) {
            match args.iter().position(|arg| pair[0].starts_with("--") && *arg == pair[0]) {
                Some(at) => args[at + 1] = pair[1],
                None => args.extend(pair),
            }
        }
        Provider::spawn(self.dir.path(), &self.kubeconfig, &self.sim.env(), &args)
    }

    /// The provider of this namespace without credentials of its own.
    pub fn provider_without_credentials(&self) -> Provider {
        let mut args: Vec<&str> = SHORT.to_vec();
        args.extend(["--namespace", &self.namespace]);
        Provider::spawn(self.dir.path(), &self.kubeconfig, &[], &args)
    }

    fn reference(&self, kind: &str, name: &str) -> ObjectRef {
        let (api_version, kind) = (objects::api_version(kind).to_owned(), kind.to_owned());
        ObjectRef { api_version, kind, namespace: Some(self.namespace.clone()), name: name.to_owned() }
    }

    /// Creates or changes an object of this namespace as a person does.
    #[track_caller]
    pub fn apply(&self, object: &Value) -> Value {
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(self.namespace);
        let applied = self.client.apply(&object, Apply::by("ada").forced());
        applied.unwrap_or_else(|e| panic!("{e}: {object}"))
    }

    #[track_caller]
    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.client.get(&self.reference(kind, name)).unwrap_or_else(|e| panic!("{kind} {name}: {e}"))
    }

    #[track_caller]
    pub fn read(&self, kind: &str, name: &str) -> Value {
        self.get(kind, name).unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    #[track_caller]
    pub fn list(&self, kind: &str) -> Vec<Value> {
        let listed = self.client.list(objects::api_version(kind), kind, Some(&self.namespace));
        let mut objects = listed.unwrap_or_else(|e| panic!("{kind}: {e}"));
        for object in &mut objects {
            object["apiVersion"] = json!(objects::api_version(kind));
            object["kind"] = json!(kind);
        }
        objects
    }

    #[track_caller]
    pub fn patch(&self, kind: &str, name: &str, patch: &Value) -> Value {
        self.try_patch(kind, name, "", patch).unwrap_or_else(|e| panic!("{kind} {name}: {e}"))
    }

    #[track_caller]
    pub fn patch_status(&self, kind: &str, name: &str, status: &Value) -> Value {
        let patch = json!({"status": status});
        self.try_patch(kind, name, "/status", &patch).unwrap_or_else(|e| panic!("{kind} {name}: {e}"))
    }

    pub fn try_patch(&self, kind: &str, name: &str, subresource: &str, patch: &Value) -> Result<Value, ApiError> {
        self.client.merge_patch(&self.reference(kind, name), subresource, patch)
    }

    #[track_caller]
    pub fn annotate(&self, kind: &str, name: &str, key: &str, value: Option<&str>) {
        self.patch(kind, name, &json!({"metadata": {"annotations": {key: value}}}));
    }

    /// Asks for its deletion; finalizers hold it.
    #[track_caller]
    pub fn delete(&self, kind: &str, name: &str) {
        self.client.delete(&self.reference(kind, name)).unwrap_or_else(|e| panic!("{kind} {name}: {e}"));
    }

    /// Takes it out at once, finalizers or not.
    #[track_caller]
    pub fn force_delete(&self, kind: &str, name: &str) {
        self.patch(kind, name, &json!({"metadata": {"finalizers": null}}));
        if self.get(kind, name).is_some() {
            self.delete(kind, name);
        }
    }

    /// Deletes, and waits until it is gone.
    #[track_caller]
    pub fn delete_whole(&self, kind: &str, name: &str) {
        self.delete(kind, name);
        self.until_gone(kind, name);
    }

    #[track_caller]
    pub fn until_gone(&self, kind: &str, name: &str) {
        self.until(&format!("{kind} {name} is gone"), || self.get(kind, name).map_or(Ok(()), Err));
    }

    /// Waits until something is so; what is not so yet is shown at the end of the time.
    #[track_caller]
    pub fn until<T, E: std::fmt::Display>(&self, what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
        let end = Instant::now() + limit();
        loop {
            match look() {
                Ok(found) => return found,
                Err(last) if Instant::now() > end => {
                    panic!("not within {:?}: {what}\nlast: {last}\n{}", limit(), self.shown())
                }
                Err(_) => std::thread::park_timeout(Duration::from_millis(25)),
            }
        }
    }

    /// Waits until a condition has this status and reason; the object then.
    #[track_caller]
    pub fn until_condition(&self, kind: &str, name: &str, of: &str, status: &str, reason: &str) -> Value {
        let what = format!("{kind} {name} says {of}={status}/{reason}");
        self.until(&what, || {
            let object = self.read(kind, name);
            let is = condition(&object, of).is_some_and(|c| c["status"] == status && c["reason"] == reason);
            if is { Ok(object) } else { Err(object["status"].to_string()) }
        })
    }

    /// Waits until it is Ready and its first provisioning is complete.
    #[track_caller]
    pub fn until_ready(&self, kind: &str, name: &str) -> Value {
        self.until(&format!("{kind} {name} is Ready"), || {
            let object = self.read(kind, name);
            let is_ready = condition(&object, "Ready").is_some_and(|c| c["status"] == "True");
            let is_provisioned = object["status"]["initialization"]["provisioned"] == true;
            if is_ready && is_provisioned { Ok(object) } else { Err(object["status"].to_string()) }
        })
    }

    /// Waits for the provider to have read metal-api so many times more, wholly.
    #[track_caller]
    pub fn until_read_again(&self, times: usize) {
        let from = self.sim.calls().last().map_or(0, |call| call.n);
        self.until(&format!("metal-api is read {times} times more"), || {
            let calls = self.sim.calls_after(from);
            let lists = calls.iter().filter(|c| c.path.ends_with("/machine/find")).count();
            // One more: the last of them may not have been looked at.
            if lists > times { Ok(()) } else { Err(format!("{lists} lists since call {from}: {calls:?}")) }
        });
    }

    /// Every object of the namespace with its resourceVersion; who writes nothing changes none.
    #[track_caller]
    pub fn versions(&self) -> Vec<String> {
        let mut versions = Vec::new();
        for kind in objects::WRITTEN {
            let of = |object: &Value| {
                let meta = &object["metadata"];
                format!("{kind} {} {}", meta["name"], meta["resourceVersion"])
            };
            versions.extend(self.list(kind).iter().map(of));
        }
        versions
    }

    /// Conditions of all objects, and what metal-api has and was asked last.
    fn shown(&self) -> String {
        let mut text = String::new();
        for kind in objects::OURS {
            for object in self.list(kind) {
                let meta = &object["metadata"];
                let _ = writeln!(text, "{kind} {}: {} spec {}", meta["name"], meta["annotations"], object["spec"]);
                for c in object["status"]["conditions"].as_array().into_iter().flatten() {
                    let (of, status, reason, message) = (&c["type"], &c["status"], &c["reason"], &c["message"]);
                    let _ = writeln!(text, "  {of}={status} {reason}: {message}");
                }
            }
        }
        let _ = writeln!(text, "allocated: {:#?}", self.left());
        let calls = self.sim.calls();
        let is_list = |path: &str| path.ends_with("/find") || path.ends_with("/partition");
        let other: Vec<_> = calls.iter().filter(|c| !is_list(&c.path)).collect();
        for call in other.iter().rev().take(20).rev() {
            let _ = writeln!(text, "{} {} {} {} {:?}", call.n, call.method, call.path, call.status, call.effect);
        }
        text
    }
}

/// Seconds of `FERROFLEET_TEST_LIMIT`, for those who look for a failure.
fn limit() -> Duration {
    let given = std::env::var("FERROFLEET_TEST_LIMIT").ok().and_then(|seconds| seconds.parse().ok());
    given.map_or(LIMIT, Duration::from_secs)
}

/// A condition of an object.
pub fn condition<'a>(object: &'a Value, of: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == of)
}
