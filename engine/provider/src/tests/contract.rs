//! What Cluster API demands of the kinds of an infrastructure provider.

use super::{our, ours, schema_of};
use serde_json::{Value, json};

#[test]
fn kinds_are_found_by_cluster_api() {
    for crd in ours() {
        let (spec, labels) = (&crd["spec"], &crd["metadata"]["labels"]);
        let kind = spec["names"]["kind"].as_str().unwrap();
        // Cluster API derives the name from the kind and asks for it.
        assert_eq!(crd["metadata"]["name"], format!("{}s.infrastructure.cluster.x-k8s.io", kind.to_lowercase()));
        assert_eq!(spec["scope"], "Namespaced", "{kind}");
        assert_eq!(spec["names"]["listKind"], format!("{kind}List"));
        let mut expected = json!({
            "cluster.x-k8s.io/provider": "infrastructure-metal-stack",
            "cluster.x-k8s.io/v1beta1": "v1alpha1",
            "cluster.x-k8s.io/v1beta2": "v1alpha1",
        });
        // Nothing owns these, and `clusterctl move` would leave them behind.
        if kind == "MetalStackFirewallTemplate" {
            expected["clusterctl.cluster.x-k8s.io/move"] = json!("");
        }
        assert_eq!(labels, &expected, "{kind}");
    }
}

#[test]
fn what_cluster_api_reads_is_there() {
    let cases = [
        ("MetalStackCluster", "/spec/controlPlaneEndpoint/host", "string"),
        ("MetalStackCluster", "/spec/controlPlaneEndpoint/port", "integer"),
        ("MetalStackCluster", "/status/initialization/provisioned", "boolean"),
        ("MetalStackCluster", "/status/failureDomains", "array"),
        ("MetalStackCluster", "/status/conditions", "array"),
        ("MetalStackClusterTemplate", "/spec/template/metadata/labels", "object"),
        ("MetalStackClusterTemplate", "/spec/template/metadata/annotations", "object"),
        ("MetalStackClusterTemplate", "/spec/template/spec", "object"),
        ("MetalStackMachine", "/spec/providerID", "string"),
        ("MetalStackMachine", "/status/initialization/provisioned", "boolean"),
        ("MetalStackMachine", "/status/addresses", "array"),
        ("MetalStackMachine", "/status/failureDomain", "string"),
        ("MetalStackMachine", "/status/conditions", "array"),
        ("MetalStackMachineTemplate", "/spec/template/metadata/labels", "object"),
        ("MetalStackMachineTemplate", "/spec/template/metadata/annotations", "object"),
        ("MetalStackMachineTemplate", "/spec/template/spec", "object"),
        ("MetalStackMachineTemplate", "/status/capacity", "object"),
        ("MetalStackMachineTemplate", "/status/nodeInfo/architecture", "string"),
        ("MetalStackMachineTemplate", "/status/nodeInfo/operatingSystem", "string"),
    ];
    for (kind, path, kind_of_value) in cases {
        let crd = our(kind);
        let pointer = path.replace('/', "/properties/");
        assert_eq!(schema_of(&crd).pointer(&pointer).map(|s| &s["type"]), Some(&json!(kind_of_value)), "{kind} {path}");
    }
}

/// Cluster API would copy it over the failure domain that the Machine asks for, even an empty one.
#[test]
fn the_spec_of_a_machine_has_no_failure_domain() {
    let machine = our("MetalStackMachine");
    assert_eq!(schema_of(&machine)["properties"]["spec"]["properties"].get("failureDomain"), None);
}

#[test]
fn columns_find_conditions_by_type() {
    for crd in ours() {
        for column in crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap() {
            let path = column["jsonPath"].as_str().unwrap();
            assert!(!path.contains("conditions[") || path.contains("[?(@.type=="), "{path}");
        }
    }
}

/// Lists that several write, and lists of conditions among them, are merged entry by entry.
#[test]
fn conditions_are_merged_by_type() {
    fn conditions<'a>(schema: &'a Value, found: &mut Vec<&'a Value>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if name == "conditions" {
                found.push(property);
            }
            conditions(property, found);
        }
    }
    let crds = ours();
    let mut found = Vec::new();
    crds.iter().for_each(|crd| conditions(schema_of(crd), &mut found));
    assert_eq!(found.len(), 4);
    for list in found {
        assert_eq!(list["x-kubernetes-list-type"], "map");
        assert_eq!(list["x-kubernetes-list-map-keys"], json!(["type"]));
    }
}
