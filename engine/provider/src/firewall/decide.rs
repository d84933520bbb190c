//! What is to be done for a firewall deployment: pure.

use super::health::Health;
use super::observed::{Action, Metal, Named, Observed, Project, Whose, allocation, generation, reference, serves};
use super::template::{Refusal, blueprint};
use super::{delete, engine, gone, replace};
use crate::api::{Initialization, MetalStackFirewallDeploymentStatus as Status};
use crate::conditions::Conditions;
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Failure, Rest};
use kube::ResourceExt as _;
use model::metal::{Machine, MachineRole};
use model::{Timestamp, tags};
use std::sync::Arc;
use std::time::Duration;

pub(super) type Decided = Decision<Action, Status>;

/// What all conditions but Paused and Deleting are about; Ready is the sum of the first two.
pub(super) const ASPECTS: [ConditionType; 3] =
    [ConditionType::FirewallAllocated, ConditionType::FirewallHealthy, ConditionType::FirewallUpToDate];

pub(super) fn decide(observed: &Observed, now: Timestamp) -> Decided {
    if observed.is_moved_away() {
        return Decision::leave();
    }
    if observed.is_paused() {
        let rest = if observed.is_blocked() { Rest::After(observed.terms.settle) } else { Rest::Change };
        return unblock(observed, now).unwrap_or_else(|| Decision::rest(rest, paused(observed, now)));
    }
    if observed.is_deleted() {
        return delete::decide(observed, now);
    }
    if observed.infrastructure.is_none() || observed.cluster.is_none() {
        return Decision::leave();
    }
    if !observed.deployment.finalizers().iter().any(|f| f == names::FIREWALL_FINALIZER) {
        return Decision::act(Action::AddFinalizer);
    }
    let project = match &observed.metal {
        Metal::Read(project) => project,
        Metal::Unread(failure) => return unread(observed, failure, now),
        Metal::NoProject => return no_project(observed, now),
    };
    if observed.is_the_engines() {
        return engine::observe(observed, project, now);
    }
    match observed.named() {
        Named::Nothing => first(observed, project, now),
        Named::Firewall(id) => replace::named(observed, project, &id, now),
        Named::Unreadable(text) => not_allocated(
            observed,
            Wait::new(
                Reason::InvalidSpec,
                format!(
                    "spec.managedResourceRef.name `{text}` is no firewall: write metal://<partition>/<id of the \
                     firewall>, or remove managedResourceRef to have one allocated."
                ),
                Rest::Change,
            ),
            now,
        ),
    }
}

/// Why nothing can be done for now, and when to look again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wait {
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) rest: Rest,
}

impl Wait {
    pub(super) fn new(reason: Reason, message: impl Into<String>, rest: Rest) -> Self {
        Self { reason, message: message.into(), rest }
    }

    /// Only another object, or another spec, helps.
    pub(super) fn refusal((reason, message): Refusal) -> Self {
        Self::new(reason, message, Rest::Change)
    }
}

/// A step, or why there is none.
pub(super) type Next = Result<Action, Wait>;

/// Nothing is named: what is there is taken, if it is ours; else the first generation is allocated.
fn first(observed: &Observed, project: &Project, now: Timestamp) -> Decided {
    match find(observed, project).and_then(|found| match found {
        Some(_) if project.searched.is_none() => may_call(observed, now).map(|()| Action::Search),
        Some(firewall) => Ok(name(observed, firewall)),
        None if observed.noted().is_some() && project.named_is_gone => gone::vanished(observed, project, now),
        None => fresh(observed, project, now),
    }) {
        Ok(action) => Decision::act(action),
        Err(wait) => not_allocated(observed, wait, now),
    }
}

/// It is the deployment's from now on. What the object says of the template of this very firewall stays.
pub(super) fn name(observed: &Observed, firewall: &Arc<Machine>) -> Action {
    let is_noted = observed.noted().is_some_and(|noted| allocation(firewall) == Some(noted));
    let noted = observed.annotation(names::FIREWALL_BASELINE).filter(|_| is_noted);
    let baseline = noted.or_else(|| firewall.tags.get(names::FIREWALL_BASELINE)).map(str::to_owned);
    Action::Name { firewall: Arc::clone(firewall), baseline }
}

/// The deployment's firewall. Where managedResourceRef was lost it is the one that was noted, whatever its tags; what a
/// replacement left to do follows from it. Else it is what was allocated with the object's attempt.
fn find<'a>(observed: &Observed, project: &'a Project) -> Result<Option<&'a Arc<Machine>>, Wait> {
    let firewalls = || project.firewalls.iter().filter(|f| f.role == MachineRole::Firewall);
    let tagged = |f: &&Arc<Machine>| f.tags.has(tags::FIREWALL_DEPLOYMENT_RESOURCE, &observed.deployment_tag());
    if let Some(noted) = observed.noted() {
        match firewalls().find(|f| allocation(f) == Some(noted)) {
            Some(firewall) if tagged(&firewall) || observed.is_in_node_network(firewall) => return Ok(Some(firewall)),
            // The annotations of a copied object are those of another one.
            Some(_) => {}
            None if !project.named_is_gone => return Err(sought(noted)),
            None => {}
        }
    }
    if let Some(other) = firewalls().filter(tagged).find(|f| observed.whose(f) != Whose::Ours) {
        let what = format!(
            "Firewall {} carries the name of this deployment, and nothing says that it was allocated for it; {}.",
            other.id,
            mend(observed, other)
        );
        return Err(Wait::new(Reason::Claimed, what, Rest::Interval));
    }
    let ours = || firewalls().filter(|f| observed.whose(f) == Whose::Ours);
    let rank = |f: &Arc<Machine>| match serves(f) {
        true => (true, i64::from(generation(f))),
        false => (false, -i64::from(generation(f))),
    };
    let Some(best) = ours().map(rank).max() else { return Ok(None) };
    let mut of_best = ours().filter(|f| rank(f) == best);
    match (of_best.next(), of_best.next()) {
        (Some(one), Some(two)) => {
            let what = format!(
                "Firewalls {} and {} are both of this deployment; name the one to keep in spec.managedResourceRef.name \
                 (metal://{}/<id>), the other one is freed then.",
                one.id, two.id, one.partition
            );
            Err(Wait::new(Reason::Ambiguous, what, Rest::Interval))
        }
        (one, _) => Ok(one),
    }
}

fn sought(noted: &str) -> Wait {
    let what = format!(
        "managedResourceRef was lost, and the firewall of allocation {noted} was not found; it is looked for again \
         before it is taken for gone."
    );
    Wait::new(Reason::NotAllocated, what, Rest::Interval)
}

/// How a person takes a firewall that nothing says is ours, or makes room.
fn mend(observed: &Observed, other: &Machine) -> String {
    let name = reference(&other.partition, &other.id);
    let mut what = format!("to take it, set spec.managedResourceRef.name to {name}");
    if observed.noted().is_some() {
        what.push_str(&format!(" and remove the annotation {}", names::ALLOCATION));
    }
    what + "; else free it"
}

/// One of the first generation, where none stands in its place: two announce the same routes.
pub(super) fn fresh(observed: &Observed, project: &Project, now: Timestamp) -> Next {
    let is_other = |f: &&Arc<Machine>| observed.is_in_node_network(f) && observed.whose(f) != Whose::Ours;
    let Some(other) = project.firewalls.iter().find(is_other) else { return allocate(observed, project, 1, now) };
    let mend = match observed.whose(other) {
        Whose::Other(of) => format!(
            "it is that of the MetalStackFirewallDeployment {of}: name that one in firewallDeploymentRef, or delete it"
        ),
        _ => mend(observed, other),
    };
    let what = format!(
        "Firewall {} is in the cluster's node network already, and two would announce the same routes; {mend}.",
        other.id
    );
    Err(Wait::new(Reason::Claimed, what, Rest::Interval))
}

/// The steps up to an allocation: an attempt in the object, a search, and no doubt about what came of earlier calls.
pub(super) fn allocate(observed: &Observed, project: &Project, generation: u32, now: Timestamp) -> Next {
    let plan = |attempt: &str| blueprint(observed, project, generation, attempt).map_err(Wait::refusal);
    plan("")?;
    may_call(observed, now)?;
    let Some(attempt) = observed.unspent_attempt(project) else {
        return Ok(Action::DrawAttempt { project: project.id.clone(), credentials: observed.credentials() });
    };
    let memory = &observed.memory;
    if !memory.attempt_is_mine && memory.unsettled_since.is_none() {
        return Ok(Action::AwaitAttempt);
    }
    let Some(searched) = project.searched else { return Ok(Action::Search) };
    settled(observed, searched)?;
    Ok(Action::Allocate(Box::new(plan(attempt)?)))
}

/// Whether a search at this time saw all that calls so far can bring.
pub(super) fn settled(observed: &Observed, searched: Timestamp) -> Result<(), Wait> {
    if !observed.memory.is_unsettled(searched, observed.terms.settle) {
        return Ok(());
    }
    let what = "It is not known yet whether an allocation that got no answer will still complete; it is searched for \
                before anything else is done.";
    Err(Wait::new(
        Reason::WaitingForUnknownOutcome,
        what,
        Rest::After(observed.terms.settle.min(Duration::from_secs(5))),
    ))
}

/// Whether metal-api may be asked to do something: not shortly after it refused.
pub(super) fn may_call(observed: &Observed, now: Timestamp) -> Result<(), Wait> {
    match (observed.memory.must_wait(now), &observed.memory.failure) {
        (Some(left), Some(failure)) => Err(Wait::new(failure.reason, failure.message.clone(), Rest::After(left))),
        _ => Ok(()),
    }
}

/// `clusterctl move` goes on when nothing is under way, also while a server is waited for: the attempt tells whoever
/// comes next what to look for.
pub(super) fn unblock(observed: &Observed, now: Timestamp) -> Option<Decided> {
    let memory = &observed.memory;
    if !observed.is_blocked() || memory.is_unsettled(now, observed.terms.settle) {
        return None;
    }
    let is_known = memory.attempt_is_mine || memory.failure.is_some() || memory.unsettled_since.is_some();
    Some(Decision::act(if is_known { Action::Unblock } else { Action::AwaitAttempt }))
}

pub(super) fn not_allocated(observed: &Observed, wait: Wait, now: Timestamp) -> Decided {
    if let Some(step) = unblock(observed, now) {
        return step;
    }
    let mut conditions = Conditions::default();
    conditions.is_not(ConditionType::FirewallAllocated, wait.reason, wait.message);
    finish(observed, conditions, false, wait.rest, now)
}

/// What could not be looked at does not change; only what never was ready says why it is not.
fn unread(observed: &Observed, failure: &Failure, now: Timestamp) -> Decided {
    let mut conditions = Conditions::default();
    for of in ASPECTS {
        conditions.keep(of, observed.existing());
    }
    if conditions.get(ConditionType::FirewallAllocated).is_none() {
        conditions.is_unknown(ConditionType::FirewallAllocated, failure.reason, failure.message.clone());
    }
    let kept = observed.was_ready() && conditions.keep(ConditionType::Ready, observed.existing());
    if !kept {
        conditions.is_not(ConditionType::Ready, failure.reason, failure.message.clone());
    }
    Decision::rest(Rest::Interval, status(observed, conditions, false, now))
}

fn no_project(observed: &Observed, now: Timestamp) -> Decided {
    let what = "The MetalStackCluster names no project: set spec.projectID to the project's UUID.";
    unread(
        observed,
        &Failure { reason: Reason::InvalidSpec, message: what.to_owned(), unknown_outcome: false, after: None },
        now,
    )
}

/// Rests with Ready summed up.
pub(super) fn finish(
    observed: &Observed,
    mut conditions: Conditions,
    phoned_home: bool,
    rest: Rest,
    now: Timestamp,
) -> Decided {
    let what = "The firewall is there and has phoned home.";
    conditions.sum_up(&ASPECTS[..2], Reason::Provisioned, what);
    Decision::rest(rest, status(observed, conditions, phoned_home, now))
}

/// `ready` and `provisioned` begin with the phone-home (D41) and stay.
pub(super) fn status(observed: &Observed, mut conditions: Conditions, phoned_home: bool, now: Timestamp) -> Status {
    conditions.is_not(ConditionType::Paused, Reason::NotPaused, "");
    let before = observed.status().cloned().unwrap_or_default();
    let provisioned = before.initialization.and_then(|i| i.provisioned) == Some(true) || phoned_home;
    let initialization =
        if provisioned { Some(Initialization { provisioned: Some(true) }) } else { before.initialization };
    Status {
        ready: before.ready || phoned_home,
        initialization,
        conditions: conditions.over(&before.conditions, observed.deployment.metadata.generation, now),
    }
}

/// Nothing but the condition changes.
fn paused(observed: &Observed, now: Timestamp) -> Status {
    let mut status = observed.status().cloned().unwrap_or_default();
    let of = ConditionType::Paused;
    let (former, mut others): (Vec<_>, Vec<_>) = status.conditions.into_iter().partition(|c| c.type_ == of.as_str());
    let mut conditions = Conditions::default();
    conditions.is(of, Reason::Paused, "The Cluster, the MetalStackCluster or this object is paused.");
    others.extend(conditions.over(&former, observed.deployment.metadata.generation, now));
    others.sort_by(|a, b| a.type_.cmp(&b.type_));
    status.conditions = others;
    status
}

/// What is said of a firewall that is there.
pub(super) fn there(
    conditions: &mut Conditions,
    observed: &Observed,
    firewall: &Machine,
    reason: Reason,
    now: Timestamp,
) -> Health {
    let what = format!("Firewall {} ({}) is there.", firewall.id, firewall.hostname);
    conditions.is(ConditionType::FirewallAllocated, reason, what);
    let health = Health::of(observed, firewall, now);
    health.say(conditions, firewall);
    health
}
