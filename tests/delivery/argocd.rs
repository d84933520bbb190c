//! Argo CD. The tests share one and keep to a cluster each: what happens to it is theirs alone.

use crate::fleet::{Fleet, MANAGEMENT, UNGUARDED, documents};
use crate::plane::{Change, History, differences, now, out_of_order, start, stored, until, versions};
use ferrofleet_tests::peers::argocd::{ArgoCd, Refresh, application};
use ferrofleet_tests::peers::control_plane::{Apply, Client, ControlPlane};
use ferrofleet_tests::peers::{Skip, need};
use serde_json::{Value, json};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// The example fleet, delivered.
struct Delivered {
    plane: ControlPlane,
    argocd: ArgoCd,
    /// Held by a test that pushes until it has seen what comes of it.
    fleet: Mutex<Fleet>,
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

    /// Has an Application look at the repository and waits until it is what `is_so` wants.
    #[track_caller]
    fn until(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait(self.client(), &self.argocd, name, what, is_so)
    }
}

#[track_caller]
fn wait(client: &Client, argocd: &ArgoCd, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let object = application(name);
    let look = || stored(client, &object).filter(|found| is_so(found));
    let last = || format!("{:#}\n{}", stored(client, &object).unwrap_or_default()["status"], argocd.logs());
    until(&format!("{name} {what}"), look, last)
}

/// Everything is as the commit has it, and nothing goes on.
fn is_synced(application: &Value, commit: &str) -> bool {
    let status = &application["status"];
    ArgoCd::is_refreshed(application)
        && application["operation"].is_null()
        && status["operationState"]["phase"] == "Succeeded"
        && status["sync"]["status"] == "Synced"
        && status["sync"]["revision"] == commit
}

/// The sync of a commit has ended well, whatever is left to prune.
fn has_run(application: &Value, commit: &str) -> bool {
    let operation = &application["status"]["operationState"];
    application["operation"].is_null()
        && operation["phase"] == "Succeeded"
        && operation["syncResult"]["revision"] == commit
}

fn delivered() -> Option<&'static Delivered> {
    // After a panic all tests fail at once.
    static DELIVERED: LazyLock<Option<Result<Delivered, Skip>>> = LazyLock::new(|| Some(deliver(start(&[])?)));
    let found = DELIVERED.as_ref()?.as_ref().map_err(|skip| Skip { name: skip.name, why: skip.why.clone() });
    need(found)
}

fn deliver(plane: ControlPlane) -> Result<Delivered, Skip> {
    let argocd = ArgoCd::start(&plane)?;
    let fleet = Fleet::serve("argocd");
    let client = plane.client();
    let began = now(client, &fleet.references());
    let applications: Vec<Value> = fleet.below("gitops/argocd").flat_map(|(_, bytes)| documents(bytes)).collect();
    assert!(applications.len() > 1, "{applications:#?}");
    for application in &applications {
        client.apply(application, Apply::by("person")).unwrap();
    }
    let commit = fleet.ada.run(["rev-parse", "HEAD"]);
    for application in &applications {
        let name = application["metadata"]["name"].as_str().unwrap();
        wait(client, &argocd, name, "is synced", |found| is_synced(found, &commit));
    }
    let history = History::since(client, began, &fleet.references());
    let differences = differences(client, fleet.objects().iter().map(|(_, object)| object));
    Ok(Delivered { plane, argocd, fleet: Mutex::new(fleet), history, differences })
}

#[test]
fn everything_arrives_as_it_is_rendered_and_in_order_though_no_cluster_ever_becomes_ready() {
    let Some(delivered) = delivered() else { return };
    assert_eq!(delivered.differences, Vec::<String>::new());
    // What others refer to and nothing waits for comes first.
    let rank = |_: &str, kind: &str| match kind {
        "ConfigMap" | "KubeadmConfigTemplate" | "MetalStackMachineTemplate" => 0,
        _ => 1,
    };
    let fleet = delivered.fleet();
    assert_eq!(out_of_order(&delivered.history, &fleet.objects(), rank), Vec::<String>::new());
    assert_eq!(delivered.history.of(Change::Deleted), Vec::<&_>::new());
}

#[test]
fn a_second_sync_changes_nothing() {
    let Some(delivered) = delivered() else { return };
    let (client, name) = (delivered.client(), "mgmt-muc.default.shop");
    let objects = delivered.fleet().names_in("default/shop");
    let before = versions(client, &objects);
    assert_eq!(before.len(), objects.len());

    delivered.argocd.refresh(client, name, Refresh::Hard);
    let refreshed = delivered.until(name, "is refreshed", |found| {
        ArgoCd::is_refreshed(found) && found["status"]["sync"]["status"] == "Synced"
    });
    assert_eq!(versions(client, &objects), before, "a hard refresh");

    // What the button does: everything is applied again.
    let started = &refreshed["status"]["operationState"]["startedAt"];
    let sync = json!({"syncOptions": refreshed["spec"]["syncPolicy"]["syncOptions"], "prune": true});
    client.merge_patch(&application(name), "", &json!({"operation": {"sync": sync}})).unwrap();
    delivered.until(name, "is synced again", |found| {
        let operation = &found["status"]["operationState"];
        found["operation"].is_null() && operation["phase"] == "Succeeded" && operation["startedAt"] != *started
    });
    assert_eq!(versions(client, &objects), before, "a sync by hand");
}

#[test]
fn i9_what_has_a_guard_is_not_pruned_and_what_has_none_is() {
    let Some(delivered) = delivered() else { return };
    let (client, name) = (delivered.client(), "mgmt-muc.payments.billing");
    let fleet = delivered.fleet();
    let folder = format!("{MANAGEMENT}/payments/billing");
    let objects = fleet.names_in("payments/billing");
    let unguarded = &fleet.unguarded();

    let began = now(client, &objects);

    fleet.drop_objects(&format!("{folder}/infrastructure.yaml"), &["Cluster/"]);
    let set = format!("ClusterResourceSet/{UNGUARDED}");
    fleet.drop_objects(&format!("{folder}/addons.yaml"), &["HelmChartProxy/billing-calico", &set]);
    fleet.drop_file(&folder, "control-plane.yaml");
    let commit = fleet.ada.push("A cluster, its control plane and its add-ons are gone");
    delivered.argocd.refresh(client, name, Refresh::Normal);
    delivered.until(name, "has synced the removal", |found| has_run(found, &commit));
    let is_gone = || stored(client, unguarded).is_none().then_some(());
    until(&format!("{unguarded} is gone"), is_gone, || delivered.argocd.logs());
    let history = History::since(client, began, &objects);
    assert_eq!(history.of(Change::Deleted), [unguarded]);
}

#[test]
fn a_mend_is_synced_after_a_commit_that_cannot_be() {
    let Some(delivered) = delivered() else { return };
    let (client, name) = (delivered.client(), "mgmt-muc.default.legacy");
    let fleet = delivered.fleet();
    let pools = format!("{MANAGEMENT}/default/legacy/pools.yaml");
    let of_cluster = |name: &str| fleet.edit(&pools, |objects| objects[0]["spec"]["clusterName"] = name.into());

    of_cluster("");
    let wrong = fleet.ada.push("A pool of no cluster");
    delivered.argocd.refresh(client, name, Refresh::Normal);
    delivered.until(name, "is tried again", |found| {
        let state = &found["status"]["operationState"];
        state["operation"]["sync"]["revision"] == wrong && state["retryCount"].as_u64() > Some(0)
    });

    of_cluster("legacy");
    let mend = fleet.ada.push("The pool's own cluster");
    delivered.argocd.refresh(client, name, Refresh::Normal);
    delivered.until(name, "is synced to the mend", |found| is_synced(found, &mend));
}
