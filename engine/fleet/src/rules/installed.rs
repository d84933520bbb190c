//! R13: what is installed in a running cluster and would be uninstalled, by what its committed output says.

use super::{ADDON_REMOVED, ADDON_REPLACED, Rule};
use crate::issue::Issue;
use crate::limits::FILE_BYTES_MAX;
use crate::load::Cluster;
use crate::yaml::Node;
use model::want::{Effective, InstalledCni};
use model::{Reason, Severity, Tree};

/// The Helm add-on provider uninstalls a release whose HelmChartProxy goes, or whose chart, repository or namespace
/// changes, from a cluster that lives on it. Only output of other inputs than today's is looked at.
pub(crate) fn installed(tree: &Tree, clusters: &[Cluster<'_>], issues: &mut Vec<Issue>) {
    let changed = |c: &&Cluster<'_>| c.lock.as_ref().is_some_and(|lock| lock.source.digest != c.digest);
    let known = |c: &&Cluster<'_>| !c.is_not_yet && c.broken_overlay.is_none();
    for cluster in clusters.iter().filter(changed).filter(known) {
        let (management, id) = (&cluster.identity.management_cluster, &cluster.id);
        let path = format!("rendered/{management}/{}/{}/addons.yaml", id.namespace(), id.name());
        let Some(bytes) = tree.entry(&path).and_then(|e| tree.read(&e.id, FILE_BYTES_MAX).ok()) else { continue };
        let there = There::of(&String::from_utf8_lossy(&bytes), id.name().as_str());
        let mut says = Says { cluster, issues };
        for release in &there.releases {
            says.release(release);
        }
        if there.has_ccm && cluster.effective.ccm.is_none() {
            let message = "the cloud controller manager of a running cluster would be left alone: it stays as it is, and \
                           nothing renews it or its settings any more";
            says.issue(ADDON_REMOVED, "spec.addons.ccm.enabled", message.to_owned(), true);
        }
    }
}

/// What the committed output installs.
#[derive(Debug, Default)]
struct There {
    releases: Vec<Release>,
    has_ccm: bool,
}

/// What of a HelmChartProxy stays for life.
#[derive(Debug)]
struct Release {
    name: String,
    chart: String,
    repo_url: String,
    namespace: String,
}

impl There {
    fn of(text: &str, cluster: &str) -> Self {
        let mut there = Self::default();
        // Each document by itself, as they are rendered.
        for document in text.split("\n---\n") {
            let Some(root) = crate::yaml::parse(document).0 else { continue };
            let field = |path: &[&str]| root.get(path).and_then(Node::text).unwrap_or_default().to_owned();
            match field(&["kind"]).as_str() {
                "HelmChartProxy" if !field(&["spec", "releaseName"]).is_empty() => there.releases.push(Release {
                    name: field(&["spec", "releaseName"]),
                    chart: field(&["spec", "chartName"]),
                    repo_url: field(&["spec", "repoURL"]),
                    namespace: field(&["spec", "namespace"]),
                }),
                "ClusterResourceSet" => there.has_ccm |= is_ccm(&field(&["metadata", "name"]), cluster),
                _ => {}
            }
        }
        there
    }
}

/// `<cluster>-metal-ccm-<hash>`.
fn is_ccm(name: &str, cluster: &str) -> bool {
    let rest = name.strip_prefix(cluster).and_then(|rest| rest.strip_prefix("-metal-ccm-"));
    rest.is_some_and(|hash| hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

struct Says<'a, 'c> {
    cluster: &'a Cluster<'c>,
    issues: &'a mut Vec<Issue>,
}

impl Says<'_, '_> {
    fn release(&mut self, there: &Release) {
        let Effective { cni, metallb, charts, images, .. } = &*self.cluster.effective;
        match there.name.as_str() {
            name @ ("calico" | "cilium") => {
                let wanted = cni.as_ref().map(|cni| match cni.kind {
                    InstalledCni::Calico => "calico",
                    InstalledCni::Cilium => "cilium",
                });
                let what = format!("the CNI {name}");
                if wanted != Some(name) {
                    self.gone(ADDON_REMOVED, "spec.network.cni.type", &what, "it is not wanted any more", true);
                } else {
                    self.moved(there, "spec.network.cni", &what, true);
                }
            }
            "metallb" if metallb.is_none() => self.left("spec.addons.metallb", "MetalLB"),
            "metallb" => self.moved(there, "spec.addons.metallb", "MetalLB", false),
            name => {
                let what = format!("the chart `{name}`");
                let Some(index) = charts.iter().position(|chart| chart.name.as_str() == name) else {
                    return self.left("spec.addons.extra", &what);
                };
                let chart = &charts[index];
                let repo_url = images.reference(&chart.repo_url);
                for (field, was, is) in [
                    ("chart", &there.chart, chart.chart.as_str()),
                    ("repoURL", &there.repo_url, repo_url.as_str()),
                    ("namespace", &there.namespace, chart.namespace.as_str()),
                ] {
                    if was != is {
                        let why = format!("its {field} changes from `{was}` to `{is}`");
                        self.gone(ADDON_REPLACED, &format!("spec.addons.extra[{index}].{field}"), &what, &why, false);
                    }
                }
            }
        }
    }

    /// A repository that the policy rewrites now and did not when it was installed.
    fn moved(&mut self, there: &Release, field: &str, what: &str, is_vital: bool) {
        let rewritten = self.cluster.effective.images.rewritten(&there.repo_url);
        if let Some(is) = rewritten.filter(|is| *is != there.repo_url) {
            let why = format!("the policy's images.rewrite changes its repoURL from `{}` to `{is}`", there.repo_url);
            self.gone(ADDON_REPLACED, field, what, &why, is_vital);
        }
    }

    /// Its HelmChartProxy is guarded against pruning (R2), and nobody but a person lifts that.
    fn left(&mut self, field: &str, what: &str) {
        let message = format!(
            "{what} stays installed in a running cluster, and nothing renews it any more; whoever deletes its \
             HelmChartProxy in the management cluster uninstalls it"
        );
        self.issue(ADDON_REMOVED, field, message, false);
    }

    /// Without the CNI no pod reaches another one, without the cloud controller manager no node becomes one.
    fn gone(&mut self, rule: &'static Rule, field: &str, what: &str, why: &str, is_vital: bool) {
        let then = if rule == ADDON_REPLACED { "and installs it anew" } else { "with all that it runs" };
        let message = format!("this uninstalls {what} from a running cluster {then}: {why}");
        self.issue(rule, field, message, is_vital);
    }

    fn issue(&mut self, rule: &'static Rule, field: &str, message: String, is_vital: bool) {
        let mut issue = self.cluster.error(rule, field, message);
        if is_vital && !self.cluster.effective.allow_reinstall {
            issue.mend = "set it back; or set spec.addons.allowReinstall to true, and expect an outage".to_owned();
            issue.reason = Some(Reason::Immutable);
        } else {
            issue.severity = Severity::Warning;
            issue.mend = "set it back where that is not what you want".to_owned();
        }
        self.issues.push(issue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cloud_controller_manager_is_known_by_its_name() {
        assert!(is_ccm("billing-metal-ccm-432400ed", "billing"));
        for other in ["billing-metal-ccm-extra-432400ed", "billing-certs-432400ed", "other-metal-ccm-432400ed"] {
            assert!(!is_ccm(other, "billing"), "{other}");
        }
    }
}
