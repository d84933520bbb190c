//! A fleet that offers every version, on a simulated metal-api, resolved by the real binary.

use crate::documents::{Document, below};
use crate::fragments::VERSIONS;
use ferrofleet_tests::bed::{Bed, folder};
use metal_sim::{Feature, ImageSpec, Landscape, ProjectSpec};
use serde_json::{Value, json};
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

/// Registries and chart repositories whose place the policy `frugal` takes.
const UPSTREAM: [&str; 7] =
    ["docker.io", "ghcr.io", "quay.io", "registry.k8s.io", "docs.tigera.io", "helm.cilium.io", "metallb.github.io"];

/// A cluster's name and definition.
pub(super) type Definition = (String, Value);

pub(super) struct Installation {
    bed: Bed,
    network: String,
    firewall_network: String,
    firewall: String,
    address: String,
}

impl Installation {
    pub(super) fn new() -> Self {
        let bed = Bed::with_landscape(landscape());
        bed.ada.write("fleet.yaml", FLEET).write("policies/default.yaml", &policy("default", ""));
        bed.ada.write("policies/frugal.yaml", &policy("frugal", &rewriting()));
        let firewall_network = allocate_network(&bed);
        let address = json!({"projectid": PROJECT, "networkid": "internet", "type": "static"});
        Self {
            network: allocate_network(&bed),
            firewall: allocate_firewall(&bed, &firewall_network),
            address: bed.post("/v1/ip/allocate", &address)["ipaddress"].as_str().unwrap().to_owned(),
            firewall_network,
            bed,
        }
    }

    /// What a person made in metal-api, by the name that fragments have for it.
    pub(super) fn made(&self, place: &str) -> String {
        let Self { bed: _, network, firewall_network, firewall, address } = self;
        let made = match place {
            "$network" => network,
            "$firewall_network" => firewall_network,
            "$firewall" => firewall,
            "$address" => address,
            other => panic!("nobody made {other}"),
        };
        made.clone()
    }

    /// Pushes the definitions and gives what is rendered, and which clusters are not.
    #[track_caller]
    pub(super) fn resolve(&self, definitions: &[Definition]) -> (Vec<Document>, Vec<String>) {
        let ada = &self.bed.ada;
        for (name, definition) in definitions {
            let text = serde_yaml::to_string(definition).unwrap();
            ada.write(&format!("{}/cluster.yaml", folder(name)), &text);
        }
        ada.push("Definitions");
        let _ = self.bed.run_once().expect(0);
        ada.pull();
        let documents = below(&ada.dir.join("rendered"));
        let missing = missing(&self.bed, &documents, definitions);
        (documents, missing)
    }
}

/// The smallest definition, with fragments merged into it.
pub(super) fn definition(name: &str, fragments: &[&str]) -> Definition {
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

/// Clusters that were not rendered, with what their locks say.
fn missing(bed: &Bed, documents: &[Document], definitions: &[Definition]) -> Vec<String> {
    let is_there = |name: &&String| {
        documents.iter().any(|document| document.is_a("Cluster") && document.value["metadata"]["name"] == **name)
    };
    let lock = |name: &String| bed.ada.dir.join(folder(name)).join("cluster.lock.yaml");
    let conditions = |name: &String| {
        let text = std::fs::read_to_string(lock(name)).unwrap_or_default();
        let lock: Value = serde_yaml::from_str(&text).unwrap_or_default();
        format!("{name} is not rendered: {}", lock["conditions"])
    };
    definitions.iter().map(|(name, _)| name).filter(|name| !is_there(name)).map(conditions).collect()
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

fn policy(name: &str, more: &str) -> String {
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
{more}",
        partition("muc-a"),
        partition("muc-b"),
    )
}

/// Everything comes from elsewhere.
fn rewriting() -> String {
    let rule = |from: &str| {
        let to = format!("registry.example.com/{}", from.replace('.', "-"));
        format!("{{from: {from}, to: {to}}}")
    };
    format!("  images: {{airgapped: true, rewrite: [{}]}}\n", UPSTREAM.map(rule).join(", "))
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
