//! Whose something is: by its tags, or by its owner references.

use super::decide::is_node_network;
use super::observed::{Observed, cluster_name, id};
use crate::api::{GROUP, MetalStackFirewallDeployment};
use crate::names;
use crate::reason::Reason;
use kube::ResourceExt as _;
use model::metal::{Ip, Network, NetworkKind};
use model::{Attempt, Tags, tags};

/// What a search by tags says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    Nothing,
    /// The one that was allocated with the object's own attempt, by id.
    Ours(String),
    /// It is for a person to say whose it is.
    Refused(Reason, String),
}

/// For messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noun {
    one: &'static str,
    several: &'static str,
}

pub(super) const NETWORK: Noun = Noun { one: "a node network", several: "node networks" };
pub(super) const VIP: Noun = Noun { one: "a control plane's address", several: "control plane's addresses" };

/// Judges all that carries the cluster's names: only what was allocated for this very object is taken (R6), and never
/// one of two. A cluster of the same name in another management cluster has the same names and another attempt.
pub(super) fn judge<'a>(
    hits: impl Iterator<Item = (String, &'a Tags)>,
    attempt: Option<&Attempt>,
    what: Noun,
    field: &str,
) -> Hit {
    let hits: Vec<(String, &Tags)> = hits.collect();
    let is_ours = |tags: &Tags| {
        tags.has(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER)
            && attempt.is_some_and(|attempt| tags.has(tags::ATTEMPT, attempt.as_str()))
    };
    match hits.as_slice() {
        [] => Hit::Nothing,
        [(id, tags)] if is_ours(tags) => Hit::Ours(id.clone()),
        [(id, tags)] => {
            let whose = match tags.get(tags::MANAGED_BY) {
                Some(tags::MANAGED_BY_ENGINE) => "is the engine's",
                Some(tags::MANAGED_BY_PROVIDER) => {
                    "was allocated for another MetalStackCluster of this name, or for this one before it was made anew"
                }
                _ => "was not allocated here",
            };
            let message = format!(
                "There is {} of this cluster's name already, {id}, which {whose}. If nobody else uses it, put it into \
                 {field} (it is freed with this cluster, unless the engine's), or free it, and another is allocated.",
                what.one
            );
            Hit::Refused(Reason::Claimed, message)
        }
        several => {
            let mut ids: Vec<&str> = several.iter().map(|(id, _)| id.as_str()).collect();
            ids.sort_unstable();
            let message = format!(
                "There are {} {} of this cluster: {}. Put the right one into {field}, and free what nobody uses.",
                ids.len(),
                what.several,
                ids.join(", ")
            );
            Hit::Refused(Reason::Ambiguous, message)
        }
    }
}

/// Whether an address is the control plane's of this cluster, as we or as CAPMS tag it.
pub(super) fn is_vip(observed: &Observed, tags: &Tags) -> bool {
    tags.has(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE)
        && [tags::CLUSTER_RESOURCE, tags::CLUSTER_ID].iter().any(|key| own_id(observed, tags, key).is_some())
}

/// Whether a network is the node network of this cluster, as we or as CAPMS label it.
pub(super) fn is_network(observed: &Observed, labels: &Tags) -> bool {
    own_id(observed, labels, tags::CLUSTER_ID).is_some()
}

/// The cluster's id as this tag has it.
pub(super) fn own_id<'a>(observed: &Observed, tags: &'a Tags, key: &str) -> Option<&'a str> {
    tags.iter().find(|(of, value)| *of == key && is_id(observed, value)).map(|(_, value)| value)
}

/// How what the object names came to be.
pub(super) fn by(observed: &Observed, tags: &Tags) -> Reason {
    let ours = tags.has(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER) && tags.cluster() == Some(&observed.id());
    if ours { Reason::Allocated } else { Reason::Verified }
}

/// Why the network that the object names cannot be its node network.
pub(super) fn wrong_network(observed: &Observed, network: &Network) -> Option<(Reason, String)> {
    let spec = &observed.object.spec;
    let Network { id, project, partition, labels, .. } = network;
    if !is_node_network(network) {
        let kind = match network.kind {
            NetworkKind::External => "an external network",
            NetworkKind::Underlay => "an underlay",
            _ => "a super network",
        };
        let message = format!(
            "spec.nodeNetworkID: {id} is {kind}. Nodes need a private network of the project; remove the field, and one \
             is allocated."
        );
        return Some((Reason::InvalidSpec, message));
    }
    if project.as_ref().is_some_and(|project| project.as_str() != spec.project_id) {
        let message = format!("spec.nodeNetworkID: {id} is a network of another project than {}.", spec.project_id);
        return Some((Reason::BelongsToOther, message));
    }
    if let Some(partition) = partition.as_ref().filter(|p| p.as_str() != spec.partition) {
        let message = format!(
            "spec.nodeNetworkID: {id} is in partition {partition} and the cluster in {}. Name a network of that \
             partition.",
            spec.partition
        );
        return Some((Reason::InvalidSpec, message));
    }
    let other = labels.get(tags::CLUSTER_ID).filter(|of| !may_be_id(observed, of))?;
    let message = format!(
        "spec.nodeNetworkID: {id} is the node network of cluster {other} (label {}). Name another network.",
        tags::CLUSTER_ID
    );
    Some((Reason::BelongsToOther, message))
}

/// Why the address is another cluster's, where it is.
pub(super) fn others_address(observed: &Observed, ip: &Ip) -> Option<String> {
    let purpose = ip.tags.has(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
    let other = ip.tags.cluster().filter(|of| purpose && !may_be_id(observed, of))?;
    Some(format!("Address {} is the control plane's of cluster {other}. Name another address.", ip.address))
}

/// CAPMS wrote the id in three forms in its time: today's since 0.6, with a slash since 0.3.1, the UID before.
fn is_id(observed: &Observed, value: &str) -> bool {
    let object = &observed.object;
    let with_slash = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
    value == id(object) || value == with_slash || object.uid().is_some_and(|uid| uid == value)
}

/// Whether this tag may be the cluster's id, though nobody can tell.
pub(super) fn may_be_ours(observed: &Observed, tags: &Tags, key: &str) -> bool {
    tags.iter().any(|(of, value)| of == key && may_be_id(observed, value))
}

/// The UID of before a move or a restore cannot be told from another cluster's.
fn may_be_id(observed: &Observed, value: &str) -> bool {
    is_id(observed, value) || uuid::Uuid::parse_str(value).is_ok()
}

/// Who else owns a firewall deployment.
pub(super) fn taken_by(observed: &Observed, deployment: &MetalStackFirewallDeployment) -> Option<String> {
    let us = observed.object.name_any();
    let other = deployment.owner_references().iter().find(|owner| {
        let cluster = is_cluster_kind(&owner.kind, &owner.api_version);
        if cluster { owner.name != us } else { owner.controller == Some(true) }
    })?;
    Some(format!("{} {}", other.kind, other.name))
}

/// Whether one of its owners is this object, by name: the UID changes when objects are moved or restored.
pub(super) fn is_ours(observed: &Observed, deployment: &MetalStackFirewallDeployment) -> bool {
    let us = observed.object.name_any();
    let mut owners = deployment.owner_references().iter();
    owners.any(|owner| is_cluster_kind(&owner.kind, &owner.api_version) && owner.name == us)
}

/// Whether it is deleted with this object: it is ours, or named by us and nobody's. That of a cluster that never came to
/// own it, or whose owners a restore did not bring back, has a firewall too.
pub(super) fn goes_along(observed: &Observed, deployment: &MetalStackFirewallDeployment) -> bool {
    let reference = observed.object.spec.firewall_deployment_ref.as_ref();
    let is_named = reference.is_some_and(|reference| reference.name == deployment.name_any());
    let label = deployment.labels().get(names::CLUSTER_NAME_LABEL);
    let is_others = taken_by(observed, deployment).is_some()
        || label.is_some_and(|cluster| *cluster != cluster_name(&observed.object));
    is_ours(observed, deployment) || (is_named && !is_others)
}

/// Whether the reference is as we write it, with our present UID (D24), and the label is there.
pub(super) fn is_owned(observed: &Observed, deployment: &MetalStackFirewallDeployment, cluster: &str) -> bool {
    let uid = observed.object.uid();
    let mut owners = deployment.owner_references().iter();
    let owned = owners.any(|owner| {
        is_cluster_kind(&owner.kind, &owner.api_version)
            && Some(&owner.uid) == uid.as_ref()
            && owner.controller == Some(true)
    });
    owned && deployment.labels().get(names::CLUSTER_NAME_LABEL).is_some_and(|of| of == cluster)
}

pub(super) fn is_cluster_kind(kind: &str, api_version: &str) -> bool {
    kind == "MetalStackCluster" && api_version.split_once('/').is_some_and(|(group, _)| group == GROUP)
}
