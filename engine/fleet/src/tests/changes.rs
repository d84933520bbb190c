//! Field by field: what the table says of a change is what the rules say of it.

mod cases;

use super::kit::{Edit, FLEET, POLICY, example, loaded, overlay, shown};
use crate::mutability::{CHANGES, Mutability, Replaced, mutability};
use cases::{CASES, Case};
use model::tree::MemoryTree;
use model::{ClusterLock, Finding, Reason};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FULL: &str = "stages/production/clusters/full/cluster.yaml";
const FULL_LOCK: &str = "stages/production/clusters/full/cluster.lock.yaml";
const ID: &str = "payments.full";

/// A definition that writes nearly every field.
fn full() -> Value {
    json!({
        "apiVersion": "fleet.metal-stack.io/v1alpha1",
        "kind": "ClusterDefinition",
        "metadata": {"name": "full", "labels": {"team": "payments"}},
        "spec": {
            "flavor": "calico",
            "purpose": "production",
            "stage": "production",
            "policy": "default",
            "target": {"namespace": "payments"},
            "kubernetes": {"version": "1.33"},
            "network": {
                "nodes": {"length": 22},
                "pods": ["10.240.0.0/14"],
                "services": ["10.248.0.0/19"],
                "apiServerPort": 443,
                "cni": {"version": "v3.28.3", "values": {"installation": {"variant": "Calico"}}},
            },
            "vip": {"mode": "allocate", "network": "internet", "type": "static"},
            "firewall": {
                "mode": "engine",
                "size": "n1-medium-x86",
                "image": "firewall-ubuntu-3.0",
                "networks": ["internet", "mpls-muc-a"],
                "rules": {
                    "presets": ["base"],
                    "egress": [{"ports": [8443], "protocol": "TCP", "to": ["192.0.2.0/24"]}],
                    "ingress": [{"ports": [8443], "protocol": "TCP", "from": ["192.0.2.0/24"]}],
                },
                "egress": [{"network": "internet"}],
                "healthTimeout": "20m",
            },
            "controlPlane": {
                "replicas": 3, "size": "n1-medium-x86", "image": "capms-ubuntu", "drainTimeout": "10m",
                "healthCheck": {"nodeStartupTimeout": "40m", "unhealthyTimeout": "15m"},
            },
            "pools": [
                {
                    "name": "general", "replicas": 2, "size": "n1-medium-x86", "image": "capms-ubuntu",
                    "maxSurge": 1, "maxUnavailable": 0, "labels": {"a": "b"},
                    "taints": [{"key": "a", "effect": "NoSchedule"}], "drainTimeout": "2m",
                    "healthCheck": {"nodeStartupTimeout": "40m", "unhealthyTimeout": "15m", "maxUnhealthy": "20%"},
                },
                {"name": "elastic", "min": 1, "max": 3},
            ],
            "addons": {
                "ccm": {"enabled": true, "version": "v0.9.7", "defaultExternalNetwork": "internet"},
                "metallb": {"version": "0.15.2", "values": {"a": 1}},
                "extra": [{
                    "name": "certs", "repoURL": "https://charts.jetstack.io", "chart": "cert-manager",
                    "version": "v1.19.1", "namespace": "certs", "values": {"a": 1},
                }],
                "manifests": [{"name": "more", "secretRefs": ["a"]}],
            },
        },
    })
}

/// The example without its own clusters, with a second of everything that a cluster can move to.
fn around() -> MemoryTree {
    let mut tree = example();
    tree.files.retain(|path, _| !path.starts_with("stages/"));
    let others = "    - name: other\n      managementCluster: mgmt-other\n";
    tree.edit(FLEET, "  stages:", &format!("    - name: mgmt-other\n  stages:\n{others}"));
    let projects = "      - id: 00000000-0000-0000-0000-000000000002\n";
    tree.edit(
        FLEET,
        "    partition: muc-a",
        &format!("{projects}    project: 00000000-0000-0000-0000-000000000001\n    partition: muc-a"),
    );
    tree.edit(POLICY, "    calico:", "    metallb: 0.15.2\n    calico:");
    let image = "    - name: other-ubuntu\n      id: other-ubuntu-{{version}}\n      versions:\n        - { version: 1.33.6, kubernetes: 1.33.6, kubeVip: v0.8.10 }\n";
    tree.edit(POLICY, "  # The first usable one", &format!("{image}  # The first usable one"));
    let other = String::from_utf8(tree.files[POLICY].clone()).unwrap();
    let other = other
        .replace("name: default", "name: other")
        .replace("kubernetes: 1.33.6, kubeVip: v0.8.10", "kubernetes: 1.33.6, kubeVip: v0.9.0");
    tree.put("policies/other.yaml", &other);
    tree
}

fn put(tree: &mut MemoryTree, definition: &Value) {
    tree.put(FULL, &definition.to_string());
}

/// What it runs with: the add-ons by what their committed output says.
fn resolved(definition: &Value) -> (MemoryTree, ClusterLock) {
    let mut tree = around();
    put(&mut tree, definition);
    assert_eq!(shown(&loaded(&tree).findings), "");
    let lock = tree.lock(ID);
    let mut addons = "kind: ClusterResourceSet\nmetadata:\n  name: full-metal-ccm-432400ed\n".to_owned();
    for (name, chart, repo, namespace) in [
        ("calico", "tigera-operator", "https://docs.tigera.io/calico/charts", "kube-system"),
        ("metallb", "metallb", "https://metallb.github.io/metallb", "metallb-system"),
        ("certs", "cert-manager", "https://charts.jetstack.io", "certs"),
    ] {
        addons.push_str(&format!(
            "---\nkind: HelmChartProxy\nspec:\n  releaseName: {name}\n  chartName: {chart}\n  repoURL: {repo}\n  namespace: {namespace}\n"
        ));
    }
    tree.put("rendered/mgmt-muc/payments/full/addons.yaml", &addons);
    (tree, lock)
}

/// Rule, severity and field of each finding of this cluster.
fn told(findings: &[Finding]) -> BTreeSet<(String, bool, String)> {
    findings.iter().map(|f| (f.rule.to_owned(), f.is_error(), f.field.clone())).collect()
}

/// What the rules say after one change, with `rollout.allowReplacement` as given.
fn after(case: &Case, rollout: &str) -> Vec<Finding> {
    let mut definition = full();
    definition["spec"]["rollout"] = json!({"allowReplacement": rollout});
    let (mut tree, _) = resolved(&definition);
    for (pointer, value) in case.before {
        set(&mut definition, pointer, value);
    }
    if !case.before.is_empty() {
        (tree, _) = resolved(&definition);
    }
    for (pointer, value) in case.change {
        set(&mut definition, pointer, value);
    }
    put(&mut tree, &definition);
    loaded(&tree).findings
}

/// `value` is JSON; empty removes the field.
fn set(definition: &mut Value, pointer: &str, value: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let mut here = &mut *definition;
    for part in parent.split('/').skip(1) {
        here = match part.parse::<usize>() {
            Ok(index) => &mut here[index],
            Err(_) => &mut here[part],
        };
    }
    match (here, value) {
        (Value::Object(map), "") => drop(map.remove(key).unwrap()),
        (Value::Array(list), "") => drop(list.remove(key.parse().unwrap())),
        (Value::Array(list), value) => list.push(serde_json::from_str(value).unwrap()),
        (object, value) => object[key] = serde_json::from_str(value).unwrap(),
    }
}

fn replaced(what: Replaced) -> Vec<&'static str> {
    match what {
        Replaced::ControlPlane => vec!["spec.controlPlane"],
        Replaced::Pool => vec!["spec.pools[0]"],
        Replaced::Machines => vec!["spec.controlPlane", "spec.pools[0]", "spec.pools[1]"],
        Replaced::Firewall => vec!["spec.firewall"],
    }
}

#[test]
fn the_rules_say_of_each_field_what_the_table_says() {
    for case in CASES {
        let change = mutability(case.field).unwrap();
        for rollout in ["never", "always"] {
            let findings = after(case, rollout);
            let text = shown(&findings);
            let of = |rule: &str, fields: &[&str]| -> BTreeSet<_> {
                fields.iter().map(|field| (rule.to_owned(), true, (*field).to_owned())).collect()
            };
            let reasons: BTreeSet<_> = findings.iter().filter(|f| f.is_error()).map(|f| f.reason.unwrap()).collect();
            let at = format!("{} with {rollout}:\n{text}", case.field);
            match (change.mutability, rollout) {
                (Mutability::InPlace, _) | (Mutability::Replaces(_), "always") => assert_eq!(text, "", "{at}"),
                (Mutability::Replaces(what), _) => {
                    assert_eq!(told(&findings), of("machines-changed", &replaced(what)), "{at}");
                    assert_eq!(reasons, BTreeSet::from([Reason::ReplacementNotAllowed]), "{at}");
                    assert!(text.contains("rollout.allowReplacement to always"), "{at}");
                }
                (Mutability::Immutable, _) => {
                    let rule = if case.is_identity() { "identity-changed" } else { "value-changed" };
                    let field = case.told_at.unwrap_or(case.field);
                    let told = told(&findings);
                    assert_eq!(
                        told.iter().filter(|(_, is_error, _)| *is_error).cloned().collect::<BTreeSet<_>>(),
                        of(rule, &[field]),
                        "{at}"
                    );
                    assert_eq!(reasons, BTreeSet::from([Reason::Immutable]), "{at}");
                }
                (Mutability::Depends, _) => {
                    let expected = if rollout == "never" { case.never } else { case.always };
                    let rules: BTreeSet<_> = findings.iter().map(|f| f.rule).collect();
                    assert_eq!(rules, expected.iter().copied().collect(), "{at}");
                }
            }
        }
    }
}

#[test]
fn every_field_of_the_table_has_a_case() {
    let cases: BTreeSet<_> = CASES.iter().map(|case| case.field).collect();
    // The schema admits one value, or refuses it for every cluster (R22).
    let elsewhere = ["spec.controlPlane.healthCheck.maxUnhealthy"];
    let missing: Vec<_> =
        CHANGES.iter().map(|c| c.field).filter(|f| !cases.contains(f) && !elsewhere.contains(f)).collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(cases.iter().all(|field| mutability(field).is_some_and(|change| change.field == *field)));
}

/// Paths of a schema: every field without fields of its own, and every list.
fn fields(schema: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    fn walk(root: &Value, node: &Value, at: &str, leaves: &mut BTreeSet<String>, lists: &mut BTreeSet<String>) {
        let one = node["anyOf"].as_array().and_then(|any| any.iter().find(|one| one["type"] != "null"));
        if let Some(reference) = node["$ref"].as_str() {
            return walk(root, root.pointer(reference.trim_start_matches('#')).unwrap(), at, leaves, lists);
        }
        if let Some(one) = one {
            return walk(root, one, at, leaves, lists);
        }
        if node["type"] == "array" || node["type"][0] == "array" {
            lists.insert(at.to_owned());
            return walk(root, &node["items"], &format!("{at}[]"), leaves, lists);
        }
        match node["properties"].as_object() {
            Some(properties) => {
                for (name, field) in properties {
                    let below = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                    walk(root, field, &below, leaves, lists);
                }
            }
            None => drop(leaves.insert(at.to_owned())),
        }
    }
    let (mut leaves, mut lists) = (BTreeSet::new(), BTreeSet::new());
    walk(schema, schema, "", &mut leaves, &mut lists);
    (leaves, lists)
}

#[test]
fn every_field_of_the_schema_is_in_the_table_and_nothing_else() {
    let (_, schema) = crate::schemas().into_iter().find(|(file, _)| file == "clusterdefinition.json").unwrap();
    let (leaves, lists) = fields(&schema);
    let missing: Vec<_> = leaves
        .iter()
        .filter(|leaf| !["apiVersion", "kind"].contains(&leaf.as_str()) && mutability(leaf).is_none())
        .collect();
    assert_eq!(missing, Vec::<&String>::new(), "fields of the schema that the table does not know");
    for change in CHANGES {
        let is_list_of_values = leaves.contains(&format!("{}[]", change.field));
        let is_field = leaves.contains(change.field) || lists.contains(change.field) || is_list_of_values;
        assert!(is_field, "{} is no field, or holds several", change.field);
        let same = CHANGES.iter().filter(|other| other.field == change.field).count();
        assert_eq!(same, 1, "{} is there twice", change.field);
        assert!(!change.says.is_empty() && !change.says.ends_with('.'), "{change:?}");
    }
}

#[test]
fn a_field_is_found_with_and_without_index_and_below() {
    let how = |field: &str| mutability(field).map(|change| change.mutability);
    for field in ["spec.pools[0].size", "spec.pools[].size", "spec.pools.size"] {
        assert_eq!(how(field), Some(Mutability::Replaces(Replaced::Pool)), "{field}");
    }
    assert_eq!(how("spec.pools[1].taints[0].key"), Some(Mutability::Replaces(Replaced::Pool)));
    assert_eq!(how("spec.pools[1].labels.a"), Some(Mutability::Replaces(Replaced::Pool)));
    for none in
        ["", "spec", "spec.pools", "spec.pools[0]", "spec.firewall.rules", "spec.nothing", "spec.firewall.egresses"]
    {
        assert_eq!(how(none), None, "{none}");
    }
}

/// The base of the cases: what is the policy's, an overlay's or the fleet's counts as the definition's own.
#[test]
fn r1_what_policy_overlay_or_fleet_change_counts_as_well() {
    let of_never = |change: &dyn Fn(&mut MemoryTree)| {
        let mut definition = full();
        definition["spec"]["rollout"] = json!({"allowReplacement": "never"});
        let spec = definition["spec"].as_object_mut().unwrap();
        spec["firewall"].as_object_mut().unwrap().remove("size").unwrap();
        spec["controlPlane"].as_object_mut().unwrap().remove("size").unwrap();
        spec["network"].as_object_mut().unwrap().remove("pods").unwrap();
        let (mut tree, _) = resolved(&definition);
        change(&mut tree);
        let findings = loaded(&tree).findings;
        findings.into_iter().map(|f| (f.rule, f.field, f.reason)).collect::<Vec<_>>()
    };
    let refused = |field: &str| vec![("machines-changed", field.to_owned(), Some(Reason::ReplacementNotAllowed))];
    assert_eq!(of_never(&|_| {}), []);
    assert_eq!(
        of_never(&|t| t.edit(POLICY, "kubernetes: 1.33.6, kubeVip: v0.8.10", "kubernetes: 1.33.6, kubeVip: v0.9.0")),
        refused("spec.controlPlane")
    );
    assert_eq!(
        of_never(&|t| t.edit(POLICY, "types: [n1-medium-x86, c1-large-x86]", "types: [c1-large-x86, n1-medium-x86]")),
        refused("spec.firewall")
    );
    assert_eq!(of_never(&|t| t.edit(FLEET, "203.0.113.10/32", "203.0.113.11/32")), refused("spec.firewall"));
    let given = overlay("a", "definition: {controlPlane: {size: c1-large-x86}}");
    assert_eq!(of_never(&|t| t.put("overlays/a.yaml", &given)), refused("spec.controlPlane"));
    let pods = of_never(&|t| t.edit(POLICY, "10.240.0.0/13", "10.240.0.0/14"));
    assert_eq!(pods, [("value-changed", "spec.network.services".to_owned(), Some(Reason::Immutable))]);
}

/// Nothing is held while nothing was rendered: only single values are.
#[test]
fn what_is_not_rendered_yet_may_still_change() {
    let mut definition = full();
    definition["spec"]["rollout"] = json!({"allowReplacement": "never"});
    let (mut tree, mut lock) = resolved(&definition);
    lock.rendered.clear();
    lock.values.firewall = None;
    tree.put_lock(FULL_LOCK, &lock);
    for (pointer, value) in
        [("/spec/controlPlane/size", "\"c1-large-x86\""), ("/spec/firewall/size", "\"c1-large-x86\"")]
    {
        set(&mut definition, pointer, value);
    }
    set(&mut definition, "/spec/pools/1", "");
    put(&mut tree, &definition);
    assert_eq!(shown(&loaded(&tree).findings), "");
    set(&mut definition, "/spec/network/apiServerPort", "6443");
    put(&mut tree, &definition);
    assert_eq!(loaded(&tree).findings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["value-changed"]);
}

/// One refusal names the field; what hangs on it needs no second one, and what does not is told.
#[test]
fn a_refused_value_does_not_hide_other_changes() {
    let mut definition = full();
    definition["spec"]["rollout"] = json!({"allowReplacement": "never"});
    let (mut tree, _) = resolved(&definition);
    set(&mut definition, "/spec/network/apiServerPort", "6443");
    set(&mut definition, "/spec/pools/0/size", "\"c1-large-x86\"");
    put(&mut tree, &definition);
    let told: Vec<_> = loaded(&tree).findings.into_iter().map(|f| (f.rule, f.field)).collect();
    let told: BTreeSet<_> = told.iter().map(|(rule, field)| (*rule, field.as_str())).collect();
    let expected = [("value-changed", "spec.network.apiServerPort"), ("machines-changed", "spec.pools[0]")];
    assert_eq!(told, BTreeSet::from(expected));
}
