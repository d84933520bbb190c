//! What a change would replace (R1, I11): what feeds each machine-affecting object, against what the lock says it was
//! rendered from. Fields of policy, overlays, stage and fleet feed them as well as those of the definition.

use super::held::{self, Fed};
use super::{AUTOSCALED_BACK, IDENTITY_CHANGED, MACHINES_CHANGED, POOL_REMOVED, VALUE_CHANGED};
use crate::mutability::instead;
use crate::resolve::Case;
use model::definition::{AllowReplacement, FirewallMode};
use model::want::{Effective, Origin, input_digests, is_rendered_from};
use model::{ClusterLock, Reason};
use std::collections::BTreeSet;

/// An object of the lock's `rendered`.
#[derive(Clone, Copy, Debug)]
enum Object<'a> {
    ClusterNetwork,
    ControlPlane,
    Firewall,
    Pool(&'a str),
}

impl<'a> Object<'a> {
    fn of(key: &'a str) -> Option<Self> {
        match key {
            "clusterNetwork" => Some(Self::ClusterNetwork),
            "controlPlane" => Some(Self::ControlPlane),
            "firewall" => Some(Self::Firewall),
            other => other.strip_prefix("pool.").map(Self::Pool),
        }
    }
}

/// What a definition, or what it stands on, changed about a cluster that is there.
pub(super) fn changes(case: &mut Case<'_>) {
    let fed = held::values(case);
    let Some(lock) = case.lock else { return };
    let cluster = case.report.cluster;
    let is_moved = |issue: &crate::issue::Issue| issue.cluster.as_ref() == cluster && issue.rule == IDENTITY_CHANGED;
    // Another partition or project offers other things: the move says it all.
    if case.report.issues.iter().any(is_moved) {
        return;
    }
    let now = input_digests(&case.identity.name, case.effective, &lock.values);
    for (key, was) in &lock.rendered {
        let Some(object) = Object::of(key) else { continue };
        match now.get(key) {
            Some(is) if is == was => {}
            // A default that is written out replaces nothing.
            Some(_) if is_rendered_from(&case.identity.name, case.effective, &lock.values, key, was) => {}
            Some(_) => changed(case, object, &fed),
            None => gone(case, object, lock),
        }
    }
}

fn changed(case: &mut Case<'_>, object: Object<'_>, fed: &BTreeSet<Fed>) {
    let is_never = case.effective.allow_replacement.value == AllowReplacement::Never;
    let (field, what, fed_by, is_said) = match object {
        Object::ClusterNetwork => return ranges(case),
        Object::ControlPlane => (
            "spec.controlPlane".to_owned(),
            "the control plane's machines".to_owned(),
            "spec.kubernetes.version, spec.controlPlane.size and .image, a patch of its objects, or the policy's \
             image, kube-vip and images.rewrite",
            fed.contains(&Fed::ControlPlane),
        ),
        // A person replaces it.
        Object::Firewall if case.effective.firewall.mode.value == FirewallMode::External => return,
        Object::Firewall => (
            "spec.firewall".to_owned(),
            "the firewall".to_owned(),
            "anything in spec.firewall, a patch of its template, the policy's firewall, or nodeApiUrl and nodeApiCIDRs \
             of the fleet",
            fed.contains(&Fed::Firewall),
        ),
        Object::Pool(name) => {
            let index = case.effective.pools.iter().position(|p| p.name.as_str() == name).unwrap_or_default();
            let fed_by = "spec.kubernetes.version, the pool's size, image, labels and taints, a patch of its objects, \
                          or the policy's";
            let what = format!("the machines of pool `{name}`");
            (format!("spec.pools[{index}]"), what, fed_by, fed.contains(&Fed::Pools))
        }
    };
    if is_never && !is_said {
        let message = format!(
            "this would replace {what}, and spec.rollout.allowReplacement is never: one of the fields that it is made \
             from changed ({fed_by})"
        );
        case.report
            .error(MACHINES_CHANGED, &field, message)
            .mend("set it back; or set spec.rollout.allowReplacement to always, in a commit of its own")
            .reason(Reason::ReplacementNotAllowed);
    }
}

/// The lock has a digest of both ranges and no value, so which one changed is said only where one alone is written.
fn ranges(case: &mut Case<'_>) {
    let is_written = |origin| matches!(origin, Origin::Definition | Origin::Overlay);
    let Effective { pods, services, .. } = case.effective;
    let field = match (is_written(pods.from), is_written(services.from)) {
        (true, false) => "spec.network.pods",
        (false, true) => "spec.network.services",
        (true, true) | (false, false) => "spec.network",
    };
    let message = format!(
        "pods ({}) or services ({}) are not what the cluster was made with: spec.network, a patch of the Cluster, or \
         the policy's defaults changed",
        pods.value, services.value
    );
    let mend = format!("set both back, here where the policy changed; {}", instead("spec.network.pods"));
    case.report.error(VALUE_CHANGED, field, message).mend(mend).reason(Reason::Immutable);
}

/// Its objects carry a guard until they were rendered without machines, and nobody would lift it later.
fn gone(case: &mut Case<'_>, object: Object<'_>, lock: &ClusterLock) {
    let Object::Pool(name) = object else { return };
    if lock.values.empty_pools.iter().any(|empty| empty.as_str() == name) {
        return;
    }
    case.report
        .error(POOL_REMOVED, "spec.pools", format!("pool `{name}` was removed, and its machines are there"))
        .mend(format!(
            "put pool `{name}` back and set its replicas to 0; remove it when the lock lists it in emptyPools"
        ))
        .reason(Reason::Immutable);
}

/// R23: the definition's number would be a guess, and machines would be freed or bought for it. None at all is no
/// guess.
pub(super) fn autoscaled_back(case: &mut Case<'_>) {
    let Some(lock) = case.lock else { return };
    for (index, pool) in case.effective.pools.iter().enumerate() {
        let count = pool.machines.replicas.value;
        if pool.autoscale.is_none() && count > 0 && lock.values.autoscaled_pools.contains(&pool.name) {
            let message = format!(
                "the autoscaler decided how many machines pool `{}` has, and how many these are is not known here",
                pool.name
            );
            case.report
                .error(AUTOSCALED_BACK, &format!("spec.pools[{index}].replicas"), message)
                .mend(format!("set min and max to {count} instead: then there are that many"))
                .reason(Reason::Immutable);
        }
    }
}
