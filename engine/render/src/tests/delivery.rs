//! What Argo CD and Flux are given.

use crate::delivery::{Output, files, wave_of};
use model::Fleet;
use model::fleet::GitOpsTool;
use model::want::Flavor;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const LONG: &str = "a-namespace-with-a-long-name.and-a-cluster-with-a-long-name-too";

fn fleet(tool: GitOpsTool) -> Fleet {
    let text = r"
apiVersion: fleet.metal-stack.io/v1alpha1
kind: Fleet
metadata: {name: example}
spec:
  metal: {projects: [{id: 00000000-0000-0000-0000-000000000001}]}
  managementClusters: [{name: mgmt}, {name: other}]
  stages: [{name: production, managementCluster: mgmt}]
  output: {sourceURL: https://git.example.com/fleet.git, secretRef: fleet-login}
";
    let mut fleet: Fleet = serde_yaml::from_str(text).unwrap();
    fleet.spec.management_clusters[0].gitops = tool;
    fleet
}

fn output() -> Output {
    let mut output = Output::default();
    let (namespace, name) = LONG.split_once('.').unwrap();
    let long = format!("rendered/mgmt/{namespace}/{name}");
    for file in ["infrastructure", "control-plane", "pools", "templates", "kustomization"] {
        output.add(&format!("rendered/mgmt/payments/billing/{file}.yaml"));
        output.add(&format!("{long}/{file}.yaml"));
        output.add(&format!("rendered/other/payments/billing/{file}.yaml"));
    }
    output.add("rendered/mgmt/payments/billing/addons.yaml");
    output.add("rendered/mgmt/namespaces/payments.yaml");
    output
}

fn given(tool: GitOpsTool) -> BTreeMap<String, String> {
    let text = |(path, bytes): (String, Vec<u8>)| (path, String::from_utf8(bytes).unwrap());
    files(&fleet(tool), &output()).into_iter().map(text).collect()
}

fn objects(given: &BTreeMap<String, String>) -> Vec<Value> {
    given.values().flat_map(|text| super::fixtures::documents(text.as_bytes())).collect()
}

#[test]
fn argo_cd_gets_an_application_for_each_cluster_after_the_namespaces() {
    let given = given(GitOpsTool::Argocd);
    let expected =
        ["gitops/argocd/mgmt.namespaces.yaml".to_owned(), "gitops/argocd/mgmt.payments.billing.yaml".to_owned()];
    assert!(expected.iter().all(|path| given.contains_key(path)) && given.len() == 3, "{:?}", given.keys());
    insta::assert_snapshot!("argocd", expected.map(|path| given[&path].clone()).join("---\n"));
}

#[test]
fn flux_gets_a_kustomization_for_each_part_after_the_part_before() {
    let given = given(GitOpsTool::Flux);
    let shown = |path: &&String| !path.contains("a-namespace");
    let text: Vec<_> = given.keys().filter(shown).map(|path| format!("== {path}\n{}", given[path])).collect();
    insta::assert_snapshot!("flux", text.join("\n"));
}

#[test]
fn names_are_unique_and_fit_into_labels_and_every_dependency_is_there() {
    let objects = objects(&given(GitOpsTool::Flux));
    let of_flux = |o: &&Value| o["apiVersion"] == "kustomize.toolkit.fluxcd.io/v1";
    let named: Vec<_> = objects.iter().filter(of_flux).map(|o| o["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), 1 + 4 + 4);
    assert!(named.iter().all(|name| name.len() <= 63 && !name.contains("..")), "{named:?}");
    for needed in objects.iter().flat_map(|o| o["spec"]["dependsOn"].as_array().cloned().unwrap_or_default()) {
        assert!(named.contains(&needed["name"].as_str().unwrap()), "{needed}");
    }
}

#[test]
fn a_part_refers_to_files_that_are_there() {
    let given = given(GitOpsTool::Flux);
    let mut seen = 0;
    for (path, text) in given.iter().filter(|(path, _)| path.ends_with("/kustomization.yaml")) {
        let document: Value = serde_yaml::from_str(text).unwrap();
        for resource in document["resources"].as_array().unwrap() {
            let mut at: Vec<_> = path.rsplit_once('/').unwrap().0.split('/').collect();
            for part in resource.as_str().unwrap().split('/') {
                if part == ".." {
                    at.pop().unwrap();
                } else {
                    at.push(part)
                };
            }
            let target = at.join("/");
            let is_there = given.contains_key(&target) || target.starts_with("rendered/mgmt/");
            assert!(is_there, "{path}: {target}");
            seen += 1;
        }
    }
    assert_eq!(seen, 3 + 5 + 4);
}

#[test]
fn without_a_tool_or_a_source_there_is_nothing() {
    assert_eq!(given(GitOpsTool::None), BTreeMap::new());
    let mut nowhere = fleet(GitOpsTool::Flux);
    nowhere.spec.output.source_url = None;
    assert_eq!(files(&nowhere, &output()), []);
}

#[test]
fn r2_what_leaves_with_a_cluster_is_in_the_wave_that_nothing_waits_for() {
    let cluster = super::fixtures::wanted("billing", Flavor::Calico);
    let rendered = super::fixtures::rendered(&cluster);
    let with_it = ["infrastructure.yaml", "control-plane.yaml", "pools.yaml"];
    let (mut leaving, mut staying) = (BTreeSet::new(), BTreeSet::new());
    for (path, bytes) in rendered.iter().filter(|(path, _)| !path.ends_with("kustomization.yaml")) {
        let waves = super::fixtures::documents(bytes).into_iter().map(|o| wave_of(o["kind"].as_str().unwrap()));
        let name = path.rsplit('/').next().unwrap();
        if with_it.contains(&name) { leaving.extend(waves) } else { staying.extend(waves) }
    }
    assert_eq!(leaving.len(), 1);
    assert!(leaving.last() >= staying.last() && leaving.last() > staying.first(), "{leaving:?} {staying:?}");
}

#[test]
fn the_files_of_a_part_that_is_gone_are_pruned_before_the_part_is() {
    let text = given(GitOpsTool::Flux);
    let (namespace, name) = LONG.split_once('.').unwrap();
    let addons = &text[&format!("gitops/flux/mgmt/{namespace}.{name}/addons/kustomization.yaml")];
    let addons: Value = serde_yaml::from_str(addons).unwrap();
    assert_eq!(addons["resources"], Value::Array(Vec::new()));
}
