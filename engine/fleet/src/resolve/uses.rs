//! What clusters use of a policy: it stays for them when the policy offers it no more, and the policy is told.
//!
//! Each cluster adds an issue of its own; `rules::uses` makes one of those that are about the same thing.

use super::policy::Chosen;
use crate::issue::{Issue, Report};
use crate::rules::{EXPIRES_IN_USE, IN_USE};
use model::policy::KubernetesVersion;
use model::{ClusterLock, ImageId, PartitionId, Severity, SizeId, Timestamp};

/// A version that ends within this time is worth a warning.
const EXPIRY_DAYS: i64 = 30;

#[derive(Clone, Copy, Debug)]
pub(super) enum Use<'a> {
    Kubernetes(&'a KubernetesVersion),
    Image(&'a ImageId),
    MachineType(&'a SizeId),
    /// In a partition that has it no more.
    MachineTypeIn(&'a SizeId, &'a PartitionId),
    FirewallType(&'a SizeId),
    FirewallImage(&'a ImageId),
    Partition(&'a PartitionId),
}

impl Use<'_> {
    /// The policy's list, and what this is.
    fn says(self) -> (&'static str, String) {
        match self {
            Self::Kubernetes(version) => ("spec.kubernetes.versions", format!("Kubernetes {version}")),
            Self::Image(id) => ("spec.machineImages", format!("image `{id}`")),
            Self::MachineType(size) => ("spec.machineTypes", format!("machine type `{size}`")),
            Self::MachineTypeIn(size, partition) => {
                ("spec.regions", format!("machine type `{size}` in partition `{partition}`"))
            }
            Self::FirewallType(size) => ("spec.regions", format!("firewall size `{size}`")),
            Self::FirewallImage(image) => ("spec.regions", format!("firewall image `{image}`")),
            Self::Partition(partition) => ("spec.regions", format!("partition `{partition}`")),
        }
    }

    /// The cluster of this report has it, and the policy does not offer it any more.
    pub(super) fn is_not_offered(self, chosen: &Chosen<'_>, report: &mut Report<'_>) {
        let (list, what) = self.says();
        let mut issue = Issue::error(IN_USE, chosen.path, list, format!("{what} is not offered any more, and in use"));
        let keeps_away = match self {
            Self::Kubernetes(_) | Self::Image(_) => "; an expirationDate keeps new ones away",
            Self::MachineType(_) => "; `usable: false` keeps new ones away",
            Self::MachineTypeIn(..) | Self::FirewallType(_) | Self::FirewallImage(_) | Self::Partition(_) => "",
        };
        issue.mend = format!("put it back while a cluster has it{keeps_away}");
        issue.cluster = report.cluster.cloned();
        report.issues.push(issue);
    }

    /// The cluster of this report has it, and it expires soon or has.
    pub(super) fn expires(
        self,
        chosen: &Chosen<'_>,
        field: &str,
        end: Option<Timestamp>,
        now: Timestamp,
        report: &mut Report<'_>,
    ) {
        let Some(days) = end.map(|end| end.duration_since(now).as_hours().div_euclid(24)) else { return };
        if days >= EXPIRY_DAYS {
            return;
        }
        let when = if days < 0 { "has expired".to_owned() } else { format!("expires in {days} days") };
        let message = format!("{} {when}, and is in use", self.says().1);
        let mut issue = Issue::error(EXPIRES_IN_USE, chosen.path, &format!("{field}.expirationDate"), message);
        issue.severity = Severity::Warning;
        issue.mend = "move the clusters to a newer one, or set a later date".to_owned();
        issue.cluster = report.cluster.cloned();
        report.issues.push(issue);
    }
}

/// Whether the machines behind this key of the lock are there, so that what they use is in use.
pub(super) fn is_rendered(lock: Option<&ClusterLock>, object: &str) -> bool {
    lock.is_some_and(|lock| lock.rendered.contains_key(object))
}
