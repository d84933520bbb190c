//! Add-ons: their versions, and that installed ones stay.

use super::{ADDON_REMOVED, VERSION_TAG};
use crate::issue::{Issue, Report};
use crate::limits::FILE_BYTES_MAX;
use crate::load::Cluster;
use crate::resolve::Case;
use model::want::{InstalledCni, Origin};
use model::{Reason, Tree};

/// Only what the definition wrote: the policy's own are judged with the policy.
pub(super) fn versions(case: &mut Case<'_>) {
    let Case { effective, report, .. } = case;
    let calico = effective.cni.as_ref().filter(|cni| cni.kind == InstalledCni::Calico).map(|cni| &cni.version);
    if let Some(calico) = calico.filter(|v| v.from != Origin::Policy) {
        version_tag("spec.network.cni.version", &calico.value, report);
    }
    if let Some(ccm) = effective.ccm.as_ref().filter(|c| c.version.from != Origin::Policy) {
        version_tag("spec.addons.ccm.version", &ccm.version.value, report);
    }
}

pub(super) fn version_tag(field: &str, value: &str, report: &mut Report<'_>) {
    let is_version = value.strip_prefix('v').is_some_and(|bare| semver::Version::parse(bare).is_ok());
    if !is_version {
        report.error(VERSION_TAG, field, format!("`{value}` does not read like `v1.2.3`")).mend("write it with a `v`");
    }
}

/// R13: the Helm add-on provider uninstalls a release whose HelmChartProxy goes, from a cluster that lives on it. Only
/// clusters that want less than all add-ons have their output looked at.
pub(crate) fn removed(tree: &Tree, clusters: &[Cluster<'_>], issues: &mut Vec<Issue>) {
    for cluster in clusters.iter().filter(|c| !c.is_new()) {
        let gone = [
            (cluster.effective.cni.is_none(), "HelmChartProxy", "spec.network.cni.type", "the CNI"),
            (
                cluster.effective.ccm.is_none(),
                "ClusterResourceSet",
                "spec.addons.ccm.enabled",
                "the cloud controller manager",
            ),
        ];
        if !gone.iter().any(|(gone, ..)| *gone) {
            continue;
        }
        let path = format!(
            "rendered/{}/{}/{}/addons.yaml",
            cluster.identity.management_cluster,
            cluster.id.namespace(),
            cluster.id.name()
        );
        let Some(bytes) = tree.entry(&path).and_then(|e| tree.read(&e.id, FILE_BYTES_MAX).ok()) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        for (_, kind, field, what) in gone.into_iter().filter(|(gone, ..)| *gone) {
            let is_object = |line: &str| line.trim_start_matches("- ").trim() == format!("kind: {kind}");
            if text.lines().any(is_object) {
                let message = format!("{what} is installed in this cluster and would be uninstalled");
                let mut issue = Issue::error(ADDON_REMOVED, cluster.path, field, message);
                issue.mend =
                    "set flavor and add-ons back; removing one from a running cluster is not built yet".to_owned();
                issue.cluster = Some(cluster.id.clone());
                issue.reason = Some(Reason::ChangeNotYet);
                issues.push(issue);
            }
        }
    }
}
