//! The phases before anything is freed: each waits until the one before is seen synced (R2), the last one until nobody
//! needs the network any more (R25).

use super::{Context, Deleting, Next, freeing, occupants};
use model::lock::DeletionPhase;
use model::metal::{Machine, MachineRole};
use model::{ClusterId, ClusterLock, Origin, Seconds, Timestamp};
use std::time::Duration;

/// The guards are lifted: once the management cluster shows it, the Cluster's files may leave.
pub(super) fn confirmed(context: &Context<'_>, id: &ClusterId, lock: &ClusterLock, one: &mut Deleting) {
    let management = &lock.identity.management_cluster;
    if let Some(words) = context.setting.unseen.get(id) {
        one.waits.push(format!("management cluster `{management}` does not answer: {words}"));
        return;
    }
    match context.setting.seen.get(id) {
        Some(seen) if seen.may_be_pruned || !seen.has_cluster => {}
        Some(_) => one.waits.push(format!(
            "the Cluster in management cluster `{management}` still carries its prune guard: the last commit is not \
             synced there"
        )),
        None => delay(context, id, lock, one),
    }
    if one.may_go_on() {
        one.next = Next::Enter(DeletionPhase::Removing);
    }
}

/// The Cluster's files are gone: Cluster API deletes. Then the rest may leave.
pub(super) fn removing(
    context: &Context<'_>,
    id: &ClusterId,
    lock: &ClusterLock,
    one: &mut Deleting,
    is_entering: &mut bool,
) {
    let management = &lock.identity.management_cluster;
    match (context.setting.unseen.get(id), context.setting.seen.get(id)) {
        (Some(words), _) => one.waits.push(format!("management cluster `{management}` does not answer: {words}")),
        (None, Some(seen)) => {
            let left = occupants::list(&seen.left);
            match (seen.has_cluster, left) {
                (false, None) => {}
                (true, None) => one.waits.push(format!("the Cluster is still in management cluster `{management}`")),
                (_, Some(left)) => one.waits.push(format!(
                    "Cluster API has not deleted everything in management cluster `{management}` yet: {left}"
                )),
            }
        }
        (None, None) => delay(context, id, lock, one),
    }
    one.waits.extend(in_use(context, id, lock));
    if !one.may_go_on() {
        return;
    }
    if *is_entering {
        one.waits.push("another cluster goes first: one at a time loses what is left of its files".to_owned());
        return;
    }
    *is_entering = true;
    one.next = Next::Enter(DeletionPhase::Freeing);
}

/// Who still needs the cluster's network, a sentence each.
pub(super) fn in_use(context: &Context<'_>, id: &ClusterId, lock: &ClusterLock) -> Vec<String> {
    let Some(had) = context.have.projects.get(&lock.identity.project) else { return Vec::new() };
    let cluster = id.to_string();
    let mut sentences: Vec<String> = occupants::machines_of(had, &cluster).into_iter().collect();
    if let Some(network) = &lock.values.node_network {
        let own = freeing::firewalls_of(context, id, lock);
        let is_ours = network.origin == Origin::Allocated;
        let spared = |m: &Machine| match m.role {
            MachineRole::Machine => m.tags.cluster() == Some(&cluster),
            MachineRole::Firewall => own.contains(&m.id),
        };
        sentences.extend(occupants::standing(had, &network.id, is_ours, spared));
    }
    sentences
}

/// Nobody can be asked: then time has to do.
fn delay(context: &Context<'_>, id: &ClusterId, lock: &ClusterLock, one: &mut Deleting) {
    let delay = context.fleet.spec.deletion.sync_delay;
    let management = &lock.identity.management_cluster;
    match context.since(id).map(|since| after(since, delay)) {
        None => one.waits.push("when this phase was committed is not known here".to_owned()),
        Some(time) if context.setting.now < time => one.waits_until(
            time,
            format!(
                "waits until {time}: without access to management cluster `{management}` nobody sees whether the last \
                 commit is synced there (fleet.yaml, deletion.syncDelay)"
            ),
        ),
        Some(_) => {}
    }
}

pub(super) fn after(since: Timestamp, length: Seconds) -> Timestamp {
    since.checked_add(Duration::from_secs(length.get().into())).unwrap_or(Timestamp::MAX)
}
