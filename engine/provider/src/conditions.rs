//! Conditions: what is so, why, and what a person can do. Only transitions change them.

use crate::api::{Condition, ConditionStatus};
use crate::reason::{ConditionType, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use model::Timestamp;
use std::collections::BTreeMap;

/// What is said of one object in one pass, by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions(BTreeMap<ConditionType, Verdict>);

/// One condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub status: ConditionStatus,
    pub reason: Reason,
    pub message: String,
}

impl Conditions {
    pub(crate) fn is(&mut self, of: ConditionType, reason: Reason, message: impl Into<String>) {
        self.set(of, ConditionStatus::True, reason, message);
    }

    pub(crate) fn is_not(&mut self, of: ConditionType, reason: Reason, message: impl Into<String>) {
        self.set(of, ConditionStatus::False, reason, message);
    }

    pub(crate) fn is_unknown(&mut self, of: ConditionType, reason: Reason, message: impl Into<String>) {
        self.set(of, ConditionStatus::Unknown, reason, message);
    }

    pub(crate) fn set(
        &mut self,
        of: ConditionType,
        status: ConditionStatus,
        reason: Reason,
        message: impl Into<String>,
    ) {
        self.0.insert(of, Verdict { status, reason, message: message.into() });
    }

    /// Says again what the object already says, where it does: what could not be looked at does not change (R15, and
    /// Ready must not flap).
    pub(crate) fn keep(&mut self, of: ConditionType, existing: &[Condition]) -> bool {
        let kept = existing.iter().find(|c| c.type_ == of.as_str()).and_then(|c| {
            Some(Verdict { status: c.status, reason: Reason::parse(&c.reason)?, message: c.message.clone() })
        });
        kept.is_some_and(|verdict| self.0.insert(of, verdict).is_none())
    }

    pub(crate) fn get(&self, of: ConditionType) -> Option<&Verdict> {
        self.0.get(&of)
    }

    /// Ready is the first of these that is not so; else `reason`, with `message`.
    pub(crate) fn sum_up(&mut self, of: &[ConditionType], reason: Reason, message: impl Into<String>) {
        let bad = of.iter().find_map(|of| self.0.get(of).filter(|v| v.status != ConditionStatus::True));
        match bad.cloned() {
            Some(Verdict { reason, message, .. }) => self.is_not(ConditionType::Ready, reason, message),
            None => self.is(ConditionType::Ready, reason, message),
        }
    }

    /// As they are to stand in the object: its own set anew, those of others kept, those that CAPMS left dropped. A
    /// condition whose status stays keeps its time.
    pub(crate) fn over(self, existing: &[Condition], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
        let former = |of: &str| existing.iter().find(|c| c.type_ == of);
        let foreign = existing.iter().filter(|c| !ConditionType::is_ours_or_capms(&c.type_)).cloned();
        let own = self.0.into_iter().map(|(of, Verdict { status, reason, message })| {
            let since = former(of.as_str()).filter(|c| c.status == status).map(|c| c.last_transition_time.clone());
            Condition {
                type_: of.as_str().to_owned(),
                status,
                observed_generation: generation,
                last_transition_time: since.unwrap_or_else(|| whole_seconds(now)),
                reason: reason.as_str().to_owned(),
                message,
            }
        });
        let mut all: Vec<Condition> = own.chain(foreign).collect();
        all.sort_by(|a, b| a.type_.cmp(&b.type_));
        all
    }
}

/// The API server keeps whole seconds; a comparison must not see another time.
fn whole_seconds(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// Since when the object says so.
pub(crate) fn since(existing: &[Condition], of: ConditionType, status: ConditionStatus) -> Option<Timestamp> {
    existing.iter().find(|c| c.type_ == of.as_str() && c.status == status).map(|c| c.last_transition_time.0)
}

/// The conditions whose status or reason differ: what is worth an Event.
pub(crate) fn transitions<'a>(before: &'a [Condition], after: &'a [Condition]) -> impl Iterator<Item = &'a Condition> {
    after.iter().filter(move |new| {
        let old = before.iter().find(|old| old.type_ == new.type_);
        old.is_none_or(|old| old.status != new.status || old.reason != new.reason)
    })
}

#[cfg(test)]
mod tests;
