//! The Kubernetes version: the lock's while the wish admits it, else the best one that the policy offers.

use super::Sources;
use super::policy::Chosen;
use super::uses::Use;
use crate::issue::Report;
use crate::rules::{VERSION, VERSION_EXPIRED, VERSION_PREVIEW, choice};
use model::definition::VersionWish;
use model::fleet::Purpose;
use model::policy::{Classification, KubernetesVersion, OfferedVersion};
use model::{ClusterPolicy, Timestamp};

const FIELD: &str = "spec.kubernetes.version";

pub(super) fn version(
    from: &Sources<'_>,
    chosen: &Chosen<'_>,
    purpose: Purpose,
    report: &mut Report<'_>,
) -> Option<KubernetesVersion> {
    let policy = chosen.policy;
    let wish = &from.definition.spec.kubernetes.version;
    let locked = from.lock.and_then(|l| l.values.kubernetes.as_ref()).map(|k| &k.version);
    if let Some(version) = locked.filter(|v| wish.admits(v)) {
        let offered =
            policy.spec.kubernetes.versions.iter().enumerate().find(|(_, offered)| offered.version == *version);
        match offered {
            Some((index, offered)) => {
                let field = format!("spec.kubernetes.versions[{index}]");
                let (end, now) = (offered.expiration_date, from.around.now);
                Use::Kubernetes(version).expires(chosen, &field, end, now, report);
            }
            None => Use::Kubernetes(version).is_not_offered(chosen, report),
        }
        return Some(version.clone());
    }
    let admitted: Vec<_> = policy.spec.kubernetes.versions.iter().filter(|v| wish.admits(&v.version)).collect();
    if admitted.is_empty() {
        not_offered(wish, policy, report);
        return None;
    }
    // An upgrade is offered what a new cluster is offered.
    let alive = |v: &OfferedVersion| !is_expired(v, from.around.now);
    let allowed = |v: &OfferedVersion| {
        v.classification != Classification::Preview || policy.spec.allow_preview_for.contains(&purpose)
    };
    let best = admitted.iter().filter(|v| alive(v) && allowed(v)).max_by_key(|v| (rank(v.classification), &v.version));
    if let Some(best) = best {
        return Some(best.version.clone());
    }
    refuse(wish, purpose, admitted.iter().copied().any(alive), report);
    // The rest of the definition is judged with the version that was meant.
    admitted.iter().map(|v| &v.version).max().cloned()
}

/// A lower supported one goes before a higher deprecated one.
pub(super) fn rank(classification: Classification) -> u8 {
    match classification {
        Classification::Supported => 2,
        Classification::Deprecated => 1,
        Classification::Preview => 0,
    }
}

fn is_expired(version: &OfferedVersion, now: Timestamp) -> bool {
    version.expiration_date.is_some_and(|end| end <= now)
}

fn not_offered(wish: &VersionWish, policy: &ClusterPolicy, report: &mut Report<'_>) {
    let offered: Vec<String> = policy.spec.kubernetes.versions.iter().map(|v| v.version.to_string()).collect();
    let message = format!("Kubernetes {wish} is not offered by policy `{}`", policy.metadata.name);
    report.error(VERSION, FIELD, message).mend(choice(&wish.to_string(), offered.iter().map(String::as_str)));
}

fn refuse(wish: &VersionWish, purpose: Purpose, alive: bool, report: &mut Report<'_>) {
    if alive {
        let purpose = format!("{purpose:?}").to_lowercase();
        report
            .error(
                VERSION_PREVIEW,
                FIELD,
                format!("Kubernetes {wish} is a preview, which the policy does not allow for purpose {purpose}"),
            )
            .mend("choose a supported version, or another purpose");
    } else {
        report
            .error(
                VERSION_EXPIRED,
                FIELD,
                format!("Kubernetes {wish} has expired: only clusters that have it already keep it"),
            )
            .mend("choose a newer version");
    }
}
