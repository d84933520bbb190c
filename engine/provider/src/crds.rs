//! What is installed into a management cluster before the provider: its kinds, and what the API server checks for it.

use crate::api::{
    GROUP, MetalStackCluster, MetalStackClusterTemplate, MetalStackFirewallDeployment, MetalStackFirewallTemplate,
    MetalStackMachine, MetalStackMachineTemplate, VERSION,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceSubresourceStatus, CustomResourceSubresources, JSONSchemaProps,
    JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::{Value, json};

/// The kinds, by name.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        finished(MetalStackCluster::crd()),
        finished(MetalStackClusterTemplate::crd()),
        finished(MetalStackFirewallDeployment::crd()),
        finished(MetalStackFirewallTemplate::crd()),
        finished(MetalStackMachine::crd()),
        finished(MetalStackMachineTemplate::crd()),
    ]
}

/// A `ValidatingAdmissionPolicy` and its binding: the spec of a machine template cannot be changed.
///
/// Cluster API notices another template by its name only, so that a change would reach some machines of a pool and not
/// others. It tries changes out with dry runs, which it marks; a rule in the schema could not let those pass, because it
/// does not see the request.
pub fn admission() -> Vec<Value> {
    let name = MetalStackMachineTemplate::crd_name();
    let spec = "?spec.?template.?spec";
    let labels = json!({PROVIDER.0: PROVIDER.1});
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [GROUP],
                "apiVersions": [VERSION],
                "operations": ["UPDATE"],
                "resources": ["metalstackmachinetemplates"],
            }]},
            "matchConditions": [{
                "name": "not-a-dry-run-of-a-topology",
                "expression": "!(request.?dryRun.orValue(false) && \
                    'topology.cluster.x-k8s.io/dry-run' in object.metadata.?annotations.orValue({}))",
            }],
            "validations": [{
                "expression": format!("object.{spec} == oldObject.{spec}"),
                "message": "spec.template.spec of a MetalStackMachineTemplate cannot be changed: make a template of \
                    another name and name it in the MachineDeployment or KubeadmControlPlane, so that its machines \
                    are replaced in turn",
                "reason": "Invalid",
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name, "labels": labels},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    vec![policy, binding]
}

/// All of it as manifests.
pub fn objects() -> Vec<Value> {
    crds().iter().map(|crd| json!(crd)).chain(admission()).collect()
}

/// All of it as files, by name.
pub fn files() -> Vec<(String, String)> {
    let crd = |crd: &CustomResourceDefinition| {
        let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
        (name, document(&json!(crd)))
    };
    let mut files: Vec<_> = crds().iter().map(crd).collect();
    let admission: String = admission().iter().map(document).collect();
    files.push(("machine-template-admission.yaml".to_owned(), admission));
    files
}

/// All of it as one stream of YAML documents.
pub fn yaml() -> String {
    objects().iter().map(document).collect()
}

pub(crate) const PROVIDER: (&str, &str) = ("cluster.x-k8s.io/provider", "infrastructure-metal-stack");

/// Cluster API finds the version of a kind by its labels: the contract that it keeps, and its versions that keep it.
const LABELS: [(&str, &str); 3] =
    [PROVIDER, ("cluster.x-k8s.io/v1beta1", VERSION), ("cluster.x-k8s.io/v1beta2", VERSION)];

/// Kinds whose objects CAPMS admits without a spec.
const WITHOUT_SPEC: [&str; 3] = ["MetalStackCluster", "MetalStackMachine", "MetalStackMachineTemplate"];

/// What the derive macro cannot say.
fn finished(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    crd.metadata.labels = Some(LABELS.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect());
    // Nothing owns a firewall's template: it is a person's or Git's, and goes with no other object (D15). `clusterctl move`
    // follows owners, and takes along what has this label.
    if crd.spec.names.kind == "MetalStackFirewallTemplate" {
        let labels = crd.metadata.labels.get_or_insert_default();
        labels.insert("clusterctl.cluster.x-k8s.io/move".to_owned(), String::new());
    }
    crd.spec.names.list_kind = Some(format!("{}List", crd.spec.names.kind));
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let Some(schema) = schema else { continue };
        plain(schema);
        if WITHOUT_SPEC.contains(&crd.spec.names.kind.as_str()) {
            schema.required = None;
        }
        // Declared by CAPMS without a field in it, so that a status that somebody sends is dropped.
        if crd.spec.names.kind == "MetalStackFirewallTemplate" {
            let status = Some(CustomResourceSubresourceStatus(json!({})));
            version.subresources = Some(CustomResourceSubresources { scale: None, status });
        }
    }
    crd
}

/// Optional is absent, never null, as with CAPMS; and names of Rust types say nothing to users.
fn plain(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.title = None;
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        plain(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        plain(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        plain(values);
    }
}

/// One document of a stream.
fn document(value: &Value) -> String {
    let text = serde_yaml::to_string(value).unwrap_or_else(|e| unreachable!("a manifest is YAML: {e}"));
    format!("---\n{text}")
}
