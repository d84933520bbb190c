//! Every answer of every route against the official OpenAPI document, where that is at hand.

use super::{Api, LOCKED, PROJECT};
use crate::api::ROUTES;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Beside the repository, or where the environment says.
fn document() -> Option<Value> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("FERROFLEET_SHARED_DATA").map(PathBuf::from);
    let folders = named.into_iter().chain([repository.join("../shared/data")]);
    let text = folders.map(|folder| folder.join("metal-api.json")).find_map(|file| std::fs::read_to_string(file).ok());
    Some(serde_json::from_str(&text?).unwrap())
}

/// Swagger 2.0 becomes JSON Schema: definitions move, and null is let in where Go writes it for an empty field.
fn schema(document: &Value, of: &Value) -> Value {
    let mut schema = json!({"$defs": document["definitions"]});
    schema.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
    convert(&mut schema);
    schema
}

fn convert(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref") {
                *reference = reference.replace("#/definitions/", "#/$defs/");
            }
            object.values_mut().for_each(convert);
            let required: BTreeSet<String> = object
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect();
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                properties
                    .iter_mut()
                    .filter(|(name, _)| !may_not_be_null(name, &required))
                    .for_each(|(_, property)| nullable(property));
            }
        }
        Value::Array(array) => array.iter_mut().for_each(convert),
        _ => {}
    }
}

/// `ssh_pub_keys` and the two types are required by the document and null in practice (metal-api.md 3).
fn may_not_be_null(name: &str, required: &BTreeSet<String>) -> bool {
    required.contains(name) && !["ssh_pub_keys", "networktype", "nattype"].contains(&name)
}

fn nullable(property: &mut Value) {
    let inner = std::mem::take(property);
    *property = json!({"anyOf": [inner, {"type": "null"}]});
}

struct Walk {
    api: Api,
    document: Value,
    walked: BTreeSet<(String, String)>,
}

impl Walk {
    /// Calls a route by its pattern and checks the answer against what the document says for its status.
    fn call(&mut self, method: &str, pattern: &str, id: &str, body: Option<&Value>) -> Value {
        let path = |pattern: &str| pattern.replace("{id}", id).replace("{ip}", id);
        let (status, answer) = self.api.call(method, &format!("/metal/v1/{}", path(pattern)), body);
        assert!(status < 300, "{method} {pattern}: {status} {answer}");
        let operation = &self.document["paths"][format!("/v1/{pattern}")][method.to_lowercase()];
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{method} {pattern}: the document has no status {status}");
        // These lists are null when empty, and freed resources have no usage.
        let schema = schema(&self.document, &response["schema"]);
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{method} {pattern}: {errors:#?}");
        self.walked.insert((method.to_owned(), pattern.to_owned()));
        answer
    }

    fn get(&mut self, pattern: &str, id: &str) {
        self.call("GET", pattern, id, None);
    }

    fn post(&mut self, pattern: &str, id: &str, body: &Value) -> Value {
        self.call("POST", pattern, id, Some(body))
    }

    fn catalog(&mut self) {
        for pattern in ["version", "health", "user/me", "project", "partition", "size", "image", "filesystemlayout"] {
            self.get(pattern, "");
        }
        self.get("project/{id}", PROJECT);
        self.get("partition/{id}", "mini-lab");
        self.get("size/{id}", "v1-small-x86");
        self.get("image/{id}", "debian-13.0");
        self.get("image/{id}/latest", "ubuntu-24.4");
        self.get("image/{id}/query", "ubuntu-24.4");
        self.get("filesystemlayout/{id}", "default");
        self.post("project/find", "", &json!({"id": PROJECT}));
        self.post("image/find", "", &json!({"os": "ubuntu", "features": ["machine"]}));
        self.post("partition/capacity", "", &json!({"projectid": null}));
        self.post("size/suggest", "", &json!({"machineID": LOCKED}));
    }

    fn networks(&mut self) {
        for pattern in ["network", "ip"] {
            self.get(pattern, "");
        }
        let network = json!({"projectid": PROJECT, "partitionid": "mini-lab", "name": "n"});
        let freed = self.post("network/allocate", "", &network);
        let also = self.post("network/allocate", "", &network);
        self.get("network/{id}", freed["id"].as_str().unwrap());
        self.post("network/find", "", &json!({"projectid": PROJECT}));
        self.call("DELETE", "network/free/{id}", freed["id"].as_str().unwrap(), None);
        self.post("network/free/{id}", also["id"].as_str().unwrap(), &json!([]));
        let mpls = json!({"id": "mpls", "prefixes": ["100.64.0.0/24"], "destinationprefixes": [], "nat": false});
        self.call("PUT", "network", "", Some(&mpls));
        self.post("network", "", &json!({"id": "mpls", "labels": {"a": "b"}}));
        self.call("DELETE", "network/{id}", "mpls", None);

        let ip = json!({"networkid": "internet", "projectid": PROJECT, "tags": ["a"], "type": "ephemeral"});
        self.post("ip/allocate", "", &ip);
        self.post("ip/allocate/{ip}", "203.0.113.200", &ip);
        self.get("ip/{id}", "203.0.113.200");
        self.post("ip/find", "", &json!({"projectid": PROJECT}));
        self.post("ip", "", &json!({"ipaddress": "203.0.113.200", "type": "static"}));
        self.call("DELETE", "ip/free/{id}", "203.0.113.200", None);
    }

    fn machines(&mut self) {
        let network = self.api.network("");
        let rules = json!({"egress": [{"ports": [443], "to": ["0.0.0.0/0"]}], "ingress": [{"ports": [443], "from": ["0.0.0.0/0"]}]});
        let networks = json!([{"networkid": network["id"]}, {"networkid": "internet"}]);
        let firewall = Api::machine_request(
            &network,
            &json!({"imageid": "firewall-ubuntu-3.0", "networks": networks, "firewall_rules": rules}),
        );
        let firewall = self.post("firewall/allocate", "", &firewall);
        let machine = self.post("machine/allocate", "", &Api::machine_request(&network, &json!({"user_data": "x"})));
        let id = machine["id"].as_str().unwrap();
        self.api.seconds(3);
        for pattern in ["machine", "machine/issues", "firewall"] {
            self.get(pattern, "");
        }
        self.get("machine/{id}", id);
        self.get("firewall/{id}", firewall["id"].as_str().unwrap());
        self.post("machine/find", "", &json!({"allocation_project": PROJECT}));
        self.post("firewall/find", "", &json!({}));
        self.post("machine", "", &json!({"id": id, "tags": ["a=b"]}));
        self.post("machine/{id}/reinstall", id, &json!({"id": id, "imageid": "debian-13.0"}));
        for power in ROUTES.iter().map(|route| route.pattern).filter(|pattern| pattern.contains("/power/")) {
            self.post(power, id, &json!([]));
        }
        let crash = crate::MachineIncident { event: Some("Crashed".into()), ..Default::default() };
        self.api.sim.machine_incident(id, &crash).unwrap();
        self.post("machine/issues/evaluate", "", &json!({}));
        self.post(
            "machine/{id}/state",
            id,
            &json!({"value": "RESERVED", "description": "d", "metal_hammer_version": null}),
        );
        self.call("DELETE", "machine/{id}/free", id, None);
    }
}

#[test]
fn every_route_answers_as_the_official_document_says() {
    let Some(document) = document() else {
        eprintln!(
            "skipped: every_route_answers_as_the_official_document_says: no metal-api.json in ../shared/data or FERROFLEET_SHARED_DATA"
        );
        return;
    };
    let mut landscape = crate::Landscape::parse(super::SMALL, "small.yaml").unwrap();
    landscape.filesystemlayouts[0].wipe_on_reinstall = true;
    let mut walk = Walk { api: Api::of(&landscape), document, walked: BTreeSet::new() };
    walk.catalog();
    walk.networks();
    walk.machines();
    let all: BTreeSet<(String, String)> =
        ROUTES.iter().map(|route| (route.method.to_owned(), route.pattern.to_owned())).collect();
    assert_eq!(walk.walked, all, "every route is walked");
}

#[test]
fn the_conversion_refuses_what_the_document_refuses() {
    let document = json!({"definitions": {"ip": {
        "required": ["type"],
        "properties": {"type": {"type": "string", "enum": ["static"]}, "name": {"type": "string"}, "of": {"$ref": "#/definitions/ip"}},
    }}});
    let validator = jsonschema::validator_for(&schema(&document, &json!({"$ref": "#/definitions/ip"}))).unwrap();
    let mut inner = Map::new();
    inner.insert("type".into(), json!("static"));
    assert!(validator.is_valid(&json!({"type": "static", "name": null, "of": inner})));
    for wrong in [
        json!({}),
        json!({"type": null}),
        json!({"type": "x"}),
        json!({"type": "static", "name": 1}),
        json!({"type": "static", "of": {}}),
    ] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}
