//! A fleet on the day after: where it stands, what happened, what is not as it was, and a person's answers.

use crate::plan::{definition, push, remote};
use crate::support::{Simulator, ferrofleet, git, output};
use serde_json::Value;
use std::path::Path;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A remote with one cluster that is there.
fn resolved(home: &Path) -> (Simulator, String) {
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    output(sim.command(home).args(["run", "--once", "--repo", &url])).expect(0);
    (sim, url)
}

#[test]
fn status_of_all_and_of_one() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (sim, url) = resolved(home);
    let status = |args: &[&str]| output(sim.command(home).arg("status").args(args));
    let table = status(&["--repo", &url]).expect(0).stdout;
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..4], ["CLUSTER", "STAGE", "PHASE", "NETWORK"]);
    assert_eq!(rows[1][..3], ["default.shop", "development", "Rendered"]);
    let all = json(&status(&["--repo", &url, "-o", "json"]).expect(0).stdout);
    assert_eq!((&all["metal"], &all["incomplete"]), (&true.into(), &false.into()));
    let title = all["clusters"][0]["commit"]["title"].as_str().unwrap();
    assert!(title.contains("default.shop"), "{title}");
    let one = status(&["shop", "--repo", &url]).expect(0).stdout;
    for line in ["default.shop: Rendered, stage development", "Resolved True AllValuesKnown", "(allocated)"] {
        assert!(one.contains(line), "{line}\n{one}");
    }
    let unknown = status(&["shopp", "--repo", &url]).expect(64);
    assert_eq!(unknown.stderr, "error: there is no cluster shopp\nhint: known here: default.shop\n");
    // The same of a folder; and what Git says where no metal-api is configured.
    git(home, &["-C", "f", "pull", "-q", "../fleet.git", "main"]);
    assert!(status(&["--dir", "f"]).expect(0).stdout.contains("default.shop"));
    for source in [&["--repo", &url][..], &["--dir", "f"]] {
        let blind = output(ferrofleet(home).arg("status").args(source)).expect(0);
        assert!(blind.stderr.contains("no metal-api is configured"), "{}", blind.stderr);
        assert!(blind.stdout.contains("Rendered"), "{}", blind.stdout);
    }
}

#[test]
fn history_of_all_and_of_one() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (sim, url) = resolved(home);
    definition(home, "cart", "");
    git(home, &["-C", "f", "pull", "-q", "--rebase", "../fleet.git", "main"]);
    push(home, "Another");
    output(sim.command(home).args(["run", "--once", "--repo", &url])).expect(0);
    // Git is enough for what is in Git.
    let history = |args: &[&str]| output(ferrofleet(home).arg("history").args(args).args(["--repo", &url]));
    let all = json(&history(&["-o", "json"]).expect(0).stdout);
    let titles: Vec<_> = all.as_array().unwrap().iter().map(|entry| entry["title"].as_str().unwrap()).collect();
    assert!(titles.len() >= 2 && titles[0].contains("default.cart"), "{titles:?}");
    let shop = json(&history(&["shop", "-o", "json"]).expect(0).stdout);
    assert!(shop.as_array().unwrap().iter().all(|entry| entry["clusters"][0] == "default.shop"), "{shop}");
    assert_eq!(json(&history(&["--limit", "1", "-o", "json"]).expect(0).stdout).as_array().unwrap().len(), 1);
    let text = history(&["default.shop"]).expect(0).stdout;
    assert!(text.contains("by Ferrofleet, from ") && text.contains("    default.shop: "), "{text}");
    let unknown = history(&["shopp"]).expect(64).stderr;
    assert!(unknown.contains("hint: did you mean shop?"), "{unknown}");
    let nowhere = output(ferrofleet(home).arg("history")).expect(64).stderr;
    assert!(nowhere.contains("hint: use --repo URL, or set FERROFLEET_REPO"), "{nowhere}");
}

#[test]
fn drift_is_what_people_changed_and_orphans_are_what_nobody_names() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (sim, url) = resolved(home);
    let run = |args: &[&str]| output(sim.command(home).args(args).args(["--repo", &url]));
    assert_eq!(run(&["drift"]).expect(0).stdout, "Drift: none\n");
    assert_eq!(run(&["orphans"]).expect(0).stdout, "no orphans\n");
    // A person changes an engine's file.
    git(home, &["-C", "f", "pull", "-q", "../fleet.git", "main"]);
    let pools = home.join("f/rendered/mgmt-muc/default/shop/pools.yaml");
    let text = std::fs::read_to_string(&pools).unwrap();
    std::fs::write(&pools, text.replace("replicas: 1", "replicas: 7")).unwrap();
    push(home, "By hand");
    let drift = run(&["drift"]).expect(2).stdout;
    assert!(drift.starts_with("changed rendered/mgmt-muc/default/shop/pools.yaml\n"), "{drift}");
    output(sim.command(home).args(["run", "--once", "--repo", &url])).expect(0);
    run(&["drift"]).expect(0);
    // What a lock names is no orphan, whoever confirms.
    let none = run(&["orphans", "--free", "default.shop", "--confirm", "default.shop"]).expect(1).stderr;
    assert!(none.contains("there are no orphans of a cluster default.shop"), "{none}");
}

#[test]
fn answers_only_to_what_is_so() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (sim, url) = resolved(home);
    let ada = ["--author", "Ada <ada@example.com>", "--repo", &url];
    let run = |args: &[&str]| output(sim.command(home).args(args).args(ada));
    let before = git(home, &["-C", "fleet.git", "rev-parse", "main"]);
    let nothing = run(&["ack", "Suspect"]).expect(1).stderr;
    assert!(nothing.contains("hint: there is nothing to acknowledge"), "{nothing}");
    let other = run(&["ack", "Lost"]).expect(64).stderr;
    assert!(other.contains("ferrofleet recover"), "{other}");
    let kept = run(&["recover", "shop", "--slot", "vip"]).expect(1).stderr;
    assert!(kept.contains("is not lost"), "{kept}");
    let firewall = run(&["recover", "shop", "--slot", "firewall.1"]).expect(1).stderr;
    assert!(firewall.contains("by itself"), "{firewall}");
    run(&["recover", "shop", "--slot", "network.x"]).expect(64);
    let nobody = output(sim.command(home).args(["ack", "Suspect", "x", "--force", "--repo", &url])).expect(64).stderr;
    assert!(nobody.contains("git does not know who you are"), "{nobody}");
    assert_eq!(git(home, &["-C", "fleet.git", "rev-parse", "main"]), before, "nothing was committed");
    let said = run(&["recover", "shop", "--slot", "vip", "--force"]).expect(0).stdout;
    assert!(said.contains("Recover the vip of default.shop"), "{said}");
    let log = git(home, &["-C", "fleet.git", "log", "-1", "--format=%an <%ae>%n%B", "main"]);
    assert!(
        log.starts_with("Ada <ada@example.com>\n") && log.contains("Fleet-Recover: same vip default.shop "),
        "{log}"
    );
    assert_eq!(git(home, &["-C", "fleet.git", "diff", "--stat", before.trim(), "main"]), "");
}

#[test]
fn an_engine_that_only_looks_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    let before = git(home, &["-C", "fleet.git", "for-each-ref"]);
    let ran = output(sim.command(home).args(["run", "--once", "--observe", "--repo", &url]));
    assert!(ran.stdout.contains("Observing"), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(git(home, &["-C", "fleet.git", "for-each-ref"]), before);
    let plan = output(sim.command(home).args(["plan", "--repo", &url])).expect(2).stdout;
    assert!(plan.contains("3 to allocate"), "{plan}");
}
