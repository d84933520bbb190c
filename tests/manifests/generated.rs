//! Clusters of every flavor, version and field, resolved and rendered by the real binary.

use crate::check::findings;
use crate::fragments::{COMMON, FLAVORS, FRAGMENTS, VERSIONS};
use crate::installation::{Definition, Installation, definition};
use crate::server::server;
use std::collections::BTreeSet;

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
    let installation = Installation::new();
    let (documents, mut found) = installation.resolve(&definitions(|place| installation.made(place)));
    let kinds: BTreeSet<_> = documents.iter().filter_map(|document| document.value["kind"].as_str()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), KINDS);
    found.extend(findings(client, &documents));
    assert!(found.is_empty(), "{found:#?}");
}

/// Every cluster's name and definition; `made` gives the ids of what a person made.
pub(super) fn definitions(made: impl Fn(&str) -> String) -> Vec<Definition> {
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
