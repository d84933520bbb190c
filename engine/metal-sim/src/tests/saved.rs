//! The state file: what was, is again, and goes on.

use super::{Api, PROJECT, SMALL, request, send, start};
use crate::{Clock, Landscape, Sim};
use serde_json::json;

#[test]
fn a_state_file_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let landscape = Landscape::parse(SMALL, "small.yaml").unwrap();
    let open = || Sim::with_state(&landscape, Clock::manual(start()), 1, &file).unwrap();

    let sim = open();
    let network = json!({"projectid": PROJECT, "partitionid": "mini-lab", "addressfamily": "IPv4"});
    let (_, network) = send(&sim, &request("Metal-Admin", "POST", "/v1/network/allocate", Some(&network)));
    let machine = Api::machine_request(&network, &json!({"tags": ["a=b"]}));
    let (_, machine) = send(&sim, &request("Metal-Admin", "POST", "/v1/machine/allocate", Some(&machine)));
    let before = sim.resources();
    sim.advance("500ms".parse().unwrap());
    sim.save().unwrap();
    drop(sim);

    let again = open();
    assert_eq!(again.clock().now.to_string(), "2026-01-01T00:00:00.5Z", "time goes on where it was");
    let mut after = again.resources();
    for (after, before) in after.machines.iter_mut().zip(&before.machines) {
        assert_eq!(after.id, before.id);
        after.tags.sort();
    }
    assert_eq!((after.networks, after.ips), (before.networks, before.ips));
    again.advance("3s".parse().unwrap());
    let id = machine["id"].as_str().unwrap();
    let (_, machine) = send(&again, &request("Metal-View", "GET", &format!("/v1/machine/{id}"), None));
    assert_eq!(machine["events"]["log"][0]["event"], "Phoned Home", "what was planned still happens");
    let find = json!({"tags": ["a=b"]});
    let (_, found) = send(&again, &request("Metal-View", "POST", "/v1/machine/find", Some(&find)));
    assert_eq!(found.as_array().unwrap().len(), 1, "and the index is there");
}

#[test]
fn a_broken_state_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    std::fs::write(&file, "{}").unwrap();
    let error = Sim::with_state(&Landscape::default(), Clock::manual(start()), 1, &file).unwrap_err();
    assert!(error.to_string().contains("state.json: not a state file of this version"), "{error}");
}
