//! Which policy a cluster follows, and what that offers in its partition.

use super::Sources;
use super::uses::Use;
use crate::issue::Report;
use crate::rules::{PARTITION, POLICY, choice};
use model::ClusterPolicy;
use model::ids::Label;
use model::policy::OfferedPartition;

/// The policy of a cluster.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    pub(super) name: Label,
    /// Where it is written.
    pub(super) path: &'a str,
    pub(super) policy: &'a ClusterPolicy,
}

pub(super) fn policy<'a>(from: &Sources<'a>, report: &mut Report<'_>) -> Option<Chosen<'a>> {
    let written = from.definition.spec.policy.as_ref();
    let name = written.or(from.home.stage.policy.as_ref()).map_or("default", Label::as_str);
    if let Some((name, offer)) = from.around.policies.get_key_value(name) {
        return Some(Chosen { name: name.clone(), path: &offer.path, policy: &offer.policy });
    }
    if let Some(path) = from.around.broken_policies.get(name) {
        let message = format!("policy `{name}` cannot be read");
        report.error(POLICY, "spec.policy", message).mend(format!("mend {path}"));
        return None;
    }
    let known = from.around.policies.keys().map(Label::as_str);
    let whose = if written.is_some() { "" } else { ", which the stage names," };
    let message = format!("there is no policy `{name}`{whose} in policies/");
    report.error(POLICY, "spec.policy", message).mend(choice(name, known));
    None
}

pub(super) fn partition<'a>(
    from: &Sources<'_>,
    chosen: &Chosen<'a>,
    report: &mut Report<'_>,
) -> Option<&'a OfferedPartition> {
    let name = &from.identity.partition;
    if let Some(found) = chosen.policy.partition(name) {
        return Some(found);
    }
    if from.lock.is_some_and(|lock| lock.identity.partition == *name) {
        Use::Partition(name).is_not_offered(chosen, report);
        return None;
    }
    let known = chosen.policy.spec.regions.iter().flat_map(|r| &r.partitions).map(|p| p.name.as_str());
    let message = format!("partition `{name}` is not in policy `{}`", chosen.name);
    report.error(PARTITION, "spec.metal.partition", message).mend(choice(name.as_str(), known));
    None
}
