//! What a tombstone keeps: freed when its grace period is over, or taken over by a definition that came back.

use super::freeing::{Cluster, Item};
use super::named::{is_ours, named};
use super::phases::after;
use super::{Deleting, Next, occupants};
use crate::budget::FreeBudget;
use crate::committed::Committed;
use model::lock::ClusterTombstone;
use model::request::Free;
use model::{Seconds, Slot};

pub(super) fn decide(
    cluster: &Cluster<'_>,
    kept: &ClusterTombstone,
    budget: &mut FreeBudget<'_>,
    one: &mut Deleting,
    frees: &mut Vec<Free>,
) {
    let (context, id) = (cluster.context, cluster.id);
    let mut values: Vec<Committed> = named(&kept.values).into_iter().filter(is_ours).collect();
    let is_back = context.want.clusters.contains_key(id);
    if let Some(wanted) = context.want.clusters.get(id) {
        // What its lock names, or will name with this commit, is the cluster's again.
        values.retain(|value| cluster.taken.get(&value.target.to_string()) != Some(id));
        let locked = wanted.lock.as_deref().map(|lock| named(&lock.values)).unwrap_or_default();
        let is_open = |value: &&Committed| !locked.iter().any(|other| other.slot == value.slot);
        if let Some(open) = values.iter().find(is_open) {
            one.waits.push(format!(
                "the definition is back: {} {} is its as soon as it is resolved",
                open.slot, open.target
            ));
            return;
        }
    }
    if let Some(words) = context.want.unresolved.of(id).filter(|_| !is_back) {
        one.waits.push(format!("{words}: what the tombstone keeps may be its"));
        return;
    }
    if values.is_empty() {
        (one.ends, one.next) = (true, Next::End);
        return;
    }
    let grace = kept.deletion.grace_period.unwrap_or(Seconds::new(0));
    let hold = if values.iter().any(|value| value.slot == Slot::Vip) {
        grace.max(context.fleet.spec.deletion.vip_hold)
    } else {
        grace
    };
    // What is left of one whose time was over waits no more.
    if hold.get() > 0 {
        let Some(time) = context.since(id).map(|since| after(since, hold)) else {
            one.waits.push("when the tombstone was committed is not known here".to_owned());
            return;
        };
        if context.setting.now < time {
            let names: Vec<String> = values.iter().map(|value| format!("{} {}", value.slot, value.target)).collect();
            one.waits_until(
                time,
                format!("{} kept until {time} for a definition that comes back", names.join(" and ")),
            );
            return;
        }
    }
    let project = &kept.identity.project;
    let had = context.have.projects.get(project);
    one.waits.extend(had.and_then(|had| occupants::machines_of(had, &id.to_string())).filter(|_| !is_back));
    if !one.may_go_on() {
        return;
    }
    let items: Vec<Item> = values.iter().filter_map(|value| cluster.item(project, value)).collect();
    cluster.go(&items, budget, one, frees);
}
