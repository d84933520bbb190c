use crate::support::{Simulator, git, output};
use std::path::Path;

/// A bare remote with what `init` writes and one definition.
pub(crate) fn remote(home: &Path, sim: &Simulator) -> String {
    output(sim.command(home).args(["init", "f"])).expect(0);
    definition(home, "shop", "");
    git(home, &["init", "-q", "--bare", "fleet.git"]);
    git(home, &["init", "-q", "f"]);
    push(home, "A fleet");
    home.join("fleet.git").display().to_string()
}

pub(crate) fn definition(home: &Path, name: &str, more: &str) {
    let dir = home.join("f/stages/development/clusters").join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let text = format!(
        "apiVersion: fleet.metal-stack.io/v1alpha1\nkind: ClusterDefinition\nmetadata: {{name: {name}}}\nspec:\n  \
         kubernetes: {{version: \"1.34\"}}\n  pools: [{{name: general}}]\n{more}"
    );
    std::fs::write(dir.join("cluster.yaml"), text).unwrap();
}

pub(crate) fn push(home: &Path, message: &str) {
    git(home, &["-C", "f", "add", "--all"]);
    git(home, &["-C", "f", "commit", "-q", "--allow-empty", "-m", message]);
    git(home, &["-C", "f", "push", "-q", "../fleet.git", "HEAD:refs/heads/main"]);
}

#[test]
fn pending_then_nothing_then_a_file() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    let plan = |args: &[&str]| output(sim.command(home).arg("plan").args(args));
    for source in [&["--repo", &url][..], &["f"]] {
        let pending = plan(source).expect(2);
        assert!(pending.stdout.contains("allocate") && pending.stdout.contains("3 to allocate"), "{}", pending.stdout);
        let json: serde_json::Value =
            serde_json::from_str(&plan(&[source, &["-o", "json"]].concat()).expect(2).stdout).unwrap();
        assert_eq!(json["pending"], true);
        assert_eq!(json["clusters"][0]["cluster"], "default.shop");
    }
    output(sim.command(home).args(["run", "--once", "--repo", &url])).expect(0);
    assert_eq!(plan(&["--repo", &url]).expect(0).stdout.lines().last(), Some("Plan: nothing to do"));
    git(home, &["-C", "f", "pull", "-q", "../fleet.git", "main"]);
    assert_eq!(plan(&["f"]).expect(0).stdout.lines().last(), Some("Plan: nothing to do"));
    definition(home, "shop", "  controlPlane: {replicas: 3}\n");
    let edited = plan(&["f"]).expect(2).stdout;
    assert!(edited.contains("write rendered/mgmt-muc/default/shop/control-plane.yaml"), "{edited}");
    assert!(edited.contains("0 to allocate"), "{edited}");
    push(home, "More");
    assert_eq!(plan(&["--repo", &url]).expect(2).stdout, edited);
    let lines = plan(&["f", "--diff"]).expect(2).stdout;
    assert!(lines.contains("\n-  replicas: 1\n+  replicas: 3\n"), "{lines}");
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&plan(&[&["f", "-o", "json"], args].concat()).expect(2).stdout).unwrap()
    };
    let file = |json: &serde_json::Value| {
        let files = json["files"].as_array().unwrap().clone();
        files.into_iter().find(|file| file["path"].as_str().unwrap().ends_with("control-plane.yaml")).unwrap()
    };
    let bare = file(&json(&[]));
    assert_eq!((&bare["change"], &bare["added"], bare.get("diff")), (&"write".into(), &1.into(), None));
    assert!(file(&json(&["--diff"]))["diff"].as_str().unwrap().contains("+  replicas: 3"));
    let comment = plan(&["f", "-o", "markdown"]).expect(2).stdout;
    assert!(comment.contains("| default.shop |") && !comment.contains("metal-admin"), "{comment}");
}

#[test]
fn findings_are_no_plan_to_act_on() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    definition(home, "broken", "  pool: []\n");
    push(home, "Broken");
    for source in [&["--repo", &url][..], &["f"]] {
        let failed = output(sim.command(home).arg("plan").args(source)).expect(1);
        assert!(failed.stderr.contains("error[unknown-field]"), "{}", failed.stderr);
        assert!(failed.stdout.contains("3 to allocate"), "I6: the other cluster is planned\n{}", failed.stdout);
    }
}

#[test]
fn a_metal_api_that_is_down_makes_a_plan_incomplete() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let mut sim = Simulator::start(home);
    let url = remote(home, &sim);
    for (name, value) in &mut sim.env {
        if name == "METAL_API_URL" {
            *value = "http://127.0.0.1:1/metal".to_owned();
        }
    }
    let failed = output(sim.command(home).args(["plan", "--repo", &url])).expect(1);
    assert!(failed.stdout.starts_with("INCOMPLETE: "), "{}", failed.stdout);
    assert!(failed.stdout.contains("incomplete"), "{}", failed.stdout);
}
