//! What is to be done for a MetalStackCluster, and what it says meanwhile: pure.

use super::delete;
use super::observed::{Credentials, Observed, Presence, Seen};
use super::search::{self, Hit};
use crate::api::{ConditionStatus, FailureDomain, Initialization, MetalStackClusterStatus};
use crate::conditions::Conditions;
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Failure, Rest};
use kube::ResourceExt as _;
use model::metal::{Ip, IpKind, IpRequest, Network, NetworkKind, NetworkRequest};
use model::{AddressFamily, Allocation, Attempt, NetworkId, PartitionId, ProjectId, Slot, Tags, Timestamp, tags};
use std::net::IpAddr;

/// One effect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    AddFinalizer,
    RemoveFinalizer,
    /// The attempt, where there is none, and what holds up a move: both in one patch.
    Begin,
    /// Nothing is under way any more: a move may go on.
    End,
    SearchNetworks,
    SearchVips,
    AllocateNetwork(NetworkRequest),
    AllocateVip(IpRequest),
    KeepNetwork(NetworkId),
    KeepEndpoint {
        host: String,
        port: i64,
    },
    OwnFirewall {
        cluster: String,
    },
    WriteCredentials,
    DeleteFirewall(String),
    SearchLeftovers,
    FreeAddress {
        address: IpAddr,
        allocation: Allocation,
        tags: Tags,
        without: Tags,
    },
    /// The address stays; the cluster's own tags go.
    UntagAddress {
        address: IpAddr,
        tags: Tags,
    },
    FreeNetwork {
        id: NetworkId,
        labels: Tags,
        without: Tags,
    },
}

pub(super) type Decided = Decision<Action, MetalStackClusterStatus>;

/// The next step for the cluster.
///
/// Its failure domain is the partition: metal-api cannot place by rack. Within the partition machines spread over
/// racks by their placement tags.
pub(crate) fn decide(observed: &Observed, now: Timestamp) -> Decided {
    if observed.object.annotations().contains_key(names::MANAGED_BY) {
        return Decision::leave();
    }
    if observed.cluster.is_none() && !observed.is_deleting() {
        return Decision::leave();
    }
    if observed.is_paused() {
        return paused(observed, now);
    }
    if observed.is_deleting() {
        return delete::decide(observed, now);
    }
    if !observed.has_finalizer() {
        return Decision::act(Action::AddFinalizer);
    }
    let mut said = Said::new(observed);
    let parts = [node_network, firewall, endpoint, credentials];
    if let Some(action) = parts.into_iter().find_map(|part| part(observed, now, &mut said)) {
        return Decision::act(action);
    }
    let under_way = observed.object.annotations().get(names::BLOCK_MOVE).is_some_and(|by| by == names::FIELD_MANAGER);
    if under_way && observed.node_network().is_some() && observed.endpoint().is_some() {
        return Decision::act(Action::End);
    }
    let status = status(observed, &mut said, now);
    Decision::rest(said.rest, status)
}

/// What one pass says.
pub(super) struct Said<'a> {
    observed: &'a Observed,
    pub conditions: Conditions,
    pub rest: Rest,
}

impl<'a> Said<'a> {
    pub fn new(observed: &'a Observed) -> Self {
        let mut conditions = Conditions::default();
        conditions.is_not(ConditionType::Paused, Reason::NotPaused, "");
        Self { observed, conditions, rest: Rest::Interval }
    }

    pub fn rest(&mut self, rest: Rest) {
        self.rest = sooner(self.rest, rest);
    }

    fn waits(&mut self, of: ConditionType, reason: Reason, message: impl Into<String>) {
        self.conditions.is_not(of, reason, message);
    }

    /// What could not be looked at: what was said before stays, so that Ready does not flap. What only a person can
    /// mend is said at any time.
    fn cannot_tell(&mut self, of: ConditionType, failure: &Failure) {
        let Failure { reason, message, .. } = failure;
        let passes = matches!(
            reason,
            Reason::MetalApiUnreachable
                | Reason::MetalApiBusy
                | Reason::Unauthorized
                | Reason::Suspect
                | Reason::Refused
        );
        if !passes {
            self.conditions.is_not(of, *reason, message);
            return;
        }
        let was = |status| self.observed.conditions().iter().any(|c| c.type_ == of.as_str() && c.status == status);
        let settled = was(ConditionStatus::True) || self.observed.was_provisioned();
        if !(settled && self.conditions.keep(of, self.observed.conditions())) {
            self.conditions.is_unknown(of, *reason, message);
        }
    }
}

fn sooner(a: Rest, b: Rest) -> Rest {
    let rank = |rest: Rest| match rest {
        Rest::After(_) => 0,
        Rest::Soon => 1,
        Rest::Interval => 2,
        Rest::Change => 3,
    };
    match (a, b) {
        (Rest::After(a), Rest::After(b)) => Rest::After(a.min(b)),
        _ if rank(a) <= rank(b) => a,
        _ => b,
    }
}

fn paused(observed: &Observed, now: Timestamp) -> Decided {
    let mut conditions = Conditions::default();
    for of in ConditionType::ALL {
        conditions.keep(*of, observed.conditions());
    }
    conditions.is(
        ConditionType::Paused,
        Reason::Paused,
        "Nothing is done for it, for its deletion neither: its Cluster has spec.paused, or it carries the annotation \
         cluster.x-k8s.io/paused.",
    );
    let mut status = observed.object.status.clone().unwrap_or_default();
    status.conditions = conditions.over(observed.conditions(), observed.object.metadata.generation, now);
    Decision::rest(Rest::Change, status)
}

fn status(observed: &Observed, said: &mut Said<'_>, now: Timestamp) -> MetalStackClusterStatus {
    use ConditionType::{ControlPlaneEndpointReady, FirewallReady, NodeNetworkReady};
    let is = |of| said.conditions.get(of).is_some_and(|verdict| verdict.status == ConditionStatus::True);
    let provisioned = observed.was_provisioned()
        || (is(NodeNetworkReady) && is(ControlPlaneEndpointReady) && firewall_is_passable(observed));
    said.conditions.sum_up(&[NodeNetworkReady, ControlPlaneEndpointReady, FirewallReady], Reason::Provisioned, "");
    let mut status = observed.object.status.clone().unwrap_or_default();
    if provisioned {
        status.ready = true;
        status.initialization = Some(Initialization { provisioned: Some(true) });
    }
    if let Ok(partition) = PartitionId::parse(&observed.object.spec.partition) {
        let name = partition.as_str().to_owned();
        status.failure_domains = vec![FailureDomain { name, control_plane: true, attributes: Default::default() }];
    }
    let conditions = std::mem::take(&mut said.conditions);
    status.conditions = conditions.over(observed.conditions(), observed.object.metadata.generation, now);
    status
}

/// Without a reference there is no firewall to wait for.
fn firewall_is_passable(observed: &Observed) -> bool {
    if observed.object.spec.firewall_deployment_ref.is_none() {
        return true;
    }
    let Some(deployment) = &observed.firewall else { return false };
    let status = deployment.status.as_ref();
    // CAPMS says `ready` as soon as metal-api answered; only we say `provisioned`, after the phone-home (D40, D41).
    let phoned = status.and_then(|s| s.initialization).and_then(|i| i.provisioned) == Some(true);
    search::taken_by(observed, deployment).is_none() && (phoned || !observed.rules.wait_for_firewall)
}

fn node_network(observed: &Observed, now: Timestamp, said: &mut Said<'_>) -> Option<Action> {
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
        let seen = readable(OF, observed, said)?;
        return allocate_network(observed, now, seen, said);
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

fn allocate_network(observed: &Observed, now: Timestamp, _: &Seen, said: &mut Said<'_>) -> Option<Action> {
    const OF: ConditionType = ConditionType::NodeNetworkReady;
    let (project, partition) = place(OF, observed, said)?;
    if waits_for_call(OF, observed, now, said) {
        return None;
    }
    let Some(networks) = &observed.found.networks else { return Some(Action::SearchNetworks) };
    let networks: Vec<_> = networks.iter().filter(|n| n.labels.has(tags::CLUSTER_ID, &observed.id())).collect();
    let hits = networks.iter().map(|n| (n.id.to_string(), &n.labels));
    match search::judge(hits, search::NETWORK, "spec.nodeNetworkID") {
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

fn endpoint(observed: &Observed, now: Timestamp, said: &mut Said<'_>) -> Option<Action> {
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
    let own = vips.iter().filter(|ip| search::is_vip_of(&ip.tags, &observed.id()));
    match search::judge(own.map(|ip| (ip.address.to_string(), &ip.tags)), search::VIP, "spec.controlPlaneIP") {
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

fn description(observed: &Observed) -> String {
    format!("{}/{}", observed.object.namespace().unwrap_or_default(), observed.object.name_any())
}

/// The reading, where something may be concluded from it; else that is said.
fn readable<'a>(of: ConditionType, observed: &'a Observed, said: &mut Said<'_>) -> Option<&'a Seen> {
    let failure = match &observed.metal {
        Ok(Seen { suspect: None, .. }) => return observed.metal.as_ref().ok(),
        Ok(Seen { suspect: Some(failure), .. }) | Err(failure) => failure,
    };
    said.cannot_tell(of, failure);
    None
}

fn place(of: ConditionType, observed: &Observed, said: &mut Said<'_>) -> Option<(ProjectId, PartitionId)> {
    let spec = &observed.object.spec;
    let wrong = match (ProjectId::parse(&spec.project_id), PartitionId::parse(&spec.partition)) {
        (Ok(project), Ok(partition)) => return Some((project, partition)),
        (Err(error), _) => format!("spec.projectID: {error}."),
        (_, Err(error)) => format!("spec.partition: {error}."),
    };
    said.waits(of, Reason::InvalidSpec, wrong);
    None
}

/// A call that failed is not repeated at once; meanwhile that is said.
fn waits_for_call(of: ConditionType, observed: &Observed, now: Timestamp, said: &mut Said<'_>) -> bool {
    let Some(left) = observed.memory.must_wait(now) else { return false };
    said.rest(Rest::After(left));
    if let Some(failure) = &observed.memory.failure {
        said.conditions.is_not(of, failure.reason, &failure.message);
    }
    true
}

/// The attempt to allocate with; `Some(None)` when it is to be drawn first. None: an earlier allocation can still
/// complete.
fn begun(of: ConditionType, observed: &Observed, now: Timestamp, said: &mut Said<'_>) -> Option<Option<Attempt>> {
    let Some(attempt) = observed.attempt() else { return Some(None) };
    if let Some(left) = observed.unsettled(now) {
        said.rest(Rest::After(left));
        said.waits(
            of,
            Reason::WaitingForUnknownOutcome,
            "An allocation may have happened without an answer. It is searched for again before anything is allocated.",
        );
        return None;
    }
    let blocks = observed.object.annotations().contains_key(names::BLOCK_MOVE);
    Some(blocks.then_some(attempt))
}

fn firewall(observed: &Observed, _: Timestamp, said: &mut Said<'_>) -> Option<Action> {
    const OF: ConditionType = ConditionType::FirewallReady;
    let reference = observed.object.spec.firewall_deployment_ref.as_ref()?;
    let Some(deployment) = &observed.firewall else {
        let message = format!(
            "There is no MetalStackFirewallDeployment {} in this namespace. Create it, or correct \
             spec.firewallDeploymentRef.",
            reference.name
        );
        said.waits(OF, Reason::FirewallDeploymentMissing, message);
        return None;
    };
    if let Some(owner) = search::taken_by(observed, deployment) {
        let message = format!(
            "MetalStackFirewallDeployment {} belongs to {owner}. Each cluster needs a firewall deployment of its own.",
            reference.name
        );
        said.waits(OF, Reason::FirewallDeploymentTaken, message);
        return None;
    }
    let cluster = observed.cluster.as_ref()?.name_any();
    if deployment.metadata.deletion_timestamp.is_none() && !search::is_owned(observed, deployment, &cluster) {
        return Some(Action::OwnFirewall { cluster });
    }
    let ready = deployment.status.as_ref().and_then(|s| s.conditions.iter().find(|c| c.type_ == "Ready"));
    match ready {
        Some(ready) => {
            let reason = Reason::parse(&ready.reason).unwrap_or(Reason::WaitingForFirewall);
            said.conditions.set(OF, ready.status, reason, &ready.message);
        }
        None => said.waits(OF, Reason::WaitingForFirewall, "The firewall deployment has not been looked at yet."),
    }
    None
}

fn credentials(observed: &Observed, _: Timestamp, said: &mut Said<'_>) -> Option<Action> {
    const OF: ConditionType = ConditionType::CloudControllerCredentialsReady;
    match &observed.credentials {
        Credentials::Unasked => {}
        Credentials::Missing(message) => said.waits(OF, Reason::CredentialsMissing, message),
        Credentials::Foreign(secret) => {
            let message = format!(
                "Secret {secret} is not ours and stays as it is. Remove it, and it is written, or remove the annotation \
                 fleet.metal-stack.io/ccm-credentials."
            );
            said.waits(OF, Reason::Claimed, message);
        }
        Credentials::Due { .. } => return Some(Action::WriteCredentials),
        Credentials::Written { secret, inherited: false } => {
            said.conditions.is(OF, Reason::Written, format!("Secret {secret}."));
        }
        Credentials::Written { secret, inherited: true } => said.conditions.is(
            OF,
            Reason::Written,
            format!(
                "Secret {secret}, with the provider's own credentials: the cluster's administrators can read the \
                 platform's key. Name a Secret of their own in the annotation fleet.metal-stack.io/ccm-credentials."
            ),
        ),
    }
    None
}

/// What nodes can be in: a network of their own, or one that several projects share.
pub(super) fn is_node_network(network: &Network) -> bool {
    matches!(network.kind, NetworkKind::Child | NetworkKind::ChildShared)
}
