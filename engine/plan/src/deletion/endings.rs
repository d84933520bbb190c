//! Plan and Done to what the commit leaves of each cluster that is being deleted.

use super::named::strike;
use super::{Deleting, Next};
use crate::Plan;
use model::fleet::ApiVersion;
use model::lock::{ClusterLock, ClusterTombstone, Ending, TombstoneKind, Values};
use model::request::{Done, FreeOutcome, FreeReason, Target};
use model::{ClusterId, Origin, Slot, Want};
use std::collections::BTreeMap;

/// One for every deletion of the plan, also where nothing changes: what of its files is not as its phase wants it is put
/// right.
pub fn endings(want: &Want, plan: &Plan, done: &Done) -> BTreeMap<ClusterId, Ending> {
    let deletions = plan.deletions.iter();
    deletions.filter_map(|(id, one)| Some((id.clone(), ending(want, plan, done, id, one)?))).collect()
}

fn ending(want: &Want, plan: &Plan, done: &Done, id: &ClusterId, one: &Deleting) -> Option<Ending> {
    let is_gone = |outcome: &FreeOutcome| match outcome {
        FreeOutcome::Freed | FreeOutcome::Gone => true,
        FreeOutcome::NotYet { .. } | FreeOutcome::Changed { .. } | FreeOutcome::Failed { .. } => false,
    };
    let freed: Vec<&Target> =
        done.frees.iter().filter(|(f, o)| f.cluster == *id && is_gone(o)).map(|(free, _)| &free.target).collect();
    let open = plan.frees.iter().filter(|free| free.cluster == *id && free.why == FreeReason::Deletion);
    let is_over = one.ends && open.into_iter().all(|free| freed.contains(&&free.target));
    let is_struck = |slot: &Slot, target: &Target| {
        // An address by itself: what had another allocation than the lock's was freed as a marked one.
        let same = |other: &&Target| match (target, other) {
            (Target::Ip { address, .. }, Target::Ip { address: other, .. }) => address == other,
            (Target::Machine { id, .. }, Target::Machine { id: other, .. }) => id == other,
            (Target::Network(_) | Target::Ip { .. } | Target::Machine { .. } | Target::Service { .. }, _) => {
                target == *other
            }
        };
        freed.iter().any(same) || one.gone.contains(slot)
    };
    match (want.orphan_locks.get(id), want.tombstones.get(id)) {
        (Some(orphan), _) => {
            let mut lock = (*orphan.lock).clone();
            strike(&mut lock.values, is_struck);
            if let (Next::Enter(phase), Some(deletion)) = (one.next, &mut lock.deletion) {
                deletion.phase = phase;
            }
            Some(if is_over { rest(lock) } else { Ending::Lock { path: orphan.path.clone(), lock: Box::new(lock) } })
        }
        (None, Some(_)) if is_over => Some(Ending::Nothing),
        (None, Some((_, kept))) => {
            let mut kept = (**kept).clone();
            let before = kept.values.clone();
            strike(&mut kept.values, is_struck);
            // Its time was over: what is left waits no more, whenever this commit is made.
            kept.deletion.grace_period.take_if(|_| kept.values != before);
            Some(Ending::Tombstone(Box::new(kept)))
        }
        (None, None) => None,
    }
}

/// Everything is gone but what the grace period keeps.
fn rest(lock: ClusterLock) -> Ending {
    let ClusterLock { identity, values, deletion, .. } = lock;
    let Some(deletion) = deletion.filter(|d| d.grace_period.is_some_and(|grace| grace.get() > 0)) else {
        return Ending::Nothing;
    };
    let node_network = values.node_network.filter(|network| network.origin == Origin::Allocated);
    let vip = values.vip.filter(|vip| vip.origin == Origin::Allocated);
    let values = Values { node_network, vip, ..Values::default() };
    if values == Values::default() {
        return Ending::Nothing;
    }
    let (api_version, kind) = (ApiVersion::V1Alpha1, TombstoneKind::ClusterTombstone);
    Ending::Tombstone(Box::new(ClusterTombstone { api_version, kind, identity, values, deletion }))
}
