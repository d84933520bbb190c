//! The cluster templates of clusterctl: what the renderer makes of three small definitions, with clusterctl's variables in
//! place of their values. Names and variables are those of CAPMS's templates; its defects (T1 to T8) are not.

use super::envsubst::{filled, uses};
use super::{documents, folder};
use model::tree::MemoryTree;
use model::{FleetName, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "cluster-of-nobody";
const NAMESPACE: &str = "namespace-of-nobody";
const ADDRESS: &str = "192.0.2.1";
const NETWORK: &str = "00000000-0000-4000-8000-000000000000";
const POOL: &str = "md-0";
const PODS: &str = "10.240.0.0/12";

/// A JSON list, as CAPMS has it. The default stands at each place: clusterctl fills none in elsewhere (T1).
const POD_CIDR: &str = r#"${POD_CIDR:=["10.240.0.0/12"]}"#;
/// The first of the Cluster's ranges, as the Helm add-on provider sees it (T2).
const POD_CIDR_OF_CLUSTER: &str = "{{ index .Cluster.spec.clusterNetwork.pods.cidrBlocks 0 }}";

struct Flavor {
    /// As users name it; empty for the default.
    name: &'static str,
    wish: &'static str,
    version: &'static str,
    about: &'static str,
}

const FLAVORS: [Flavor; 3] = [
    Flavor { name: "", wish: "default", version: "1.34.2", about: "Kubernetes 1.33 and newer, without a CNI." },
    Flavor {
        name: "calico",
        wish: "calico",
        version: "1.34.2",
        about: "Kubernetes 1.33 and newer, with Calico and metal-stack's cloud controller manager. The Helm add-on \
            provider installs Calico. The credentials of the cloud controller manager are copied by the provider from \
            the Secret METAL_CCM_CREDENTIALS: none is in this file.",
    },
    Flavor { name: "pre-v1.33", wish: "pre-v1.33", version: "1.32.9", about: "Kubernetes before 1.33, without a CNI." },
];

impl Flavor {
    fn path(&self) -> String {
        let suffix = if self.name.is_empty() { String::new() } else { format!("-{}", self.name) };
        format!("clusterctl/cluster-template{suffix}.yaml")
    }
}

pub(super) fn files() -> Vec<(String, String)> {
    FLAVORS.iter().map(|flavor| (flavor.path(), template(flavor))).collect()
}

fn template(flavor: &Flavor) -> String {
    let mut objects = rendered(flavor);
    let names = renamed(&objects);
    objects.iter_mut().for_each(|object| with_variables(flavor, object, &names));
    let mut text = format!("# {} Variables: example_variables.rc.\n", wrapped(flavor.about));
    for object in objects {
        text.push_str("---\n");
        text.push_str(&serde_yaml::to_string(&object).unwrap());
    }
    text
}

fn wrapped(about: &str) -> String {
    let mut lines = vec![String::new()];
    for word in about.split(' ') {
        if lines.last().unwrap().len() + word.len() > 100 {
            lines.push(String::new());
        }
        let line = lines.last_mut().unwrap();
        line.push_str(if line.is_empty() { "" } else { " " });
        line.push_str(word);
    }
    lines.join("\n# ")
}

/// What the renderer makes of the smallest definition of the flavor.
fn rendered(flavor: &Flavor) -> Vec<Value> {
    let mut tree = MemoryTree::default();
    for (path, text) in fleet::init::files(&FleetName::parse("nobodys").unwrap()) {
        tree.files.insert(path, text.into_bytes());
    }
    let definition = json!({
        "apiVersion": "fleet.metal-stack.io/v1alpha1",
        "kind": "ClusterDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "flavor": flavor.wish,
            "target": {"namespace": NAMESPACE},
            "kubernetes": {"version": flavor.version},
            "network": {"pods": [PODS], "services": ["10.96.0.0/12"]},
            "pools": [{"name": POOL, "replicas": 1}],
        },
    });
    let path = "stages/development/clusters/nobodys/cluster.yaml";
    tree.files.insert(path.to_owned(), definition.to_string().into_bytes());
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    let loaded = fleet::load(&tree.tree(), &mut fleet::Memo::default(), now);
    let wanted = loaded.want.clusters.values().next().unwrap_or_else(|| panic!("{:?}", loaded.findings));
    let rendered = render::cluster(wanted, &render::placeholder_lock(wanted), &|_| None);
    let read = |file: &str| {
        let found = rendered.files.iter().find(|(path, _)| path.ends_with(&format!("/{file}")));
        found.map(|(_, bytes)| documents(std::str::from_utf8(bytes).unwrap())).unwrap_or_default()
    };
    let files = ["infrastructure.yaml", "templates.yaml", "control-plane.yaml", "pools.yaml", "addons.yaml"];
    files.into_iter().flat_map(read).collect()
}

/// Names that end with a digest, or that CAPMS writes in another way, and what they become.
fn renamed(objects: &[Value]) -> BTreeMap<String, String> {
    let rename = |object: &Value| {
        let name = object["metadata"]["name"].as_str().unwrap();
        let new = match object["kind"].as_str().unwrap() {
            "KubeadmControlPlane" => "controlplane",
            "MetalStackMachineTemplate" if name.starts_with(&format!("{NAME}-control-plane")) => "controlplane",
            "MetalStackMachineTemplate" => "worker",
            "KubeadmConfigTemplate" => POOL,
            "ClusterResourceSet" => "metal-ccm",
            _ => return None,
        };
        Some((name.to_owned(), format!("{NAME}-{new}")))
    };
    let renamed: Vec<_> = objects.iter().filter_map(rename).collect();
    let names: BTreeMap<_, _> = renamed.iter().cloned().collect();
    assert_eq!(names.len(), renamed.len(), "two kinds with one name would get one name: {renamed:?}");
    names
}

fn with_variables(flavor: &Flavor, object: &mut Value, names: &BTreeMap<String, String>) {
    // What tools of a fleet are told; and whose the slots are: here the provider's.
    object["metadata"].as_object_mut().unwrap().remove("annotations");
    let is_control_plane = object["metadata"]["name"].as_str().unwrap().contains("-control-plane");
    strings(object, &mut |text| {
        let renamed = names.get(text).map_or(text, String::as_str);
        renamed
            .replace(&format!("{NAMESPACE}.{NAME}"), "${NAMESPACE}.${CLUSTER_NAME}")
            .replace(NAMESPACE, "${NAMESPACE}")
            .replace(NAME, "${CLUSTER_NAME}")
            .replace(ADDRESS, "${CONTROL_PLANE_IP}")
            .replace(NETWORK, "${METAL_NODE_NETWORK_ID}")
            .replace("00000000-0000-0000-0000-000000000001", "${METAL_PROJECT_ID}")
            .replace("muc-a", "${METAL_PARTITION}")
            .replace(&format!("v{}", flavor.version), "${KUBERNETES_VERSION}")
    });
    let kind = object["kind"].as_str().unwrap().to_owned();
    match kind.as_str() {
        "Cluster" => {
            let network = object["spec"]["clusterNetwork"].as_object_mut().unwrap();
            network.remove("services");
            network["pods"]["cidrBlocks"] = json!(POD_CIDR);
        }
        "MetalStackCluster" if flavor.name == "calico" => {
            object["metadata"]["annotations"] = json!({provider::names::CCM_CREDENTIALS: "${METAL_CCM_CREDENTIALS}"});
        }
        // Not null, which API servers refuse: empty is absent to the provider, and the network is then allocated (T6). The
        // cloud controller manager is told its id, so that with calico it must be known.
        "MetalStackCluster" => object["spec"]["nodeNetworkID"] = json!(r#"${METAL_NODE_NETWORK_ID:=""}"#),
        "MetalStackFirewallDeployment" => {
            object["spec"].as_object_mut().unwrap().remove("managedResourceRef");
        }
        "MetalStackFirewallTemplate" => {
            object["spec"]["size"] = json!("${FIREWALL_MACHINE_SIZE}");
            object["spec"]["image"] = json!("${FIREWALL_MACHINE_IMAGE}");
            object["spec"]["networks"] = json!(r#"${FIREWALL_EXTERNAL_NETWORKS:=["internet"]}"#);
            // Of a fleet's own metal-api: HTTPS goes out in any case.
            let egress = object["spec"]["initialRuleSet"]["egress"].as_array_mut().unwrap();
            egress.retain(|rule| rule["to"] == json!(["0.0.0.0/0"]));
        }
        "MetalStackMachineTemplate" => {
            let role = if is_control_plane { "CONTROL_PLANE" } else { "WORKER" };
            let spec = &mut object["spec"]["template"]["spec"];
            spec["size"] = json!(format!("${{{role}_MACHINE_SIZE}}"));
            // The image follows the version (T8).
            let default = "capms-ubuntu-${KUBERNETES_VERSION#v}";
            spec["image"] = json!(format!("${{{role}_MACHINE_IMAGE:={default}}}"));
        }
        "KubeadmControlPlane" => object["spec"]["replicas"] = json!("${CONTROL_PLANE_MACHINE_COUNT}"),
        "MachineDeployment" => {
            object["spec"]["replicas"] = json!("${WORKER_MACHINE_COUNT}");
            for labels in ["/metadata/labels", "/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
                object.pointer_mut(labels).unwrap()["nodepool"] = json!("nodepool-0");
            }
        }
        "HelmChartProxy" => {
            let values = object["spec"]["valuesTemplate"].as_str().unwrap();
            assert_eq!(values.matches(PODS).count(), 1);
            object["spec"]["valuesTemplate"] = json!(values.replace(PODS, POD_CIDR_OF_CLUSTER));
        }
        "ConfigMap" => {
            let data = object["data"].as_object_mut().unwrap();
            data.values_mut().for_each(|text| *text = json!(with_pod_cidr(text.as_str().unwrap())));
        }
        "KubeadmConfigTemplate" | "ClusterResourceSet" => {}
        other => panic!("what are the variables of a {other}?"),
    }
}

/// The cloud controller manager takes the range as an argument of its own: the list of the variable is the container's
/// list of arguments (T2).
fn with_pod_cidr(deployment: &str) -> String {
    let flag = format!("- --cluster-cidr={PODS}");
    let mut out = String::new();
    let mut done = (false, false);
    for line in deployment.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.trim() == flag {
            done.0 = true;
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if line.trim() == "- --v=2" {
            done.1 = true;
            out.push_str(&format!("{indent}- --cluster-cidr\n{indent}args: {POD_CIDR}\n"));
        }
    }
    assert_eq!(done, (true, true), "{deployment}");
    out
}

fn strings(value: &mut Value, with: &mut dyn FnMut(&str) -> String) {
    match value {
        Value::String(text) => *text = with(text),
        Value::Array(items) => items.iter_mut().for_each(|item| strings(item, with)),
        Value::Object(fields) => fields.values_mut().for_each(|field| strings(field, with)),
        _ => {}
    }
}

/// What clusterctl itself brings.
pub(super) const CLUSTERCTL: [(&str, &str); 5] = [
    ("CLUSTER_NAME", "shop"),
    ("NAMESPACE", "default"),
    ("KUBERNETES_VERSION", "v1.34.2"),
    ("CONTROL_PLANE_MACHINE_COUNT", "3"),
    ("WORKER_MACHINE_COUNT", "2"),
];

/// The committed file of variables, as a shell reads it.
pub(super) fn example() -> String {
    std::fs::read_to_string(folder().join("clusterctl/example_variables.rc")).unwrap()
}

pub(super) fn variables(file: &str) -> BTreeMap<&str, &str> {
    let exports = file.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    exports.map(|(name, value)| (name, value.trim_matches('\''))).collect()
}

/// Path, template, and what it makes of the example's variables.
pub(super) fn all_filled() -> Vec<(String, Vec<Value>)> {
    let example = example();
    let mut values = variables(&example);
    values.extend(CLUSTERCTL);
    let fill = |(path, text): (String, String)| {
        let filled = filled(&text, &values).unwrap_or_else(|name| panic!("{path}: no {name}"));
        (path, documents(&filled))
    };
    files().into_iter().map(fill).collect()
}

#[test]
fn variables_are_those_of_capms_and_the_example_has_them() {
    let everywhere = [
        "CLUSTER_NAME",
        "CONTROL_PLANE_IP",
        "CONTROL_PLANE_MACHINE_COUNT",
        "CONTROL_PLANE_MACHINE_IMAGE",
        "CONTROL_PLANE_MACHINE_SIZE",
        "FIREWALL_EXTERNAL_NETWORKS",
        "FIREWALL_MACHINE_IMAGE",
        "FIREWALL_MACHINE_SIZE",
        "KUBERNETES_VERSION",
        "METAL_NODE_NETWORK_ID",
        "METAL_PARTITION",
        "METAL_PROJECT_ID",
        "NAMESPACE",
        "POD_CIDR",
        "WORKER_MACHINE_COUNT",
        "WORKER_MACHINE_IMAGE",
        "WORKER_MACHINE_SIZE",
    ];
    let mut asked = BTreeSet::new();
    for (path, text) in files() {
        let mut names: BTreeSet<_> = uses(&text).into_iter().map(|place| place.name).collect();
        asked.extend(names.clone());
        assert_eq!(names.remove("METAL_CCM_CREDENTIALS"), path.contains("calico"), "{path}");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), everywhere, "{path}");
    }
    for (name, _) in CLUSTERCTL {
        asked.remove(name);
    }
    // T3: nothing that nobody reads, commented ones included; and each list is one.
    let file = example().replace("# export ", "export ");
    let known = variables(&file);
    assert_eq!(known.keys().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), asked);
    for name in ["POD_CIDR", "FIREWALL_EXTERNAL_NETWORKS"] {
        assert!(serde_json::from_str::<Vec<String>>(known[name]).is_ok_and(|list| list.len() == 1), "{name}");
    }
}

#[test]
fn a_default_stands_wherever_its_variable_does() {
    // T1: clusterctl asks for no variable that has a default at its first place, and fills in nothing at the others.
    for (path, text) in files() {
        let mut defaults: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for place in uses(&text) {
            defaults.entry(place.name).or_default().insert(place.default);
        }
        for (name, defaults) in defaults {
            assert_eq!(defaults.len(), 1, "{path}: {name} has {defaults:?}");
        }
    }
}

#[test]
fn one_pod_range_is_everywhere() {
    let (_, objects) = all_filled().into_iter().find(|(path, _)| path.contains("calico")).unwrap();
    let text = |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    assert_eq!(of("Cluster")["spec"]["clusterNetwork"]["pods"]["cidrBlocks"], json!([PODS]));
    assert!(text(of("HelmChartProxy"), "/spec/valuesTemplate").contains(&format!("cidr: {POD_CIDR_OF_CLUSTER}\n")));
    let inner = documents(&text(of("ConfigMap"), "/data/deploy.yaml"));
    let deployment = inner.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let command = container["command"].as_array().unwrap();
    assert_eq!((command.last().unwrap(), &container["args"]), (&json!("--cluster-cidr"), &json!([PODS])));
    let environment = container["env"].as_array().unwrap();
    let networks = environment.iter().find(|variable| variable["name"] == "METAL_ADDITIONAL_NETWORKS").unwrap();
    assert_eq!(networks["value"], "internet,5f14fb21-bcd2-48fb-9485-4c3ac7a05ddb");
    // Nowhere by hand (T2).
    for (path, text) in files() {
        assert_eq!(text.replace(POD_CIDR, "").matches("10.240.").count(), 0, "{path}");
    }
}

#[test]
fn every_object_has_its_namespace_and_none_a_secret() {
    for (path, text) in files() {
        for object in documents(&text) {
            assert_eq!(object["metadata"]["namespace"], "${NAMESPACE}", "{path}: {}", object["kind"]);
            assert_ne!(object["kind"], "Secret", "{path}");
        }
        assert!(!text.contains("HMAC}"), "{path}");
    }
}

#[test]
fn the_image_follows_the_version_unless_it_is_given() {
    for given in [None, Some("own-image-1")] {
        let example = example();
        let mut values = variables(&example);
        values.extend(CLUSTERCTL);
        if let Some(image) = given {
            values.extend([("CONTROL_PLANE_MACHINE_IMAGE", image), ("WORKER_MACHINE_IMAGE", image)]);
        }
        for (path, text) in files() {
            let objects = documents(&filled(&text, &values).unwrap());
            let templates = objects.iter().filter(|object| object["kind"] == "MetalStackMachineTemplate");
            let images: Vec<_> = templates.map(|object| &object["spec"]["template"]["spec"]["image"]).collect();
            assert_eq!(images, vec![given.unwrap_or("capms-ubuntu-1.34.2"); 2], "{path}");
        }
    }
}
