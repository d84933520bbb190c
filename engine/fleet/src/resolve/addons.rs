//! What is installed into a cluster: CNI, cloud controller manager and MetalLB.

use super::Sources;
use crate::issue::Report;
use crate::rules::{CCM, CNI_VERSION, METALLB_VERSION};
use model::ClusterPolicy;
use model::definition::{CcmWish, CniKind, CniWish, MetallbWish};
use model::want::{CcmSpec, CniSpec, Flavor, InstalledCni, MetallbSpec, Origin, Setting};

/// The CNI, where it is ours to install: Calico for the calico flavor, whatever is written for others.
pub(super) fn cni(
    from: &Sources<'_>,
    policy: &ClusterPolicy,
    flavor: Option<&Setting<Flavor>>,
    report: &mut Report<'_>,
) -> Option<CniSpec> {
    const VERSION: &str = "spec.network.cni.version";
    let CniWish { kind, version, values } = from.definition.spec.network.cni.clone().unwrap_or_default();
    let defaults = &policy.spec.defaults;
    let unwritten = if flavor?.value == Flavor::Calico { CniKind::Calico } else { CniKind::None };
    let (kind, name, policys) = match kind.unwrap_or(unwritten) {
        CniKind::None => return None,
        CniKind::Calico => (InstalledCni::Calico, "calico", &defaults.calico),
        CniKind::Cilium => (InstalledCni::Cilium, "cilium", &defaults.cilium),
    };
    let version = chart_version(from, VERSION, version, policys.as_ref());
    if version.is_none() {
        let message = format!("no version of the CNI: policy `{}` has no default for {name}", policy.metadata.name);
        report
            .error(CNI_VERSION, VERSION, message)
            .mend(format!("set spec.network.cni.version, or spec.defaults.{name} of the policy"));
    }
    Some(CniSpec { kind, version: version?, values })
}

/// MetalLB, where the definition asks for it.
pub(super) fn metallb(from: &Sources<'_>, policy: &ClusterPolicy, report: &mut Report<'_>) -> Option<MetallbSpec> {
    const VERSION: &str = "spec.addons.metallb.version";
    let MetallbWish { version, values } = from.definition.spec.addons.metallb.clone()?;
    let version = chart_version(from, VERSION, version, policy.spec.defaults.metallb.as_ref());
    if version.is_none() {
        let message = format!("no version of MetalLB: policy `{}` has no default", policy.metadata.name);
        report
            .error(METALLB_VERSION, VERSION, message)
            .mend("set spec.addons.metallb.version, or spec.defaults.metallb of the policy");
    }
    Some(MetallbSpec { version: version?, values })
}

fn chart_version(
    from: &Sources<'_>,
    field: &str,
    written: Option<String>,
    policys: Option<&String>,
) -> Option<Setting<String>> {
    written.map(|v| from.written(field, v)).or_else(|| policys.map(|v| Setting::new(v.clone(), Origin::Policy)))
}

/// None where the cloud controller manager is not ours to install.
pub(super) fn ccm(
    from: &Sources<'_>,
    policy: &ClusterPolicy,
    flavor: Option<&Setting<Flavor>>,
    report: &mut Report<'_>,
) -> Option<CcmSpec> {
    let CcmWish { enabled, version, default_external_network } = &from.definition.spec.addons.ccm;
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
    let policys = || Setting::new(policys.unwrap_or_default(), Origin::Policy);
    let version = from.written_or("spec.addons.ccm.version", version.as_ref(), policys);
    Some(CcmSpec {
        version,
        credentials_ref: settings?.credentials_ref.clone(),
        default_external_network: default_external_network.clone(),
    })
}
