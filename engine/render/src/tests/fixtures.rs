//! Clusters as `fleet` would load them, and trees that take their files.

use model::definition::{FirewallMode, SlotMode, VersionWish, VipKind};
use model::fleet::{ApiVersion, ProviderKind, Purpose};
use model::ids::Label;
use model::lock::{EgressIp, Firewall, Identity, Kubernetes, LockKind, NodeNetwork, Source, Values, Vip};
use model::policy::KubernetesVersion;
use model::rules::Port;
use model::tree::MemoryTree;
use model::want::{
    CcmSpec, CniSpec, Effective, FirewallSpec, Flavor, ImageSpec, InstalledCni, MachineSpec, NodesSpec, Origin,
    PoolSpec, Setting, VipSpec, Wanted,
};
use model::{
    Allocation, Cidr, ClusterId, ClusterLock, Condition, ConditionStatus, Digest, Fleet, FleetName, ImageId, MachineId,
    NetworkId, PartitionId, ProjectId, Reason, SizeId, Want,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const VIP: [u8; 4] = [198, 18, 0, 5];
pub(super) const NODE_NETWORK: &str = "8d2b7c55-2f0f-4b6e-9d3a-1f0c5e7a9b01";

pub(super) fn network(id: &str) -> NetworkId {
    NetworkId::parse(id).unwrap()
}

pub(super) fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

pub(super) fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

fn written<T>(value: T) -> Setting<T> {
    Setting::new(value, Origin::Definition)
}

fn policy<T>(value: T) -> Setting<T> {
    Setting::new(value, Origin::Policy)
}

pub(super) fn machines(replicas: u32, size: &str, version: &str) -> MachineSpec {
    let id = ImageId::parse(&format!("capms-ubuntu-{version}")).unwrap();
    MachineSpec {
        replicas: written(replicas),
        size: policy(SizeId::parse(size).unwrap()),
        image: ImageSpec { wish: policy(ImageId::parse("ubuntu").unwrap()), id, kube_vip: "v0.8.10".to_owned() },
        reserve: 0,
    }
}

pub(super) fn pool(name: &str, replicas: u32, version: &str) -> PoolSpec {
    PoolSpec {
        name: label(name),
        machines: machines(replicas, "n1-medium-x86", version),
        autoscale: None,
        max_surge: Setting::built_in(1),
        max_unavailable: Setting::built_in(0),
        labels: BTreeMap::new(),
        taints: Vec::new(),
        drain: Setting::built_in(model::Seconds::minutes(2)),
        health: None,
    }
}

fn firewall() -> FirewallSpec {
    FirewallSpec {
        mode: Setting::built_in(FirewallMode::Engine),
        machine: None,
        size: policy(SizeId::parse("n1-medium-x86").unwrap()),
        image: policy(ImageId::parse("firewall-ubuntu-3.0").unwrap()),
        networks: policy(vec![network("internet")]),
        base_rules: Setting::built_in(true),
        written_egress: Vec::new(),
        written_ingress: Vec::new(),
        node_api_cidrs: vec![cidr("203.0.113.10/32")],
        node_api_port: Some(443),
        egress: Vec::new(),
        health_timeout: Setting::built_in(model::Seconds::minutes(20)),
    }
}

fn effective(flavor: Flavor) -> Effective {
    let version = match flavor {
        Flavor::Default | Flavor::Calico => "1.34.2",
        Flavor::PreV133 => "1.32.9",
    };
    let calico = flavor == Flavor::Calico;
    Effective {
        flavor: written(flavor),
        purpose: written(if calico { Purpose::Production } else { Purpose::Development }),
        stage: label("production"),
        policy: label("default"),
        provider: Setting::new(ProviderKind::Capms, Origin::Fleet),
        labels: BTreeMap::from([("team".to_owned(), "payments".to_owned()), ("backup".to_owned(), "yes".to_owned())]),
        kubernetes: VersionWish::parse(version).unwrap(),
        version: KubernetesVersion::parse(version).unwrap(),
        nodes: NodesSpec { mode: Setting::built_in(SlotMode::Allocate), id: None, length: None },
        pods: policy(cidr("10.240.0.0/13")),
        services: policy(cidr("10.248.0.0/16")),
        api_port: Setting::built_in(Port::API),
        cni: calico.then(|| CniSpec {
            kind: InstalledCni::Calico,
            version: policy("v3.28.3".to_owned()),
            values: None,
        }),
        vip: VipSpec {
            mode: Setting::built_in(SlotMode::Allocate),
            network: policy(network("internet")),
            kind: Setting::built_in(VipKind::Static),
            address: None,
        },
        firewall: firewall(),
        control_plane: machines(if calico { 3 } else { 1 }, "c1-large-x86", version),
        control_plane_drain: Setting::built_in(model::Seconds::minutes(10)),
        control_plane_health: None,
        pools: if calico {
            vec![pool("general", 3, version), pool("batch", 4, version)]
        } else {
            vec![pool("general", 2, version)]
        },
        ccm: calico.then(|| CcmSpec {
            version: policy("v0.9.7".to_owned()),
            credentials_ref: label("metal-ccm"),
            default_external_network: None,
        }),
        metallb: None,
        charts: Vec::new(),
        manifests: Vec::new(),
        allow_reinstall: false,
        images: <_>::default(),
        patches: Vec::new(),
        gitops: <_>::default(),
        node_api_url: Some("https://metal.example.com/metal".to_owned()),
        paused: false,
        allow_replacement: Setting::built_in(model::definition::AllowReplacement::Always),
        deletion: model::want::DeletionSpec {
            is_confirmed: false,
            grace_period: Setting::built_in(model::Seconds::new(0)),
        },
    }
}

/// A cluster without a committed lock.
pub(super) fn wanted(name: &str, flavor: Flavor) -> Wanted {
    let id: ClusterId = format!("payments.{name}").parse().unwrap();
    let identity = Identity {
        namespace: id.namespace().clone(),
        name: id.name().clone(),
        management_cluster: label("kclm"),
        project: ProjectId::parse(ProjectId::EXAMPLE).unwrap(),
        partition: PartitionId::parse("muc-a").unwrap(),
        fleet: FleetName::parse("example").unwrap(),
    };
    Wanted {
        path: format!("stages/production/clusters/{name}/cluster.yaml"),
        lock_path: format!("stages/production/clusters/{name}/cluster.lock.yaml"),
        id,
        identity,
        effective: Arc::new(effective(flavor)),
        digest: Digest::of_bytes(name.as_bytes()),
        lock: None,
        lock_found_at: None,
        committed_inputs: None,
        blocked: None,
    }
}

/// Changes the effective settings of a cluster.
pub(super) fn with(mut wanted: Wanted, change: impl FnOnce(&mut Effective)) -> Wanted {
    change(Arc::make_mut(&mut wanted.effective));
    wanted
}

/// A lock with every slot filled.
pub(super) fn lock_of(wanted: &Wanted) -> ClusterLock {
    let effective = &wanted.effective;
    let allocation = |n: u8| Allocation::parse(&format!("7d9c2f0e-93d4-4a51-9a3e-6c7c9d0f1b{n:02x}")).unwrap();
    let egress = effective.firewall.egress.iter().map(|network| EgressIp {
        network: network.clone(),
        address: "198.18.0.9".parse().unwrap(),
        allocation: allocation(9),
        origin: model::Origin::Allocated,
    });
    let values = Values {
        node_network: Some(NodeNetwork {
            id: network(NODE_NETWORK),
            prefixes: vec![cidr("10.0.0.0/22")],
            origin: model::Origin::Allocated,
        }),
        vip: Some(Vip {
            address: VIP.into(),
            port: effective.api_port.value,
            network: effective.vip.network.value.clone(),
            kind: VipKind::Static,
            allocation: allocation(1),
            origin: model::Origin::Allocated,
        }),
        egress_ips: egress.collect(),
        firewall: Some(Firewall {
            id: MachineId::parse(MachineId::EXAMPLE).unwrap(),
            allocation: allocation(2),
            generation: 1,
            image: ImageId::parse("firewall-ubuntu-3.0.20251101").unwrap(),
            networks: effective.firewall.networks.value.clone(),
            origin: model::Origin::Allocated,
            inputs: None,
            successor: None,
        }),
        kubernetes: Some(Kubernetes { version: effective.version.clone() }),
        images: BTreeMap::from([("ubuntu".to_owned(), effective.control_plane.image.id.clone())]),
        autoscaled_pools: Vec::new(),
        empty_pools: Vec::new(),
    };
    ClusterLock {
        api_version: ApiVersion::V1Alpha1,
        kind: LockKind::ClusterLock,
        identity: wanted.identity.clone(),
        source: Source { path: wanted.path.clone(), digest: wanted.digest.clone() },
        values,
        rendered: BTreeMap::new(),
        conditions: vec![Condition::resolved(ConditionStatus::True, Reason::AllValuesKnown, "")],
        deletion: None,
    }
}

/// A want of these clusters.
pub(super) fn want(clusters: impl IntoIterator<Item = Wanted>) -> Want {
    let fleet: Fleet = serde_json::from_value(json!({
        "apiVersion": model::API_VERSION,
        "kind": "Fleet",
        "metadata": {"name": "example"},
        "spec": {
            "metal": {"projects": [{"id": ProjectId::EXAMPLE}]},
            "managementClusters": [{"name": "kclm"}],
            "stages": [{"name": "production", "managementCluster": "kclm"}],
        },
    }))
    .unwrap();
    let clusters = clusters.into_iter().map(|wanted| (wanted.id.clone(), wanted)).collect();
    Want {
        fleet: Some(Arc::new(fleet)),
        fleet_is_refused: false,
        clusters,
        orphan_locks: BTreeMap::new(),
        tombstones: BTreeMap::new(),
        unresolved: <_>::default(),
    }
}

pub(super) fn locks(want: &Want) -> BTreeMap<ClusterId, ClusterLock> {
    want.clusters.iter().map(|(id, wanted)| (id.clone(), lock_of(wanted))).collect()
}

/// The want as it is loaded after these files were committed: with the committed locks.
pub(super) fn reloaded(mut want: Want, files: &MemoryTree) -> Want {
    for wanted in want.clusters.values_mut() {
        wanted.lock_found_at = None;
        wanted.lock = files.files.get(&wanted.lock_path).map(|bytes| Arc::new(serde_yaml::from_slice(bytes).unwrap()));
    }
    want
}

/// What a first run commits: the cluster with its committed lock, and the files.
pub(super) fn committed(wanted: Wanted) -> (Wanted, MemoryTree) {
    let id = wanted.id.clone();
    let want = want([wanted]);
    let mut files = MemoryTree::default();
    let empty = files.tree();
    let edited = crate::edit(
        &want,
        crate::Settled::live(&locks(&want)),
        &empty,
        &empty,
        &mut crate::Memo::default(),
        &mut files,
    )
    .unwrap();
    assert_eq!(edited.changed, std::slice::from_ref(&id));
    let mut want = reloaded(want, &files);
    (want.clusters.remove(&id).unwrap(), files)
}

/// The files of a cluster that was never committed.
pub(super) fn rendered(wanted: &Wanted) -> Vec<(String, Vec<u8>)> {
    let rendered = crate::cluster(wanted, &lock_of(wanted), &|_| None);
    assert_eq!(rendered.outdated, [""; 0]);
    rendered.files
}

pub(super) fn documents(bytes: &[u8]) -> Vec<Value> {
    serde_yaml::Deserializer::from_slice(bytes).map(|d| Value::deserialize(d).unwrap()).collect()
}

/// All objects of some files.
pub(super) fn objects(files: &[(String, Vec<u8>)]) -> Vec<Value> {
    files.iter().flat_map(|(_, bytes)| documents(bytes)).collect()
}

/// The only object of a kind whose name begins so.
pub(super) fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let mut hits = objects.iter().filter(|o| o["kind"] == kind && crate::kinds::name_of(o).starts_with(name));
    let hit = hits.next().unwrap_or_else(|| panic!("no {kind} {name}"));
    assert!(hits.next().is_none(), "several {kind} {name}");
    hit
}
