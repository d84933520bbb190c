//! HTTP as metal-api speaks it: roles, guests, media types, unknown paths, odd bodies.

use super::{Api, PROJECT, message, request, send};
use serde_json::{Value, json};

#[test]
fn both_base_paths_and_a_trailing_slash_answer() {
    let api = Api::new();
    for path in ["/v1/version", "/metal/v1/version", "/metal/v1/version/"] {
        assert_eq!(api.get(path)["name"], "metal-api");
    }
}

#[test]
fn an_error_is_a_string_that_contains_json() {
    let (status, body) = Api::new().call("GET", "/v1/ip/1.2.3.4", None);
    assert_eq!(status, 404);
    assert_eq!(body, r#"{"statuscode":404,"message":"NotFound no ip with id \"1.2.3.4\" found"}"#);
}

#[test]
fn unknown_paths_and_verbs() {
    let api = Api::new();
    assert_eq!(api.refused("GET", "/v1/nothing", None), (404, "404: Page Not Found".into()));
    assert_eq!(api.refused("GET", "/v2/version", None), (404, "404: Page Not Found".into()));
    assert_eq!(api.refused("DELETE", "/v1/version", None), (405, "405: Method Not Allowed".into()));
    assert_eq!(api.refused("GET", "/v1/network/find", None).0, 405, "a static segment beats {{id}}");
}

#[test]
fn a_post_names_json_and_whoever_asks_accepts_it() {
    let api = Api::new();
    let mut power = request("Metal-Edit", "POST", &format!("/v1/machine/{}/power/on", super::RESERVED), None);
    let refused = |request: &_| {
        let (status, body) = send(&api.sim, request);
        (status, message(status, &body))
    };
    assert_eq!(refused(&power), (415, "415: Unsupported Media Type".into()));
    power.content_type = Some("application/json; charset=utf-8".into());
    for body in ["", "[]", "{}", "null"] {
        power.body = body.into();
        assert_eq!(send(&api.sim, &power).0, 200, "{body}");
    }
    power.accept = Some("text/html".into());
    assert_eq!(refused(&power).0, 406);
    power.accept = Some("text/html, */*;q=0.1".into());
    assert_eq!(send(&api.sim, &power).0, 200);
}

#[test]
fn null_is_absent_and_unknown_fields_are_ignored() {
    let api = Api::new();
    let find = json!({"id": null, "tags": null, "network_ids": null, "hardware_memory": null, "something": 1});
    assert_eq!(api.post("/v1/machine/find", &find).as_array().unwrap().len(), 9);
    assert_eq!(api.post("/v1/machine/find", &json!([])).as_array().unwrap().len(), 9);
    let allocate = json!({
        "projectid": PROJECT, "partitionid": "mini-lab", "labels": null, "length": null, "destinationprefixes": null,
        "shared": null, "nat": null, "name": null,
    });
    assert_eq!(api.post("/v1/network/allocate", &allocate)["labels"], json!({}));
    assert_eq!(api.refused("POST", "/v1/machine/find", Some(&json!({"tags": "a"}))).0, 400);
}

#[test]
fn guests_get_a_bare_string() {
    let api = Api::new();
    let mut guest = request("Metal-View", "GET", "/metal/v1/network", None);
    guest.authorization = None;
    assert_eq!(send(&api.sim, &guest), (403, Value::from("tenant  not allowed")));
    guest.path = "/metal/v1/nothing".into();
    assert_eq!(send(&api.sim, &guest).0, 403, "before it is known whether there is such a path");
    for open in ["/metal/v1/health", "/v1/version"] {
        guest.path = open.into();
        assert_eq!(send(&api.sim, &guest).0, 200);
    }
    guest.authorization = Some("Metal-View 00".into());
    let (status, body) = send(&api.sim, &guest);
    assert_eq!((status, message(status, &body).as_str()), (403, "Wrong HMAC found"), "a wrong one even there");
}

#[test]
fn roles_are_checked_per_route() {
    let api = Api::new();
    let (view, edit) = (api.as_user("Metal-View"), api.as_user("Metal-Edit"));
    let network = json!({"projectid": PROJECT, "partitionid": "mini-lab"});
    let (status, text) = view.refused("POST", "/v1/network/allocate", Some(&network));
    assert_eq!(status, 403);
    assert!(text.starts_with("you are not member in one of"), "{text}");
    assert_eq!(edit.call("POST", "/v1/network/allocate", Some(&network)).0, 201);
    for (method, path) in [("PUT", "/v1/network"), ("POST", "/v1/network"), ("POST", "/v1/machine")] {
        assert_eq!(edit.refused(method, path, Some(&json!({}))).0, 403, "{method} {path}");
    }
    assert_eq!(view.call("GET", "/v1/machine", None).0, 200);
    assert_eq!(view.get("/v1/user/me")["EMail"], "metal-view@metal-stack.io");
}

#[test]
fn empty_lists_of_some_routes_are_null() {
    let api = Api::new();
    assert_eq!(api.post("/v1/project/find", &json!({"name": "none"})), Value::Null);
    assert_eq!(api.post("/v1/machine/issues/evaluate", &json!({})), Value::Null);
    assert_eq!(api.post("/v1/network/find", &json!({"name": "none"})), json!([]));
    assert_eq!(api.post("/v1/ip/find", &json!({"name": "none"})), json!([]));
    assert_eq!(api.post("/v1/machine/find", &json!({"allocation_name": "none"})), json!([]));
}

#[test]
fn calls_are_logged_with_what_they_did() {
    let api = Api::new();
    let network = api.network("IPv4");
    api.get("/metal/v1/version");
    let logged: Vec<_> =
        api.sim.calls().into_iter().map(|call| (call.n, call.path, call.status, call.effect)).collect();
    let created = format!("created network {}", network["id"].as_str().unwrap());
    assert_eq!(
        logged,
        [(1, "/v1/network/allocate".into(), 201, Some(created)), (2, "/metal/v1/version".into(), 200, None),]
    );
    api.sim.forget_calls();
    api.get("/v1/version");
    assert_eq!(api.sim.calls()[0].n, 3, "numbers go on");
    assert_eq!(api.sim.calls_after(3), []);
}

#[test]
fn arrays_come_in_no_order() {
    let api = Api::new();
    let order = || {
        let machines = api.get("/v1/machine");
        machines.as_array().unwrap().iter().map(|machine| machine["id"].to_string()).collect::<Vec<_>>()
    };
    assert_ne!(order(), order());
}
