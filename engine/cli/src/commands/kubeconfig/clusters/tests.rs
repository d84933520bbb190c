use super::*;
use serde_json::json;

fn known(id: &str, more: Value) -> Known {
    let (namespace, name) = id.split_once('/').unwrap();
    Known { namespace: namespace.to_owned(), name: name.to_owned(), object: more }
}

#[test]
fn a_cluster_is_written_in_three_ways() {
    let asked = |text: &str, namespace| Asked::parse(text, namespace);
    let of = |namespace: Option<&str>, name: &str| {
        Ok::<_, String>(Asked { namespace: namespace.map(str::to_owned), name: name.to_owned() })
    };
    let plain = |asked: Result<Asked, Usage>| asked.map_err(|usage| usage.to_string());
    assert_eq!(plain(asked("shop", None)), of(None, "shop"));
    assert_eq!(plain(asked("shop", Some("a"))), of(Some("a"), "shop"));
    assert_eq!(plain(asked("a/shop", None)), of(Some("a"), "shop"));
    assert_eq!(plain(asked("a.shop", Some("a"))), of(Some("a"), "shop"));
    for (text, namespace) in [("a.shop", Some("b")), ("", None), ("../shop", None), ("a/b/c", None), ("Shop", None)] {
        assert!(asked(text, namespace).is_err(), "{text}");
    }
}

#[test]
fn one_of_all_or_what_was_meant() {
    let all = [known("a/shop", json!({})), known("b/shop", json!({})), known("a/billing", json!({}))];
    let ask = |text: &str| {
        let found = Asked::parse(text, None).unwrap().among(&all);
        found.map(|found| format!("{}/{}", found.namespace, found.name)).map_err(|e| format!("{e}; {}", e.hint()))
    };
    assert_eq!(ask("billing"), Ok("a/billing".to_owned()));
    assert_eq!(ask("b.shop"), Ok("b/shop".to_owned()));
    assert_eq!(ask("shop"), Err("several clusters are named shop; take one of a/shop, b/shop".to_owned()));
    assert_eq!(ask("bilings"), Err("there is no cluster bilings; did you mean a/billing?".to_owned()));
    assert_eq!(ask("c/billing"), Err("there is no cluster billing in namespace c; did you mean a/billing?".to_owned()));
    let none = Asked::parse("x", None).unwrap().among(&[]).unwrap_err();
    assert_eq!(none.hint(), "there are no clusters in this management cluster");
}

#[test]
fn what_is_waited_for() {
    let condition = json!([{"type": "InfrastructureReady", "status": "False", "message": "no address left"}]);
    let provisioned = json!({"initialization": {"infrastructureProvisioned": true}});
    let endpoint = json!({"host": "198.18.0.1", "port": 443});
    let cases = [
        (json!({"metadata": {"deletionTimestamp": "x"}}), "is being deleted"),
        (json!({"spec": {"paused": true}}), "is paused"),
        (json!({"status": {"conditions": condition}}), "waits for the infrastructure (no address left)"),
        (json!({"status": provisioned}), "waits for a control plane endpoint"),
        (json!({"status": provisioned, "spec": {"controlPlaneEndpoint": endpoint}}), "names no control plane"),
        (
            json!({"status": provisioned, "spec": {"controlPlaneEndpoint": endpoint, "controlPlaneRef": {"name": "a"}}}),
            "waits for its control plane provider",
        ),
        // As Cluster API before 1.11 says it.
        (json!({"status": {"infrastructureReady": true}}), "waits for a control plane endpoint"),
    ];
    for (object, expected) in cases {
        let said = known("a/shop", object.clone()).waits_for();
        assert!(said.contains(expected), "{said}: {object}");
    }
}
