//! Patches: what they change, what they may not touch, and how a refusal reads.

use super::fixtures::*;
use crate::PatchError;
use model::Patch;
use model::want::{Flavor, SourcedPatch, Wanted};
use proptest::prelude::*;
use serde_json::{Value, json};

pub(super) fn patch(patch: &Value) -> SourcedPatch {
    let patch: Patch = serde_json::from_value(patch.clone()).unwrap();
    SourcedPatch { file: "overlays/all.yaml".to_owned(), field: "spec.patches[0]".to_owned(), patch }
}

pub(super) fn patched(wanted: Wanted, patches: &[Value]) -> Wanted {
    with(wanted, |e| e.patches = patches.iter().map(patch).collect())
}

fn billing() -> Wanted {
    wanted("billing", Flavor::Calico)
}

fn errors(patches: &[Value]) -> Vec<PatchError> {
    let wanted = patched(billing(), patches);
    let rendered = crate::cluster(&wanted, &lock_of(&wanted), &|_| None);
    assert!(rendered.files.is_empty() || rendered.unpatched.is_empty(), "never files with errors");
    rendered.unpatched
}

fn on(kind: &str, name: &str, op: impl Into<Value>) -> Value {
    json!({"target": {"kind": kind, "name": name}, "json": [op.into()]})
}

#[test]
fn json_and_merge_patches_change_their_targets_in_order() {
    let wanted = patched(
        billing(),
        &[
            json!({"target": {"kind": "MachineDeployment"}, "merge": {"metadata": {"annotations": {"a": "1", "b": "1"}}}}),
            json!({"target": {"kind": "MachineDeployment", "name": "billing-b*"}, "json": [
                {"op": "test", "path": "/metadata/annotations/a", "value": "1"},
                {"op": "replace", "path": "/metadata/annotations/a", "value": "2"},
                {"op": "move", "from": "/metadata/annotations/b", "path": "/metadata/annotations/c"},
                {"op": "copy", "from": "/metadata/annotations/c", "path": "/metadata/annotations/d"},
            ]}),
            json!({"target": {"kind": "MachineDeployment", "apiVersion": "cluster.x-k8s.io/v1beta2", "name": "*-general"},
                "merge": {"metadata": {"annotations": {"b": null}}}}),
        ],
    );
    let objects = objects(&rendered(&wanted));
    let annotations = |pool: &str| {
        let all = find(&objects, "MachineDeployment", pool)["metadata"]["annotations"].as_object().unwrap();
        let own = all.iter().filter(|(key, _)| key.len() == 1);
        own.map(|(key, value)| format!("{key}={}", value.as_str().unwrap())).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((annotations("billing-batch"), annotations("billing-general")), ("a=2 c=1 d=1".into(), "a=1".into()));
}

/// Lines that only one of two sets of files has, with `-` and `+`.
fn difference(before: &[(String, Vec<u8>)], after: &[(String, Vec<u8>)]) -> String {
    let lines = |files: &[(String, Vec<u8>)]| -> Vec<String> {
        let text: String = files.iter().map(|(_, bytes)| std::str::from_utf8(bytes).unwrap()).collect();
        text.lines().map(str::to_owned).collect()
    };
    let (before, after) = (lines(before), lines(after));
    let (mut out, mut rest) = (String::new(), after.as_slice());
    for line in &before {
        match rest.iter().position(|other| other == line) {
            Some(at) if at < 12 => {
                rest[..at].iter().for_each(|new| out += &format!("+{new}\n"));
                rest = &rest[at + 1..];
            }
            _ => out += &format!("-{line}\n"),
        }
    }
    rest.iter().for_each(|new| out += &format!("+{new}\n"));
    out
}

#[test]
fn what_is_not_patched_stays_byte_for_byte() {
    let before = rendered(&billing());
    let after = rendered(&patched(
        billing(),
        &[
            on("KubeadmControlPlane", "*", json!({"op": "remove", "path": "/spec/rollout"})),
            on(
                "MachineDeployment",
                "billing-batch",
                json!({"op": "add", "path": "/spec/machineNaming", "value": {"template": "x"}}),
            ),
            json!({"target": {"kind": "MachineDeployment", "name": "billing-general"}, "merge": {"spec": {"rollout": null}}}),
        ],
    ));
    insta::assert_snapshot!(difference(&before, &after), @"
    -  rollout:
    -    strategy:
    -      type: RollingUpdate
    -      rollingUpdate:
    -        maxSurge: 1
    -  rollout:
    -    strategy:
    -      type: RollingUpdate
    -      rollingUpdate:
    -        maxSurge: 1
    -        maxUnavailable: 0
    +  machineNaming:
    +    template: x
    ");
}

#[test]
fn r1_a_patched_template_has_another_name_and_its_owner_follows() {
    let change =
        json!({"op": "add", "path": "/spec/template/spec/files", "value": [{"path": "/etc/motd", "content": "hi"}]});
    let before = objects(&rendered(&billing()));
    let after = objects(&rendered(&patched(billing(), &[on("KubeadmConfigTemplate", "billing-batch", change)])));
    let bootstrap = |objects: &[Value], pool: &str| {
        let place = "/spec/template/spec/bootstrap/configRef/name";
        let name = find(objects, "MachineDeployment", pool).pointer(place).unwrap().as_str().unwrap().to_owned();
        find(objects, "KubeadmConfigTemplate", &name);
        name
    };
    assert_ne!(bootstrap(&before, "billing-batch"), bootstrap(&after, "billing-batch"));
    assert!(bootstrap(&after, "billing-batch").starts_with("billing-batch-"));
    assert_eq!(bootstrap(&before, "billing-general"), bootstrap(&after, "billing-general"));

    let metadata = json!({"op": "add", "path": "/metadata/labels/team", "value": "x"});
    let after = objects(&rendered(&patched(billing(), &[on("KubeadmConfigTemplate", "*", metadata)])));
    assert_eq!(bootstrap(&before, "billing-batch"), bootstrap(&after, "billing-batch"), "metadata is no content");

    let size = json!({"target": {"kind": "MetalStackMachineTemplate", "name": "billing-control-plane"}, "force": true,
        "merge": {"spec": {"template": {"spec": {"size": "x1-huge"}}}}});
    let after = objects(&rendered(&patched(billing(), &[size])));
    let owner = find(&after, "KubeadmControlPlane", "billing");
    let name = owner.pointer("/spec/machineTemplate/spec/infrastructureRef/name").unwrap().as_str().unwrap();
    assert_eq!(find(&after, "MetalStackMachineTemplate", name)["spec"]["template"]["spec"]["size"], "x1-huge");
}

#[test]
fn r13_a_resource_set_with_other_immutable_fields_is_another_one() {
    let set = |patches: &[Value]| {
        let objects = objects(&rendered(&patched(billing(), patches)));
        crate::kinds::name_of(find(&objects, "ClusterResourceSet", "billing-metal-ccm")).to_owned()
    };
    let before = set(&[]);
    let strategy = json!({"target": {"kind": "ClusterResourceSet", "name": "billing-metal-ccm"}, "force": true,
        "merge": {"spec": {"strategy": "ApplyOnce"}}});
    let more = json!({"op": "add", "path": "/spec/resources/-", "value": {"kind": "ConfigMap", "name": "x"}});
    assert_ne!(set(&[strategy]), before);
    assert_eq!(set(&[on("ClusterResourceSet", "*", more)]), before);
}

#[test]
fn refusals_name_patch_operation_path_and_object() {
    let add = |path: &str| json!({"op": "add", "path": path, "value": 1});
    let cases = [
        on("MachineDeployment", "billing-bacth", add("/metadata/annotations/a")),
        json!({"target": {"kind": "MachinePool"}, "merge": {}}),
        json!({"target": {"kind": "Cluster", "apiVersion": "cluster.x-k8s.io/v1beta1"}, "merge": {}}),
        // By its logical name, never with the hash.
        on("ClusterResourceSet", "billing-metal-ccm-*", add("/spec/x")),
        on("Cluster", "billing", json!({"op": "remove", "path": "/spec/nothing"})),
        on("Cluster", "billing", json!({"op": "test", "path": "/metadata/labels/team", "value": "x"})),
        on("Cluster", "billing", add("/spec/nothing/deep")),
        on("Cluster", "billing", add("spec")),
        on("Cluster", "billing", json!({"op": "add", "path": "/spec/x"})),
        on("Cluster", "billing", json!({"op": "move", "path": "/spec/x"})),
        on("Cluster", "billing", json!({"op": "copy", "from": "/spec/nothing", "path": "/spec/x"})),
        on("ClusterResourceSet", "*", json!({"op": "remove", "path": "/spec/resources/-"})),
        on("ClusterResourceSet", "*", json!({"op": "add", "path": "/spec/resources/7", "value": {}})),
        on("Cluster", "billing", add("/spec/paused")),
        on("MetalStackCluster", "*", json!({"op": "move", "from": "/spec/controlPlaneIP", "path": "/spec/x"})),
        on("KubeadmControlPlane", "*", json!({"op": "replace", "path": "/spec/kubeadmConfigSpec/files", "value": []})),
        json!({"target": {"kind": "Cluster"}, "merge": {"metadata": {"name": "other"}}}),
        json!({"target": {"kind": "Cluster"}, "force": true, "json": [
            {"op": "add", "path": "/metadata/annotations/a", "value": "1"},
            {"op": "replace", "path": "/metadata", "value": {}},
        ]}),
    ];
    let mut said = String::new();
    for case in cases {
        let errors = errors(std::slice::from_ref(&case));
        assert_eq!(errors.len(), 1, "{case}: {errors:?}");
        said += &format!("{}\n  {}: {}\n", errors[0], errors[0].fault.rule(), errors[0].fault.mend());
    }
    insta::assert_snapshot!("refusals", said);
}

#[test]
fn one_broken_patch_renders_nothing_and_every_broken_one_is_named() {
    let broken = on("Cluster", "billing", json!({"op": "remove", "path": "/spec/nothing"}));
    let good = on("Cluster", "billing", json!({"op": "add", "path": "/metadata/annotations/a", "value": "1"}));
    assert_eq!(errors(&[broken.clone(), good, broken]).len(), 2);
}

/// Places of the engine, and an object that has each.
const OWNED: [(&str, &str); 26] = [
    ("Cluster", "/spec/clusterNetwork/pods/cidrBlocks/0"),
    ("Cluster", "/spec/controlPlaneRef/name"),
    ("Cluster", "/spec/infrastructureRef"),
    ("Cluster", "/metadata/labels/cluster.metal-stack.io~1infrastructure-provider"),
    ("Cluster", "/metadata/labels/cluster.x-k8s.io~1cluster-name"),
    ("Cluster", "/metadata/annotations/argocd.argoproj.io~1sync-options"),
    ("Cluster", "/metadata/annotations/kustomize.toolkit.fluxcd.io~1prune"),
    ("MetalStackCluster", "/spec/projectID"),
    ("MetalStackCluster", "/spec/nodeNetworkID"),
    ("MetalStackCluster", "/spec/controlPlaneEndpoint/port"),
    ("MetalStackCluster", "/spec/firewallDeploymentRef/name"),
    ("MetalStackCluster", "/metadata/annotations/fleet.metal-stack.io~1engine-slots"),
    ("MetalStackFirewallDeployment", "/spec/managedResourceRef/name"),
    ("MetalStackFirewallDeployment", "/spec/autoUpdate/machineImage"),
    ("MetalStackFirewallTemplate", "/spec/initialRuleSet/egress/0/comment"),
    ("KubeadmControlPlane", "/spec/version"),
    ("KubeadmControlPlane", "/spec/machineTemplate/spec/infrastructureRef/name"),
    ("KubeadmControlPlane", "/spec/kubeadmConfigSpec/files/0/content"),
    ("KubeadmControlPlane", "/spec/kubeadmConfigSpec/joinConfiguration/controlPlane/localAPIEndpoint/bindPort"),
    ("MachineDeployment", "/spec/replicas"),
    ("MachineDeployment", "/spec/selector/matchLabels"),
    ("MachineDeployment", "/spec/template/spec/bootstrap/configRef/name"),
    ("MetalStackMachineTemplate", "/spec/template/spec/image"),
    ("HelmChartProxy", "/spec/valuesTemplate"),
    ("ClusterResourceSet", "/spec/strategy"),
    ("ConfigMap", "/data/deploy.yaml"),
];

#[test]
fn the_engines_places_are_refused_at_above_and_below_and_forced_at() {
    for (kind, place) in OWNED {
        let object = objects(&rendered(&billing())).into_iter().find(|o| o["kind"] == kind).unwrap();
        let there = object.pointer(place).unwrap_or_else(|| panic!("{kind} {place}"));
        let above = place.match_indices('/').skip(1).map(|(i, _)| &place[..i]);
        for path in above.chain([place]) {
            let replaced = on(kind, "*", json!({"op": "replace", "path": path, "value": "x"}));
            let errors = errors(&[replaced]);
            assert_eq!(errors[0].fault.rule(), "patch-owned-value", "{kind} {path}: {errors:?}");
            assert_eq!(errors[0].field, "spec.patches[0].json[0].path");
        }
        if there.is_object() {
            let below = on(kind, "*", json!({"op": "add", "path": format!("{place}/x"), "value": "x"}));
            assert_eq!(errors(&[below])[0].fault.rule(), "patch-owned-value", "{kind} {place}");
        }
        let mut forced = on(kind, "*", json!({"op": "replace", "path": place, "value": there}));
        forced["force"] = true.into();
        assert_eq!(errors(&[forced]), [], "{kind} {place}");
        // What is read is not touched.
        let read = on(kind, "*", json!({"op": "test", "path": "/kind", "value": kind}));
        assert_eq!(errors(&[read]), []);
    }
}

#[test]
fn no_force_makes_an_object_another_one() {
    for place in ["", "/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace"] {
        let mut case = on("Cluster", "*", json!({"op": "replace", "path": place, "value": {}}));
        case["force"] = true.into();
        assert_eq!(errors(&[case])[0].fault.rule(), "patch-owned-value", "{place}");
    }
}

#[test]
fn files_may_stand_before_the_static_pod_and_none_in_its_place() {
    let file = |path: &str| json!({"path": path, "content": "x"});
    let config = "/spec/kubeadmConfigSpec/files";
    let pod = "/etc/kubernetes/manifests/kubevip.yaml";
    let add = |at: &str, path: &str| {
        on("KubeadmControlPlane", "*", json!({"op": "add", "path": format!("{config}/{at}"), "value": file(path)}))
    };
    assert_eq!(errors(&[add("0", "/etc/motd"), add("-", "/etc/issue")]), []);
    for (at, path) in [("0", pod), ("-", pod)] {
        assert_eq!(errors(&[add(at, path)])[0].fault.rule(), "patch-owned-value", "a second {path} at {at}");
    }
    let removed = |at: usize| on("KubeadmControlPlane", "*", json!({"op": "remove", "path": format!("{config}/{at}")}));
    assert_eq!(errors(&[add("0", "/etc/motd"), removed(0)]), []);
    assert_eq!(errors(&[add("0", "/etc/motd"), removed(1)])[0].fault.rule(), "patch-owned-value");
    let renamed =
        on("KubeadmControlPlane", "*", json!({"op": "replace", "path": format!("{config}/0/path"), "value": pod}));
    assert_eq!(errors(&[add("0", "/etc/motd"), renamed])[0].fault.rule(), "patch-owned-value", "renamed to it");
}

#[test]
fn a_removed_patch_leaves_nothing_behind() {
    let before = rendered(&billing());
    let patches = [on("Cluster", "*", json!({"op": "add", "path": "/metadata/annotations/a", "value": "1"}))];
    let with_patch = patched(billing(), &patches);
    assert_ne!(rendered(&with_patch), before);
    assert_eq!(rendered(&patched(with_patch, &[])), before);
}

#[test]
fn findings_of_an_unresolved_cluster_judge_patches_without_its_values() {
    let ip = |value: &str| {
        on("MetalStackCluster", "*", json!({"op": "test", "path": "/spec/controlPlaneIP", "value": value}))
    };
    let broken = on("Cluster", "billing", json!({"op": "remove", "path": "/spec/nothing"}));
    let unknown = patched(billing(), &[ip("198.18.0.5"), broken]);
    let lock = crate::placeholder_lock(&unknown);
    assert!(crate::complete(&unknown, &lock) && crate::cluster(&unknown, &lock, &|_| None).files.is_empty());
    let findings = crate::findings(&unknown);
    insta::assert_json_snapshot!("findings", findings);

    let mut known = patched(billing(), &[ip("198.18.0.5"), ip("198.18.0.6")]);
    known.lock = Some(std::sync::Arc::new(lock_of(&known)));
    let findings = crate::findings(&known);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].message.contains("198.18.0.5"), "{findings:?}");
    assert_eq!(crate::findings(&billing()), []);
}

#[test]
fn i6_a_cluster_whose_patches_fail_keeps_its_output_and_gets_its_lock() {
    let (wanted, mut files) = committed(billing());
    let before = files.clone();
    let broken = [on("Cluster", "billing", json!({"op": "remove", "path": "/spec/nothing"}))];
    let want = want([with(patched(wanted, &broken), |e| e.pools[0].machines.replicas.value = 9)]);
    let mut locks = locks(&want);
    let mut memo = crate::Memo::default();
    let tip = files.tree();
    let edited = crate::edit(&want, crate::Settled::live(&locks), &tip, &tip, &mut memo, &mut files).unwrap();
    assert_eq!((edited.files, edited.changed.len(), &files), (0, 0, &before));
    assert_eq!(edited.unpatched.values().map(Vec::len).collect::<Vec<_>>(), [1]);

    // What was allocated meanwhile is not lost, and the memo says what was said before.
    locks.values_mut().for_each(|lock| lock.values.firewall.as_mut().unwrap().generation = 2);
    let edited = crate::edit(&want, crate::Settled::live(&locks), &tip, &tip, &mut memo, &mut files).unwrap();
    assert_eq!((edited.files, edited.unpatched.len()), (1, 1));
    let tip = files.tree();
    let again = crate::edit(&want, crate::Settled::live(&locks), &tip, &tip, &mut memo, &mut files).unwrap();
    assert_eq!((again.files, again.unpatched), (0, edited.unpatched));
}

fn operations() -> impl Strategy<Value = Value> {
    let files = rendered(&billing());
    let mut targets = Vec::new();
    for object in objects(&files).iter().filter(|o| o["kind"] != "Kustomization") {
        pointers(object, "", &mut |path| targets.push((object["kind"].clone(), path.to_owned())));
    }
    let value =
        prop_oneof![Just(json!("10.9.8.7")), Just(json!({})), Just(json!([])), Just(json!(443)), Just(json!(null))];
    let at = || prop::sample::select(targets.clone());
    let tail = prop::sample::select(vec!["", "/-", "/0", "/x"]);
    let op = prop::sample::select(vec!["add", "remove", "replace", "move", "copy"]);
    (op, at(), at(), tail, value, any::<bool>()).prop_map(|(op, (kind, path), (_, from), tail, value, merge)| {
        let target = json!({"kind": kind});
        if merge && tail.is_empty() && !path.is_empty() {
            let wrap = |value, key: &str| json!({key.replace("~1", "/"): value});
            let merge = path[1..].rsplit('/').fold(value, wrap);
            return json!({"target": target, "merge": merge});
        }
        json!({"target": target, "json": [{"op": op, "path": format!("{path}{tail}"), "from": from, "value": value}]})
    })
}

/// Every pointer into a value, its own first.
pub(super) fn pointers(value: &Value, at: &str, take: &mut dyn FnMut(&str)) {
    take(at);
    let mut below = |key: &str, value| {
        pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), take);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(key, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, value)| below(&i.to_string(), value)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn no_patch_without_force_changes_a_value_of_the_engine(patches in prop::collection::vec(operations(), 1..4)) {
        let wanted = patched(billing(), &patches);
        let after = crate::cluster(&wanted, &lock_of(&wanted), &|_| None);
        if !after.unpatched.is_empty() {
            prop_assert!(after.files.is_empty());
            return Ok(());
        }
        let (before, after) = (objects(&rendered(&billing())), objects(&after.files));
        prop_assert_eq!(before.len(), after.len());
        for (kind, place) in OWNED {
            // References follow renamed templates; everything else is as it was.
            if place.ends_with("Ref/name") && kind != "Cluster" {
                continue;
            }
            let of = |objects: &[Value]| -> Vec<Value> {
                let pod = |file: &&Value| file["path"] == "/etc/kubernetes/manifests/kubevip.yaml";
                let value = |object: &Value| match place.split_once("/files/0/") {
                    Some((above, key)) => {
                        let files = object.pointer(above).unwrap()["files"].as_array().unwrap();
                        json!(files.iter().filter(pod).map(|file| file[key].clone()).collect::<Vec<_>>())
                    }
                    None => object.pointer(place).cloned().unwrap_or(json!("gone")),
                };
                objects.iter().filter(|o| o["kind"] == kind).map(value).collect()
            };
            prop_assert_eq!(of(&before), of(&after), "{} {}", kind, place);
        }
    }
}

#[test]
fn i5_an_empty_object_in_the_place_of_a_list_is_seen() {
    let patch = json!({
        "target": {"kind": "MetalStackFirewallTemplate"},
        "merge": {"spec": {"initialRuleSet": {"ingress": {"0": {}}}}},
    });
    let wanted = patched(wanted("billing", Flavor::Calico), &[patch]);
    let rendered = crate::cluster(&wanted, &lock_of(&wanted), &|_| None);
    assert_eq!(rendered.unpatched.iter().map(|error| error.fault.rule()).collect::<Vec<_>>(), ["patch-owned-value"]);
}
