//! The user's days with one cluster of the example fleet, through Git alone: created, changed, drifted, reverted,
//! deleted and created again.

use super::{command, plan};
use ferrofleet_tests::bed::Bed;
use serde_json::Value;
use std::path::Path;

const CLUSTER: &str = "default.shop";
const FOLDER: &str = "stages/development/clusters/shop";
const OUTPUT: &str = "rendered/mgmt-muc/default/shop";

fn copy(from: &Path, bed: &Bed, below: &str) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), bed, &path);
        } else {
            bed.ada.write(&path, &std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// The example as a person would begin with it: its documents without locks and output.
fn example() -> Bed {
    let bed = Bed::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fleet-example"), &bed, "");
    for engine_owned in ["rendered", "gitops/argocd", "gitops/flux", "tombstones"] {
        let _ = std::fs::remove_dir_all(bed.ada.dir.join(engine_owned));
    }
    for cluster in bed.ada.run(["ls-files", "--others", "--cached", "*.lock.yaml"]).lines() {
        bed.ada.remove(cluster);
    }
    bed.ada.push("The example fleet");
    bed
}

fn lock(bed: &Bed) -> Value {
    serde_yaml::from_str(&bed.remote.read(&format!("{FOLDER}/cluster.lock.yaml"))).unwrap()
}

fn subject(bed: &Bed) -> String {
    bed.remote.git(["log", "-1", "--format=%s", "main"])
}

#[test]
fn a_cluster_of_the_example_lives_through_git_alone() {
    let bed = example();

    // The first day: everything is resolved and rendered.
    let planned = plan(&bed).expect(2);
    assert!(planned.stdout.contains("allocate"), "{}", planned.stdout);
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(CLUSTER, FOLDER);
    let _ = plan(&bed).expect(0);
    let shown = command(&bed, &["status"]).expect(0);
    assert!(shown.stdout.contains("shop") && shown.stdout.contains("billing"), "{}", shown.stdout);
    let first = lock(&bed)["values"].clone();

    // Another day: one machine more. The plan says so, and just that happens.
    let definition = format!("{FOLDER}/cluster.yaml");
    let text = bed.ada.pull().read(&definition);
    let pools = bed.remote.read(&format!("{OUTPUT}/pools.yaml"));
    let larger = text.replacen("replicas: 2", "replicas: 3", 1);
    assert_ne!(larger, text, "the example's pool has two machines");
    bed.ada.write(&definition, &larger);
    bed.ada.push("One machine more");
    let planned = plan(&bed).expect(2);
    assert!(planned.stdout.contains(&format!("{OUTPUT}/pools.yaml")), "{}", planned.stdout);
    let _ = bed.run_once().expect(0);
    assert_ne!(bed.remote.read(&format!("{OUTPUT}/pools.yaml")), pools);
    assert_eq!(lock(&bed)["values"], first);
    assert!(subject(&bed).contains("shop"), "{}", subject(&bed));

    // Somebody edits the output: it is put right.
    let edited = bed.remote.read(&format!("{OUTPUT}/pools.yaml")).replace("replicas: 3", "replicas: 9");
    bed.ada.pull().write(&format!("{OUTPUT}/pools.yaml"), &format!("{edited}\n"));
    bed.ada.push("By hand");
    let drift = command(&bed, &["drift"]).expect(2);
    assert!(drift.stdout.contains("pools.yaml"), "{}", drift.stdout);
    let _ = bed.run_once().expect(0);
    assert!(bed.remote.read(&format!("{OUTPUT}/pools.yaml")).contains("replicas: 3"));

    // The larger shop was a mistake: the definition is reverted like any commit.
    bed.ada.pull().write(&definition, &text);
    bed.ada.push("As it was");
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.read(&format!("{OUTPUT}/pools.yaml")), pools);

    // A revert of the engine's own commit is a hold, and the next change ends it.
    bed.ada.pull().run(["revert", "--no-edit", "HEAD"]);
    bed.ada.push("Wait");
    let ran = bed.run_once().expect(0);
    assert!(ran.stdout.contains("HeldAfterRevert"), "{}", ran.stdout);
    bed.ada.pull().write(&definition, &text.replacen("replicas: 2", "replicas: 4", 1));
    bed.ada.push("Four, then");
    let _ = bed.run_once().expect(0);
    assert!(bed.remote.read(&format!("{OUTPUT}/pools.yaml")).contains("replicas: 4"));

    // The shop closes: confirmed, then removed; nothing of it is left.
    let fleet = bed.ada.pull().read("fleet.yaml");
    bed.ada.write("fleet.yaml", &format!("{fleet}  deletion: {{vipHold: 0s, syncDelay: 0s}}\n"));
    bed.ada.write(&definition, &format!("{text}  deletion: {{confirm: shop}}\n"));
    bed.ada.push("The shop closes");
    let _ = bed.run_once().expect(0);
    bed.ada.pull().remove(&definition);
    bed.ada.push("It is closed");
    bed.until("everything is given back", |bed| {
        let _ = bed.run_once();
        let none = |slot: &&str| bed.live(CLUSTER, slot).is_empty();
        ["network", "vip", "firewall"].iter().all(none)
            && !bed.remote.paths().contains(&format!("{FOLDER}/cluster.lock.yaml"))
    });
    assert!(!bed.remote.paths().iter().any(|path| path.starts_with(OUTPUT)));
    bed.assert_one_of_each("payments.billing", "stages/production/clusters/billing");
    let history = command(&bed, &["history", "shop"]).expect(0);
    assert!(history.stdout.to_lowercase().contains("delete"), "{}", history.stdout);

    // And opens again, as a new cluster.
    bed.ada.pull().write(&definition, &text);
    bed.ada.push("A new shop");
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(CLUSTER, FOLDER);
    assert_ne!(lock(&bed)["values"]["nodeNetwork"]["id"], first["nodeNetwork"]["id"]);
    let _ = plan(&bed).expect(0);
}
