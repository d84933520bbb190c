//! The firewall deployment: owned by its cluster, whose state it is part of.

use super::decide::{Action, Said};
use super::observed::Observed;
use super::search;
use crate::reason::{ConditionType, Reason};
use kube::ResourceExt as _;
use model::Timestamp;

/// Without a reference there is no firewall to wait for.
pub(super) fn is_passable(observed: &Observed) -> bool {
    if observed.object.spec.firewall_deployment_ref.is_none() {
        return true;
    }
    let Some(deployment) = &observed.firewall else { return false };
    let status = deployment.status.as_ref();
    // CAPMS says `ready` as soon as metal-api answered; only we say `provisioned`, after the phone-home (D40, D41).
    let phoned = status.and_then(|s| s.initialization).and_then(|i| i.provisioned) == Some(true);
    search::taken_by(observed, deployment).is_none() && (phoned || !observed.rules.wait_for_firewall)
}

pub(super) fn firewall(observed: &Observed, _: Timestamp, said: &mut Said<'_>) -> Option<Action> {
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
