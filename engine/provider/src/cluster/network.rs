//! The node network: verified where it is given, else found or allocated.

use super::decide::{Action, Said, begun, description, place, readable, waits_for_call};
use super::observed::{Observed, Presence};
use super::search::{self, Hit};
use crate::reason::{ConditionType, Reason};
use crate::step::Rest;
use kube::ResourceExt as _;
use model::metal::{Network, NetworkRequest};
use model::{AddressFamily, NetworkId, Slot, Timestamp};

pub(super) fn node_network(observed: &Observed, now: Timestamp, said: &mut Said<'_>) -> Option<Action> {
    const OF: ConditionType = ConditionType::NodeNetworkReady;
    let Some(id) = observed.node_network() else {
        if observed.engine_owns("network") {
            said.waits(
                OF,
                Reason::WaitingForEngine,
                "The engine allocates the node network and writes its id into Git.",
            );
            return None;
        }
        readable(OF, observed, said)?;
        return allocate_network(observed, now, said);
    };
    let id = match NetworkId::parse(id) {
        Ok(id) => id,
        Err(error) => {
            said.waits(OF, Reason::InvalidSpec, format!("spec.nodeNetworkID: {error}."));
            return None;
        }
    };
    let seen = readable(OF, observed, said)?;
    match &seen.network {
        Presence::Here(network) => match search::wrong_network(observed, network) {
            Some((reason, message)) => said.waits(OF, reason, message),
            None => said.conditions.is(OF, search::by(observed, &network.labels), named(network)),
        },
        Presence::Missing => {
            said.rest(Rest::Soon);
            if !said.conditions.keep(OF, observed.conditions()) {
                let message =
                    format!("Network {id} is not in the project as it was last read; it is looked for again.");
                said.conditions.is_unknown(OF, Reason::WaitingForNodeNetwork, message);
            }
        }
        Presence::Gone => {
            let project = &observed.object.spec.project_id;
            let message = format!(
                "Network {id} is not, or no longer, a network of project {project}. Nothing is allocated in its place: \
                 put the right id into spec.nodeNetworkID, or make a new cluster."
            );
            said.waits(OF, Reason::DeletedExternally, message);
        }
    }
    None
}

fn named(network: &Network) -> String {
    let prefixes: Vec<String> = network.prefixes.iter().map(ToString::to_string).collect();
    format!("Network {} ({}).", network.id, prefixes.join(", "))
}

fn allocate_network(observed: &Observed, now: Timestamp, said: &mut Said<'_>) -> Option<Action> {
    const OF: ConditionType = ConditionType::NodeNetworkReady;
    let (project, partition) = place(OF, observed, said)?;
    if waits_for_call(OF, observed, now, said) {
        return None;
    }
    let Some(networks) = &observed.found.networks else { return Some(Action::SearchNetworks) };
    let networks: Vec<_> = networks.iter().filter(|n| search::is_network(observed, &n.labels)).collect();
    let hits = networks.iter().map(|n| (n.id.to_string(), &n.labels));
    match search::judge(hits, observed.attempt().as_ref(), search::NETWORK, "spec.nodeNetworkID") {
        Hit::Ours(id) => {
            return networks.iter().find(|n| n.id.as_str() == id).map(|n| Action::KeepNetwork(n.id.clone()));
        }
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
            "The cluster was provisioned, and its node network is neither named nor found by its label. Nothing is \
             allocated in its place: put its id into spec.nodeNetworkID, or make a new cluster.",
        );
        return None;
    }
    let attempt = begun(OF, observed, now, said)?;
    Some(attempt.map_or(Action::Begin, |attempt| {
        Action::AllocateNetwork(NetworkRequest {
            project,
            partition,
            name: observed.object.name_any(),
            description: description(observed),
            family: AddressFamily::V4,
            length: None,
            labels: observed.allocation_tags(&Slot::Network, &attempt),
        })
    }))
}
