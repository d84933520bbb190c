//! What `init` writes is a fleet, and a minimal definition is complete with it.

use super::kit::{Edit, loaded, shown};
use crate::init::files;
use model::tree::MemoryTree;
use model::{EntryKind, FleetName};

const NAME: &str = "payments";

fn new_fleet() -> MemoryTree {
    let mut tree = MemoryTree::default();
    for (path, text) in files(&FleetName::parse(NAME).unwrap()) {
        assert!(!text.contains("FLEET_NAME"), "{path}");
        tree.put(&path, &text);
    }
    tree
}

#[test]
fn a_minimal_definition_is_complete() {
    let mut tree = new_fleet();
    assert_eq!(shown(&loaded(&tree).findings), "");
    let minimal = "\
apiVersion: fleet.metal-stack.io/v1alpha1
kind: ClusterDefinition
metadata: {name: first}
spec:
  kubernetes: {version: \"1.34\"}
  pools: [{name: general}]
";
    tree.put("stages/development/clusters/first/cluster.yaml", minimal);
    let loaded = loaded(&tree);
    assert_eq!(shown(&loaded.findings), "");
    let ids: Vec<_> = loaded.want.clusters.keys().map(ToString::to_string).collect();
    assert_eq!(ids, ["default.first"]);
    assert_eq!(loaded.want.fleet.unwrap().metadata.name.as_str(), NAME);
}

#[test]
fn the_example_beside_is_no_definition_and_would_be_a_good_one() {
    let mut tree = new_fleet();
    assert!(loaded(&tree).want.clusters.is_empty());
    let example = tree.files["stages/development/cluster.yaml.example"].clone();
    let text = String::from_utf8(example).unwrap();
    // With what is commented out, too.
    let all: String =
        text.lines().map(|l| format!("{}\n", l.replacen("  # ", "  ", usize::from(l.ends_with(['}', 'n']))))).collect();
    for text in [text, all] {
        tree.put("stages/development/clusters/example/cluster.yaml", &text);
        let loaded = loaded(&tree);
        assert_eq!(shown(&loaded.findings), "");
        assert_eq!(loaded.want.clusters.len(), 1);
    }
}

#[test]
fn the_overlay_in_the_readme_is_a_good_one() {
    let mut tree = new_fleet();
    let cluster = String::from_utf8(tree.files["stages/development/cluster.yaml.example"].clone()).unwrap();
    tree.put("stages/development/clusters/example/cluster.yaml", &cluster);
    let readme = String::from_utf8(tree.files["README.md"].clone()).unwrap();
    let lines = readme.lines().skip_while(|line| !line.contains("$schema"));
    let overlay = lines.map_while(|line| line.strip_prefix("    ")).map(|line| format!("{line}\n"));
    tree.put("overlays/development.yaml", &overlay.collect::<String>());
    let loaded = loaded(&tree);
    assert_eq!(shown(&loaded.findings), "");
    let drain = loaded.want.clusters.values().next().unwrap().effective.control_plane_drain.clone();
    assert_eq!((drain.value.to_string().as_str(), drain.from), ("5m", model::want::Origin::Overlay));
}

#[test]
fn every_document_names_its_schema() {
    let tree = new_fleet();
    for (path, text) in &tree.files {
        let text = String::from_utf8_lossy(text);
        let Some(header) = text.lines().next().and_then(|l| l.strip_prefix("# yaml-language-server: $schema=")) else {
            assert!(!path.contains(".yaml"), "{path}");
            continue;
        };
        // The example's is right where it is copied to.
        let place = if path.ends_with(".example") { "stages/development/clusters/name/cluster.yaml" } else { path };
        let up = place.matches('/').count();
        assert_eq!(header.matches("../").count(), up, "{path}");
        let schema = header.trim_start_matches("../");
        assert!(tree.tree().entry(schema).is_some_and(|e| e.kind == EntryKind::File), "{path}: {schema}");
    }
}
