//! The firewall that managedResourceRef names is not there: looked for, given up as R15 concludes it, and made up for (R4).

use super::decide::{ASPECTS, Decided, Next, Wait, finish, fresh, name, not_allocated, unblock};
use super::observed::{Observed, Project, Whose, reference};
use super::replace::{give_up, on_its_way, successor};
use crate::api::ConditionStatus;
use crate::conditions::{Conditions, since};
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Rest, passed};
use model::metal::{Machine, MachineRole};
use model::{MachineId, Timestamp};

/// The named one is not there, or is another's by now.
pub(super) fn absent(
    observed: &Observed,
    project: &Project,
    id: &MachineId,
    other: Option<&Machine>,
    now: Timestamp,
) -> Decided {
    if let Some(successor) = successor(observed, project, None) {
        if successor.phoned_home {
            return Decision::act(name(observed, successor));
        }
        return match give_up(observed, project, successor, now) {
            Ok(Some(action)) => Decision::act(action),
            Ok(None) if other.is_none() && !project.named_is_gone => missed(observed, id, now),
            Ok(None) => gone(observed, id, on_its_way(&successor.id), now),
            Err(wait) => gone(observed, id, wait, now),
        };
    }
    // That it was ours is known by the allocation; else the reference may name the wrong one.
    if let Some(other) = other.filter(|_| observed.noted().is_none()) {
        let what = format!(
            "{} is no firewall of this deployment ({}); name the right one in spec.managedResourceRef.name, or remove \
             managedResourceRef to have one allocated.",
            reference(&other.partition, id),
            whose_words(observed, other)
        );
        return not_allocated(observed, Wait::new(Reason::BelongsToOther, what, Rest::Interval), now);
    }
    if other.is_none() && !project.named_is_gone {
        return missed(observed, id, now);
    }
    match vanished(observed, project, now) {
        Ok(action) => Decision::act(action),
        Err(wait) => {
            let message = format!("Firewall {id} is gone. {}", wait.message);
            gone(observed, id, Wait { message, ..wait }, now)
        }
    }
}

/// There was one, and it is gone as R15 concludes it.
pub(super) fn vanished(observed: &Observed, project: &Project, now: Timestamp) -> Next {
    if observed.is_adopted() {
        let what = format!(
            "A person supplied it, so it is not replaced: name another one in spec.managedResourceRef.name, or remove \
             managedResourceRef and the annotation {} to have one allocated.",
            names::ORIGIN
        );
        return Err(Wait::new(Reason::DeletedExternally, what, Rest::Interval));
    }
    if is_too_soon(observed, now) {
        let what = format!(
            "It is replaced when {} min have passed: a firewall is not replaced more often.",
            observed.terms.replacement_pause.as_secs() / 60
        );
        return Err(Wait::new(Reason::WaitingForNextReplacement, what, Rest::Interval));
    }
    fresh(observed, project, now)
        .map_err(|wait| Wait { message: format!("Another one is to take its place: {}", wait.message), ..wait })
}

/// Readings of metal-api are not doubted for want of it any more: that it is gone stands in a condition.
fn gone(observed: &Observed, id: &MachineId, wait: Wait, now: Timestamp) -> Decided {
    if let Some(step) = unblock(observed, now) {
        return step;
    }
    let mut conditions = Conditions::default();
    conditions.is_not(ConditionType::FirewallAllocated, wait.reason, wait.message);
    let what = format!("Firewall {id} is gone.");
    conditions.is_unknown(ConditionType::FirewallHealthy, Reason::DeletedExternally, what);
    finish(observed, conditions, false, wait.rest, now)
}

fn whose_words(observed: &Observed, other: &Machine) -> String {
    match observed.whose(other) {
        _ if other.role == MachineRole::Machine => "it is a machine".to_owned(),
        Whose::Other(of) => format!("it is that of {of}"),
        _ => "it was allocated again for something else".to_owned(),
    }
}

/// Not in the last reading: nothing is concluded yet (R15).
fn missed(observed: &Observed, id: &MachineId, now: Timestamp) -> Decided {
    let mut conditions = Conditions::default();
    for of in ASPECTS {
        conditions.keep(of, observed.existing());
    }
    let of = ConditionType::FirewallAllocated;
    if conditions.get(of).is_none() {
        let what = format!("Firewall {id} was not found; it is looked for again before it is taken for gone.");
        conditions.is_unknown(of, Reason::NotAllocated, what);
    }
    finish(observed, conditions, false, Rest::Interval, now)
}

/// The one that is gone cannot tell when it was allocated; the condition tells since when there was one, or since when the
/// next one is waited for. Whatever else it says, a replacement is under way already.
fn is_too_soon(observed: &Observed, now: Timestamp) -> bool {
    let of = ConditionType::FirewallAllocated;
    let waits = observed
        .existing()
        .iter()
        .any(|c| c.type_ == of.as_str() && c.reason == Reason::WaitingForNextReplacement.as_str());
    let clock = since(observed.existing(), of, ConditionStatus::True)
        .or_else(|| since(observed.existing(), of, ConditionStatus::False).filter(|_| waits));
    clock.is_some_and(|since| !passed(since, now, observed.terms.replacement_pause))
}
