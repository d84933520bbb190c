//! Objects survive being read and written: nothing that anybody wrote is lost in the types.

use super::sample::sample;
use super::{capms, documents, ours, root, schema_of, shared, yaml_files};
use crate::api::{
    MetalStackCluster, MetalStackClusterTemplate, MetalStackFirewallDeployment, MetalStackFirewallTemplate,
    MetalStackMachine, MetalStackMachineTemplate,
};
use kube::core::DeserializeGuard;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Through the type of its kind; `None` for the kinds of others.
fn through_type(object: &Value) -> Option<Value> {
    fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Option<Value> {
        let typed: T = serde_json::from_value(object.clone()).unwrap_or_else(|e| panic!("{e}: {object}"));
        Some(serde_json::to_value(typed).unwrap())
    }
    match object["kind"].as_str()? {
        "MetalStackCluster" => through::<MetalStackCluster>(object),
        "MetalStackClusterTemplate" => through::<MetalStackClusterTemplate>(object),
        "MetalStackMachine" => through::<MetalStackMachine>(object),
        "MetalStackMachineTemplate" => through::<MetalStackMachineTemplate>(object),
        "MetalStackFirewallDeployment" => through::<MetalStackFirewallDeployment>(object),
        "MetalStackFirewallTemplate" => through::<MetalStackFirewallTemplate>(object),
        _ => None,
    }
}

/// How many objects of each kind went through.
fn all_through(objects: Vec<Value>) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for object in objects {
        if let Some(written) = through_type(&object) {
            assert_eq!(written, without_nulls(object.clone()));
            *count.entry(object["kind"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    count
}

/// The API server drops a null where the schema does not call for one.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            object.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect()
        }
        Value::Array(list) => list.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn expected(kinds: [(&str, usize); 4]) -> BTreeMap<String, usize> {
    kinds.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect()
}

#[test]
fn what_the_engine_renders() {
    let files = yaml_files(&root().join("fleet-example/rendered"));
    let objects = files.iter().flat_map(|path| documents(&std::fs::read_to_string(path).unwrap())).collect();
    let count = all_through(objects);
    // Three clusters, two of them with one pool and a control plane each and the like: none may be overlooked.
    assert_eq!(count["MetalStackCluster"], 3, "{count:?}");
    assert_eq!(count["MetalStackFirewallDeployment"], 3, "{count:?}");
    assert_eq!(count["MetalStackFirewallTemplate"], 3, "{count:?}");
    assert!(count["MetalStackMachineTemplate"] >= 6, "{count:?}");
}

#[test]
fn what_clusterctl_generates_for_capms() {
    let Some(dir) = shared("capms-templates") else { return };
    let files = yaml_files(&dir);
    let texts = files.iter().map(|path| std::fs::read_to_string(path).unwrap());
    let count = all_through(texts.flat_map(|text| documents(&filled(&text))).collect());
    let kinds = [
        ("MetalStackCluster", 5),
        ("MetalStackFirewallDeployment", 5),
        ("MetalStackFirewallTemplate", 5),
        ("MetalStackMachineTemplate", 9),
    ];
    assert_eq!(count, expected(kinds));
}

/// With each variable's default, or some value.
fn filled(template: &str) -> String {
    let mut parts = template.split("${");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap();
        text.push_str(match variable.split_once(":=") {
            Some((_, default)) => default,
            None if variable.ends_with("NETWORKS") => r#"["internet"]"#,
            None => "some-value",
        });
        text.push_str(rest);
    }
    text
}

fn object(crd: &Value) -> Value {
    let mut object = sample(schema_of(crd));
    object["apiVersion"] = json!("infrastructure.cluster.x-k8s.io/v1alpha1");
    object["kind"] = crd["spec"]["names"]["kind"].clone();
    object["metadata"] = json!({"name": "x"});
    object
}

/// Every field of theirs, by its name and type.
#[test]
fn an_object_with_every_field_of_capms() {
    let Some(capms) = capms() else { return };
    let mut objects: Vec<_> = capms.iter().map(object).collect();
    for template in objects.iter_mut().filter(|object| object["kind"] == "MetalStackMachineTemplate") {
        assert!(template["spec"]["template"]["status"]["addresses"].is_array(), "{template}");
    }
    assert_eq!(all_through(objects).len(), 5);
}

#[test]
fn an_object_with_every_field_of_ours() {
    let objects: Vec<_> = ours().iter().map(object).collect();
    assert_eq!(objects.len(), 6);
    assert_eq!(all_through(objects).len(), 6);
}

/// CAPMS serialises an empty providerID; an empty one is no server, but it is what stands there.
#[test]
fn an_empty_provider_id_stays() {
    let spec = json!({"providerID": "", "image": "ubuntu-24.04", "size": "n1-medium-x86"});
    let machine = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
        "kind": "MetalStackMachine",
        "metadata": {"name": "a"},
        "spec": spec,
    });
    assert_eq!(through_type(&machine), Some(machine));
}

#[test]
fn an_object_without_a_spec_does_not_hide_the_others() {
    let bare = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
        "kind": "MetalStackMachine",
        "metadata": {"name": "bare", "finalizers": ["metal-stack.infrastructure.cluster.x-k8s.io/machine"]},
    });
    let read: DeserializeGuard<MetalStackMachine> = serde_json::from_value(bare).unwrap();
    let unread = read.0.unwrap_err();
    assert_eq!(unread.metadata.name.as_deref(), Some("bare"));
    assert_eq!(unread.metadata.finalizers.map_or(0, |finalizers| finalizers.len()), 1);
}
