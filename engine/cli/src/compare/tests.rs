use super::*;
use serde_json::json;

fn name() -> Name {
    Name::of(&object(&json!({}))).unwrap()
}

fn object(spec: &Value) -> Value {
    json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachineDeployment",
        "metadata": {"name": "shop-general", "namespace": "default"},
        "spec": spec,
    })
}

/// With what a server adds.
fn stored(spec: &Value, generation: u32) -> Value {
    let mut object = object(spec);
    object["metadata"]["uid"] = json!("7f7b4a3e");
    object["metadata"]["generation"] = json!(generation);
    object["metadata"]["resourceVersion"] = json!(generation.to_string());
    object["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    object["status"] = json!({"replicas": generation});
    object
}

#[track_caller]
fn check(rendered: &Value, live: &Value, applied: &Value, expected: &str) {
    let found = changed(&name(), &object(rendered), &stored(live, 1), &stored(applied, 2)).unwrap();
    assert_eq!(found.map(|found| found.diff).unwrap_or_default(), expected);
}

#[test]
fn only_what_is_rendered_or_would_change_is_shown() {
    let same = json!({"replicas": 2, "strategy": "defaulted"});
    // What the server keeps about an object is no difference.
    check(&json!({"replicas": 2}), &same, &same, "");
    check(
        &json!({"replicas": 3}),
        &json!({"paused": false, "replicas": 2, "strategy": "defaulted"}),
        &json!({"paused": false, "replicas": 3, "strategy": "defaulted"}),
        "@@ -4,4 +4,4 @@\n   name: shop-general\n   namespace: default\n spec:\n-  replicas: 2\n+  replicas: 3\n",
    );
    // A field that goes because it is not rendered any more.
    check(
        &json!({}),
        &json!({"replicas": 2, "strategy": "defaulted"}),
        &json!({"strategy": "defaulted"}),
        "@@ -3,5 +3,4 @@\n metadata:\n   name: shop-general\n   namespace: default\n-spec:\n-  replicas: 2\n+spec: {}\n",
    );
    // Items of lists are compared one by one while they are as many, whole otherwise.
    check(
        &json!({"list": [{"a": 1}]}),
        &json!({"list": [{"a": 2, "theirs": true}]}),
        &json!({"list": [{"a": 1, "theirs": true}]}),
        "@@ -5,4 +5,4 @@\n   namespace: default\n spec:\n   list:\n-  - a: 2\n+  - a: 1\n",
    );
    check(
        &json!({"list": [1]}),
        &json!({"list": [1, 2]}),
        &json!({"list": [1]}),
        "@@ -6,4 +6,3 @@\n spec:\n   list:\n   - 1\n-  - 2\n",
    );
}

#[test]
fn an_object_comes_and_goes_whole() {
    let new = added(&name(), &object(&json!({"replicas": 1}))).unwrap();
    assert_eq!(new.change, Effect::Add);
    assert!(
        new.diff.starts_with("@@ -0,0 +1,7 @@\n+apiVersion: ") && new.diff.ends_with("+  replicas: 1\n"),
        "{}",
        new.diff
    );
    let old = removed(&name(), &stored(&json!({"replicas": 1}), 1)).unwrap();
    assert!(old.diff.lines().skip(1).all(|line| line.starts_with('-')), "{}", old.diff);
    assert!(!old.diff.contains("managedFields") && !old.diff.contains("status"), "{}", old.diff);
}

#[test]
fn only_guarded_objects_are_ours() {
    let mut live = object(&json!({}));
    assert!(!is_ours(&live));
    live["metadata"]["annotations"] = json!({"kustomize.toolkit.fluxcd.io/prune": "disabled"});
    assert!(!is_ours(&live));
    live["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Prune=false,Delete=false");
    assert!(is_ours(&live));
}

#[test]
fn the_dry_run_is_in_the_name_of_who_applied() {
    let entry = |manager: &str, operation: &str, label: &str| json!({"manager": manager, "operation": operation, "fieldsV1": {"f:metadata": {"f:labels": {label: {}}}}});
    let label = format!("f:{CLUSTER_LABEL}");
    let live = |entries: Vec<Value>| json!({"metadata": {"managedFields": entries}});
    let by = |entries: Vec<Value>| manager(Some(&live(entries)), "ferrofleet");
    assert_eq!(manager(None, "ferrofleet"), "ferrofleet");
    assert_eq!(by(vec![entry("capi", "Update", &label), entry("x", "Apply", "f:other")]), "ferrofleet");
    assert_eq!(by(vec![entry("kubectl", "Apply", &label)]), "kubectl");
    assert_eq!(by(vec![entry("kubectl", "Apply", &label), entry("ferrofleet", "Apply", &label)]), "ferrofleet");
}

#[test]
fn a_diff_has_a_title_and_does_nothing_to_a_terminal() {
    let mut rendered = object(&json!({"note": "a\u{1b}[2Jb"}));
    rendered["metadata"]["namespace"] = Value::Null;
    let text = added(&Name::of(&rendered).unwrap(), &rendered).unwrap().text();
    let text = anstream::adapter::strip_str(&text).to_string();
    let title = "cluster.x-k8s.io/v1beta2 MachineDeployment shop-general";
    assert!(text.starts_with(&format!("--- {title} (nothing)\n+++ {title} (rendered)\n@@ ")), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}
