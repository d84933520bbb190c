//! What is installed into a cluster: Calico and the cloud controller manager.

use super::{Sources, written_or};
use crate::issue::Report;
use crate::rules::{CALICO_VERSION, CCM};
use model::ClusterPolicy;
use model::definition::{CcmWish, CniKind, NetworkWish};
use model::want::{CcmSpec, Flavor, Origin, Setting};

/// The chart version, where Calico is ours to install.
pub(super) fn calico(
    wish: &NetworkWish,
    policy: &ClusterPolicy,
    flavor: Option<&Setting<Flavor>>,
    report: &mut Report<'_>,
) -> Option<Setting<String>> {
    let cni = wish.cni.clone().unwrap_or_default();
    if flavor?.value != Flavor::Calico || cni.kind == CniKind::None {
        return None;
    }
    let policys = policy.spec.defaults.calico.clone().map(|v| Setting::new(v, Origin::Policy));
    let version = cni.version.map(|v| Setting::new(v, Origin::Definition)).or(policys);
    if version.is_none() {
        let message = format!("no version of Calico: policy `{}` has no default", policy.metadata.name);
        report
            .error(CALICO_VERSION, "spec.network.cni.version", message)
            .mend("set spec.network.cni.version, or spec.defaults.calico of the policy");
    }
    version
}

/// None where the cloud controller manager is not ours to install.
pub(super) fn ccm(
    from: &Sources<'_>,
    policy: &ClusterPolicy,
    flavor: Option<&Setting<Flavor>>,
    report: &mut Report<'_>,
) -> Option<CcmSpec> {
    let CcmWish { enabled, version } = &from.definition.spec.addons.ccm;
    if !enabled.unwrap_or(flavor?.value == Flavor::Calico) {
        return None;
    }
    let policys = policy.spec.defaults.ccm.clone();
    if version.is_none() && policys.is_none() {
        let message = format!("no version of metal-ccm: policy `{}` has no default", policy.metadata.name);
        report
            .error(CCM, "spec.addons.ccm.version", message)
            .mend("set spec.addons.ccm.version, or spec.defaults.ccm of the policy");
    }
    let settings = from.around.fleet.spec.addons.ccm.as_ref();
    if settings.is_none() {
        report
            .error(CCM, "spec.addons.ccm", "the cloud controller manager needs credentials, and the fleet names none")
            .mend("set spec.addons.ccm.credentialsRef of fleet.yaml, or spec.addons.ccm.enabled: false here");
    }
    let version = written_or(version.as_ref(), || Setting::new(policys.unwrap_or_default(), Origin::Policy));
    Some(CcmSpec { version, credentials_ref: settings?.credentials_ref.clone() })
}
