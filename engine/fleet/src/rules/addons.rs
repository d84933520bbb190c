//! Versions of what is installed.

use super::VERSION_TAG;
use crate::issue::Report;
use crate::resolve::Case;
use model::want::Origin;

/// Only what the definition wrote: the policy's own are judged with the policy.
pub(super) fn versions(case: &mut Case<'_>) {
    let Case { effective, report, .. } = case;
    if let Some(calico) = effective.calico.as_ref().filter(|v| v.from == Origin::Definition) {
        version_tag("spec.network.cni.version", &calico.value, report);
    }
    if let Some(ccm) = effective.ccm.as_ref().filter(|c| c.version.from == Origin::Definition) {
        version_tag("spec.addons.ccm.version", &ccm.version.value, report);
    }
}

pub(super) fn version_tag(field: &str, value: &str, report: &mut Report<'_>) {
    let is_version = value.strip_prefix('v').is_some_and(|bare| semver::Version::parse(bare).is_ok());
    if !is_version {
        report.error(VERSION_TAG, field, format!("`{value}` does not read like `v1.2.3`")).mend("write it with a `v`");
    }
}
