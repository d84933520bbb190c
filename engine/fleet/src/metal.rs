//! What only metal-api can say of a definition: whether partitions, sizes, networks and images are there, and whether
//! the pods CIDR would be announced.

use crate::rules::{ANNOUNCEABLE, IMAGE_EXPIRES, IMAGE_GONE, METAL_UNKNOWN, Rule, choice};
use model::definition::FirewallMode;
use model::metal::{Image, NetworkKind};
use model::{Cidr, Finding, Have, ImageId, NetworkId, Place, Reason, Severity, SizeId, Timestamp, Want, Wanted};

/// An image that ends within this time is worth a warning (R24).
const EXPIRY_DAYS: i64 = 30;

/// Findings of clusters that nothing else stops. What was not read says nothing.
pub fn metal_findings(want: &Want, have: &Have, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    let checked = want.clusters.values().filter(|w| w.blocked.is_none() && have.complete_for(&w.identity.project));
    for wanted in checked {
        let mut look = Look { wanted, have, now, findings: &mut findings };
        look.partition();
        look.sizes();
        look.networks();
        look.pods();
        look.images();
    }
    findings
}

struct Look<'a> {
    wanted: &'a Wanted,
    have: &'a Have,
    now: Timestamp,
    findings: &'a mut Vec<Finding>,
}

impl Look<'_> {
    fn say(&mut self, severity: Severity, rule: &'static Rule, field: &str, message: String, mend: String) {
        let place = Place::file(&self.wanted.path);
        let finding = Finding::error(rule.id, place, message).mend(mend).field(field).cluster(&self.wanted.id);
        self.findings.push(Finding { severity, ..finding });
    }

    fn partition(&mut self) {
        let name = &self.wanted.identity.partition;
        if self.have.partitions.contains(name) {
            return;
        }
        let known = self.have.partitions.iter().map(model::PartitionId::as_str);
        let mend = choice(name.as_str(), known);
        let message = format!("metal-api has no partition `{name}`");
        self.say(Severity::Error, METAL_UNKNOWN, "spec.metal.partition", message, mend);
    }

    fn sizes(&mut self) {
        let e = self.wanted.effective.clone();
        let pools = e.pools.iter().enumerate();
        let mut sizes: Vec<(String, &SizeId)> =
            pools.map(|(i, p)| (format!("spec.pools[{i}].size"), &p.machines.size.value)).collect();
        sizes.push(("spec.controlPlane.size".to_owned(), &e.control_plane.size.value));
        if e.firewall.mode.value != FirewallMode::External {
            sizes.push(("spec.firewall.size".to_owned(), &e.firewall.size.value));
        }
        for (field, size) in sizes.into_iter().filter(|(_, size)| !self.have.sizes.contains(*size)) {
            let mend = choice(size.as_str(), self.have.sizes.iter().map(SizeId::as_str));
            self.say(Severity::Error, METAL_UNKNOWN, &field, format!("metal-api has no size `{size}`"), mend);
        }
    }

    /// External networks, and networks of the same project.
    fn networks(&mut self) {
        let e = self.wanted.effective.clone();
        let usable = |kind| match kind {
            NetworkKind::External | NetworkKind::Child | NetworkKind::ChildShared => true,
            NetworkKind::Underlay | NetworkKind::Super => false,
        };
        let shared = || self.have.shared_networks.values().filter(|n| usable(n.kind)).map(|n| &n.id);
        let own = self.have.projects.get(&self.wanted.identity.project);
        let is_own = |id: &NetworkId| own.is_some_and(|p| p.networks.iter().any(|n| n.id == *id && usable(n.kind)));
        let is_known = |id: &NetworkId| shared().any(|known| known == id) || is_own(id);
        let mut networks = vec![("spec.vip.network".to_owned(), &e.vip.network.value)];
        if e.firewall.mode.value != FirewallMode::External {
            let of_firewall = e.firewall.networks.value.iter().enumerate();
            networks.extend(of_firewall.map(|(i, n)| (format!("spec.firewall.networks[{i}]"), n)));
        }
        let of_ccm = e.ccm.as_ref().and_then(|ccm| ccm.default_external_network.as_ref());
        networks.extend(of_ccm.map(|network| ("spec.addons.ccm.defaultExternalNetwork".to_owned(), network)));
        networks.retain(|(_, network)| !is_known(network));
        let offered: Vec<NetworkId> = if networks.is_empty() { Vec::new() } else { shared().cloned().collect() };
        for (field, network) in networks {
            let mend = choice(network.as_str(), offered.iter().map(NetworkId::as_str));
            let message = format!("metal-api has no network `{network}` that a firewall could be in");
            self.say(Severity::Error, METAL_UNKNOWN, &field, message, mend);
        }
    }

    /// R10: leaf switches admit node prefixes, addresses of the project and this list, nothing else.
    fn pods(&mut self) {
        let pods = self.wanted.effective.pods.value;
        let partition = &self.wanted.identity.partition;
        let Some(network) = self.have.super_network(partition) else { return };
        if network.announceable.iter().any(|range| range.covers(&pods)) {
            return;
        }
        let ranges = network.announceable.iter().map(Cidr::to_string).collect::<Vec<_>>().join(", ");
        let mend = match ranges.as_str() {
            "" => format!("partition `{partition}` announces none: its super network needs additionalAnnouncableCIDRs"),
            ranges => format!("choose a range within {ranges}"),
        };
        let message =
            format!("partition `{partition}` does not announce the pods CIDR {pods}: no pod would reach another node");
        self.say(Severity::Error, ANNOUNCEABLE, "spec.network.pods", message, mend);
        if let Some(last) = self.findings.last_mut() {
            last.reason = Some(Reason::PodCIDRNotAnnounceable);
        }
    }

    fn images(&mut self) {
        let e = self.wanted.effective.clone();
        self.image("spec.controlPlane.image", &e.control_plane.image.id, |image| image.for_machines);
        for (index, pool) in e.pools.iter().enumerate() {
            self.image(&format!("spec.pools[{index}].image"), &pool.machines.image.id, |image| image.for_machines);
        }
        if e.firewall.mode.value != FirewallMode::External {
            let allocated = self.wanted.lock.as_ref().and_then(|l| l.values.firewall.clone());
            let image = allocated.map_or_else(|| e.firewall.image.value.clone(), |firewall| firewall.image);
            self.image("spec.firewall.image", &image, |image| image.for_firewalls);
        }
    }

    fn image(&mut self, field: &str, id: &ImageId, fits: fn(&Image) -> bool) {
        let Some(image) = self.have.resolve_image(id) else {
            let known = self.have.images.iter().filter(|i| fits(i)).map(|i| i.id.as_str());
            let mend = choice(id.as_str(), known);
            self.say(Severity::Error, IMAGE_GONE, field, format!("metal-api has no image `{id}`"), mend);
            if let Some(last) = self.findings.last_mut() {
                last.reason = Some(Reason::ImageGone);
            }
            return;
        };
        if !fits(image) {
            let message = format!("image `{}` is not for this kind of machine", image.id);
            let known = self.have.images.iter().filter(|i| fits(i)).map(|i| i.id.as_str());
            let mend = choice(id.as_str(), known);
            self.say(Severity::Error, IMAGE_GONE, field, message, mend);
            return;
        }
        let Some(end) = image.expires else { return };
        let days = end.duration_since(self.now).as_hours().div_euclid(24);
        if days < EXPIRY_DAYS {
            let when = if days < 0 { "has expired".to_owned() } else { format!("expires in {days} days") };
            let message = format!("image `{}` {when}", image.id);
            self.say(Severity::Warning, IMAGE_EXPIRES, field, message, "choose a newer one".to_owned());
        }
    }
}
