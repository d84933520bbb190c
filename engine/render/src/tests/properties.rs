//! For any definition, patched or not: every copy is the lock's, and the same input is the same bytes.

use super::copies::walk;
use super::fixtures::*;
use super::patches::{patched, pointers};
use super::random::{NETWORKS, clusters, rearranged};
use crate::{Memo, Rendered};
use model::rules::Port;
use model::tree::MemoryTree;
use model::want::Wanted;
use model::{Cidr, ClusterLock, NetworkId};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

fn render(wanted: &Wanted, lock: &ClusterLock) -> Rendered {
    crate::cluster(wanted, lock, &|_| None)
}

/// The parts of a text that are made of these characters only.
fn words<'a>(text: &'a str, of: impl Fn(char) -> bool + 'a) -> impl Iterator<Item = &'a str> {
    text.split(move |c| !of(c)).filter(|word| !word.is_empty())
}

fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let parses = |word: &&str| word.parse::<Ipv4Addr>().is_ok() || word.parse::<Cidr>().is_ok();
    let found = words(text, |c| c.is_ascii_digit() || matches!(c, '.' | '/'));
    found.map(|word| word.trim_matches(['.', '/'])).filter(parses)
}

fn uuids(text: &str) -> impl Iterator<Item = &str> {
    let has_dashes = |word: &&str| word.len() == 36 && [8, 13, 18, 23].iter().all(|at| word.as_bytes()[*at] == b'-');
    words(text, |c| c.is_ascii_hexdigit() || c == '-').filter(has_dashes)
}

/// The port of the API server: the lock's, where the VIP is not the provider's.
fn api_port(wanted: &Wanted, lock: &ClusterLock) -> Port {
    lock.values.vip.as_ref().map_or(wanted.effective.api_port.value, |vip| vip.port)
}

/// What may stand in the output of a cluster.
struct Known {
    /// Addresses, CIDRs and ids; with constants of kubeadm, of the rules and of the metal-api as nodes see it.
    words: BTreeSet<String>,
    networks: BTreeSet<String>,
    /// The definition's port where the lock says another one: nowhere.
    not_the_port: Option<String>,
}

impl Known {
    fn of(wanted: &Wanted, lock: &ClusterLock) -> Self {
        let (effective, values) = (&wanted.effective, &lock.values);
        let mut words: BTreeSet<String> = ["127.0.0.1", "0.0.0.0/0", "203.0.113.10/32"].map(str::to_owned).into();
        words.extend([effective.pods.value.to_string(), effective.services.value.to_string()]);
        words.extend(effective.firewall.written_egress.iter().flat_map(|rule| &rule.to).map(ToString::to_string));
        words.insert(wanted.identity.project.to_string());
        words.extend(values.vip.as_ref().map(|vip| vip.address.to_string()));
        words.extend(values.firewall.as_ref().map(|firewall| firewall.id.to_string()));
        let node_network = values.node_network.as_ref().map(|network| &network.id);
        words.extend(node_network.map(NetworkId::to_string));
        let mut networks: Vec<_> = effective.firewall.networks.value.iter().chain(node_network).collect();
        networks.extend(values.vip.as_ref().map_or(Some(&effective.vip.network.value), |vip| Some(&vip.network)));
        networks.extend(effective.ccm.as_ref().and_then(|ccm| ccm.default_external_network.as_ref()));
        let networks = networks.into_iter().map(ToString::to_string).collect();
        let written = effective.api_port.value;
        let not_the_port = (written != api_port(wanted, lock)).then(|| written.get().to_string());
        Self { words, networks, not_the_port }
    }

    /// The word of a text that is not the cluster's.
    fn stranger<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut words_of_ours = addresses(text).chain(uuids(text));
        if let Some(word) = words_of_ours.find(|word| !self.words.contains(*word)) {
            return Some(word);
        }
        let lists_networks = text.split(',').any(|part| NETWORKS.contains(&part));
        if let Some(part) = text.split(',').find(|part| lists_networks && !self.networks.contains(*part)) {
            return Some(part);
        }
        words(text, |c| c.is_ascii_alphanumeric()).find(|word| self.not_the_port.as_deref() == Some(*word))
    }
}

/// The copies of VIP, port, CIDRs and node network are there, each at its place.
fn check_places(wanted: &Wanted, lock: &ClusterLock, objects: &[Value]) {
    let (effective, values) = (&wanted.effective, &lock.values);
    let port = api_port(wanted, lock);
    let network = &find(objects, "Cluster", "billing")["spec"]["clusterNetwork"];
    assert_eq!(network["pods"]["cidrBlocks"], json!([effective.pods.value]));
    assert_eq!(network["services"]["cidrBlocks"], json!([effective.services.value]));
    assert_eq!(network["apiServerPort"], json!(port));

    let metal = &find(objects, "MetalStackCluster", "billing")["spec"];
    let expected = json!({
        "nodeNetworkID": values.node_network.as_ref().map(|network| &network.id),
        "controlPlaneIP": values.vip.as_ref().map(|vip| vip.address),
        "controlPlaneEndpoint": values.vip.as_ref().map(|vip| json!({"host": vip.address, "port": vip.port})),
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(metal.get(key), Some(value).filter(|value| !value.is_null()), "absent and never null");
    }

    let config = &find(objects, "KubeadmControlPlane", "billing")["spec"]["kubeadmConfigSpec"];
    for place in ["/initConfiguration/localAPIEndpoint", "/joinConfiguration/controlPlane/localAPIEndpoint"] {
        assert_eq!(config.pointer(place).unwrap()["bindPort"], json!(port));
    }
    let is_pod = |file: &&Value| file["path"] == "/etc/kubernetes/manifests/kubevip.yaml";
    let pods: Vec<_> = config["files"].as_array().into_iter().flatten().filter(is_pod).collect();
    assert_eq!(pods.len(), usize::from(values.vip.is_some()), "one static pod where there is a VIP");
    for (pod, vip) in pods.into_iter().zip(&values.vip) {
        let pod: Value = serde_yaml::from_str(pod["content"].as_str().unwrap()).unwrap();
        let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
        assert!(env.contains(&json!({"name": "address", "value": vip.address})), "{env:?}");
        assert!(env.contains(&json!({"name": "port", "value": port.get().to_string()})), "{env:?}");
    }
    if effective.firewall.base_rules.value {
        let rules = &find(objects, "MetalStackFirewallTemplate", "billing")["spec"]["initialRuleSet"]["ingress"];
        assert!(rules[0]["ports"].as_array().unwrap().contains(&json!(port)), "{rules}");
    }
}

/// A patch before it is known what there is to patch: where, from where, how, what is put behind the place, and a value.
type Change = (Index, Index, &'static str, &'static str, Value);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let op = prop::sample::select(vec!["add", "add", "add", "remove", "replace", "move", "copy", "merge", "merge"]);
    let behind = prop::sample::select(vec!["", "/-", "/0", "/new", "/new"]);
    let values = vec![json!("patched"), json!({}), json!([]), json!({"b": {"d": 1, "c": 2}, "a": true})];
    prop::collection::vec((any::<Index>(), any::<Index>(), op, behind, prop::sample::select(values)), 0..5)
}

fn patches(changes: &[Change], objects: &[Value]) -> Vec<Value> {
    let mut places = Vec::new();
    for object in objects.iter().filter(|object| object["kind"] != "Kustomization") {
        pointers(object, "", &mut |path| places.push((object["kind"].clone(), path.to_owned())));
    }
    let patch = |(at, from, op, behind, value): &Change| {
        let (kind, path) = at.get(&places);
        let (path, target) = (format!("{path}{behind}"), json!({"kind": kind}));
        if *op == "merge" {
            let keys = path.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~"));
            let keys: Vec<_> = keys.collect();
            let merge = keys.into_iter().rev().fold(value.clone(), |value, key| json!({key: value}));
            return json!({"target": target, "merge": merge.as_object()});
        }
        json!({"target": target, "json": [{"op": op, "path": path, "from": from.get(&places).1, "value": value}]})
    };
    changes.iter().map(patch).collect()
}

/// With those patches that can be applied, one by one.
fn with_patches(wanted: Wanted, lock: &ClusterLock, changes: &[Change]) -> Wanted {
    let mut good = Vec::new();
    for patch in patches(changes, &objects(&render(&wanted, lock).files)) {
        good.push(patch);
        let rendered = render(&patched(wanted.clone(), &good), lock);
        assert_eq!(rendered.files.is_empty(), !rendered.unpatched.is_empty(), "files or reasons");
        if rendered.files.is_empty() {
            good.pop();
        }
    }
    patched(wanted, &good)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn every_copy_is_the_locks_whatever_the_definition((wanted, lock) in clusters(), changes in changes()) {
        let wanted = with_patches(wanted, &lock, &changes);
        let known = Known::of(&wanted, &lock);
        let objects = objects(&render(&wanted, &lock).files);
        check_places(&wanted, &lock, &objects);
        let mut scalars = Vec::new();
        objects.iter().for_each(|object| walk(object, object["kind"].as_str().unwrap(), &mut scalars));
        for (place, text) in scalars {
            prop_assert_eq!(known.stranger(&text), None, "{}: {}", place, text);
        }
    }

    /// I4, I10: in another arrangement of its maps, by way of an edit with a fresh memo, and with one that knows it.
    #[test]
    fn the_same_input_is_the_same_bytes((wanted, lock) in clusters(), changes in changes()) {
        let wanted = with(with_patches(wanted, &lock, &changes), |e| e.paused = false);
        let turned = rearranged(wanted.clone());
        let first = render(&wanted, &lock);
        prop_assert_eq!(&render(&turned, &lock), &first);

        let locks = BTreeMap::from([(wanted.id.clone(), lock)]);
        let edit = |want: &model::Want, files: &mut MemoryTree, memo: &mut Memo| {
            let tip = files.tree();
            crate::edit(want, crate::Settled::live(&locks), &tip, &tip, memo, files).unwrap().files
        };
        let (mut files, mut memo, dir) = (MemoryTree::default(), Memo::default(), wanted.output_dir());
        prop_assert!(edit(&want([wanted]), &mut files, &mut memo) > 0);
        let written: Vec<_> = files.files.clone().into_iter().filter(|(path, _)| path.starts_with(&dir)).collect();
        prop_assert_eq!(written, first.files);
        let again = reloaded(want([turned]), &files);
        prop_assert_eq!(edit(&again, &mut files, &mut memo), 0);
        prop_assert_eq!(edit(&again, &mut files, &mut Memo::default()), 0);
    }
}

#[test]
fn a_stranger_is_found_in_text_too() {
    let wanted =
        with(wanted("billing", model::want::Flavor::Calico), |e| e.api_port.value = Port::new(20_001).unwrap());
    let mut lock = lock_of(&wanted);
    lock.values.vip.as_mut().unwrap().port = Port::new(20_002).unwrap();
    let known = Known::of(&wanted, &lock);
    for (text, stranger) in [
        ("--cluster-cidr=10.240.0.0/12", Some("10.240.0.0/12")),
        ("--cluster-cidr=10.240.0.0/13", None),
        ("https://198.18.0.6:20002", Some("198.18.0.6")),
        ("https://198.18.0.5:20002", None),
        ("198.18.0.5:20001", Some("20001")),
        ("internet,mpls-muc-a", Some("mpls-muc-a")),
        ("internet,", Some("")),
        ("8d2b7c55-2f0f-4b6e-9d3a-1f0c5e7a9b02", Some("8d2b7c55-2f0f-4b6e-9d3a-1f0c5e7a9b02")),
        ("v1.34.2 of 3ce1bc44", None),
    ] {
        assert_eq!(known.stranger(text), stranger, "{text}");
    }
}
