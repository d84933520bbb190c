//! The firewall's slot, whose generations are one: which one serves, and whether another one is to come (R4).

mod fitness;

use crate::cluster::{Context, adopt};
use crate::committed::firewall_slot;
use crate::generations::{One, is_in_time, is_outage, ours};
use crate::index::ResourceRef;
use crate::losses::LossKind;
use crate::requests::{self, Budget};
use crate::watch::{is_dead, passed};
use crate::{ClusterPlan, Note, Step};
use model::definition::{AllowReplacement, FirewallMode};
use model::lock::{Firewall, Successor};
use model::metal::Machine;
use model::request::Target;
use model::want::Blocked;
use model::{MachineId, Origin, Reason, Slot};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

/// A dead or vanished one is replaced at most so often (R4).
const PAUSE: Duration = Duration::from_secs(3600);
/// Never more at once, whatever becomes of them.
const GENERATIONS_MAX: usize = 3;

/// The firewall of a cluster whose definition is refused: what serves goes on, and what is dead or gone is replaced where
/// it is known by what. The lock follows, the output does when the definition is mended (R5).
pub(crate) fn heal(context: &Context<'_>, refused: &Blocked, budget: &mut Budget, plan: &mut ClusterPlan) {
    let present = context.wanted.lock.as_deref().and_then(|lock| lock.values.firewall.as_ref());
    let Some(present) = present.filter(|present| present.origin == Origin::Allocated) else { return };
    if context.wanted.effective.firewall.mode.value == FirewallMode::Engine {
        Slots { refused: Some(refused), ..Slots::new(context, present) }.decide(budget, plan);
    }
}

/// What happens to the slot of a cluster whose lock names a firewall.
pub(crate) fn decide(context: &Context<'_>, present: &Firewall, budget: &mut Budget, plan: &mut ClusterPlan) {
    let keep = Step::Keep { slot: firewall_slot(present) };
    match context.wanted.effective.firewall.mode.value {
        _ if !context.is_read() => plan.steps.push(keep),
        FirewallMode::Engine if present.origin == Origin::Allocated => {
            Slots::new(context, present).decide(budget, plan);
        }
        FirewallMode::External => {
            let other = context.wanted.effective.firewall.machine.as_ref().is_some_and(|id| *id != present.id);
            plan.steps.push(if other { adopt(context, firewall_slot(present)) } else { keep });
            watch_only(context, present, plan);
        }
        FirewallMode::Engine | FirewallMode::Deployment => plan.steps.push(keep),
    }
}

/// One that a person supplied is reported and nothing more.
fn watch_only(context: &Context<'_>, present: &Firewall, plan: &mut ClusterPlan) {
    if let Some(machine) = machine(context, present).filter(|machine| is_dead(machine)) {
        let message = format!("firewall {} {}; a person supplied it and replaces it", machine.id, how_dead(machine));
        plan.notes.push(Note::new(Reason::FirewallUnhealthy, message));
    }
}

/// What the lock names, where the last reading has it.
fn machine<'a>(context: &Context<'a>, present: &Firewall) -> Option<&'a Machine> {
    let target = Target::Machine { id: present.id.clone(), allocation: present.allocation.clone() };
    let found = context.index.get(&context.wanted.identity.project, &target)?;
    match found {
        ResourceRef::Firewall(machine) if found.is_allocation(&target) => Some(machine),
        ResourceRef::Firewall(_) | ResourceRef::Network(_) | ResourceRef::Ip(_) => None,
    }
}

/// Why another one is to take the place of the one that serves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Outdated,
    Dead,
    Gone,
}

impl Why {
    fn reason(self) -> Reason {
        match self {
            Self::Outdated => Reason::FirewallReplacing,
            Self::Dead | Self::Gone => Reason::FirewallUnhealthy,
        }
    }

    fn words(self, id: &MachineId) -> String {
        match self {
            Self::Outdated => format!("firewall {id} was made from other settings than the present ones"),
            Self::Dead => format!("firewall {id} has been dead for longer than its healthTimeout"),
            Self::Gone => format!("firewall {id} is gone"),
        }
    }
}

/// The one that serves from now on.
struct Serving<'a> {
    id: &'a MachineId,
    generation: u32,
    /// As the last reading has it.
    machine: Option<&'a Machine>,
    is_outdated: bool,
    /// Its settings are the wanted ones; where it is outdated all the same, it does not stand where it was put.
    is_made_so: bool,
    is_gone: bool,
}

impl Serving<'_> {
    fn is_dead(&self) -> bool {
        self.machine.is_some_and(is_dead)
    }
}

/// The slot of one cluster.
struct Slots<'a> {
    context: &'a Context<'a>,
    present: &'a Firewall,
    all: Vec<One<'a>>,
    /// Why its definition is refused, where it is: then nothing is replaced for other settings.
    refused: Option<&'a Blocked>,
}

impl<'a> Slots<'a> {
    fn new(context: &'a Context<'a>, present: &'a Firewall) -> Self {
        let wanted = context.wanted;
        let all = ours(context.index, context.fleet, &wanted.id, &wanted.identity.project).collect();
        Self { context, present, all, refused: None }
    }

    fn decide(&self, budget: &mut Budget, plan: &mut ClusterPlan) {
        let in_place = self.takes_over();
        let serving = match in_place {
            Some(one) => {
                plan.steps.push(one.step());
                self.serving(one)
            }
            None => {
                plan.steps.push(Step::Keep { slot: firewall_slot(self.present) });
                self.kept()
            }
        };
        let (unwanted, younger): (Vec<One<'a>>, Vec<One<'a>>) = self
            .all
            .iter()
            .copied()
            .filter(|one| one.generation > serving.generation)
            .partition(|one| self.is_unwanted(one, &serving));
        plan.frees.extend(unwanted.iter().map(|one| self.free(one)));
        let unseen = self.present.successor.as_ref().filter(|next| next.generation > serving.generation);
        let unseen = unseen.filter(|next| !self.all.iter().any(|one| one.is(&next.id, &next.allocation)));
        let is_pending = unseen.is_some_and(|next| !self.is_lost(next));
        let names =
            |one: &One<'_>| self.present.successor.as_ref().is_some_and(|next| one.is(&next.id, &next.allocation));
        plan.drops_successor = unseen.is_some() && !is_pending || unwanted.iter().any(names);
        if let Some(next) = self.successor(&younger) {
            let named = self.present.successor.as_ref().is_some_and(|named| next.is(&named.id, &named.allocation));
            if in_place.is_some() || !named {
                plan.steps.push(next.step());
            }
        }
        let comes = younger.iter().find(|one| self.may_come(one)).map(|one| (one.slot(), &one.machine.id));
        let pending = unseen.filter(|_| is_pending).map(|next| (Slot::Firewall(next.generation), &next.id));
        let comes = comes.or(pending);
        match (&comes, younger.first()) {
            (Some((slot, id)), _) => {
                let message = format!("{slot} ({id}) takes over from {} when it has phoned home", serving.id);
                plan.notes.push(Note::new(Reason::FirewallReplacing, message));
            }
            (None, Some(One { machine, generation })) => {
                let message =
                    format!("firewall.{generation} ({}) has not phoned home; it takes over if it does", machine.id);
                plan.notes.push(Note::new(Reason::FirewallReplacing, message));
            }
            (None, None) => {}
        }
        match self.why(&serving, plan) {
            Some(why) if comes.is_none() => self.replace(&serving, why, &younger, budget, plan),
            Some(why) if why != Why::Outdated => {
                plan.notes.push(Note::new(why.reason(), why.words(serving.id)));
            }
            Some(_) | None => {}
        }
    }

    /// The highest generation that has phoned home goes before the lock, among several of it the one that the lock names,
    /// else the first. Below the present one only when that is gone.
    fn takes_over(&self) -> Option<One<'a>> {
        let present = self.present;
        let is_gone = self.is_gone();
        let may = |one: &&One<'_>| {
            let is_present = one.is(&present.id, &present.allocation);
            one.machine.phoned_home && !is_present && (one.generation > present.generation || is_gone)
        };
        let named = |one: &One<'_>| present.successor.as_ref().is_some_and(|next| one.is(&next.id, &next.allocation));
        self.all.iter().filter(may).min_by_key(|one| (Reverse(one.generation), !named(one))).copied()
    }

    fn is_gone(&self) -> bool {
        let slot = firewall_slot(self.present);
        let losses = self.context.losses.iter().filter(|loss| loss.slot == slot);
        losses.into_iter().any(|loss| match loss.kind {
            LossKind::Gone | LossKind::Reallocated => true,
            LossKind::Missing | LossKind::ClaimedBy(_) => false,
        })
    }

    fn serving(&self, one: One<'a>) -> Serving<'a> {
        Serving {
            id: &one.machine.id,
            generation: one.generation,
            machine: Some(one.machine),
            is_outdated: !self.is_as_wanted(one.machine),
            is_made_so: self.is_made_so(one.machine),
            is_gone: false,
        }
    }

    fn kept(&self) -> Serving<'a> {
        let machine = machine(self.context, self.present);
        let stands = machine.is_none_or(|machine| self.stands_right(machine));
        let is_made_so = self.inputs_are_wanted();
        Serving {
            id: &self.present.id,
            generation: self.present.generation,
            machine,
            is_outdated: !is_made_so || !stands,
            is_made_so,
            is_gone: self.is_gone(),
        }
    }

    /// A successor that the lock names and the reading does not show as ours is lost when that is concluded, or when it
    /// is somebody else's by now.
    fn is_lost(&self, next: &Successor) -> bool {
        let target = Target::Machine { id: next.id.clone(), allocation: next.allocation.clone() };
        let wanted = self.context.wanted;
        self.context.index.get(&wanted.identity.project, &target).is_some()
            || self.context.setting.watch.is_gone(&wanted.id, &Slot::Firewall(next.generation.max(1)), &target)
    }

    /// Which of those on their way the lock shows.
    fn successor(&self, younger: &[One<'a>]) -> Option<One<'a>> {
        let named = |one: &One<'_>| self.present.successor.as_ref().is_some_and(|n| one.is(&n.id, &n.allocation));
        let rank = |one: &&One<'_>| (!self.may_come(one), Reverse(one.generation), !named(one));
        younger.iter().min_by_key(rank).copied()
    }

    /// Young enough, alive, and made from what is wanted now.
    fn may_come(&self, one: &One<'_>) -> bool {
        self.is_in_time(one) && self.is_as_wanted(one.machine)
    }

    fn is_in_time(&self, one: &One<'_>) -> bool {
        let timeout = self.context.wanted.effective.firewall.health_timeout.value;
        is_in_time(one.machine, timeout, self.context.now())
            && !self.context.setting.watch.is_dead_for(one.machine, timeout)
    }

    fn why(&self, serving: &Serving<'_>, plan: &mut ClusterPlan) -> Option<Why> {
        let effective = &self.context.wanted.effective;
        let may_change = effective.allow_replacement.value == AllowReplacement::Always && self.refused.is_none();
        if serving.is_outdated && may_change {
            return Some(Why::Outdated);
        }
        if serving.is_gone {
            return Some(Why::Gone);
        }
        let timeout = effective.firewall.health_timeout.value;
        if let Some(dead) = serving.machine.filter(|machine| is_dead(machine)) {
            if self.context.setting.watch.is_dead_for(dead, timeout) {
                return Some(Why::Dead);
            }
            let message =
                format!("firewall {} {}; it is replaced when that lasts for {timeout}", dead.id, how_dead(dead));
            plan.notes.push(Note::new(Reason::FirewallUnhealthy, message));
        }
        if serving.is_outdated && self.refused.is_none() {
            let message = format!("{}, and rollout.allowReplacement is never", Why::Outdated.words(serving.id));
            plan.notes.push(Note::new(Reason::ReplacementNotAllowed, message));
        }
        None
    }

    fn replace(
        &self,
        serving: &Serving<'_>,
        why: Why,
        younger: &[One<'_>],
        budget: &mut Budget,
        plan: &mut ClusterPlan,
    ) {
        match self.request(serving, why, younger, budget) {
            Ok(step) => {
                plan.notes
                    .push(Note::new(why.reason(), format!("{}: another one is allocated", why.words(serving.id))));
                plan.steps.push(step);
            }
            Err(words) => plan.notes.push(Note::new(why.reason(), format!("{}: {words}", why.words(serving.id)))),
        }
    }

    fn request(
        &self,
        serving: &Serving<'_>,
        why: Why,
        younger: &[One<'_>],
        budget: &mut Budget,
    ) -> Result<Step, String> {
        let (context, project) = (self.context, &self.context.wanted.identity.project);
        // A person's change waits for no hour; what stands wrong although it was made so may do it again and again.
        let is_changed = why == Why::Outdated && !serving.is_made_so;
        if !is_changed && self.is_too_soon(serving) {
            return Err("it is replaced when it is an hour old, a firewall is not replaced more often".to_owned());
        }
        if let Some(refused) = self.refused.filter(|refused| !self.is_known_how(serving, refused)) {
            return Err(format!(
                "it is not replaced, because its definition is refused ({}) and says other settings than those it was \
                 made from; mend the definition",
                refused.message
            ));
        }
        if serving.is_dead() && is_outage(context.have, &context.wanted.identity.partition) {
            return Err("so are so many others of its partition at once that metal-stack is not believed".to_owned());
        }
        let mut live: BTreeSet<u32> = self.all.iter().map(|one| one.generation).collect();
        live.extend((!serving.is_gone).then_some(serving.generation));
        if live.len() >= GENERATIONS_MAX {
            if self.all.iter().any(|one| one.generation > serving.generation && self.is_unwanted(one, serving)) {
                return Err(format!(
                    "it waits until one that nobody wants is freed, there are never more than {GENERATIONS_MAX}"
                ));
            }
            let ids: Vec<String> = younger.iter().map(|one| one.machine.id.to_string()).collect();
            return Err(format!(
                "{} never phoned home; look at their consoles and free them, there are never more than \
                 {GENERATIONS_MAX}",
                ids.join(" and ")
            ));
        }
        let successor = self.present.successor.as_ref().map(|next| next.generation);
        let known = live.into_iter().chain([self.present.generation, serving.generation]).chain(successor);
        let slot = Slot::Firewall(known.max().unwrap_or_default().saturating_add(1));
        let serves = why == Why::Outdated && !(serving.is_gone || serving.is_dead());
        if let Some(words) = budget.brake(project).filter(|_| serves) {
            return Err(words);
        }
        let request = requests::request(context, &slot).map_err(|(reason, words)| format!("{reason}: {words}"))?;
        if let Some(words) = budget.spend(project, &slot) {
            return Err(format!("{}: {words}", Reason::LimitReached));
        }
        budget.replaces(project);
        Ok(Step::Allocate { slot, request: Box::new(request) })
    }

    /// Whether the settings of another one are certain although the definition is refused: they are the present ones, or
    /// the refusal is about replacing what is alive.
    fn is_known_how(&self, serving: &Serving<'_>, refused: &Blocked) -> bool {
        serving.is_made_so || refused.reason == Reason::ReplacementNotAllowed
    }

    /// By metal-api's clock. Of one that is gone, as it was last seen.
    fn is_too_soon(&self, serving: &Serving<'_>) -> bool {
        let seen = || self.context.setting.watch.allocated_at(&self.present.id, &self.present.allocation);
        let created = serving.machine.and_then(|machine| machine.created).or_else(seen);
        created.is_some_and(|created| !passed(created, self.context.now(), PAUSE))
    }
}

fn how_dead(machine: &Machine) -> &'static str {
    if machine.crash_loop { "is in a crash loop" } else { "is not alive" }
}
