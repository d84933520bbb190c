//! Clusters with any of the fields that a definition may have, as `fleet` would load them, and their locks.

use super::fixtures::*;
use model::definition::{ChartWish, CountOrPercent, FirewallMode, ManifestsWish, SlotMode, Taint};
use model::policy::ImageRewrite;
use model::rules::{EgressRule, IngressRule, Port};
use model::want::{
    Autoscale, CcmSpec, CniSpec, Flavor, HealthCheckSpec, InstalledCni, MetallbSpec, PoolSpec, Setting, Wanted,
};
use model::{ClusterLock, NetworkId, Seconds};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// No value of an output but a port is in this range.
const PORTS: std::ops::Range<u16> = 20_000..32_768;
pub(super) const NETWORKS: [&str; 3] = ["internet", "mpls-muc-a", "storage-net"];
/// What the definition asks for and the lock does not say: nowhere in an output.
const DECOY_NETWORK: &str = "ffffffff-0000-4000-8000-ffffffffffff";
const DECOY_ADDRESS: [u8; 4] = [198, 18, 15, 250];

/// A cluster and a lock with every slot known that is not the provider's.
pub(super) fn clusters() -> impl Strategy<Value = (Wanted, ClusterLock)> {
    (flavors(), networks(), machines(), addons(), modes()).prop_map(|(flavor, networks, machines, addons, modes)| {
        let wanted = with(wanted("billing", flavor), |e| {
            networks.apply(e);
            machines.apply(e);
            addons.apply(e);
            modes.apply(e);
        });
        let mut lock = lock_of(&wanted);
        match &mut lock.values.vip {
            Some(_) if modes.vip => lock.values.vip = None,
            Some(vip) => {
                vip.port = networks.locked_port;
                vip.network = networks.vip;
            }
            None => {}
        }
        if modes.nodes && addons.ccm.is_none() {
            lock.values.node_network = None;
        }
        if modes.firewall {
            lock.values.firewall = None;
        }
        assert!(crate::complete(&wanted, &lock));
        (wanted, lock)
    })
}

fn flavors() -> impl Strategy<Value = Flavor> {
    prop::sample::select(vec![Flavor::Default, Flavor::Calico, Flavor::PreV133])
}

fn port() -> impl Strategy<Value = Port> {
    PORTS.prop_map(|port| Port::new(port).unwrap())
}

#[derive(Clone, Debug)]
struct Networks {
    port: Port,
    locked_port: Port,
    pods: &'static str,
    services: &'static str,
    external: Vec<NetworkId>,
    egress: Vec<NetworkId>,
    vip: NetworkId,
    base_rules: bool,
    rules: Vec<(u16, &'static str)>,
}

fn some_networks(least: usize) -> impl Strategy<Value = Vec<NetworkId>> {
    prop::sample::subsequence(NETWORKS.to_vec(), least..=NETWORKS.len())
        .prop_map(|names| names.into_iter().map(network).collect())
}

fn networks() -> impl Strategy<Value = Networks> {
    let pods = prop::sample::select(vec!["10.240.0.0/13", "10.240.0.0/14", "10.244.0.0/16"]);
    let services = prop::sample::select(vec!["10.248.0.0/16", "10.250.0.0/18"]);
    let rules = prop::collection::vec((1..1000_u16, prop::sample::select(vec!["192.0.2.0/24", "0.0.0.0/0"])), 0..3);
    let parts = (port(), port(), pods, services, some_networks(1), some_networks(0), 0..3_usize, any::<bool>(), rules);
    parts.prop_map(|(port, locked_port, pods, services, external, egress, vip, base_rules, rules)| {
        let egress = egress.into_iter().filter(|network| external.contains(network)).collect();
        let vip = external[vip % external.len()].clone();
        Networks { port, locked_port, pods, services, external, egress, vip, base_rules, rules }
    })
}

impl Networks {
    fn apply(&self, e: &mut model::want::Effective) {
        e.api_port.value = self.port;
        e.pods.value = cidr(self.pods);
        e.services.value = cidr(self.services);
        e.vip.network.value = network("internet");
        e.vip.address = Some(DECOY_ADDRESS.into());
        e.nodes.id = Some(network(DECOY_NETWORK));
        e.firewall.networks.value = self.external.clone();
        e.firewall.egress = self.egress.clone();
        e.firewall.base_rules.value = self.base_rules;
        for (port, cidr) in &self.rules {
            let egress = json!({"ports": [port], "protocol": "UDP", "to": [cidr]});
            let ingress = json!({"ports": [port], "protocol": "TCP", "from": [cidr]});
            e.firewall.written_egress.push(serde_json::from_value::<EgressRule>(egress).unwrap());
            e.firewall.written_ingress.push(serde_json::from_value::<IngressRule>(ingress).unwrap());
        }
    }
}

#[derive(Clone, Debug)]
struct Machines {
    replicas: u32,
    health: Option<HealthCheckSpec>,
    drain: u32,
    pools: Vec<PoolSpec>,
}

fn health() -> impl Strategy<Value = Option<HealthCheckSpec>> {
    let most = prop::option::of(prop_oneof![
        (1..5_u32).prop_map(CountOrPercent::Count),
        (1..100_u32).prop_map(CountOrPercent::Percent)
    ]);
    prop::option::of((60..9000_u32, 60..9000_u32, most).prop_map(|(startup, unhealthy, max_unhealthy)| {
        HealthCheckSpec {
            node_startup_timeout: Setting::built_in(Seconds::new(startup)),
            unhealthy_timeout: Setting::built_in(Seconds::new(unhealthy)),
            max_unhealthy,
        }
    }))
}

fn pools() -> impl Strategy<Value = Vec<PoolSpec>> {
    let names = prop::collection::btree_set("[a-z][a-z0-9-]{0,6}[a-z0-9]", 1..4);
    let scale = prop::option::of((0..3_u32, 3..9_u32).prop_map(|(min, max)| Autoscale { min, max }));
    let keys = vec!["team", "node-role.kubernetes.io/worker", "node.cluster.x-k8s.io/zone"];
    let labels = prop::collection::btree_map(prop::sample::select(keys), "[a-z]{0,4}", 0..3);
    let taint = prop_oneof![
        Just(json!({"key": "batch", "value": "yes", "effect": "NoSchedule"})),
        Just(json!({"key": "gpu", "effect": "NoExecute"})),
    ];
    let one = (0..20_u32, scale, labels, prop::option::of(taint), health(), 0..900_u32);
    (names, prop::collection::vec(one, 3)).prop_map(|(names, ones)| {
        let pool = |(name, (replicas, autoscale, labels, taint, health, drain)): (String, _)| {
            let labels: BTreeMap<&str, String> = labels;
            let taint: Option<Value> = taint;
            PoolSpec {
                autoscale,
                labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
                taints: taint.into_iter().map(|taint| serde_json::from_value::<Taint>(taint).unwrap()).collect(),
                health,
                drain: Setting::built_in(Seconds::new(drain)),
                ..pool(&name, replicas, "1.34.2")
            }
        };
        names.into_iter().zip(ones).map(pool).collect()
    })
}

fn machines() -> impl Strategy<Value = Machines> {
    (prop::sample::select(vec![1, 3, 5]), health(), 0..900_u32, pools())
        .prop_map(|(replicas, health, drain, pools)| Machines { replicas, health, drain, pools })
}

impl Machines {
    fn apply(&self, e: &mut model::want::Effective) {
        e.control_plane.replicas.value = self.replicas;
        e.control_plane_health = self.health.clone();
        e.control_plane_drain.value = Seconds::new(self.drain);
        e.pools = self.pools.clone();
    }
}

#[derive(Clone, Debug)]
struct Addons {
    cni: Option<InstalledCni>,
    ccm: Option<Option<NetworkId>>,
    metallb: bool,
    charts: Vec<ChartWish>,
    manifests: Vec<ManifestsWish>,
    mirrored: bool,
}

fn addons() -> impl Strategy<Value = Addons> {
    let cni = prop::option::of(prop::sample::select(vec![InstalledCni::Calico, InstalledCni::Cilium]));
    let ccm = prop::option::of(prop::option::of(prop::sample::select(NETWORKS.to_vec()).prop_map(network)));
    let parts = (cni, ccm, any::<bool>(), 0..3_usize, 0..3_usize, any::<bool>());
    parts.prop_map(|(cni, ccm, metallb, charts, manifests, mirrored)| Addons {
        cni,
        ccm,
        metallb,
        charts: (0..charts).map(chart).map(|chart| serde_json::from_value(chart).unwrap()).collect(),
        manifests: (0..manifests).map(manifest).map(|set| serde_json::from_value(set).unwrap()).collect(),
        mirrored,
    })
}

fn chart(n: usize) -> Value {
    json!({
        "name": format!("chart-{n}"),
        "repoURL": "https://charts.example.com",
        "chart": "thing",
        "version": "1.2.3",
        "namespace": "things",
        "values": {"z": {"b": 1, "a": ["x"]}, "image": {"repository": "ghcr.io/things/thing", "tag": "v1"}, "braces": "{{ x }}"},
    })
}

fn manifest(n: usize) -> Value {
    json!({
        "name": format!("set-{n}"),
        "secretRefs": ["registry-login"],
        "objects": [{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c", "labels": {"b": "1", "a": "2"}}}],
    })
}

impl Addons {
    fn apply(&self, e: &mut model::want::Effective) {
        let version = || Setting::built_in("1.18.0".to_owned());
        e.cni = self.cni.map(|kind| CniSpec { kind, version: version(), values: None });
        e.ccm = self.ccm.clone().map(|default_external_network| CcmSpec {
            version: Setting::built_in("v0.9.7".to_owned()),
            credentials_ref: label("metal-ccm"),
            default_external_network,
        });
        e.metallb = self.metallb.then(|| MetallbSpec { version: version(), values: None });
        e.charts = self.charts.clone();
        e.manifests = self.manifests.clone();
        if self.mirrored {
            e.images.rewrite =
                vec![ImageRewrite { from: "ghcr.io".to_owned(), to: "mirror.example.com/ghcr".to_owned() }];
        }
    }
}

/// Which slots are the provider's, and whether the cluster is paused.
#[derive(Clone, Copy, Debug)]
struct Modes {
    nodes: bool,
    vip: bool,
    firewall: bool,
    paused: bool,
}

fn modes() -> impl Strategy<Value = Modes> {
    let rarely = || prop::bool::weighted(0.2);
    (rarely(), rarely(), rarely(), rarely()).prop_map(|(nodes, vip, firewall, paused)| Modes {
        nodes,
        vip,
        firewall,
        paused,
    })
}

impl Modes {
    fn apply(self, e: &mut model::want::Effective) {
        let Self { nodes, vip, firewall, paused } = self;
        // R7: not with the cloud controller manager, which needs the network.
        if nodes && e.ccm.is_none() {
            e.nodes.mode.value = SlotMode::Delegate;
        }
        if vip {
            e.vip.mode.value = SlotMode::Delegate;
        }
        if firewall {
            e.firewall.mode.value = FirewallMode::Deployment;
        }
        e.paused = paused;
    }
}

/// As if every map of it had been written the other way round.
pub(super) fn rearranged(wanted: Wanted) -> Wanted {
    fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &mut T) {
        let turned = turned(serde_json::to_value(&*value).unwrap());
        *value = serde_json::from_value(turned).unwrap();
    }
    fn turned(value: Value) -> Value {
        match value {
            Value::Object(map) => map.into_iter().rev().map(|(key, value)| (key, turned(value))).collect(),
            Value::Array(items) => items.into_iter().map(turned).collect(),
            other => other,
        }
    }
    with(wanted, |e| {
        again(&mut e.charts);
        again(&mut e.manifests);
        e.patches.iter_mut().for_each(|patch| again(&mut patch.patch));
        again(&mut e.labels);
    })
}
