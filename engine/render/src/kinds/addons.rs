//! `addons.yaml`: what is installed into the cluster, in the order CNI, cloud controller manager, load balancer, the
//! definition's own.

use super::{calico, ccm, charts, cilium, manifests, metallb};
use crate::facts::{Facts, PROVIDER, PROVIDER_LABEL};
use model::want::{CcmSpec, InstalledCni};
use serde_json::Value;

pub(crate) fn addons(facts: Facts<'_>) -> Vec<Value> {
    let effective = facts.effective();
    let mut addons = Vec::new();
    if let Some(cni) = &effective.cni {
        addons.push(match cni.kind {
            InstalledCni::Calico => calico::chart(facts, cni),
            InstalledCni::Cilium => cilium::chart(facts, cni),
        });
    }
    if let Some(spec) = &effective.ccm {
        addons.extend(cloud_controller_manager(facts, spec));
    }
    if let Some(spec) = &effective.metallb {
        addons.extend(metallb::objects(facts, spec));
    }
    addons.extend(effective.charts.iter().map(|wish| charts::extra(facts, wish)));
    addons.extend(effective.manifests.iter().flat_map(|wish| manifests::extra(facts, wish)));
    addons
}

/// As the label of the Cluster has it, by which the CNI finds it.
pub(crate) fn cni_name(kind: InstalledCni) -> &'static str {
    match kind {
        InstalledCni::Calico => "calico",
        InstalledCni::Cilium => "cilium",
    }
}

/// The Secret is named only (R12, I7).
fn cloud_controller_manager(facts: Facts<'_>, spec: &CcmSpec) -> Vec<Value> {
    let name = facts.named("metal-ccm");
    let set = manifests::Set {
        name: &name,
        selector: &[(PROVIDER_LABEL, PROVIDER)],
        data: Some(("deploy.yaml", &ccm::manifests(facts, spec))),
        secrets: &[&name],
    };
    set.objects(facts)
}
