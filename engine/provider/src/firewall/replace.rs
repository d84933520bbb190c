//! The firewall that managedResourceRef names: how it does, and its replacement.
//!
//! A replacement is: allocate the next generation, wait until it phones home, free the old one, then move
//! managedResourceRef. Until the last step the reference names the old one, so that whoever takes over knows what is
//! left to do: a successor that phoned home, with the named one gone, is what the reference moves to.

use super::decide::{Decided, Wait, allocate, finish, may_call, there, unblock};
use super::gone;
use super::health::Health;
use super::observed::{Action, Observed, Project, Whose, allocation, generation, serves};
use super::template::{REPLACE, baseline, differences, is_known_baseline, newer_image, passes_nothing, without_effect};
use crate::conditions::Conditions;
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Rest, passed};
use model::metal::{Machine, MachineRole};
use model::{MachineId, Timestamp};
use std::sync::Arc;

pub(super) fn named(observed: &Observed, project: &Project, id: &MachineId, now: Timestamp) -> Decided {
    match project.find(id) {
        Some(firewall) if !is_somebody_elses(observed, project, firewall) => present(observed, project, firewall, now),
        found => gone::absent(observed, project, id, found.map(Arc::as_ref), now),
    }
}

/// A machine that was freed can be anybody's by now; also a typo can name one.
fn is_somebody_elses(observed: &Observed, project: &Project, firewall: &Machine) -> bool {
    let is_another = |noted| allocation(firewall).is_some_and(|allocation| allocation != noted);
    // A person wrote another name into the object: the noted one is there under its own.
    let is_edited = |noted| project.firewalls.iter().any(|f| f.id != firewall.id && allocation(f) == Some(noted));
    let is_another_allocation = || observed.noted().is_some_and(|noted| is_another(noted) && !is_edited(noted));
    match observed.whose(firewall) {
        _ if firewall.role != MachineRole::Firewall => true,
        Whose::Ours | Whose::Capms => false,
        Whose::Other(_) => true,
        Whose::Namesake | Whose::Engine | Whose::Unmarked => is_another_allocation(),
    }
}

fn present(observed: &Observed, project: &Project, firewall: &Arc<Machine>, now: Timestamp) -> Decided {
    let notes = notes(observed, project, firewall);
    if !notes.is_empty() {
        return Decision::act(Action::Note(notes));
    }
    let mut conditions = Conditions::default();
    let is_allocated = matches!(observed.whose(firewall), Whose::Ours | Whose::Capms) && !observed.is_adopted();
    let reason = if is_allocated { Reason::Allocated } else { Reason::Verified };
    let health = there(&mut conditions, observed, firewall, reason, now);
    let of = ConditionType::FirewallUpToDate;
    let rest = match next(observed, project, firewall, health, now) {
        Ok(Some(action)) => return Decision::act(action),
        Ok(None) => {
            up_to_date(observed, project, firewall, &mut conditions);
            Rest::Interval
        }
        Err(wait) => {
            conditions.is_not(of, wait.reason, wait.message);
            wait.rest
        }
    };
    if let Some(step) = unblock(observed, now) {
        return step;
    }
    finish(observed, conditions, firewall.phoned_home, sooner(rest, health.rest()), now)
}

/// What the object is to know of its firewall at first sight: where it is, which allocation, and what the template said.
fn notes(observed: &Observed, project: &Project, firewall: &Machine) -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    if observed.annotation(names::PROJECT) != Some(project.id.as_str()) {
        notes.push((names::PROJECT, project.id.to_string()));
        notes.extend(observed.credentials().map(|name| (names::CREDENTIALS, name)));
    }
    if let Some(allocation) = allocation(firewall).filter(|allocation| observed.noted() != Some(allocation)) {
        notes.push((names::ALLOCATION, allocation.to_owned()));
    }
    let from_tag = || Some(firewall.tags.get(names::FIREWALL_BASELINE).filter(|of| is_known_baseline(of))?.to_owned());
    let seen = || Some(baseline(&observed.template.as_ref()?.spec));
    // What another binary wrote in another way cannot be compared: first sight again (I11).
    if !observed.annotation(names::FIREWALL_BASELINE).is_some_and(is_known_baseline)
        && let Some(baseline) = from_tag().or_else(seen)
    {
        notes.push((names::FIREWALL_BASELINE, baseline));
    }
    notes
}

/// Why another firewall is to take the place of this one.
enum Why {
    Changed,
    NewerImage(String),
    Dead,
}

impl Why {
    fn message(&self, firewall: &Machine) -> String {
        let id = &firewall.id;
        match self {
            Self::Changed => format!("Firewall {id} was made before its template was changed."),
            Self::NewerImage(newest) => format!("Firewall {id} has image {}, and {newest} is newer.", firewall.image),
            Self::Dead => format!("Firewall {id} has been dead for too long."),
        }
    }
}

fn why(observed: &Observed, project: &Project, firewall: &Machine, health: Health, now: Timestamp) -> Option<Why> {
    if health.is_dead_for_long(observed, project, now) {
        return Some(Why::Dead);
    }
    let template = &observed.template.as_ref()?.spec;
    if observed.annotation(names::FIREWALL_BASELINE).filter(|of| is_known_baseline(of))? != baseline(template) {
        return Some(Why::Changed);
    }
    let newest = newer_image(project, firewall).filter(|_| observed.wants_newest_image())?;
    Some(Why::NewerImage(newest.to_string()))
}

/// The next step of a replacement, or of what one left behind; `None`: nothing is to be done.
fn next(
    observed: &Observed,
    project: &Project,
    firewall: &Arc<Machine>,
    health: Health,
    now: Timestamp,
) -> Result<Option<Action>, Wait> {
    if let Some(successor) = successor(observed, project, Some(firewall)) {
        return replacing(observed, project, firewall, successor, health, now).map(Some);
    }
    let left = left_behind(observed, project, firewall);
    if let Some(left) = left.filter(|left| health == Health::Good || !left.phoned_home) {
        may_call(observed, now)?;
        return Ok(Some(Action::Free(Arc::clone(left))));
    }
    let Some(why) = why(observed, project, firewall, health, now) else {
        return Ok(observed.is_blocked().then_some(Action::Unblock).filter(|_| is_spent(observed, project)));
    };
    if !observed.may_free(firewall) {
        let what = format!(
            "{} It is not the provider's to free, so it is not replaced: free it, and remove spec.managedResourceRef to \
             have one allocated.",
            why.message(firewall)
        );
        return Err(Wait::new(Reason::FirewallOutdated, what, Rest::Interval));
    }
    if let Some(left) = left {
        let what = format!(
            "{} Firewall {} is there as well; name the one to keep in spec.managedResourceRef.name.",
            why.message(firewall),
            left.id
        );
        return Err(Wait::new(Reason::Ambiguous, what, Rest::Interval));
    }
    if matches!(why, Why::Dead) && project.is_outage {
        let what = format!(
            "{} So are so many others of its partition at once that metal-stack is not believed: it is not replaced until \
             that clears, or the MetalStackCluster is annotated {}={}.",
            why.message(firewall),
            names::ACK,
            names::ACK_SUSPECT
        );
        return Err(Wait::new(Reason::Suspect, what, Rest::Interval));
    }
    let pause = observed.terms.replacement_pause;
    if matches!(why, Why::Dead) && firewall.created.is_some_and(|created| !passed(created, now, pause)) {
        let what = format!(
            "{} It is replaced as soon as it is {} min old: a firewall is not replaced more often.",
            why.message(firewall),
            pause.as_secs() / 60
        );
        return Err(Wait::new(Reason::WaitingForNextReplacement, what, Rest::Interval));
    }
    allocate(observed, project, generation(firewall) + 1, now).map(Some).map_err(|wait| Wait {
        message: format!("{} It stays until there is another one: {}", why.message(firewall), wait.message),
        ..wait
    })
}

/// A predecessor, or a second one of the same generation after an unknown outcome: two announce the same routes.
fn left_behind<'a>(observed: &Observed, project: &'a Project, firewall: &Machine) -> Option<&'a Arc<Machine>> {
    let is_left = |f: &&Arc<Machine>| f.id != firewall.id && observed.whose(f) == Whose::Ours && observed.may_free(f);
    project.firewalls.iter().find(is_left)
}

fn is_spent(observed: &Observed, project: &Project) -> bool {
    observed.unspent_attempt(project).is_none()
}

/// There is a successor already.
fn replacing(
    observed: &Observed,
    project: &Project,
    firewall: &Arc<Machine>,
    successor: &Arc<Machine>,
    health: Health,
    now: Timestamp,
) -> Result<Action, Wait> {
    if is_needless(observed, project, firewall, health, now) && observed.may_free(successor) {
        may_call(observed, now)?;
        // That it is well again must be true of this moment.
        let is_sure = project.searched.is_some();
        return Ok(if is_sure { Action::Free(Arc::clone(successor)) } else { Action::Search });
    }
    if let Some(action) = give_up(observed, project, successor, now)? {
        return Ok(action);
    }
    if !serves(successor) {
        return Err(on_its_way(&successor.id));
    }
    if !observed.may_free(firewall) {
        let what = format!(
            "Firewall {} is ready in the place of {}, which is not the provider's to free: free one of the two.",
            successor.id, firewall.id
        );
        return Err(Wait::new(Reason::Ambiguous, what, Rest::Interval));
    }
    may_call(observed, now)?;
    Ok(Action::Free(Arc::clone(firewall)))
}

/// The present one is well again, and as it is to be: whoever is in its place would break what passes it now.
fn is_needless(observed: &Observed, project: &Project, firewall: &Machine, health: Health, now: Timestamp) -> bool {
    let is_known = observed.template.is_some() && (!observed.wants_newest_image() || project.newest_image.is_some());
    health == Health::Good && is_known && why(observed, project, firewall, health, now).is_none()
}

/// A successor that does not serve can be freed while nobody needs it: when the template was changed once more, or when
/// it takes too long. Once one phoned home its predecessor may be gone already: that is looked up first.
pub(super) fn give_up(
    observed: &Observed,
    project: &Project,
    successor: &Arc<Machine>,
    now: Timestamp,
) -> Result<Option<Action>, Wait> {
    let template = observed.template.as_ref().map(|t| baseline(&t.spec));
    let made = successor.tags.get(names::FIREWALL_BASELINE).filter(|of| is_known_baseline(of));
    let is_outdated = template.zip(made).is_some_and(|(now, made)| made != now);
    let is_late = successor.created.is_some_and(|created| passed(created, now, observed.terms.replacement_pause));
    if serves(successor) || !(is_outdated || is_late) || !observed.may_free(successor) {
        return Ok(None);
    }
    may_call(observed, now)?;
    if successor.phoned_home && project.searched.is_none() {
        return Ok(Some(Action::Search));
    }
    Ok(Some(Action::Free(Arc::clone(successor))))
}

pub(super) fn on_its_way(successor: &MachineId) -> Wait {
    let what = format!(
        "Firewall {successor} is to come in its place and takes over as soon as it has phoned home and is alive."
    );
    Wait::new(Reason::Replacing, what, Rest::Soon)
}

/// The later generation that has phoned home, else the latest; without a firewall any of the deployment's.
pub(super) fn successor<'a>(
    observed: &Observed,
    project: &'a Project,
    of: Option<&Machine>,
) -> Option<&'a Arc<Machine>> {
    let is_later = |f: &&Arc<Machine>| of.is_none_or(|of| f.id != of.id && generation(f) > generation(of));
    let ours = |f: &&Arc<Machine>| f.role == MachineRole::Firewall && observed.whose(f) == Whose::Ours;
    let rank = |f: &&Arc<Machine>| (serves(f), f.phoned_home, generation(f));
    project.firewalls.iter().filter(ours).filter(is_later).max_by_key(rank)
}

/// Nothing is to be done: what a person should know of it nevertheless.
fn up_to_date(observed: &Observed, project: &Project, firewall: &Machine, conditions: &mut Conditions) {
    let of = ConditionType::FirewallUpToDate;
    let is_beside = |f: &&Arc<Machine>| observed.whose(f) == Whose::Namesake && observed.is_in_node_network(f);
    if let Some(other) = project.firewalls.iter().filter(|f| f.id != firewall.id).find(is_beside) {
        let what = format!(
            "Firewall {} is in the node network as well and carries the name of this deployment, and nothing says that it \
             was allocated for it; free it if nobody uses it: two announce the same routes.",
            other.id
        );
        return conditions.is_not(of, Reason::Ambiguous, what);
    }
    let Some(template) = observed.template.as_ref().map(|t| &t.spec) else {
        let name = &observed.deployment.spec.firewall_template_ref.name;
        let what = format!(
            "There is no MetalStackFirewallTemplate {name}, so the firewall cannot be replaced; create it, or name \
             another one in firewallTemplateRef."
        );
        return conditions.is_not(of, Reason::FirewallTemplateMissing, what);
    };
    let differences = differences(observed, template, firewall);
    if !differences.is_empty() {
        let what = format!(
            "Firewall {} has {}, and had when the provider first saw it; to have it replaced, annotate this object with \
             {}={REPLACE}.",
            firewall.id,
            differences.join("; "),
            names::FIREWALL_BASELINE
        );
        return conditions.is_not(of, Reason::FirewallOutdated, what);
    }
    let mut notes = Vec::new();
    let fields = without_effect(observed, template);
    if !fields.is_empty() {
        let list = fields.join(", ");
        notes.push(format!("Fields of the template without effect: {list}; remove them."));
    }
    if passes_nothing(template) {
        notes.push(
            "initialRuleSet has no rules: nothing passes the firewall; add the rules that nodes need.".to_owned(),
        );
    }
    match (fields.is_empty(), notes.is_empty()) {
        (true, true) => conditions.is(of, Reason::UpToDate, "The firewall is as its template says."),
        (true, false) => conditions.is(of, Reason::UpToDate, notes.join(" ")),
        (false, _) => conditions.is(of, Reason::FieldsWithoutEffect, notes.join(" ")),
    }
}

/// What comes first of two reasons to look again.
fn sooner(a: Rest, b: Rest) -> Rest {
    let rank = |rest: &Rest| match rest {
        Rest::Soon => (0, std::time::Duration::ZERO),
        Rest::After(duration) => (1, *duration),
        Rest::Interval => (2, std::time::Duration::ZERO),
        Rest::Change => (3, std::time::Duration::ZERO),
    };
    if rank(&a) <= rank(&b) { a } else { b }
}
