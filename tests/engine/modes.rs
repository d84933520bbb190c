//! Who fills which slot, and with what, through the real binary.

mod asked;

use ferrofleet_tests::bed::{Bed, definition, folder};
use metal_sim::{Feature, ImageSpec, Landscape};
use serde_json::{Value, json};

const PROJECT: &str = "00000000-0000-0000-0000-000000000001";
const OTHER_PROJECT: &str = "00000000-0000-0000-0000-000000000002";
const SHOP: &str = "default.shop";
const SLOTS: [&str; 3] = ["network", "vip", "firewall"];
const INFRASTRUCTURE: &str = "rendered/mgmt/default/shop/infrastructure.yaml";

/// A definition with more lines in its spec.
fn with(name: &str, more: &str) -> String {
    let lines = more.lines().map(|line| format!("  {line}\n"));
    definition(name) + &lines.collect::<String>()
}

fn define(bed: &Bed, name: &str, text: &str) {
    bed.ada.pull().write(&format!("{}/cluster.yaml", folder(name)), text).push("A definition");
}

fn bed_with_shop(more: &str) -> Bed {
    let bed = Bed::new();
    define(&bed, "shop", &with("shop", more));
    bed
}

/// Pushes another text of a person's file.
fn change(bed: &Bed, path: &str, from: &str, to: &str) {
    let before = bed.ada.pull().read(path);
    assert!(before.contains(from), "{path}: {before}");
    bed.ada.write(path, &before.replace(from, to)).push("A change");
}

fn lock(bed: &Bed, name: &str) -> Value {
    serde_yaml::from_str(&bed.remote.read(&format!("{}/cluster.lock.yaml", folder(name)))).unwrap()
}

/// A resource as metal-api has it.
fn of_sim(bed: &Bed, kind: &str, key: &str, id: &Value) -> Value {
    let state = bed.sim.state();
    let found = state[kind].as_array().unwrap().iter().find(|r| r[key] == *id).cloned();
    found.unwrap_or_else(|| panic!("no {id} among {kind}"))
}

fn allocate_network(bed: &Bed, partition: &str, labels: &Value) -> String {
    let body = json!({"projectid": PROJECT, "partitionid": partition, "labels": labels, "addressfamily": "IPv4"});
    bed.post("/v1/network/allocate", &body)["id"].as_str().unwrap().to_owned()
}

fn allocate_ip(bed: &Bed, kind: &str, tags: &Value) -> String {
    let body =
        json!({"projectid": PROJECT, "networkid": "internet", "type": kind, "tags": tags, "addressfamily": "IPv4"});
    bed.post("/v1/ip/allocate", &body)["ipaddress"].as_str().unwrap().to_owned()
}

fn allocate_firewall(bed: &Bed, network: &str) -> String {
    let body = json!({
        "projectid": PROJECT, "partitionid": "muc-a", "sizeid": "n1-medium-x86", "imageid": "firewall-ubuntu-3.0",
        "networks": [{"networkid": "internet", "autoacquire": true}, {"networkid": network, "autoacquire": true}],
        "name": "by-hand", "hostname": "by-hand", "tags": [],
    });
    bed.post("/v1/firewall/allocate", &body)["id"].as_str().unwrap().to_owned()
}

/// Nothing was allocated, freed or committed.
#[track_caller]
fn assert_untouched(bed: &Bed, tip: &str) {
    assert_eq!(bed.writes(), Vec::<String>::new());
    assert_eq!(bed.remote.tip(), tip);
    assert_eq!(bed.remote.claims(), Vec::<String>::new());
}

/// Runs once more with nothing changed (I4).
#[track_caller]
fn assert_settled(bed: &Bed) {
    let tip = bed.remote.tip();
    bed.sim.forget_calls();
    let _ = bed.run_once().expect(0);
    assert_untouched(bed, &tip);
}

#[test]
fn r17_an_egress_address_is_allocated_and_is_the_firewalls_own() {
    let bed = bed_with_shop("firewall: {egress: [{network: internet}]}");
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(SHOP, &folder("shop"));
    let values = &lock(&bed, "shop")["values"];
    let egress = &values["egressIPs"][0];
    assert_eq!((&egress["network"], &egress["origin"]), (&json!("internet"), &json!("allocated")));
    assert_eq!(bed.live(SHOP, "egress"), [egress["address"].as_str().unwrap()]);
    let ip = of_sim(&bed, "ips", "ipaddress", &egress["address"]);
    assert_eq!(ip["type"], "static");
    let firewall = of_sim(&bed, "machines", "id", &values["firewall"]["id"]);
    let networks = firewall["allocation"]["networks"].as_array().unwrap();
    let internet = networks.iter().find(|n| n["networkid"] == "internet").unwrap();
    assert_eq!(internet["ips"], json!([egress["address"]]), "its own address there is the egress address and no other");
    assert_settled(&bed);
}

#[test]
fn a_vip_is_ephemeral_where_asked_for() {
    let bed = bed_with_shop("vip: {type: ephemeral}");
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(SHOP, &folder("shop"));
    let vip = &lock(&bed, "shop")["values"]["vip"];
    assert_eq!(vip["type"], "ephemeral");
    assert_eq!(of_sim(&bed, "ips", "ipaddress", &vip["address"])["type"], "ephemeral");
    assert_settled(&bed);
}

#[test]
fn a_given_vip_is_allocated_by_its_address() {
    let bed = bed_with_shop("vip: {address: 198.18.3.7}");
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(SHOP, &folder("shop"));
    assert_eq!(bed.live(SHOP, "vip"), ["198.18.3.7"]);
    let given = bed.writes().into_iter().filter(|w| w.ends_with("/ip/allocate/198.18.3.7")).count();
    assert_eq!(given, 1, "the API's own compare-and-swap: {:?}", bed.writes());
    assert!(bed.remote.read(INFRASTRUCTURE).contains("198.18.3.7"));
}

#[test]
fn a_given_vip_that_is_taken_is_refused_and_nothing_half_done_is_output() {
    let bed = Bed::new();
    let body = json!({"projectid": PROJECT, "networkid": "internet", "type": "static"});
    bed.post("/v1/ip/allocate/198.18.3.7", &body);
    define(&bed, "shop", &with("shop", "vip: {address: 198.18.3.7}"));
    define(&bed, "bar", &definition("bar"));
    let ran = bed.run_once().expect(1);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("AllocationRefused") && said.contains("already allocated"), "{said}");
    assert!(said.contains("198.18.3.7"), "which address is taken is not said:\n{said}");
    bed.assert_one_of_each("default.bar", &folder("bar"));
    assert_eq!(bed.live(SHOP, "firewall"), Vec::<String>::new());
    let paths = bed.remote.paths();
    assert!(!paths.iter().any(|p| p.starts_with("rendered/mgmt/default/shop/")), "R7: {paths:?}");
    bed.delete("/v1/ip/free/198.18.3.7");
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(SHOP, &folder("shop"));
    assert_eq!(bed.live(SHOP, "vip"), ["198.18.3.7"]);
}

#[test]
fn adopted_values_are_used_not_tagged_and_nothing_is_allocated_for_them() {
    let bed = Bed::new();
    let network = allocate_network(&bed, "muc-a", &json!({}));
    let vip = allocate_ip(&bed, "static", &json!([]));
    let before = (
        of_sim(&bed, "networks", "id", &json!(network))["labels"].clone(),
        of_sim(&bed, "ips", "ipaddress", &json!(vip))["tags"].clone(),
    );
    let more = format!("network: {{nodes: {{mode: adopt, id: {network}}}}}\nvip: {{mode: adopt, address: {vip}}}");
    define(&bed, "shop", &with("shop", &more));
    bed.sim.forget_calls();
    let _ = bed.run_once().expect(0);
    let values = &lock(&bed, "shop")["values"];
    assert_eq!((&values["nodeNetwork"]["id"], &values["nodeNetwork"]["origin"]), (&json!(network), &json!("adopted")));
    assert_eq!((&values["vip"]["address"], &values["vip"]["origin"]), (&json!(vip), &json!("adopted")));
    assert_eq!(bed.writes(), ["POST /metal/v1/firewall/allocate"]);
    let after = (
        of_sim(&bed, "networks", "id", &json!(network))["labels"].clone(),
        of_sim(&bed, "ips", "ipaddress", &json!(vip))["tags"].clone(),
    );
    assert_eq!(after, before, "what is a person's carries no mark of ours");
    let infrastructure = bed.remote.read(INFRASTRUCTURE);
    assert!(infrastructure.contains(&network) && infrastructure.contains(&vip), "{infrastructure}");
    assert_settled(&bed);
}

#[test]
fn i6_each_refused_adoption_is_explained_and_stops_its_own_cluster() {
    let bed = Bed::new();
    let of_other = "metal-stack.infrastructure.cluster.x-k8s.io/cluster-resource=default.other";
    let elsewhere = allocate_network(&bed, "muc-b", &json!({}));
    let others = allocate_network(&bed, "muc-a", &json!({"cluster.metal-stack.io/id": "default.other"}));
    let ephemeral = allocate_ip(&bed, "ephemeral", &json!([]));
    let others_ip = allocate_ip(&bed, "static", &json!([of_other]));
    let network = |id: &str| format!("network: {{nodes: {{mode: adopt, id: {id}}}}}");
    let vip = |address: &str| format!("vip: {{mode: adopt, address: {address}}}");
    let nowhere = "00000000-0000-0000-0000-00000000dead";
    let cases = [
        ("n-gone", network(nowhere), "is not in project"),
        ("n-elsewhere", network(&elsewhere), "is not in partition `muc-a`"),
        ("n-others", network(&others), "tagged for cluster `default.other`"),
        ("v-gone", vip("198.18.9.9"), "is not allocated in project"),
        ("v-ephemeral", vip(&ephemeral), "make it static first"),
        ("v-others", vip(&others_ip), "tagged for cluster `default.other`"),
        ("f-gone", format!("firewall: {{mode: external, machineID: {nowhere}}}"), "is not in project"),
    ];
    for (name, more, _) in &cases {
        bed.ada.write(&format!("{}/cluster.yaml", folder(name)), &with(name, more));
    }
    define(&bed, "shop", &definition("shop"));
    bed.sim.forget_calls();
    let ran = bed.run_once().expect(1);
    for (name, _, words) in &cases {
        let line = format!("{}\n{}", ran.stdout, ran.stderr);
        let line = line.lines().find(|l| l.starts_with(&format!("default.{name}: "))).unwrap_or_default().to_owned();
        assert!(line.contains("AdoptionRefused") && line.contains(words), "{name}: {line:?} in {ran:?}");
    }
    bed.assert_one_of_each(SHOP, &folder("shop"));
    let locks: Vec<_> = bed.remote.paths().into_iter().filter(|p| p.ends_with("cluster.lock.yaml")).collect();
    assert_eq!(locks, [format!("{}/cluster.lock.yaml", folder("shop"))], "nothing is known of the others");
    assert_eq!(bed.writes().len(), 3, "nothing is allocated for what cannot be completed: {:?}", bed.writes());
}

#[test]
fn an_external_firewall_is_used_by_its_machine_id() {
    let bed = Bed::new();
    let network = allocate_network(&bed, "muc-a", &json!({}));
    let firewall = allocate_firewall(&bed, &network);
    let more = format!(
        "network: {{nodes: {{mode: adopt, id: {network}}}}}\nfirewall: {{mode: external, machineID: {firewall}}}"
    );
    define(&bed, "shop", &with("shop", &more));
    bed.sim.forget_calls();
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.writes(), ["POST /metal/v1/ip/allocate"]);
    let locked = &lock(&bed, "shop")["values"]["firewall"];
    assert_eq!((&locked["id"], &locked["origin"]), (&json!(firewall), &json!("adopted")));
    assert!(bed.remote.read(INFRASTRUCTURE).contains(&format!("metal://muc-a/{firewall}")));
    assert_settled(&bed);
}

#[test]
fn r7_a_delegated_firewall_is_the_providers() {
    let bed = bed_with_shop("firewall: {mode: deployment}");
    let _ = bed.run_once().expect(0);
    assert!(!bed.writes().iter().any(|w| w.contains("firewall")), "{:?}", bed.writes());
    assert_eq!(lock(&bed, "shop")["values"].get("firewall"), None);
    let infrastructure = bed.remote.read(INFRASTRUCTURE);
    assert!(infrastructure.contains("fleet.metal-stack.io/engine-slots: network,vip\n"), "{infrastructure}");
    assert!(infrastructure.contains("MetalStackFirewallDeployment") && !infrastructure.contains("managedResourceRef"));
    assert_settled(&bed);
}

#[test]
fn i5_a_version_alias_stays_what_it_was_resolved_to() {
    let mut landscape = Landscape::default();
    let newer =
        ImageSpec { id: "capms-ubuntu-1.34.3".into(), features: vec![Feature::Machine], ..ImageSpec::default() };
    landscape.images.push(newer);
    let bed = Bed::with_landscape(landscape);
    let alias = |name: &str| definition(name).replace("version: 1.34.2", "version: \"1.34\"");
    define(&bed, "shop", &alias("shop"));
    let _ = bed.run_once().expect(0);
    assert_eq!(lock(&bed, "shop")["values"]["kubernetes"]["version"], "1.34.2");
    let before = bed.remote.read("rendered/mgmt/default/shop/control-plane.yaml");
    let policy = "policies/default.yaml";
    let offers = "{version: 1.34.3}, {version: 1.34.2, classification: deprecated}";
    change(&bed, policy, "versions: [{version: 1.34.2}", &format!("versions: [{offers}"));
    let image = |v: &str| format!("- {{version: {v}, kubernetes: {v}, kubeVip: v0.8.10}}");
    let older = image("1.34.2").replace('}', ", classification: deprecated}");
    change(&bed, policy, &image("1.34.2"), &format!("{}\n        {older}", image("1.34.3")));
    define(&bed, "bar", &alias("bar"));
    let _ = bed.run_once().expect(0);
    assert_eq!(lock(&bed, "bar")["values"]["kubernetes"]["version"], "1.34.3", "a new cluster takes the newest");
    assert_eq!(lock(&bed, "shop")["values"]["kubernetes"]["version"], "1.34.2");
    assert_eq!(bed.remote.read("rendered/mgmt/default/shop/control-plane.yaml"), before, "R1");
}
