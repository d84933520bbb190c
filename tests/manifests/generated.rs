//! Clusters of every flavor, version and field, resolved and rendered by the real binary.

use crate::check::findings;
use crate::documents::{Document, below};
use crate::fragments::{COMMON, FLAVORS, FRAGMENTS, VERSIONS};
use crate::server::server;
use ferrofleet_tests::bed::{Bed, folder};
use metal_sim::{Feature, ImageSpec, Landscape, ProjectSpec};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const PROJECT: &str = "00000000-0000-0000-0000-000000000001";
const OTHER_PROJECT: &str = "00000000-0000-0000-0000-000000000002";

const FLEET: &str = "
apiVersion: fleet.metal-stack.io/v1alpha1
kind: Fleet
metadata: {name: manifests}
spec:
  metal:
    projects: [{id: 00000000-0000-0000-0000-000000000001}, {id: 00000000-0000-0000-0000-000000000002}]
    project: 00000000-0000-0000-0000-000000000001
    partition: muc-a
    nodeApiUrl: https://metal.example.com/metal
    nodeApiCIDRs: [203.0.113.10/32]
  addons: {ccm: {credentialsRef: metal-ccm}}
  managementClusters: [{name: mgmt}, {name: mgmt-b}]
  stages: [{name: development, managementCluster: mgmt, namespace: generated, purpose: development}]
";

/// Every kind that is rendered for a cluster.
const KINDS: [&str; 13] = [
    "Cluster",
    "ClusterResourceSet",
    "ConfigMap",
    "HelmChartProxy",
    "KubeadmConfigTemplate",
    "KubeadmControlPlane",
    "MachineDeployment",
    "MachineHealthCheck",
    "MetalStackCluster",
    "MetalStackFirewallDeployment",
    "MetalStackFirewallTemplate",
    "MetalStackMachineTemplate",
    "Namespace",
];

#[test]
fn every_flavor_version_and_field_is_stored_as_it_is_written() {
    let Some(client) = server() else { return };
    let (bed, names) = resolved_fleet();
    bed.ada.pull();
    let documents = below(&bed.ada.dir.join("rendered"));
    let kinds: BTreeSet<_> = documents.iter().filter_map(|document| document.value["kind"].as_str()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), KINDS);
    let mut found = missing(&bed, &documents, &names);
    found.extend(findings(client, &documents));
    assert!(found.is_empty(), "{found:#?}");
}

/// Every cluster's name and definition; `made` gives the ids of what a person made.
pub(super) fn definitions(made: impl Fn(&str) -> String) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (flavor, first, last) in FLAVORS {
        for version in &VERSIONS[first..=last] {
            let name = format!("flavor-{}-{}", flavor.replace('.', "-"), version.replace('.', "-"));
            let spec = format!("spec: {{flavor: {flavor}, kubernetes: {{version: {version}}}}}");
            found.push(definition(&name, &[COMMON, &spec]));
        }
    }
    for (name, fragment) in FRAGMENTS {
        let mut text = (*fragment).to_owned();
        for place in ["$network", "$address", "$firewall_network", "$firewall"] {
            text = text.replace(place, &made(place));
        }
        found.push(definition(name, &[&text]));
    }
    found
}

fn definition(name: &str, fragments: &[&str]) -> (String, Value) {
    let mut merged = json!({
        "apiVersion": "fleet.metal-stack.io/v1alpha1",
        "kind": "ClusterDefinition",
        "metadata": {"name": name},
        "spec": {"kubernetes": {"version": "1.34.2"}, "pools": [{"name": "general"}]},
    });
    for fragment in fragments {
        let fragment: Value = serde_yaml::from_str(fragment).unwrap_or_else(|e| panic!("{name}: {e}"));
        merge(&mut merged, &fragment);
    }
    (name.to_owned(), merged)
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, from) => from.clone_into(into),
    }
}

/// All of them, allocated and rendered, and their names.
fn resolved_fleet() -> (Bed, Vec<String>) {
    let bed = Bed::with_landscape(landscape());
    let network = allocate_network(&bed);
    let firewall_network = allocate_network(&bed);
    let firewall = allocate_firewall(&bed, &firewall_network);
    let address =
        bed.post("/v1/ip/allocate", &json!({"projectid": PROJECT, "networkid": "internet", "type": "static"}));
    let address = address["ipaddress"].as_str().unwrap().to_owned();
    let definitions = definitions(|place| {
        let made = match place {
            "$network" => &network,
            "$firewall_network" => &firewall_network,
            "$firewall" => &firewall,
            "$address" => &address,
            other => panic!("{other}"),
        };
        made.clone()
    });
    bed.ada.write("fleet.yaml", FLEET).write("policies/default.yaml", &policy("default"));
    bed.ada.write("policies/frugal.yaml", &policy("frugal"));
    let write = |name: &str, definition: &Value| {
        let text = serde_yaml::to_string(definition).unwrap();
        bed.ada.write(&format!("{}/cluster.yaml", folder(name)), &text);
    };
    for (name, definition) in &definitions {
        // One that is paused from the start is not resolved.
        let mut running = definition.clone();
        running["spec"].as_object_mut().unwrap().remove("paused");
        write(name, &running);
    }
    bed.ada.push("Clusters of every kind");
    let _ = bed.run_once().expect(0);
    bed.ada.pull();
    definitions.iter().for_each(|(name, definition)| write(name, definition));
    bed.ada.push("Some of them paused");
    let _ = bed.run_once().expect(0);
    (bed, definitions.into_iter().map(|(name, _)| name).collect())
}

/// Clusters that were not rendered, with what their locks say.
fn missing(bed: &Bed, documents: &[Document], names: &[String]) -> Vec<String> {
    let is_there = |name: &&String| {
        documents.iter().any(|document| document.is_a("Cluster") && document.value["metadata"]["name"] == **name)
    };
    let lock = |name: &String| bed.ada.dir.join(folder(name)).join("cluster.lock.yaml");
    let conditions = |name: &String| {
        let text = std::fs::read_to_string(lock(name)).unwrap_or_default();
        let lock: Value = serde_yaml::from_str(&text).unwrap_or_default();
        format!("{name} is not rendered: {}", lock["conditions"])
    };
    names.iter().filter(|name| !is_there(name)).map(conditions).collect()
}

fn landscape() -> Landscape {
    let mut landscape = Landscape::default();
    landscape.projects.push(ProjectSpec { id: OTHER_PROJECT.into(), name: "other".into(), ..ProjectSpec::default() });
    for version in VERSIONS {
        let id = format!("capms-ubuntu-{version}");
        if landscape.images.iter().all(|image| image.id != id) {
            landscape.images.push(ImageSpec { id, features: vec![Feature::Machine], ..ImageSpec::default() });
        }
    }
    landscape
}

fn policy(name: &str) -> String {
    let mut versions = String::new();
    let mut images = String::new();
    for version in VERSIONS.iter().rev() {
        writeln!(versions, "      - {{version: {version}}}").unwrap();
        writeln!(images, "        - {{version: {version}, kubernetes: {version}, kubeVip: v0.8.10}}").unwrap();
    }
    let partition = |name: &str| {
        format!(
            "        - name: {name}\n          firewall: {{types: [n1-medium-x86, c1-large-x86], images: \
             [firewall-ubuntu-3.0]}}\n          defaultNetwork: internet\n"
        )
    };
    format!(
        "apiVersion: fleet.metal-stack.io/v1alpha1
kind: ClusterPolicy
metadata: {{name: {name}}}
spec:
  kubernetes:
    versions:
{versions}  machineImages:
    - name: capms-ubuntu
      id: \"capms-ubuntu-{{{{version}}}}\"
      versions:
{images}  machineTypes: [{{name: n1-medium-x86}}, {{name: c1-large-x86}}]
  regions:
    - name: muc
      partitions:
{}{}  defaults: {{pods: [10.240.0.0/13], services: [10.248.0.0/18], calico: v3.28.3, ccm: v0.9.7, cilium: 1.18.3,
    metallb: 0.15.2}}
",
        partition("muc-a"),
        partition("muc-b"),
    )
}

fn allocate_network(bed: &Bed) -> String {
    let body = json!({"projectid": PROJECT, "partitionid": "muc-a", "addressfamily": "IPv4"});
    bed.post("/v1/network/allocate", &body)["id"].as_str().unwrap().to_owned()
}

fn allocate_firewall(bed: &Bed, network: &str) -> String {
    let body = json!({
        "projectid": PROJECT, "partitionid": "muc-a", "sizeid": "n1-medium-x86", "imageid": "firewall-ubuntu-3.0",
        "networks": [{"networkid": "internet", "autoacquire": true}, {"networkid": network, "autoacquire": true}],
        "name": "by-hand", "hostname": "by-hand", "tags": [],
    });
    bed.post("/v1/firewall/allocate", &body)["id"].as_str().unwrap().to_owned()
}
