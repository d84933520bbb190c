//! Networks: allocation in its order of checks, freeing, administration, finding.

use super::{Api, OTHER, PROJECT, strings};
use serde_json::{Value, json};

fn ids(found: &Value) -> Vec<String> {
    let mut ids: Vec<String> =
        found.as_array().unwrap().iter().map(|network| network["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn a_child_is_dual_stack_unless_a_family_is_asked_for() {
    let api = Api::new();
    let dual = api.post("/v1/network/allocate", &json!({"projectid": PROJECT, "partitionid": "mini-lab", "name": "n"}));
    // The first of each was given to the shared storage network.
    assert_eq!(strings(&dual["prefixes"]), ["10.0.4.0/22", "2001:db8:0:10:0:1::/96"]);
    assert_eq!((&dual["networktype"], &dual["parentnetworkid"]), (&json!("child"), &json!("super")));
    assert_eq!(dual["defaultchildprefixlength"], Value::Null);
    assert_eq!(dual["usage"]["used_ips"], 2);
    assert_eq!(dual["consumption"]["ipv6"]["used_ips"], 1);
    let v4 = api.network("ipv4");
    assert_eq!(strings(&v4["prefixes"]), ["10.0.8.0/22"]);
    assert_eq!(v4["consumption"]["ipv6"], Value::Null);
    assert_ne!(dual["vrf"], v4["vrf"]);
}

#[test]
fn allocation_is_refused_in_the_order_of_the_checks() {
    let api = Api::new();
    let refused = |body: Value| api.refused("POST", "/v1/network/allocate", Some(&body));
    assert_eq!(refused(json!({})), (400, "projectid should not be empty".into()));
    assert_eq!(refused(json!({"projectid": "x"})), (400, "partitionid should not be empty".into()));
    assert_eq!(refused(json!({"projectid": "x", "partitionid": "y"})).0, 404);
    let with = |more: Value| {
        let mut body = json!({"projectid": PROJECT, "partitionid": "mini-lab"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refused(body)
    };
    assert_eq!(with(json!({"partitionid": "y"})), (404, "NotFound no partition with id \"y\" found".into()));
    assert_eq!(with(json!({"destinationprefixes": ["x"]})).0, 400);
    assert_eq!(with(json!({"addressfamily": "IPv5"})).0, 400);
    assert_eq!(with(json!({"partitionid": "mini-lab-2", "addressfamily": "IPv6"})).0, 400);
    assert_eq!(with(json!({"length": {"ipx": 24}})).0, 400);
    let (status, text) = with(json!({"addressfamily": "IPv4", "length": {"IPv4": 16}}));
    assert_eq!(status, 422);
    assert!(text.starts_with("cannot allocate free child prefix in ipam: invalid_argument: "), "{text}");
}

#[test]
fn an_exhausted_super_network_is_unprocessable() {
    let api = Api::new();
    let body = json!({"projectid": PROJECT, "partitionid": "mini-lab-2"});
    for _ in 0..4 {
        api.post("/v1/network/allocate", &body);
    }
    let (status, text) = api.refused("POST", "/v1/network/allocate", Some(&body));
    assert_eq!(status, 422);
    assert!(text.contains("no prefix found"), "{text}");
}

#[test]
fn a_partition_without_super_network_has_none_to_give() {
    let mut landscape = crate::Landscape::parse(super::SMALL, "small.yaml").unwrap();
    landscape.networks.retain(|network| network.id != "super-2");
    let api = Api::of(&landscape);
    let body = json!({"projectid": PROJECT, "partitionid": "mini-lab-2"});
    assert_eq!(api.refused("POST", "/v1/network/allocate", Some(&body)), (404, "NotFound no network found".into()));
}

#[test]
fn a_network_with_addresses_is_not_freed() {
    let api = Api::new();
    let network = api.network("IPv4");
    let path = format!("/v1/network/free/{}", network["id"].as_str().unwrap());
    let ip = api.post("/v1/ip/allocate", &json!({"networkid": network["id"], "projectid": PROJECT}));
    let (status, text) = api.refused("DELETE", &path, None);
    assert_eq!(status, 422);
    assert!(text.contains("prefix 10.0.4.0/22 has ips, deletion not possible"), "{text}");
    api.delete(&format!("/v1/ip/free/{}", ip["ipaddress"].as_str().unwrap()));
    let freed = api.delete(&path);
    assert_eq!(freed["usage"], json!({"available_ips": 0, "available_prefixes": 0, "used_ips": 0, "used_prefixes": 0}));
    assert_eq!(api.refused("DELETE", &path, None).0, 404);
    assert_eq!(strings(&api.network("IPv4")["prefixes"]), ["10.0.4.0/22"], "reused");
    assert_eq!(api.refused("DELETE", "/v1/network/free/internet", None).0, 422, "no child");
}

#[test]
fn administrators_create_change_and_delete() {
    let api = Api::new();
    let put = |body: Value| api.call("PUT", "/v1/network", Some(&body));
    let refused = |body: Value| api.refused("PUT", "/v1/network", Some(&body));
    assert_eq!(put(json!({"id": "mpls", "prefixes": ["100.64.0.0/24"], "nat": false})).0, 201);
    let (status, text) = refused(json!({"id": "mpls", "prefixes": ["100.64.1.0/24"]}));
    assert!(status == 409 && text.contains("entity already exists"), "{text}");
    assert_eq!(
        refused(json!({"prefixes": ["100.64.0.128/25"]})),
        (422, "100.64.0.128/25 overlaps 100.64.0.0/24".into())
    );
    let second = json!({"partitionid": "mini-lab", "privatesuper": true, "prefixes": ["10.9.0.0/16"]});
    assert_eq!(refused(second), (400, "partition with id \"mini-lab\" already has a private super network".into()));

    let update = |body: Value, query: &str| api.call("POST", &format!("/v1/network{query}"), Some(&body));
    let (_, changed) = update(json!({"id": "mpls", "labels": {"a": "b"}, "shared": true}), "");
    assert_eq!((&changed["labels"], &changed["shared"]), (&json!({"a": "b"}), &json!(true)));
    assert_eq!(update(json!({"id": "mpls", "shared": false}), "").0, 400, "never unshared");
    assert_eq!(update(json!({"id": "super", "name": "x"}), "").0, 400, "announceable ranges would go");
    let kept = json!({"id": "super", "name": "x", "additionalAnnouncableCIDRs": ["10.240.0.0/12"]});
    assert_eq!(update(kept, "").0, 200);
    let (status, forced) = update(json!({"id": "super"}), "?force=true");
    assert_eq!(status, 200);
    assert_eq!(forced.get("additionalAnnouncableCIDRs"), None);

    let (status, text) = api.refused("DELETE", "/v1/network/super", None);
    assert_eq!(status, 422);
    assert_eq!(text, "network cannot be deleted because there are children of this network");
    let (_, text) = api.refused("DELETE", "/v1/network/internet", None);
    assert!(
        text.starts_with("unable to delete network: prefix 203.0.113.128/25 has ip 203.0.113.142 in use"),
        "{text}"
    );
    api.delete("/v1/network/mpls");
    assert_eq!(api.refused("GET", "/v1/network/mpls", None).0, 404);
}

#[test]
fn find_filters_are_anded_equality() {
    let api = Api::new();
    let body = json!({"projectid": PROJECT, "partitionid": "mini-lab", "labels": {"cluster.metal-stack.io/id": "a.b"}});
    let network = api.post("/v1/network/allocate", &body);
    let id = network["id"].as_str().unwrap();
    let find = |body: Value| ids(&api.post("/v1/network/find", &body));
    assert_eq!(find(json!({"labels": {"cluster.metal-stack.io/id": "a.b"}})), [id]);
    assert_eq!(find(json!({"labels": {"network.metal-stack.io/default": ""}})), ["internet"]);
    assert_eq!(find(json!({"labels": {"network.metal-stack.io/default": "x"}})), [""; 0]);
    assert_eq!(find(json!({"projectid": PROJECT})), [id]);
    assert_eq!(find(json!({"projectid": OTHER})), ["storage"]);
    assert_eq!(find(json!({"parentnetworkid": "super", "addressfamily": "IPv6"})).len(), 2);
    assert_eq!(find(json!({"privatesuper": true, "partitionid": "mini-lab-2"})), ["super-2"]);
    assert_eq!(find(json!({"underlay": true})), ["underlay"]);
    assert_eq!(find(json!({"vrf": 104009})), ["internet"]);
    assert_eq!(find(json!({"destinationprefixes": ["0.0.0.0/0", "::/0"]})), ["internet"]);
    assert_eq!(find(json!({"id": "internet", "nat": false})), [""; 0]);
    // Address and length are looked up apart from each other.
    assert_eq!(find(json!({"prefixes": ["2001:db8:0:10::/16"]})), ["super"]);
    assert_eq!(api.refused("POST", "/v1/network/find", Some(&json!({"prefixes": ["x"]}))).0, 400);
}
