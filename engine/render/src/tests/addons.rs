//! What is installed into clusters: which charts and sets, in which order, for which cluster, with which values.

use super::fixtures::*;
use crate::kinds::{charts, name_of};
use model::Digest;
use model::definition::{ChartWish, ManifestsWish};
use model::fleet::ProviderKind;
use model::policy::KubernetesVersion;
use model::want::{CcmSpec, CniSpec, Flavor, InstalledCni, MetallbSpec, Setting, Wanted};
use serde_json::{Map, Value, json};

/// The flavors with the versions that they are for.
pub(super) const VERSIONS: [(Flavor, &str); 8] = [
    (Flavor::PreV133, "1.31.14"),
    (Flavor::PreV133, "1.32.9"),
    (Flavor::Default, "1.33.6"),
    (Flavor::Default, "1.34.2"),
    (Flavor::Default, "1.35.0"),
    (Flavor::Calico, "1.33.6"),
    (Flavor::Calico, "1.34.2"),
    (Flavor::Calico, "1.35.0"),
];

fn map(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

pub(super) fn extra_chart() -> ChartWish {
    ChartWish {
        name: label("ingress"),
        repo_url: "oci://registry.k8s.io/charts".to_owned(),
        chart: "ingress".to_owned(),
        version: "4.1.0".to_owned(),
        namespace: "ingress".parse().unwrap(),
        values: Some(map(json!({
            "controller": {"image": {"registry": "registry.k8s.io", "repository": "ingress/controller", "tag": "v1.13"}},
            "log": "{{ .Values.x }} and {{{",
            "note": "two\nlines of {{ it }}\n",
        }))),
    }
}

pub(super) fn extra_manifests() -> ManifestsWish {
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once", "namespace": "default"},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "initContainers": [{"name": "a", "image": "busybox"}],
            "containers": [{"name": "b", "image": "quay.io/team/b:v1"}],
        }}},
    });
    let nested = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "pods", "namespace": "default"},
        "data": {"pod.yaml": "# kept\nspec:\n  containers:\n  - image: quay.io/team/c:v2\n"},
    });
    ManifestsWish {
        name: label("team"),
        objects: vec![map(job), map(nested)],
        secret_refs: vec!["team-pull-secret".parse().unwrap()],
    }
}

/// A cluster with every add-on, of a version.
pub(super) fn everything(name: &str, flavor: Flavor, version: &str, cni: InstalledCni) -> Wanted {
    with(wanted(name, flavor), |e| {
        e.version = KubernetesVersion::parse(version).unwrap();
        let chart = if cni == InstalledCni::Calico { "v3.28.3" } else { "1.18.3" };
        e.cni = Some(CniSpec { kind: cni, version: Setting::built_in(chart.to_owned()), values: None });
        e.ccm = Some(CcmSpec {
            version: Setting::built_in("v0.9.7".to_owned()),
            credentials_ref: label("metal-ccm"),
            default_external_network: None,
        });
        e.metallb = Some(MetallbSpec { version: Setting::built_in("0.15.2".to_owned()), values: None });
        e.charts = vec![extra_chart()];
        e.manifests = vec![extra_manifests()];
    })
}

fn calico() -> Wanted {
    everything("billing", Flavor::Calico, "1.34.2", InstalledCni::Calico)
}

/// The add-ons of a cluster, in the order of their file.
fn addons(wanted: &Wanted) -> Vec<Value> {
    let files = rendered(wanted);
    let file = files.iter().find(|(path, _)| path.ends_with("/addons.yaml"));
    file.map(|(_, bytes)| documents(bytes)).unwrap_or_default()
}

/// The values that a chart gets: what the Helm add-on provider makes of the template.
pub(super) fn values(proxy: &Value) -> Value {
    let template = proxy["spec"]["valuesTemplate"].as_str().unwrap();
    serde_yaml::from_str(&charts::unescaped(template)).unwrap()
}

// R12: the Secret that the set refers to is written by the provider, from the credentials that the fleet names.
#[test]
fn r12_only_ferrofleets_provider_is_told_of_the_cloud_controller_managers_credentials() {
    let annotation = |provider, ccm: bool| {
        let wanted = with(calico(), |e| {
            e.provider.value = provider;
            e.ccm = e.ccm.take().filter(|_| ccm);
        });
        let objects = objects(&rendered(&wanted));
        let cluster = find(&objects, "MetalStackCluster", "billing");
        cluster["metadata"]["annotations"].get("fleet.metal-stack.io/ccm-credentials").cloned()
    };
    assert_eq!(annotation(ProviderKind::Ferrofleet, true), Some(json!("metal-ccm")));
    assert_eq!(annotation(ProviderKind::Ferrofleet, false), None);
    assert_eq!(annotation(ProviderKind::Capms, true), None);
}

#[test]
fn cni_then_cloud_controller_manager_then_load_balancer_then_the_rest() {
    for (cni, name) in [(InstalledCni::Calico, "calico"), (InstalledCni::Cilium, "cilium")] {
        let addons = addons(&everything("billing", Flavor::Calico, "1.34.2", cni));
        let names: Vec<_> = addons
            .iter()
            .map(|o| {
                format!(
                    "{} {}",
                    o["kind"].as_str().unwrap(),
                    name_of(o).trim_end_matches(|c: char| c.is_ascii_hexdigit())
                )
            })
            .collect();
        let expected = [
            &format!("HelmChartProxy billing-{name}-cni"),
            "ClusterResourceSet billing-metal-ccm-",
            "ConfigMap billing-metal-ccm",
            "HelmChartProxy billing-metallb",
            "ClusterResourceSet billing-metallb-speaker-",
            "ConfigMap billing-metallb-speaker",
            "HelmChartProxy billing-ingress",
            "ClusterResourceSet billing-team-",
            "ConfigMap billing-team",
        ];
        let expected: Vec<_> = expected.iter().map(|e| e.trim_end_matches(|c: char| c.is_ascii_hexdigit())).collect();
        assert_eq!(names, expected);
    }
}

#[test]
fn the_file_of_a_cluster_with_everything() {
    let files = rendered(&everything("shop", Flavor::Default, "1.35.0", InstalledCni::Cilium));
    let (_, bytes) = files.iter().find(|(path, _)| path.ends_with("/addons.yaml")).unwrap();
    insta::assert_snapshot!("everything-addons.yaml", std::str::from_utf8(bytes).unwrap());
}

#[test]
fn every_selector_matches_exactly_one_rendered_cluster() {
    let mut objects = Vec::new();
    for (name, cni) in
        [("billing", InstalledCni::Calico), ("billing-2", InstalledCni::Calico), ("a-billing", InstalledCni::Cilium)]
    {
        objects.extend(super::fixtures::objects(&rendered(&everything(name, Flavor::Calico, "1.34.2", cni))));
    }
    let clusters: Vec<_> = objects.iter().filter(|object| object["kind"] == "Cluster").collect();
    let mut selectors = 0;
    for object in &objects {
        let Some(selector) = object["spec"]["clusterSelector"].as_object() else { continue };
        assert_eq!(selector.keys().collect::<Vec<_>>(), ["matchLabels"]);
        let wanted = selector["matchLabels"].as_object().unwrap();
        let matches =
            |cluster: &&&Value| wanted.iter().all(|(key, value)| cluster["metadata"]["labels"][key] == *value);
        let matched: Vec<_> = clusters.iter().filter(matches).map(|cluster| name_of(cluster)).collect();
        assert_eq!(matched, [object["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"].as_str().unwrap()]);
        selectors += 1;
    }
    assert_eq!(selectors, 3 * 6);
}

#[test]
fn the_clusters_network_reaches_the_cni() {
    let of = |cni| {
        let wanted =
            with(everything("billing", Flavor::Default, "1.35.0", cni), |e| e.pods.value = cidr("10.244.0.0/16"));
        values(&addons(&wanted)[0])
    };
    let calico = of(InstalledCni::Calico);
    assert_eq!(calico["installation"]["calicoNetwork"]["ipPools"][0]["cidr"], "10.244.0.0/16");
    let cilium = of(InstalledCni::Cilium);
    assert_eq!(cilium["ipv4NativeRoutingCIDR"], "10.244.0.0/16");
    assert_eq!((&cilium["routingMode"], &cilium["ipam"]["mode"]), (&json!("native"), &json!("kubernetes")));
}

#[test]
fn written_values_are_merged_into_ours() {
    let written = json!({
        "installation": {"calicoNetwork": {"mtu": 1500, "bgp": null}},
        "whisker": {"enabled": true},
        "new": {"key": ["{{ braces }}"]},
    });
    let wanted = with(calico(), |e| e.cni.as_mut().unwrap().values = Some(map(written)));
    let values = values(&addons(&wanted)[0]);
    let network = &values["installation"]["calicoNetwork"];
    assert_eq!((&network["mtu"], network.get("bgp")), (&json!(1500), None));
    assert_eq!(network["ipPools"][0]["encapsulation"], "None");
    assert_eq!((&values["whisker"]["enabled"], &values["goldmane"]["enabled"]), (&json!(true), &json!(false)));
    assert_eq!(values["new"], json!({"key": ["{{ braces }}"]}));
}

/// The Helm add-on provider executes values as a Go template: whatever people write must not be one.
#[test]
fn braces_of_values_are_no_template() {
    let proxy = addons(&calico()).into_iter().find(|object| name_of(object) == "billing-ingress").unwrap();
    let template = proxy["spec"]["valuesTemplate"].as_str().unwrap();
    assert_eq!(template.matches("{{").count(), 2 * 3, "each pair of braces stands in an action of its own");
    assert_eq!(template.matches("{{`{{`}}").count(), 3);
    let written = extra_chart().values.map(Value::Object).unwrap();
    assert_eq!(values(&proxy), written);
}

#[test]
fn r13_all_that_identifies_a_release_stays_when_version_and_values_change() {
    let identities = |wanted: &Wanted| {
        let proxies = addons(wanted).into_iter().filter(|object| object["kind"] == "HelmChartProxy");
        let without = |mut object: Value| {
            let spec = object["spec"].as_object_mut().unwrap();
            (spec.shift_remove("version"), spec.shift_remove("valuesTemplate"), object).2
        };
        proxies.map(without).collect::<Vec<_>>()
    };
    for cni in [InstalledCni::Calico, InstalledCni::Cilium] {
        let before = everything("billing", Flavor::Calico, "1.34.2", cni);
        let after = with(before.clone(), |e| {
            let values = Some(map(json!({"a": 1})));
            e.version = KubernetesVersion::parse("1.35.0").unwrap();
            e.pods.value = cidr("10.244.0.0/16");
            e.labels.clear();
            e.cni = e.cni.take().map(|cni| CniSpec {
                version: Setting::built_in("v9".to_owned()),
                values: values.clone(),
                ..cni
            });
            e.metallb = Some(MetallbSpec { version: Setting::built_in("0.16.2".to_owned()), values: values.clone() });
            for chart in &mut e.charts {
                (chart.version, chart.values) = ("5".to_owned(), values.clone());
            }
        });
        assert_eq!(identities(&before), identities(&after));
        assert_eq!(identities(&before).len(), 3);
    }
}

#[test]
fn r13_a_set_is_named_by_what_is_immutable_and_by_nothing_else() {
    let sets = |wanted: &Wanted| {
        let sets = addons(wanted).into_iter().filter(|object| object["kind"] == "ClusterResourceSet");
        sets.map(|set| {
            let spec = &set["spec"];
            let fixed = json!({"strategy": spec["strategy"], "clusterSelector": spec["clusterSelector"]});
            assert!(name_of(&set).ends_with(&format!("-{}", Digest::of(&fixed).short())), "{set}");
            name_of(&set).to_owned()
        })
        .collect::<Vec<_>>()
    };
    let changed = with(calico(), |e| {
        e.ccm.as_mut().unwrap().version.value = "v1.0.0".to_owned();
        e.manifests[0].objects.pop();
        e.manifests[0].secret_refs.clear();
    });
    assert_eq!(sets(&calico()), sets(&changed));
    assert_eq!(sets(&calico()).len(), 3);
}

/// Pruning a chart uninstalls it. Pruning a set, or a health check, deletes nothing in the cluster.
#[test]
fn r2_charts_and_sets_that_name_secrets_are_guarded_and_other_sets_are_not() {
    let addons = addons(&with(calico(), |e| {
        e.manifests.push(model::definition::ManifestsWish {
            name: label("plain"),
            secret_refs: Vec::new(),
            ..extra_manifests()
        })
    }));
    let mut free = Vec::new();
    for object in &addons {
        if object["metadata"]["annotations"].get("kustomize.toolkit.fluxcd.io/prune").is_none() {
            free.push(format!("{} {}", object["kind"].as_str().unwrap(), name_of(object)));
        }
    }
    let plain = |name: &String| name.contains("billing-plain") || name.contains("billing-metallb-speaker");
    assert!(free.iter().all(plain) && free.len() == 4, "{free:?}");
    let guarded = |name: &str| !free.iter().any(|object| object.contains(name));
    assert!(guarded("billing-team") && guarded("billing-metal-ccm") && guarded("billing-calico-cni"));
}

#[test]
fn manifests_are_wrapped_as_they_are_and_secrets_only_named() {
    let addons = addons(&calico());
    let map = find(&addons, "ConfigMap", "billing-team");
    let wrapped = documents(map["data"]["objects.yaml"].as_str().unwrap().as_bytes());
    let written: Vec<_> = extra_manifests().objects.into_iter().map(Value::Object).collect();
    assert_eq!(wrapped, written);
    let set = find(&addons, "ClusterResourceSet", "billing-team");
    let expected = json!([
        {"kind": "ConfigMap", "name": "billing-team"},
        {"kind": "Secret", "name": "team-pull-secret"},
    ]);
    assert_eq!(set["spec"]["resources"], expected);

    let only_secrets = with(calico(), |e| e.manifests[0].objects.clear());
    let addons = super::addons::addons(&only_secrets);
    assert!(!addons.iter().any(|object| object["kind"] == "ConfigMap" && name_of(object) == "billing-team"));
    let resources = &find(&addons, "ClusterResourceSet", "billing-team")["spec"]["resources"];
    assert_eq!(resources.as_array().unwrap().len(), 1);
    let nothing = with(only_secrets, |e| e.manifests[0].secret_refs.clear());
    assert!(!super::addons::addons(&nothing).iter().any(|object| name_of(object).starts_with("billing-team")));
}

#[test]
fn metal_ccms_networks() {
    let cases = [
        (None, vec!["internet"], "internet", format!("internet,{NODE_NETWORK}")),
        (None, vec!["mpls", "internet"], "mpls", format!("mpls,internet,{NODE_NETWORK}")),
        (Some("internet"), vec!["mpls", "internet"], "internet", format!("internet,mpls,{NODE_NETWORK}")),
    ];
    for (default, of_firewall, expected, additional) in cases {
        let wanted = with(calico(), |e| {
            e.firewall.networks.value = of_firewall.iter().map(|id| network(id)).collect();
            e.ccm.as_mut().unwrap().default_external_network = default.map(network);
        });
        let addons = addons(&wanted);
        let manifests = documents(
            find(&addons, "ConfigMap", "billing-metal-ccm")["data"]["deploy.yaml"].as_str().unwrap().as_bytes(),
        );
        let env = find(&manifests, "Deployment", "cloud")["spec"]["template"]["spec"]["containers"][0]["env"].clone();
        let env = env.as_array().unwrap();
        let value = |name: &str| env.iter().find(|e| e["name"] == name).map(|e| e["value"].as_str().unwrap()).unwrap();
        assert_eq!(value("METAL_DEFAULT_EXTERNAL_NETWORK_ID"), expected);
        assert_eq!(value("METAL_ADDITIONAL_NETWORKS"), additional);
        let of_cluster = ("payments.billing", "muc-a", model::ProjectId::EXAMPLE);
        assert_eq!((value("METAL_CLUSTER_ID"), value("METAL_PARTITION_ID"), value("METAL_PROJECT_ID")), of_cluster);
    }
}

#[test]
fn r26_metallbs_speakers_run_in_the_pods_network_in_native_mode() {
    let written = json!({
        "imagePullSecrets": [{"name": "mirror"}],
        "speaker": {"nodeSelector": {}, "image": {"tag": "v0.15.3"}, "memberlist": {"enabled": false}},
    });
    let wanted = with(calico(), |e| e.metallb.as_mut().unwrap().values = Some(map(written)));
    let addons = addons(&wanted);
    let proxy = find(&addons, "HelmChartProxy", "billing-metallb");
    let of_chart = values(proxy);
    assert_eq!(of_chart["speaker"]["frr"]["enabled"], false);
    assert_eq!(of_chart["frrk8s"]["enabled"], false);
    assert_eq!(of_chart["speaker"]["memberlist"]["enabled"], true, "else the chart refuses the node selector");
    assert!(!of_chart["speaker"]["nodeSelector"].as_object().unwrap().is_empty(), "the chart's speakers run nowhere");
    let own = documents(
        find(&addons, "ConfigMap", "billing-metallb-speaker")["data"]["speaker.yaml"].as_str().unwrap().as_bytes(),
    );
    let namespace = find(&own, "Namespace", proxy["spec"]["namespace"].as_str().unwrap());
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "privileged");
    let pod = &find(&own, "DaemonSet", "speaker")["spec"]["template"]["spec"];
    assert_eq!((&pod["hostNetwork"], &pod["imagePullSecrets"]), (&json!(false), &json!([{"name": "mirror"}])));
    assert_eq!(pod["containers"][0]["image"], "quay.io/metallb/speaker:v0.15.3");
    let env = pod["containers"][0]["env"].as_array().unwrap();
    assert!(!env.iter().any(|e| e["name"] == "METALLB_BGP_TYPE"), "native mode is what is used without a word");
}

#[test]
fn i7_no_secret_is_rendered_for_any_flavor_and_version() {
    fn kinds(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                let whole = fields.contains_key("apiVersion") && fields.contains_key("metadata");
                out.extend(fields.get("kind").filter(|_| whole).map(|kind| kind.as_str().unwrap().to_owned()));
                fields.values().for_each(|value| kinds(value, out));
            }
            Value::Array(items) => items.iter().for_each(|item| kinds(item, out)),
            Value::String(text) if text.contains('\n') => {
                documents(charts::unescaped(text).as_bytes()).iter().for_each(|document| kinds(document, out));
            }
            _ => {}
        }
    }
    for (flavor, version) in VERSIONS {
        for cni in [InstalledCni::Calico, InstalledCni::Cilium] {
            let mut wanted = everything("billing", flavor, version, cni);
            // Plain text, which is no YAML document.
            wanted = with(wanted, |e| _ = e.charts[0].values.as_mut().unwrap().shift_remove("note"));
            let mut found = Vec::new();
            objects(&rendered(&wanted)).iter().for_each(|object| kinds(object, &mut found));
            assert!(found.contains(&"DaemonSet".to_owned()) && found.contains(&"Deployment".to_owned()));
            assert!(!found.contains(&"Secret".to_owned()), "{found:?}");
        }
    }
}
