//! What happens to one cluster, slot by slot.

use model::request::{Free, Outcome, Request, Resource};
use model::want::Blocked;
use model::{Origin, ProjectId, Reason, Slot};

/// What happens to one cluster.
#[derive(Clone, Debug)]
pub struct ClusterPlan {
    pub project: ProjectId,
    /// In the order of allocation. A firewall's slot may have several: the one that serves (`Keep` or `Use`), the one
    /// that is to take its place (`Use`, not phoned home yet, or `Allocate`).
    pub steps: Vec<Step>,
    /// What stops the whole cluster.
    pub blocked: Option<Blocked>,
    /// What a person should know and nothing fails for.
    pub notes: Vec<Note>,
    /// What the lock's condition `Available` says: a sentence for each value that is lost.
    pub lost: Vec<(Slot, String)>,
    /// The successor that the lock names is gone, or goes: the lock forgets it.
    pub drops_successor: bool,
    /// Firewalls on their way that nobody wants any more; `Plan::frees` has them.
    pub frees: Vec<Free>,
}

/// What happens to one slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The lock names it.
    Keep {
        slot: Slot,
    },
    /// The provider fills it; left out of the lock and of `engine-slots`.
    Delegate {
        slot: Slot,
    },
    /// Found by our mark, or adopted by id.
    Use {
        slot: Slot,
        resource: Box<Resource>,
        origin: Origin,
    },
    Allocate {
        slot: Slot,
        request: Box<Request>,
    },
    /// Nothing happens, for a reason.
    Refuse {
        slot: Slot,
        reason: Reason,
        message: String,
    },
}

/// Shown beside a cluster; no failure of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    pub reason: Reason,
    pub message: String,
}

impl Note {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

impl Step {
    pub fn slot(&self) -> &Slot {
        match self {
            Self::Keep { slot }
            | Self::Delegate { slot }
            | Self::Use { slot, .. }
            | Self::Allocate { slot, .. }
            | Self::Refuse { slot, .. } => slot,
        }
    }

    /// What of metal-api fills the slot from now on.
    pub(crate) fn used(&self) -> Option<&Resource> {
        match self {
            Self::Use { resource, .. } => Some(resource),
            Self::Keep { .. } | Self::Delegate { .. } | Self::Allocate { .. } | Self::Refuse { .. } => None,
        }
    }

    /// What becomes a person's.
    pub(crate) fn adopted(&self) -> Option<&Resource> {
        match self {
            Self::Use { resource, origin: Origin::Adopted, .. } => Some(resource),
            Self::Use { origin: Origin::Allocated | Origin::Delegated | Origin::Spec, .. }
            | Self::Keep { .. }
            | Self::Delegate { .. }
            | Self::Allocate { .. }
            | Self::Refuse { .. } => None,
        }
    }

    /// Whether the slot is filled whatever becomes of other steps.
    fn fills(&self) -> bool {
        match self {
            Self::Keep { .. } | Self::Use { .. } => true,
            Self::Delegate { .. } | Self::Allocate { .. } | Self::Refuse { .. } => false,
        }
    }
}

impl ClusterPlan {
    pub(crate) fn new(project: ProjectId) -> Self {
        let (steps, notes, lost, frees) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { project, steps, blocked: None, notes, lost, drops_successor: false, frees }
    }

    /// Whether a step allocates beside what already fills its slot, as the next generation of a firewall: what comes of
    /// it is a note, no failure of the cluster.
    pub fn is_beside(&self, step: &Step) -> bool {
        matches!(step, Step::Allocate { .. })
            && self.steps.iter().any(|other| other.fills() && other.slot().same(step.slot()))
    }

    /// The notes, with what became of allocations beside what serves.
    pub fn notes_with(&self, outcomes: &[(Slot, Outcome)]) -> Vec<Note> {
        let mut notes = self.notes.clone();
        for step in self.steps.iter().filter(|step| self.is_beside(step)) {
            let words = match outcomes.iter().find(|(slot, _)| slot == step.slot()).map(|(_, outcome)| outcome) {
                Some(Outcome::Filled { .. }) => continue,
                Some(Outcome::Refused { reason, message }) => format!("{reason}: {message}"),
                Some(Outcome::Unknown { message }) => format!("{}: {message}", Reason::OutcomeUnknown),
                Some(Outcome::Waiting { on }) => format!("it waits for {on}"),
                None => "it is not allocated yet".to_owned(),
            };
            let message = format!("{} is to come and the present one goes on; {words}", step.slot());
            notes.push(Note::new(Reason::FirewallReplacing, message));
        }
        notes
    }

    /// Takes back what would be allocated; beside what serves that is a note only.
    pub(crate) fn postpone(&mut self, reason: Reason, message: &str) {
        self.hold(reason, message);
    }

    /// A slot that a person must see to stops the allocation of the others: nothing is allocated for a cluster that
    /// cannot be completed (R6).
    pub(crate) fn hold_back(&mut self) {
        let stop = self.steps.iter().find_map(|step| match step {
            Step::Refuse { slot, reason, message } => Some((slot.clone(), *reason, message.clone())),
            Step::Keep { .. } | Step::Delegate { .. } | Step::Use { .. } | Step::Allocate { .. } => None,
        });
        if let Some((on, reason, why)) = stop {
            self.hold(reason, &format!("waits for {on}: {why}"));
        }
    }

    fn hold(&mut self, reason: Reason, message: &str) {
        let beside: Vec<bool> = self.steps.iter().map(|step| self.is_beside(step)).collect();
        let steps = std::mem::take(&mut self.steps);
        for (step, beside) in steps.into_iter().zip(beside) {
            match step {
                Step::Allocate { slot, .. } if beside => {
                    let message = format!("{slot} is to come and the present one goes on; {reason}: {message}");
                    self.notes.push(Note::new(Reason::FirewallReplacing, message));
                }
                Step::Allocate { slot, .. } => {
                    self.steps.push(Step::Refuse { slot, reason, message: message.to_owned() });
                }
                other => self.steps.push(other),
            }
        }
    }
}
