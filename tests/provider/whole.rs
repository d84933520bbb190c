//! With the real managers of Cluster API: clusters from their manifests to provisioned, scaled, and gone.

use ferrofleet_tests::peers::control_plane::{Apply, ControlPlane, manifests};
use ferrofleet_tests::peers::{Skip, need};
use ferrofleet_tests::provider::objects::Role;
use ferrofleet_tests::provider::{Site, install_kinds, landscape, started};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, OnceLock};

fn plane() -> Option<&'static ControlPlane> {
    static PLANE: OnceLock<Result<ControlPlane, Skip>> = OnceLock::new();
    let started = PLANE.get_or_init(|| {
        let plane = ControlPlane::start()?.with_capi_managers()?;
        install_kinds(plane.client());
        Ok(plane)
    });
    need(started.as_ref().map_err(|skip| Skip { name: skip.name, why: skip.why.clone() }))
}

/// Shows the logs of the managers when the test fails: theirs is a `static`.
struct Logs(&'static ControlPlane);

impl Drop for Logs {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.logs());
        }
    }
}

fn rendered() -> Vec<Value> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fleet-example/rendered/mgmt-muc/default/shop");
    manifests(&dir).into_iter().filter(|object| object["kind"] != "Kustomization").collect()
}

/// Applies as a GitOps tool does; kinds that refer to others come in any order.
fn sync(site: &Site, objects: &[Value]) {
    for object in objects {
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(site.namespace);
        site.client().apply(&object, Apply::by("argocd").forced()).unwrap_or_else(|e| panic!("{e}: {object}"));
    }
}

fn machines_of(site: &Site, role: Role) -> Vec<Value> {
    let is_control = |m: &Value| !m["metadata"]["labels"]["cluster.x-k8s.io/control-plane"].is_null();
    let wanted = role == Role::ControlPlane;
    site.list("Machine").into_iter().filter(|machine| is_control(machine) == wanted).collect()
}

/// What a workload's API server would let the bootstrap provider write: data for workers.
fn give_bootstrap_data(site: &Site) {
    for machine in machines_of(site, Role::Worker) {
        let name = machine["metadata"]["name"].as_str().unwrap();
        if machine["spec"]["bootstrap"]["dataSecretName"].is_null()
            && machine["metadata"]["deletionTimestamp"].is_null()
        {
            site.bootstrap("shop", name, "ignition", Some("{}"));
            let patch = json!({"spec": {"bootstrap": {"dataSecretName": name}}});
            // It may be changed by its controller right now: the next look does it.
            let _ = site.try_patch("Machine", name, "", &patch);
        }
    }
}

/// Waits until this many workers are provisioned, as Cluster API sees it, and as many servers are theirs.
#[track_caller]
fn until_workers(site: &Site, wanted: usize) {
    site.until(&format!("{wanted} workers are provisioned"), || {
        give_bootstrap_data(site);
        let workers = machines_of(site, Role::Worker);
        let done = |m: &&Value| m["status"]["initialization"]["infrastructureProvisioned"] == true;
        let is = workers.len() == wanted
            && workers.iter().filter(done).count() == wanted
            && site.servers_of("machine").len() == wanted + 1;
        if is { Ok(()) } else { Err(format!("{workers:?}")) }
    });
}

/// From manifests to nothing; what is left in metal-api then.
#[track_caller]
fn lives(site: &Site, objects: &[Value]) {
    sync(site, objects);
    site.until("the control plane's machine is provisioned", || {
        let machines = machines_of(site, Role::ControlPlane);
        let is = machines.len() == 1 && machines[0]["status"]["initialization"]["infrastructureProvisioned"] == true;
        if is { Ok(()) } else { Err(format!("{machines:?} {}", site.read("Cluster", "shop")["status"])) }
    });
    let cluster = site.read("Cluster", "shop");
    assert_eq!(cluster["status"]["phase"], "Provisioned", "{}", cluster["status"]);
    assert_eq!(cluster["status"]["failureDomains"], json!([{"name": "muc-a", "controlPlane": true}]));
    until_workers(site, 2);
    let machine = &machines_of(site, Role::Worker)[0];
    let metal = site.read("MetalStackMachine", machine["spec"]["infrastructureRef"]["name"].as_str().unwrap());
    assert_eq!(machine["spec"]["providerID"], metal["spec"]["providerID"]);
    assert_eq!(machine["status"]["addresses"], metal["status"]["addresses"]);
    for (replicas, wanted) in [(3, 3), (1, 1)] {
        site.patch("MachineDeployment", "shop-general", &json!({"spec": {"replicas": replicas}}));
        until_workers(site, wanted);
    }
    site.delete("Cluster", "shop");
    site.until("the Cluster is gone", || match site.get("Cluster", "shop") {
        None => Ok(()),
        Some(cluster) => Err(cluster["status"]["conditions"].to_string()),
    });
    for kind in ["MetalStackCluster", "MetalStackMachine", "MetalStackFirewallDeployment", "Machine"] {
        assert_eq!(site.list(kind), Vec::<Value>::new(), "{kind}");
    }
}

#[test]
fn a_cluster_that_the_engine_rendered_lives_and_goes() {
    let Some(plane) = plane() else { return };
    let _logs = Logs(plane);
    // What the engine had allocated when it rendered.
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fleet-example.state.json");
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state.json");
    std::fs::copy(fixture, &state).unwrap();
    let options = metal_sim::Options { state: Some(state), ..metal_sim::Options::default() };
    let site = Site::named("default", plane.client(), plane.kubeconfig(), Arc::new(started(options)));
    let mut of_engine = site.left();
    of_engine.sort();
    let _provider = site.provider();
    lives(&site, &rendered());
    let mut left = site.left();
    left.sort();
    assert_eq!(left, of_engine, "what the engine allocated is the engine's");
}

/// As people generated it for CAPMS: nothing is allocated yet, and nobody but the provider does it.
#[test]
fn a_cluster_without_the_engine_lives_and_goes() {
    let Some(plane) = plane() else { return };
    let _logs = Logs(plane);
    let site = Site::on(plane.client(), plane.kubeconfig(), landscape());
    let mut objects = rendered();
    for object in &mut objects {
        object["metadata"].as_object_mut().unwrap().remove("annotations");
        let spec = object["spec"].as_object_mut().unwrap();
        for allocated in ["nodeNetworkID", "controlPlaneIP", "controlPlaneEndpoint", "managedResourceRef"] {
            spec.remove(allocated);
        }
    }
    let _provider = site.provider();
    lives(&site, &objects);
    site.until_nothing_is_left();
}
