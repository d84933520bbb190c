//! Flux. The tests share one and keep to a cluster each: what happens to it is theirs alone.

use crate::fleet::{Fleet, MANAGEMENT, UNGUARDED, documents};
use crate::plane::{Change, History, differences, now, out_of_order, start, stored, until, versions};
use ferrofleet_tests::peers::control_plane::{Apply, Client, ControlPlane};
use ferrofleet_tests::peers::flux::{Flux, NAMESPACE, kustomization};
use ferrofleet_tests::peers::{Skip, need};
use serde_json::{Value, json};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// The Kustomization that a person makes: of all the others.
const ROOT: &str = "fleet";

/// The example fleet, delivered.
struct Delivered {
    plane: ControlPlane,
    flux: Flux,
    /// Held by a test that pushes until it has seen what comes of it.
    fleet: Mutex<Fleet>,
    repository: String,
    /// How the delivery went.
    history: History,
    /// What was not as rendered at its end.
    differences: Vec<String>,
}

impl Delivered {
    fn client(&self) -> &Client {
        self.plane.client()
    }

    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a Kustomization is what `is_so` wants.
    #[track_caller]
    fn until(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait(self.client(), &self.flux, name, what, is_so)
    }
}

#[track_caller]
fn wait(client: &Client, flux: &Flux, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let object = kustomization(name);
    let look = || stored(client, &object).filter(|found| is_so(found));
    let last = || format!("{:#}\n{}", stored(client, &object).unwrap_or_default()["status"], flux.logs());
    until(&format!("{name} {what}"), look, last)
}

fn condition<'a>(kustomization: &'a Value, kind: &str) -> &'a Value {
    let conditions = kustomization["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

fn is_ready(kustomization: &Value, revision: &str) -> bool {
    condition(kustomization, "Ready")["status"] == "True"
        && kustomization["status"]["lastAppliedRevision"] == revision
        && kustomization["status"]["observedGeneration"] == kustomization["metadata"]["generation"]
}

/// Applied, and the cluster was found not to be available.
fn is_applied(kustomization: &Value, revision: &str) -> bool {
    condition(kustomization, "Ready")["reason"] == "HealthCheckFailed"
        && kustomization["status"]["lastAttemptedRevision"] == revision
}

/// What Cluster API says of a cluster that has no machines yet.
fn begin(client: &Client, fleet: &Fleet, id: &str) {
    let (namespace, name) = id.split_once('.').unwrap();
    let objects = fleet.names_in(&format!("{namespace}/{name}"));
    let cluster = objects.iter().find(|object| object.kind == "Cluster").unwrap();
    client.merge_patch(cluster, "/status", &available("False")).unwrap();
}

fn available(status: &str) -> Value {
    let condition = json!({
        "type": "Available", "status": status, "reason": "Test", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    json!({"status": {"conditions": [condition]}})
}

fn delivered() -> Option<&'static Delivered> {
    // After a panic all tests fail at once.
    static DELIVERED: LazyLock<Option<Result<Delivered, Skip>>> = LazyLock::new(|| Some(deliver(start(&["flux"])?)));
    let found = DELIVERED.as_ref()?.as_ref().map_err(|skip| Skip { name: skip.name, why: skip.why.clone() });
    need(found)
}

fn deliver(plane: ControlPlane) -> Result<Delivered, Skip> {
    let flux = Flux::start(&plane)?;
    let fleet = Fleet::serve("flux");
    let client = plane.client();
    let began = now(client, &fleet.references());
    let objects: Vec<Value> = fleet.below("gitops/flux").flat_map(|(_, bytes)| documents(bytes)).collect();

    // What a person does: the repository, and one Kustomization over the folder of the management cluster.
    let repository = objects.iter().find(|object| object["kind"] == "GitRepository").unwrap();
    client.apply(repository, Apply::by("person")).unwrap();
    let repository = repository["metadata"]["name"].as_str().unwrap();
    let revision = flux.fetch(client, repository);
    let root = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": ROOT, "namespace": NAMESPACE},
        "spec": {
            "interval": "10m", "prune": true, "path": "./gitops/flux/mgmt-muc",
            "sourceRef": {"kind": "GitRepository", "name": repository},
        },
    });
    client.apply(&root, Apply::by("person")).unwrap();

    for name in objects.iter().filter(|o| o["kind"] == "Kustomization").filter_map(|o| o["metadata"]["name"].as_str()) {
        wait(client, &flux, name, "is applied", |found| match name.ends_with("-pools") {
            // It is ready when its cluster is.
            true => is_applied(found, &revision),
            false => is_ready(found, &revision),
        });
        if let Some(id) = name.strip_suffix("-infrastructure") {
            begin(client, &fleet, id);
        }
    }
    let repository = repository.to_owned();
    let history = History::since(client, began, &fleet.references());
    let differences = differences(client, fleet.objects().iter().map(|(_, object)| object));
    Ok(Delivered { plane, flux, fleet: Mutex::new(fleet), repository, history, differences })
}

#[test]
fn everything_arrives_as_it_is_rendered_and_in_order_though_no_cluster_ever_becomes_ready() {
    let Some(delivered) = delivered() else { return };
    assert_eq!(delivered.differences, Vec::<String>::new());
    let rank = |file: &str, _: &str| match file {
        "addons.yaml" => 1,
        "infrastructure.yaml" | "templates.yaml" => 2,
        "control-plane.yaml" => 3,
        "pools.yaml" => 4,
        _ => 0,
    };
    let fleet = delivered.fleet();
    assert_eq!(out_of_order(&delivered.history, &fleet.objects(), rank), Vec::<String>::new());
    assert_eq!(delivered.history.of(Change::Deleted), Vec::<&_>::new());
}

#[test]
fn the_last_part_is_ready_when_its_cluster_is_available_and_a_second_reconcile_changes_nothing() {
    let Some(delivered) = delivered() else { return };
    let client = delivered.client();
    let objects = delivered.fleet().names_in("default/shop");
    let cluster = objects.iter().find(|object| object.kind == "Cluster").unwrap();
    client.merge_patch(cluster, "/status", &available("True")).unwrap();
    let is_ready = |found: &Value| condition(found, "Ready")["status"] == "True";
    delivered.flux.reconcile(client, "default.shop-pools", "available");
    delivered.until("default.shop-pools", "is ready", is_ready);

    let before = versions(client, &objects);
    assert_eq!(before.len(), objects.len());
    for part in ["infrastructure", "control-plane", "pools"] {
        let name = format!("default.shop-{part}");
        delivered.flux.reconcile(client, &name, "again");
        delivered.until(&name, "is reconciled again", |found| {
            found["status"]["lastHandledReconcileAt"] == "again" && is_ready(found)
        });
    }
    assert_eq!(versions(client, &objects), before);
}

#[test]
fn i9_what_has_a_guard_is_not_pruned_and_what_has_none_is() {
    let Some(delivered) = delivered() else { return };
    let client = delivered.client();
    let fleet = delivered.fleet();
    let folder = format!("{MANAGEMENT}/payments/billing");
    let objects = fleet.names_in("payments/billing");
    let unguarded = &fleet.unguarded();
    let began = now(client, &objects);

    fleet.drop_objects(&format!("{folder}/infrastructure.yaml"), &["Cluster/"]);
    let set = format!("ClusterResourceSet/{UNGUARDED}");
    fleet.drop_objects(&format!("{folder}/addons.yaml"), &["HelmChartProxy/billing-calico", &set]);
    fleet.drop_file(&folder, "control-plane.yaml");
    // As it is rendered for a cluster without this file.
    let part = "gitops/flux/mgmt-muc/payments.billing/control-plane/kustomization.yaml";
    fleet.edit(part, |objects| objects[0]["resources"] = json!([]));
    fleet.ada.push("A cluster, its control plane and its add-ons are gone");
    let revision = delivered.flux.fetch(client, &delivered.repository);
    for name in ["addons", "infrastructure", "control-plane"].map(|part| format!("payments.billing-{part}")) {
        delivered.until(&name, "has applied the removal", |found| is_ready(found, &revision));
    }
    let is_gone = || stored(client, unguarded).is_none().then_some(());
    until(&format!("{unguarded} is gone"), is_gone, || delivered.flux.logs());
    let history = History::since(client, began, &objects);
    assert_eq!(history.of(Change::Deleted), [unguarded]);
}

#[test]
fn a_mend_is_applied_after_a_commit_that_cannot_be() {
    let Some(delivered) = delivered() else { return };
    let (client, name) = (delivered.client(), "default.legacy-pools");
    let fleet = delivered.fleet();
    let pools = format!("{MANAGEMENT}/default/legacy/pools.yaml");
    let of_cluster = |name: &str| fleet.edit(&pools, |objects| objects[0]["spec"]["clusterName"] = name.into());

    of_cluster("");
    fleet.ada.push("A pool of no cluster");
    let wrong = delivered.flux.fetch(client, &delivered.repository);
    delivered.until(name, "is refused", |found| {
        let ready = condition(found, "Ready");
        ready["status"] == "False" && !is_applied(found, &wrong) && found["status"]["lastAttemptedRevision"] == wrong
    });

    of_cluster("legacy");
    fleet.ada.push("The pool's own cluster");
    let mend = delivered.flux.fetch(client, &delivered.repository);
    delivered.until(name, "has applied the mend", |found| is_applied(found, &mend));
}
