//! Wants and haves of one project, as small as they can be.

use model::definition::{FirewallMode, SlotMode, VersionWish, VipKind};
use model::fleet::{ApiVersion, FleetKind, FleetMetadata, FleetSpec, ProviderKind, Purpose};
use model::ids::Label;
use model::lock::{Firewall, Identity, LockKind, NodeNetwork, Source, Values, Vip};
use model::metal::*;
use model::policy::KubernetesVersion;
use model::rules::Port;
use model::tags::allocation_tags;
use model::want::*;
use model::{
    Attempt, Cidr, ClusterId, ClusterLock, Digest, Fleet, FleetName, Have, ImageId, MachineId, NetworkId, Origin,
    ProjectId, Slot, Timestamp, Want, Wanted,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

pub(super) fn id(text: &str) -> NetworkId {
    NetworkId::parse(text).unwrap()
}

pub(super) fn project_id() -> ProjectId {
    ProjectId::parse(ProjectId::EXAMPLE).unwrap()
}

pub(super) fn attempt() -> Attempt {
    Attempt::parse(Attempt::EXAMPLE).unwrap()
}

pub(super) fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

pub(super) fn fleet_name() -> FleetName {
    FleetName::parse("example").unwrap()
}

fn fleet() -> Fleet {
    let project = model::fleet::FleetProject {
        id: project_id(),
        name: None,
        stages: vec![],
        namespaces: vec![],
        limits: model::fleet::ProjectLimits::default(),
    };
    Fleet {
        api_version: ApiVersion::V1Alpha1,
        kind: FleetKind::Fleet,
        metadata: FleetMetadata { name: fleet_name() },
        spec: FleetSpec {
            metal: model::fleet::FleetMetal {
                projects: vec![project],
                project: None,
                partition: None,
                node_api_url: None,
                node_api_cidrs: vec![],
                credentials: label("default"),
            },
            addons: model::fleet::FleetAddons::default(),
            management_clusters: vec![],
            stages: vec![],
            output: <_>::default(),
            commit: model::fleet::CommitSettings::default(),
            limits: <_>::default(),
            deletion: <_>::default(),
            paused: false,
        },
    }
}

pub(super) fn effective() -> Effective {
    let cidr = |text: &str| text.parse::<Cidr>().unwrap();
    let image = ImageSpec {
        wish: Setting::new(ImageId::parse("capms-ubuntu").unwrap(), model::want::Origin::Policy),
        id: ImageId::parse("capms-ubuntu-1.34.2").unwrap(),
        kube_vip: "v0.8.10".into(),
    };
    let size = Setting::built_in(model::SizeId::parse("n1-medium-x86").unwrap());
    let machines = MachineSpec { replicas: Setting::built_in(1), size: size.clone(), image, reserve: 0 };
    Effective {
        flavor: Setting::built_in(Flavor::Default),
        purpose: Setting::built_in(Purpose::Evaluation),
        stage: label("development"),
        policy: label("default"),
        provider: Setting::built_in(ProviderKind::Capms),
        labels: BTreeMap::new(),
        kubernetes: VersionWish::Minor(1, 34),
        version: KubernetesVersion::parse("1.34.2").unwrap(),
        nodes: NodesSpec { mode: Setting::built_in(SlotMode::Allocate), id: None, length: None },
        pods: Setting::built_in(cidr("10.240.0.0/13")),
        services: Setting::built_in(cidr("10.248.0.0/18")),
        api_port: Setting::built_in(Port::API),
        cni: None,
        vip: VipSpec {
            mode: Setting::built_in(SlotMode::Allocate),
            network: Setting::built_in(id("internet")),
            kind: Setting::built_in(VipKind::Static),
            address: None,
        },
        firewall: FirewallSpec {
            mode: Setting::built_in(FirewallMode::Engine),
            machine: None,
            size,
            image: Setting::built_in(ImageId::parse("firewall-ubuntu-3.0").unwrap()),
            networks: Setting::built_in(vec![id("internet")]),
            base_rules: Setting::built_in(true),
            written_egress: vec![],
            written_ingress: vec![],
            node_api_cidrs: vec![],
            node_api_port: None,
            egress: vec![],
            health_timeout: Setting::built_in(model::Seconds::minutes(20)),
        },
        control_plane: machines.clone(),
        control_plane_drain: Setting::built_in(model::Seconds::minutes(10)),
        control_plane_health: None,
        pools: vec![PoolSpec {
            name: label("general"),
            machines,
            autoscale: None,
            max_surge: Setting::built_in(1),
            max_unavailable: Setting::built_in(0),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            drain: Setting::built_in(model::Seconds::minutes(2)),
            health: None,
        }],
        ccm: None,
        metallb: None,
        charts: Vec::new(),
        manifests: Vec::new(),
        allow_reinstall: false,
        images: <_>::default(),
        patches: Vec::new(),
        gitops: <_>::default(),
        node_api_url: None,
        paused: false,
        allow_replacement: Setting::built_in(model::definition::AllowReplacement::Always),
        deletion: model::want::DeletionSpec {
            is_confirmed: false,
            grace_period: Setting::built_in(model::Seconds::new(0)),
        },
    }
}

fn identity(id: &ClusterId) -> Identity {
    Identity {
        namespace: id.namespace().clone(),
        name: id.name().clone(),
        management_cluster: label("mgmt"),
        project: project_id(),
        partition: model::PartitionId::parse("muc-a").unwrap(),
        fleet: fleet_name(),
    }
}

pub(super) fn want(ids: &[&str]) -> Want {
    let mut want = Want { fleet: Some(Arc::new(fleet())), ..Want::default() };
    for text in ids {
        let id: ClusterId = text.parse().unwrap();
        let wanted = Wanted {
            id: id.clone(),
            path: format!("{text}/cluster.yaml"),
            lock_path: format!("{text}/cluster.lock.yaml"),
            identity: identity(&id),
            effective: Arc::new(effective()),
            digest: Digest::of(&effective()),
            lock: None,
            lock_found_at: None,
            committed_inputs: None,
            blocked: None,
        };
        want.clusters.insert(id, wanted);
    }
    want
}

pub(super) fn lock(want: &mut Want, id: &str, values: Values) {
    let wanted = want.clusters.get_mut(&id.parse::<ClusterId>().unwrap()).unwrap();
    wanted.lock = Some(Arc::new(ClusterLock {
        api_version: ApiVersion::V1Alpha1,
        kind: LockKind::ClusterLock,
        identity: wanted.identity.clone(),
        source: Source { path: wanted.path.clone(), digest: wanted.digest.clone() },
        values,
        rendered: BTreeMap::new(),
        conditions: vec![],
        deletion: None,
    }));
}

/// Changes what people want of a cluster.
pub(super) fn change(want: &mut Want, id: &str, to: impl FnOnce(&mut Effective)) {
    let wanted = want.clusters.get_mut(&id.parse::<ClusterId>().unwrap()).unwrap();
    to(Arc::make_mut(&mut wanted.effective));
}

/// Puts all that `values` names into metal-api.
pub(super) fn stock(have: &mut Have, cluster: &str, values: &Values) {
    let node = values.node_network.as_ref().unwrap().id.as_str();
    let address = values.vip.as_ref().unwrap().address.to_string();
    let committed = values.firewall.as_ref().unwrap();
    let mut machine = firewall(0, cluster, committed.generation, 100);
    machine.id = committed.id.clone();
    machine.phoned_home = true;
    let had = project(have);
    had.networks.push(network(node, cluster, 100));
    had.ips.push(vip(&address, cluster, 100));
    had.firewalls.push(machine);
}

pub(super) fn values(network: &str, vip: &str, firewall: u32) -> Values {
    Values {
        node_network: Some(NodeNetwork { id: id(network), prefixes: vec![], origin: Origin::Allocated }),
        vip: Some(Vip {
            address: vip.parse().unwrap(),
            port: Port::API,
            network: id("internet"),
            kind: VipKind::Static,
            allocation: model::Allocation::parse("b").unwrap(),
            origin: Origin::Allocated,
        }),
        firewall: Some(Firewall {
            id: machine_id(firewall),
            allocation: model::Allocation::parse("c").unwrap(),
            generation: 1,
            image: ImageId::parse("firewall-ubuntu-3.0.20251101").unwrap(),
            networks: vec![id("internet")],
            origin: Origin::Allocated,
            inputs: None,
            successor: None,
        }),
        ..Values::default()
    }
}

pub(super) fn have() -> Have {
    let image =
        |id: &str| Image { id: ImageId::parse(id).unwrap(), expires: None, for_machines: false, for_firewalls: true };
    Have {
        projects: BTreeMap::from([(project_id(), HaveProject::default())]),
        images: vec![image("firewall-ubuntu-3.0.20251001"), image("firewall-ubuntu-3.0.20251101")],
        ..Have::default()
    }
}

pub(super) fn project(have: &mut Have) -> &mut HaveProject {
    have.projects.get_mut(&project_id()).unwrap()
}

fn marked(cluster: &str, slot: &Slot) -> model::Tags {
    let other = Attempt::parse("00000000-0000-4000-8000-000000000000").unwrap();
    allocation_tags(&cluster.parse().unwrap(), &fleet_name(), slot, &other)
}

pub(super) fn network(name: &str, cluster: &str, created: i64) -> Network {
    Network {
        id: id(name),
        name: String::new(),
        kind: NetworkKind::Child,
        project: Some(project_id()),
        partition: Some(model::PartitionId::parse("muc-a").unwrap()),
        parent: None,
        prefixes: vec!["10.0.0.0/22".parse().unwrap()],
        destination_prefixes: vec![],
        announceable: vec![],
        labels: marked(cluster, &Slot::Network),
        created: Some(time(created)),
    }
}

pub(super) fn vip(address: &str, cluster: &str, created: i64) -> Ip {
    Ip {
        address: address.parse::<IpAddr>().unwrap(),
        allocation: model::Allocation::parse("b").unwrap(),
        network: id("internet"),
        project: project_id(),
        kind: IpKind::Static,
        name: String::new(),
        tags: marked(cluster, &Slot::Vip),
        created: Some(time(created)),
    }
}

pub(super) fn machine_id(n: u32) -> MachineId {
    MachineId::parse(&format!("00000000-0000-4000-8000-{n:012}")).unwrap()
}

pub(super) fn firewall(n: u32, cluster: &str, generation: u32, created: i64) -> Machine {
    Machine {
        id: machine_id(n),
        allocation: model::Allocation::parse("c").unwrap(),
        project: project_id(),
        partition: model::PartitionId::parse("muc-a").unwrap(),
        size: model::SizeId::parse("n1-medium-x86").unwrap(),
        image: ImageId::parse("firewall-ubuntu-3.0.20251101").unwrap(),
        role: MachineRole::Firewall,
        hostname: String::new(),
        rack: String::new(),
        state: MachineState::Available,
        state_description: String::new(),
        tags: marked(cluster, &Slot::Firewall(generation)),
        created: Some(time(created)),
        networks: vec![],
        alive: true,
        crash_loop: false,
        failed_reclaim: false,
        phoned_home: false,
        asn: None,
        last_event: None,
    }
}

pub(super) fn machine_in(network: &str) -> Machine {
    let mut machine = firewall(99, "default.nobody", 1, 0);
    machine.role = MachineRole::Machine;
    machine.networks =
        vec![MachineNetwork { network: id(network), kind: MachineNetworkKind::PrivatePrimaryUnshared, ips: vec![] }];
    machine
}
