//! What the objects of a project name: the measure for whether a reading of metal-api can be believed (R15).

use super::caches::Caches;
use crate::api::{Condition, ConditionStatus};
use crate::metal::{Known, ProjectMap};
use crate::names;
use crate::reason::Reason;
use kube::Resource as _;
use kube::core::ObjectMeta;
use model::{Allocation, MachineId, NetworkId, PartitionId, ProjectId};

/// Of the clusters of this project, their machines and firewalls, as far as they were once seen in it: what somebody
/// only wrote down, or has no business in the project, must not make it suspect for all others (I6). What is known to be
/// gone, or was freed, is not counted: its absence is no news. What is still to be freed is: another metal-api behind the
/// URL must not end deletions.
pub(crate) fn known(caches: &Caches, map: Option<&ProjectMap>, project: &ProjectId) -> Known {
    let mut known = Known::default();
    let allowed = |object: &ObjectMeta| {
        map.is_none_or(|map| map.allows(object.namespace.as_deref().unwrap_or_default(), project))
    };
    for infrastructure in caches.metal_clusters.state() {
        let status = infrastructure.status.as_ref();
        let conditions = status.map(|s| &s.conditions[..]).unwrap_or_default();
        let provisioned = status.and_then(|s| s.initialization).and_then(|i| i.provisioned) == Some(true);
        let seen = provisioned || status.is_some_and(|status| status.ready);
        let of_project = infrastructure.spec.project_id == project.as_str() && allowed(infrastructure.meta());
        if !of_project || !seen || !counts(infrastructure.meta(), conditions) {
            continue;
        }
        let spec = &infrastructure.spec;
        known.networks.extend(spec.node_network_id.as_deref().and_then(|id| NetworkId::parse(id).ok()));
        known.partitions.extend(PartitionId::parse(&spec.partition).ok());
    }
    let noted = |object: &ObjectMeta, key: &str| object.annotations.as_ref().and_then(|all| all.get(key)).cloned();
    // What CAPMS left has no annotation yet: its cluster says where it is.
    let of_cluster = |object: &ObjectMeta| {
        let name = object.labels.as_ref()?.get(names::CLUSTER_NAME_LABEL)?;
        let cluster = Caches::get(&caches.clusters, object.namespace.as_deref()?, name)?;
        Some(caches.infrastructure(&cluster)?.spec.project_id.clone())
    };
    let of_project = |object: &ObjectMeta| {
        let of = noted(object, names::PROJECT).or_else(|| of_cluster(object));
        allowed(object) && of.is_some_and(|of| of == project.as_str())
    };
    for machine in caches.metal_machines.state() {
        let conditions = machine.status.as_ref().map(|s| &s.conditions[..]).unwrap_or_default();
        let allocation = noted(machine.meta(), names::ALLOCATION);
        let seen = allocation.is_some() || machine.status.as_ref().is_some_and(|status| status.ready);
        let Some(id) = machine.spec.provider_id.as_deref().and_then(server).filter(|_| seen) else { continue };
        if of_project(machine.meta()) && counts(machine.meta(), conditions) {
            if let Some(allocation) =
                allocation.filter(|text| text != "none").and_then(|text| Allocation::parse(&text).ok())
            {
                known.allocations.insert(id.clone(), allocation);
            }
            known.machines.insert(id);
        }
    }
    for firewall in caches.firewalls.state() {
        let conditions = firewall.status.as_ref().map(|s| &s.conditions[..]).unwrap_or_default();
        let seen = noted(firewall.meta(), names::FIREWALL_BASELINE).is_some()
            || firewall.status.as_ref().is_some_and(|status| status.ready);
        if seen && of_project(firewall.meta()) && counts(firewall.meta(), conditions) {
            known.machines.extend(firewall.spec.managed_resource_ref.as_ref().and_then(|r| server(&r.name)));
        }
    }
    known
}

fn counts(object: &ObjectMeta, conditions: &[Condition]) -> bool {
    let gone = |c: &Condition| {
        let reason = Reason::parse(&c.reason);
        match reason {
            Some(Reason::DeletedExternally | Reason::BelongsToOther) => c.status != ConditionStatus::True,
            Some(Reason::WaitingForRouteConvergence | Reason::Freed) => true,
            _ => false,
        }
    };
    let was_freed = object.deletion_timestamp.is_some() && object.finalizers.as_ref().is_none_or(Vec::is_empty);
    !was_freed && !conditions.iter().any(gone)
}

/// The server that `metal://<partition>/<id>` names. The partition may be empty: CAPMS reads it so, too.
pub(crate) fn server(provider_id: &str) -> Option<MachineId> {
    let (_, id) = provider_id.strip_prefix("metal://")?.split_once('/')?;
    MachineId::parse(&id.to_ascii_lowercase()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_what_follows_the_partition() {
        let id = "00000000-0000-4000-8000-0000000000f1";
        assert_eq!(server(&format!("metal://muc-a/{id}")).unwrap().as_str(), id);
        assert_eq!(server(&format!("metal:///{}", id.to_uppercase())).unwrap().as_str(), id);
        for none in ["", id, "metal://muc-a", "metal://muc-a/", "metal://muc-a/1234", &format!("aws:///a/{id}")] {
            assert_eq!(server(none), None, "{none}");
        }
    }
}
