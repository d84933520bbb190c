//! Where each value comes from, and which cluster a changed document changes.

use super::kit::{BILLING, Edit, FLEET, POLICY, SHOP, example, now, overlay};
use crate::{Memo, Setting, Source, touched, why};
use model::tree::MemoryTree;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

fn told(tree: &MemoryTree, cluster: &str) -> Vec<Setting> {
    why(&tree.tree(), &mut Memo::default(), now(), &cluster.parse().unwrap()).unwrap()
}

fn text(settings: &[Setting]) -> String {
    let mut out = String::new();
    for Setting { field, value, origin, file, line, note } in settings {
        let note = if note.is_empty() { String::new() } else { format!("  # {note}") };
        writeln!(out, "{field} = {value}  {origin:?} {file}:{line}{note}").unwrap();
    }
    out
}

/// The example with an overlay that gives billing something of everything.
fn with_overlays() -> MemoryTree {
    let mut tree = example();
    let given = "
  order: 5
  selector: {matchLabels: {team: payments}}
  definition:
    network:
      cni: {values: {installation: {calicoNetwork: {mtu: 9000}}}}
    controlPlane:
      drainTimeout: 20m
      healthCheck: {nodeStartupTimeout: 1h}
    addons:
      extra:
        - {name: certs, repoURL: \"https://charts.jetstack.io\", chart: cert-manager, version: v1.19.1, namespace: certs}
  patches:
    - target: {kind: Cluster}
      merge: {metadata: {annotations: {owner: payments}}}";
    tree.put("overlays/payments.yaml", &overlay("payments", given.trim_start()));
    tree.edit(BILLING, "    nodes:", "    cni: {values: {installation: {variant: Calico}}}\n    nodes:");
    tree.lock("payments.billing");
    tree.append(
        BILLING,
        "  patches:\n    - {target: {kind: MachineDeployment}, merge: {metadata: {labels: {a: b}}}}\n",
    );
    tree
}

#[test]
fn every_value_has_its_document_and_line() {
    let mut out = text(&told(&with_overlays(), "payments.billing"));
    writeln!(out, "\n# without a lock").unwrap();
    out.push_str(&text(&told(&example(), "default.shop")));
    insta::assert_snapshot!(out);
}

/// The lines are those of the files: what is there has the name of the field.
#[test]
fn lines_are_where_the_field_is_written() {
    let tree = with_overlays();
    for cluster in ["payments.billing", "default.shop", "default.legacy"] {
        for setting in told(&tree, cluster) {
            let is_named = matches!(setting.origin, Source::Definition | Source::Overlay | Source::Stage);
            if !is_named {
                continue;
            }
            let text = String::from_utf8(tree.files[&setting.file].clone()).unwrap();
            let line = text.lines().nth(setting.line as usize - 1).unwrap();
            let name = setting.field.rsplit('.').next().unwrap().split('[').next().unwrap();
            // An item of a list stands where its first field is.
            assert!(line.contains(name) || setting.field.ends_with(']'), "{setting:?}: {line}");
        }
    }
}

/// As the schema has them, each once; and with a schema that knows each of them.
#[test]
fn fields_are_those_of_the_schema_in_its_order() {
    let (_, schema) = crate::schemas().into_iter().find(|(file, _)| file == "clusterdefinition.json").unwrap();
    let mut tree = with_overlays();
    tree.append(SHOP, "      labels: {a: b}\n      taints: [{key: a, effect: NoSchedule}]\n      healthCheck: {}\n    - {name: more, min: 1, max: 2}\n");
    tree.edit(SHOP, "  pools:", "  addons: {metallb: {version: 0.15.2}, ccm: {enabled: true}}\n  pools:");
    for cluster in ["payments.billing", "default.shop"] {
        let settings = told(&tree, cluster);
        let fields: BTreeSet<_> = settings.iter().map(|s| &s.field).collect();
        assert_eq!(fields.len(), settings.len(), "a field is there twice");
        let places: Vec<Vec<usize>> = settings.iter().map(|s| place(&schema, &s.field)).collect();
        for (pair, two) in places.windows(2).zip(settings.windows(2)) {
            assert!(pair[0] <= pair[1], "{} before {}", two[0].field, two[1].field);
        }
    }
}

/// The positions of a field's parts in the published schema.
fn place(schema: &serde_json::Value, field: &str) -> Vec<usize> {
    let follow = |here: &serde_json::Value| -> serde_json::Value {
        let one = here["anyOf"].as_array().and_then(|any| any.iter().find(|o| o["$ref"].is_string()));
        let target = here["$ref"].as_str().or(one.and_then(|o| o["$ref"].as_str()));
        target.map_or_else(|| here.clone(), |r| schema.pointer(r.trim_start_matches('#')).unwrap().clone())
    };
    let (mut here, mut places) = (schema.clone(), Vec::new());
    for part in field.split('.') {
        let (name, index) =
            part.split_once('[').map_or((part, None), |(name, rest)| (name, Some(rest.trim_end_matches(']'))));
        let Some(properties) = here["properties"].as_object() else {
            // Below labels and values everything is allowed.
            return places;
        };
        let at = properties.keys().position(|key| key == name).unwrap_or_else(|| panic!("{field}: no {name}"));
        places.push(at);
        here = follow(&properties[name]);
        if let Some(index) = index {
            places.push(index.parse().unwrap());
            here = follow(&here["items"]);
        }
    }
    places
}

#[test]
fn a_cluster_that_is_not_there_or_not_resolved_has_no_answer() {
    let mut tree = example();
    let ask = |tree: &MemoryTree, id: &str| why(&tree.tree(), &mut Memo::default(), now(), &id.parse().unwrap());
    assert_eq!(ask(&tree, "default.nobody"), None);
    tree.edit(SHOP, "\"1.34\"", "\"1.99\"");
    assert_eq!(ask(&tree, "default.shop"), None);
}

fn touches(before: &MemoryTree, after: &MemoryTree) -> BTreeMap<String, Vec<String>> {
    let touched = touched(&before.tree(), &after.tree(), &mut Memo::default(), now());
    let names = |ids: Vec<model::ClusterId>| ids.iter().map(|id| id.name().to_string()).collect();
    touched.into_iter().map(|(path, ids)| (path, names(ids))).collect()
}

fn check(before: &MemoryTree, after: &MemoryTree, expected: &[(&str, &[&str])]) {
    let expected: BTreeMap<_, Vec<_>> = expected
        .iter()
        .map(|(path, ids)| ((*path).to_owned(), ids.iter().map(|id| (*id).to_owned()).collect()))
        .collect();
    assert_eq!(touches(before, after), expected);
}

#[test]
fn a_changed_policy_names_the_clusters_it_changes() {
    let before = example();
    check(&before, &before, &[]);
    let mut after = before.clone();
    after.append(POLICY, "# a comment\n");
    check(&before, &after, &[(POLICY, &[])]);
    after.edit(POLICY, "calico: v3.28.3", "calico: v3.29.0");
    check(&before, &after, &[(POLICY, &["billing"])]);
    after.edit(POLICY, "10.248.0.0/18", "10.248.0.0/19");
    check(&before, &after, &[(POLICY, &["legacy", "shop", "billing"])]);
}

#[test]
fn each_changed_document_has_its_own_clusters() {
    let before = example();
    let mut after = before.clone();
    after.edit(POLICY, "calico: v3.28.3", "calico: v3.29.0");
    after.put("overlays/a.yaml", &overlay("a", "selector: {matchLabels: {fleet.metal-stack.io/stage: development}}\n  definition: {controlPlane: {replicas: 3}}"));
    // What others changed, and a new cluster, are not the policy's doing.
    after.edit(SHOP, "replicas: 2", "replicas: 3");
    after.put(
        "stages/development/clusters/new/cluster.yaml",
        &String::from_utf8(before.files[SHOP].clone()).unwrap().replace("name: shop", "name: new"),
    );
    check(&before, &after, &[(POLICY, &["billing"]), ("overlays/a.yaml", &["legacy", "shop"])]);
    check(&after, &before, &[(POLICY, &["billing"]), ("overlays/a.yaml", &["legacy", "new", "shop"])]);
}

#[test]
fn a_policy_that_stops_clusters_touches_them() {
    let before = example();
    let mut after = before.clone();
    after.edit(POLICY, "      - version: 1.32.9\n        classification: deprecated\n", "");
    check(&before, &after, &[(POLICY, &["legacy"])]);
    let mut broken = before.clone();
    broken.edit(POLICY, "  defaults:", "  default:");
    check(&before, &broken, &[(POLICY, &["legacy", "shop", "billing"])]);
    check(&broken, &before, &[(POLICY, &["legacy", "shop", "billing"])]);
    // Without a fleet nobody can tell, and the document is named.
    let mut nothing = after.clone();
    nothing.remove_file(FLEET);
    check(&before, &nothing, &[(POLICY, &["legacy"])]);
}
