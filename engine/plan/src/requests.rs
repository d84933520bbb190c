//! What is asked of metal-api for a slot, and the limits that the fleet sets (R16).

use crate::cluster::Context;
use model::definition::VipKind;
use model::metal::{FirewallRequest, IpKind, IpRequest, NetworkRequest, RequestNetwork};
use model::request::Request;
use model::tags::{self, allocation_tags};
use model::want::firewall_inputs;
use model::{AddressFamily, Fleet, Origin, ProjectId, Reason, Slot, Want};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(crate) fn request(context: &Context<'_>, slot: &Slot) -> Result<Request, (Reason, String)> {
    let wanted = context.wanted;
    let (id, identity, effective) = (&wanted.id, &wanted.identity, &wanted.effective);
    let tags = allocation_tags(id, context.fleet, slot, context.setting.attempt);
    let description = format!("{slot} of cluster {id}, by Ferrofleet");
    Ok(match slot {
        Slot::Network => Request::Network(NetworkRequest {
            project: identity.project.clone(),
            partition: identity.partition.clone(),
            name: id.name().to_string(),
            description,
            family: AddressFamily::V4,
            length: effective.nodes.length,
            labels: tags,
        }),
        Slot::Vip => Request::Ip(IpRequest {
            project: identity.project.clone(),
            network: effective.vip.network.value.clone(),
            address: effective.vip.address.map(IpAddr::V4),
            family: AddressFamily::V4,
            kind: match effective.vip.kind.value {
                VipKind::Static => IpKind::Static,
                VipKind::Ephemeral => IpKind::Ephemeral,
            },
            name: format!("{}-control-plane", id.name()),
            description,
            tags,
        }),
        Slot::Egress(network) => Request::Ip(IpRequest {
            project: identity.project.clone(),
            network: network.clone(),
            address: None,
            family: AddressFamily::V4,
            kind: IpKind::Static,
            name: format!("{}-egress", id.name()),
            description,
            tags,
        }),
        Slot::Firewall(_) => Request::Firewall(firewall(context, tags, description)?),
    })
}

fn firewall(
    context: &Context<'_>,
    tags: model::Tags,
    description: String,
) -> Result<FirewallRequest, (Reason, String)> {
    let wanted = context.wanted;
    let (id, identity, spec) = (&wanted.id, &wanted.identity, &wanted.effective.firewall);
    // R24: the full id goes to metal-api and into the lock, so that both name the same image.
    let image = context
        .have
        .resolve_image(&spec.image.value)
        .ok_or_else(|| (Reason::ImageGone, format!("metal-api has no image `{}` any more", spec.image.value)))?;
    let rules = spec.rules(wanted.effective.api_port.value);
    let external = spec.networks.value.iter().cloned();
    let mut request = FirewallRequest {
        project: identity.project.clone(),
        partition: identity.partition.clone(),
        name: format!("{}-firewall", id.name()),
        hostname: format!("{}-firewall", id.name()),
        description,
        size: spec.size.value.clone(),
        image: image.id.clone(),
        networks: external.map(|network| RequestNetwork { network, autoacquire: true }).collect(),
        ips: Vec::new(),
        egress: rules.egress,
        ingress: rules.ingress,
        ssh_public_keys: Vec::new(),
        // What a later run, or another engine, tells an outdated one by.
        tags: tags.with(tags::INPUTS, firewall_inputs(&wanted.effective)),
    };
    if let Some(lock) = &wanted.lock {
        request.complete(&lock.values);
    }
    Ok(request)
}

/// So many firewalls of a project may always be replaced at once for other settings.
const REPLACING_MIN: usize = 3;
/// One in so many of the fleet's may be.
const REPLACING_SHARE: usize = 5;

/// What the fleet's limits leave (R16): what locks name and what this plan allocates counts against them.
#[derive(Clone)]
pub(crate) struct Budget {
    firewalls: BTreeMap<ProjectId, (u32, u32)>,
    addresses: BTreeMap<ProjectId, (u32, u32)>,
    over_machines: BTreeSet<ProjectId>,
    /// How many firewalls are being replaced, and how many may be at once.
    replacing: BTreeMap<ProjectId, usize>,
    replacing_max: usize,
}

impl Budget {
    /// `replacing`: how many firewalls of each project have a younger one on its way.
    pub(crate) fn new(want: &Want, fleet: &Fleet, replacing: BTreeMap<ProjectId, usize>) -> Self {
        let mut used: BTreeMap<&ProjectId, (u32, u32, u32)> = BTreeMap::new();
        for wanted in want.clusters.values() {
            let entry = used.entry(&wanted.identity.project).or_default();
            let effective = &wanted.effective;
            let pools = effective.pools.iter().map(|p| p.machines.replicas.value);
            entry.2 = entry.2.saturating_add(pools.sum::<u32>()).saturating_add(effective.control_plane.replicas.value);
        }
        let live = want.clusters.values().filter_map(|w| w.lock.as_deref());
        for lock in live.chain(want.orphan_locks.values().map(|o| &*o.lock)) {
            let entry = used.entry(&lock.identity.project).or_default();
            let firewall = lock.values.firewall.as_ref();
            entry.0 += u32::from(firewall.is_some());
            entry.0 += u32::from(firewall.is_some_and(|f| f.successor.is_some()));
            let egress = u32::try_from(lock.values.egress_ips.len()).unwrap_or(u32::MAX);
            entry.1 = entry.1.saturating_add(u32::from(lock.values.vip.is_some())).saturating_add(egress);
        }
        let locks = want.clusters.values().filter_map(|wanted| wanted.lock.as_deref());
        let engine = locks.filter_map(|lock| lock.values.firewall.as_ref()).filter(|f| f.origin == Origin::Allocated);
        let mut budget = Self {
            firewalls: BTreeMap::new(),
            addresses: BTreeMap::new(),
            over_machines: BTreeSet::new(),
            replacing,
            replacing_max: REPLACING_MIN.max(engine.count() / REPLACING_SHARE),
        };
        for project in &fleet.spec.metal.projects {
            let (firewalls, addresses, machines) = used.get(&project.id).copied().unwrap_or_default();
            if let Some(limit) = project.limits.firewalls {
                budget.firewalls.insert(project.id.clone(), (firewalls, limit));
            }
            if let Some(limit) = project.limits.addresses {
                budget.addresses.insert(project.id.clone(), (addresses, limit));
            }
            if project.limits.machines.is_some_and(|limit| machines > limit) {
                budget.over_machines.insert(project.id.clone());
            }
        }
        budget
    }

    /// Why a firewall that serves is not replaced now: one commit to a policy may outdate all of them.
    pub(crate) fn brake(&self, project: &ProjectId) -> Option<String> {
        let replacing = self.replacing.get(project).copied().unwrap_or_default();
        (replacing >= self.replacing_max).then(|| {
            format!(
                "{replacing} others of its project are being replaced, and at most {} are at once; it waits",
                self.replacing_max
            )
        })
    }

    /// One more firewall is being replaced.
    pub(crate) fn replaces(&mut self, project: &ProjectId) {
        *self.replacing.entry(project.clone()).or_default() += 1;
    }

    /// Takes one of the project's limit for a slot; the refusal's words when nothing is left.
    pub(crate) fn spend(&mut self, project: &ProjectId, slot: &Slot) -> Option<String> {
        if self.over_machines.contains(project) {
            return Some(format!("the clusters of project {project} want more machines than its limit"));
        }
        let (what, left) = match slot {
            Slot::Network => return None,
            Slot::Vip | Slot::Egress(_) => ("addresses", self.addresses.get_mut(project)),
            Slot::Firewall(_) => ("firewalls", self.firewalls.get_mut(project)),
        };
        let (used, limit) = left?;
        if used >= limit {
            return Some(format!("project {project} has its limit of {limit} {what} (fleet.yaml, metal.projects)"));
        }
        *used += 1;
        None
    }
}
