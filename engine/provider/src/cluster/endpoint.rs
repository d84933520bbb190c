//! Where the API server is reached: verified where it is given, else taken over, found or allocated. Written once.

use super::decide::{Action, Said, begun, description, place, readable, waits_for_call};
use super::observed::{Observed, Presence};
use super::search::{self, Hit};
use crate::reason::{ConditionType, Reason};
use crate::step::Rest;
use kube::ResourceExt as _;
use model::metal::{Ip, IpKind, IpRequest};
use model::{AddressFamily, NetworkId, Slot, Timestamp};

pub(super) fn endpoint(observed: &Observed, now: Timestamp, said: &mut Said<'_>) -> Option<Action> {
    const OF: ConditionType = ConditionType::ControlPlaneEndpointReady;
    let Some((host, port)) = observed.endpoint() else { return fill_endpoint(observed, now, said) };
    if !(1..=65535).contains(&port) {
        let message = format!("spec.controlPlaneEndpoint.port is {port}: a port is from 1 to 65535.");
        said.waits(OF, Reason::InvalidSpec, message);
        return None;
    }
    let given = format!("{host}, port {port}; metal-api does not know it as an address of the project.");
    let Some(address) = observed.address() else {
        said.conditions.is(OF, Reason::Given, format!("{host}, port {port}."));
        return None;
    };
    let seen = readable(OF, observed, said)?;
    let known = observed.conditions().iter().find(|c| c.type_ == OF.as_str());
    let known = known.and_then(|c| Reason::parse(&c.reason)).is_some_and(|reason| {
        matches!(reason, Reason::Verified | Reason::Allocated | Reason::BelongsToOther | Reason::DeletedExternally)
    });
    match &seen.address {
        Presence::Here(ip) => match search::others_address(observed, ip) {
            Some(message) => said.waits(OF, Reason::BelongsToOther, message),
            None => said.conditions.is(OF, search::by(observed, &ip.tags), reached(host, port, ip)),
        },
        Presence::Missing if known => {
            said.rest(Rest::Soon);
            said.conditions.keep(OF, observed.conditions());
        }
        Presence::Gone if known => said.waits(
            OF,
            Reason::DeletedExternally,
            format!(
                "Address {address} is no longer one of project {}. Nothing is allocated in its place: allocate this very \
                 address again, or make a new cluster.",
                observed.object.spec.project_id
            ),
        ),
        Presence::Missing | Presence::Gone => said.conditions.is(OF, Reason::Given, given),
    }
    None
}

fn reached(host: &str, port: i64, ip: &Ip) -> String {
    let kind = if ip.kind == IpKind::Static { "static" } else { "ephemeral" };
    format!("{host}, port {port}; {kind} address {} of network {}.", ip.address, ip.network)
}

/// The endpoint is written once: from the Cluster, from `controlPlaneIP`, or from an address of its own.
fn fill_endpoint(observed: &Observed, now: Timestamp, said: &mut Said<'_>) -> Option<Action> {
    const OF: ConditionType = ConditionType::ControlPlaneEndpointReady;
    let port = port(observed);
    if observed.engine_owns("vip") && observed.control_plane_ip().is_none() {
        let message = "The engine allocates the control plane's address and writes it into Git.";
        said.waits(OF, Reason::WaitingForEngine, message);
        return None;
    }
    let theirs = observed.cluster.as_ref().and_then(|cluster| cluster.spec.control_plane_endpoint.as_ref());
    if let Some((host, port)) = theirs.and_then(|e| Some((e.host.as_ref().filter(|h| !h.is_empty())?, e.port?)))
        && (1..=65535).contains(&port)
    {
        return Some(Action::KeepEndpoint { host: host.clone(), port });
    }
    let Some(given) = observed.control_plane_ip() else { return allocate_vip(observed, now, port, said) };
    let Some(address) = observed.address() else {
        let message = format!("spec.controlPlaneIP is `{given}`, which is no address.");
        said.waits(OF, Reason::InvalidSpec, message);
        return None;
    };
    match &readable(OF, observed, said)?.address {
        Presence::Here(ip) => match search::others_address(observed, ip) {
            Some(message) => said.waits(OF, Reason::BelongsToOther, message),
            None => return Some(Action::KeepEndpoint { host: address.to_string(), port }),
        },
        Presence::Missing => {
            said.rest(Rest::Soon);
            let message =
                format!("Address {address} is not in the project as it was last read; it is looked for again.");
            said.conditions.is_unknown(OF, Reason::WaitingForControlPlaneEndpoint, message);
        }
        Presence::Gone => {
            let project = &observed.object.spec.project_id;
            let message = format!(
                "spec.controlPlaneIP: {address} is no address of project {project}. Allocate it there, or remove the \
                 field, and one is allocated; an address that metal-api does not know goes into \
                 spec.controlPlaneEndpoint."
            );
            said.waits(OF, Reason::InvalidSpec, message);
        }
    }
    None
}

fn allocate_vip(observed: &Observed, now: Timestamp, port: i64, said: &mut Said<'_>) -> Option<Action> {
    const OF: ConditionType = ConditionType::ControlPlaneEndpointReady;
    let seen = readable(OF, observed, said)?;
    let (project, _) = place(OF, observed, said)?;
    if observed.node_network().is_none() {
        said.waits(OF, Reason::WaitingForNodeNetwork, "The address is allocated after the node network.");
        return None;
    }
    if waits_for_call(OF, observed, now, said) {
        return None;
    }
    let Some(vips) = &observed.found.vips else { return Some(Action::SearchVips) };
    let own = vips.iter().filter(|ip| search::is_vip(observed, &ip.tags));
    let hits = own.map(|ip| (ip.address.to_string(), &ip.tags));
    match search::judge(hits, observed.attempt().as_ref(), search::VIP, "spec.controlPlaneIP") {
        Hit::Ours(host) => return Some(Action::KeepEndpoint { host, port }),
        Hit::Refused(reason, message) => {
            said.waits(OF, reason, message);
            return None;
        }
        Hit::Nothing => {}
    }
    if observed.was_provisioned() {
        said.waits(
            OF,
            Reason::DeletedExternally,
            "The cluster was provisioned, and its endpoint is neither named nor found by its tags. Nothing is allocated \
             in its place: put the endpoint into spec.controlPlaneEndpoint, or make a new cluster.",
        );
        return None;
    }
    let network = match seen.default_networks.as_slice() {
        [network] => network.clone(),
        [] => {
            said.waits(
                OF,
                Reason::NoDefaultNetwork,
                "No external network has the label network.metal-stack.io/default. Set spec.controlPlaneIP to an address \
                 of the project, or have one network labelled.",
            );
            return None;
        }
        several => {
            let ids: Vec<&str> = several.iter().map(NetworkId::as_str).collect();
            let message = format!(
                "Networks {} all have the label network.metal-stack.io/default. Set spec.controlPlaneIP to an address of \
                 the project in the right one.",
                ids.join(", ")
            );
            said.waits(OF, Reason::AmbiguousDefaultNetwork, message);
            return None;
        }
    };
    let attempt = begun(OF, observed, now, said)?;
    Some(attempt.map_or(Action::Begin, |attempt| {
        Action::AllocateVip(IpRequest {
            project,
            network,
            address: None,
            family: AddressFamily::V4,
            kind: IpKind::Ephemeral,
            name: format!("{}-control-plane", observed.object.name_any()),
            description: description(observed),
            tags: observed.allocation_tags(&Slot::Vip, &attempt),
        })
    }))
}

/// R21: kubeadm's control plane keeps CAPMS's 443, whatever apiServerPort says; others read that field.
fn port(observed: &Observed) -> i64 {
    let Some(spec) = observed.cluster.as_ref().map(|cluster| &cluster.spec) else { return 443 };
    match &spec.control_plane_ref {
        Some(reference) if reference.kind != "KubeadmControlPlane" => {
            spec.cluster_network.as_ref().and_then(|n| n.api_server_port).unwrap_or(6443)
        }
        _ => 443,
    }
}
