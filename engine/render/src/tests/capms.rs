//! The output means what CAPMS's own templates mean, filled with the same values: both sides as maps of pointer to
//! scalar, nested YAML decoded, and every difference in one table with its reason.

use super::crds::shared_data;
use super::fixtures::*;
use model::want::{Flavor, Wanted};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A difference, with `*` for any characters in the first three: where, what CAPMS has, what we have (`-` for nothing),
/// and why.
type Row = (&'static str, &'static str, &'static str, &'static str);

/// Of every template.
const COMMON: &[Row] = &[
    ("* /metadata/annotations/argocd.argoproj.io/sync-options", "-", "Prune=false,Delete=false", "guard (R2)"),
    ("* /metadata/annotations/kustomize.toolkit.fluxcd.io/prune", "-", "disabled", "guard (R2)"),
    ("* /metadata/labels/cluster.x-k8s.io/cluster-name", "-", "billing", "every object says whose it is"),
    ("* /metadata/namespace", "-", "payments", "T4"),
    ("Cluster /spec/clusterNetwork/services/cidrBlocks/0", "-", "10.248.0.0/16", "from the policy, as pods are"),
    ("Cluster /spec/controlPlaneRef/name", "billing-controlplane", "billing-control-plane", "name"),
    ("KubeadmControlPlane /metadata/name", "billing-controlplane", "billing-control-plane", "name"),
    ("KubeadmControlPlane /spec/rollout/strategy/type", "-", "RollingUpdate", "what the API server fills in"),
    ("KubeadmControlPlane /spec/rollout/strategy/rollingUpdate/maxSurge", "-", "1", "what the API server fills in"),
    ("MachineDeployment /spec/rollout/strategy/type", "-", "RollingUpdate", "what the API server fills in"),
    ("MachineDeployment /spec/rollout/strategy/rollingUpdate/maxSurge", "-", "1", "pools[].maxSurge"),
    ("MachineDeployment /spec/rollout/strategy/rollingUpdate/maxUnavailable", "-", "0", "pools[].maxUnavailable"),
    ("MachineDeployment /metadata/labels/nodepool", "nodepool-0", "md-0", "the pool's name"),
    ("MachineDeployment /spec/selector/matchLabels/nodepool", "nodepool-0", "md-0", "the pool's name"),
    ("MachineDeployment /spec/template/metadata/labels/nodepool", "nodepool-0", "md-0", "the pool's name"),
    (
        "MachineDeployment /spec/template/spec/bootstrap/configRef/name",
        "billing-md-0",
        "billing-md-0-*",
        "hash name (R1)",
    ),
    (
        "MachineDeployment /spec/template/spec/infrastructureRef/name",
        "billing-worker",
        "billing-md-0-*",
        "hash name (R1)",
    ),
    ("KubeadmConfigTemplate /metadata/name", "billing-md-0", "billing-md-0-*", "hash name (R1)"),
    ("MetalStackMachineTemplate(pool) /metadata/name", "billing-worker", "billing-md-0-*", "hash name (R1)"),
    (
        "MetalStackMachineTemplate(control plane) /metadata/name",
        "billing-controlplane",
        "billing-control-plane-*",
        "hash name (R1)",
    ),
    ("MetalStackCluster /metadata/annotations/fleet.metal-stack.io/engine-slots", "-", "network,vip,firewall", "R7"),
    ("MetalStackCluster /spec/controlPlaneEndpoint/host", "-", "198.18.0.5", "known before it is applied (R7)"),
    ("MetalStackCluster /spec/controlPlaneEndpoint/port", "-", "443", "known before it is applied (R7)"),
    ("MetalStackFirewallDeployment /spec/autoUpdate/machineImage", "true", "false", "R3"),
    ("MetalStackFirewallDeployment /spec/managedResourceRef/name", "-", "metal://muc-a/*", "R3: the engine's firewall"),
];

/// Of templates of contract v1beta2.
const V1BETA2: &[Row] = &[(
    "KubeadmControlPlane /spec/machineTemplate/spec/infrastructureRef/name",
    "billing-controlplane",
    "billing-control-plane-*",
    "hash name (R1)",
)];

/// Of templates without add-ons.
const BARE: &[Row] = &[(
    "Cluster /metadata/labels/cluster.metal-stack.io/infrastructure-provider",
    "-",
    "metal-stack",
    "add-ons find every cluster by it",
)];

/// Of templates with add-ons.
const ADDONS: &[Row] = &[
    ("ClusterResourceSet /metadata/name", "billing-metal-ccm", "billing-metal-ccm-*", "hash name (R13)"),
    ("ClusterResourceSet /spec/resources/*/name", "billing-crs-cloud-controller-manager", "billing-metal-ccm", "name"),
    ("ConfigMap /metadata/name", "billing-crs-cloud-controller-manager", "billing-metal-ccm", "name"),
    ("Secret /*", "*", "-", "T7, R12: no secret is in Git"),
];

/// Of the template that was left at contract v1beta1; what it means is the same.
const V1BETA1: &[Row] = &[
    ("* /apiVersion", "*/v1beta1", "*/v1beta2", "v1beta2"),
    ("Cluster /spec/*Ref/namespace", "payments", "-", "v1beta2: a reference has no namespace"),
    ("*Ref/apiVersion", "*", "-", "v1beta2: a reference has a group"),
    ("*Ref/apiGroup", "-", "*", "v1beta2: a reference has a group"),
    ("* /spec/*Args/cloud-provider", "external", "-", "v1beta2: a list"),
    ("* /spec/*Args/0/name", "-", "cloud-provider", "v1beta2: a list"),
    ("* /spec/*Args/0/value", "-", "external", "v1beta2: a list"),
    ("* /spec/*clusterConfiguration/apiServer/extraArgs", "{}", "-", "an empty map says nothing"),
    ("KubeadmControlPlane /spec/machineTemplate/infrastructureRef/*", "*", "-", "v1beta2: below spec"),
    ("KubeadmControlPlane /spec/machineTemplate/spec/infrastructureRef/*", "-", "*", "v1beta2: below spec"),
    ("KubeadmControlPlane /spec/machineTemplate/nodeDrainTimeout", "10m", "-", "v1beta2: seconds"),
    ("KubeadmControlPlane /spec/machineTemplate/spec/deletion/nodeDrainTimeoutSeconds", "-", "600", "v1beta2: seconds"),
    ("MachineDeployment /spec/template/spec/nodeDrainTimeout", "120s", "-", "v1beta2: seconds"),
    ("MachineDeployment /spec/template/spec/deletion/nodeDrainTimeoutSeconds", "-", "120", "v1beta2: seconds"),
];

/// What the templates leave open, as clusterctl takes it from the environment.
fn variables(version: &str) -> BTreeMap<&'static str, String> {
    let image = format!("capms-ubuntu-{version}");
    [
        ("CLUSTER_NAME", "billing".to_owned()),
        ("NAMESPACE", "payments".to_owned()),
        ("KUBERNETES_VERSION", format!("v{version}")),
        ("CONTROL_PLANE_MACHINE_COUNT", "3".to_owned()),
        ("WORKER_MACHINE_COUNT", "4".to_owned()),
        ("METAL_PROJECT_ID", "00000000-0000-0000-0000-000000000001".to_owned()),
        ("METAL_PARTITION", "muc-a".to_owned()),
        ("METAL_NODE_NETWORK_ID", NODE_NETWORK.to_owned()),
        ("CONTROL_PLANE_IP", "198.18.0.5".to_owned()),
        ("FIREWALL_MACHINE_IMAGE", "firewall-ubuntu-3.0.20251101".to_owned()),
        ("FIREWALL_MACHINE_SIZE", "n1-medium-x86".to_owned()),
        ("CONTROL_PLANE_MACHINE_SIZE", "c1-large-x86".to_owned()),
        ("CONTROL_PLANE_MACHINE_IMAGE", image.clone()),
        ("WORKER_MACHINE_SIZE", "n1-medium-x86".to_owned()),
        ("WORKER_MACHINE_IMAGE", image),
        ("METAL_API_URL", "https://metal.example.com/metal".to_owned()),
        ("METAL_API_HMAC", "not-a-secret".to_owned()),
        ("METAL_API_HMAC_AUTH_TYPE", "Metal-Admin".to_owned()),
    ]
    .into()
}

/// As clusterctl does it: `${NAME}` and `${NAME:=default}`. A variable may be unset when its first occurrence has a
/// default; a later one without gets nothing (T1).
fn substituted(text: &str, variables: &BTreeMap<&str, String>) -> String {
    let (mut out, mut rest, mut seen) = (String::new(), text, BTreeMap::new());
    while let Some((before, after)) = rest.split_once("${") {
        let (expression, after) = after.split_once('}').unwrap();
        let (name, default) = expression.split_once(":=").map_or((expression, None), |(n, d)| (n, Some(d)));
        let optional = *seen.entry(name).or_insert(default.is_some());
        let value = variables.get(name).map(String::as_str).or(default);
        assert!(value.is_some() || optional, "{name} has no value");
        out.push_str(before);
        out.push_str(value.unwrap_or_default());
        rest = after;
    }
    out + rest
}

fn template(file: &str, variables: &BTreeMap<&str, String>) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(shared_data()?.join("capms-templates").join(file)).ok()?;
    Some(documents(substituted(&text, variables).as_bytes()))
}

/// Every scalar with its place; text that is YAML is walked too, `>` before the number of the document.
fn flat(value: &Value, place: &str, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(key, value)| flat(value, &format!("{place}/{key}"), out));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(i, value)| flat(value, &format!("{place}/{i}"), out));
        }
        Value::String(text) if text.contains('\n') => {
            for (i, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
                flat(&Value::deserialize(document).unwrap(), &format!("{place}/>{i}"), out);
            }
        }
        // Text and not a number with the same digits.
        other => drop(out.insert(place.to_owned(), other.to_string())),
    }
}

/// What an object is called in the table: its kind, and its part where there are several.
fn role(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap();
    let name = crate::kinds::name_of(object);
    match kind {
        "MetalStackMachineTemplate" if name.contains("control") => format!("{kind}(control plane)"),
        "MetalStackMachineTemplate" => format!("{kind}(pool)"),
        _ => kind.to_owned(),
    }
}

fn all(objects: &[Value]) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut roles = Vec::new();
    for object in objects {
        let role = role(object);
        assert!(!roles.contains(&role), "two {role}");
        flat(object, &format!("{role} "), &mut out);
        roles.push(role);
    }
    out
}

fn glob(pattern: &str, text: &str) -> bool {
    let target = json!({"kind": "x", "name": pattern});
    serde_json::from_value::<model::patch::PatchTarget>(target).unwrap().matches("", "x", text)
}

/// Fails on differences that are not in the table, and on rows that are no difference.
fn check(theirs: &[Value], ours: &[Value], rows: &[Row]) {
    let (theirs, ours) = (all(theirs), all(ours));
    let places: std::collections::BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
    let mut used = vec![false; rows.len()];
    let mut unexplained = String::new();
    for place in places {
        let of = |side: &BTreeMap<String, String>| {
            side.get(place).map_or("-".to_owned(), |v| v.trim_matches('"').to_owned())
        };
        if theirs.get(place) == ours.get(place) {
            continue;
        }
        let (their, our) = (of(&theirs), of(&ours));
        let fits = |row: &Row| glob(row.0, place) && glob(row.1, &their) && glob(row.2, &our);
        match rows.iter().position(fits) {
            Some(at) => used[at] = true,
            None => unexplained += &format!("    (\"{place}\", \"{their}\", \"{our}\", \"\"),\n"),
        }
    }
    let unused: Vec<_> = rows.iter().zip(used).filter(|(_, used)| !used).map(|(row, _)| row).collect();
    assert!(unexplained.is_empty() && unused.is_empty(), "not in the table:\n{unexplained}no difference: {unused:#?}");
}

fn cluster(flavor: Flavor) -> Wanted {
    with(wanted("billing", flavor), |e| {
        e.labels.clear();
        e.pods.value = cidr("10.240.0.0/12");
        e.control_plane.replicas.value = 3;
        e.pools = vec![pool("md-0", 4, &e.version.to_string())];
        // The templates do not know the metal-api as nodes see it.
        e.firewall.node_api_cidrs.clear();
    })
}

fn compare(file: &str, wanted: &Wanted, variables: &BTreeMap<&str, String>, rows: &[&[Row]]) {
    let Some(theirs) = template(file, variables) else {
        return eprintln!("skipped {file}: no templates (FERROFLEET_SHARED_DATA)");
    };
    let mut ours = objects(&rendered(wanted));
    ours.retain(|object| object["kind"] != "Kustomization");
    check(&theirs, &ours, &rows.concat());
}

#[test]
fn default_means_the_same() {
    let wanted = cluster(Flavor::Default);
    compare("cluster-template.yaml", &wanted, &variables("1.34.2"), &[COMMON, V1BETA2, BARE]);
}

#[test]
fn pre_v1_33_means_the_same() {
    let wanted = cluster(Flavor::PreV133);
    compare("cluster-template-pre-v1.33.yaml", &wanted, &variables("1.32.9"), &[COMMON, V1BETA2, BARE]);
}

#[test]
fn calico_means_the_same() {
    let wanted = cluster(Flavor::Calico);
    compare("cluster-template-calico.yaml", &wanted, &variables("1.34.2"), &[COMMON, V1BETA2, ADDONS]);
}

#[test]
fn calico_lab_means_the_same() {
    // The lab's one rule more stands between the others: whoever wants that order writes them all.
    let lab = with(cluster(Flavor::Calico), |e| {
        let rule = json!({"comment": "allow outgoing traffic to control plane for ccm", "ports": [8080], "protocol": "TCP", "to": ["0.0.0.0/0"]});
        let mut rules = e.firewall.rules(e.api_port.value);
        rules.egress.insert(2, serde_json::from_value(rule).unwrap());
        e.firewall.base_rules.value = false;
        (e.firewall.written_egress, e.firewall.written_ingress) = (rules.egress, rules.ingress);
    });
    compare("cluster-template-calico-lab.yaml", &lab, &variables("1.34.2"), &[V1BETA1, COMMON, ADDONS]);
}

#[test]
fn t2_a_pod_network_of_ones_own_reaches_every_copy() {
    let wanted = with(cluster(Flavor::Calico), |e| e.pods.value = cidr("10.240.0.0/13"));
    let mut variables = variables("1.34.2");
    variables.insert("POD_CIDR", "[\"10.240.0.0/13\"]".to_owned());
    let copies: &[Row] = &[
        ("HelmChartProxy /spec/valuesTemplate/*/cidr", "10.240.0.0/12", "10.240.0.0/13", "T2"),
        ("ConfigMap /data/*", "--cluster-cidr=10.240.0.0/12", "--cluster-cidr=10.240.0.0/13", "T2"),
    ];
    compare("cluster-template-calico.yaml", &wanted, &variables, &[COMMON, V1BETA2, ADDONS, copies]);
}

#[test]
fn t1_t6_a_network_that_nobody_named_is_resolved_and_not_null() {
    let mut variables = variables("1.34.2");
    variables.remove("METAL_NODE_NETWORK_ID");
    let resolved: &[Row] = &[
        ("MetalStackCluster /spec/nodeNetworkID", "null", NODE_NETWORK, "T6"),
        ("ConfigMap /data/*", "internet,", "internet,8d2b7c55-*", "T1"),
    ];
    let rows = [COMMON, V1BETA2, ADDONS, resolved];
    compare("cluster-template-calico.yaml", &cluster(Flavor::Calico), &variables, &rows);
}

#[test]
#[should_panic(expected = "not in the table:\n    (\"Cluster /spec/a\", \"1\", \"2\", \"\")")]
fn a_difference_that_is_not_in_the_table_fails() {
    let object = |value: u8| json!({"kind": "Cluster", "spec": {"a": value, "b": "- x: 1\n"}});
    check(&[object(1)], &[object(2)], &[]);
}

#[test]
#[should_panic(expected = "no difference: [\n    (\n        \"Cluster /spec/b\"")]
fn a_row_that_is_no_difference_fails() {
    let object = json!({"kind": "Cluster", "spec": {"a": 1}});
    check(std::slice::from_ref(&object), std::slice::from_ref(&object), &[("Cluster /spec/b", "*", "*", "gone")]);
}
