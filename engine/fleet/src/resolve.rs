//! A definition with every default filled in, each value with its origin, and what cannot be filled in as issues.

mod addons;
mod firewall;
mod home;
mod machines;
mod version;

pub(crate) use home::{Home, home, identity};

use crate::issue::Report;
use crate::rules::{FLAVOR_VERSION, ONE_CIDR, PARTITION, POLICY, choice};
use machines::Machines;
use model::definition::{ControlPlaneWish, FlavorWish, HealthCheckWish, NetworkWish, NodesWish, PoolWish, VipWish};
use model::fleet::Purpose;
use model::ids::Label;
use model::lock::Identity;
use model::policy::{KubernetesVersion, OfferedPartition};
use model::rules::Port;
use model::want::{
    Autoscale, Effective, Flavor, HealthCheckSpec, NodesSpec, Origin, PoolSpec, Setting, SourcedPatch, VipSpec,
};
use model::{Cidr, ClusterDefinition, ClusterLock, ClusterPolicy, Fleet, Patch, Seconds, Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// How long nodes may take to drain where nobody says so.
const CONTROL_PLANE_DRAIN: Seconds = Seconds::minutes(10);
const POOL_DRAIN: Seconds = Seconds::minutes(2);

/// What all definitions of a tree are resolved with.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) policies: &'a BTreeMap<Label, Offer>,
    /// Path by name of the ones that cannot be read.
    pub(crate) broken_policies: &'a BTreeMap<String, String>,
    pub(crate) now: Timestamp,
}

/// A policy and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) path: String,
    pub(crate) policy: Arc<ClusterPolicy>,
}

/// One cluster, resolved: what its rules look at, and where they report.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) around: &'a Around<'a>,
    pub(crate) definition: &'a ClusterDefinition,
    pub(crate) identity: &'a Identity,
    pub(crate) effective: &'a Effective,
    pub(crate) lock: Option<&'a ClusterLock>,
    pub(crate) report: Report<'a>,
}

/// What one definition is resolved from.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    pub(crate) around: &'a Around<'a>,
    pub(crate) definition: &'a ClusterDefinition,
    /// Where the definition is written.
    pub(crate) path: &'a str,
    pub(crate) home: &'a Home<'a>,
    pub(crate) identity: &'a Identity,
    pub(crate) lock: Option<&'a ClusterLock>,
}

impl Sources<'_> {
    /// Whether this cluster has values already: what is not offered any more stays for it.
    fn is_new(&self) -> bool {
        self.lock.is_none()
    }
}

/// The value that a definition wrote, or the one of another document.
pub(crate) fn written_or<T: Clone>(written: Option<&T>, default: impl FnOnce() -> Setting<T>) -> Setting<T> {
    written.map_or_else(default, |value| Setting::new(value.clone(), Origin::Definition))
}

/// Everything that can be said is said before it gives up.
pub(crate) fn resolve(from: &Sources<'_>, report: &mut Report<'_>) -> Option<Effective> {
    let Sources { around, definition, path: _, home, identity, lock } = from;
    let spec = &definition.spec;
    let (policy_name, policy) = policy(from, report)?;
    let partition = partition(policy, identity, report);
    let purpose = purpose(from);
    let version = version::version(from, policy, purpose.value, report);
    let flavor = version.as_ref().and_then(|v| flavor(spec.flavor.unwrap_or_default(), v, report));
    let machines = Machines { policy, partition, version: version.as_ref(), lock: *lock };
    let control_plane = machines.control_plane(&spec.control_plane, purpose.value, report);
    let pools: Vec<_> = spec.pools.iter().enumerate().map(|(i, p)| pool(&machines, i, p, report)).collect();
    let firewall = partition.and_then(|p| firewall::firewall(from, p, report));
    let (pods, services) = cidrs(&spec.network, policy, report);
    let cni = addons::cni(&spec.network, policy, flavor.as_ref(), report);
    let ccm = addons::ccm(from, policy, flavor.as_ref(), report);
    let metallb = addons::metallb(&spec.addons, policy, report);
    let ControlPlaneWish { replicas: _, size: _, image: _, drain_timeout, health_check } = &spec.control_plane;
    Some(Effective {
        flavor: flavor?,
        purpose,
        stage: home.stage.name.clone(),
        policy: policy_name,
        provider: Setting::new(home.management.provider, Origin::Fleet),
        labels: definition.metadata.labels.clone(),
        kubernetes: spec.kubernetes.version.clone(),
        version: version?,
        nodes: nodes(&spec.network.nodes),
        pods: pods?,
        services: services?,
        api_port: written_or(spec.network.api_server_port.as_ref(), || Setting::built_in(Port::API)),
        cni,
        vip: vip(&spec.vip, partition?),
        firewall: firewall?,
        control_plane: control_plane?,
        control_plane_drain: written_or(drain_timeout.as_ref(), || Setting::built_in(CONTROL_PLANE_DRAIN)),
        control_plane_health: health_check.as_ref().map(health),
        pools: pools.into_iter().collect::<Option<_>>()?,
        ccm,
        metallb,
        charts: spec.addons.extra.clone(),
        manifests: spec.addons.manifests.clone(),
        allow_reinstall: spec.addons.allow_reinstall,
        images: policy.spec.images.clone(),
        patches: patches(definition, from.path),
        gitops: home.management.gitops,
        node_api_url: around.fleet.spec.metal.node_api_url.as_ref().map(|u| u.as_str().to_owned()),
        paused: spec.paused,
    })
}

fn policy<'a>(from: &Sources<'a>, report: &mut Report<'_>) -> Option<(Label, &'a ClusterPolicy)> {
    let written = from.definition.spec.policy.as_ref();
    let name = written.or(from.home.stage.policy.as_ref()).map_or("default", Label::as_str);
    if let Some((name, offer)) = from.around.policies.get_key_value(name) {
        return Some((name.clone(), &offer.policy));
    }
    if let Some(path) = from.around.broken_policies.get(name) {
        let message = format!("policy `{name}` cannot be read");
        report.error(POLICY, "spec.policy", message).mend(format!("mend {path}"));
        return None;
    }
    let known = from.around.policies.keys().map(Label::as_str);
    let whose = if written.is_some() { "" } else { ", which the stage names," };
    let message = format!("there is no policy `{name}`{whose} in policies/");
    report.error(POLICY, "spec.policy", message).mend(choice(name, known));
    None
}

fn partition<'a>(
    policy: &'a ClusterPolicy,
    identity: &Identity,
    report: &mut Report<'_>,
) -> Option<&'a OfferedPartition> {
    let found = policy.partition(&identity.partition);
    if found.is_none() {
        let known = policy.spec.regions.iter().flat_map(|r| &r.partitions).map(|p| p.name.as_str());
        let (name, offered_by) = (&identity.partition, &policy.metadata.name);
        let message = format!("partition `{name}` is not in policy `{offered_by}`");
        report.error(PARTITION, "spec.metal.partition", message).mend(choice(name.as_str(), known));
    }
    found
}

fn purpose(from: &Sources<'_>) -> Setting<Purpose> {
    let stage = || from.home.stage.purpose.map(|p| Setting::new(p, Origin::Stage));
    written_or(from.definition.spec.purpose.as_ref(), || stage().unwrap_or(Setting::built_in(Purpose::default())))
}

/// What auto chooses is this binary's choice, not a person's.
fn flavor(wish: FlavorWish, version: &KubernetesVersion, report: &mut Report<'_>) -> Option<Setting<Flavor>> {
    let modern = version.minor() >= (1, 33);
    let (flavor, fits) = match wish {
        FlavorWish::Auto if modern => return Some(Setting::built_in(Flavor::Calico)),
        FlavorWish::Auto => return Some(Setting::built_in(Flavor::PreV133)),
        FlavorWish::Default => (Flavor::Default, modern),
        FlavorWish::Calico => (Flavor::Calico, modern),
        FlavorWish::PreV133 => (Flavor::PreV133, !modern),
        // Never acted on: what is said of it is thrown away.
        FlavorWish::Kamaji | FlavorWish::Metal3Kamaji | FlavorWish::GardenerShoot => (Flavor::Default, true),
    };
    if !fits {
        let (name, other) = match flavor {
            Flavor::Default => ("default", "Kubernetes 1.33 and newer"),
            Flavor::Calico => ("calico", "Kubernetes 1.33 and newer"),
            Flavor::PreV133 => ("pre-v1.33", "Kubernetes before 1.33"),
        };
        let message = format!("flavor `{name}` is for {other}, this cluster has {version}");
        report.error(FLAVOR_VERSION, "spec.flavor", message).mend("use `auto`, or another version");
    }
    Some(Setting::new(flavor, Origin::Definition))
}

fn pool(machines: &Machines<'_>, index: usize, wish: &PoolWish, report: &mut Report<'_>) -> Option<PoolSpec> {
    let PoolWish {
        name,
        replicas,
        min,
        max,
        size,
        image,
        max_surge,
        max_unavailable,
        labels,
        taints,
        drain_timeout,
        health_check,
    } = wish;
    let field = format!("spec.pools[{index}]");
    Some(PoolSpec {
        name: name.clone(),
        machines: machines.spec(replicas.as_ref(), 1, size.as_ref(), image.as_ref(), &field, report)?,
        autoscale: min.zip(*max).map(|(min, max)| Autoscale { min, max }),
        max_surge: written_or(max_surge.as_ref(), || Setting::built_in(1)),
        max_unavailable: written_or(max_unavailable.as_ref(), || Setting::built_in(0)),
        labels: labels.clone(),
        taints: taints.clone(),
        drain: written_or(drain_timeout.as_ref(), || Setting::built_in(POOL_DRAIN)),
        health: health_check.as_ref().map(health),
    })
}

/// Defaults for bare metal (R22).
fn health(wish: &HealthCheckWish) -> HealthCheckSpec {
    let HealthCheckWish { node_startup_timeout, unhealthy_timeout, max_unhealthy } = wish;
    HealthCheckSpec {
        node_startup_timeout: written_or(node_startup_timeout.as_ref(), || Setting::built_in(Seconds::minutes(40))),
        unhealthy_timeout: written_or(unhealthy_timeout.as_ref(), || Setting::built_in(Seconds::minutes(15))),
        max_unhealthy: *max_unhealthy,
    }
}

fn patches(definition: &ClusterDefinition, path: &str) -> Vec<SourcedPatch> {
    let sourced = |(index, patch): (usize, &Patch)| SourcedPatch {
        file: path.to_owned(),
        field: format!("spec.patches[{index}]"),
        patch: patch.clone(),
    };
    definition.spec.patches.iter().enumerate().map(sourced).collect()
}

fn nodes(wish: &NodesWish) -> NodesSpec {
    let NodesWish { mode, id, length } = wish;
    NodesSpec { mode: written_or(mode.as_ref(), || Setting::built_in(<_>::default())), id: id.clone(), length: *length }
}

fn vip(wish: &VipWish, partition: &OfferedPartition) -> VipSpec {
    let VipWish { mode, network, kind, address } = wish;
    VipSpec {
        mode: written_or(mode.as_ref(), || Setting::built_in(<_>::default())),
        network: written_or(network.as_ref(), || Setting::new(partition.default_network.clone(), Origin::Policy)),
        kind: written_or(kind.as_ref(), || Setting::built_in(<_>::default())),
        address: *address,
    }
}

type Cidrs = (Option<Setting<Cidr>>, Option<Setting<Cidr>>);

fn cidrs(wish: &NetworkWish, policy: &ClusterPolicy, report: &mut Report<'_>) -> Cidrs {
    let defaults = &policy.spec.defaults;
    let pods = one_cidr("spec.network.pods", wish.pods.as_deref(), &defaults.pods, report);
    let services = one_cidr("spec.network.services", wish.services.as_deref(), &defaults.services, report);
    (pods, services)
}

/// R11: dual stack is refused for now. A policy's list is judged with the policy.
fn one_cidr(field: &str, written: Option<&[Cidr]>, default: &[Cidr], report: &mut Report<'_>) -> Option<Setting<Cidr>> {
    let Some(written) = written else {
        return default.first().filter(|c| is_v4(c)).map(|c| Setting::new(*c, Origin::Policy));
    };
    match written {
        [one] if is_v4(one) => return Some(Setting::new(*one, Origin::Definition)),
        [one] => report.error(ONE_CIDR, &format!("{field}[0]"), format!("{one} is not IPv4")),
        [] => report.error(ONE_CIDR, field, "the list is empty"),
        [_, second, ..] => report.error(
            ONE_CIDR,
            &format!("{field}[1]"),
            format!("{second} is one too many: dual stack is not built yet"),
        ),
    }
    .mend("write one IPv4 CIDR, or nothing for the policy's");
    None
}

pub(crate) fn is_v4(cidr: &Cidr) -> bool {
    cidr.family() == model::AddressFamily::V4
}
