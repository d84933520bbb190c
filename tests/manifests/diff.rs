//! `ferrofleet diff` against a real API server: nothing there, all there, something changed, something left over.

use ferrofleet_tests::binary::{Finished, Process, command};
use ferrofleet_tests::peers::control_plane::{Apply, ControlPlane, ObjectRef};
use ferrofleet_tests::peers::{need, skipped};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Some twenty objects of one server on loopback.
const LIMIT: Duration = Duration::from_secs(60);
/// In whose name the output of a cluster is applied here; the binary finds it out.
const MANAGER: &str = "argocd-controller";

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("fleet-example")
}

fn diff(plane: &ControlPlane, more: &[&str]) -> Finished {
    let mut command = command(plane.scratch());
    command.arg("diff").arg(example()).args(["--cluster", "shop"]);
    command.arg("--kubeconfig").arg(plane.kubeconfig()).args(more);
    Process::spawn(&mut command).finish(LIMIT)
}

/// Change and name of every difference.
fn differences(found: &Finished) -> Vec<(String, String)> {
    let json: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(json["complete"], true, "{}", found.stderr);
    let one = |d: &Value| (d["change"].as_str().unwrap().to_owned(), d["name"].as_str().unwrap().to_owned());
    json["differences"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn a_management_cluster_and_the_output_are_told_apart() {
    let data = std::env::var_os("FERROFLEET_SHARED_DATA").map_or_else(|| "/work/shared/data".into(), PathBuf::from);
    if !data.join("crds").is_dir() {
        skipped("no CRDs in /work/shared/data or FERROFLEET_SHARED_DATA");
        return;
    }
    let Some(plane) = need(ControlPlane::start()) else { return };
    let client = plane.client();

    // No kinds at all: an error, and not "everything is to be added".
    let nothing = diff(&plane, &[]).expect(1);
    assert!(nothing.stderr.contains("the API server has no infrastructure.cluster.x-k8s.io/"), "{}", nothing.stderr);

    for folder in ["capi", "capms", "caaph"] {
        client.install_crds(&data.join("crds").join(folder));
    }
    let all = differences(&diff(&plane, &["-o", "json"]).expect(2));
    // Every API server has this namespace; it gets our guards.
    let (namespace, others): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|(_, name)| name == "default");
    assert_eq!(namespace, [("change".to_owned(), "default".to_owned())]);
    assert!(others.len() > 5 && others.iter().all(|(change, _)| change == "add"), "{all:?}");

    // Everything is there as it is rendered.
    let mut render = command(plane.scratch());
    render.arg("render").arg(example()).args(["--cluster", "shop", "-o", "json"]);
    let rendered = Process::spawn(&mut render).finish(LIMIT).expect(0).stdout;
    let rendered: Vec<Value> = serde_json::from_str(&rendered).unwrap();
    assert_eq!(rendered.len(), all.len());
    // The namespace goes first.
    let (namespaces, others): (Vec<_>, Vec<_>) = rendered.iter().partition(|object| object["kind"] == "Namespace");
    for object in namespaces.into_iter().chain(others) {
        client.apply(object, Apply::by(MANAGER)).unwrap();
    }
    let same = diff(&plane, &[]).expect(0);
    assert_eq!((same.stdout.as_str(), same.stderr.as_str()), ("Diff: nothing differs\n", ""));

    // A field that we render was changed; one that we do not render is theirs.
    let of_kind = |kind: &str| rendered.iter().find(|object| object["kind"] == kind).unwrap();
    let (pool, cluster) = (of_kind("MachineDeployment"), of_kind("Cluster"));
    let changed = json!({"metadata": {"annotations": {"theirs": "stays"}}, "spec": {"replicas": 7}});
    client.merge_patch(&ObjectRef::of(pool), "", &changed).unwrap();
    // A field that was rendered once, applied by the same manager.
    let mut more = cluster.clone();
    more["metadata"]["labels"]["once"] = "rendered".into();
    client.apply(&more, Apply::by(MANAGER)).unwrap();
    // An object that was rendered once, and one of somebody else that belongs to the cluster.
    let mut old = pool.clone();
    old["metadata"]["name"] = "shop-gone".into();
    client.apply(&old, Apply::by(MANAGER)).unwrap();
    let mut theirs = old.clone();
    theirs["metadata"]["name"] = "shop-theirs".into();
    theirs["metadata"].as_object_mut().unwrap().remove("annotations");
    client.apply(&theirs, Apply::by("somebody")).unwrap();
    let found = diff(&plane, &["-o", "json"]).expect(2);
    let name = |object: &Value| ObjectRef::of(object).name;
    let expected = [
        ("change".to_owned(), name(cluster)),
        ("change".to_owned(), name(pool)),
        ("remove".to_owned(), "shop-gone".to_owned()),
    ];
    let mut told = differences(&found);
    told.sort();
    assert_eq!(told, expected, "{}", found.stdout);
    let text = diff(&plane, &[]).expect(2).stdout;
    assert!(text.contains("-  replicas: 7\n") && text.contains("-    once: rendered\n"), "{text}");
    assert!(!text.contains("theirs") && !text.contains("managedFields") && !text.contains('\u{1b}'), "{text}");
    assert!(text.ends_with("Diff: 0 to add, 2 to change, 1 to remove\n"), "{text}");
}
