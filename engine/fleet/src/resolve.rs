//! A definition with every default filled in, each value with its origin, and what cannot be filled in as issues.

mod addons;
mod firewall;
mod flavor;
mod home;
mod life;
mod machines;
mod network;
mod policy;
mod pools;
mod uses;
mod version;

pub(crate) use home::{Home, home, identity};
pub(crate) use network::is_v4;

use crate::issue::Report;
use crate::overlays::{Given, Layer, sourced};
use machines::Machines;
use model::definition::{ControlPlaneWish, DefinitionSpec};
use model::fleet::Purpose;
use model::ids::Label;
use model::lock::{ClusterTombstone, Identity};
use model::rules::Port;
use model::want::{Effective, Origin, Setting};
use model::{ClusterDefinition, ClusterLock, ClusterPolicy, Fleet, Seconds, Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// How long control-plane nodes may take to drain where nobody says so.
const CONTROL_PLANE_DRAIN: Seconds = Seconds::minutes(10);

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
    /// With what overlays give it.
    pub(crate) definition: &'a ClusterDefinition,
    pub(crate) identity: &'a Identity,
    pub(crate) effective: &'a Effective,
    pub(crate) lock: Option<&'a ClusterLock>,
    /// What a deleted cluster of this id left for it, with the path.
    pub(crate) tombstone: Option<(&'a str, &'a ClusterTombstone)>,
    pub(crate) report: Report<'a>,
}

impl Case<'_> {
    pub(crate) fn policy(&self) -> Option<&ClusterPolicy> {
        self.around.policies.get(&self.effective.policy).map(|offer| &*offer.policy)
    }
}

/// What one definition is resolved from.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    pub(crate) around: &'a Around<'a>,
    /// With what overlays give it.
    pub(crate) definition: &'a ClusterDefinition,
    /// Where the definition is written.
    pub(crate) path: &'a str,
    pub(crate) home: &'a Home<'a>,
    pub(crate) identity: &'a Identity,
    pub(crate) lock: Option<&'a ClusterLock>,
    pub(crate) given: Option<&'a Given<'a>>,
    /// Its overlays, in the order in which they count.
    pub(crate) layers: &'a [&'a Layer],
}

impl Sources<'_> {
    /// Whether this cluster has values already: what is not offered any more stays for it.
    fn is_new(&self) -> bool {
        self.lock.is_none()
    }

    /// A value that people wrote for this cluster.
    fn written<T>(&self, field: &str, value: T) -> Setting<T> {
        let layer = self.given.and_then(|given| given.layer(field));
        Setting::new(value, if layer.is_some() { Origin::Overlay } else { Origin::Definition })
    }

    /// The value that definition or overlay wrote, or the one of another document.
    fn written_or<T: Clone>(&self, field: &str, written: Option<&T>, or: impl FnOnce() -> Setting<T>) -> Setting<T> {
        written.map_or_else(or, |value| self.written(field, value.clone()))
    }
}

/// Everything that can be said is said before it gives up.
pub(crate) fn resolve(from: &Sources<'_>, report: &mut Report<'_>) -> Option<Effective> {
    let Sources { around, definition, path, home, identity: _, lock: _, given: _, layers } = from;
    let DefinitionSpec {
        flavor: wished_flavor,
        purpose: _,
        stage: _,
        policy: _,
        target: _,
        metal: _,
        kubernetes,
        network,
        vip,
        firewall: _,
        control_plane,
        pools,
        addons,
        rollout,
        deletion,
        patches,
        paused,
    } = &definition.spec;
    let chosen = policy::policy(from, report)?;
    let partition = policy::partition(from, &chosen, report);
    let purpose = flavor::purpose(from);
    let version = version::version(from, &chosen, purpose.value, report);
    let flavor = version.as_ref().and_then(|v| flavor::flavor(wished_flavor.unwrap_or_default(), v, report));
    let machines = Machines { from, chosen: &chosen, partition, version: version.as_ref(), purpose: purpose.value };
    let control_plane_machines = machines.control_plane(control_plane, report);
    let pools: Vec<_> = pools.iter().enumerate().map(|(i, p)| pools::pool(&machines, i, p, report)).collect();
    let firewall = partition.and_then(|p| firewall::firewall(from, &chosen, p, report));
    let (pods, services) = network::cidrs(from, chosen.policy, report);
    let cni = addons::cni(from, chosen.policy, flavor.as_ref(), report);
    let ccm = addons::ccm(from, chosen.policy, flavor.as_ref(), report);
    let metallb = addons::metallb(from, chosen.policy, report);
    let ControlPlaneWish { replicas: _, size: _, image: _, drain_timeout, health_check } = control_plane;
    let drain = "spec.controlPlane.drainTimeout";
    let (allow_replacement, deletion) =
        (life::allow_replacement(from, *rollout, purpose.value), life::deletion(from, deletion, purpose.value));
    Some(Effective {
        flavor: flavor?,
        purpose,
        stage: home.stage.name.clone(),
        policy: chosen.name,
        provider: Setting::new(home.management.provider, Origin::Fleet),
        labels: definition.metadata.labels.clone(),
        kubernetes: kubernetes.version.clone(),
        version: version?,
        nodes: network::nodes(from),
        pods: pods?,
        services: services?,
        api_port: from.written_or("spec.network.apiServerPort", network.api_server_port.as_ref(), || {
            Setting::built_in(Port::API)
        }),
        cni,
        vip: network::vip(from, vip, partition?),
        firewall: firewall?,
        control_plane: control_plane_machines?,
        control_plane_drain: from.written_or(drain, drain_timeout.as_ref(), || Setting::built_in(CONTROL_PLANE_DRAIN)),
        control_plane_health: health_check.as_ref().map(|wish| pools::health(from, "spec.controlPlane", wish)),
        pools: pools.into_iter().collect::<Option<_>>()?,
        ccm,
        metallb,
        charts: addons.extra.clone(),
        manifests: addons.manifests.clone(),
        allow_reinstall: addons.allow_reinstall,
        images: chosen.policy.spec.images.clone(),
        patches: layers.iter().flat_map(|layer| layer.patches()).chain(sourced(patches, path)).collect(),
        gitops: home.management.gitops,
        node_api_url: around.fleet.spec.metal.node_api_url.as_ref().map(|u| u.as_str().to_owned()),
        paused: *paused,
        allow_replacement,
        deletion,
    })
}

/// Three control-plane machines survive the loss of one; a production cluster has them where nobody says otherwise.
fn default_control_plane(purpose: Purpose) -> u32 {
    if purpose == Purpose::Production { 3 } else { 1 }
}
