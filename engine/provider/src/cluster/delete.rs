//! The deletion: machines, firewall, addresses of services, the control plane's address, the node network. Pure.
//!
//! It needs nothing but the object and metal-api. What may be freed stands in tags that were read in this very pass.

use super::decide::{Action, Decided, Said};
use super::observed::{Leftovers, Observed, with_names};
use super::search;
use crate::conditions::Conditions;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Failure, Rest};
use kube::ResourceExt as _;
use model::metal::{Ip, IpKind, Network, NetworkKind};
use model::{Slot, Tags, Timestamp, tags};
use std::time::Duration;

/// A pass has an end, also for a cluster with hundreds of services.
const AT_ONCE: usize = 20;

pub(super) fn decide(observed: &Observed, now: Timestamp) -> Decided {
    if !observed.has_finalizer() {
        return Decision::leave();
    }
    if let Some(first) = observed.machines.first() {
        let message = format!("{} machines of the cluster are left, {first} among them.", observed.machines.len());
        return waits(observed, now, Reason::WaitingForMachines, message, Rest::Interval);
    }
    // Only what is ours: the firewall deployment of another cluster may be named here by mistake.
    if let Some(deployment) = observed.firewalls.iter().find(|deployment| search::goes_along(observed, deployment)) {
        let name = deployment.name_any();
        if deployment.metadata.deletion_timestamp.is_none() {
            return Decision::act(Action::DeleteFirewall(name));
        }
        let message = format!("MetalStackFirewallDeployment {name} is being deleted.");
        return waits(observed, now, Reason::WaitingForFirewallDeployment, message, Rest::Interval);
    }
    let suspect = match &observed.metal {
        Ok(seen) => seen.suspect.as_ref(),
        Err(failure) => Some(failure),
    };
    if let Some(Failure { reason, message, .. }) = suspect {
        // A cluster with a mistyped project must not stay for ever.
        if was_never_served(observed, *reason) {
            return Decision::act(Action::RemoveFinalizer);
        }
        let message = format!("{}; nothing can be freed until then.", message.trim_end_matches('.'));
        return waits(observed, now, *reason, message, Rest::Interval);
    }
    if let (Some(left), Some(failure)) = (observed.memory.must_wait(now), &observed.memory.failure) {
        return waits(observed, now, failure.reason, failure.message.clone(), Rest::After(left));
    }
    if let Some(left) = observed.unsettled(now).filter(|_| observed.attempt().is_some()) {
        let message = "An allocation may have happened without an answer. It is searched for before the cluster goes.";
        return waits(observed, now, Reason::WaitingForUnknownOutcome, message.to_owned(), Rest::After(left));
    }
    let Some(leftovers) = &observed.found.leftovers else { return Decision::act(Action::SearchLeftovers) };
    free(observed, now, leftovers)
}

fn free(observed: &Observed, now: Timestamp, leftovers: &Leftovers) -> Decided {
    if leftovers.done >= AT_ONCE {
        let message = "There are many addresses of services: they are freed bit by bit.".to_owned();
        return waits(observed, now, Reason::WaitingForRelease, message, Rest::After(Duration::from_millis(100)));
    }
    let mut addresses = leftovers.addresses.iter();
    if let Some(action) = addresses.find_map(|ip| of_service(observed, ip).or_else(|| of_control_plane(observed, ip))) {
        return Decision::act(action);
    }
    let Some((id, labels, without)) = leftovers.networks.iter().find_map(|network| own_network(observed, network))
    else {
        return match left_behind(observed, leftovers).filter(|_| !has_said_so(observed)) {
            Some(message) => waits(observed, now, Reason::LeftBehind, message, Rest::After(Duration::from_secs(1))),
            None => Decision::act(Action::RemoveFinalizer),
        };
    };
    Decision::act(Action::FreeNetwork { id, labels, without })
}

/// What looks like the cluster's and stays: a person should hear of it before the object goes. What a person supplied
/// and what is the engine's is where it belongs.
fn left_behind(observed: &Observed, leftovers: &Leftovers) -> Option<String> {
    let is_known = |tags: &Tags, is_named: bool| {
        tags.has(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE) || (is_named && observed.is_adopted())
    };
    let address = |ip: &Ip| {
        let is_named = is_named(observed, ip);
        let is_control_planes = ip.tags.has(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
        let looks_so = search::is_vip(observed, &ip.tags)
            || (is_named && is_control_planes && search::may_be_ours(observed, &ip.tags, tags::CLUSTER_ID));
        looks_so && ip.kind == IpKind::Ephemeral && !is_known(&ip.tags, is_named)
    };
    let network = |network: &Network| {
        let is_named = observed.node_network() == Some(network.id.as_str());
        let looks_so = search::is_network(observed, &network.labels)
            || (is_named && search::may_be_ours(observed, &network.labels, tags::CLUSTER_ID));
        looks_so && network.kind == NetworkKind::Child && !is_known(&network.labels, is_named)
    };
    let addresses = leftovers.addresses.iter().filter(|ip| address(ip)).map(|ip| format!("address {}", ip.address));
    let networks = leftovers.networks.iter().filter(|n| network(n)).map(|n| format!("network {}", n.id));
    let mut stays: Vec<String> = networks.chain(addresses).chain(leftovers.kept.iter().cloned()).collect();
    stays.sort_unstable();
    (!stays.is_empty()).then(|| {
        format!(
            "Still allocated, with this cluster's name, and nothing says that it was for this MetalStackCluster: {}. Free \
             what nobody uses.",
            stays.join(", ")
        )
    })
}

fn has_said_so(observed: &Observed) -> bool {
    let mut conditions = observed.conditions().iter();
    conditions.any(|c| c.type_ == ConditionType::Deleting.as_str() && c.reason == Reason::LeftBehind.as_str())
}

/// R14: an address that the cloud controller manager acquired goes with the cluster; one that a person made, or another
/// cluster uses too, only loses the tags of this cluster's services. The slash keeps `a.c10` out of `a.c1`.
fn of_service(observed: &Observed, ip: &Ip) -> Option<Action> {
    // Without nodes there was no manager: what carries the id is of a cluster of the same name elsewhere.
    if observed.node_network().is_none() && !observed.was_provisioned() {
        return None;
    }
    let id = observed.service_id();
    let is_own = |(key, value): &(&str, &str)| tags::is_service_of(&id, key, value);
    let own: Vec<(&str, &str)> = ip.tags.iter().filter(is_own).collect();
    let (_, service) = own.first()?;
    let others = ip.tags.iter().any(|tag| !is_own(&tag));
    // The manager takes any address without tags for services: also one that a person supplied for the control plane.
    if ip.kind == IpKind::Ephemeral && !others && !is_named(observed, ip) {
        return Some(Action::FreeAddress {
            address: ip.address,
            allocation: ip.allocation.clone(),
            tags: Tags::new().with(tags::SERVICE, service),
            without: Tags::new(),
        });
    }
    Some(Action::UntagAddress { address: ip.address, tags: without_services(&id, &ip.tags) })
}

/// The tags without those of this cluster's services.
pub(super) fn without_services(id: &str, tags: &Tags) -> Tags {
    tags.without(|key, value| tags::is_service_of(id, key, value))
}

fn of_control_plane(observed: &Observed, ip: &Ip) -> Option<Action> {
    let id = observed.id();
    // A service of another cluster uses it.
    if ip.tags.get(tags::SERVICE).is_some() {
        return None;
    }
    let slot = Slot::Vip;
    let unused = Tags::new().with(tags::SERVICE, "");
    let (tags, without) = match whose(observed, &ip.tags, &slot, is_named(observed, ip))? {
        Whose::Ours => (with_names(ours(&ip.tags, &slot), &slot, &id), unused),
        // A static one is a person's: CAPMS allocates ephemeral ones, and keeps static ones too.
        Whose::Capms if ip.kind == IpKind::Ephemeral => {
            let tags = as_capms(observed, &ip.tags)?.with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
            (tags, unused.with(tags::MANAGED_BY, ""))
        }
        Whose::Capms => return None,
    };
    let has_all = tags.iter().all(|(key, value)| ip.tags.has(key, value));
    has_all.then(|| Action::FreeAddress { address: ip.address, allocation: ip.allocation.clone(), tags, without })
}

/// Whether the object says that its API server is there.
fn is_named(observed: &Observed, ip: &Ip) -> bool {
    let spec = &observed.object.spec;
    let host = spec.control_plane_endpoint.as_ref().and_then(|endpoint| endpoint.host.parse().ok());
    let given = spec.control_plane_ip.as_ref().and_then(|address| address.parse().ok());
    [host, given].contains(&Some(ip.address))
}

fn own_network(observed: &Observed, network: &Network) -> Option<(model::NetworkId, Tags, Tags)> {
    let id = observed.id();
    if network.kind != NetworkKind::Child {
        return None;
    }
    let is_named = observed.node_network() == Some(network.id.as_str());
    let slot = Slot::Network;
    let (labels, without) = match whose(observed, &network.labels, &slot, is_named)? {
        Whose::Ours => (with_names(ours(&network.labels, &slot), &slot, &id), Tags::new()),
        Whose::Capms => (as_capms(observed, &network.labels)?, Tags::new().with(tags::MANAGED_BY, "")),
    };
    let has_all = labels.iter().all(|(key, value)| network.labels.has(key, value));
    has_all.then(|| (network.id.clone(), labels, without))
}

enum Whose {
    Ours,
    Capms,
}

/// Ours: with our mark, and named by the object or allocated with its attempt: a cluster of the same name in another
/// management cluster has another attempt. CAPMS's: without any mark, and named by the object. What was there before
/// the object is nobody's here.
fn whose(observed: &Observed, found: &Tags, slot: &Slot, is_named: bool) -> Option<Whose> {
    let attempted = observed.attempt().is_some_and(|attempt| found.has(tags::ATTEMPT, attempt.as_str()));
    if is_named && observed.is_adopted() && !attempted {
        return None;
    }
    match found.get(tags::MANAGED_BY) {
        None => is_named.then_some(Whose::Capms),
        Some(tags::MANAGED_BY_PROVIDER) => {
            let of_slot = found.has(tags::SLOT, &slot.to_string());
            (of_slot && (is_named || attempted)).then_some(Whose::Ours)
        }
        Some(_) => None,
    }
}

/// Our mark as it was read: the attempt too, so that nothing newer of the same name is meant.
fn ours(found: &Tags, slot: &Slot) -> Tags {
    let mark = Tags::new().with(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER).with(tags::SLOT, slot);
    match found.get(tags::ATTEMPT) {
        Some(attempt) => mark.with(tags::ATTEMPT, attempt),
        None => mark,
    }
}

/// CAPMS's mark as it was read, in whichever form it wrote the cluster's id.
fn as_capms(observed: &Observed, found: &Tags) -> Option<Tags> {
    search::own_id(observed, found, tags::CLUSTER_ID).map(|id| Tags::new().with(tags::CLUSTER_ID, id))
}

/// Nothing was ever allocated for it: neither by us, nor by CAPMS. An address is mostly a person's; that it is one for
/// which metal-api cannot be asked now, is concluded only where it could never be asked.
fn was_never_served(observed: &Observed, reason: Reason) -> bool {
    let names_address = observed.endpoint().is_some() || observed.control_plane_ip().is_some();
    let has_no_project = matches!(
        reason,
        Reason::InvalidSpec | Reason::ProjectUnknown | Reason::ProjectNotAllowed | Reason::CredentialsMissing
    );
    observed.attempt().is_none()
        && observed.node_network().is_none()
        && !observed.was_provisioned()
        && (has_no_project || !names_address)
}

fn waits(observed: &Observed, now: Timestamp, reason: Reason, message: String, rest: Rest) -> Decided {
    let mut said = Said::new(observed);
    let kept = [
        ConditionType::NodeNetworkReady,
        ConditionType::ControlPlaneEndpointReady,
        ConditionType::FirewallReady,
        ConditionType::CloudControllerCredentialsReady,
    ];
    for of in kept {
        said.conditions.keep(of, observed.conditions());
    }
    said.conditions.is(ConditionType::Deleting, reason, &message);
    said.conditions.is_not(ConditionType::Ready, Reason::Deleting, message);
    let mut status = observed.object.status.clone().unwrap_or_default();
    let conditions: Conditions = std::mem::take(&mut said.conditions);
    status.conditions = conditions.over(observed.conditions(), observed.object.metadata.generation, now);
    Decision::rest(rest, status)
}
