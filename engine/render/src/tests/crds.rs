//! Every rendered object fits the official CRDs, and no field would be pruned.

use super::addons::{VERSIONS, everything};
use super::fixtures::*;
use model::Seconds;
use model::definition::CountOrPercent;
use model::policy::{ImagePolicy, ImageRewrite};
use model::rules::Port;
use model::want::{Autoscale, Effective, HealthCheckSpec, InstalledCni, Setting, Wanted};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Kinds that are no custom resources.
const BUILT_IN: [&str; 2] = ["ConfigMap", "Kustomization"];

pub(super) fn shared_data() -> Option<PathBuf> {
    let dir = std::env::var_os("FERROFLEET_SHARED_DATA").map_or_else(|| "/work/shared/data".into(), PathBuf::from);
    dir.is_dir().then_some(dir)
}

/// The schema of one version as JSON Schema, where unknown fields are errors: the API server would drop them.
fn closed(schema: &Value) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    if map.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
        return json!({"type": ["integer", "string"]});
    }
    let mut out = Map::new();
    for (key, value) in map {
        let value = match (key.as_str(), value) {
            ("properties", Value::Object(fields)) => {
                fields.iter().map(|(name, field)| (name.clone(), closed(field))).collect::<Map<_, _>>().into()
            }
            ("items" | "additionalProperties", Value::Object(_)) => closed(value),
            ("type" | "enum" | "pattern" | "required" | "additionalProperties", _) => value.clone(),
            (limit, Value::Number(_)) => {
                out.insert(limit.to_owned(), value.clone());
                continue;
            }
            _ => continue,
        };
        out.insert(key.clone(), value);
    }
    let open = map.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
    if map.get("type") == Some(&json!("object")) && !open && !map.contains_key("additionalProperties") {
        out.insert("additionalProperties".to_owned(), json!(false));
    }
    Value::Object(out)
}

fn file_of(data: &std::path::Path, group: &str, kind: &str) -> PathBuf {
    let kind = kind.to_lowercase();
    let plural = kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"));
    let file = |folder| data.join("crds").join(folder).join(format!("{group}_{plural}.yaml"));
    ["capi", "capms", "caaph"].into_iter().map(file).find(|path| path.is_file()).expect("a CRD of the kind")
}

#[derive(Default)]
struct Schemas(BTreeMap<(String, String), jsonschema::Validator>);

impl Schemas {
    fn check(&mut self, data: &std::path::Path, object: &Value) {
        let (api, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let (group, version) = api.split_once('/').unwrap();
        let validator = self.0.entry((api.to_owned(), kind.to_owned())).or_insert_with(|| {
            let text = std::fs::read_to_string(file_of(data, group, kind)).unwrap();
            let crd: Value = serde_yaml::from_str(&text).unwrap();
            let versions = crd["spec"]["versions"].as_array().unwrap();
            let found = versions.iter().find(|v| v["name"] == version && v["served"] == true);
            let mut schema = closed(&found.expect("a served version")["schema"]["openAPIV3Schema"]);
            schema["properties"]["metadata"] = json!({"type": "object"});
            jsonschema::validator_for(&schema).unwrap()
        });
        let errors: Vec<_> = validator.iter_errors(object).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{kind} {}: {errors:#?}", object["metadata"]["name"]);
    }
}

/// Every flavor and version, plain and with every field in use.
fn clusters() -> Vec<Wanted> {
    let mut clusters = Vec::new();
    for (flavor, version) in VERSIONS {
        clusters.push(wanted("billing", flavor));
        for cni in [InstalledCni::Calico, InstalledCni::Cilium] {
            clusters.push(with(everything("billing", flavor, version, cni), in_full));
        }
    }
    clusters
}

fn in_full(e: &mut Effective) {
    let health = |max_unhealthy| HealthCheckSpec {
        node_startup_timeout: Setting::built_in(Seconds::minutes(40)),
        unhealthy_timeout: Setting::built_in(Seconds::minutes(15)),
        max_unhealthy,
    };
    e.paused = true;
    e.api_port.value = Port::new(6443).unwrap();
    e.firewall.base_rules.value = false;
    e.control_plane.replicas.value = 5;
    e.control_plane_health = Some(health(None));
    let version = e.version.to_string();
    e.pools = ["a", "b", "c"].map(|name| pool(name, 3, &version)).into();
    e.pools[0].health = Some(health(None));
    e.pools[0].labels = ["team", "node.cluster.x-k8s.io/zone"].map(|key| (key.to_owned(), "x".to_owned())).into();
    e.pools[0].taints = vec![serde_json::from_value(json!({"key": "a", "effect": "NoSchedule"})).unwrap()];
    e.pools[1].health = Some(health(Some(CountOrPercent::Percent(40))));
    e.pools[1].autoscale = Some(Autoscale { min: 5, max: 9 });
    e.pools[2].health = Some(health(Some(CountOrPercent::Count(2))));
    let rule = |from: &str| ImageRewrite { from: from.to_owned(), to: format!("mirror.example.com/{from}") };
    e.images = ImagePolicy { airgapped: true, rewrite: ["ghcr.io", "quay.io", "docker.io"].map(rule).into() };
}

#[test]
fn every_object_fits_its_crd() {
    let Some(data) = shared_data() else {
        return eprintln!("skipped every_object_fits_its_crd: no CRDs (FERROFLEET_SHARED_DATA)");
    };
    let mut schemas = Schemas::default();
    for cluster in clusters() {
        for object in objects(&rendered(&cluster)) {
            if !BUILT_IN.contains(&object["kind"].as_str().unwrap()) {
                schemas.check(&data, &object);
            }
        }
    }
    let kinds: Vec<_> = schemas.0.keys().map(|(_, kind)| kind.as_str()).collect();
    let expected = [
        "HelmChartProxy",
        "ClusterResourceSet",
        "KubeadmConfigTemplate",
        "Cluster",
        "MachineDeployment",
        "MachineHealthCheck",
        "KubeadmControlPlane",
        "MetalStackCluster",
        "MetalStackFirewallDeployment",
        "MetalStackFirewallTemplate",
        "MetalStackMachineTemplate",
    ];
    assert_eq!(kinds, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_object_of_any_definition_fits_its_crd((wanted, lock) in super::random::clusters()) {
        if let Some(data) = shared_data() {
            // Schemas are read once for all cases.
            static SCHEMAS: Mutex<Schemas> = Mutex::new(Schemas(BTreeMap::new()));
            let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
            for object in objects(&crate::cluster(&wanted, &lock, &|_| None).files) {
                if !BUILT_IN.contains(&object["kind"].as_str().unwrap()) {
                    schemas.check(&data, &object);
                }
            }
        }
    }
}

#[test]
fn a_closed_schema_refuses_what_would_be_pruned() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "object", "properties": {"b": {"x-kubernetes-int-or-string": true}}},
        "m": {"type": "object", "additionalProperties": {"type": "string"}},
    }});
    let validator = jsonschema::validator_for(&closed(&schema)).unwrap();
    assert!(validator.is_valid(&json!({"a": {"b": 1}, "m": {"any": "x"}})));
    assert!(validator.is_valid(&json!({"a": {"b": "25%"}})));
    assert!(!validator.is_valid(&json!({"a": {"c": 1}})));
    assert!(!validator.is_valid(&json!({"m": {"any": 1}})));
}
