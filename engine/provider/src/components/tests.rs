//! What is installed is narrow, hardened, and the same everywhere.

use super::rights::{AT_HOME, EVERYWHERE, LOOKS, Rule};
use super::{CREDENTIALS, Options, PROVIDER, engine, files, provider, yaml};
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::BTreeSet;

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn objects(options: &Options) -> Vec<Value> {
    documents(&yaml(options))
}

fn grants(rules: &[Rule]) -> BTreeSet<(String, &'static str)> {
    let all = |rule: &Rule| {
        let Rule { group, resources, names, verbs, .. } = *rule;
        let named = names.iter().map(|name| format!("/{name}")).collect::<String>();
        let what = resources.iter().map(move |resource| format!("{group}/{resource}{named}"));
        what.flat_map(|what| verbs.iter().map(move |verb| (what.clone(), *verb))).collect::<Vec<_>>()
    };
    rules.iter().flat_map(all).collect()
}

#[test]
fn the_provider_has_the_rights_it_needs_and_no_other() {
    const OURS: &str = "infrastructure.cluster.x-k8s.io";
    let expected = |resource: &str, verbs: &[&'static str]| {
        verbs.iter().map(|verb| (resource.to_owned(), *verb)).collect::<Vec<_>>()
    };
    let everywhere: BTreeSet<_> = [
        expected(&format!("{OURS}/metalstackclusters"), &["get", "list", "patch", "watch"]),
        expected(&format!("{OURS}/metalstackmachines"), &["get", "list", "patch", "watch"]),
        expected(&format!("{OURS}/metalstackfirewalldeployments"), &["delete", "get", "list", "patch", "watch"]),
        expected(&format!("{OURS}/metalstackfirewalltemplates"), &["get", "list", "watch"]),
        expected(&format!("{OURS}/metalstackmachinetemplates"), &["get", "list", "watch"]),
        expected(&format!("{OURS}/metalstackclusters/status"), &["patch"]),
        expected(&format!("{OURS}/metalstackmachines/status"), &["patch"]),
        expected(&format!("{OURS}/metalstackfirewalldeployments/status"), &["patch"]),
        expected(&format!("{OURS}/metalstackmachinetemplates/status"), &["patch"]),
        expected(&format!("{OURS}/metalstackclusters/finalizers"), &["update"]),
        expected("cluster.x-k8s.io/clusters", &["get", "list", "watch"]),
        expected("cluster.x-k8s.io/machines", &["get", "list", "watch"]),
        expected("/secrets", &["create", "get", "list", "patch", "watch"]),
        expected("events.k8s.io/events", &["create", "patch"]),
    ]
    .concat()
    .into_iter()
    .collect();
    assert_eq!(grants(EVERYWHERE), everywhere);
    let at_home: BTreeSet<_> = [
        expected("coordination.k8s.io/leases", &["create"]),
        expected("coordination.k8s.io/leases/6fca141d.cluster.x-k8s.io", &["get", "patch"]),
    ]
    .concat()
    .into_iter()
    .collect();
    assert_eq!(grants(AT_HOME), at_home);
}

#[test]
fn the_engine_may_only_look_and_only_where_a_component_lets_it() {
    for (what, verb) in grants(LOOKS) {
        assert!(["get", "list"].contains(&verb), "{verb} {what}");
        assert!(!what.contains("secrets") && !what.contains('*'), "{what}");
    }
    let all = files();
    let of = |path: &str| documents(&all.iter().find(|(known, _)| known == path).unwrap().1);
    let rights = of("components/management-access/rights.yaml");
    assert_eq!((of_kind(&rights, "ClusterRole").len(), of_kind(&rights, "ClusterRoleBinding").len()), (1, 1));
    assert_eq!(rights[1]["subjects"][0]["name"], "ferrofleet-engine");
    let component = &of("components/management-access/kustomization.yaml")[0];
    let patch = component["patches"][0]["patch"].as_str().unwrap();
    assert!(patch.contains("/spec/template/spec/automountServiceAccountToken\n  value: true"), "{patch}");
    // What it patches is there.
    let deployment = &of("base/engine/deployment.yaml")[0];
    assert_eq!(component["patches"][0]["target"]["name"], deployment["metadata"]["name"]);
    assert_eq!(deployment["spec"]["template"]["spec"]["automountServiceAccountToken"], false);
}

#[test]
fn no_rule_of_any_role_has_a_wildcard() {
    let objects = objects(&Options::default());
    let roles: Vec<_> = of_kind(&objects, "ClusterRole").into_iter().chain(of_kind(&objects, "Role")).collect();
    assert_eq!(roles.len(), 2);
    for role in roles {
        let rules = role["rules"].as_array().unwrap();
        assert!(!rules.is_empty());
        for rule in rules {
            assert!(!rule.to_string().contains('*'), "{rule}");
        }
    }
}

#[test]
fn every_rule_says_why_it_is_there() {
    for (_, text) in files().into_iter().filter(|(path, _)| path == "base/provider/rights.yaml") {
        let lines: Vec<_> = text.lines().collect();
        let rules: Vec<_> = (0..lines.len()).filter(|&at| lines[at].starts_with("- apiGroups:")).collect();
        assert_eq!(rules.len(), EVERYWHERE.len() + AT_HOME.len());
        for at in rules {
            assert!(lines[at - 1].starts_with("# "), "{}", lines[at - 1]);
        }
    }
}

/// All that stands at a key of that name, at any depth.
fn found<'a>(value: &'a Value, key: &str, into: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            if name == key {
                into.push(value);
            }
            found(value, key, into);
        }),
        Value::Array(items) => items.iter().for_each(|item| found(item, key, into)),
        _ => {}
    }
}

#[test]
fn another_namespace_and_image_are_taken_everywhere() {
    let options = Options { image: "registry.example.com/fleet@sha256:0".to_owned(), namespace: "metal".to_owned() };
    let objects = objects(&options);
    let ours: Vec<_> = objects.iter().filter(|object| object["kind"] != "CustomResourceDefinition").cloned().collect();
    let ours = Value::Array(ours);
    let mut namespaces = Vec::new();
    found(&ours, "namespace", &mut namespaces);
    assert_eq!(namespaces, vec!["metal"; 7], "three objects, two subjects, a Secret, a Deployment");
    let mut images = Vec::new();
    found(&ours, "image", &mut images);
    assert_eq!(images, ["registry.example.com/fleet@sha256:0"]);
    assert_eq!(of_kind(&objects, "Namespace")[0]["metadata"]["name"], "metal");
}

#[test]
fn components_are_what_clusterctl_asks_for() {
    let text = yaml(&Options::default());
    let objects = documents(&text);
    for object in &objects {
        let label = &object["metadata"]["labels"]["cluster.x-k8s.io/provider"];
        assert_eq!(label, "infrastructure-metal-stack", "{}", object["metadata"]["name"]);
    }
    assert_eq!(of_kind(&objects, "Namespace").len(), 1);
    assert_eq!(of_kind(&objects, "CustomResourceDefinition").len(), 6);
    let deployments = of_kind(&objects, "Deployment");
    assert_eq!(deployments.len(), 1);
    assert_eq!(deployments[0]["spec"]["template"]["spec"]["containers"][0]["name"], "manager");
    // Each variable stands once, in a block: a key of digits, or with a colon, is text.
    for (key, variable) in CREDENTIALS {
        assert_eq!(text.matches(&format!("  {key}: |-\n    ${{{variable}}}\n")).count(), 1, "{key}");
    }
    assert_eq!(text.matches("${").count(), CREDENTIALS.len(), "clusterctl takes everything else that looks so, too");
    let filled = text.replace("${METAL_API_HMAC}", "0123: 'a' \"b\" #c");
    let secret = documents(&filled).into_iter().find(|object| object["kind"] == "Secret").unwrap();
    assert_eq!(secret["stringData"]["api-hmac"], "0123: 'a' \"b\" #c");
}

#[test]
fn what_kustomize_installs_is_what_clusterctl_installs() {
    let released = objects(&Options::default());
    let kinds = crate::objects();
    let released: Vec<_> =
        released.into_iter().filter(|object| object["kind"] != "Secret" && !kinds.contains(object)).collect();
    let in_base = |path: &str| path.starts_with("base/provider/") && !path.ends_with("kustomization.yaml");
    let base = files().into_iter().filter(|(path, _)| in_base(path)).flat_map(|(_, text)| documents(&text));
    assert_eq!(base.collect::<Vec<_>>(), released);
}

#[test]
fn the_engine_asks_the_api_server_nothing() {
    let engine = engine("image").map(|manifest| manifest.object);
    assert!(engine.iter().all(|object| !object["kind"].as_str().unwrap().contains("Role")));
    assert_eq!(engine[2]["spec"]["template"]["spec"]["automountServiceAccountToken"], false);
}

#[test]
fn selectors_find_their_own_pods_and_not_those_of_capms() {
    let provider = provider(&Options::default());
    let deployments = [&provider[6].object, &engine("image")[2].object.clone()].map(Value::clone);
    for deployment in &deployments {
        let selector = deployment["spec"]["selector"]["matchLabels"].as_object().unwrap();
        let labels = deployment["spec"]["template"]["metadata"]["labels"].as_object().unwrap();
        assert!(selector.iter().all(|(key, value)| labels.get(key) == Some(value)));
        // CAPMS's selector asks for it.
        assert!(!labels.contains_key("control-plane"));
    }
    assert_ne!(deployments[0]["spec"]["selector"], deployments[1]["spec"]["selector"]);
    assert_eq!(PROVIDER.labels()["cluster.x-k8s.io/provider"], "infrastructure-metal-stack");
}
