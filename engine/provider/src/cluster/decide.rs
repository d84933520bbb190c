//! What is to be done for a MetalStackCluster, and what it says meanwhile: pure.

use super::observed::{Credentials, Observed, Seen};
use super::{delete, endpoint, firewall, network};
use crate::api::{ConditionStatus, FailureDomain, Initialization, MetalStackClusterStatus};
use crate::conditions::Conditions;
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Failure, Rest};
use kube::ResourceExt as _;
use model::metal::{IpRequest, Network, NetworkKind, NetworkRequest};
use model::{Allocation, Attempt, NetworkId, PartitionId, ProjectId, Tags, Timestamp};
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

impl Action {
    /// Whether it changes something in metal-api.
    pub(super) fn is_write(&self) -> bool {
        match self {
            Self::AllocateNetwork(_)
            | Self::AllocateVip(_)
            | Self::FreeAddress { .. }
            | Self::UntagAddress { .. }
            | Self::FreeNetwork { .. } => true,
            Self::AddFinalizer
            | Self::RemoveFinalizer
            | Self::Begin
            | Self::End
            | Self::SearchNetworks
            | Self::SearchVips
            | Self::KeepNetwork(_)
            | Self::KeepEndpoint { .. }
            | Self::OwnFirewall { .. }
            | Self::WriteCredentials
            | Self::DeleteFirewall(_)
            | Self::SearchLeftovers => false,
        }
    }
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
    let parts = [network::node_network, firewall::firewall, endpoint::endpoint, credentials];
    if let Some(action) = parts.into_iter().find_map(|part| part(observed, now, &mut said)) {
        return Decision::act(action);
    }
    if is_under_way(observed) && observed.node_network().is_some() && observed.endpoint().is_some() {
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
    pub(super) fn new(observed: &'a Observed) -> Self {
        let mut conditions = Conditions::default();
        conditions.is_not(ConditionType::Paused, Reason::NotPaused, "");
        Self { observed, conditions, rest: Rest::Interval }
    }

    pub(super) fn rest(&mut self, rest: Rest) {
        self.rest = sooner(self.rest, rest);
    }

    pub(super) fn waits(&mut self, of: ConditionType, reason: Reason, message: impl Into<String>) {
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

/// Whether a move is held up by us.
fn is_under_way(observed: &Observed) -> bool {
    observed.object.annotations().get(names::BLOCK_MOVE).is_some_and(|by| by == names::FIELD_MANAGER)
}

/// A move pauses first and then waits for what holds it up: that goes as soon as nothing can complete any more. Who goes
/// on there finds the attempt, and searches.
fn paused(observed: &Observed, now: Timestamp) -> Decided {
    let unsettled = observed.unsettled(now).filter(|_| is_under_way(observed));
    if is_under_way(observed) && unsettled.is_none() {
        return Decision::act(Action::End);
    }
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
    Decision::rest(unsettled.map_or(Rest::Change, Rest::After), status)
}

fn status(observed: &Observed, said: &mut Said<'_>, now: Timestamp) -> MetalStackClusterStatus {
    use ConditionType::{ControlPlaneEndpointReady, FirewallReady, NodeNetworkReady};
    let is = |of| said.conditions.get(of).is_some_and(|verdict| verdict.status == ConditionStatus::True);
    let provisioned = observed.was_provisioned()
        || (is(NodeNetworkReady) && is(ControlPlaneEndpointReady) && firewall::is_passable(observed));
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

pub(super) fn description(observed: &Observed) -> String {
    format!("{}/{}", observed.object.namespace().unwrap_or_default(), observed.object.name_any())
}

/// The reading, where something may be concluded from it; else that is said.
pub(super) fn readable<'a>(of: ConditionType, observed: &'a Observed, said: &mut Said<'_>) -> Option<&'a Seen> {
    let failure = match &observed.metal {
        Ok(Seen { suspect: None, .. }) => return observed.metal.as_ref().ok(),
        Ok(Seen { suspect: Some(failure), .. }) | Err(failure) => failure,
    };
    said.cannot_tell(of, failure);
    None
}

pub(super) fn place(of: ConditionType, observed: &Observed, said: &mut Said<'_>) -> Option<(ProjectId, PartitionId)> {
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
pub(super) fn waits_for_call(of: ConditionType, observed: &Observed, now: Timestamp, said: &mut Said<'_>) -> bool {
    let Some(left) = observed.memory.must_wait(now) else { return false };
    said.rest(Rest::After(left));
    if let Some(failure) = &observed.memory.failure {
        said.conditions.is_not(of, failure.reason, &failure.message);
    }
    true
}

/// The attempt to allocate with; `Some(None)` when it is to be drawn first. None: an earlier allocation can still
/// complete.
pub(super) fn begun(
    of: ConditionType,
    observed: &Observed,
    now: Timestamp,
    said: &mut Said<'_>,
) -> Option<Option<Attempt>> {
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
