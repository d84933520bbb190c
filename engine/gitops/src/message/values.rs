//! What a commit makes of one cluster's values, in words: before and after, slot by slot.

use model::lock::{ClusterTombstone, Deletion, DeletionPhase, Successor, Values};
use model::{ClusterLock, Digest, Origin, Slot};
use std::collections::BTreeSet;

/// What a lock or a tombstone says, as far as messages tell it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version<'a> {
    pub(crate) values: &'a Values,
    /// Of the inputs; None for a tombstone, which has none.
    pub(crate) digest: Option<&'a Digest>,
    pub(crate) deletion: Option<&'a Deletion>,
}

impl<'a> From<&'a ClusterLock> for Version<'a> {
    fn from(lock: &'a ClusterLock) -> Self {
        Self { values: &lock.values, digest: Some(&lock.source.digest), deletion: lock.deletion.as_ref() }
    }
}

impl<'a> From<&'a ClusterTombstone> for Version<'a> {
    fn from(tombstone: &'a ClusterTombstone) -> Self {
        Self { values: &tombstone.values, digest: None, deletion: Some(&tombstone.deletion) }
    }
}

/// One cluster before and after a commit; None where nothing is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change<'a> {
    pub(crate) before: Option<Version<'a>>,
    pub(crate) after: Option<Version<'a>>,
}

impl<'a> Change<'a> {
    pub(crate) fn new(before: Option<impl Into<Version<'a>>>, after: Option<impl Into<Version<'a>>>) -> Self {
        Self { before: before.map(Into::into), after: after.map(Into::into) }
    }

    /// The slots that had a value and have another one now.
    pub(crate) fn replaced(&self) -> BTreeSet<Slot> {
        let (Some(before), Some(after)) = (self.before, self.after) else { return BTreeSet::new() };
        let mut slots = BTreeSet::new();
        let (b, a) = (before.values, after.values);
        if b.node_network.is_some() && a.node_network.is_some() && b.node_network != a.node_network {
            slots.insert(Slot::Network);
        }
        if b.vip.is_some() && a.vip.is_some() && b.vip != a.vip {
            slots.insert(Slot::Vip);
        }
        for egress in &b.egress_ips {
            if a.egress_ips.iter().any(|other| other.network == egress.network && other != egress) {
                slots.insert(Slot::Egress(egress.network.clone()));
            }
        }
        slots
    }

    /// Whether a slot that was open has a value now.
    pub(super) fn fills(&self) -> bool {
        let Some(after) = self.after.map(|after| after.values) else { return false };
        let none = Values::default();
        let before = self.before.map_or(&none, |before| before.values);
        let is_new = |egress: &model::lock::EgressIp| !before.egress_ips.iter().any(|e| e.network == egress.network);
        (before.node_network.is_none() && after.node_network.is_some())
            || (before.vip.is_none() && after.vip.is_some())
            || after.egress_ips.iter().any(is_new)
            || (before.firewall.is_none() && after.firewall.is_some())
    }

    /// Whether the firewall, or the one that is to follow it, is another one.
    pub(super) fn replaces_firewall(&self) -> bool {
        let firewall = |version: Option<Version<'a>>| version.and_then(|v| v.values.firewall.as_ref());
        let (Some(before), Some(after)) = (firewall(self.before), firewall(self.after)) else { return false };
        let next = |successor: &Option<Successor>| successor.as_ref().map(|s| s.id.clone());
        before.id != after.id || next(&before.successor) != next(&after.successor)
    }

    /// One line: all values, with `before → after` where they differ.
    pub(super) fn words(&self) -> String {
        let (before, after) = (parts(self.before), parts(self.after));
        let mut words = Vec::new();
        for (label, now) in &after {
            match before.iter().find(|(other, _)| other == label) {
                Some((_, then)) if then != now => words.push(format!("{label} {then} → {now}")),
                Some(_) | None => words.push(format!("{label} {now}")),
            }
        }
        for (label, then) in before.iter().filter(|(label, _)| !after.iter().any(|(other, _)| other == label)) {
            words.push(format!("{label} {then} → none"));
        }
        words.join(", ")
    }
}

/// Each value with what it is called.
fn parts(version: Option<Version<'_>>) -> Vec<(String, String)> {
    let Some(Version { values, digest, deletion }) = version else { return Vec::new() };
    let Values { node_network, vip, egress_ips, firewall, kubernetes, images: _, autoscaled_pools: _, empty_pools: _ } =
        values;
    let mut parts = Vec::new();
    let mut part = |label: &str, text: String| parts.push((label.to_owned(), text));
    if let Some(deletion) = deletion {
        let phase = if digest.is_none() { "done but for the grace period" } else { phase(deletion.phase) };
        part("deletion", phase.to_owned());
    }
    if let Some(network) = node_network {
        let prefixes: Vec<_> = network.prefixes.iter().map(ToString::to_string).collect();
        part("network", format!("{} {} ({})", network.id, prefixes.join(" "), origin(network.origin)));
    }
    if let Some(vip) = vip {
        part("VIP", format!("{}:{} ({})", vip.address, vip.port.get(), origin(vip.origin)));
    }
    for egress in egress_ips {
        let label = format!("egress in {}", egress.network);
        part(&label, format!("{} ({})", egress.address, origin(egress.origin)));
    }
    if let Some(firewall) = firewall {
        part("firewall", format!("{} ({})", firewall.id, origin(firewall.origin)));
        if let Some(next) = &firewall.successor {
            part("next firewall", next.id.to_string());
        }
    }
    if let Some(kubernetes) = kubernetes {
        part("Kubernetes", kubernetes.version.to_string());
    }
    parts
}

fn phase(phase: DeletionPhase) -> &'static str {
    match phase {
        DeletionPhase::Confirmed => "confirmed",
        DeletionPhase::Removing => "removing",
        DeletionPhase::Freeing => "freeing",
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Allocated => "allocated",
        Origin::Adopted => "adopted",
        Origin::Delegated => "delegated",
        Origin::Spec => "spec",
    }
}
