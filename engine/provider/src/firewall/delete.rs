//! The deletion of a firewall deployment. It needs nothing but the object and metal-api: owner, cluster and template may
//! all be gone (D17, D20, D22).

use super::decide::{ASPECTS, Decided, Wait, may_call, settled, status};
use super::observed::{Action, Metal, Named, Observed, Project, Whose};
use crate::api::Condition;
use crate::conditions::Conditions;
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Rest};
use kube::ResourceExt as _;
use model::Timestamp;
use model::metal::{Machine, MachineRole, MachineState};
use std::sync::Arc;

pub(super) fn decide(observed: &Observed, now: Timestamp) -> Decided {
    if !observed.deployment.finalizers().iter().any(|f| f == names::FIREWALL_FINALIZER) {
        return Decision::leave();
    }
    match next(observed, now) {
        Ok(action) => Decision::act(action),
        Err(wait) => {
            let mut conditions = Conditions::default();
            for of in ASPECTS {
                conditions.keep(of, observed.existing());
            }
            conditions.is(ConditionType::Deleting, wait.reason, wait.message.clone());
            conditions.is_not(ConditionType::Ready, wait.reason, wait.message);
            Decision::rest(wait.rest, status(observed, conditions, false, now))
        }
    }
}

fn next(observed: &Observed, now: Timestamp) -> Result<Action, Wait> {
    if observed.infrastructure.is_some() && observed.machines > 0 {
        let (n, are) = (observed.machines, if observed.machines == 1 { "machine is" } else { "machines are" });
        let what = format!("{n} {are} still there and may need the firewall; it is freed when they are gone.");
        return Err(Wait::new(Reason::WaitingForMachines, what, Rest::Soon));
    }
    // Whatever was allocated was preceded by an attempt, and what was named is noted. The engine frees its own.
    let is_bare = observed.annotation(names::ATTEMPT).is_none()
        && (observed.is_the_engines() || observed.named() == Named::Nothing && observed.noted().is_none());
    if is_bare && (observed.is_the_engines() || !matches!(observed.metal, Metal::Read(_))) {
        return Ok(Action::RemoveFinalizer);
    }
    let project = match &observed.metal {
        Metal::Read(project) => project,
        Metal::Unread(failure) => {
            return Err(Wait::new(failure.reason, failure.message.clone(), Rest::Interval));
        }
        Metal::NoProject => {
            let what = format!(
                "The cluster is gone, and nothing says in which project the firewall is: annotate this object with {}=\
                 <id of the project>, or free the firewall and remove the finalizer {}.",
                names::PROJECT,
                names::FIREWALL_FINALIZER
            );
            return Err(Wait::new(Reason::ProjectUnknown, what, Rest::Change));
        }
    };
    may_call(observed, now)?;
    let Some(searched) = project.searched else { return Ok(Action::Search) };
    if observed.unspent_attempt(project).is_some() {
        if !observed.memory.attempt_is_mine && observed.memory.unsettled_since.is_none() {
            return Ok(Action::AwaitAttempt);
        }
        settled(observed, searched)?;
    }
    free(observed, project)
}

/// All that is ours, whatever its generation; then the object goes.
fn free(observed: &Observed, project: &Project) -> Result<Action, Wait> {
    let Some(firewall) = project.firewalls.iter().find(|f| observed.may_free(f)) else {
        return left_behind(observed, project).map_or(Ok(Action::RemoveFinalizer), Err);
    };
    if firewall.state == MachineState::Locked {
        let id = &firewall.id;
        let why = match firewall.state_description.as_str() {
            "" => String::new(),
            why => format!(" ({why})"),
        };
        let what = format!("Firewall {id} is locked{why} and cannot be freed: metalctl machine unlock {id}.");
        return Err(Wait::new(Reason::MachineLocked, what, Rest::Interval));
    }
    Ok(Action::Free(Arc::clone(firewall)))
}

/// What nothing says to be ours is not freed, and not let go without a word.
fn left_behind(observed: &Observed, project: &Project) -> Option<Wait> {
    let is_said =
        |c: &Condition| c.type_ == ConditionType::Deleting.as_str() && c.reason == Reason::LeftBehind.as_str();
    if observed.is_the_engines() || observed.existing().iter().any(is_said) {
        return None;
    }
    let is_left = |f: &&Arc<Machine>| match observed.whose(f) {
        _ if f.role != MachineRole::Firewall || observed.is_named(f) && observed.is_adopted() => false,
        Whose::Namesake | Whose::Capms => true,
        Whose::Unmarked => observed.is_named(f),
        Whose::Ours | Whose::Engine | Whose::Other(_) => false,
    };
    let left: Vec<&str> = project.firewalls.iter().filter(is_left).map(|f| f.id.as_str()).collect();
    let what = format!(
        "Not freed, because nothing says that it was allocated for this object: firewall {}; look whose it is, and free \
         it with metalctl machine delete if nobody uses it.",
        left.join(", ")
    );
    (!left.is_empty()).then(|| Wait::new(Reason::LeftBehind, what, Rest::Soon))
}
