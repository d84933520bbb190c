//! What can be said of a cluster's output before anything is allocated for it: with values in place of unknown ones.

use crate::complete;
use crate::facts::Facts;
use crate::images::image_findings;
use crate::kinds::Objects;
use crate::patch::{self, PatchError, PatchFault};
use model::definition::{FirewallMode, SlotMode};
use model::fleet::ApiVersion;
use model::lock::{EgressIp, Firewall, LockKind, NodeNetwork, Source, Values, Vip};
use model::want::{Blocked, Effective, Wanted};
use model::{Allocation, ClusterId, ClusterLock, Finding, MachineId, NetworkId, Origin, Place, Reason, Want};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// A lock of a cluster in which every slot is known that output needs (`complete`): what the committed lock knows, and
/// values that are nobody's for the rest, from the ranges for documentation. It is never written.
pub fn placeholder_lock(wanted: &Wanted) -> ClusterLock {
    let committed = wanted.lock.as_deref();
    let mut values = committed.map_or_else(Values::default, |lock| lock.values.clone());
    let effective = &wanted.effective;
    if effective.nodes.mode.value != SlotMode::Delegate {
        values.node_network = values.node_network.or_else(node_network);
    }
    if effective.vip.mode.value != SlotMode::Delegate {
        values.vip = values.vip.or_else(|| vip(wanted));
    }
    if effective.firewall.mode.value != FirewallMode::Deployment {
        values.firewall = values.firewall.or_else(|| firewall(wanted));
    }
    for network in &effective.firewall.egress {
        if values.egress_ips.iter().all(|known| known.network != *network) {
            values.egress_ips.extend(egress(network));
        }
    }
    ClusterLock {
        api_version: ApiVersion::V1Alpha1,
        kind: LockKind::ClusterLock,
        identity: wanted.identity.clone(),
        source: Source { path: wanted.path.clone(), digest: wanted.digest.clone() },
        values,
        rendered: committed.map(|lock| lock.rendered.clone()).unwrap_or_default(),
        conditions: Vec::new(),
        deletion: None,
    }
}

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

fn node_network() -> Option<NodeNetwork> {
    let prefixes = vec!["198.51.100.0/24".parse().ok()?];
    Some(NodeNetwork { id: NetworkId::parse(NOBODYS).ok()?, prefixes, origin: Origin::Allocated })
}

fn vip(wanted: &Wanted) -> Option<Vip> {
    let wish = &wanted.effective.vip;
    Some(Vip {
        address: wish.address.unwrap_or(Ipv4Addr::new(192, 0, 2, 1)),
        port: wanted.effective.api_port.value,
        network: wish.network.value.clone(),
        kind: wish.kind.value,
        allocation: Allocation::parse(NOBODYS).ok()?,
        origin: Origin::Allocated,
    })
}

fn firewall(wanted: &Wanted) -> Option<Firewall> {
    let wish = &wanted.effective.firewall;
    Some(Firewall {
        id: MachineId::parse(NOBODYS).ok()?,
        allocation: Allocation::parse(NOBODYS).ok()?,
        generation: 1,
        image: wish.image.value.clone(),
        networks: wish.networks.value.clone(),
        origin: Origin::Allocated,
        inputs: None,
        successor: None,
    })
}

fn egress(network: &NetworkId) -> Option<EgressIp> {
    Some(EgressIp {
        network: network.clone(),
        address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
        allocation: Allocation::parse(NOBODYS).ok()?,
        origin: Origin::Allocated,
    })
}

/// What is wrong with the output of a cluster, whatever its slots will be: patches that cannot be applied, and what an
/// air-gapped cluster would fetch from elsewhere.
pub fn findings(wanted: &Wanted) -> Vec<Finding> {
    let patches = &wanted.effective.patches;
    let mut found = image_findings(wanted);
    if patches.is_empty() {
        return found;
    }
    let lock = placeholder_lock(wanted);
    let known = wanted.lock.as_deref().is_some_and(|lock| complete(wanted, lock));
    let mut objects = Objects::of(Facts { wanted, values: &lock.values });
    let errors = patch::apply(&mut objects, patches).err().unwrap_or_default();
    // A test of a value that is not known yet says nothing before it is.
    let is_said = |error: &PatchError| known || !matches!(*error.fault, PatchFault::Test { owned: true, .. });
    found.extend(errors.into_iter().filter(is_said).map(|error| finding(wanted, error)));
    found
}

/// What was said of each cluster, so that unchanged ones are not rendered again. Losing it costs time only.
#[derive(Debug, Default)]
pub struct Judged(BTreeMap<ClusterId, Judgement>);

#[derive(Debug)]
struct Judgement {
    path: String,
    effective: Arc<Effective>,
    lock: Option<Arc<ClusterLock>>,
    found: Vec<Finding>,
}

impl Judged {
    fn of(&mut self, wanted: &Wanted) -> Vec<Finding> {
        let same = |known: &&Judgement| {
            known.path == wanted.path && known.effective == wanted.effective && known.lock == wanted.lock
        };
        if let Some(known) = self.0.get(&wanted.id).filter(same) {
            return known.found.clone();
        }
        let found = findings(wanted);
        let judgement = Judgement {
            path: wanted.path.clone(),
            effective: wanted.effective.clone(),
            lock: wanted.lock.clone(),
            found: found.clone(),
        };
        self.0.insert(wanted.id.clone(), judgement);
        found
    }
}

/// The findings of every cluster's output. A cluster with an error is blocked: nothing is allocated or written for it.
pub fn judge(want: &mut Want, memo: &mut Judged) -> Vec<Finding> {
    let mut all = Vec::new();
    memo.0.retain(|id, _| want.clusters.contains_key(id));
    for wanted in want.clusters.values_mut() {
        let found = memo.of(wanted);
        if let (None, Some(error)) = (&wanted.blocked, found.iter().find(|finding| finding.is_error())) {
            let reason = error.reason.unwrap_or(Reason::InvalidDefinition);
            wanted.blocked = Some(Blocked { reason, message: error.message.clone() });
        }
        all.extend(found);
    }
    all
}

fn finding(wanted: &Wanted, error: PatchError) -> Finding {
    let PatchError { file, field, fault } = error;
    let found = Finding::error(fault.rule(), Place::file(&file), fault.to_string());
    found.field(field).mend(fault.mend()).cluster(&wanted.id)
}
