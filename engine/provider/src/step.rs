//! What a decision is: one step, and what the object says meanwhile.
//!
//! Reconcile is gather, decide, act, and again with what the act brought, until the decision is to rest. Any step may be
//! the last one before the power goes: a decision looks at what is, never at what was done.

use crate::metal::{Absence, View};
use crate::reason::Reason;
use model::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is decided of one object: pure, from what was observed and the time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision<A, S> {
    pub step: Step<A>,
    /// The whole status as it is to stand once there is nothing to do but rest. `None`: it is not touched.
    pub status: Option<S>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step<A> {
    /// Do it, then decide anew.
    Act(A),
    /// Nothing to do for now.
    Rest(Rest),
}

/// When to look again, if nothing that is watched changes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// At the next bulk reading of metal-api: for drift.
    Interval,
    /// Soon after: a server is on its way, a network is being released.
    Soon,
    /// After this long.
    After(Duration),
    /// Only when a watched object changes.
    Change,
}

impl<A, S> Decision<A, S> {
    pub(crate) fn act(action: A) -> Self {
        Self { step: Step::Act(action), status: None }
    }

    pub(crate) fn rest(rest: Rest, status: S) -> Self {
        Self { step: Step::Rest(rest), status: Some(status) }
    }

    /// Nothing is done and nothing is said: it is somebody else's.
    pub(crate) fn leave() -> Self {
        Self { step: Step::Rest(Rest::Change), status: None }
    }
}

/// Why a call to metal-api, or a reading of it, did not do what was asked: a reason and the server's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub reason: Reason,
    pub message: String,
    /// The write may have happened: nothing is allocated before a search, some time later, found nothing.
    pub unknown_outcome: bool,
    /// Whoever answered asked for so much patience.
    pub after: Option<Duration>,
}

/// What this process remembers of one object. Nothing depends on it for safety: who has none waits and searches.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// This process put the attempt into the object, and nobody can have allocated with it before.
    pub attempt_is_mine: bool,
    /// When this process first saw the attempt of another, or when a call of its own had an unknown outcome.
    pub unsettled_since: Option<Timestamp>,
    /// Failed calls in a row, for how long to wait.
    pub failures: u32,
    /// The last failed call is not repeated before.
    pub not_before: Option<Timestamp>,
    pub failure: Option<Failure>,
    /// How far it is concluded that what the object names is gone (R15), by id.
    pub absences: BTreeMap<String, Absence>,
    /// The first and the last reading in a row that had the firewall dead.
    pub dead: Option<(Timestamp, Timestamp)>,
}

impl Memory {
    /// Whether an allocation that left no trace so far can still complete: `settle` is longer than any call may take.
    pub(crate) fn is_unsettled(&self, now: Timestamp, settle: Duration) -> bool {
        self.unsettled_since.is_some_and(|since| !passed(since, now, settle))
    }

    /// After a look at a view: how far it is concluded that this one is gone. Nothing else of that kind is remembered.
    pub(crate) fn missed(&mut self, id: &str, has: bool, view: &View, interval: Duration, trusted: bool) -> Absence {
        self.absences.retain(|other, _| other == id);
        let absence = self.absences.entry(id.to_owned()).or_default();
        *absence = absence.seen(has, view, interval, trusted);
        *absence
    }

    /// After a find by its id.
    pub(crate) fn asked(&mut self, id: &str, found: bool) {
        if let Some(absence) = self.absences.get_mut(id) {
            *absence = absence.asked(found);
        }
    }

    /// What a pass begins with. A clock that was set back must not hold anything up for longer than it would have been.
    #[must_use]
    pub(crate) fn at(mut self, now: Timestamp, most: Duration) -> Self {
        if self.unsettled_since.is_some_and(|since| now < since) {
            self.unsettled_since = Some(now);
        }
        let latest = now.checked_add(most).ok();
        if self.not_before > latest {
            self.not_before = latest;
        }
        self
    }

    pub(crate) fn must_wait(&self, now: Timestamp) -> Option<Duration> {
        let until = self.not_before?;
        Duration::try_from(until.duration_since(now)).ok().filter(|left| !left.is_zero())
    }

    pub(crate) fn succeeded(&mut self) {
        (self.failures, self.not_before, self.failure) = (0, None, None);
    }

    /// 2 s doubling to `most`. An unknown outcome begins the wait for it.
    pub(crate) fn failed(&mut self, failure: Failure, now: Timestamp, most: Duration) {
        let wait = Duration::from_secs(1 << self.failures.saturating_add(1).min(12));
        let wait = wait.max(failure.after.unwrap_or_default()).min(most);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.checked_add(wait).ok();
        if failure.unknown_outcome {
            self.unsettled_since = Some(now);
        }
        self.failure = Some(failure);
    }
}

/// Whether this much time went by. A clock that was set back: no.
pub(crate) fn passed(since: Timestamp, now: Timestamp, much: Duration) -> bool {
    Duration::try_from(now.duration_since(since)).is_ok_and(|gone| gone >= much)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failure(unknown_outcome: bool) -> Failure {
        Failure { reason: Reason::MetalApiUnreachable, message: "no route".to_owned(), unknown_outcome, after: None }
    }

    #[test]
    fn failed_calls_are_repeated_later_and_later() {
        let mut memory = Memory::default();
        let most = Duration::from_secs(60);
        let waits = (0..8).map(|_| {
            memory.failed(failure(false), at(0), most);
            memory.must_wait(at(0)).unwrap().as_secs()
        });
        assert_eq!(waits.collect::<Vec<_>>(), [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(memory.must_wait(at(60)), None);
        memory.succeeded();
        memory.failed(failure(false), at(0), most);
        assert_eq!(memory.must_wait(at(1)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up() {
        let mut memory = Memory::default();
        let most = Duration::from_secs(60);
        memory.failed(failure(true), at(10_000), most);
        let memory = memory.at(at(100), most);
        assert_eq!(memory.must_wait(at(100)), Some(most));
        assert!(memory.is_unsettled(at(114), Duration::from_secs(15)));
        assert!(!memory.is_unsettled(at(115), Duration::from_secs(15)));
    }

    #[test]
    fn an_unknown_outcome_settles_only_with_time() {
        let mut memory = Memory::default();
        let settle = Duration::from_secs(15);
        assert!(!memory.is_unsettled(at(0), settle));
        memory.failed(failure(true), at(10), Duration::from_secs(60));
        assert!(memory.is_unsettled(at(24), settle));
        assert!(memory.is_unsettled(at(5), settle), "a clock that was set back settles nothing");
        assert!(!memory.is_unsettled(at(25), settle));
    }
}
