use super::*;
use crate::{Clock, Sim, tests::SMALL};

#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    assert!(SMALL.contains(from), "the fixture has no {from:?}");
    let error = Landscape::parse(&SMALL.replacen(from, to, 1), "small.yaml").unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn the_default_has_the_designs_names_and_counts() {
    let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    let state = Sim::new(&Landscape::default(), clock, 1).unwrap().resources();
    let network = |id: &str| state.networks.iter().find(|network| network.id == id).unwrap();
    assert_eq!(network("super-muc-a").prefixes[0], "10.0.0.0/9");
    assert_eq!(network("super-muc-b").prefixes[0], "10.128.0.0/10");
    assert_eq!(network("super-muc-b").additional_announcable_cidrs, ["10.240.0.0/12"]);
    assert_eq!(network("underlay-muc-b").prefixes, ["172.16.16.0/20"]);
    assert_eq!(network("internet").prefixes[0], "198.18.0.0/20");
    assert!(network("internet").labels.contains_key("network.metal-stack.io/default"));
    assert_eq!(network("mpls-muc-a").partitionid, "muc-a");
    assert_eq!(state.networks.len(), 6);
    for partition in ["muc-a", "muc-b"] {
        for size in ["n1-medium-x86", "c1-large-x86"] {
            let here = state.machines.iter().filter(|machine| {
                machine.partition.as_ref().is_some_and(|found| found.id == partition)
                    && machine.size.as_ref().is_some_and(|found| found.id == size)
            });
            assert_eq!(here.filter(|machine| machine.events.log[0].event == "Waiting").count(), 300);
        }
    }
}

#[test]
fn a_landscape_survives_being_written() {
    let default = Landscape::default();
    let text = serde_json::to_string(&default).unwrap();
    assert_eq!(Landscape::parse(&text, "default.json").unwrap(), default);
}

#[test]
fn slips_are_named_with_their_place() {
    refused(
        "partition: mini-lab-2, prefixes",
        "partition: nowhere, prefixes",
        "networks \"super-2\": no partition \"nowhere\"; there are: mini-lab, mini-lab-2",
    );
    refused("machineQuota: 1", "machineQuotas: 1", "machineQuotas");
    refused("IPv4: 24", "IPv4: 22", "networks \"super-2\": 10.2.0.0/22 needs a longer defaultChildPrefixLength.IPv4");
    refused("id: debian-13.0", "id: debian", "images \"debian\": the id is no <os>-<version>");
    refused("10.1.0.0/24", "10.1.0.1/24", "networks \"underlay\": 10.1.0.1/24 has host bits");
    refused("parent: super,", "parent: internet,", "networks \"storage\": no super network \"internet\"");
    refused("{id: mini-lab-2}", "{id: mini-lab}", "partitions: \"mini-lab\" stands there twice");
    refused("ubuntu: \">= 24.4\"", "ubuntu: latest", "\"latest\" is neither `*` nor like");
    refused("count: 6", "count: 600000", "more than 100000 machines in all");
    refused("count: 6", "count: many", "small.yaml:");
}

#[test]
fn overlapping_networks_are_found_when_it_is_built() {
    let landscape = Landscape::parse(&SMALL.replacen("10.1.0.0/24", "10.0.1.0/24", 1), "small.yaml").unwrap();
    let error = Sim::new(&landscape, Clock::real(1.0), 1).unwrap_err().to_string();
    assert_eq!(error, "networks \"underlay\": 10.0.1.0/24 overlaps 10.0.0.0/16");
}
