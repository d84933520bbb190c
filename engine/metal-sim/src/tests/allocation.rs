//! Allocation of machines and firewalls: every refusal with its status and words, networks, tags, placement.

use super::{Api, LOCKED, ODD, OTHER, PROJECT, RESERVED, SMALL, strings};
use crate::{Landscape, ReservationSpec};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@example.com";

#[track_caller]
fn machine_refused(api: &Api, more: &Value, status: u16, text: &str) {
    let network = api.network("IPv4");
    let (found, message) = api.refused("POST", "/v1/machine/allocate", Some(&Api::machine_request(&network, more)));
    assert!(found == status && message.starts_with(text), "{found} {message}");
}

#[track_caller]
fn networks_refused(api: &Api, route: &str, more: &Value, status: u16, text: &str) {
    let image = if route == "firewall" { "firewall-ubuntu-3.0" } else { "ubuntu-24.4" };
    let mut body = Api::machine_request(&json!({}), &json!({"imageid": image}));
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (found, message) = api.refused("POST", &format!("/v1/{route}/allocate"), Some(&body));
    assert!(found == status && message.contains(text), "{found} {message}");
}

#[test]
fn requests_are_refused_in_the_order_of_the_checks() {
    let api = Api::new();
    let check = |more: Value, status, text: &str| machine_refused(&api, &more, status, text);
    check(json!({"networks": null}), 400, "network ids cannot be nil");
    check(json!({"networks": []}), 400, "network ids cannot be empty");
    check(json!({"imageid": "ubuntu-99.1"}), 400, "NotFound no image for id:ubuntu-99.1 found:");
    check(
        json!({"imageid": "firewall-ubuntu-3.0"}),
        400,
        "given image is not usable for a machine, features: firewall",
    );
    check(json!({"partitionid": null}), 400, "when no machine id is given, a partition id must be specified");
    check(json!({"sizeid": ""}), 400, "when no machine id is given, a size id must be specified");
    check(json!({"uuid": "00000000-0000-0000-0000-0000000000ff"}), 400, "");
    check(json!({"sizeid": "x"}), 400, "size:x not found err:NotFound");
    check(json!({"partitionid": "x"}), 400, "partition:x not found err:NotFound");
    check(json!({"dns_servers": [{"ip": "x"}]}), 400, "");
    check(
        json!({"dns_servers": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.2"}, {"ip": "1.1.1.3"}, {"ip": "1.1.1.4"}]}),
        400,
        "",
    );
    check(json!({"ntp_servers": [{"address": "not a name"}]}), 400, "");
    check(json!({"projectid": ""}), 422, "project id must be specified");
    check(json!({"ssh_pub_keys": ["ssh-ed25519 x"]}), 422, "invalid public SSH key: ssh-ed25519 x");
    check(json!({"ips": ["x"]}), 422, "");
    check(json!({"projectid": "x"}), 404, "NotFound no project with id");
    check(
        json!({"imageid": "alpine-3.20.1"}),
        422,
        "could not find a matching filesystemLayout for size:v1-small-x86 and image:alpine-3.20.1",
    );
    check(json!({"filesystemlayoutid": "x"}), 404, "NotFound");
    check(json!({"partitionid": "mini-lab-2"}), 422, "no machine available");
    check(json!({"sizeid": "v1-odd-x86"}), 422, "unable to check for fsl match:");
    check(json!({"uuid": ODD}), 422, "unable to check for fsl match:");
}

#[test]
fn networks_are_refused_with_their_reason() {
    let api = Api::new();
    let (network, second) = (api.network("IPv4"), api.network("IPv4"));
    let (a, b) = (&network["id"], &second["id"]);
    let net = |ids: &[&Value]| json!({"networks": ids.iter().map(|id| json!({"networkid": id})).collect::<Vec<_>>()});
    let check = |more: Value, status, text: &str| {
        networks_refused(&api, "machine", &more, status, &format!("unable to gather networks:{text}"))
    };
    check(net(&[a, a]), 422, "given network ids are not unique");
    check(net(&[&json!("x")]), 404, "NotFound no network with id \"x\" found");
    check(net(&[&json!("underlay")]), 422, "underlay networks are not allowed");
    check(net(&[&json!("super")]), 422, "private super networks are not allowed");
    check(net(&[&json!("internet")]), 422, "no private network given");
    check(
        net(&[a, b]),
        422,
        "multiple private networks are specified but there must be only one primary private network that must not be shared",
    );
    check(net(&[a, &json!("storage")]), 422, "machines are not allowed to be placed into multiple private networks");
    let mut foreign = net(&[a]);
    foreign["projectid"] = json!(OTHER);
    check(foreign, 422, "the given private network does not belong to the project, which is not allowed");
    check(json!({"networks": [{"networkid": a}], "ips": ["203.0.113.200"]}), 404, "NotFound no ip with id");
    check(
        json!({"networks": [{"networkid": a}], "ips": ["203.0.113.142"]}),
        422,
        "given ip 203.0.113.142 with project id",
    );
    let without = json!({"networks": [{"networkid": a, "autoacquire": false}]});
    networks_refused(&api, "machine", &without, 422, "missing ip(s) for network(s) without automatic ip allocation");
    networks_refused(&api, "firewall", &without, 422, "at least one auto acquire network must be specified");
    let two = api.post("/v1/network/allocate", &json!({"projectid": PROJECT, "partitionid": "mini-lab-2"}));
    check(net(&[&two["id"]]), 422, "private network");
    let ip = api.post("/v1/ip/allocate", &json!({"networkid": "internet", "projectid": PROJECT}));
    let given = json!({"networks": [{"networkid": a, "autoacquire": false}, {"networkid": "internet"}], "ips": [ip["ipaddress"]]});
    check(given, 422, "the private network");
}

#[test]
fn exhausted_networks_fail_and_what_was_taken_comes_back() {
    let api = Api::new();
    let network = api.network("IPv4");
    for _ in 0..2 {
        api.post("/v1/ip/allocate", &json!({"networkid": "tiny", "projectid": PROJECT}));
    }
    let body =
        Api::machine_request(&network, &json!({"networks": [{"networkid": network["id"]}, {"networkid": "tiny"}]}));
    let (status, text) = api.refused("POST", "/v1/machine/allocate", Some(&body));
    assert_eq!(status, 500);
    assert_eq!(text, "unable to make networks:Internal cannot allocate free ip in ipam, no ips left");
    let used = || api.get(&format!("/v1/network/{}", network["id"].as_str().unwrap()))["usage"]["used_ips"].clone();
    assert_eq!(used(), 3);
    api.seconds(1);
    assert_eq!(used(), 2);
    assert_eq!(api.post("/v1/machine/find", &json!({"allocation_project": PROJECT})), json!([]));
}

#[test]
fn an_allocation_is_complete_at_once() {
    let api = Api::new();
    let network = api.post("/v1/network/allocate", &json!({"projectid": PROJECT, "partitionid": "mini-lab"}));
    let body = Api::machine_request(
        &network,
        &json!({
            "name": "w1", "user_data": "aWdu", "ssh_pub_keys": [KEY], "description": "d",
            "networks": [{"networkid": network["id"], "autoacquire": null}, {"networkid": "internet"}],
        }),
    );
    let (status, machine) = api.as_user("Metal-Edit").call("POST", "/v1/machine/allocate", Some(&body));
    assert_eq!(status, 200);
    let allocation = &machine["allocation"];
    assert_eq!(allocation["image"]["id"], "ubuntu-24.4.20260701", "the resolved id");
    assert_eq!(
        (&allocation["hostname"], &allocation["creator"]),
        (&json!("metal"), &json!("metal-edit@metal-stack.io"))
    );
    assert_eq!((&allocation["succeeded"], &allocation["role"]), (&json!(false), &json!("machine")));
    assert_eq!(allocation["dns_servers"], json!([{"ip": "192.0.2.53"}]), "the partition's");
    assert_eq!(allocation["user_data"], "aWdu");
    let of = |kind: &str| {
        let networks = allocation["networks"].as_array().unwrap();
        networks.iter().find(|network| network["networktype"] == kind).unwrap().clone()
    };
    let (private, external) = (of("privateprimaryunshared"), of("external"));
    assert_eq!(strings(&private["ips"]), ["10.0.4.1", "2001:db8:0:10:0:1:0:1"], "one per family");
    assert_eq!(strings(&external["ips"]), ["2001:db8:0:113::1", "203.0.113.129"]);
    assert_eq!((&private["private"], &external["nattypev2"]), (&json!(true), &json!("ipv4-masq")));
    let asn = private["asn"].as_i64().unwrap();
    assert!(asn > 4_210_000_000 && external["asn"] == asn);
    let ip = api.get("/v1/ip/10.0.4.1");
    assert_eq!(
        (&ip["type"], &ip["name"], &ip["description"]),
        (&json!("ephemeral"), &json!("w1"), &json!("autoassigned"))
    );
    assert_eq!(ip["tags"], json!([format!("machine.metal-stack.io/id={}", machine["id"].as_str().unwrap())]));
}

#[test]
fn a_firewall_joins_the_underlay_and_shared_networks() {
    let api = Api::new();
    let network = api.network("IPv4");
    let rules =
        json!({"egress": [{"protocol": "UDP", "ports": [53], "to": ["0.0.0.0/0"], "comment": "dns"}], "ingress": null});
    let networks = json!([{"networkid": network["id"]}, {"networkid": "internet"}, {"networkid": "storage"}]);
    let firewall = api.firewall(&network, &json!({"firewall_rules": rules, "networks": networks}));
    let networks = firewall["allocation"]["networks"].as_array().unwrap().clone();
    let kinds: BTreeSet<&str> = networks.iter().map(|network| network["networktype"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["external", "privateprimaryunshared", "privatesecondaryshared", "underlay"]));
    assert_eq!(firewall["allocation"]["firewall_rules"]["egress"][0]["protocol"], "udp");
    let id = firewall["id"].as_str().unwrap();
    assert_eq!(api.get(&format!("/v1/firewall/{id}"))["id"], id);
    let machine = api.machine(&network, &json!({}));
    let path = format!("/v1/firewall/{}", machine["id"].as_str().unwrap());
    assert_eq!(api.refused("GET", &path, None), (404, "machine is not a firewall".into()));
    let find = |body: Value| api.post("/v1/firewall/find", &body).as_array().unwrap().len();
    assert_eq!((find(json!({})), find(json!({"allocation_role": "machine"}))), (1, 1), "the role is forced");
    let shared = json!({"networks": [{"networkid": "storage"}]});
    let alone = api.machine(&network, &shared);
    assert_eq!(alone["allocation"]["networks"][0]["networktype"], "privateprimaryshared");
}

#[test]
fn given_addresses_replace_automatic_ones_and_survive() {
    let api = Api::new();
    let network = api.network("IPv4");
    let vip = json!({"networkid": "internet", "projectid": PROJECT, "type": "static"});
    let ip = api.post("/v1/ip/allocate", &vip)["ipaddress"].clone();
    let networks = json!([{"networkid": network["id"]}, {"networkid": "internet", "autoacquire": false}]);
    let firewall = api.firewall(&network, &json!({"networks": networks, "ips": [ip]}));
    let id = firewall["id"].as_str().unwrap();
    let external =
        firewall["allocation"]["networks"].as_array().unwrap().iter().find(|n| n["networkid"] == "internet").unwrap();
    assert_eq!(external["ips"], json!([ip]));
    let path = format!("/v1/ip/{}", ip.as_str().unwrap());
    assert_eq!(api.get(&path)["tags"], json!([format!("machine.metal-stack.io/id={id}")]));
    api.delete(&format!("/v1/machine/{id}/free"));
    api.seconds(1);
    assert_eq!(api.get(&path)["tags"], json!([]), "static: it stays without the machine's tag");
}

#[test]
fn tags_keep_the_last_of_a_key_and_metal_apis_own_win() {
    let api = Api::new();
    let network = api.network("IPv4");
    let tags = ["plain", "k=1", "k=2", "machine.metal-stack.io/rack=mine"];
    let machine = api.machine(&network, &json!({"tags": tags}));
    let id = machine["id"].as_str().unwrap();
    let set = strings(&machine["tags"]);
    let asn = machine["allocation"]["networks"][0]["asn"].as_i64().unwrap();
    assert_eq!(set.len(), 5, "{set:?}");
    for tag in ["k=2", "plain", &format!("machine.metal-stack.io/network.primary.asn={asn}")] {
        assert!(set.iter().any(|found| found == tag), "{tag} in {set:?}");
    }
    assert!(set.contains(&format!("machine.metal-stack.io/rack={}", machine["rackid"].as_str().unwrap())));
    let find = |tags: Value| api.post("/v1/machine/find", &json!({"tags": tags})).as_array().unwrap().len();
    assert_eq!((find(json!(["k=2", "plain"])), find(json!(["k=1"]))), (1, 0));

    let update = |body: Value| strings(&api.post("/v1/machine", &body)["tags"]);
    assert_eq!(update(json!({"id": id, "tags": []})), set, "an empty list is ignored");
    let replaced = update(json!({"id": id, "tags": ["new=1"]}));
    assert!(replaced.len() == 4 && replaced.contains(&"new=1".to_owned()), "{replaced:?}");
    let free = api.post("/v1/machine/find", &json!({"state_value": "LOCKED"}))[0]["id"].clone();
    assert_eq!(
        api.refused("POST", "/v1/machine", Some(&json!({"id": free, "tags": ["a"]}))),
        (400, "only allocated machines can be updated".into())
    );
}

#[test]
fn reserved_and_locked_machines_are_only_given_by_name() {
    let api = Api::new();
    let network = api.network("IPv4");
    let given: BTreeSet<String> =
        (0..6).map(|_| api.machine(&network, &json!({}))["id"].as_str().unwrap().to_owned()).collect();
    assert!(given.len() == 6 && !given.contains(RESERVED) && !given.contains(LOCKED));
    machine_refused(&api, &json!({}), 422, "no machine available");
    assert_eq!(api.machine(&network, &json!({"uuid": RESERVED, "sizeid": "ignored"}))["id"], RESERVED);
    machine_refused(&api, &json!({"uuid": RESERVED}), 422, "machine is already allocated");
    let find = |value: &str| api.post("/v1/machine/find", &json!({"state_value": value})).as_array().unwrap().len();
    assert_eq!((find("TAINTED"), find("RESERVED"), find("LOCKED")), (1, 0, 1));
    let path = format!("/v1/machine/{LOCKED}/free");
    assert_eq!(api.refused("DELETE", &path, None), (422, "machine is locked".into()));
}

#[test]
fn machines_of_a_project_are_spread_over_racks() {
    let api = Api::new();
    let network = api.network("IPv4");
    for _ in 0..3 {
        let racks: BTreeSet<String> =
            (0..2).map(|_| api.machine(&network, &json!({}))["rackid"].as_str().unwrap().to_owned()).collect();
        assert_eq!(racks.len(), 2);
    }
}

#[test]
fn reservations_of_others_are_not_given_away() {
    let mut landscape = Landscape::parse(SMALL, "small.yaml").unwrap();
    landscape.reservations = vec![ReservationSpec {
        size: "v1-small-x86".into(),
        partitions: vec!["mini-lab".into()],
        project: OTHER.into(),
        amount: 4,
    }];
    let api = Api::of(&landscape);
    let network = api.network("IPv4");
    let capacity = |project: &str| {
        let body = json!({"id": "mini-lab", "sizeid": "v1-small-x86", "projectid": project});
        api.post("/v1/partition/capacity", &body)[0]["servers"][0].clone()
    };
    let before = capacity(PROJECT);
    assert_eq!((&before["total"], &before["allocatable"], &before["free"]), (&json!(8), &json!(6), &json!(2)));
    assert_eq!((&before["reservations"], &before["unavailable"]), (&json!(4), &json!(2)));
    assert_eq!(capacity(OTHER)["free"], 6);
    api.machine(&network, &json!({}));
    api.machine(&network, &json!({}));
    machine_refused(&api, &json!({}), 422, "no machine available");
    assert_eq!(capacity(PROJECT).get("free"), None, "zeros are left out");
    assert_eq!(api.refused("POST", "/v1/partition/capacity", Some(&json!({"id": "x"}))).0, 400);
}

#[test]
fn the_machine_quota_counts_firewalls() {
    let api = Api::new();
    let storage = json!({"id": "storage"});
    let project = json!({"projectid": OTHER});
    api.machine(&storage, &project);
    api.machine(&storage, &project);
    api.firewall(&storage, &project);
    let (status, text) = api.refused("POST", "/v1/machine/allocate", Some(&Api::machine_request(&storage, &project)));
    assert_eq!((status, text.as_str()), (422, "project quota for machines reached max:1"));
    let quotas = &api.get(&format!("/v1/project/{OTHER}"))["quotas"];
    assert_eq!((&quotas["machine"], &quotas["ip"]["used"]), (&json!({"quota": 1, "used": 3}), &json!(10)));
}
