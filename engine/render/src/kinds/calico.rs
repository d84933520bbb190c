//! Calico: routed without encapsulation and without BGP of its own. The node's FRR announces what the kernel routes.

use super::charts::{Chart, KUBE_SYSTEM, merged, set};
use crate::facts::{CNI_LABEL, Facts};
use model::want::CniSpec;
use serde_json::{Map, Value, json};

pub(crate) const CHART: &str = "tigera-operator";
const REPOSITORY: &str = "https://docs.tigera.io/calico/charts";

/// Of the nodes' interfaces: 1500 less what the fabric's VXLAN takes.
pub(crate) const MTU: u32 = 1440;

/// Its tag goes with the chart, and is no function of its version.
const OPERATOR_REGISTRY: &str = "quay.io";
const OPERATOR_PATH: &str = "tigera/operator";
/// What the operator installs with our values, with the chart's version for a tag.
const COMPONENTS: [&str; 8] =
    ["apiserver", "cni", "csi", "kube-controllers", "node", "node-driver-registrar", "pod2daemon-flexvol", "typha"];
/// What it installs where the values turn it on.
const OPTIONAL: [(&str, &str); 3] =
    [("goldmane", "/goldmane/enabled"), ("whisker", "/whisker/enabled"), ("whisker-backend", "/whisker/enabled")];
const COMPONENTS_PATH: &str = "calico";
/// Of the hook that uninstalls.
const CTL_PLACE: &str = "/calicoctl/image";

/// R13: name, release name, namespace, chart, repository and selector stay for life. A change of one uninstalls the CNI.
pub(crate) fn chart(facts: Facts<'_>, spec: &CniSpec) -> Value {
    let CniSpec { kind: _, version, values } = spec;
    let ours = json!({
        "installation": {
            "enabled": true,
            "calicoNetwork": {
                "bgp": "Disabled",
                "ipPools": [{
                    "name": "default-ipv4-ippool",
                    "blockSize": 26,
                    "cidr": facts.effective().pods.value,
                    "encapsulation": "None",
                }],
                "mtu": MTU,
            },
            "cni": {"type": "Calico", "ipam": {"type": "HostLocal"}},
        },
        "goldmane": {"enabled": false},
        "whisker": {"enabled": false},
    });
    let written = values.clone().map(|values| with_registry(facts, values));
    let mut values = merged(facts, ours, written.as_ref(), &[]);
    mirror(facts, &mut values, &version.value);
    let chart = Chart {
        name: &facts.named("calico-cni"),
        selector: &[(CNI_LABEL, "calico")],
        release: "calico",
        repository: REPOSITORY,
        chart: CHART,
        namespace: KUBE_SYSTEM,
        version: &version.value,
        values: Some(values),
    };
    chart.object(facts)
}

/// A written name of the operator's image, which the chart puts behind its own registry, says so where rules apply.
fn with_registry(facts: Facts<'_>, mut written: Map<String, Value>) -> Map<String, Value> {
    let operator = written.get_mut("tigeraOperator").and_then(Value::as_object_mut);
    let has_rules = !facts.effective().images.rewrite.is_empty();
    if let Some(operator) = operator.filter(|operator| has_rules && operator.contains_key("image")) {
        operator.entry("registry").or_insert_with(|| OPERATOR_REGISTRY.into());
    }
    written
}

/// The registries of the operator and of what it installs, where a rule maps them and nobody wrote them.
fn mirror(facts: Facts<'_>, values: &mut Value, version: &str) {
    let images = &facts.effective().images;
    let image = values.pointer("/tigeraOperator/image").and_then(Value::as_str).unwrap_or(OPERATOR_PATH).to_owned();
    let operator = images.rewritten(&format!("{OPERATOR_REGISTRY}/{image}"));
    if let (None, Some(operator)) = (values.pointer("/tigeraOperator/registry"), operator) {
        let (registry, path) = split(&operator, &image);
        set(values, "/tigeraOperator/registry", registry.into());
        if path != image {
            set(values, "/tigeraOperator/image", path.into());
        }
    }
    let components = format!("{}/{COMPONENTS_PATH}", registry_of(version));
    if let (None, Some(components)) = (values.pointer("/installation/registry"), images.rewritten(&components)) {
        let (registry, path) = split(&components, COMPONENTS_PATH);
        // The operator wants the slash.
        set(values, "/installation/registry", format!("{registry}/").into());
        if path != COMPONENTS_PATH {
            set(values, "/installation/imagePath", path.into());
        }
    }
    let ctl = format!("{}/{COMPONENTS_PATH}/ctl", registry_of(version));
    if let (None, Some(ctl)) = (values.pointer(CTL_PLACE), images.rewritten(&ctl)) {
        set(values, CTL_PLACE, ctl.into());
    }
}

/// What is pulled with these values; only the chart knows the operator's tag.
pub(crate) fn references(values: &Value, version: &str) -> Vec<(&'static str, String)> {
    let text = |place: &str| values.pointer(place).and_then(Value::as_str).map(|text| text.trim_end_matches('/'));
    let operator = format!(
        "{}/{}",
        text("/tigeraOperator/registry").unwrap_or(OPERATOR_REGISTRY),
        text("/tigeraOperator/image").unwrap_or(OPERATOR_PATH)
    );
    let tag = text("/tigeraOperator/version").map(|tag| format!(":{tag}")).unwrap_or_default();
    let mut found = vec![("/tigeraOperator", format!("{operator}{tag}"))];
    let registry = text("/installation/registry").unwrap_or_else(|| registry_of(version));
    let path = text("/installation/imagePath").unwrap_or(COMPONENTS_PATH);
    let is_on = |(_, switch): &&(&str, &str)| values.pointer(switch) == Some(&json!(true));
    let optional = OPTIONAL.iter().filter(is_on).map(|(name, _)| *name);
    let component = |name| ("/installation/registry", format!("{registry}/{path}/{name}:{version}"));
    found.extend(COMPONENTS.into_iter().chain(optional).map(component));
    let ctl = text(CTL_PLACE).map_or_else(|| format!("{}/{COMPONENTS_PATH}/ctl", registry_of(version)), str::to_owned);
    found.push((CTL_PLACE, format!("{ctl}:{}", text("/calicoctl/tag").unwrap_or(version))));
    found
}

/// From 3.31 on Calico is published to another registry than before.
fn registry_of(version: &str) -> &'static str {
    let mut numbers = version.trim_start_matches('v').split('.').map(|n| n.parse::<u32>().unwrap_or_default());
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if (major, minor) < (3, 31) { "docker.io" } else { "quay.io" }
}

/// A reference as registry and path: at the upstream path, or after the host where a rule changes the path.
fn split<'a>(reference: &'a str, path: &'a str) -> (&'a str, &'a str) {
    match reference.strip_suffix(path).and_then(|registry| registry.strip_suffix('/')) {
        Some(registry) => (registry, path),
        None => reference.split_once('/').unwrap_or((reference, "")),
    }
}
