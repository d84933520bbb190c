//! Names and shapes against the official OpenAPI document, so that a name that client and simulator share by mistake
//! does not cancel out.

use super::*;
use crate::convert::{LeanMachine, Ours};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// The document, or a line that names what was skipped.
fn document() -> Option<Value> {
    let folder = std::env::var("FERROFLEET_SHARED_DATA").unwrap_or_else(|_| "/work/shared/data".to_owned());
    let path = std::path::Path::new(&folder).join("metal-api.json");
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            eprintln!("skipped: wire types against {} ({error})", path.display());
            None
        }
    }
}

/// A value with everything in it.
fn sample(document: &Value, schema: &Value, depth: usize) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let definition = &document["definitions"][name.trim_start_matches("#/definitions/")];
        return sample(document, definition, depth + 1);
    }
    match schema["type"].as_str() {
        Some("array") if depth > 6 => json!([]),
        Some("array") => json!([sample(document, &schema["items"], depth + 1)]),
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(7),
        Some("string") if schema["format"] == "date-time" => json!("2026-02-28T14:30:45.5Z"),
        Some("string") => schema["enum"].as_array().map_or(json!("text"), |choices| choices[0].clone()),
        _ => object(document, schema, depth),
    }
}

fn object(document: &Value, schema: &Value, depth: usize) -> Value {
    if let Some(properties) = schema["properties"].as_object() {
        return properties.iter().map(|(name, of)| (name.clone(), sample(document, of, depth + 1))).collect();
    }
    match &schema["additionalProperties"] {
        Value::Object(_) if depth <= 6 => json!({"key": sample(document, &schema["additionalProperties"], depth + 1)}),
        _ => json!({}),
    }
}

/// The full sample survives reading and writing whole; nulls everywhere, unknown fields and nothing at all are read.
fn check<T: Serialize + DeserializeOwned>(document: &Value, definition: &str) {
    let schema = &document["definitions"][definition];
    assert!(schema["properties"].is_object(), "{definition} is not in the document");
    let full = sample(document, schema, 0);
    let read: T = serde_json::from_value(full.clone()).unwrap_or_else(|e| panic!("{definition}: {e}\n{full:#}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), full, "{definition}");
    let mut nulls: Map<String, Value> = full.as_object().unwrap().keys().map(|k| (k.clone(), Value::Null)).collect();
    nulls.insert("unheardOf".to_owned(), json!({"of": [1]}));
    for tolerated in [Value::Object(nulls), json!({})] {
        serde_json::from_value::<T>(tolerated).unwrap_or_else(|e| panic!("{definition}: {e}"));
    }
}

#[test]
fn answers_have_the_documents_names() {
    let Some(document) = document() else { return };
    check::<Network>(&document, "v1.NetworkResponse");
    check::<Usage>(&document, "v1.NetworkUsage");
    check::<Ip>(&document, "v1.IPResponse");
    check::<Machine>(&document, "v1.MachineResponse");
    check::<Machine>(&document, "v1.FirewallResponse");
    check::<Partition>(&document, "v1.PartitionResponse");
    check::<PartitionCapacity>(&document, "v1.PartitionCapacity");
    check::<Size>(&document, "v1.SizeResponse");
    check::<SizeConstraint>(&document, "v1.SizeConstraint");
    check::<Image>(&document, "v1.ImageResponse");
    check::<FilesystemLayout>(&document, "v1.FilesystemLayoutResponse");
    check::<Project>(&document, "v1.ProjectResponse");
    check::<Version>(&document, "rest.version");
    check::<Health>(&document, "rest.HealthResponse");
    check::<User>(&document, "v1.User");
    check::<MachineIssues>(&document, "v1.MachineIssueResponse");
    check::<MachineIssue>(&document, "v1.MachineIssue");
}

#[test]
fn requests_have_the_documents_names() {
    let Some(document) = document() else { return };
    check::<NetworkAllocateRequest>(&document, "v1.NetworkAllocateRequest");
    check::<NetworkFindRequest>(&document, "v1.NetworkFindRequest");
    check::<NetworkCreateRequest>(&document, "v1.NetworkCreateRequest");
    check::<NetworkUpdateRequest>(&document, "v1.NetworkUpdateRequest");
    check::<IpAllocateRequest>(&document, "v1.IPAllocateRequest");
    check::<IpFindRequest>(&document, "v1.IPFindRequest");
    check::<IpUpdateRequest>(&document, "v1.IPUpdateRequest");
    check::<MachineAllocateRequest>(&document, "v1.MachineAllocateRequest");
    check::<FirewallAllocateRequest>(&document, "v1.FirewallCreateRequest");
    check::<MachineFindRequest>(&document, "v1.MachineFindRequest");
    check::<FirewallFindRequest>(&document, "v1.FirewallFindRequest");
    check::<MachineUpdateRequest>(&document, "v1.MachineUpdateRequest");
    check::<MachineReinstallRequest>(&document, "v1.MachineReinstallRequest");
    check::<MachineState>(&document, "v1.MachineState");
    check::<MachineIssuesRequest>(&document, "v1.MachineIssuesRequest");
    check::<CapacityQuery>(&document, "v1.PartitionCapacityRequest");
    check::<ImageFindRequest>(&document, "v1.ImageFindRequest");
    check::<SizeSuggestRequest>(&document, "v1.SizeSuggestRequest");
    check::<ProjectFindRequest>(&document, "v1.ProjectFindRequest");
}

#[test]
fn a_machine_of_the_document_is_read_into_our_words() {
    let Some(document) = document() else { return };
    let mut machine = sample(&document, &document["definitions"]["v1.MachineResponse"], 0);
    let id = "00000000-0000-0000-0000-00000000000a";
    machine["id"] = json!(id);
    machine["liveliness"] = json!("Alive");
    machine["tags"] = json!(["a=1"]);
    machine["allocation"]["project"] = json!(id);
    machine["allocation"]["networks"][0]["ips"] = json!(["10.0.0.1", "2001:db8::1"]);
    machine["events"]["log"][0]["event"] = json!("Phoned Home");
    let lean: LeanMachine = serde_json::from_value(machine).unwrap();
    let Ours(read) = Ours::<model::metal::Machine>::try_from(lean).unwrap();
    assert_eq!((read.id.as_str(), read.project.as_str(), read.image.as_str()), (id, id, "text"));
    assert_eq!(read.role, model::metal::MachineRole::Firewall);
    assert_eq!((read.networks[0].ips.len(), read.alive, read.crash_loop, read.phoned_home), (2, true, true, true));
}

#[test]
fn what_is_always_present_is_written_when_empty() {
    let written = |value: Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let network = serde_json::to_value(Network::default()).unwrap();
    for (field, empty) in [
        ("labels", json!({})),
        ("prefixes", json!([])),
        ("parentnetworkid", Value::Null),
        ("vrfshared", Value::Null),
        ("partitionid", json!("")),
        ("created", json!("0001-01-01T00:00:00Z")),
    ] {
        assert_eq!(network[field], empty, "{field}");
    }
    assert!(!written(network).contains(&"additionalAnnouncableCIDRs".to_owned()));
    let machine = serde_json::to_value(Machine::default()).unwrap();
    assert_eq!((&machine["allocation"], &machine["tags"]), (&Value::Null, &json!([])));
    assert_eq!(machine["events"]["last_event_time"], Value::Null);
    assert_eq!(written(serde_json::to_value(Project::default()).unwrap()), Vec::<String>::new());
    assert_eq!(serde_json::to_value(MachineAllocateRequest::default()).unwrap(), json!({}));
}
