//! A firewall that the engine owns: it is looked at, and nothing is done (R3).

use super::decide::{ASPECTS, Decided, Wait, finish, not_allocated, there};
use super::observed::{Action, Named, Observed, Project, Whose, generation};
use crate::conditions::Conditions;
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Rest};
use model::metal::{Machine, MachineRole};
use model::{Timestamp, tags};
use std::sync::Arc;

pub(super) fn observe(observed: &Observed, project: &Project, now: Timestamp) -> Decided {
    let id = match observed.named() {
        Named::Firewall(id) => id,
        Named::Nothing => {
            let what = "The engine has not written the firewall into managedResourceRef yet: it allocates it, see the \
                        conditions of the cluster's lock.";
            return not_allocated(observed, Wait::new(Reason::WaitingForEngine, what, Rest::Interval), now);
        }
        Named::Unreadable(text) => {
            let what =
                format!("spec.managedResourceRef.name `{text}` is no firewall; the engine writes it, see its log.");
            return not_allocated(observed, Wait::new(Reason::InvalidSpec, what, Rest::Change), now);
        }
    };
    // With it the engine's firewall is told from the provider's when every other object is gone.
    if observed.annotation(names::PROJECT) != Some(project.id.as_str()) {
        let mut notes = vec![(names::PROJECT, project.id.to_string())];
        notes.extend(observed.credentials().map(|name| (names::CREDENTIALS, name)));
        return Decision::act(Action::Note(notes));
    }
    let mut conditions = Conditions::default();
    let Some(firewall) = project.find(&id).or_else(|| successor(observed, project)) else {
        let of = ConditionType::FirewallAllocated;
        if project.named_is_gone {
            let what = format!("Firewall {id} is gone; the engine replaces it.");
            return not_allocated(observed, Wait::new(Reason::DeletedExternally, what, Rest::Interval), now);
        }
        ASPECTS.iter().for_each(|of| _ = conditions.keep(*of, observed.existing()));
        if conditions.get(of).is_none() {
            conditions.is_unknown(
                of,
                Reason::NotAllocated,
                format!("Firewall {id} was not found; it is looked for again."),
            );
        }
        return finish(observed, conditions, false, Rest::Interval, now);
    };
    let health = there(&mut conditions, observed, firewall, Reason::Verified, now);
    let what = "The engine replaces this firewall when the cluster's definition or policy asks for another one.";
    let is_left = |f: &&Arc<Machine>| f.id != firewall.id && observed.whose(f) == Whose::Ours;
    match project.firewalls.iter().find(is_left) {
        Some(left) => {
            let what = format!(
                "Firewall {} was allocated by the provider for this deployment before the engine took over; free it: two \
                 announce the same routes.",
                left.id
            );
            conditions.is_not(ConditionType::FirewallUpToDate, Reason::Ambiguous, what);
        }
        None => conditions.is(ConditionType::FirewallUpToDate, Reason::Observing, what),
    }
    finish(observed, conditions, firewall.phoned_home, health.rest(), now)
}

/// The engine freed the named one for a later generation; the commit that says so may be on its way (R5).
fn successor<'a>(observed: &Observed, project: &'a Project) -> Option<&'a Arc<Machine>> {
    let cluster = observed.cluster_tag()?;
    let is_live = |f: &&Arc<Machine>| {
        f.role == MachineRole::Firewall
            && observed.whose(f) == Whose::Engine
            && f.tags.has(tags::CLUSTER_RESOURCE, &cluster)
            && generation(f) > 0
    };
    let rank = |f: &Arc<Machine>| (f.phoned_home, generation(f));
    let live: Vec<&Arc<Machine>> = project.firewalls.iter().filter(is_live).collect();
    live.into_iter().max_by(|a: &&Arc<Machine>, b| rank(a).cmp(&rank(b)).then_with(|| older(b, a)))
}

/// By age, then id: the order in which one of several is chosen.
fn older(a: &Machine, b: &Machine) -> std::cmp::Ordering {
    (a.created, &a.id).cmp(&(b.created, &b.id))
}
