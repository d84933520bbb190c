//! Addresses: the next one, given ones, scopes, freeing, finding.

use super::{Api, OTHER, PROJECT};
use serde_json::{Value, json};

fn allocate(api: &Api, more: &Value) -> Value {
    let mut body = json!({"networkid": "internet", "projectid": PROJECT});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, ip) = api.call("POST", "/v1/ip/allocate", Some(&body));
    assert_eq!(status, 201, "{ip}");
    ip
}

#[test]
fn the_lowest_free_address_of_the_family() {
    let api = Api::new();
    let ip = allocate(&api, &json!({"tags": ["b", "a", "b"], "name": "vip"}));
    assert_eq!(ip["ipaddress"], "203.0.113.129");
    assert_eq!((&ip["type"], &ip["tags"]), (&json!("ephemeral"), &json!(["a", "b"])));
    assert_eq!(allocate(&api, &json!({"addressfamily": "IPv6"}))["ipaddress"], "2001:db8:0:113::1");
    api.delete("/v1/ip/free/203.0.113.129");
    let again = allocate(&api, &json!({"type": "static", "machineid": "m"}));
    assert_eq!(again["ipaddress"], "203.0.113.129");
    assert_ne!(again["allocationuuid"], ip["allocationuuid"]);
    assert_eq!((&again["type"], &again["tags"]), (&json!("static"), &json!(["machine.metal-stack.io/id=m"])));
}

#[test]
fn allocation_is_refused_in_the_order_of_the_checks() {
    let api = Api::new();
    let refused = |more: Value, path: &str| {
        let mut body = json!({"networkid": "internet", "projectid": PROJECT});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        api.refused("POST", path, Some(&body))
    };
    let next = |more: Value| refused(more, "/v1/ip/allocate");
    assert_eq!(next(json!({"networkid": "", "projectid": ""})), (400, "networkid should not be empty".into()));
    assert_eq!(next(json!({"projectid": null})), (400, "projectid should not be empty".into()));
    assert_eq!(next(json!({"networkid": "x"})), (404, "NotFound no network with id \"x\" found".into()));
    assert_eq!(next(json!({"addressfamily": "IPv5"})).0, 422);
    let (status, text) = next(json!({"networkid": "tiny", "addressfamily": "IPv6"}));
    assert!(status == 400 && text.starts_with("there is no prefix for the given addressfamily:IPv6"), "{text}");
    assert_eq!(next(json!({"projectid": "x"})).0, 404);
    let foreign = api.network("IPv4");
    let (status, text) = next(json!({"networkid": foreign["id"], "projectid": OTHER}));
    assert_eq!(status, 422);
    assert_eq!(
        text,
        format!(
            "can not allocate ip for project {OTHER:?} because network belongs to {PROJECT:?} and the network is not shared"
        )
    );
    assert_eq!(
        api.call("POST", "/v1/ip/allocate", Some(&json!({"networkid": "storage", "projectid": PROJECT}))).0,
        201
    );
    let (status, text) = next(json!({"networkid": "super"}));
    assert!(status == 422 && text.contains("has childprefixes, acquire ip not possible"), "{text}");

    let given = |ip: &str| refused(json!({}), &format!("/v1/ip/allocate/{ip}"));
    let outside = (422, "specific ip not contained in any of the defined prefixes".to_owned());
    assert_eq!(given("192.0.2.1"), outside);
    assert_eq!(given("x"), outside);
    for taken in ["203.0.113.142", "203.0.113.128", "203.0.113.255"] {
        assert_eq!(given(taken), (409, "Conflict ip already allocated".into()));
    }
    assert_eq!(refused(json!({"addressfamily": "IPv4"}), "/v1/ip/allocate/203.0.113.150").0, 400);
}

#[test]
fn an_exhausted_network_is_an_internal_error() {
    let api = Api::new();
    let tiny = json!({"networkid": "tiny"});
    allocate(&api, &tiny);
    allocate(&api, &tiny);
    assert_eq!(
        api.refused("POST", "/v1/ip/allocate", Some(&json!({"networkid": "tiny", "projectid": PROJECT}))),
        (500, "Internal cannot allocate free ip in ipam, no ips left".into())
    );
}

#[test]
fn paths_take_ipv6_raw_and_encoded() {
    let api = Api::new();
    let body = json!({"networkid": "internet", "projectid": PROJECT});
    assert_eq!(api.post("/v1/ip/allocate/2001:db8:0:113::77", &body)["ipaddress"], "2001:db8:0:113::77");
    assert_eq!(api.get("/v1/ip/2001%3Adb8%3A0%3a113%3A%3A77")["networkid"], "internet");
    api.delete("/v1/ip/free/2001:db8:0:113::77");
    assert_eq!(api.refused("DELETE", "/v1/ip/free/2001:db8:0:113::77", None).0, 404);
}

#[test]
fn updates_promote_and_keep_what_is_null() {
    let api = Api::new();
    allocate(&api, &json!({"tags": ["a"], "name": "n", "description": "d"}));
    let update = |more: Value| {
        let mut body = json!({"ipaddress": "203.0.113.129"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let post = |more: Value| api.post("/v1/ip", &update(more));
    let changed = post(json!({"type": "static", "tags": null, "name": null}));
    assert_eq!((&changed["type"], &changed["tags"], &changed["name"]), (&json!("static"), &json!(["a"]), &json!("n")));
    assert_eq!(post(json!({"tags": ["z", "y", "z"]}))["tags"], json!(["y", "z"]));
    assert_eq!(post(json!({"tags": []}))["tags"], json!([]));
    assert_eq!(
        api.refused("POST", "/v1/ip", Some(&update(json!({"type": "ephemeral"})))),
        (400, "cannot change type of ip address from static to ephemeral".into())
    );
    assert_eq!(api.refused("POST", "/v1/ip", Some(&json!({"ipaddress": "1.1.1.1"}))).0, 404);
}

#[test]
fn a_machines_address_is_not_freed_by_hand_until_it_is_detached() {
    let api = Api::new();
    allocate(&api, &json!({"machineid": "m", "type": "static"}));
    let free = "/v1/ip/free/203.0.113.129";
    assert_eq!(api.refused("DELETE", free, None), (400, "ip with machine scope can not be deleted".into()));
    api.post("/v1/ip", &json!({"ipaddress": "203.0.113.129", "tags": []}));
    assert_eq!(api.delete(free)["type"], "static", "static is no protection");
}

#[test]
fn find_filters_are_anded_equality() {
    let api = Api::new();
    allocate(&api, &json!({"tags": ["k=v", "purpose=vip"], "name": "n"}));
    allocate(&api, &json!({"tags": ["k=v"], "addressfamily": "IPv6", "machineid": "m"}));
    let find = |body: Value| {
        let found = api.post("/v1/ip/find", &body);
        let mut ips: Vec<String> =
            found.as_array().unwrap().iter().map(|ip| ip["ipaddress"].as_str().unwrap().to_owned()).collect();
        ips.sort();
        ips
    };
    assert_eq!(find(json!({"tags": ["k=v"]})), ["2001:db8:0:113::1", "203.0.113.129"]);
    assert_eq!(find(json!({"tags": ["k=v", "purpose=vip"]})), ["203.0.113.129"]);
    assert_eq!(find(json!({"tags": ["k"]})), [""; 0]);
    assert_eq!(find(json!({"projectid": OTHER})), ["203.0.113.142"]);
    assert_eq!(find(json!({"machineid": "m"})), ["2001:db8:0:113::1"]);
    assert_eq!(find(json!({"networkid": "internet", "addressfamily": "IPv4", "type": "static"})), ["203.0.113.142"]);
    assert_eq!(find(json!({"networkprefix": "203.0.113.128/25", "name": "n"})), ["203.0.113.129"]);
    assert_eq!(find(json!({"ipaddress": "203.0.113.142"})), ["203.0.113.142"]);
    assert_eq!(find(json!({})).len(), 3);
}
